//! What stays of a key whose private part was destroyed.

use serde::{Deserialize, Serialize};

use super::statement::{Statement, hash, is_time};
use crate::domain::key::KeyId;

/// Says that the private part of a key, or a KEK, was destroyed: which, when, for whom and why.
///
/// Text: `kunji key tombstone v1`, id, application, reference, thumbprint (`-` for a KEK), time of the request, who
/// asked, why, time of the removal, first and last version of the KEK that wrapped it (`-` where none did), key; each
/// ended by `\n`. Application, reference, who and why stand as JSON strings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tombstone {
    /// The key's id; `kek:APPLICATION:VERSION` for a KEK.
    pub id: String,
    /// The application.
    pub application: String,
    /// The reference; blank for the application's own keys.
    pub reference: String,
    /// SHA-256 over the certificate, hexadecimal; blank for a KEK.
    pub thumbprint: String,
    /// When its destruction was asked for, RFC 3339, UTC, milliseconds.
    pub requested_at: String,
    /// By whom.
    pub requested_by: String,
    /// Why.
    pub reason: String,
    /// When the private part was removed.
    pub removed_at: String,
    /// The versions of the KEK that wrapped it, the first and the last: until those are destroyed, too, backups of the
    /// database open it.
    pub wrapped_by: Option<(u32, u32)>,
    /// The key that signs.
    pub key: String,
}

impl Statement for Tombstone {
    const NAME: &'static str = "tombstone";

    fn text(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let thumbprint = if self.thumbprint.is_empty() { "-" } else { &self.thumbprint };
        let keks = match self.wrapped_by {
            Some((first, last)) => format!("{first} {last}"),
            None => "-".to_owned(),
        };
        let lines = [
            "kunji key tombstone v1",
            &self.id,
            &quoted(&self.application),
            &quoted(&self.reference),
            thumbprint,
            &self.requested_at,
            &quoted(&self.requested_by),
            &quoted(&self.reason),
            &self.removed_at,
            &keks,
            &self.key,
        ];
        lines.map(|line| format!("{line}\n")).concat()
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn is_well_formed(&self) -> bool {
        let names_kek = self.id.starts_with("kek:") && !self.id.chars().any(char::is_control);
        (KeyId::parse(&self.id).is_some() || names_kek)
            && (self.thumbprint.is_empty() || hash(&self.thumbprint).is_some())
            && is_time(&self.requested_at)
            && is_time(&self.removed_at)
            && hash(&self.key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::statement::{
            Checkpoint, SignatureFault, Signed,
            tests::{LOG, TIME, TestKey},
        },
        *,
    };

    fn tombstone(key: &TestKey) -> Tombstone {
        Tombstone {
            id: LOG.to_owned(),
            application: "REGISTRATION".to_owned(),
            reference: "10001_110011".to_owned(),
            thumbprint: "ab".repeat(32),
            requested_at: TIME.to_owned(),
            requested_by: "keeper".to_owned(),
            reason: "retired, \"for good\"".to_owned(),
            removed_at: TIME.to_owned(),
            wrapped_by: Some((1, 3)),
            key: key.name(),
        }
    }

    #[test]
    fn every_member_is_signed_and_read_back() {
        let key = TestKey::new();
        let signed = key.sign(tombstone(&key));
        assert_eq!(Signed::from_line(signed.to_line().as_bytes()).as_ref(), Some(&signed));
        assert_eq!(signed.verify(&key.public()), Ok(()));
        assert!(Signed::<Checkpoint>::from_line(signed.to_line().as_bytes()).is_none());
        for change in [
            Tombstone { id: LOG.replace("0a", "0b"), ..tombstone(&key) },
            Tombstone { application: "PMS".to_owned(), ..tombstone(&key) },
            Tombstone { reference: String::new(), ..tombstone(&key) },
            Tombstone { thumbprint: String::new(), ..tombstone(&key) },
            Tombstone { requested_at: TIME.replace('5', "6"), ..tombstone(&key) },
            Tombstone { requested_by: "keeper\n".to_owned(), ..tombstone(&key) },
            Tombstone { reason: String::new(), ..tombstone(&key) },
            Tombstone { removed_at: TIME.replace('5', "6"), ..tombstone(&key) },
            Tombstone { wrapped_by: None, ..tombstone(&key) },
        ] {
            let forged = Signed { statement: change, signature: signed.signature.clone() };
            assert_eq!(forged.verify(&key.public()), Err(SignatureFault::Wrong));
        }
    }
}
