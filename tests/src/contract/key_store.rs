//! The promises of [`kunji_server::ports::key_store`].

use std::{collections::HashSet, sync::Arc};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use futures_util::future::join_all;
use kunji_server::{
    domain::{
        doctor::{ObjectForm, TokenObject},
        jose::SignatureAlgorithm,
        key::{CheckValue, KnownKey, TokenKeyId},
        key_type::{Curve, KeyType},
        signature::Verifier,
    },
    ports::key_store::{KeyStore, KeyStoreError, Presence},
};
use kunji_shared::ModulusLength;
use zeroize::Zeroizing;

/// Makes one test of every promise, or of those named; `$store` is an expression that gives whatever must outlive the
/// store, and the store in an `Arc`.
#[macro_export]
macro_rules! key_store_contract {
    ($store:expr) => {
        $crate::key_store_contract!($store; signatures_verify, curves_sign_or_are_refused, ids_name_one_key, absent_keys_are_not_found,
            keys_have_one_use, destroyed_keys_are_gone, wrapping_round_trips, wrapped_secrets_cannot_be_altered, many_callers_are_served,
            objects_are_listed, keys_show_themselves, healthy_when_well);
    };
    ($store:expr; $($promise:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let (_outlives, store) = $store;
                $crate::contract::key_store::$promise(store).await;
            }
        )+
    };
}

/// What RSA pairs sign with.
pub const RSA_ALGORITHMS: [SignatureAlgorithm; 6] = [
    SignatureAlgorithm::Rs256,
    SignatureAlgorithm::Rs384,
    SignatureAlgorithm::Rs512,
    SignatureAlgorithm::Ps256,
    SignatureAlgorithm::Ps384,
    SignatureAlgorithm::Ps512,
];

/// An id that no object has.
pub fn fresh_id() -> TokenKeyId {
    TokenKeyId(uuid::Uuid::new_v4().into_bytes())
}

/// SHA-256.
pub fn sha256(message: &[u8]) -> [u8; 32] {
    digest(&SHA256, message).as_ref().try_into().unwrap()
}

/// Checks RSASSA-PKCS1-v1_5 with SHA-256 by a library that has nothing to do with the token.
pub fn verify(spki: &[u8], message: &[u8], signature: &[u8]) {
    assert!(verifies(spki, message, signature));
}

/// Whether it passes that check.
pub fn verifies(spki: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki).verify(message, signature).is_ok()
}

/// Wraps something and unwraps it again.
pub async fn check_wrapping(store: &impl KeyStore, kek: TokenKeyId) {
    let wrapped = store.wrap(kek, b"context", secret(b"a secret")).await.unwrap();
    assert_eq!(store.unwrap(kek, b"context", &wrapped).await.unwrap().as_slice(), b"a secret");
}

/// A pair of each size is made, found and signs.
pub async fn signatures_verify(store: Arc<impl KeyStore>) {
    for modulus in ModulusLength::ALL {
        let id = fresh_id();
        let spki = store.generate_signing_pair(id, "a signing pair", modulus).await.unwrap();
        assert_eq!(store.find_signing_pair(id).await.unwrap(), Some(spki.clone()));
        for message in [b"one".as_slice(), b"two"] {
            let signature = store.sign_digest(id, sha256(message)).await.unwrap();
            assert_eq!(signature.len(), modulus.bytes());
            verify(&spki, message, &signature);
            for algorithm in RSA_ALGORITHMS {
                let signature = store.sign(id, algorithm, &algorithm.input(message)).await.unwrap();
                let verifier = Verifier::new(algorithm, &spki).unwrap();
                assert!(verifier.verifies(message, &signature), "{algorithm:?}");
            }
        }
    }
}

/// A pair on a curve is made, found and signs, where the token takes the curve; where it does not, it says so, and has
/// nothing under the id.
pub async fn curves_sign_or_are_refused(store: Arc<impl KeyStore>) {
    for curve in Curve::ALL {
        let id = fresh_id();
        match store.generate_curve_pair(id, "a pair on a curve", curve).await {
            Ok(spki) => {
                assert_eq!(store.find_signing_pair(id).await.unwrap(), Some(spki.clone()));
                assert_eq!(KeyType::of_public_key(&spki), Some(KeyType::Curve(curve)));
                let algorithm = curve.algorithm();
                let signature = store.sign(id, algorithm, &algorithm.input(b"one")).await.unwrap();
                assert!(Verifier::new(algorithm, &spki).unwrap().verifies(b"one", &signature));
                assert!(store.was_made_as(id, "a pair on a curve").await.unwrap());
            }
            Err(KeyStoreError::Unsupported(_)) => {
                assert_eq!(store.find_signing_pair(id).await.unwrap(), None);
            }
            Err(error) => panic!("{curve:?}: {error}"),
        }
    }
}

/// An id that has been used is refused, whatever it was used for.
pub async fn ids_name_one_key(store: Arc<impl KeyStore>) {
    let (pair, kek) = (fresh_id(), fresh_id());
    store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
    store.generate_kek(kek, "kek").await.unwrap();
    for id in [pair, kek] {
        let again = store.generate_signing_pair(id, "again", ModulusLength::Rsa2048).await;
        assert!(matches!(again, Err(KeyStoreError::AlreadyExists)));
        assert!(matches!(store.generate_kek(id, "again").await, Err(KeyStoreError::AlreadyExists)));
    }
    assert!(store.find_signing_pair(pair).await.unwrap().is_some());
    assert!(store.has_kek(kek).await.unwrap());
    assert!(store.was_made_as(pair, "pair").await.unwrap());
    assert!(store.was_made_as(kek, "kek").await.unwrap());
    assert!(!store.was_made_as(pair, "kek").await.unwrap());
    assert!(!store.was_made_as(fresh_id(), "kek").await.unwrap());

    let raced = fresh_id();
    let made = join_all((0..8).map(|_| store.generate_kek(raced, "raced"))).await;
    assert_eq!(made.iter().filter(|one| one.is_ok()).count(), 1);
    assert!(store.has_kek(raced).await.unwrap());
}

/// What is not there is not found.
pub async fn absent_keys_are_not_found(store: Arc<impl KeyStore>) {
    let id = fresh_id();
    assert_eq!(store.find_signing_pair(id).await.unwrap(), None);
    assert!(!store.has_kek(id).await.unwrap());
    assert!(matches!(store.sign_digest(id, [7; 32]).await, Err(KeyStoreError::NotFound)));
    assert!(matches!(store.wrap(id, b"", secret(b"s")).await, Err(KeyStoreError::NotFound)));
    assert!(matches!(store.unwrap(id, b"", &[1; 60]).await, Err(KeyStoreError::NotFound)));
}

/// What is destroyed is gone, can be destroyed again, and only under a name that it was made with.
pub async fn destroyed_keys_are_gone(store: Arc<impl KeyStore>) {
    let (pair, kek) = (fresh_id(), fresh_id());
    let labels = |label: &str| [label.to_owned(), "another".to_owned()];
    store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
    store.generate_kek(kek, "kek").await.unwrap();
    check_wrapping(&*store, kek).await;
    assert!(matches!(store.destroy(kek, &labels("pair")).await, Err(KeyStoreError::Ambiguous)));
    check_wrapping(&*store, kek).await;
    for _ in 0..2 {
        store.destroy(pair, &labels("pair")).await.unwrap();
        store.destroy(kek, &labels("kek")).await.unwrap();
    }
    assert_eq!(store.find_signing_pair(pair).await.unwrap(), None);
    assert!(!store.has_kek(kek).await.unwrap());
    assert!(matches!(store.sign_digest(pair, [7; 32]).await, Err(KeyStoreError::NotFound)));
    assert!(matches!(store.wrap(kek, b"", secret(b"s")).await, Err(KeyStoreError::NotFound)));
    store.check_health().await.unwrap();
}

/// A KEK does not sign, a signing pair does not wrap.
pub async fn keys_have_one_use(store: Arc<impl KeyStore>) {
    let (pair, kek) = (fresh_id(), fresh_id());
    store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
    store.generate_kek(kek, "kek").await.unwrap();
    assert!(matches!(store.sign_digest(kek, [7; 32]).await, Err(KeyStoreError::NotFound)));
    assert!(matches!(store.wrap(pair, b"", secret(b"s")).await, Err(KeyStoreError::NotFound)));
    assert_eq!(store.find_signing_pair(kek).await.unwrap(), None);
    assert!(!store.has_kek(pair).await.unwrap());
}

/// What is wrapped is unwrapped, and never looks the same twice.
pub async fn wrapping_round_trips(store: Arc<impl KeyStore>) {
    let kek = fresh_id();
    store.generate_kek(kek, "kek").await.unwrap();
    assert!(store.has_kek(kek).await.unwrap());
    let mut seen = HashSet::new();
    for length in [1, 15, 16, 17, 32, 1_217, 2_400, 16_384] {
        let plain: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        for context in [b"".as_slice(), b"one", &[9; 300]] {
            let wrapped = store.wrap(kek, context, secret(&plain)).await.unwrap();
            assert!(length < 16 || !wrapped.windows(16).any(|part| plain.starts_with(part)));
            assert_eq!(store.unwrap(kek, context, &wrapped).await.unwrap().as_slice(), plain);
            assert!(seen.insert(wrapped));
        }
    }
    let too_long = store.wrap(kek, b"", secret(&vec![0; 16_385])).await;
    assert!(matches!(too_long, Err(KeyStoreError::Unsupported(_))));
}

/// Another context, another KEK, and any change of the wrapped bytes are noticed, always with the same answer, and
/// disturb nothing.
pub async fn wrapped_secrets_cannot_be_altered(store: Arc<impl KeyStore>) {
    let (kek, other) = (fresh_id(), fresh_id());
    store.generate_kek(kek, "kek").await.unwrap();
    store.generate_kek(other, "other").await.unwrap();
    let context = b"record 7".as_slice();
    let wrapped = store.wrap(kek, context, secret(b"thirty-two bytes that are secret")).await.unwrap();
    let refused = async |kek, context: &[u8], wrapped: &[u8]| {
        let answer = store.unwrap(kek, context, wrapped).await;
        assert!(matches!(answer, Err(KeyStoreError::Unauthentic)), "{} bytes: {answer:?}", wrapped.len());
    };

    for context in [b"".as_slice(), b"record 8", b"record ", b"record 77", b"\x01\x01record 7"] {
        refused(kek, context, &wrapped).await;
    }
    refused(other, context, &wrapped).await;
    for position in 0..wrapped.len() {
        for change in [0x01, 0x03, 0x80] {
            let mut altered = wrapped.clone();
            *altered.get_mut(position).unwrap() ^= change;
            refused(kek, context, &altered).await;
        }
    }
    for length in 0..wrapped.len() {
        refused(kek, context, wrapped.get(..length).unwrap()).await;
    }
    refused(kek, context, &[wrapped.as_slice(), &[0]].concat()).await;
    refused(kek, context, &vec![1; 1_000_000]).await;

    store.check_health().await.unwrap();
    check_wrapping(&*store, kek).await;
    assert_eq!(
        store.unwrap(kek, context, &wrapped).await.unwrap().as_slice(),
        b"thirty-two bytes that are secret"
    );
}

/// 64 callers at once each get their own answers.
pub async fn many_callers_are_served(store: Arc<impl KeyStore>) {
    let (pair, kek) = (fresh_id(), fresh_id());
    let spki = store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
    store.generate_kek(kek, "kek").await.unwrap();
    join_all((0..64_u8).map(async |caller| {
        let signature = store.sign_digest(pair, sha256(&[caller])).await.unwrap();
        verify(&spki, &[caller], &signature);
        let wrapped = store.wrap(kek, &[caller], secret(&[caller; 40])).await.unwrap();
        assert_eq!(store.unwrap(kek, &[caller], &wrapped).await.unwrap().as_slice(), [caller; 40]);
    }))
    .await;
}

/// All that was made is listed, whole, once, by id and under its label, also over several pages.
pub async fn objects_are_listed(store: Arc<impl KeyStore>) {
    let pair = fresh_id();
    store.generate_signing_pair(pair, "sign/LISTED//1", ModulusLength::Rsa2048).await.unwrap();
    let keks: Vec<_> = (0..170).map(|_| fresh_id()).collect();
    for kek in &keks {
        store.generate_kek(*kek, "kek/LISTED/1").await.unwrap();
    }
    let objects = store.list_objects().await.unwrap();
    assert!(objects.is_sorted_by_key(|object| object.id));
    for (ids, label) in [(&[pair][..], "sign/LISTED//1"), (&keks, "kek/LISTED/1")] {
        for id in ids {
            let found: Vec<_> = objects.iter().filter(|object| object.id == *id).collect();
            let expected = TokenObject { id: *id, label: label.to_owned(), form: ObjectForm::Whole };
            assert_eq!(found, [&expected]);
        }
    }
}

/// A key is present, absent, or another one.
pub async fn keys_show_themselves(store: Arc<impl KeyStore>) {
    let id = fresh_id();
    let public = store.generate_signing_pair(id, "pair", ModulusLength::Rsa2048).await.unwrap();
    let known = |id, public: &[u8]| KnownKey {
        id,
        label: "pair".to_owned(),
        check: CheckValue::PublicKey(public.to_vec()),
        is_anchor: false,
    };
    let asked = [known(id, &public), known(fresh_id(), &public), known(id, b"another")];
    let [view] = &store.show(&asked).await[..] else { panic!("one token has one view") };
    let [here, absent, another] = &view.keys.as_ref().unwrap()[..] else { panic!("{view:?}") };
    assert_eq!((here, another), (&Presence::Present, &Presence::Another));
    assert!(matches!(absent, Presence::Absent(_)));
}

/// A token in order is found in order.
pub async fn healthy_when_well(store: Arc<impl KeyStore>) {
    join_all((0..4).map(|_| store.check_health())).await.into_iter().for_each(Result::unwrap);
}

fn secret(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}
