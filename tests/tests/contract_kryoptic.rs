//! The PKCS#11 adapter on kryoptic: the contract of its port, what it keeps on any token, and a server on it.
//!
//! Not part of the gate: `.scripts/kryoptic` builds the library and runs this.
#![cfg(test)]

use std::sync::{Arc, LazyLock, Mutex};

use kunji_server::{
    adapters::pkcs11::{OpenError, PinSource, Pkcs11KeyStore, Pkcs11Settings},
    ports::key_store::{KekStore as _, KeyStore as _, TokenSigner as _},
};
use kunji_shared::ModulusLength;
use kunji_tests::{
    contract::{
        key_store::{fresh_id, sha256, verify},
        server::does_its_job,
        traits::check_documented,
    },
    kryoptic::create_all,
    softhsm::isolated,
    token::{PIN, Token},
};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// One for each test here; made before any test uses the library.
static TOKENS: LazyLock<Mutex<Vec<Token>>> = LazyLock::new(|| Mutex::new(create_all(32)));

fn token() -> Token {
    let token = TOKENS.lock().unwrap().pop();
    token.expect("more tests than tokens: make more in TOKENS")
}

async fn open() -> (Token, Arc<Pkcs11KeyStore>) {
    let token = token();
    let store = token.open().await.unwrap();
    (token, Arc::new(store))
}

async fn open_isolated() -> (Token, Arc<Pkcs11KeyStore>) {
    let token = token();
    let store =
        Pkcs11KeyStore::open(Pkcs11Settings { isolation: isolated(), ..token.settings() }).await.unwrap();
    (token, Arc::new(store))
}

mod port {
    kunji_tests::key_store_contract!(super::open().await);
}

/// The library in a process of its own, initialised by what it is told through the socket. Without RSA-4096: the token
/// answers nobody while it makes a key, and a process that does not answer is replaced.
mod in_a_child {
    kunji_tests::key_store_contract!(super::open_isolated().await; ids_name_one_key, wrapping_round_trips);
}

mod adapter {
    kunji_tests::pkcs11_contract!(super::open().await);
}

#[tokio::test]
async fn the_page_says_how_it_differs() {
    let token = token();
    check_documented("kryoptic", PIN, || token.settings()).await;
}

#[tokio::test]
async fn stores_on_one_token_share_its_keys() {
    let (token, one) = open().await;
    let other = token.open().await.unwrap();
    let (pair, kek) = (fresh_id(), fresh_id());
    let spki = one.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
    assert_eq!(other.find_signing_pair(pair).await.unwrap(), Some(spki.clone()));
    verify(&spki, b"m", &other.sign_digest(pair, sha256(b"m")).await.unwrap());
    other.generate_kek(kek, "kek").await.unwrap();
    let wrapped = one.wrap(kek, b"c", Zeroizing::new(b"secret".to_vec())).await.unwrap();
    drop(one);
    assert_eq!(other.unwrap(kek, b"c", &wrapped).await.unwrap().as_slice(), b"secret");
}

#[tokio::test]
async fn a_wrong_pin_is_refused() {
    let token = token();
    let wrong =
        Pkcs11Settings { pin: PinSource::fixed(SecretString::from("wrong-pin-9999")), ..token.settings() };
    let refused = Pkcs11KeyStore::open(wrong).await.unwrap_err();
    assert!(matches!(refused, OpenError::PinRefused(_)), "{refused:?}");
    token.open().await.unwrap().check_health().await.unwrap();
}

#[tokio::test]
async fn a_server_does_its_job_on_it() {
    does_its_job(&token().site()).await;
}
