//! Taking a COSE_Sign1 apart, with bounds on what others send.

use coset::{AsCborValue as _, CborSerializable as _, CoseSign1, cbor::value::Value};

use super::{CWT_TAG, SIGN1_TAG};
use crate::services::signatures::SignatureError;

/// Most data items of a message, of its protected header, and of the claims of a CWT: each takes some 32 bytes of memory
/// once it is read, and as little as one byte where it comes from. Long texts and byte strings are one item.
pub(super) const ITEMS_MAX: usize = 1 << 16;

/// The label of counter-signatures (RFC 8152 3.1), which are not looked at here.
const COUNTER_SIGNATURE: i64 = 7;

/// The COSE_Sign1 in these bytes, tagged or not, in a CWT's tag or not; nothing about it is verified.
///
/// # Errors
/// [`SignatureError::CoseMessage`].
pub(super) fn read(message: &[u8]) -> Result<CoseSign1, SignatureError> {
    let mut value = value(message).ok_or(SignatureError::CoseMessage)?;
    for tag in [CWT_TAG, SIGN1_TAG] {
        value = match value {
            Value::Tag(found, inner) if found == tag => *inner,
            other => other,
        };
    }
    without_counter_signatures(value)
        .and_then(|value| CoseSign1::from_cbor_value(value).ok())
        .ok_or(SignatureError::CoseMessage)
}

/// The same message without the counter-signatures of its unprotected header; `None` when they stand in the protected
/// one, where none belong (RFC 8152 4.5), or when it is no message.
///
/// coset reads the protected header of a counter-signature anew, and so on: a message of some kilobytes would have it
/// call itself until the stack ends.
fn without_counter_signatures(mut message: Value) -> Option<Value> {
    let [Value::Bytes(protected), Value::Map(unprotected), _, _] = message.as_array_mut()?.as_mut_slice()
    else {
        return None;
    };
    let is_one = |label: &Value| *label == Value::from(COUNTER_SIGNATURE);
    unprotected.retain(|(label, _)| !is_one(label));
    if !protected.is_empty() && value(protected)?.as_map()?.iter().any(|(label, _)| is_one(label)) {
        return None;
    }
    Some(message)
}

/// The one data item in these bytes; `None` when they are malformed or more than [`ITEMS_MAX`].
pub(super) fn value(bytes: &[u8]) -> Option<Value> {
    if has_too_many_items(bytes) { None } else { Value::from_slice(bytes).ok() }
}

/// Counts the heads of data items (RFC 8949 3) one after the other, however they are nested. What is malformed is left
/// to the parser, which ends there too.
pub(super) fn has_too_many_items(mut bytes: &[u8]) -> bool {
    for _ in 0..ITEMS_MAX {
        match after_one_head(bytes) {
            Some(rest) => bytes = rest,
            None => return false,
        }
    }
    !bytes.is_empty()
}

/// What stands behind the first head, and behind the content of a text or byte string of known length.
fn after_one_head(bytes: &[u8]) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first()?;
    let (kind, short) = (head >> 5, head & 0x1f);
    let more = match short {
        24..=27 => 1 << (short - 24),
        _ => 0,
    };
    let (argument, rest) = rest.split_at_checked(more)?;
    let number = match short {
        0..=23 => u64::from(short),
        _ => argument.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)),
    };
    // The pieces of a string of unknown length have heads of their own.
    let content = if matches!(kind, 2 | 3) { usize::try_from(number).ok()? } else { 0 };
    rest.get(content..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A definite byte string (RFC 8949 3.1).
    fn byte_string(content: &[u8]) -> Vec<u8> {
        let mut value = Vec::new();
        coset::cbor::ser::into_writer(&Value::Bytes(content.to_vec()), &mut value).unwrap();
        value
    }

    /// A protected header with a counter-signature, whose protected header has one, and so on.
    fn nested(levels: usize) -> Vec<u8> {
        (0..levels).fold(Vec::new(), |inner, _| {
            [&[0xa1, 7, 0x83], byte_string(&inner).as_slice(), &[0xa0, 0x40]].concat()
        })
    }

    fn is_read(message: &[u8]) -> bool {
        match read(message) {
            Ok(_) => true,
            Err(SignatureError::CoseMessage) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// On a stack that the deepest message that is read needs a part of.
    fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
        std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn counter_signatures_nest_no_stack_away() {
        on_a_small_stack(|| {
            let inner = byte_string(&nested(6_000));
            let protected = [&[0xd2, 0x84], inner.as_slice(), &[0xa0, 0x40, 0x40]].concat();
            assert!(!is_read(&protected));
            assert!(!is_read(&[&[0xd8, 61], protected.as_slice()].concat()));
            // Alone, or as one of several; the label in its shortest form, a longer one, and as a bignum.
            for (before, after) in [
                (&[0xa1, 7, 0x83][..], &[0xa0, 0x40][..]),
                (&[0xa1, 0x18, 7, 0x83], &[0xa0, 0x40]),
                (&[0xa1, 0xc2, 0x41, 7, 0x83], &[0xa0, 0x40]),
                (&[0xa1, 7, 0x81, 0x83], &[0xa0, 0x40]),
            ] {
                let header = [before, inner.as_slice(), after].concat();
                let unprotected = [&[0xd2, 0x84, 0x40], header.as_slice(), &[0x41, 1, 0x40]].concat();
                let message = read(&unprotected).unwrap();
                assert!(message.unprotected.counter_signatures.is_empty());
                let protected = byte_string(&header);
                assert!(!is_read(&[&[0xd2, 0x84], protected.as_slice(), &[0xa0, 0x41, 1, 0x40]].concat()));
            }
        });
    }

    #[test]
    fn nested_arrays_nest_no_stack_away() {
        on_a_small_stack(|| {
            let arrays = [vec![0x81; 60_000], vec![0]].concat();
            assert!(!is_read(&arrays));
            assert!(!is_read(&[&[0xd2, 0x84, 0x40, 0xa1, 0], arrays.as_slice(), &[0x40, 0x40]].concat()));
        });
    }

    #[test]
    fn items_are_counted_wherever_they_stand() {
        let message = |items: usize| {
            let numbers = [&[0x9a], u32::try_from(items).unwrap().to_be_bytes().as_slice()].concat();
            [&[0x84, 0x40, 0xa1, 0][..], &numbers, &vec![0; items], &[0x40, 0x40]].concat()
        };
        // Beside the numbers, seven.
        assert!(is_read(&message(ITEMS_MAX - 7)));
        assert!(!is_read(&message(ITEMS_MAX - 6)));
        let labels: Vec<u8> = (0_u32..40_000)
            .flat_map(|label| [&[0x1a][..], &(label + 1_000).to_be_bytes(), &[0]].concat())
            .collect();
        let protected = byte_string(&[&[0xb9, 0x9c, 0x40][..], &labels].concat());
        assert!(!is_read(&[&[0x84], protected.as_slice(), &[0xa0, 0x40, 0x40]].concat()));
    }

    #[test]
    fn long_payloads_are_one_item() {
        let payload = byte_string(&vec![0; 4 << 20]);
        assert!(is_read(&[&[0x84, 0x40, 0xa0], payload.as_slice(), &[0x40]].concat()));
        // In pieces, too.
        let pieces = byte_string(&vec![0; 1 << 16]).repeat(64);
        assert!(is_read(&[&[0x84, 0x40, 0xa0, 0x5f], pieces.as_slice(), &[0xff, 0x40]].concat()));
    }
}
