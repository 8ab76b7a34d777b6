//! Records of keys and of the KEKs that wrap them.

use kunji_shared::Thumbprint;

use super::{
    alias::{ApplicationId, KeyAlias},
    key_type::KeyType,
    policy::Cryptoperiod,
    time::Timestamp,
};

/// Names one version of one key for ever; a UUID in its canonical text form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(pub String);

impl KeyId {
    /// Reads an id that a caller sent; `None` for what is no UUID in its canonical text form.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 36
            && text.bytes().enumerate().all(|(place, byte)| match place {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            });
        fits.then(|| Self(text.to_owned()))
    }

    /// Whether it is the name of a KEK (see [`kek_id`]), which has no certificate.
    pub fn names_kek(&self) -> bool {
        self.0.starts_with(KEK_PREFIX)
    }
}

/// `CKA_ID` of an object on the token: 16 random bytes, because tokens do not keep ids unique themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenKeyId(pub [u8; 16]);

impl TokenKeyId {
    /// 32 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        kunji_shared::encoding::encode_hex(&self.0)
    }

    /// Reads what [`TokenKeyId::to_hex`] wrote; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        kunji_shared::encoding::decode_hex(text, 16).ok()?.try_into().ok().map(Self)
    }
}

/// A key on the token, and what it is known by on any token that has it: a vendor's clone keeps the id, and so does
/// another key that somebody gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// Its `CKA_ID`.
    pub id: TokenKeyId,
    /// What it was made for, for people: the label it has on the token.
    pub label: String,
    /// What shows that it is this key.
    pub check: CheckValue,
    /// Whether a token without it is none of ours at all.
    pub is_anchor: bool,
}

/// What only one key gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckValue {
    /// The SubjectPublicKeyInfo (DER) of a signing pair; the private part shows itself by a signature.
    PublicKey(Vec<u8>),
    /// A secret that the KEK has wrapped with this context: no other key unwraps it. The usual three bytes of a key
    /// check value would not tell a key from one that was made to match.
    Wrapped {
        /// See [`crate::ports::key_store::KekStore::wrap`].
        context: Vec<u8>,
        /// What it made.
        blob: Vec<u8>,
    },
}

/// Where the private part of a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMaterial {
    /// On the token, under this `CKA_ID`.
    Token(TokenKeyId),
    /// In this record: PKCS#8 under version `kek_version` of the application's KEK.
    Wrapped {
        /// Version of the KEK of the key's application.
        kek_version: u32,
        /// The first version that wrapped it: backups may hold what this one and those after it made.
        first_kek: u32,
        /// What the token made of the PKCS#8; see [`crate::ports::key_store::KekStore::wrap`].
        blob: Vec<u8>,
    },
    /// Nowhere here: the key is another domain's.
    Elsewhere,
    /// Nowhere any more: it was destroyed.
    Removed {
        /// The versions of the KEK that wrapped it, the first and the last, which open it in backups; `None` for one
        /// that was on the token.
        keks: Option<(u32, u32)>,
    },
}

/// What is known of a certificate that others issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The certificates above it, DER, its issuer first, as far as they came with it or are the server's own.
    pub chain: Vec<Vec<u8>>,
    /// Whether they led to a ROOT of the server's when it came.
    pub is_verified: bool,
}

/// One version of a key, with its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its name for ever.
    pub id: KeyId,
    /// The alias it serves.
    pub alias: KeyAlias,
    /// 1 for the first key of the alias, one more for each successor.
    pub generation: u32,
    /// Where the private part is.
    pub material: KeyMaterial,
    /// Its kind.
    pub key_type: KeyType,
    /// SHA-256 over the certificate's DER.
    pub thumbprint: Thumbprint,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The key that signed the certificate; its own id for ROOT, and where others issued it.
    pub issuer: KeyId,
    /// Set where others issued the certificate.
    pub upload: Option<Upload>,
    /// The certificate's validity.
    pub period: Cryptoperiod,
}

impl KeyRecord {
    /// The 20 bytes that name this key version in `kid` and in reports:
    /// `SHA-1("<application>_<reference>_<key id>")`. The key id stands where the reference system has the
    /// day, so that an alias may have several keys a day.
    pub fn unique_identifier(&self) -> [u8; 20] {
        let text =
            format!("{}_{}_{}", self.alias.application.as_str(), self.alias.reference.as_str(), self.id.0);
        crate::domain::digest::sha1(text.as_bytes())
    }

    /// Whether the key is another domain's: the server has its certificate and no private key.
    pub const fn is_elsewhere(&self) -> bool {
        matches!(self.material, KeyMaterial::Elsewhere)
    }

    /// `kid = BASE64URL(SHA-256(unique identifier))`: the name of this key version in JOSE headers.
    pub fn kid(&self) -> String {
        kunji_shared::encoding::encode_base64url(&crate::domain::digest::sha256(&self.unique_identifier()))
    }
}

/// What the names of KEKs begin with.
const KEK_PREFIX: &str = "kek:";

/// The name of a KEK where its destruction is decided, beside those of keys.
pub fn kek_id(application: &ApplicationId, version: u32) -> KeyId {
    KeyId(format!("{KEK_PREFIX}{application}:{version}"))
}

/// One version of a module's KEK: a non-extractable AES-256 key on the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KekRecord {
    /// The module.
    pub application: ApplicationId,
    /// 1 for the first, one more for each successor.
    pub version: u32,
    /// Where it is on the token.
    pub token_key: TokenKeyId,
    /// When it was made.
    pub created_at: Timestamp,
}

impl KekRecord {
    /// Its name where its destruction is decided.
    pub fn id(&self) -> KeyId {
        kek_id(&self.application, self.version)
    }
}

/// `AAD` of a wrapped base private key: every member length-prefixed (32-bit big-endian), so that a blob moved
/// to another record, or set against another certificate, fails to unwrap.
pub fn wrapping_context(alias: &KeyAlias, id: &KeyId, thumbprint: &Thumbprint, kek_version: u32) -> Vec<u8> {
    length_prefixed(&[
        b"kunji base private key v1",
        alias.application.as_str().as_bytes(),
        alias.reference.as_str().as_bytes(),
        id.0.as_bytes(),
        thumbprint.as_bytes(),
        &kek_version.to_be_bytes(),
    ])
}

/// Joins byte strings so that no two different lists give the same bytes.
pub fn length_prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        joined.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_depends_on_every_member() {
        let alias = |a: &str, r: &str| KeyAlias::parse(a, r).unwrap();
        let id = |t: &str| KeyId(t.to_owned());
        let thumbprint = Thumbprint::from_bytes([1; 32]);
        let contexts = [
            wrapping_context(&alias("AB", "C"), &id("1"), &thumbprint, 1),
            wrapping_context(&alias("A", "BC"), &id("1"), &thumbprint, 1),
            wrapping_context(&alias("AB", "C"), &id("2"), &thumbprint, 1),
            wrapping_context(&alias("AB", "C"), &id("1"), &Thumbprint::from_bytes([2; 32]), 1),
            wrapping_context(&alias("AB", "C"), &id("1"), &thumbprint, 2),
        ];
        for (i, a) in contexts.iter().enumerate() {
            assert!(contexts.iter().skip(i + 1).all(|b| a != b));
        }
    }

    #[test]
    fn key_ids_are_canonical() {
        let id = "0a6f1f0e-2b9a-4c55-8a55-2f6f0f3f9a10";
        assert_eq!(KeyId::parse(id), Some(KeyId(id.to_owned())));
        for text in
            ["", "x", &id.to_uppercase(), &id.replace('-', ""), "../../../../../../../../../../../../x"]
        {
            assert_eq!(KeyId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn token_ids_survive_text() {
        let id = TokenKeyId(*b"0123456789abcdef");
        assert_eq!(TokenKeyId::from_hex(&id.to_hex()), Some(id));
        assert_eq!(TokenKeyId::from_hex("00"), None);
    }
}
