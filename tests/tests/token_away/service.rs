//! A server whose token fails as told, and what its callers ask of it.

use std::{
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use kunji_tests::{
    fault_module::FaultModule,
    http::{Answer, Http, b64, unb64},
    peer,
    site::{Server, Site},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

pub(crate) const APPLICATION: &str = "REGISTRATION";
pub(crate) const RECORD: &[u8] = b"Asha Devi, iris left and right";
/// When a test gives up waiting.
const PATIENCE: Duration = Duration::from_secs(30);

/// What needs the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// `jwtSign`.
    Sign,
    /// Opening a packet whose private key is not in memory.
    Open,
    /// The certificate of a new reference.
    NewKey,
    /// An access token.
    NewToken,
}

impl Need {
    pub(crate) const ALL: [Self; 4] = [Self::Sign, Self::Open, Self::NewToken, Self::NewKey];
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Right,
    /// 503 with `Retry-After`, in the form of the route.
    Refused,
    Wrong(String),
}

/// A packet, and for which reference it is.
pub(crate) struct Packet {
    pub(crate) reference: String,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Service {
    pub(crate) server: Server,
    pub(crate) module: FaultModule,
    pub(crate) site: Site,
    /// With every role but that of an administrator.
    pub(crate) client: Http,
    pub(crate) id: String,
    pub(crate) secret: String,
    /// Its private key is in memory.
    pub(crate) at_hand: Packet,
    /// For keys that were reported as made and have not been used.
    unused: Mutex<Vec<Packet>>,
    references: AtomicU32,
}

impl Service {
    /// A server with some settings by their environment variables; its token answers within a second, or never.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let module = FaultModule::new();
        let mut site = Site::new()
            .with("KUNJI_PKCS11_MODULE", module.path().to_str().unwrap())
            .with("KUNJI_PKCS11_DEADLINE_SECONDS", "1")
            .with("KUNJI_LOG_FILTER", "info");
        for (name, value) in settings {
            site = site.with(name, *value);
        }
        Self::with(site, module).await
    }

    /// The server of a place.
    pub(crate) async fn with(site: Site, module: FaultModule) -> Self {
        let server = site.start();
        let administrator = server.http().sign_in("administrator", &server.secret).await;
        let id = "service".to_owned();
        let roles = ["encryptor", "decryptor", "signer", "key-administrator"];
        let made = administrator.post("/v1/clients", &json!({ "clientId": id, "roles": roles })).await;
        let secret = made.body["clientSecret"].as_str().unwrap().to_owned();
        let client = server.http().sign_in(&id, &secret).await;
        let reference = "10001_110011".to_owned();
        let bytes = peer::seal_self_contained(&client.certificate(APPLICATION, &reference).await, RECORD);
        let at_hand = Packet { reference, bytes };
        let (unused, references) = (Mutex::default(), AtomicU32::new(0));
        let service = Self { server, module, site, client, id, secret, at_hand, unused, references };
        assert_eq!(service.open(&service.at_hand).await, Outcome::Right);
        service.prepare().await;
        service
    }

    /// Asks for it.
    pub(crate) async fn ask(&self, need: Need) -> Outcome {
        match need {
            Need::Sign => self.sign().await,
            Need::Open => self.open_unused().await,
            Need::NewKey => self.new_key().await,
            Need::NewToken => self.new_token().await,
        }
    }

    pub(crate) async fn signed(&self) -> Answer {
        let request = json!({
            "dataToSign": b64(RECORD), "applicationId": "ID_REPO", "referenceId": "", "includePayload": true,
            "includeCertificate": false, "includeCertHash": false,
        });
        self.client.call("/jwtSign", request).await
    }

    async fn sign(&self) -> Outcome {
        judge(&self.signed().await, async |response| {
            self.verifies(response["jwtSignedData"].as_str().unwrap()).await
        })
        .await
    }

    /// Whether the server finds the signature right, by the certificates that it has.
    pub(crate) async fn verifies(&self, signed: &str) -> bool {
        let request = json!({ "jwtSignatureData": signed, "applicationId": "ID_REPO", "referenceId": "" });
        self.client.call("/jwtVerify", request).await.response()["signatureValid"] == true
    }

    pub(crate) async fn open(&self, packet: &Packet) -> Outcome {
        let request = json!({
            "applicationId": APPLICATION, "referenceId": packet.reference, "data": b64(&packet.bytes),
            "timeStamp": "2026-01-05T10:11:12.123Z",
        });
        let answer = self.client.call("/decrypt", request).await;
        judge(&answer, async |response| unb64(&response["data"]) == RECORD).await
    }

    async fn open_unused(&self) -> Outcome {
        let packet = self.take_unused();
        let outcome = self.open(&packet).await;
        if outcome != Outcome::Right {
            self.unused().push(packet);
        }
        outcome
    }

    /// Takes a packet for a key that has been made and not been used.
    pub(crate) fn take_unused(&self) -> Packet {
        self.unused().pop().unwrap()
    }

    pub(crate) async fn certificate(&self, reference: &str) -> Answer {
        let path =
            format!("/v1/keymanager/getCertificate?applicationId={APPLICATION}&referenceId={reference}");
        self.client.get(&path).await
    }

    async fn new_key(&self) -> Outcome {
        let reference = format!("20002_{:06}", self.references.fetch_add(1, Ordering::Relaxed));
        let answer = self.certificate(&reference).await;
        judge(&answer, async |response| {
            let certificate = response["certificate"].as_str().unwrap();
            let bytes = peer::seal_self_contained(certificate, RECORD);
            self.unused().push(Packet { reference, bytes });
            true
        })
        .await
    }

    pub(crate) async fn token_asked(&self) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.id.as_str()),
            ("client_secret", self.secret.as_str()),
        ];
        let request = self.server.http().request(Method::POST, "/oauth2/token").form(&form);
        Answer::read(request.send().await.unwrap()).await
    }

    async fn new_token(&self) -> Outcome {
        let answer = self.token_asked().await;
        if answer.status != StatusCode::OK {
            let named = answer.body["error"] == "temporarily_unavailable";
            return if is_unavailable(&answer) && named { Outcome::Refused } else { wrong(&answer) };
        }
        let client = self.server.http().bearing(answer.body["access_token"].as_str().unwrap());
        client.certificate(APPLICATION, "").await;
        Outcome::Right
    }

    /// How many keys that were reported as made do not open what was sealed for them. None of them counts as unused
    /// then.
    pub(crate) async fn lost(&self) -> usize {
        let packets = mem::take(&mut *self.unused());
        let mut lost = 0;
        for packet in packets {
            lost += usize::from(self.open(&packet).await != Outcome::Right);
        }
        lost
    }

    /// The state of token and database, if the server can say it.
    pub(crate) async fn readiness(&self) -> (StatusCode, Value) {
        let answer = self.server.http().get("/readyz").await;
        (answer.status, answer.body)
    }

    /// How long it takes until the token is reported as away.
    pub(crate) async fn away(&self) -> Duration {
        let begun = Instant::now();
        while self.readiness().await.0 != StatusCode::SERVICE_UNAVAILABLE {
            assert!(begun.elapsed() < PATIENCE, "the token is not away");
        }
        begun.elapsed()
    }

    /// How long it takes until all that needs the token has worked; of a key, whose making takes as long as it takes,
    /// until it was asked for.
    pub(crate) async fn back(&self) -> Duration {
        let begun = Instant::now();
        let (mut left, mut back) = (Need::ALL.to_vec(), Duration::ZERO);
        while self.readiness().await.0 != StatusCode::OK || !left.is_empty() {
            back = begun.elapsed();
            let mut still = Vec::new();
            for need in left {
                let asked = begun.elapsed();
                if self.ask(need).await != Outcome::Right {
                    still.push(need);
                }
                back = back.max(if need == Need::NewKey { asked } else { begun.elapsed() });
            }
            left = still;
            assert!(begun.elapsed() < PATIENCE, "{left:?} not back: {}", self.site.log());
        }
        back
    }

    /// Sees to it that there are keys that have not been used: one to ask for while a fault stands, one for afterwards.
    pub(crate) async fn prepare(&self) {
        while self.unused().len() < 2 {
            assert_eq!(self.ask(Need::NewKey).await, Outcome::Right);
        }
    }

    fn unused(&self) -> MutexGuard<'_, Vec<Packet>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an envelope says, where `is_right` looks at its response.
async fn judge(answer: &Answer, is_right: impl AsyncFnOnce(&Value) -> bool) -> Outcome {
    let errors = answer.body["errors"].as_array();
    if is_unavailable(answer)
        && answer.body["response"].is_null()
        && errors.is_some_and(|them| them.len() == 1)
    {
        return Outcome::Refused;
    }
    let response = &answer.body["response"];
    if answer.status == StatusCode::OK && response.is_object() && is_right(response).await {
        Outcome::Right
    } else {
        wrong(answer)
    }
}

/// Whether it says that the caller should try again, and when.
fn is_unavailable(answer: &Answer) -> bool {
    let seconds =
        answer.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
    answer.status == StatusCode::SERVICE_UNAVAILABLE && seconds.is_some()
}

fn wrong(answer: &Answer) -> Outcome {
    Outcome::Wrong(format!("{} {}", answer.status, answer.text))
}
