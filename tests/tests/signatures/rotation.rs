//! Keys that are renewed: the newest signs, and those before it still verify and are published.

use kunji_tests::http::{Http, unb64};
use serde_json::{Value, json};

use crate::clocked::Clocked;

const REFERENCES: [&str; 4] = ["", "EC_SECP256K1_SIGN", "EC_SECP256R1_SIGN", "ED25519_SIGN"];

async fn sign(client: &Http, reference: &str) -> (String, String) {
    let request = json!({ "dataToSign": "YQ", "applicationId": "ID_REPO", "referenceId": reference,
        "includePayload": true });
    let answer = client.call("/jwtSign", request).await;
    let token = answer.response()["jwtSignedData"].as_str().unwrap().to_owned();
    let header: Value = serde_json::from_slice(&unb64(&token.split('.').next().unwrap().into())).unwrap();
    (token, header["kid"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_keys_overlap() {
    let server = Clocked::start(1_767_607_872_000, &[]).await;
    let client = server.client().await;
    let mut before = Vec::new();
    for reference in REFERENCES {
        if !reference.is_empty() {
            let request = json!({ "applicationId": "ID_REPO", "referenceId": reference });
            client.call("/generateECSignKey/CERTIFICATE", request).await.response();
        }
        before.push(sign(&client, reference).await);
    }
    // Keys last 1095 days; those on curves are renewed 30 days before, the application's own 60.
    server.clock.advance_days(1070);
    let client = server.client().await;
    let mut after = Vec::new();
    for (reference, (token, kid)) in REFERENCES.into_iter().zip(&before) {
        let (_, renewed) = sign(&client, reference).await;
        assert_ne!(renewed, *kid, "{reference}");
        after.push(renewed);
        let request =
            json!({ "jwtSignatureData": token, "applicationId": "ID_REPO", "referenceId": reference });
        assert_eq!(
            client.call("/jwtVerify", request).await.response()["signatureValid"],
            true,
            "{reference}"
        );
    }
    let set = server.nobody.get("/v1/jwks/ID_REPO").await;
    let published: Vec<_> =
        set.body["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    let expected: Vec<_> =
        after.iter().zip(&before).flat_map(|(new, (_, old))| [new.as_str(), old.as_str()]).collect();
    assert_eq!(published, expected);
}
