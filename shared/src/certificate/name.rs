use alloc::{format, string::String, vec::Vec};

use x509_cert::{
    attr::AttributeTypeAndValue,
    der::{Encode as _, Tag, Tagged as _},
    name::{Name, RelativeDistinguishedName},
    spki::ObjectIdentifier,
};

use crate::encoding::encode_hex;

/// Attribute types that have a name: those of RFC 4514 section 3, and what subjects are found with besides. A table
/// of our own, since that of `const-oid` is most of a small program's size.
const ATTRIBUTE_TYPES: [(&str, ObjectIdentifier); 18] = [
    ("CN", ObjectIdentifier::new_unwrap("2.5.4.3")),
    ("C", ObjectIdentifier::new_unwrap("2.5.4.6")),
    ("L", ObjectIdentifier::new_unwrap("2.5.4.7")),
    ("ST", ObjectIdentifier::new_unwrap("2.5.4.8")),
    ("STREET", ObjectIdentifier::new_unwrap("2.5.4.9")),
    ("O", ObjectIdentifier::new_unwrap("2.5.4.10")),
    ("OU", ObjectIdentifier::new_unwrap("2.5.4.11")),
    ("DC", ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25")),
    ("UID", ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1")),
    ("SN", ObjectIdentifier::new_unwrap("2.5.4.4")),
    ("GN", ObjectIdentifier::new_unwrap("2.5.4.42")),
    ("INITIALS", ObjectIdentifier::new_unwrap("2.5.4.43")),
    ("TITLE", ObjectIdentifier::new_unwrap("2.5.4.12")),
    ("SERIALNUMBER", ObjectIdentifier::new_unwrap("2.5.4.5")),
    ("DNQUALIFIER", ObjectIdentifier::new_unwrap("2.5.4.46")),
    ("PSEUDONYM", ObjectIdentifier::new_unwrap("2.5.4.65")),
    ("POSTALCODE", ObjectIdentifier::new_unwrap("2.5.4.17")),
    ("EMAIL", ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1")),
];

/// Text of RFC 4514: the last part first (section 2.1).
pub(super) fn to_text(name: &Name) -> String {
    let mut parts: Vec<String> = name.iter_rdn().map(part_to_text).collect();
    parts.reverse();
    parts.join(",")
}

fn part_to_text(part: &RelativeDistinguishedName) -> String {
    let attributes: Vec<String> = part.as_ref().iter().map(attribute_to_text).collect();
    attributes.join("+")
}

/// `TYPE=value`, or numbers and the value's DER in hexadecimal where the type has no name or the value is no text
/// (section 2.4).
fn attribute_to_text(attribute: &AttributeTypeAndValue) -> String {
    let name = ATTRIBUTE_TYPES.iter().find(|(_, oid)| *oid == attribute.oid).map(|(name, _)| name);
    let value = text(attribute).and_then(|value| str::from_utf8(value).ok());
    let (Some(name), Some(value)) = (name, value) else {
        let der = attribute.value.to_der().unwrap_or_default();
        return format!("{}=#{}", attribute.oid, encode_hex(&der));
    };
    format!("{name}={}", escaped(value))
}

/// Backslashes as section 2.4 puts them, and control characters by their numbers, so that a name fits on a line.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        match character {
            '#' if index == 0 => escaped.push_str("\\#"),
            ' ' if index == 0 || index == last => escaped.push_str("\\ "),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => escaped.extend(['\\', character]),
            '\0'..='\x1f' | '\x7f' => {
                escaped.push('\\');
                escaped.push_str(&encode_hex(&[character as u8]));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Whether two names are the same (RFC 5280 section 7.1): part by part, text without regard to
/// case, to runs of blanks and to which of the text types holds it.
///
/// Being generous is safe here: a name only nominates an issuer, its signature decides.
pub(super) fn matches(left: &Name, right: &Name) -> bool {
    left.len() == right.len()
        && left.iter_rdn().zip(right.iter_rdn()).all(|(left, right)| {
            left.as_ref().len() == right.as_ref().len()
                && left
                    .as_ref()
                    .iter()
                    .all(|attribute| right.as_ref().iter().any(|other| attributes_match(attribute, other)))
        })
}

fn attributes_match(left: &AttributeTypeAndValue, right: &AttributeTypeAndValue) -> bool {
    left.oid == right.oid
        && (left.value == right.value
            || match (text(left), text(right)) {
                (Some(left), Some(right)) => folded(left).eq(folded(right)),
                _ => false,
            })
}

/// The value, if it is one of the text types with one byte for an ASCII character.
fn text(attribute: &AttributeTypeAndValue) -> Option<&[u8]> {
    matches!(
        attribute.value.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::TeletexString
    )
    .then(|| attribute.value.value())
}

/// Words in lower case with one blank behind each.
fn folded(text: &[u8]) -> impl Iterator<Item = u8> {
    text.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .flat_map(|word| word.iter().map(u8::to_ascii_lowercase).chain([b' ']))
}

#[cfg(test)]
mod tests {
    use core::str::FromStr as _;

    use super::*;

    #[test]
    fn names_are_compared_without_case_blanks_and_text_type() {
        let name = |text| Name::from_str(text).unwrap();
        let same = name("CN=Root  Authority,O=Org,C=IN");
        assert!(matches(&same, &name("CN=root authority ,O=ORG,C=in")));
        assert!(!matches(&same, &name("CN=RootAuthority,O=Org,C=IN")));
        assert!(!matches(&same, &name("O=Org,C=IN")));
        assert!(!matches(&same, &name("OU=Root  Authority,O=Org,C=IN")));
        assert!(!matches(&same, &name("CN=Root  Authority,O=Other,C=IN")));
    }

    #[test]
    fn text_has_the_most_specific_part_first() {
        assert_eq!(to_text(&Name::from_str("CN=A\\, B,O=Org,C=IN").unwrap()), "CN=A\\, B,O=Org,C=IN");
    }

    #[test]
    fn what_would_be_misread_is_escaped() {
        for (value, text) in [
            (" ", "\\ "),
            (" a b ", "\\ a b\\ "),
            ("#a#", "\\#a#"),
            ("a\\b", "a\\\\b"),
            ("\n\x7f", "\\0a\\7f"),
            ("", ""),
        ] {
            assert_eq!(escaped(value), text);
        }
    }

    #[test]
    fn text_is_as_that_of_the_library_with_the_large_table() {
        for text in [
            "CN=A\\, B,O=Org,C=IN",
            "CN=two+SERIALNUMBER=7,DC=example,DC=org",
            "CN=\\#1 \\<a\\>\\;\\\"#,ST=x,L=y,OU=z",
            "STREET=\\ a\\+b  c",
            "UID=u,SN=s,GN=g,INITIALS=i,TITLE=t,DNQUALIFIER=d,PSEUDONYM=p,POSTALCODE=1,EMAIL=e@x",
            "CN=\u{e9},2.5.4.97=#0c0178",
        ] {
            let name = Name::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(to_text(&name), format!("{name}"), "{text}");
        }
    }
}
