//! What a server is killed at, and how one sees what came of it.

use kunji_tests::http::{Answer, Http};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    elsewhere::{Elsewhere, Usage},
    world::{World, send},
};

/// An operation of several steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// The first key of an application.
    GenerateMaster,
    /// A base key, on first use.
    Generate,
    /// A successor of a base key.
    Rotate,
    /// A successor of an application's key, with its KEK.
    RotateMaster,
    /// A new ROOT, which the old one certifies.
    RotateRoot,
    /// A successor of a key on a curve.
    RotateCurve,
    Revoke,
    Suspend,
    Resume,
    /// A certificate that others issued.
    Upload,
    /// Every private key in the records by the newest KEK.
    Rewrap,
    /// A request for the destruction of a key that has a successor.
    Destroy,
}

impl Operation {
    pub(crate) const ALL: [Self; 12] = [
        Self::GenerateMaster,
        Self::Generate,
        Self::Rotate,
        Self::RotateMaster,
        Self::RotateRoot,
        Self::RotateCurve,
        Self::Revoke,
        Self::Suspend,
        Self::Resume,
        Self::Upload,
        Self::Rewrap,
        Self::Destroy,
    ];
}

/// The reference of a key on a curve.
const CURVE: &str = "EC_SECP256R1_SIGN";

/// One attempt at an operation.
pub(crate) struct Attempt {
    operation: Operation,
    application: String,
    reference: String,
    /// The key that it is about, the newest in most, and how many there were.
    key: String,
    before: usize,
    /// An access token of somebody else, who agrees to what needs two.
    second: Option<String>,
    /// The certificate that is uploaded.
    certificate: Option<String>,
}

/// A member of a JSON text.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Asks for a walk over all keys and looks until it has ended; `None` when the server died before.
async fn walk(world: &World) -> Option<Answer> {
    let mut answer = world.send(Method::POST, "/v1/rewrap", None).await?;
    while is_success(&answer) && answer.body["state"] == "running" {
        answer = world.send(Method::GET, "/v1/rewrap", None).await?;
    }
    Some(answer)
}

async fn decide(world: &World, key: &str, what: &str) {
    let (path, nothing) = (format!("/v1/keys/{key}/{what}"), json!({}));
    let answer = world.insist(|| world.send(Method::POST, &path, Some(&nothing))).await;
    assert!(is_success(&answer), "{answer:?}");
}

/// Whether it was done, by what the server says, and waits for nobody.
pub(crate) fn is_success(answer: &Answer) -> bool {
    answer.status.is_success() && answer.status != 202 && answer.body["errors"].is_null()
}

impl Attempt {
    /// Has everything there that the operation needs.
    pub(crate) async fn prepare(world: &mut World, operation: Operation, number: u64) -> Self {
        let (application, reference) = match operation {
            Operation::GenerateMaster => (format!("A{number}"), String::new()),
            Operation::Generate => ("REGISTRATION".to_owned(), format!("generated-{number}")),
            Operation::RotateMaster => ("REGISTRATION".to_owned(), String::new()),
            Operation::RotateRoot => ("ROOT".to_owned(), String::new()),
            Operation::RotateCurve => ("REGISTRATION".to_owned(), CURVE.to_owned()),
            _ => ("REGISTRATION".to_owned(), format!("{operation:?}")),
        };
        match operation {
            Operation::GenerateMaster => {
                let policy = json!({ "validityDays": 1095, "preExpireDays": 60 });
                let request = world.http.request(Method::PUT, &format!("/v1/policies/{application}"));
                let stored = request.header("if-none-match", "*").json(&policy).send().await.unwrap();
                assert_eq!(stored.status(), 201);
            }
            Operation::Rotate
            | Operation::Revoke
            | Operation::Suspend
            | Operation::Resume
            | Operation::Upload => world.seal(&reference).await,
            Operation::Rewrap => {
                for reference in [&reference, "another"] {
                    world.seal(reference).await;
                }
                let module = world.versions(&application, "").await;
                decide(world, &text(&module[0]["keyId"]), "rotate").await;
            }
            Operation::RotateCurve => {
                let request = json!({ "applicationId": application, "referenceId": reference });
                let path = "/generateECSignKey/CERTIFICATE";
                world.insist(|| world.call(path, request.clone())).await.response();
            }
            Operation::Destroy => {
                world.seal(&reference).await;
                let newest = world.versions(&application, &reference).await;
                decide(world, &text(&newest[0]["keyId"]), "rotate").await;
            }
            Operation::Generate | Operation::RotateMaster | Operation::RotateRoot => {}
        }
        let versions = world.versions(&application, &reference).await;
        let meant = usize::from(operation == Operation::Destroy);
        let key = versions.get(meant).map(|key| text(&key["keyId"])).unwrap_or_default();
        let second = if operation == Operation::Destroy {
            let secret = world.site.administrator_secret();
            let administrator = Http::new(world.http.base()).sign_in("administrator", &secret).await;
            administrator.token().map(str::to_owned)
        } else {
            None
        };
        if operation == Operation::Resume {
            decide(world, &key, "suspend").await;
        }
        let certificate = if operation == Operation::Upload {
            let request = json!({ "applicationId": application, "referenceId": reference });
            let csr = world.insist(|| world.call("/generateCSR", request.clone())).await;
            let csr = csr.response()["certSignRequest"].as_str().unwrap().to_owned();
            Some(Elsewhere::new().certify(&csr, 700, Usage::Seal))
        } else {
            None
        };
        Self { operation, application, reference, key, before: versions.len(), second, certificate }
    }

    /// Asks for it; `None` when the server died before it had answered.
    pub(crate) async fn perform(&self, world: &World) -> Option<Answer> {
        let (application, reference, key) = (&self.application, &self.reference, &self.key);
        let ids = json!({ "applicationId": application, "referenceId": reference });
        let decide = |what: &str, body: Value| {
            let path = format!("/v1/keys/{key}/{what}");
            async move { world.send(Method::POST, &path, Some(&body)).await }
        };
        match self.operation {
            Operation::GenerateMaster => world.call("/generateMasterKey/CERTIFICATE", ids).await,
            Operation::Generate => {
                let query = format!("applicationId={application}&referenceId={reference}");
                world.send(Method::GET, &format!("/v1/keymanager/getCertificate?{query}"), None).await
            }
            Operation::Rotate | Operation::RotateMaster | Operation::RotateRoot | Operation::RotateCurve => {
                decide("rotate", json!({})).await
            }
            Operation::Revoke => decide("revoke", json!({ "cause": "superseded" })).await,
            Operation::Suspend => decide("suspend", json!({})).await,
            Operation::Resume => decide("resume", json!({})).await,
            Operation::Upload => {
                let mut request = ids;
                request["certificateData"] = json!(self.certificate);
                world.call("/uploadCertificate", request).await
            }
            Operation::Rewrap => walk(world).await,
            Operation::Destroy => {
                let reason = || json!({ "reason": "retired" });
                let waits = decide("destroy", reason()).await?;
                if waits.status != 202 {
                    return Some(waits);
                }
                let agreed = self.agree(world, waits.headers["location"].to_str().unwrap()).await?;
                if is_success(&agreed) { decide("destroy", reason()).await } else { Some(agreed) }
            }
        }
    }

    /// Has somebody else agree; `None` when the server died before it had answered.
    async fn agree(&self, world: &World, approval: &str) -> Option<Answer> {
        let second = Http::new(world.http.base()).bearing(self.second.as_deref().unwrap());
        send(second.request(Method::POST, &format!("{approval}/approve")).json(&json!({}))).await
    }

    /// Whether it was done, by what there is. Half of it there never is.
    async fn is_done(&self, world: &World) -> bool {
        let versions = world.versions(&self.application, &self.reference).await;
        let state = |wanted: &str, other: &str| {
            assert_eq!(versions.len(), self.before, "{versions:?}");
            let state = versions[0]["state"].as_str().unwrap();
            assert!(state == wanted || state == other, "{state}");
            state == wanted
        };
        match self.operation {
            Operation::Revoke => state("deactivated", "active"),
            Operation::Suspend => state("suspended", "active"),
            Operation::Resume => state("active", "suspended"),
            Operation::Rewrap => {
                let walk = world.get("/v1/rewrap").await.body;
                assert_eq!(walk["failed"], 0, "{walk}");
                walk["state"] == "ended"
            }
            Operation::Destroy => {
                !world.get(&format!("/v1/keys/{}", self.key)).await.body["destruction"].is_null()
            }
            _ => {
                let made = versions.len() - self.before;
                assert!(made <= 1, "made {made} times");
                made == 1
            }
        }
    }

    /// After a crash: whatever was acknowledged is there, all of it or nothing is, the same request goes through, and
    /// what is done is done once.
    pub(crate) async fn check(&self, world: &mut World, acknowledged: bool) {
        let operation = self.operation;
        let done = self.is_done(world).await;
        assert!(done || !acknowledged, "{operation:?} was acknowledged");
        let again = world.insist(|| self.perform(world)).await;
        let refusal = match operation {
            Operation::Rotate | Operation::RotateMaster | Operation::RotateRoot | Operation::RotateCurve => {
                Some("key.forestalled")
            }
            Operation::Revoke | Operation::Suspend | Operation::Resume | Operation::Destroy => {
                Some("key.change_refused")
            }
            Operation::GenerateMaster | Operation::Generate | Operation::Upload | Operation::Rewrap => None,
        };
        // Of one that the busy database had not settled it may be heard as well.
        let is_refused = refusal.is_some() && again.body["code"].as_str() == refusal;
        assert!(is_refused || is_success(&again), "{operation:?}: {again:?}");
        assert!(is_refused || refusal.is_none() || !done, "{operation:?} was done twice");
        assert!(self.is_done(world).await);
        self.leave(world).await;
    }

    /// After it was done: what was suspended is resumed, and what there is now serves.
    pub(crate) async fn leave(&self, world: &mut World) {
        if self.operation == Operation::Suspend {
            decide(world, &self.key, "resume").await;
        }
        if self.operation == Operation::Destroy {
            decide(world, &self.key, "cancel-destruction").await;
        }
        match self.operation {
            Operation::GenerateMaster | Operation::RotateRoot | Operation::RotateCurve => {}
            Operation::Rewrap => {
                let walk = world.insist(|| walk(world)).await.body;
                assert_eq!((&walk["moved"], &walk["failed"]), (&json!(0), &json!(0)), "one was left: {walk}");
            }
            Operation::RotateMaster => world.seal(&format!("under-{}", self.before)).await,
            _ => world.seal(&self.reference).await,
        }
    }
}
