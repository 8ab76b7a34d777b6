//! The signatures of OpenG2P's and MOSIP's services, one call after the other: in both forms of base64, and wrong ones.

use kunji_tests::{
    http::{Http, b64},
    site::shared,
};
use openssl::base64::encode_block;
use serde_json::{Value, json};

use crate::signer;

/// Has `+`, `/` and padding in base64, which its URL-safe form writes otherwise.
const PAYLOAD: &[u8] = "{\"a\":\"\u{f7ff}\u{fbff}??>>\"}".as_bytes();

async fn signed(client: &Http, request: Value) -> String {
    client.call("/jwtSign", request).await.response()["jwtSignedData"].as_str().unwrap().to_owned()
}

async fn is_valid(client: &Http, request: Value) -> bool {
    let answer = client.call("/jwtVerify", request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["errors"], json!(null), "{answer:?}");
    answer.response()["signatureValid"].as_bool().unwrap()
}

/// The services sign detached with an application alone; who gets it puts the payload back, or sends it beside, or both.
#[tokio::test]
async fn services_of_openg2p_sign_detached_and_verify() {
    let shared = shared();
    let client = signer(&shared).await;
    for data in [b64(PAYLOAD), encode_block(PAYLOAD)] {
        let request = json!({ "dataToSign": data, "applicationId": "OPENG2P", "referenceId": "",
            "includePayload": false, "includeCertificate": true, "includeCertHash": true });
        let token = signed(&client, request).await;
        let (header, rest) = token.split_once('.').unwrap();
        let signature = rest.strip_prefix('.').expect("it is detached");
        let whole = format!("{header}.{}.{signature}", b64(PAYLOAD));
        let verify = |token: &str, actual: Value| {
            json!({ "jwtSignatureData": token, "actualData": actual, "applicationId": "OPENG2P",
                "referenceId": "", "certificateData": "", "validateTrust": false, "domain": "AUTH" })
        };
        for (token, actual, expected) in [
            (&whole, json!(null), true),
            (&whole, json!(b64(PAYLOAD)), true),
            (&token, json!(b64(PAYLOAD)), true),
            (&token, json!(encode_block(PAYLOAD)), true),
            (&token, json!(b64("{}")), false),
            (&whole, json!(b64("{}")), false),
            (&token, json!(null), false),
        ] {
            assert_eq!(is_valid(&client, verify(token, actual.clone())).await, expected, "{actual}");
        }
    }
}

/// Callers of MOSIP name no application (data shares), or `KERNEL` and `SIGN` (pre-registration, in standard base64),
/// and the processor verifies what devices signed with the token's own middle beside it.
#[tokio::test]
async fn services_of_mosip_sign_with_the_kernel_and_verify_devices() {
    let shared = shared();
    let client = signer(&shared).await;
    let unnamed = json!({ "dataToSign": b64(PAYLOAD), "includePayload": false, "includeCertificate": true,
        "includeCertHash": true, "certificateUrl": "" });
    let named = json!({ "dataToSign": encode_block(PAYLOAD), "applicationId": "KERNEL", "referenceId": "SIGN",
        "includePayload": true, "includeCertificate": true, "includeCertHash": false });
    let (detached, whole) = (signed(&client, unnamed).await, signed(&client, named).await);
    let verify = |token: &str, actual: Value| json!({ "jwtSignatureData": token, "actualData": actual });
    assert!(is_valid(&client, verify(&detached, json!(b64(PAYLOAD)))).await);
    assert!(is_valid(&client, verify(&whole, json!(null))).await);
    let middle = whole.split('.').nth(1).unwrap();
    let request = json!({ "jwtSignatureData": whole, "actualData": middle, "applicationId": "REGISTRATION",
        "referenceId": "SIGN", "validateTrust": true, "domain": "Device" });
    let answer = client.call("/jwtVerify", request).await;
    assert_eq!(answer.response()["signatureValid"], true);
    assert_eq!(answer.response()["trustValid"], "TRUST_CERT_PATH_NOT_VALID");
}
