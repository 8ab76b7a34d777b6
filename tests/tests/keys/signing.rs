//! What is decided about a key that signs, whatever it is for and wherever it is kept.

use cryptoki_sys::CKR_CURVE_NOT_SUPPORTED;
use kunji_tests::{
    fault_module::{Fault, FaultModule, Rule},
    http::{Answer, Http, unb64},
    site::Site,
};
use serde_json::{Value, json};

use crate::Callers;

const CURVES: [&str; 4] = ["EC_SECP256R1_SIGN", "EC_SECP384R1_SIGN", "EC_SECP256K1_SIGN", "ED25519_SIGN"];

/// A name that signs.
struct Name {
    application: &'static str,
    reference: &'static str,
}

impl Name {
    async fn newest(&self, keeper: &Http) -> Value {
        let Self { application, reference } = self;
        let path = format!("/v1/keys?application={application}&reference={reference}&limit=1");
        keeper.get(&path).await.body["keys"][0].clone()
    }

    async fn decide(&self, keeper: &Http, what: &str, body: &Value) {
        let key = self.newest(keeper).await;
        let answer = keeper.post(&format!("/v1/keys/{}/{what}", key["keyId"].as_str().unwrap()), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    async fn make(&self, keeper: &Http) -> Answer {
        keeper
            .post("/v1/keys", &json!({ "applicationId": self.application, "referenceId": self.reference }))
            .await
    }

    /// Why it does not sign by each kind of call, blank if it does.
    async fn refusals(&self, user: &Http) -> [String; 3] {
        let Self { application, reference } = self;
        let name = |member: &str| {
            let mut request = json!({ "applicationId": application, "referenceId": reference });
            request[member] = "YQ".into();
            request
        };
        let refusal =
            |answer: &Answer| answer.body["errors"][0]["errorCode"].as_str().unwrap_or_default().to_owned();
        let jws = user.call("/jwtSign", name("dataToSign")).await;
        let cose = user.call("/coseSign1", name("payload")).await;
        let native = user.post("/v1/signatures", &json!({ "items": [name("data")] })).await;
        let item = &native.body["items"][0];
        let failure = item["failure"]["code"].as_str().unwrap_or_default().to_owned();
        let refusals = [refusal(&jws), refusal(&cose), failure];
        for (made, refusal) in [
            (&jws.body["response"]["jwtSignedData"], &refusals[0]),
            (&cose.body["response"]["signedData"], &refusals[1]),
            (&item["signature"], &refusals[2]),
        ] {
            assert_eq!(made.is_string(), refusal.is_empty(), "{jws:?} {cose:?} {native:?}");
        }
        refusals
    }

    /// The key that signs.
    async fn kid(&self, user: &Http) -> Value {
        let request = json!({ "applicationId": self.application, "referenceId": self.reference,
            "dataToSign": "YQ", "includePayload": true });
        let signed = user.call("/jwtSign", request).await;
        let token = signed.response()["jwtSignedData"].as_str().unwrap().to_owned();
        let header: Value = serde_json::from_slice(&unb64(&token.split('.').next().unwrap().into())).unwrap();
        assert!(header["kid"].is_string(), "{header}");
        header["kid"].clone()
    }
}

#[tokio::test]
async fn no_key_signs_that_was_decided_against() {
    let module = FaultModule::new();
    let mut site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION,RESIDENT");
    for (name, value) in module.envs() {
        site = site.with(name, value.to_str().unwrap());
    }
    let server = site.start();
    let Callers { keeper, user, .. } = Callers::new(&server).await;
    let mut names = vec![Name { application: "KERNEL", reference: "SIGN" }];
    names.extend(CURVES.map(|reference| Name { application: "REGISTRATION", reference }));
    names.extend(CURVES.map(|reference| Name { application: "RESIDENT", reference }));
    // Those of one application are on the token, but for Ed25519, and those of the other in the records.
    for name in &names[1..] {
        if name.application == "RESIDENT" {
            module.set([Rule::always("C_GenerateKeyPair", Fault::Return(CKR_CURVE_NOT_SUPPORTED))]);
        }
        let made = name.make(&keeper).await;
        assert_eq!(made.status, 201, "{made:?}");
        let is_on_token = name.application == "REGISTRATION" && name.reference != "ED25519_SIGN";
        assert_eq!(made.body["storedIn"] == "token", is_on_token, "{made:?}");
    }
    module.clear();
    // What certifies others comes last.
    names.push(Name { application: "REGISTRATION", reference: "" });
    for name in names {
        what_is_decided_about_it_counts(&name, &keeper, &user).await;
    }
}

async fn what_is_decided_about_it_counts(name: &Name, keeper: &Http, user: &Http) {
    let about = format!("{}/{}", name.application, name.reference);
    let none = ["", "", ""].map(str::to_owned);
    let suspended = ["KER-KMS-003", "KER-KMS-003", "key.not_usable"];
    let closed = ["KER-KMS-003", "KER-KMS-003", "key.closed"];
    let first = name.newest(keeper).await;
    assert_eq!(name.refusals(user).await, none, "{about}");

    name.decide(keeper, "suspend", &json!({})).await;
    assert_eq!(name.refusals(user).await, suspended, "{about}");
    // Nor does anybody make its successor but by rotating it.
    name.make(keeper).await.problem(409, "key.not_usable");
    assert_eq!(name.newest(keeper).await["keyId"], first["keyId"], "{about}");
    name.decide(keeper, "resume", &json!({})).await;
    assert_eq!(name.refusals(user).await, none, "{about}");
    assert_eq!(name.newest(keeper).await["keyId"], first["keyId"], "{about}");

    for cause in ["superseded", "compromised"] {
        let before = name.kid(user).await;
        let body = json!({ "cause": cause, "disableAutoGeneration": true });
        name.decide(keeper, "revoke", &body).await;
        assert_eq!(name.refusals(user).await, closed, "{about}: {cause}");
        let made = name.make(keeper).await;
        assert_eq!(made.status, 201, "{about}: {made:?}");
        assert_eq!(name.refusals(user).await, none, "{about}: {cause}");
        let after = name.kid(user).await;
        assert_ne!(after, before, "{about}: {cause}");

        // Without that, its successor signs.
        name.decide(keeper, "revoke", &json!({ "cause": cause })).await;
        assert_eq!(name.refusals(user).await, none, "{about}: {cause}");
        assert_ne!(name.kid(user).await, after, "{about}: {cause}");
    }
}
