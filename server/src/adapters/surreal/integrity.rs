//! Integrity tags: `HMAC-SHA-256(key, L("kunji row v1", table, record id, name, value, name, value, …))`.
//!
//! `L` joins length-prefixed byte strings; the fields are all fields of the row but `id` and `tag`, in the order
//! of their names, each value with a letter for its type before it. A field that is not set does not occur. A row
//! that is changed, or moved to another record, loses its tag; so do rows with a field too many or too few.
//!
//! What a tag cannot show is that a row is missing, or is an earlier state of the same record. Where that would
//! bring back an old key, the readers compare rows with each other.

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use surrealdb::types::{Number, Object, RecordId, RecordIdKey, SurrealValue, Value};
use zeroize::Zeroizing;

use crate::{domain::key::length_prefixed, ports::repository::RepositoryError};

const CONTEXT: &[u8] = b"kunji row v1";
const TAG: &str = "tag";

/// A row of a table whose rows carry a tag.
pub(super) trait Row: SurrealValue {
    const TABLE: &'static str;
}

/// The key of the tags, once the token has given it.
#[derive(Default)]
pub(super) struct Integrity {
    key: OnceLock<hmac::Key>,
}

impl Integrity {
    /// Takes the key; only the first counts.
    pub(super) fn install(&self, key: &Zeroizing<[u8; 32]>) {
        self.key.get_or_init(|| hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()));
    }

    /// Fails until there is a key.
    pub(super) fn require(&self) -> Result<&hmac::Key, RepositoryError> {
        self.key
            .get()
            .ok_or_else(|| RepositoryError::Unavailable("the integrity key is not installed".to_owned()))
    }

    /// The content of `record` with its tag.
    pub(super) fn seal<R: Row>(&self, record: &str, row: R) -> Result<Value, RepositoryError> {
        let key = self.require()?;
        let unsealable = || inconsistent(R::TABLE, record, "the row cannot be written");
        let Value::Object(mut fields) = row.into_value() else { return Err(unsealable()) };
        let message = message(R::TABLE, record, &fields).ok_or_else(unsealable)?;
        fields.insert(TAG, surrealdb::types::Bytes::from(hmac::sign(key, &message).as_ref().to_vec()));
        Ok(Value::Object(fields))
    }

    /// The row in `value`, which must be that of `record`; `None` when there is none.
    pub(super) fn open<R: Row>(&self, record: &str, value: Value) -> Result<Option<R>, RepositoryError> {
        self.require()?;
        if matches!(value, Value::None | Value::Null) {
            return Ok(None);
        }
        let (found, row) = self.open_any(value)?;
        if found == record {
            Ok(Some(row))
        } else {
            Err(inconsistent(R::TABLE, record, "the record is another"))
        }
    }

    /// The row in `value` and its record id.
    pub(super) fn open_any<R: Row>(&self, value: Value) -> Result<(String, R), RepositoryError> {
        let key = self.require()?;
        let Value::Object(mut fields) = value else { return Err(inconsistent(R::TABLE, "?", "not a row")) };
        let record = match fields.remove("id") {
            Some(Value::RecordId(RecordId { table, key: RecordIdKey::String(record) }))
                if table.as_str() == R::TABLE =>
            {
                record
            }
            _ => return Err(inconsistent(R::TABLE, "?", "the record id is malformed")),
        };
        let Some(Value::Bytes(tag)) = fields.remove(TAG) else {
            return Err(inconsistent(R::TABLE, &record, "the integrity tag is missing"));
        };
        let Some(message) = message(R::TABLE, &record, &fields) else {
            return Err(inconsistent(R::TABLE, &record, "a field has a type that rows do not have"));
        };
        hmac::verify(key, &message, &tag)
            .map_err(|_| inconsistent(R::TABLE, &record, "the integrity tag is wrong"))?;
        let row = R::from_value(Value::Object(fields))
            .map_err(|_| inconsistent(R::TABLE, &record, "a field is missing or malformed"))?;
        Ok((record, row))
    }
}

/// Reports a row that cannot be trusted, and makes the error of it.
pub(super) fn inconsistent(table: &'static str, record: &str, reason: &'static str) -> RepositoryError {
    tracing::error!(table, record, reason, "a row of the database cannot be trusted");
    RepositoryError::Inconsistent { table, record: record.to_owned(), reason }
}

fn message(table: &str, record: &str, fields: &Object) -> Option<Vec<u8>> {
    let mut parts = vec![CONTEXT.to_vec(), table.as_bytes().to_vec(), record.as_bytes().to_vec()];
    for (name, value) in fields.iter().filter(|(_, value)| !matches!(value, Value::None)) {
        parts.push(name.as_bytes().to_vec());
        parts.push(encode(value)?);
    }
    Some(length_prefixed(&slices(&parts)))
}

fn encode(value: &Value) -> Option<Vec<u8>> {
    let (letter, content) = match value {
        Value::Bool(truth) => (b't', vec![u8::from(*truth)]),
        Value::Number(Number::Int(number)) => (b'i', number.to_be_bytes().to_vec()),
        Value::String(text) => (b's', text.as_bytes().to_vec()),
        Value::Bytes(bytes) => (b'b', bytes.to_vec()),
        Value::Array(items) => {
            let items = items.iter().map(encode).collect::<Option<Vec<_>>>()?;
            (b'a', length_prefixed(&slices(&items)))
        }
        _ => return None,
    };
    Some([&[letter], content.as_slice()].concat())
}

fn slices(parts: &[Vec<u8>]) -> Vec<&[u8]> {
    parts.iter().map(Vec::as_slice).collect()
}

#[cfg(test)]
mod tests {
    use surrealdb::types::{Bytes, RecordId};

    use super::*;

    #[derive(Clone, Debug, PartialEq, SurrealValue)]
    struct Sample {
        text: String,
        number: u32,
        names: Option<Vec<String>>,
    }

    impl Row for Sample {
        const TABLE: &'static str = "sample";
    }

    fn sample() -> Sample {
        Sample { text: "a".to_owned(), number: 7, names: Some(vec!["b".to_owned(), "c".to_owned()]) }
    }

    fn integrity() -> Integrity {
        let integrity = Integrity::default();
        integrity.install(&Zeroizing::new([7; 32]));
        integrity
    }

    /// What the database returns for the row: without unset fields, with the record id.
    fn stored(record: &str, value: Value) -> Object {
        let Value::Object(fields) = value else { panic!("a row is an object") };
        let mut fields: Object = fields.into_iter().filter(|(_, value)| *value != Value::None).collect();
        fields.insert("id", RecordId::new(Sample::TABLE, record));
        fields
    }

    fn open(fields: Object) -> Result<(String, Sample), RepositoryError> {
        integrity().open_any(Value::Object(fields))
    }

    #[test]
    fn what_is_sealed_opens() {
        for row in [sample(), Sample { names: None, ..sample() }] {
            let fields = stored("r", integrity().seal("r", row.clone()).unwrap());
            assert_eq!(open(fields).unwrap(), ("r".to_owned(), row));
        }
    }

    #[test]
    fn the_tag_covers_every_field_and_the_place() {
        let fields = stored("r", integrity().seal("r", sample()).unwrap());
        let changed = |name: &str, value: Value| {
            let mut fields = fields.clone();
            fields.insert(name, value);
            open(fields)
        };
        assert!(changed("text", Value::String("b".to_owned())).is_err());
        assert!(changed("number", Value::Number(Number::Int(8))).is_err());
        assert!(changed("number", Value::String("7".to_owned())).is_err());
        assert!(changed("names", vec!["bc".to_owned()].into_value()).is_err());
        assert!(changed("names", Value::None).is_err());
        assert!(changed("extra", Value::Bool(true)).is_err());
        assert!(changed("tag", Bytes::from(vec![0; 32]).into_value()).is_err());
        assert!(changed("tag", Value::None).is_err());
        assert!(changed("id", RecordId::new(Sample::TABLE, "s").into_value()).is_err());
        assert!(changed("id", RecordId::new("other", "r").into_value()).is_err());
        for name in ["text", "number", "names", "tag", "id"] {
            let mut fields = fields.clone();
            fields.remove(name);
            assert!(open(fields).is_err(), "{name}");
        }
    }

    #[test]
    fn another_key_gives_another_tag_and_no_key_gives_none() {
        let other = Integrity::default();
        assert!(matches!(other.seal("r", sample()), Err(RepositoryError::Unavailable(_))));
        assert!(matches!(other.open::<Sample>("r", Value::None), Err(RepositoryError::Unavailable(_))));
        other.install(&Zeroizing::new([8; 32]));
        let fields = stored("r", other.seal("r", sample()).unwrap());
        assert!(matches!(open(fields), Err(RepositoryError::Inconsistent { table: "sample", .. })));
    }

    #[test]
    fn only_the_first_key_counts() {
        let integrity = integrity();
        let fields = stored("r", integrity.seal("r", sample()).unwrap());
        integrity.install(&Zeroizing::new([8; 32]));
        assert!(integrity.open_any::<Sample>(Value::Object(fields)).is_ok());
    }
}
