//! Keys and what is decided about them, over HTTP: states, revocation, rotation, and who hears of it.
#![cfg(test)]

mod ends;
mod four_eyes;
mod mosip;
mod native;
mod rivals;
mod servers;
mod signing;
mod states;
mod untrusted;
mod watched;
mod world;

use std::sync::{Mutex, OnceLock};

use kunji_tests::{
    http::{Answer, Http, b64},
    peer,
    site::Server,
    softhsm::Token,
};
use reqwest::Method;
use serde_json::{Value, json};

/// A token that no other test has. A process sees the tokens alone that there were when it loaded the library, so all are
/// made at once.
pub(crate) fn token() -> Token {
    static TOKENS: OnceLock<Mutex<Vec<Token>>> = OnceLock::new();
    let tokens = TOKENS.get_or_init(|| Mutex::new(Token::create_all("keys", 16)));
    tokens.lock().unwrap().pop().unwrap()
}

/// Three callers: one who administers keys, one who seals, and one who opens.
pub(crate) struct Callers {
    pub(crate) administrator: Http,
    pub(crate) keeper: Http,
    pub(crate) user: Http,
}

impl Callers {
    pub(crate) async fn new(server: &Server) -> Self {
        Self::of(&server.http(), &server.secret).await
    }

    pub(crate) async fn of(server: &Http, secret: &str) -> Self {
        let administrator = server.sign_in("administrator", secret).await;
        Self {
            keeper: administrator.new_client(&["key-administrator"]).await,
            user: administrator.new_client(&["encryptor", "decryptor", "signer"]).await,
            administrator,
        }
    }
}

/// The newest key of `REGISTRATION` and a reference, as the list has it.
pub(crate) async fn newest(keeper: &Http, reference: &str) -> Value {
    let listed =
        keeper.get(&format!("/v1/keys?application=REGISTRATION&reference={reference}&limit=1")).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.body["keys"][0].clone()
}

pub(crate) async fn newest_id(keeper: &Http, reference: &str) -> String {
    newest(keeper, reference).await["keyId"].as_str().unwrap().to_owned()
}

/// A packet for the current key of `REGISTRATION` and a reference.
pub(crate) async fn packet(user: &Http, reference: &str) -> Vec<u8> {
    peer::seal_self_contained(&user.certificate("REGISTRATION", reference).await, b"content")
}

pub(crate) async fn open(user: &Http, reference: &str, packet: &[u8]) -> Answer {
    let request = json!({
        "applicationId": "REGISTRATION", "referenceId": reference, "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": b64(packet),
    });
    user.call("/decrypt", request).await
}

pub(crate) async fn certificate(user: &Http, reference: &str) -> Answer {
    let query = format!("applicationId=REGISTRATION&referenceId={reference}");
    user.get(&format!("/v1/keymanager/getCertificate?{query}")).await
}

/// `PUT /revokeKey`
pub(crate) async fn revoke(keeper: &Http, request: Value) -> Answer {
    let body = json!({
        "id": "x", "version": "1", "requesttime": "2026-01-05T10:11:12.123Z", "request": request,
    });
    let request = keeper.request(Method::PUT, "/v1/keymanager/revokeKey").json(&body);
    Answer::read(request.send().await.unwrap()).await
}
