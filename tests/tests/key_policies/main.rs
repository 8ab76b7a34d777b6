//! Key policies over HTTP: how they are changed, who may, and how every server obeys them.
#![cfg(test)]

mod changes;
mod servers;
mod sizes;

use kunji_tests::http::{Answer, Http};
use reqwest::Method;
use serde_json::Value;

/// A change of the policy of an application, under these headers.
pub(crate) async fn send(
    client: &Http,
    method: Method,
    application: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Answer {
    let mut request = client.request(method, &format!("/v1/policies/{application}")).json(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.unwrap()).await
}
