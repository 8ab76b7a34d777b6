//! Policies that limit how often.

use kunji_tests::{http::Answer, site::shared};
use reqwest::Method;
use serde_json::json;

use crate::{administrator, name_of, put, remove};

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_ask_again() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let (client, other) =
        (administrator.new_client(&["encryptor"]).await, administrator.new_client(&["encryptor"]).await);
    let limit = json!({
        "effect": "limit", "principals": [name_of(&client), name_of(&other)], "operations": ["certificate.read", "packet.*"],
        "keys": ["REGISTRATION/*"], "requests": 3, "seconds": 3600,
    });
    put(&administrator, "few", &limit).await;
    for _ in 0..3 {
        client.certificate("REGISTRATION", "10001_110011").await;
    }
    let path = "/v1/keymanager/getCertificate?applicationId=REGISTRATION&referenceId=10001_110011";
    let answer = client.get(path).await;
    answer.envelope_error(429, "KER-KMS-429");
    let seconds: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=1201).contains(&seconds), "{seconds}");
    let request = client
        .request(Method::POST, "/v1/packets/encrypt")
        .header("content-type", "application/octet-stream")
        .header("kunji-application", "REGISTRATION")
        .header("kunji-reference", "10001_110011")
        .body("content");
    let answer = Answer::read(request.send().await.unwrap()).await;
    answer.problem(429, "request.rate_exceeded");
    assert!(answer.headers.contains_key("retry-after"));

    // Others have their own allowance, and other keys are not limited.
    other.certificate("REGISTRATION", "10001_110011").await;
    client.certificate("RESIDENT", "10001_110011").await;
    remove(&administrator, "few").await;
    client.certificate("REGISTRATION", "10001_110011").await;
}
