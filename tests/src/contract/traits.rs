//! How tokens differ where the standard lets them: what `docs/tokens.md` says of each.

use std::{fs, path::Path};

use cryptoki::{
    error::Error,
    mechanism::{Mechanism, aead::GcmParams},
    object::{Attribute, ObjectClass, ObjectHandle},
    session::{Session, UserType},
};
use kunji_server::{
    adapters::pkcs11::{Pkcs11KeyStore, Pkcs11Settings, WrappingRoute},
    ports::key_store::{KekStore as _, TokenSigner as _},
};
use kunji_shared::ModulusLength;
use secrecy::SecretString;

use super::{
    key_store::fresh_id,
    pkcs11::{find, make_kek, make_pair, only},
};
use crate::raw_token::RawToken;

const WRONG_PINS: usize = 12;
const SESSIONS: usize = 2_000;

/// Checks that the page has the row of this token, by trying the token out. Needs one with nothing on it, and may
/// leave it locked.
pub async fn check_documented(name: &str, pin: &str, settings: impl Fn() -> Pkcs11Settings) {
    let row = format!("| {name} | {} |", observe(pin, settings).await.join(" | "));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tokens.md");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.lines().any(|line| line == row), "docs/tokens.md lacks this row:\n{row}");
}

/// The cells of the row, in the order of the table's columns.
async fn observe(pin: &str, settings: impl Fn() -> Pkcs11Settings) -> Vec<String> {
    let takes_gcm = Pkcs11KeyStore::open(with_gcm(settings())).await.is_ok();
    let store = Pkcs11KeyStore::open(settings()).await.unwrap();
    let Pkcs11Settings { module, token_label, .. } = settings();
    let (raw, pin) = (RawToken::open(&module, &token_label), SecretString::from(pin));
    let (pair, kek) = (fresh_id(), fresh_id());
    store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
    store.generate_kek(kek, "kek").await.unwrap();
    let session = &raw.session;
    let pair = only(session, &pair.0, ObjectClass::PRIVATE_KEY);
    let kek = only(session, &kek.0, ObjectClass::SECRET_KEY);
    vec![
        if takes_gcm { "AES-GCM" } else { "AES-CBC and HMAC" }.to_owned(),
        renaming(session, pair),
        of_one_id(session),
        answer_to_damage(session, kek, takes_gcm),
        after_a_logout(session, &pin, pair, kek),
        sessions_at_once(&raw),
        wrong_pins(&raw, &pin),
    ]
}

fn with_gcm(settings: Pkcs11Settings) -> Pkcs11Settings {
    Pkcs11Settings { wrapping: Some(WrappingRoute::AesGcm), ..settings }
}

/// Whether a key made with `CKA_MODIFIABLE` false can be changed.
fn renaming(session: &Session, key: ObjectHandle) -> String {
    answer(session.update_attributes(key, &[Attribute::Label(b"other".to_vec())]))
}

/// What is there after a second object has been made with the id of the first.
fn of_one_id(session: &Session) -> String {
    let id = fresh_id();
    for _ in 0..2 {
        make_pair(session, id);
        make_kek(session, id);
    }
    let count = |class| find(session, &id.0, class).len();
    match (count(ObjectClass::PRIVATE_KEY), count(ObjectClass::SECRET_KEY)) {
        (2, 2) => "both".to_owned(),
        (1, 1) => "the second".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What a ciphertext with one byte changed is answered with.
fn answer_to_damage(session: &Session, kek: ObjectHandle, takes_gcm: bool) -> String {
    let plain = b"plaintext";
    if takes_gcm {
        let (mut nonce, mut other) = ([1; 12], [1; 12]);
        let gcm = |nonce| Mechanism::AesGcm(GcmParams::new(nonce, b"", 128.into()).unwrap());
        let mut sealed = session.encrypt(&gcm(&mut nonce), kek, plain).unwrap();
        *sealed.last_mut().unwrap() ^= 1;
        return answer(session.decrypt(&gcm(&mut other), kek, &sealed));
    }
    // Changes the length of the padding to one that cannot be.
    let sealed = session.encrypt(&Mechanism::AesCbcPad([0; 16]), kek, plain).unwrap();
    let mut vector = [0; 16];
    vector[15] = 0xff;
    answer(session.decrypt(&Mechanism::AesCbcPad(vector), kek, &sealed))
}

/// What keys answer by their old handles, and whether these are good again after a login.
fn after_a_logout(session: &Session, pin: &SecretString, pair: ObjectHandle, kek: ObjectHandle) -> String {
    let sign = || answer(session.sign(&Mechanism::RsaPkcs, pair, &[7; 51]));
    let encrypt = || answer(session.encrypt(&Mechanism::AesCbcPad([0; 16]), kek, b"plain"));
    session.logout().unwrap();
    let (signed, encrypted) = (sign(), encrypt());
    session.login(UserType::User, Some(pin)).unwrap();
    let (pair, kek) = (sign() == DONE, encrypt() == DONE);
    let then = if pair && kek { "good again" } else { "not found" };
    format!("{signed}, {encrypted}; {then}")
}

fn sessions_at_once(raw: &RawToken) -> String {
    let opened: Vec<_> = (0..SESSIONS).map_while(|_| raw.library.open_rw_session(raw.slot).ok()).collect();
    if opened.len() == SESSIONS { format!("{SESSIONS} and more") } else { format!("about {}", opened.len()) }
}

/// Whether the right PIN is still taken after some wrong ones.
fn wrong_pins(raw: &RawToken, pin: &SecretString) -> String {
    raw.session.logout().unwrap();
    let login = |pin| raw.session.login(UserType::User, Some(pin));
    let wrong = SecretString::from("wrong-pin-9999");
    let asked = (0..WRONG_PINS).take_while(|_| login(&wrong).is_err()).count();
    assert_eq!(asked, WRONG_PINS, "a wrong PIN was taken");
    match login(pin) {
        Ok(()) => format!("{WRONG_PINS} and more"),
        error => format!("fewer than {WRONG_PINS}: {}", answer(error)),
    }
}

const DONE: &str = "done";

fn answer<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => DONE.to_owned(),
        Err(Error::Pkcs11(value, _)) => format!("{value:?}"),
        Err(other) => other.to_string(),
    }
}
