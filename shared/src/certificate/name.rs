use alloc::string::String;
use core::fmt::Write as _;

use x509_cert::{
    attr::AttributeTypeAndValue,
    der::{Tag, Tagged as _},
    name::Name,
};

/// Text of RFC 4514.
pub(super) fn to_text(name: &Name) -> String {
    let mut text = String::new();
    // A value that its own type forbids ends the text early; names in it are for people only.
    let _ = write!(text, "{name}");
    text
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
}
