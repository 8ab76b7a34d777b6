//! The PKCS#11 adapter on SoftHSM: the contract of its port and what it keeps on any token by both ways of wrapping,
//! and what only PKCS#11 knows.
#![cfg(test)]
#![expect(
    clippy::await_holding_invalid_type,
    reason = "a test is one task, and meddles with the token by a session of its own while the store works"
)]

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};

use cryptoki::{object::ObjectClass, session::UserType};
use futures_util::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use kunji_server::{
    adapters::pkcs11::{OpenError, PinSource, Pkcs11KeyStore, Pkcs11Settings, WrappingRoute},
    ports::key_store::{KekStore as _, KeyStore as _, KeyStoreError, TokenSigner as _},
};
use kunji_shared::ModulusLength;
use kunji_tests::{
    contract::{
        key_store::{fresh_id, sha256, verify},
        pkcs11::{find, make_kek, make_pair, only},
        traits::check_documented,
    },
    softhsm::{PIN, Token},
};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// One for each test here; made before any test loads the library.
static TOKENS: LazyLock<Mutex<Vec<Token>>> = LazyLock::new(|| Mutex::new(Token::create_all("contract", 56)));

fn token() -> Token {
    let token = TOKENS.lock().unwrap().pop();
    token.expect("more tests than tokens: make more in TOKENS")
}

async fn open(settings: impl FnOnce(&mut Pkcs11Settings)) -> (Token, Arc<Pkcs11KeyStore>) {
    let token = token();
    let mut chosen = token.settings();
    settings(&mut chosen);
    let store = Pkcs11KeyStore::open(chosen).await.unwrap();
    (token, Arc::new(store))
}

mod by_aes_gcm {
    kunji_tests::key_store_contract!(super::open(|_| ()).await);
    kunji_tests::pkcs11_contract!(super::open(|_| ()).await);
}

mod by_aes_cbc_and_hmac {
    use super::{WrappingRoute, open};

    kunji_tests::key_store_contract!(open(|settings| settings.wrapping = Some(WrappingRoute::AesCbcHmac)).await;
        ids_name_one_key, wrapping_round_trips, wrapped_secrets_cannot_be_altered, many_callers_are_served);
    kunji_tests::pkcs11_contract!(open(|settings| settings.wrapping = Some(WrappingRoute::AesCbcHmac)).await;
        keks_only_encrypt_and_never_leave, every_operation_survives_a_logout_and_the_loss_of_all_sessions);
}

#[tokio::test]
async fn the_page_says_how_it_differs() {
    let token = token();
    check_documented("SoftHSM", PIN, || token.settings()).await;
}

/// The library in a process of its own.
mod in_a_child {
    kunji_tests::key_store_contract!(
        super::open(|settings| settings.isolation = kunji_tests::softhsm::isolated()).await
    );
}

#[tokio::test]
async fn secrets_open_by_the_route_that_sealed_them() {
    let (token, cbc) = open(|settings| settings.wrapping = Some(WrappingRoute::AesCbcHmac)).await;
    let gcm = token.open().await.unwrap();
    let (with_mac, without_mac) = (fresh_id(), fresh_id());
    cbc.generate_kek(with_mac, "kek").await.unwrap();
    gcm.generate_kek(without_mac, "kek").await.unwrap();
    let secret = || Zeroizing::new(b"secret".to_vec());

    let by_cbc = cbc.wrap(with_mac, b"c", secret()).await.unwrap();
    let by_gcm = gcm.wrap(with_mac, b"c", secret()).await.unwrap();
    assert_eq!(gcm.unwrap(with_mac, b"c", &by_cbc).await.unwrap().as_slice(), b"secret");
    assert_eq!(cbc.unwrap(with_mac, b"c", &by_gcm).await.unwrap().as_slice(), b"secret");

    assert!(gcm.has_kek(without_mac).await.unwrap());
    assert!(!cbc.has_kek(without_mac).await.unwrap());
    assert!(matches!(cbc.unwrap(without_mac, b"c", &by_cbc).await, Err(KeyStoreError::Unauthentic)));
    assert!(matches!(cbc.wrap(without_mac, b"c", secret()).await, Err(KeyStoreError::NotFound)));
}

#[tokio::test]
async fn several_objects_with_one_id_are_not_used() {
    let (token, store) = open(|_| ()).await;
    let (pair, kek) = (fresh_id(), fresh_id());
    let session = token.raw(&store).session;
    for _ in 0..2 {
        make_pair(&session, pair);
        make_kek(&session, kek);
    }
    assert!(matches!(store.find_signing_pair(pair).await, Err(KeyStoreError::Ambiguous)));
    assert!(matches!(store.sign_digest(pair, [7; 32]).await, Err(KeyStoreError::Ambiguous)));
    assert!(matches!(store.has_kek(kek).await, Err(KeyStoreError::Ambiguous)));
    let wrapped = store.wrap(kek, b"", Zeroizing::new(vec![1])).await;
    assert!(matches!(wrapped, Err(KeyStoreError::Ambiguous)));
    assert!(matches!(store.unwrap(kek, b"", &[1; 60]).await, Err(KeyStoreError::Ambiguous)));
    store.check_health().await.unwrap();
}

#[tokio::test]
async fn halves_of_different_pairs_are_no_pair() {
    let (token, store) = open(|_| ()).await;
    let session = token.raw(&store).session;
    let id = fresh_id();
    store.generate_signing_pair(id, "pair", ModulusLength::Rsa2048).await.unwrap();
    session.destroy_object(only(&session, &id.0, ObjectClass::PUBLIC_KEY)).unwrap();
    make_pair(&session, id);
    let newer = find(&session, &id.0, ObjectClass::PRIVATE_KEY);
    let foreign = newer.into_iter().max_by_key(|handle| format!("{handle}").parse::<u64>().unwrap()).unwrap();
    session.destroy_object(foreign).unwrap();
    assert!(matches!(store.find_signing_pair(id).await, Err(KeyStoreError::Ambiguous)));
}

#[tokio::test]
async fn stores_on_one_token_share_its_keys() {
    let (token, one) = open(|_| ()).await;
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
async fn stores_on_different_tokens_do_not_share_keys() {
    let ((_a, one), (_b, other)) = (open(|_| ()).await, open(|_| ()).await);
    let id = fresh_id();
    one.generate_kek(id, "kek").await.unwrap();
    assert!(one.has_kek(id).await.unwrap());
    assert!(!other.has_kek(id).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_do_not_notice_a_logout_among_them() {
    let (token, store) = open(|settings| settings.workers = 4).await;
    let pair = fresh_id();
    let spki = store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
    let raw = token.raw(&store);
    let mut callers: FuturesUnordered<_> = (0..64_u8)
        .map(|caller| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { (caller, store.sign_digest(pair, sha256(&[caller])).await) })
        })
        .collect();
    let mut served = 0;
    while let Some(answer) = callers.next().await {
        let (caller, signature) = answer.unwrap();
        verify(&spki, &[caller], &signature.unwrap());
        served += 1;
        if served == 16 {
            raw.session.logout().unwrap();
        }
    }
    assert_eq!(served, 64);
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let (_token, store) = open(|settings| (settings.workers, settings.queue) = (1, 1)).await;
    let pair = fresh_id();
    store.generate_signing_pair(pair, "pair", ModulusLength::Rsa4096).await.unwrap();
    let answers = join_all((0..64).map(|_| store.sign_digest(pair, [7; 32]))).await;
    let served = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = answers.iter().filter(|answer| matches!(answer, Err(KeyStoreError::Busy))).count();
    assert_eq!(served + refused, 64);
    assert!(served >= 1 && refused >= 1, "{served} served, {refused} refused");
    store.sign_digest(pair, [7; 32]).await.unwrap();
}

#[tokio::test]
async fn callers_wait_no_longer_than_the_deadline() {
    let (token, patient) = open(|_| ()).await;
    let pair = fresh_id();
    patient.generate_signing_pair(pair, "slow", ModulusLength::Rsa4096).await.unwrap();
    let hasty = Pkcs11Settings { deadline: Duration::ZERO, ..token.settings() };
    let store = Pkcs11KeyStore::open(hasty).await.unwrap();
    let begun = Instant::now();
    let answer = store.sign_digest(pair, [7; 32]).await;
    assert!(matches!(answer, Err(KeyStoreError::Unavailable(_))), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_wrong_pin_is_tried_once() {
    let token = token();
    let wrong =
        Pkcs11Settings { pin: PinSource::fixed(SecretString::from("wrong-pin-9999")), ..token.settings() };
    let refused = Pkcs11KeyStore::open(wrong).await.unwrap_err();
    assert!(matches!(refused, OpenError::PinRefused(_)), "{refused:?}");
    assert!(!format!("{refused} {refused:?}").contains("wrong-pin"));
    let store = token.open().await.unwrap();
    let raw = token.raw(&store);
    assert!(!raw.library.get_token_info(raw.slot).unwrap().user_pin_locked());
    store.check_health().await.unwrap();
}

#[tokio::test]
async fn a_pin_refused_once_is_not_tried_again() {
    let (token, store) = open(|_| ()).await;
    let (other, pair) = (SecretString::from("another-pin-5555"), fresh_id());
    store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
    let raw = token.raw(&store).session;
    raw.set_pin(&SecretString::from(PIN), &other).unwrap();
    raw.logout().unwrap();
    let refused = async || {
        let answer = store.sign_digest(pair, [7; 32]).await;
        assert!(matches!(answer, Err(KeyStoreError::Unavailable(_))), "{answer:?}");
        assert!(!format!("{answer:?}").contains(PIN));
        store.check_health().await.unwrap_err();
    };
    refused().await;

    // Were the PIN tried again, it would be accepted now.
    raw.login(UserType::User, Some(&other)).unwrap();
    raw.set_pin(&other, &SecretString::from(PIN)).unwrap();
    raw.logout().unwrap();
    refused().await;
}

#[tokio::test]
async fn a_changed_pin_is_taken_without_a_restart() {
    let (old, new) = (SecretString::from(PIN), SecretString::from("another-pin-5555"));
    let file = Arc::new(Mutex::new(old.clone()));
    let source = Arc::clone(&file);
    let (token, store) =
        open(move |settings| settings.pin = PinSource::new(move || Ok(source.lock().unwrap().clone()))).await;
    let pair = fresh_id();
    store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
    let raw = token.raw(&store).session;
    raw.set_pin(&old, &new).unwrap();
    raw.logout().unwrap();
    store.sign_digest(pair, [7; 32]).await.unwrap_err();

    *file.lock().unwrap() = new;
    let begun = Instant::now();
    while store.sign_digest(pair, [7; 32]).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the new PIN was not tried");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_cannot_be_opened_is_named() {
    let token = token();
    let unknown = Pkcs11Settings { token_label: "no such token".to_owned(), ..token.settings() };
    let error = Pkcs11KeyStore::open(unknown).await.unwrap_err();
    assert!(matches!(&error, OpenError::TokenNotUnique { matching: 0, present: 1.., .. }), "{error:?}");
    let missing = Pkcs11Settings { module: "/no/such/library.so".into(), ..token.settings() };
    let error = Pkcs11KeyStore::open(missing).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/library.so"), "{error}");
    let no_pkcs11 = Pkcs11Settings { module: "libm.so.6".into(), ..token.settings() };
    assert!(matches!(Pkcs11KeyStore::open(no_pkcs11).await, Err(OpenError::Library { .. })));
}

#[tokio::test]
async fn debug_shows_no_pin() {
    let (token, store) = open(|_| ()).await;
    assert!(!format!("{:?}", token.settings()).contains(PIN));
    let shown = format!("{store:?}");
    assert!(shown.contains(&token.label) && !shown.contains(PIN), "{shown}");
}
