//! The real server over HTTP, with its database in a server of its own that goes away: what memory holds goes on for a
//! set time, the rest is refused at once and clearly, and everything is back by itself.

use std::time::{Duration, Instant};

use kunji_tests::{
    http::{Answer, Http, b64, unb64},
    peer,
    proxy::{Direction, Ending, Proxy},
    site::{Server, Site},
    surreal_server::SurrealServer,
    tls_front::TlsFront,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const RECORD: &[u8] = b"Asha Devi, born 1992-04-17";
const APPLICATION: &str = "REGISTRATION";
const REFERENCE: &str = "10001_110011";
/// Until `/readyz` names a database that is away.
const NAMED: Duration = Duration::from_secs(5);
/// Until all is well again after its return; looking costs some of it.
const RETURN: Duration = Duration::from_millis(2_500);
/// What a refusal may take: far less than any time that is waited for a database.
const AT_ONCE: Duration = Duration::from_millis(900);
const PATIENCE: Duration = Duration::from_mins(1);

struct World {
    server: Server,
    proxy: Proxy,
    database: SurrealServer,
    administrator: Http,
    client: Http,
    certificate: String,
    signed: String,
    _site: Site,
}

impl World {
    async fn open(away_seconds: &str) -> Self {
        let database = SurrealServer::start_with_files().unwrap();
        let proxy = Proxy::to(database.address());
        let site = site(&database, &format!("ws://{}", proxy.address()))
            .await
            .with("KUNJI_DATABASE_AWAY_SECONDS", away_seconds)
            .with("KUNJI_TOKENLESS_NETWORKS", "127.0.0.1")
            .with("KUNJI_TOKENLESS_CLIENT", "administrator")
            .with("KUNJI_PUBLIC_CERTIFICATES", "REGISTRATION/*")
            .with("KUNJI_PUBLIC_CERTIFICATES_PER_MINUTE", "60000");
        let server = site.start();
        let administrator = server.http().sign_in("administrator", &server.secret).await;
        let client =
            administrator.new_client(&["encryptor", "decryptor", "signer", "key-administrator"]).await;
        let certificate = client.certificate(APPLICATION, REFERENCE).await;
        let answer =
            client.call("/jwtSign", json!({ "dataToSign": b64(RECORD), "includePayload": true })).await;
        let signed = answer.response()["jwtSignedData"].as_str().unwrap().to_owned();
        Self { server, proxy, database, administrator, client, certificate, signed, _site: site }
    }

    /// What goes on from memory, and how long the slowest took.
    async fn works_from_memory(&self) -> Duration {
        let begun = Instant::now();
        let certificate = self.client.certificate(APPLICATION, REFERENCE).await;
        assert_eq!(certificate, self.certificate);
        let mut slowest = begun.elapsed();
        let mut timed = |begun: Instant| slowest = slowest.max(begun.elapsed());

        let begun = Instant::now();
        let answer = self.decrypt().await;
        assert_eq!(unb64(&answer.response()["data"]), RECORD);
        timed(begun);

        let begun = Instant::now();
        let request = json!({
            "applicationId": APPLICATION, "referenceId": REFERENCE, "timeStamp": "2026-01-05T10:11:12.123Z",
            "data": b64(RECORD),
        });
        self.client.call("/encrypt", request).await.response();
        timed(begun);

        let begun = Instant::now();
        let answer = self.client.call("/jwtVerify", json!({ "jwtSignatureData": self.signed })).await;
        assert_eq!(answer.response()["signatureValid"], true);
        timed(begun);

        let begun = Instant::now();
        self.client.call("/jwtSign", json!({ "dataToSign": b64(RECORD) })).await.response();
        timed(begun);

        let begun = Instant::now();
        let public = self.public_certificate().await;
        assert_eq!(public.status, StatusCode::OK, "{public:?}");
        assert_eq!(public.text.matches("BEGIN CERTIFICATE").count(), 3);
        timed(begun);
        slowest
    }

    async fn decrypt(&self) -> Answer {
        let packet = peer::seal_self_contained(&self.certificate, RECORD);
        let request = json!({
            "applicationId": APPLICATION, "referenceId": REFERENCE, "timeStamp": "2026-01-05T10:11:12.123Z",
            "data": b64(packet),
        });
        self.client.call("/decrypt", request).await
    }

    async fn public_certificate(&self) -> Answer {
        self.server.http().get(&format!("/v1/certificates/{APPLICATION}/{REFERENCE}")).await
    }

    async fn certificate_of(&self, reference: &str) -> Answer {
        let path =
            format!("/v1/keymanager/getCertificate?applicationId={APPLICATION}&referenceId={reference}");
        self.client.get(&path).await
    }

    async fn new_client(&self) -> Answer {
        let body = json!({ "clientId": format!("c{}", uuid::Uuid::new_v4()), "roles": ["encryptor"] });
        self.administrator.post("/v1/clients", &body).await
    }

    async fn take_token(&self) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "administrator"),
            ("client_secret", &self.server.secret),
        ];
        Answer::read(
            self.server.http().request(Method::POST, "/oauth2/token").form(&form).send().await.unwrap(),
        )
        .await
    }

    /// What needs the database is refused at once, each in the form of its route.
    async fn refuses_the_rest(&self, reference: &str) {
        let begun = Instant::now();
        is_refused_in_an_envelope(&self.certificate_of(reference).await);
        let path = format!("/v1/keymanager/getAllCertificates?applicationId={APPLICATION}&referenceId=");
        is_refused_in_an_envelope(&self.client.get(&path).await);
        let credentials = json!({
            "request": { "clientId": "administrator", "secretKey": self.server.secret, "appId": "x" },
        });
        let path = "/v1/authmanager/authenticate/clientidsecretkey";
        is_refused_in_an_envelope(&self.server.http().post(path, &credentials).await);
        is_refused_as_a_problem(&self.new_client().await);
        let answer = self.take_token().await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        assert_eq!(answer.body["error"], "temporarily_unavailable", "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"));
        let each = begun.elapsed() / 5;
        assert!(each < AT_ONCE, "{each:?}");
    }

    async fn readiness(&self) -> (StatusCode, Value) {
        let answer = self.server.http().get("/readyz").await;
        (answer.status, answer.body)
    }

    /// How long it takes until `/readyz` names the database.
    async fn named(&self) -> Duration {
        let begun = Instant::now();
        loop {
            let (status, body) = self.readiness().await;
            if status == StatusCode::SERVICE_UNAVAILABLE {
                assert_eq!(body["components"]["database"]["status"], "unavailable", "{body}");
                assert_eq!(body["components"]["token"]["status"], "ready", "{body}");
                return begun.elapsed();
            }
            assert!(begun.elapsed() < PATIENCE, "nobody notices");
            look_again().await;
        }
    }

    /// How long it takes until `/readyz` is content, and a change is made.
    async fn back(&self) -> Duration {
        let begun = Instant::now();
        while self.readiness().await.0 != StatusCode::OK {
            assert!(begun.elapsed() < PATIENCE, "not back");
            look_again().await;
        }
        let elapsed = begun.elapsed();
        let made = self.new_client().await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        elapsed
    }

    async fn lives(&self) {
        let nobody = self.server.http();
        assert_eq!(nobody.get("/healthz").await.status, StatusCode::OK);
        let health = nobody.get("/v1/keymanager/actuator/health").await;
        assert_eq!((health.status, &health.body["status"]), (StatusCode::OK, &json!("UP")));
    }
}

/// A place whose server keeps its records in a new database there, reached under this URL.
async fn site(database: &SurrealServer, url: &str) -> Site {
    let ours = database.create_database().await.unwrap();
    let site = Site::new();
    let password = site.path().join("database-password");
    std::fs::write(&password, &ours.password).unwrap();
    site.with("KUNJI_DATABASE_URL", url)
        .with("KUNJI_DATABASE_NAMESPACE", &ours.namespace)
        .with("KUNJI_DATABASE_NAME", &ours.database)
        .with("KUNJI_DATABASE_USER", &ours.user)
        .with("KUNJI_DATABASE_PASSWORD_FILE", password.display().to_string())
        .with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,KERNEL,REGISTRATION")
}

#[track_caller]
fn is_refused_in_an_envelope(answer: &Answer) {
    answer.envelope_error(503, "KER-KMS-500");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
}

#[track_caller]
fn is_refused_as_a_problem(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert_eq!(answer.body["code"], "service.unavailable", "{answer:?}");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
}

/// Before a condition is looked at again.
async fn look_again() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

struct Fault {
    name: &'static str,
    begin: fn(&World),
    end: fn(&World),
}

const FAULTS: [Fault; 4] = [
    Fault { name: "stalled", begin: |world| world.proxy.stall(), end: |world| world.proxy.resume() },
    Fault {
        name: "cut and refused",
        begin: |world| {
            world.proxy.refuse();
            world.proxy.cut(Ending::Reset);
        },
        end: |world| world.proxy.resume(),
    },
    Fault {
        name: "half-closed and silent",
        begin: |world| {
            world.proxy.half_close(Direction::FromTarget);
            world.proxy.stall();
        },
        end: |world| world.proxy.resume(),
    },
    Fault {
        name: "killed and started again",
        begin: |world| world.database.kill().unwrap(),
        end: |world| world.database.restart().unwrap(),
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_memory_holds_goes_on_and_the_rest_is_refused_until_the_database_is_back() {
    let world = World::open("300").await;
    world.works_from_memory().await;
    for (round, fault) in FAULTS.iter().enumerate() {
        let reference = format!("new-{round}");
        (fault.begin)(&world);
        // Also in the moments before anybody knows.
        let (named, at_first) = tokio::join!(world.named(), world.works_from_memory());
        assert!(named < NAMED, "{}: {named:?}", fault.name);
        assert!(at_first < 2 * AT_ONCE, "{}: {at_first:?}", fault.name);
        world.refuses_the_rest(&reference).await;
        let slowest = world.works_from_memory().await;
        assert!(slowest < AT_ONCE, "{}: {slowest:?}", fault.name);
        world.lives().await;
        (fault.end)(&world);
        let back = world.back().await;
        println!(
            "{}: /readyz after {} ms, back after {} ms, slowest from memory {} ms at first, then {} ms",
            fault.name,
            named.as_millis(),
            back.as_millis(),
            at_first.as_millis(),
            slowest.as_millis()
        );
        assert!(back < RETURN, "{}: {back:?}", fault.name);
        world.certificate_of(&reference).await.response();
        assert_eq!(world.take_token().await.status, StatusCode::OK);
        world.works_from_memory().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stands_in_for_no_longer_than_it_may() {
    const LONGEST: u64 = 6;
    let world = World::open(&LONGEST.to_string()).await;
    world.works_from_memory().await;
    // Known as the administrator by its network, who may not decrypt.
    let tokenless = || async { world.server.http().call("/decrypt", json!({})).await };
    assert_eq!(tokenless().await.status, StatusCode::FORBIDDEN);
    world.proxy.refuse();
    world.proxy.cut(Ending::Reset);
    let begun = Instant::now();
    world.named().await;
    world.works_from_memory().await;
    assert_eq!(tokenless().await.status, StatusCode::FORBIDDEN);
    while world.certificate_of(REFERENCE).await.status == StatusCode::OK {
        assert!(begun.elapsed() < Duration::from_secs(LONGEST + 1), "{:?}", begun.elapsed());
        look_again().await;
    }
    while begun.elapsed() < Duration::from_secs(LONGEST) {
        look_again().await;
    }
    // From then on nothing is answered from memory.
    is_refused_in_an_envelope(&world.certificate_of(REFERENCE).await);
    is_refused_in_an_envelope(&world.decrypt().await);
    is_refused_in_an_envelope(
        &world.client.call("/jwtVerify", json!({ "jwtSignatureData": world.signed })).await,
    );
    is_refused_as_a_problem(&world.public_certificate().await);
    is_refused_as_a_problem(&world.new_client().await);
    is_refused_in_an_envelope(&tokenless().await);
    world.lives().await;
    world.proxy.resume();
    assert!(world.back().await < RETURN);
    world.works_from_memory().await;
    assert_eq!(tokenless().await.status, StatusCode::FORBIDDEN);
}

/// By TLS, with the authorities that the system trusts: here one of the test's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_behind_tls_is_used_only_when_its_certificate_is_trusted() {
    let database = SurrealServer::start().unwrap();
    let front = TlsFront::before(database.address());
    let proxy = Proxy::to(front.address());
    let site = site(&database, &format!("wss://{}", proxy.address())).await;
    let of_another = TlsFront::before(database.address());
    let authority = site.path().join("authority.pem");
    let site = site.with("SSL_CERT_FILE", authority.display().to_string());
    std::fs::write(&authority, of_another.authority()).unwrap();
    let refused = site.command().arg("serve").output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("certificate"), "{said}");

    std::fs::write(&authority, front.authority()).unwrap();
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let client = administrator.new_client(&["encryptor"]).await;
    client.certificate(APPLICATION, REFERENCE).await;
    proxy.cut(Ending::Reset);
    let begun = Instant::now();
    while server.http().get("/readyz").await.status != StatusCode::OK {
        assert!(begun.elapsed() < RETURN, "not back");
        look_again().await;
    }
    client.certificate(APPLICATION, "another").await;
}
