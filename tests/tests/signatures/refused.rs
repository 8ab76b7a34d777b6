//! What is not signed, and with which code.

use kunji_tests::{http::b64, site::shared};
use serde_json::{Value, json};

use crate::signer;

#[tokio::test]
async fn what_cannot_be_signed_has_its_code() {
    let shared = shared();
    let client = signer(&shared).await;
    let sign = |change: Value| {
        let mut request =
            json!({ "dataToSign": b64("a.b"), "applicationId": "ID_REPO", "includePayload": false });
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        request
    };
    for (path, change, code) in [
        ("/jwsSign", json!({ "validateJson": true }), "KER-JWS-103"),
        ("/jwsSign", json!({ "signAlgorithm": "HS256" }), "KER-SIG-113"),
        ("/jwsSign", json!({ "signAlgorithm": "ES256" }), "KER-SIG-113"),
        ("/jwsSign", json!({ "signAlgorithm": "none" }), "KER-SIG-113"),
        ("/jwsSign", json!({ "includePayload": true }), "KER-JWS-102"),
        ("/jwsSign", json!({ "referenceId": "10001" }), "KER-KMS-020"),
        ("/jwsSign", json!({ "applicationId": "ROOT" }), "KER-KMS-020"),
        ("/jwsSign", json!({ "applicationId": "NEVER_HEARD_OF" }), "KER-JWS-108"),
        ("/jwsSign/v2", json!({ "additionalHeaders": { "alg": "none" } }), "KER-KMS-005"),
        ("/jwsSign/v2", json!({ "additionalHeaders": { "b64": "true" } }), "KER-KMS-005"),
        ("/jwtSign/v2", json!({ "additionalHeaders": { "crit": "absent" } }), "KER-KMS-005"),
        ("/jwtSign/v2", json!({ "additionalHeaders": { "x": "y".repeat(5000) } }), "KER-KMS-005"),
    ] {
        let answer = client.call(path, sign(change.clone())).await;
        assert_eq!(answer.error_code(), code, "{path} {change}");
    }
    let answer =
        client.call("/jwsSign", sign(json!({ "validateJson": true, "dataToSign": b64("[1]") }))).await;
    assert!(answer.response()["jwtSignedData"].is_string());
}
