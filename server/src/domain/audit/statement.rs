//! What the token signs about logs, and how it is checked.
//!
//! A statement is signed as text, one member a line, the first of which names its kind: so that no signature can
//! pass for that of another. It travels as one line of JSON, `{"checkpoint":{…},"signature":"…"}`, in one form only.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use kunji_shared::{
    Certificate, RsaPublicKey,
    encoding::{decode_base64, decode_hex, encode_base64url, encode_hex},
    pem,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::domain::{digest::sha256, merkle::Hash, time::Timestamp};

/// Something that the token signs about logs.
pub trait Statement: Serialize + DeserializeOwned {
    /// What it is called on the wire.
    const NAME: &'static str;

    /// What is signed.
    fn text(&self) -> String;

    /// The key that signs, by [`fingerprint`].
    fn key(&self) -> &str;

    /// Whether every member has the form that makes the text unambiguous.
    fn is_well_formed(&self) -> bool;
}

/// Says what a log held at a time.
///
/// Text: `kunji audit checkpoint v1`, log, number, size, root, time, key; each ended by `\n`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The log, a UUID.
    pub log: String,
    /// 1 for the log's first checkpoint, one more for each later one.
    pub number: u64,
    /// Events in the log.
    pub size: u64,
    /// `MTH` of the log's lines, hexadecimal.
    pub root: String,
    /// When it was made, RFC 3339, UTC, milliseconds.
    pub time: String,
    /// The key that signs.
    pub key: String,
}

impl Checkpoint {
    /// The root's bytes.
    pub fn root_hash(&self) -> Option<Hash> {
        hash(&self.root)
    }
}

impl Statement for Checkpoint {
    const NAME: &'static str = "checkpoint";

    fn text(&self) -> String {
        let Self { log, number, size, root, time, key } = self;
        format!("kunji audit checkpoint v1\n{log}\n{number}\n{size}\n{root}\n{time}\n{key}\n")
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn is_well_formed(&self) -> bool {
        is_log_id(&self.log) && hash(&self.root).is_some() && is_time(&self.time) && hash(&self.key).is_some()
    }
}

/// Names every log there is: which exports an auditor must have.
///
/// Text: `kunji audit roster v1`, version, time, key, number of logs; then for each log its id, since when, and
/// server, separated by blanks; each line ended by `\n`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// 1 for the first, one more for each later one.
    pub version: u64,
    /// When it was made.
    pub time: String,
    /// The key that signs.
    pub key: String,
    /// The logs, the oldest first. None is ever taken off.
    pub logs: Vec<RosterEntry>,
}

/// One server's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterEntry {
    /// The log, a UUID.
    pub log: String,
    /// The server that writes it.
    pub server: String,
    /// Since when.
    pub since: String,
}

impl Roster {
    /// Whether the log is on it.
    pub fn names(&self, log: &str) -> bool {
        self.logs.iter().any(|entry| entry.log == log)
    }

    /// Whether every log of the other one is on it.
    pub fn covers(&self, other: &Self) -> bool {
        other.logs.iter().all(|entry| self.names(&entry.log))
    }
}

impl Statement for Roster {
    const NAME: &'static str = "roster";

    fn text(&self) -> String {
        let Self { version, time, key, logs } = self;
        let head = format!("kunji audit roster v1\n{version}\n{time}\n{key}\n{}\n", logs.len());
        logs.iter()
            .fold(head, |text, RosterEntry { log, server, since }| format!("{text}{log} {since} {server}\n"))
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn is_well_formed(&self) -> bool {
        let entry = |entry: &RosterEntry| {
            is_log_id(&entry.log) && is_time(&entry.since) && is_server_name(&entry.server)
        };
        is_time(&self.time) && hash(&self.key).is_some() && self.logs.iter().all(entry)
    }
}

/// Whether a text can name a server: 1 to 64 characters of `A–Z a–z 0–9 _ - .`.
pub fn is_server_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// Whether a text can name a log: a UUID in lower case.
pub fn is_log_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

/// `yyyy-MM-ddTHH:mm:ss.SSSZ`.
pub(super) fn is_time(text: &str) -> bool {
    text.len() == Timestamp::from_millis(0).to_text().len()
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"-:.TZ".contains(&byte))
}

/// 64 lower-case hexadecimal digits.
pub(super) fn hash(text: &str) -> Option<Hash> {
    let bytes: Hash = decode_hex(text, 32).ok()?.try_into().ok()?;
    (encode_hex(&bytes) == text).then_some(bytes)
}

/// A statement with the token's signature: RSASSA-PKCS1-v1_5 with SHA-256 over its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<S> {
    /// What is signed.
    pub statement: S,
    /// The signature.
    pub signature: Vec<u8>,
}

/// Longest signature, in bytes.
const SIGNATURE_MAX_BYTES: usize = 1024;

impl<S: Statement> Signed<S> {
    /// As JSON, without a line end.
    pub fn to_line(&self) -> String {
        self.to_json().to_string()
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({ S::NAME: self.statement, "signature": encode_base64url(&self.signature) })
    }

    /// Reads what [`Signed::to_line`] wrote; `None` for anything else, also for the same in other words.
    pub fn from_line(line: &[u8]) -> Option<Self> {
        let mut value: Value = serde_json::from_slice(line).ok()?;
        let statement: S = serde_json::from_value(value.get_mut(S::NAME)?.take()).ok()?;
        let signature = decode_base64(value.get("signature")?.as_str()?, SIGNATURE_MAX_BYTES).ok()?;
        let signed = Self { statement, signature };
        (signed.statement.is_well_formed() && signed.to_line().as_bytes() == line).then_some(signed)
    }

    /// Whether the key that it names made the signature.
    ///
    /// # Errors
    /// [`SignatureFault`].
    pub fn verify(&self, keys: &VerifyingKeys) -> Result<(), SignatureFault> {
        let key = keys.find(self.statement.key()).ok_or(SignatureFault::UnknownKey)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(self.statement.text().as_bytes(), &self.signature)
            .map_err(|_| SignatureFault::Wrong)
    }
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// It names a key that is not trusted.
    #[error("it is signed by a key that is not trusted here")]
    UnknownKey,
    /// The key did not make it.
    #[error("its signature is not by the key that it names: it is forged or was changed")]
    Wrong,
}

/// The name of a public key (SubjectPublicKeyInfo, DER) in statements: its SHA-256, hexadecimal.
pub fn fingerprint(public_key: &[u8]) -> String {
    encode_hex(&sha256(public_key))
}

/// The public keys that statements may be signed by.
#[derive(Clone, Debug, Default)]
pub struct VerifyingKeys(Vec<(String, Vec<u8>)>);

impl VerifyingKeys {
    /// Of SubjectPublicKeyInfos, DER.
    pub fn new(public_keys: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(public_keys.into_iter().map(|key| (fingerprint(&key), key)).collect())
    }

    /// All certificates and public keys of a PEM text; `None` when there are none, or one cannot be read.
    pub fn from_pem(text: &str) -> Option<Self> {
        let certificates = pem::decode_all(text, "CERTIFICATE").unwrap_or_default();
        let mut keys = certificates
            .iter()
            .map(|der| Some(Certificate::from_der(der).ok()?.public_key_der().to_vec()))
            .collect::<Option<Vec<_>>>()?;
        for key in pem::decode_all(text, "PUBLIC KEY").unwrap_or_default() {
            RsaPublicKey::from_spki_der(&key).ok()?;
            keys.push(key);
        }
        (!keys.is_empty()).then(|| Self::new(keys))
    }

    fn find(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, key)| key.as_slice())
    }

    /// The names of the keys.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use aws_lc_rs::{
        encoding::AsDer,
        rand::SystemRandom,
        rsa::KeySize,
        signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
    };

    use super::*;

    pub(in crate::domain::audit) const LOG: &str = "0a6f1f0e-2b9a-4c55-8a55-2f6f0f3f9a10";
    pub(in crate::domain::audit) const TIME: &str = "2026-01-05T10:11:12.007Z";

    /// A key that stands for the token's.
    pub(in crate::domain::audit) struct TestKey(RsaKeyPair, Vec<u8>);

    impl TestKey {
        pub(in crate::domain::audit) fn new() -> Self {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            let public =
                AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
            let public = public.as_ref().to_vec();
            Self(pair, public)
        }

        pub(in crate::domain::audit) fn name(&self) -> String {
            fingerprint(&self.1)
        }

        pub(in crate::domain::audit) fn public(&self) -> VerifyingKeys {
            VerifyingKeys::new([self.1.clone()])
        }

        pub(in crate::domain::audit) fn sign<S: Statement>(&self, statement: S) -> Signed<S> {
            let mut signature = vec![0; self.0.public_modulus_len()];
            let text = statement.text();
            self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
            Signed { statement, signature }
        }
    }

    fn checkpoint(key: &TestKey) -> Checkpoint {
        Checkpoint {
            log: LOG.to_owned(),
            number: 3,
            size: 42,
            root: "ab".repeat(32),
            time: TIME.to_owned(),
            key: key.name(),
        }
    }

    #[test]
    fn what_was_signed_is_read_and_verified() {
        let key = TestKey::new();
        let signed = key.sign(checkpoint(&key));
        let line = signed.to_line();
        assert!(line.starts_with("{\"checkpoint\":{\"log\":\"0a6f1f0e"), "{line}");
        assert_eq!(Signed::from_line(line.as_bytes()).as_ref(), Some(&signed));
        assert_eq!(signed.verify(&key.public()), Ok(()));
        let other = TestKey::new();
        assert_eq!(signed.verify(&other.public()), Err(SignatureFault::UnknownKey));
        for change in [
            Checkpoint { size: 41, ..checkpoint(&key) },
            Checkpoint { number: 4, ..checkpoint(&key) },
            Checkpoint { root: "ac".repeat(32), ..checkpoint(&key) },
            Checkpoint { log: LOG.replace("0a", "0b"), ..checkpoint(&key) },
            Checkpoint { time: TIME.replace('5', "6"), ..checkpoint(&key) },
        ] {
            let forged = Signed { statement: change, signature: signed.signature.clone() };
            assert_eq!(forged.verify(&key.public()), Err(SignatureFault::Wrong));
        }
    }

    #[test]
    fn a_statement_has_one_form() {
        let key = TestKey::new();
        let line = key.sign(checkpoint(&key)).to_line();
        for other in [
            line.replace(":42", ": 42"),
            line.replace("\"number\":3,", "").replace("\"size\":42", "\"size\":42,\"number\":3"),
            line.replace("\"log\"", "\"more\":1,\"log\""),
            line.replace("\"signature\"", "\"more\":1,\"signature\""),
            line.replace(&"ab".repeat(32), &"AB".repeat(32)),
            line.replace(LOG, &LOG.replace('-', "\\n")),
            format!("{line} "),
        ] {
            assert_ne!(other, line);
            assert!(Signed::<Checkpoint>::from_line(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_roster_is_no_checkpoint_and_names_are_no_lines() {
        let key = TestKey::new();
        let entry = |server: &str| RosterEntry {
            log: LOG.to_owned(),
            server: server.to_owned(),
            since: TIME.to_owned(),
        };
        let roster =
            |server| Roster { version: 1, time: TIME.to_owned(), key: key.name(), logs: vec![entry(server)] };
        let signed = key.sign(roster("kunji-1.example"));
        assert_eq!(Signed::from_line(signed.to_line().as_bytes()).as_ref(), Some(&signed));
        assert_eq!(signed.verify(&key.public()), Ok(()));
        assert!(Signed::<Checkpoint>::from_line(signed.to_line().as_bytes()).is_none());
        let two_lines = key.sign(roster("a\nb"));
        assert!(Signed::<Roster>::from_line(two_lines.to_line().as_bytes()).is_none());
    }

    #[test]
    fn keys_are_read_from_pem() {
        let key = TestKey::new();
        let text = format!("a line\n{}", pem::encode("PUBLIC KEY", &key.1));
        assert_eq!(VerifyingKeys::from_pem(&text).unwrap().names().collect::<Vec<_>>(), [key.name()]);
        assert!(VerifyingKeys::from_pem("").is_none());
        assert!(VerifyingKeys::from_pem(&pem::encode("PUBLIC KEY", b"nonsense")).is_none());
        assert!(VerifyingKeys::from_pem(&pem::encode("CERTIFICATE", b"nonsense")).is_none());
    }
}
