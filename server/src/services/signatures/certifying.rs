//! What the key of an issuer does not sign for callers. It signs certificates and revocation lists as well as data, and a
//! signature over the bytes of one is its signature.

use super::SignedContent;
use crate::domain::alias::AliasRole;

/// SEQUENCE, a universal tag (X.690 8.9).
const SEQUENCE: u64 = 16;

/// Whether a signature by a key of this role could be that of a certificate, a revocation list, or another statement of
/// an authority (RFC 5280, RFC 6960): all of those are signed as one SEQUENCE. What a digest is of cannot be told.
///
/// The other forms are none: what is signed of a JWS begins with its header in base64, of a COSE_Sign1 with an array in
/// CBOR, of a PDF with a SET.
pub(super) fn could_certify(role: AliasRole, content: &SignedContent) -> bool {
    role == AliasRole::Module
        && match content {
            SignedContent::Digest(_) => true,
            SignedContent::Message(message) => is_whole_sequence(message),
        }
}

/// Whether these bytes are one SEQUENCE, to their end, in whatever form a reader of BER takes, which is more than DER
/// has: lengths with zeros before them or without a value, and the tag in the form for high numbers.
fn is_whole_sequence(bytes: &[u8]) -> bool {
    behind_tag(bytes).and_then(is_whole).unwrap_or(false)
}

/// What stands behind the tag of a SEQUENCE; `None` behind another. Whether it says that it is constructed is no matter.
fn behind_tag(bytes: &[u8]) -> Option<&[u8]> {
    let (first, mut rest) = bytes.split_first()?;
    let mut number = u64::from(first & 0x1f);
    if number == 0x1f {
        number = 0;
        loop {
            let (next, behind) = rest.split_first()?;
            rest = behind;
            number = number.saturating_mul(128).saturating_add(u64::from(next & 0x7f));
            if next & 0x80 == 0 {
                break;
            }
        }
    }
    (first & 0xc0 == 0 && number == SEQUENCE).then_some(rest)
}

/// Whether a length stands here and that much behind it.
fn is_whole(bytes: &[u8]) -> Option<bool> {
    let (first, rest) = bytes.split_first()?;
    let (length, content) = match first {
        0..=0x7f => (u64::from(*first), rest),
        // Without a value: to the end that is marked.
        0x80 => return Some(true),
        _ => {
            let (number, content) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let add = |sum: u64, byte: &u8| sum.saturating_mul(256).saturating_add(u64::from(*byte));
            (number.iter().fold(0, add), content)
        }
    };
    Some(u64::try_from(content.len()).is_ok_and(|there| there == length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key_type::Curve;

    fn is_refused(role: AliasRole, message: &[u8]) -> bool {
        could_certify(role, &SignedContent::Message(message.to_vec()))
    }

    #[test]
    fn issuers_sign_no_sequence_in_any_form() {
        let content = [2_u8, 1, 5];
        for head in [
            &[0x30, 3][..],
            &[0x30, 0x81, 3],
            &[0x30, 0x84, 0, 0, 0, 3],
            &[0x30, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 3],
            &[0x30, 0x80],
            &[0x10, 3],
            &[0x3f, 0x10, 3],
            &[0x3f, 0x80, 0x80, 0x10, 0x81, 3],
            &[0x1f, 0x10, 0x80],
        ] {
            assert!(is_refused(AliasRole::Module, &[head, &content].concat()), "{head:x?}");
        }
        assert!(is_refused(AliasRole::Module, &[0x30, 0]));
        let long = [&[0x30, 0x82, 1, 0][..], &[7; 256]].concat();
        assert!(is_refused(AliasRole::Module, &long));
        assert!(!is_refused(AliasRole::Module, &long[..259]), "one byte less");
    }

    #[test]
    fn issuers_sign_everything_else() {
        for message in [
            &[][..],
            b"0",
            b"0123456789",
            b"message",
            &[0x30, 3, 2, 1],
            &[0x30, 3, 2, 1, 5, 0],
            &[0x30, 0x82, 3],
            &[0x30, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 3, 2, 1, 5],
            &[0x31, 3, 2, 1, 5],
            &[0xb0, 3, 2, 1, 5],
            &[0x3f, 0x90, 0x10, 3, 2, 1, 5],
            &[0x3f, 0x90],
            b"eyJhbGciOiJSUzI1NiJ9.e30",
        ] {
            assert!(!is_refused(AliasRole::Module, message), "{message:x?}");
        }
    }

    #[test]
    fn digests_are_for_keys_that_issue_nothing() {
        let digest = SignedContent::Digest(vec![0; 32]);
        assert!(could_certify(AliasRole::Module, &digest));
        for role in [AliasRole::Sign, AliasRole::Curve(Curve::P256)] {
            assert!(!could_certify(role, &digest));
            assert!(!is_refused(role, &[0x30, 0]));
        }
    }
}
