//! Shows that bad input changed nothing.

use std::{collections::BTreeMap, sync::Arc};

use kunji_tests::{
    http::{Http, b64, unb64},
    peer,
    site::{Server, Shared, Site, shared},
};
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// Stands in what is sent, and must never come back.
pub(crate) const PLANTED: &str = "Pl4nt3d";
/// The key that packets are made for.
pub(crate) const APPLICATION: &str = "REGISTRATION";
/// Its reference.
pub(crate) const REFERENCE: &str = "10001_110011";
/// A reference that only bad requests name: it must not get a key.
pub(crate) const NEVER_MADE: &str = "99999_999999";
/// What good packets hold.
pub(crate) const CONTENT: &[u8] = b"{\"name\":\"Asha\",\"born\":\"1990-02-03\"}";
/// Every role but that of administrators.
pub(crate) const CRYPTOGRAPHERS: [&str; 4] = ["decryptor", "encryptor", "key-administrator", "signer"];

/// Good requests, sent again after the bad ones.
pub(crate) struct Witness {
    /// May do everything but make clients.
    pub(crate) client: Http,
    /// May make clients.
    pub(crate) administrator: Http,
    /// PEM of the key's certificate.
    pub(crate) certificate: String,
    // Kept also by tests with a server of their own: else it would start again for each test beside them.
    _shared: Arc<Shared>,
    packet: Vec<u8>,
    listed: Vec<Value>,
}

impl Witness {
    /// On the shared server.
    pub(crate) async fn new() -> Self {
        let shared = shared();
        Self::on(&shared.server, Arc::clone(&shared)).await
    }

    /// On a server of this place, with the keys that the tests need and no others.
    pub(crate) async fn at(site: Site) -> (Self, Site, Server) {
        let shared = shared();
        let site = site.with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
        let server = site.start();
        (Self::on(&server, shared).await, site, server)
    }

    async fn on(server: &Server, shared: Arc<Shared>) -> Self {
        let (administrator, client) = callers(server).await;
        let certificate = client.certificate(APPLICATION, REFERENCE).await;
        let packet = peer::seal_self_contained(&certificate, CONTENT);
        let listed = list(&client).await;
        Self { client, administrator, certificate, _shared: shared, packet, listed }
    }

    /// A caller without a token.
    pub(crate) fn anonymous(&self) -> Http {
        Http::new(self.client.base())
    }

    /// The server serves, has the same keys as before, and opens what it opened before.
    pub(crate) async fn assert_unchanged(&self) {
        let health = self.anonymous().get("/readyz").await;
        assert_eq!(health.status, 200, "{health:?}");
        assert_eq!(list(&self.client).await, self.listed);
        let request = json!({
            "applicationId": APPLICATION, "referenceId": REFERENCE, "timeStamp": [2026, 1, 5, 10, 11],
            "data": b64(&self.packet),
        });
        let answer = self.client.call("/decrypt", request).await;
        assert_eq!(unb64(&answer.response()["data"]), CONTENT);
    }
}

/// An administrator and a client, signed in once for all tests: that takes time on purpose.
async fn callers(server: &Server) -> (Http, Http) {
    static TOKENS: Mutex<BTreeMap<u32, (String, String)>> = Mutex::const_new(BTreeMap::new());
    let mut tokens = TOKENS.lock().await;
    if let Some((administrator, client)) = tokens.get(&server.pid()) {
        return (server.http().bearing(administrator), server.http().bearing(client));
    }
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let client = administrator.new_client(&CRYPTOGRAPHERS).await;
    let token = |http: &Http| http.token().unwrap().to_owned();
    tokens.insert(server.pid(), (token(&administrator), token(&client)));
    (administrator, client)
}

/// Certificates of the aliases that tests use.
async fn list(client: &Http) -> Vec<Value> {
    let mut listed = Vec::new();
    for reference in ["", REFERENCE, NEVER_MADE] {
        let query = format!("applicationId={APPLICATION}&referenceId={reference}");
        let answer = client.get(&format!("/v1/keymanager/getAllCertificates?{query}")).await;
        listed.push(answer.response().clone());
    }
    assert_eq!(listed[2], json!({ "allCertificates": [] }));
    listed
}
