//! What the PKCS#11 adapter keeps on any token, seen past it too.

use cryptoki::{
    mechanism::Mechanism,
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use kunji_server::{
    adapters::pkcs11::Pkcs11KeyStore,
    domain::key::TokenKeyId,
    ports::key_store::{KekStore as _, KeyStore as _, KeyStoreError, TokenSigner as _},
};
use kunji_shared::ModulusLength;
use zeroize::Zeroizing;

use super::key_store::{check_wrapping, fresh_id, sha256, verify};
use crate::raw_token::RawToken;

/// Makes one test of each; `$open` gives a token that has `raw(&store)`, and the store in an `Arc`.
#[macro_export]
macro_rules! pkcs11_contract {
    ($open:expr) => {
        $crate::pkcs11_contract!($open; private_keys_only_sign_and_never_leave, keks_only_encrypt_and_never_leave,
            half_a_pair_is_no_pair, a_key_deleted_by_others_is_not_found,
            every_operation_survives_a_logout_and_the_loss_of_all_sessions);
    };
    ($open:expr; $($promise:ident),+) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let (token, store) = $open;
                $crate::contract::pkcs11::$promise(&|| token.raw(&store), &store).await;
            }
        )+
    };
}

/// By their attributes, and tried out.
pub async fn private_keys_only_sign_and_never_leave(raw: &impl Fn() -> RawToken, store: &Pkcs11KeyStore) {
    let id = fresh_id();
    store.generate_signing_pair(id, "ROOT", ModulusLength::Rsa2048).await.unwrap();
    let session = raw().session;
    let private = only(&session, &id.0, ObjectClass::PRIVATE_KEY);
    check_attributes(
        &session,
        private,
        &[
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::AlwaysSensitive(true),
            Attribute::Extractable(false),
            Attribute::NeverExtractable(true),
            Attribute::Modifiable(false),
            Attribute::Sign(true),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
            Attribute::Label(b"ROOT".to_vec()),
        ],
    );
    let secrets = [AttributeType::PrivateExponent, AttributeType::Prime1, AttributeType::Prime2];
    assert_eq!(session.get_attributes(private, &secrets).unwrap(), []);
    session.decrypt_init(&Mechanism::RsaPkcs, private).unwrap_err();
    session.update_attributes(private, &[Attribute::Decrypt(true)]).unwrap_err();
}

/// The same of KEKs, and of their MAC keys where they have them.
pub async fn keks_only_encrypt_and_never_leave(raw: &impl Fn() -> RawToken, store: &Pkcs11KeyStore) {
    let id = fresh_id();
    store.generate_kek(id, "REGISTRATION KEK 1").await.unwrap();
    let session = raw().session;
    let kek = only(&session, &id.0, ObjectClass::SECRET_KEY);
    let macs = find(&session, &[&id.0, b"-mac".as_slice()].concat(), ObjectClass::SECRET_KEY);
    let keys = [(kek, KeyType::AES, true)];
    for (key, kind, encrypts) in
        keys.into_iter().chain(macs.into_iter().map(|mac| (mac, KeyType::GENERIC_SECRET, false)))
    {
        check_attributes(
            &session,
            key,
            &[
                Attribute::KeyType(kind),
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::AlwaysSensitive(true),
                Attribute::Extractable(false),
                Attribute::NeverExtractable(true),
                Attribute::Modifiable(false),
                Attribute::Encrypt(encrypts),
                Attribute::Decrypt(encrypts),
                Attribute::Sign(!encrypts),
                Attribute::Verify(!encrypts),
                Attribute::Wrap(false),
                Attribute::Unwrap(false),
                Attribute::Label(b"REGISTRATION KEK 1".to_vec()),
            ],
        );
        assert_eq!(session.get_attributes(key, &[AttributeType::Value]).unwrap(), []);
        session.wrap_key(&Mechanism::AesKeyWrap, key, key).unwrap_err();
    }
}

/// What a crash between its halves leaves, or somebody's tidying.
pub async fn half_a_pair_is_no_pair(raw: &impl Fn() -> RawToken, store: &Pkcs11KeyStore) {
    for lost in [ObjectClass::PUBLIC_KEY, ObjectClass::PRIVATE_KEY] {
        let id = fresh_id();
        store.generate_signing_pair(id, "pair", ModulusLength::Rsa2048).await.unwrap();
        destroy(&raw().session, id, lost);
        assert_eq!(store.find_signing_pair(id).await.unwrap(), None);
        let again = store.generate_signing_pair(id, "pair", ModulusLength::Rsa2048).await;
        assert!(matches!(again, Err(KeyStoreError::AlreadyExists)));
    }
}

/// Even when its handle was known, and other keys are as they were.
pub async fn a_key_deleted_by_others_is_not_found(raw: &impl Fn() -> RawToken, store: &Pkcs11KeyStore) {
    let (kept, deleted) = (fresh_id(), fresh_id());
    for id in [kept, deleted] {
        store.generate_kek(id, "kek").await.unwrap();
        check_wrapping(store, id).await;
    }
    destroy(&raw().session, deleted, ObjectClass::SECRET_KEY);
    let wrapped = store.wrap(deleted, b"", Zeroizing::new(vec![1])).await;
    assert!(matches!(wrapped, Err(KeyStoreError::NotFound)));
    check_wrapping(store, kept).await;
}

/// Each operation is the first one after the fault, with handles cached before it.
pub async fn every_operation_survives_a_logout_and_the_loss_of_all_sessions(
    raw: &impl Fn() -> RawToken,
    store: &Pkcs11KeyStore,
) {
    let (pair, kek) = (fresh_id(), fresh_id());
    let spki = store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
    store.generate_kek(kek, "kek").await.unwrap();
    let wrapped = store.wrap(kek, b"c", Zeroizing::new(b"secret".to_vec())).await.unwrap();
    let faults: [fn(RawToken); 2] = [|raw| raw.session.logout().unwrap(), RawToken::close_all_sessions];
    for fault in faults {
        check_wrapping(store, kek).await;
        verify(&spki, b"m", &store.sign_digest(pair, sha256(b"m")).await.unwrap());

        fault(raw());
        verify(&spki, b"m", &store.sign_digest(pair, sha256(b"m")).await.unwrap());
        fault(raw());
        assert_eq!(store.unwrap(kek, b"c", &wrapped).await.unwrap().as_slice(), b"secret");
        fault(raw());
        check_wrapping(store, kek).await;
        fault(raw());
        assert_eq!(store.find_signing_pair(pair).await.unwrap(), Some(spki.clone()));
        fault(raw());
        assert!(store.has_kek(kek).await.unwrap());
        fault(raw());
        assert!(!store.has_kek(fresh_id()).await.unwrap());
        fault(raw());
        let again = store.generate_kek(kek, "kek").await;
        assert!(matches!(again, Err(KeyStoreError::AlreadyExists)));
        fault(raw());
        let (pair, kek) = (fresh_id(), fresh_id());
        store.generate_kek(kek, "kek").await.unwrap();
        fault(raw());
        store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
        fault(raw());
        store.check_health().await.unwrap();
        assert!(store.find_signing_pair(pair).await.unwrap().is_some());
    }
}

/// The one object of this id and class.
pub fn only(session: &Session, id: &[u8], class: ObjectClass) -> ObjectHandle {
    let found = find(session, id, class);
    let [handle] = found.as_slice() else { panic!("{found:?}") };
    *handle
}

/// All objects of this id and class.
pub fn find(session: &Session, id: &[u8], class: ObjectClass) -> Vec<ObjectHandle> {
    session.find_objects(&[Attribute::Id(id.to_vec()), Attribute::Class(class)]).unwrap()
}

fn destroy(session: &Session, id: TokenKeyId, class: ObjectClass) {
    session.destroy_object(only(session, &id.0, class)).unwrap();
}

/// A pair on the token that the adapter has not made.
pub fn make_pair(session: &Session, id: TokenKeyId) {
    let place = [Attribute::Token(true), Attribute::Id(id.0.to_vec())];
    let size = [Attribute::ModulusBits(2048.into()), Attribute::PublicExponent(vec![1, 0, 1])];
    let public = [place.as_slice(), &size].concat();
    let private = [place.as_slice(), &[Attribute::Sign(true)]].concat();
    session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private).unwrap();
}

/// An AES-256 key on the token that the adapter has not made.
pub fn make_kek(session: &Session, id: TokenKeyId) {
    let template = [Attribute::Token(true), Attribute::Id(id.0.to_vec()), Attribute::ValueLen(32.into())];
    session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
}

fn check_attributes(session: &Session, object: ObjectHandle, expected: &[Attribute]) {
    let kinds: Vec<_> = expected.iter().map(Attribute::attribute_type).collect();
    assert_eq!(session.get_attributes(object, &kinds).unwrap(), expected);
}
