//! An operation whose event cannot be recorded has failed, whatever else it did, and gives nothing out.
#![cfg(test)]

use std::{
    io,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use kunji_server::{
    adapters::audit_log::AuditLog,
    api, app,
    domain::{
        audit::{
            AuditEvent,
            statement::{Checkpoint, Signed},
        },
        merkle::Frontier,
    },
    ports::{
        audit_sink::{Announcement, AuditError, AuditSink},
        audit_trail::{AuditTrail, Checkpoints, EventLines, EventLinesBackwards, EventTail},
    },
};
use kunji_tests::{
    http::{Answer, Http, b64, unb64},
    in_process,
    softhsm::Token,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

const CONTENT: &[u8] = b"Asha, born 1992";

/// The real trail, on a disk that has room for so many events.
struct Trail {
    log: AuditLog,
    room: AtomicU64,
}

#[async_trait]
impl AuditSink for Trail {
    fn announce(&self) -> Announcement {
        self.log.announce()
    }

    async fn record(&self, event: AuditEvent) -> Result<(), AuditError> {
        let taken = self.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| room.checked_sub(1));
        if taken.is_err() {
            return Err(AuditError(io::ErrorKind::StorageFull.into()));
        }
        self.log.record(event).await
    }
}

/// What is read and signed is the log's.
impl AuditTrail for Trail {
    fn log(&self) -> &str {
        self.log.log()
    }

    fn head(&self) -> Frontier {
        self.log.head()
    }

    fn growth(&self) -> watch::Receiver<u64> {
        self.log.growth()
    }

    fn spooled(&self) -> u64 {
        self.log.spooled()
    }

    fn first(&self) -> io::Result<u64> {
        self.log.first()
    }

    fn tree_before(&self, first: u64) -> io::Result<Frontier> {
        self.log.tree_before(first)
    }

    fn lines(&self, range: Range<u64>) -> io::Result<EventLines> {
        self.log.lines(range)
    }

    fn backwards(&self, below: u64) -> io::Result<EventLinesBackwards> {
        self.log.backwards(below)
    }

    fn tail(&self, from: u64) -> io::Result<Box<dyn EventTail>> {
        self.log.tail(from)
    }

    fn checkpoints(&self, from: u64) -> io::Result<Checkpoints> {
        self.log.checkpoints(from)
    }

    fn last_checkpoint(&self) -> io::Result<Option<Signed<Checkpoint>>> {
        self.log.last_checkpoint()
    }

    fn keep_checkpoint(&self, checkpoint: &Signed<Checkpoint>) -> io::Result<()> {
        self.log.keep_checkpoint(checkpoint)
    }

    fn keep_certificates(&self, pem: &str) -> io::Result<()> {
        self.log.keep_certificates(pem)
    }

    fn roster(&self) -> io::Result<Option<String>> {
        self.log.roster()
    }

    fn keep_roster(&self, line: &str) -> io::Result<()> {
        self.log.keep_roster(line)
    }

    fn finished_segments(&self) -> io::Result<Vec<Range<u64>>> {
        self.log.finished_segments()
    }

    fn archive(&self, first: u64) -> io::Result<()> {
        self.log.archive(first)
    }
}

fn request(data: &Value) -> Value {
    json!({
        "applicationId": "REGISTRATION", "referenceId": "10001_110011", "timeStamp": [2026, 1, 5, 10, 11],
        "data": data,
    })
}

async fn octets(client: &Http, path: &str, body: Vec<u8>) -> Answer {
    let request = client
        .request(Method::POST, path)
        .header("content-type", "application/octet-stream")
        .header("kunji-application", "REGISTRATION")
        .header("kunji-reference", "10001_110011");
    Answer::read(request.body(body).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_has_failed() {
    let token = Token::create("audited");
    let data_dir = tempfile::tempdir().unwrap();
    let environment = [
        ("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION"),
        ("KUNJI_SPOOL_THRESHOLD_BYTES", "100000"),
        ("KUNJI_ISSUER", "http://kunji.test"),
    ];
    let settings = in_process::settings(data_dir.path(), &environment);
    let trail =
        Arc::new(Trail { log: AuditLog::open(data_dir.path()).unwrap(), room: AtomicU64::new(u64::MAX) });
    let ports = in_process::ports(
        data_dir.path(),
        Arc::<Trail>::clone(&trail),
        in_process::repository(&in_process::database().await).await,
        Arc::new(token.open().await.unwrap()),
    );
    let running = app::start(&settings, ports).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = Http::new(&format!("http://{}", listener.local_addr().unwrap()));
    let endpoint = api::endpoint(&running.services, &settings);
    tokio::spawn(api::serve(
        listener,
        api::Carrier::Plain,
        endpoint,
        (&settings).into(),
        std::future::pending(),
    ));

    let secret = std::fs::read_to_string(data_dir.path().join("administrator-secret")).unwrap();
    let secret = secret.trim_end();
    let administrator = nobody.sign_in("administrator", secret).await;
    let client = administrator.new_client(&["encryptor", "decryptor", "signer", "key-administrator"]).await;
    let large = vec![0x5A; 300_000];
    let packet = client.call("/encrypt", request(&json!(b64(CONTENT)))).await.response()["data"].clone();
    let small_packet = octets(&client, "/v1/packets/encrypt", CONTENT.to_vec()).await;
    assert_eq!(small_packet.status, 200);
    let signed = client.call("/jwtSign", json!({ "dataToSign": "YQ", "includePayload": true })).await;
    let signed = signed.response()["jwtSignedData"].clone();

    let certificate = client.certificate("REGISTRATION", "10001_110011").await;
    let upload = |application: &str| {
        json!({
            "applicationId": application, "referenceId": "10001_110011", "certificateData": certificate,
        })
    };

    trail.room.store(0, Ordering::SeqCst);
    let calls = [
        client.call("/decrypt", request(&packet)).await,
        client.call("/encrypt", request(&json!(b64(CONTENT)))).await,
        client.call("/jwtSign", json!({ "dataToSign": "YQ" })).await,
        client.call("/jwtVerify", json!({ "jwtSignatureData": signed })).await,
        client.call("/generateMasterKey/CERTIFICATE", json!({ "applicationId": "REGISTRATION" })).await,
        client.call("/generateMasterKey/CSR", json!({ "applicationId": "REGISTRATION" })).await,
        client.call("/uploadCertificate", upload("REGISTRATION")).await,
        client.call("/uploadOtherDomainCertificate", upload("PARTNER")).await,
        client
            .call("/generateSymmetricKey", json!({ "applicationId": "REGISTRATION", "referenceId": "C" }))
            .await,
        client.call("/generateCSR", json!({ "applicationId": "REGISTRATION" })).await,
        client.get("/v1/keymanager/getCertificate?applicationId=REGISTRATION").await,
        client.get("/v1/keymanager/getCertificate?applicationId=REGISTRATION&referenceId=10001_110012").await,
        client.get("/v1/keymanager/getCertificateChain?applicationId=REGISTRATION").await,
        client.get("/v1/keymanager/getAllCertificates?applicationId=REGISTRATION").await,
    ];
    for answer in calls {
        answer.envelope_error(503, "KER-KMS-500");
        answer.assert_hides(&b64(CONTENT));
        answer.assert_hides("BEGIN ");
        assert!(answer.headers.contains_key("retry-after"));
    }
    let policy = json!({ "effect": "allow", "principals": ["x"], "operations": ["client.read"] });
    let put =
        administrator.request(Method::PUT, "/v1/access/policies/unrecorded").header("if-none-match", "*");
    for answer in [
        Answer::read(put.json(&policy).send().await.unwrap()).await,
        octets(&client, "/v1/packets/decrypt", unb64(&packet)).await,
        octets(&client, "/v1/packets/encrypt", CONTENT.to_vec()).await,
        octets(&client, "/v1/packets/encrypt", large.clone()).await,
        administrator.post("/v1/clients", &json!({ "clientId": "unrecorded", "roles": ["signer"] })).await,
    ] {
        assert!(answer.problem(503, "service.unavailable").contains("nothing was done"), "{answer:?}");
        answer.assert_hides("Asha");
        answer.assert_hides("clientSecret");
    }
    let form =
        [("grant_type", "client_credentials"), ("client_id", "administrator"), ("client_secret", secret)];
    let answer = nobody.request(Method::POST, "/oauth2/token").form(&form).send().await.unwrap();
    let answer = Answer::read(answer).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    answer.assert_hides("access_token");
    // What is wrong with a request is still said.
    client.call("/decrypt", request(&json!("YQ"))).await.envelope_error(200, "KER-CRY-003");

    // With room again it goes on by itself.
    trail.room.store(u64::MAX, Ordering::SeqCst);
    administrator.get("/v1/clients/unrecorded").await.problem(404, "client.not_found");
    administrator.get("/v1/access/policies/unrecorded").await.problem(404, "access.policy_not_found");
    let opened = client.call("/decrypt", request(&packet)).await;
    assert_eq!(unb64(&opened.response()["data"]), CONTENT);
    assert_eq!(octets(&client, "/v1/packets/encrypt", large).await.status, 200);
    changes_leave_a_trace(&trail, &administrator).await;
}

/// One that begins to be recorded and whose end cannot be.
async fn changes_leave_a_trace(trail: &Trail, administrator: &Http) {
    let body = json!({ "clientId": "changed", "roles": ["encryptor"] });
    assert_eq!(administrator.post("/v1/clients", &body).await.status, 201);
    let auditor = administrator.new_client(&["auditor"]).await;
    trail.room.store(1, Ordering::SeqCst);
    let change = administrator.request(Method::PUT, "/v1/clients/changed/roles").header("if-match", "*");
    let answer = change.json(&json!({ "roles": ["decryptor"] })).send().await.unwrap();
    let answer = Answer::read(answer).await;
    trail.room.store(u64::MAX, Ordering::SeqCst);
    assert!(answer.problem(503, "service.unavailable").contains("is not known"), "{answer:?}");
    assert_eq!(administrator.get("/v1/clients/changed").await.body["roles"], json!(["decryptor"]));
    let page = auditor.get("/v1/audit/events?operation=change.begin&order=newest&until=2999&limit=1").await;
    let event = &page.body["events"][0];
    let details = json!({ "roles": ["decryptor"], "of": "client.change_roles" });
    assert_eq!(
        (&event["client"], &event["principal"], &event["details"]),
        (&json!("changed"), &json!("administrator"), &details)
    );
    assert_eq!(event["requestId"], answer.headers["x-request-id"].to_str().unwrap());
}
