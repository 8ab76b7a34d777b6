//! Requests whose last byte comes late: a right that has ended meanwhile is not stretched by them.

use kunji_tests::{
    http::{Answer, Http, b64},
    raw::{Raw, head},
    site::{Shared, shared},
};
use reqwest::Method;
use serde_json::{Value, json};

const ALIAS: [&str; 2] = ["kunji-application: REGISTRATION", "kunji-reference: slow"];
/// Content of a packet that waits in the spool.
const LARGE: usize = 6 << 20;

/// A request whose caller was let in, and whose last byte is yet to come.
pub(crate) struct Parked {
    connection: Raw,
    last: u8,
}

impl Parked {
    pub(crate) async fn new(client: &Http, path: &str, lines: &[&str], body: &[u8]) -> Self {
        let length = format!("content-length: {}", body.len());
        let lines = [lines, &[&length, "expect: 100-continue"]].concat();
        let mut connection = Raw::connect(client).await;
        connection.send(head(client, "POST", path, &lines)).await;
        // Said by the operation, when it begins to read: who may not call it is never told to go on.
        assert_eq!(connection.answer().await.unwrap().status, 100);
        let (last, most) = body.split_last().unwrap();
        connection.send(most).await;
        Self { connection, last: *last }
    }

    pub(crate) async fn json(client: &Http, path: &str, body: &Value) -> Self {
        Self::new(client, path, &["content-type: application/json"], body.to_string().as_bytes()).await
    }

    async fn octets(client: &Http, path: &str, body: &[u8]) -> Self {
        let lines = [&["content-type: application/octet-stream"], ALIAS.as_slice()].concat();
        Self::new(client, path, &lines, body).await
    }

    pub(crate) async fn end(mut self) -> Answer {
        self.connection.send([self.last]).await;
        self.connection.answer().await.unwrap()
    }
}

struct World {
    shared: std::sync::Arc<Shared>,
    administrator: Http,
    /// Packets that are opened in memory, and from the spool.
    packets: [Vec<u8>; 2],
}

impl World {
    async fn new() -> Self {
        let shared = shared();
        let administrator = shared.server.http().sign_in("administrator", &shared.server.secret).await;
        let encryptor = administrator.new_client(&["encryptor"]).await;
        let seal = async |bytes: usize| {
            let mut request = encryptor.request(Method::POST, "/v1/packets/encrypt");
            for (name, value) in ALIAS.iter().filter_map(|line| line.split_once(": ")) {
                request = request.header(name, value);
            }
            let request = request.header("content-type", "application/octet-stream").body(vec![7; bytes]);
            request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap().to_vec()
        };
        let packets = [seal(100).await, seal(LARGE).await];
        Self { shared, administrator, packets }
    }

    /// Makes a client; returns its id and its caller.
    async fn client(&self, role: &str) -> (String, Http) {
        let id = format!("slow-{}", uuid::Uuid::new_v4());
        let made = self.administrator.post("/v1/clients", &json!({ "clientId": id, "roles": [role] })).await;
        let secret = made.body["clientSecret"].as_str().unwrap_or_else(|| panic!("{made:?}"));
        let client = self.shared.server.http().sign_in(&id, secret).await;
        (id, client)
    }

    async fn disable(&self, id: &str) {
        let disabled = self.administrator.post(&format!("/v1/clients/{id}/disable"), &json!({})).await;
        assert_eq!(disabled.status, 200, "{disabled:?}");
    }
}

#[tokio::test]
async fn a_secret_that_was_replaced_gets_nobody_a_new_one() {
    let world = World::new().await;
    let (id, thief) = world.client("administrator").await;
    let path = format!("/v1/clients/{id}/secret");
    let parked = Parked::json(&thief, &path, &json!({ "overlapSeconds": 3600 })).await;
    let rotated = world.administrator.post(&path, &json!({ "overlapSeconds": 0 })).await;
    let secret = rotated.body["clientSecret"].as_str().unwrap();
    parked.end().await.problem(401, "access.unauthenticated");
    // The owner's is good, and the only one.
    world.shared.server.http().sign_in(&id, secret).await;
    let shown = world.administrator.get(&format!("/v1/clients/{id}")).await;
    assert!(shown.body["formerSecretsUntil"].is_null(), "{shown:?}");
}

#[tokio::test]
async fn a_packet_is_not_opened_for_a_client_that_was_disabled_while_it_came() {
    let world = World::new().await;
    let (_, client) = world.client("decryptor").await;
    let opened = Parked::octets(&client, "/v1/packets/decrypt", &world.packets[0]).await.end().await;
    assert_eq!((opened.status.as_u16(), opened.text), (200, "\u{7}".repeat(100)));
    for packet in &world.packets {
        let (id, client) = world.client("decryptor").await;
        let parked = Parked::octets(&client, "/v1/packets/decrypt", packet).await;
        world.disable(&id).await;
        parked.end().await.problem(401, "access.unauthenticated");
        let auditor = world.administrator.new_client(&["auditor"]).await;
        let page = format!("/v1/audit/events?principal={id}&operation=packet.decrypt&until=2999");
        let events = auditor.get(&page).await.body["events"].clone();
        let codes: Vec<_> = events.as_array().unwrap().iter().map(|event| event["code"].clone()).collect();
        assert!(codes.contains(&json!("access.token_ended")), "{events}");
    }
    let (id, client) = world.client("decryptor").await;
    let request = json!({
        "applicationId": "REGISTRATION", "referenceId": "slow", "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": b64(&world.packets[0]),
    });
    let parked = Parked::json(&client, "/v1/keymanager/decrypt", &json!({ "request": request })).await;
    world.disable(&id).await;
    parked.end().await.envelope_error(401, "KER-ATH-401");
}

#[tokio::test]
async fn a_packet_is_not_opened_against_a_policy_that_came_before_its_end() {
    let world = World::new().await;
    for packet in &world.packets {
        let (id, client) = world.client("decryptor").await;
        let parked = Parked::octets(&client, "/v1/packets/decrypt", packet).await;
        let policy = json!({
            "effect": "deny", "principals": [id], "operations": ["packet.decrypt"], "keys": ["REGISTRATION/slow"],
        });
        let path = format!("/v1/access/policies/{id}");
        let put = world.administrator.request(Method::PUT, &path).header("if-none-match", "*").json(&policy);
        assert_eq!(put.send().await.unwrap().status(), 201);
        parked.end().await.problem(403, "access.policy");
    }
}

#[tokio::test]
async fn nothing_is_sealed_for_a_client_that_was_disabled_while_its_content_came() {
    let world = World::new().await;
    for content in [vec![7; 100], vec![7; LARGE]] {
        let (id, client) = world.client("encryptor").await;
        let parked = Parked::octets(&client, "/v1/packets/encrypt", &content).await;
        world.disable(&id).await;
        parked.end().await.problem(401, "access.unauthenticated");
    }
}

#[tokio::test]
async fn what_is_on_no_keys_is_decided_again_too() {
    let world = World::new().await;
    let (id, client) = world.client("administrator").await;
    let parked =
        Parked::json(&client, "/v1/clients", &json!({ "clientId": "late", "roles": ["signer"] })).await;
    let policy = json!({ "effect": "deny", "principals": [id], "operations": ["client.create"] });
    let path = format!("/v1/access/policies/{id}");
    let put = world.administrator.request(Method::PUT, &path).header("if-none-match", "*").json(&policy);
    assert_eq!(put.send().await.unwrap().status(), 201);
    parked.end().await.problem(403, "access.forbidden");
    world.administrator.get("/v1/clients/late").await.problem(404, "client.not_found");
}
