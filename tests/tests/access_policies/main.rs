//! Access policies over HTTP: what each shipped role may do, how policies are changed, and how they are obeyed.
#![cfg(test)]

mod approvals;
mod changes;
mod keys;
mod limits;
mod matrix;
mod servers;

use kunji_tests::{
    http::{Answer, Http},
    site::Shared,
};
use reqwest::Method;
use serde_json::Value;

/// A caller of the shared server who may change policies.
pub(crate) async fn administrator(shared: &Shared) -> Http {
    shared.server.http().sign_in("administrator", &shared.server.secret).await
}

/// Stores a policy that was not there, or in place of any that was.
pub(crate) async fn put(administrator: &Http, name: &str, policy: &Value) -> Answer {
    let path = format!("/v1/access/policies/{name}");
    let there = administrator.get(&path).await.status == 200;
    let (header, value) = if there { ("if-match", "*") } else { ("if-none-match", "*") };
    let request = administrator.request(Method::PUT, &path).header(header, value).json(policy);
    let answer = Answer::read(request.send().await.unwrap()).await;
    assert!(answer.status.is_success(), "{answer:?}");
    answer
}

/// Removes a policy.
pub(crate) async fn remove(administrator: &Http, name: &str) {
    let request = administrator.request(Method::DELETE, &format!("/v1/access/policies/{name}"));
    let answer = Answer::read(request.header("if-match", "*").send().await.unwrap()).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// The name of the client that a token is of.
pub(crate) fn name_of(client: &Http) -> String {
    let claims = client.token().unwrap().split('.').nth(1).unwrap().to_owned();
    let claims = kunji_tests::http::unb64(&Value::String(claims));
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["preferred_username"].as_str().unwrap().to_owned()
}
