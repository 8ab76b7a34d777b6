//! Checks of request members, with all violations told at once.

use zeroize::Zeroizing;

use super::{
    faults::Fault,
    refusal::{Entry, Refusal},
};
use crate::{
    api::wire::{Base64Member, WireTime},
    domain::jose::SignatureAlgorithm,
};

/// The violations found so far. Members are named with their path, for example `request.applicationId`.
#[derive(Default)]
pub(super) struct Violations {
    entries: Vec<Entry>,
}

impl Violations {
    fn missing(&mut self, name: &'static str) {
        let message = format!("{name} should not be null or empty").into();
        self.entries.push(Entry { code: Fault::Invalid.code(), message });
    }

    /// The member must have a character other than white space.
    pub(super) fn require_text(&mut self, name: &'static str, value: Option<&str>) {
        if value.is_none_or(|value| value.trim().is_empty()) {
            self.missing(name);
        }
    }

    /// The member must be a time. One that is malformed ends the check at once, as it does where it comes from.
    ///
    /// # Errors
    /// A [`Refusal`] when the time is malformed.
    pub(super) fn require_time(&mut self, name: &'static str, value: WireTime) -> Result<(), Refusal> {
        match value {
            WireTime::Absent => self.missing(name),
            WireTime::Given => {}
            WireTime::Malformed => return Err(malformed_time(name)),
        }
        Ok(())
    }

    /// The member must be there, and not blank.
    pub(super) fn require_base64(&mut self, name: &'static str, value: &Base64Member) {
        if matches!(value, Base64Member::Absent | Base64Member::Blank) {
            self.missing(name);
        }
    }

    /// The member may be absent, but not blank.
    pub(super) fn refuse_blank(&mut self, name: &'static str, value: &Base64Member) {
        if matches!(value, Base64Member::Blank) {
            self.missing(name);
        }
    }

    /// # Errors
    /// A [`Refusal`] with every violation.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        if self.entries.is_empty() { Ok(()) } else { Err(Refusal::of_entries(self.entries)) }
    }
}

/// A time in no form that is read.
pub(super) fn malformed_time(name: &str) -> Refusal {
    let text = Fault::MalformedTime.text();
    let text = text.split_once(':').map_or(text, |(_, text)| text);
    Refusal::with_message(Fault::MalformedTime, format!("{name}:{text}"))
}

/// The bytes of a member; `None` when it is absent or blank.
///
/// # Errors
/// A [`Refusal`] when it is not base64.
pub(super) fn bytes(name: &str, member: Base64Member) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
    match member {
        Base64Member::Absent | Base64Member::Blank => Ok(None),
        Base64Member::Bytes(bytes) => Ok(Some(bytes)),
        Base64Member::Malformed => {
            let text = Fault::MalformedBase64.text();
            let text = text.split_once(':').map_or(text, |(_, text)| text);
            Err(Refusal::with_message(Fault::MalformedBase64, format!("{name}:{text}")))
        }
    }
}

/// The bytes of a member that must be there and not blank.
///
/// # Errors
/// A [`Refusal`] when it is not, or no base64.
pub(super) fn required_bytes(name: &'static str, member: Base64Member) -> Result<Vec<u8>, Refusal> {
    let mut violations = Violations::default();
    violations.require_base64(name, &member);
    violations.finish()?;
    Ok(bytes(name, member)?.map(|mut bytes| std::mem::take(&mut *bytes)).unwrap_or_default())
}

/// The signature algorithm of this name; blank is as good as none.
///
/// # Errors
/// A [`Refusal`] when no algorithm has this name.
pub(super) fn algorithm(name: Option<String>) -> Result<Option<SignatureAlgorithm>, Refusal> {
    let name = not_blank(name);
    let parse = |name: &str| SignatureAlgorithm::parse(name.trim());
    name.map(|name| parse(&name).ok_or_else(|| Fault::AlgorithmNotSupported.into())).transpose()
}

/// Absent when blank.
pub(super) fn not_blank(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_is_told() {
        let mut violations = Violations::default();
        violations.require_text("request.applicationId", Some(" "));
        violations.require_text("request.referenceId", Some("x"));
        violations.require_time("request.timeStamp", WireTime::Absent).unwrap();
        violations.require_base64("request.data", &Base64Member::Blank);
        violations.refuse_blank("request.salt", &Base64Member::Blank);
        violations.refuse_blank("request.aad", &Base64Member::Absent);
        let messages: Vec<_> =
            violations.finish().unwrap_err().entries.into_iter().map(|entry| entry.message).collect();
        assert_eq!(
            messages,
            [
                "request.applicationId should not be null or empty",
                "request.timeStamp should not be null or empty",
                "request.data should not be null or empty",
                "request.salt should not be null or empty",
            ]
        );
    }

    #[test]
    fn malformed_members_are_named() {
        let refusal =
            Violations::default().require_time("request.timeStamp", WireTime::Malformed).unwrap_err();
        assert_eq!(refusal.entries[0].code, "KER-KMS-006");
        assert!(refusal.entries[0].message.starts_with("request.timeStamp: timestamp should be"));
        let refusal = bytes("request.aad", Base64Member::Malformed).unwrap_err();
        assert_eq!(refusal.entries[0].code, "KER-CRY-003");
        assert!(refusal.entries[0].message.starts_with("request.aad: input data is not base64"));
    }
}
