//! Attributes of the objects we make and look for. Nowhere else are attributes chosen.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};
use serde::{Deserialize, Serialize};

use crate::domain::key::TokenKeyId;

/// F4, big-endian.
const PUBLIC_EXPONENT: [u8; 3] = [0x01, 0x00, 0x01];
/// AES-256, and the key of HMAC-SHA-256.
const SECRET_KEY_BYTES: u32 = 32;
/// Follows the id of a KEK in the id of its MAC key. Under the same id the one would take the other's place on
/// tokens that keep a single secret key of an id (NSS).
const MAC_ID_SUFFIX: &[u8] = b"-mac";

/// The kinds of objects with an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum KeyClass {
    /// Private half of a signing pair.
    Private,
    /// Public half of a signing pair.
    Public,
    /// AES-256 KEK.
    Kek,
    /// The HMAC-SHA-256 key beside a KEK, on tokens without AES-GCM.
    KekMac,
}

/// Where an object lives, and what it is called there.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// On the token, for ever.
    Token {
        /// `CKA_ID`, or what that of a [`KeyClass::KekMac`] begins with
        id: TokenKeyId,
        /// `CKA_LABEL`
        label: &'a str,
    },
    /// In the session, to try something out.
    Session,
}

/// Whether objects are made read-only. Not every token takes `CKA_MODIFIABLE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Change {
    /// `CKA_MODIFIABLE` is false.
    Forbidden,
    /// `CKA_MODIFIABLE` is left to the token.
    TokensDefault,
}

/// Public and private template of a signing pair: it signs and can do nothing else.
pub(super) fn signing_pair(
    place: Place<'_>,
    change: Change,
    modulus_bits: u32,
) -> (Vec<Attribute>, Vec<Attribute>) {
    let mut public = common(place, KeyClass::Public, change);
    public.extend([
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Encrypt(false),
        Attribute::Wrap(false),
        Attribute::ModulusBits(u64::from(modulus_bits).into()),
        Attribute::PublicExponent(PUBLIC_EXPONENT.to_vec()),
    ]);
    let mut private = locked_in(place, KeyClass::Private, change);
    private.extend([
        Attribute::Sign(true),
        Attribute::SignRecover(false),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
    ]);
    (public, private)
}

/// Public and private template of a pair on a curve (`CKA_EC_PARAMS`), for ECDSA.
pub(super) fn curve_pair(
    place: Place<'_>,
    change: Change,
    parameters: Vec<u8>,
) -> (Vec<Attribute>, Vec<Attribute>) {
    let mut public = common(place, KeyClass::Public, change);
    public.extend([Attribute::Private(false), Attribute::Verify(true), Attribute::EcParams(parameters)]);
    let mut private = locked_in(place, KeyClass::Private, change);
    private.push(Attribute::Sign(true));
    (public, private)
}

/// AES-256 that encrypts and decrypts.
pub(super) fn kek(place: Place<'_>, change: Change) -> Vec<Attribute> {
    secret_key(
        place,
        KeyClass::Kek,
        change,
        [Attribute::Encrypt(true), Attribute::Decrypt(true)],
        [Attribute::Sign(false), Attribute::Verify(false)],
    )
}

/// 256 bits that make and check message authentication codes.
pub(super) fn kek_mac(place: Place<'_>, change: Change) -> Vec<Attribute> {
    secret_key(
        place,
        KeyClass::KekMac,
        change,
        [Attribute::Sign(true), Attribute::Verify(true)],
        [Attribute::Encrypt(false), Attribute::Decrypt(false)],
    )
}

/// What finds the keys of one kind and id.
pub(super) fn search(id: TokenKeyId, class: KeyClass) -> Vec<Attribute> {
    let mut template = by_id(id, class);
    template.extend(of_class(class));
    template
}

/// What finds the keys of one kind.
pub(super) fn search_all(class: KeyClass) -> Vec<Attribute> {
    let mut template = vec![Attribute::Token(true)];
    template.extend(of_class(class));
    template
}

/// The id that an object of this class was made for, by its `CKA_ID`; `None` for one of another form than ours.
pub(super) fn named_by(id: &[u8], class: KeyClass) -> Option<[u8; 16]> {
    let id = if class == KeyClass::KekMac { id.strip_suffix(MAC_ID_SUFFIX)? } else { id };
    id.try_into().ok()
}

fn of_class(class: KeyClass) -> Vec<Attribute> {
    let (class, kind) = match class {
        KeyClass::Private => (ObjectClass::PRIVATE_KEY, None),
        KeyClass::Public => (ObjectClass::PUBLIC_KEY, None),
        KeyClass::Kek => (ObjectClass::SECRET_KEY, Some(KeyType::AES)),
        KeyClass::KekMac => (ObjectClass::SECRET_KEY, Some(KeyType::GENERIC_SECRET)),
    };
    let mut template = vec![Attribute::Class(class)];
    template.extend(kind.map(Attribute::KeyType));
    template
}

/// What, one after the other, find every object that was made for this id.
pub(super) fn searches_any(id: TokenKeyId) -> [Vec<Attribute>; 2] {
    [by_id(id, KeyClass::Kek), by_id(id, KeyClass::KekMac)]
}

/// The attributes that [`is_locked_in`] looks at.
pub(super) const LOCK: [AttributeType; 2] = [AttributeType::Sensitive, AttributeType::Extractable];

/// Whether the key can leave the token in no way, by its own attributes: a template is a wish.
pub(super) fn is_locked_in(attributes: &[Attribute]) -> bool {
    attributes.contains(&Attribute::Sensitive(true)) && attributes.contains(&Attribute::Extractable(false))
}

fn secret_key(
    place: Place<'_>,
    class: KeyClass,
    change: Change,
    can: [Attribute; 2],
    cannot: [Attribute; 2],
) -> Vec<Attribute> {
    let mut template = locked_in(place, class, change);
    template.push(Attribute::ValueLen(u64::from(SECRET_KEY_BYTES).into()));
    template.extend(can);
    template.extend(cannot);
    template.extend([Attribute::Wrap(false), Attribute::Unwrap(false)]);
    template
}

/// Sensitive and not extractable always go together.
fn locked_in(place: Place<'_>, class: KeyClass, change: Change) -> Vec<Attribute> {
    let mut template = common(place, class, change);
    template.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Derive(false),
    ]);
    template
}

fn common(place: Place<'_>, class: KeyClass, change: Change) -> Vec<Attribute> {
    let mut template = match place {
        Place::Token { id, label } => {
            let mut named = by_id(id, class);
            named.push(Attribute::Label(label.as_bytes().to_vec()));
            named
        }
        Place::Session => vec![Attribute::Token(false)],
    };
    if change == Change::Forbidden {
        template.push(Attribute::Modifiable(false));
    }
    template
}

/// On the token, under the id that objects of this class have.
fn by_id(id: TokenKeyId, class: KeyClass) -> Vec<Attribute> {
    let suffix = if class == KeyClass::KekMac { MAC_ID_SUFFIX } else { &[] };
    vec![Attribute::Token(true), Attribute::Id([&id.0, suffix].concat())]
}
