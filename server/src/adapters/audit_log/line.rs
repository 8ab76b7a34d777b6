//! One event as one line.

use std::{io, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::domain::{
    audit::{AuditEvent, Outcome},
    client::ClientId,
};

/// The longest line, sequence and line end included. Names and codes are bounded long before they come here.
pub(super) const MAX_LINE_BYTES: usize = 16 * 1024;

/// A line from its second member on, `"time":…}`: the number is known only to the thread that writes.
pub(super) struct UnnumberedLine(String);

/// Writes the event.
///
/// # Errors
/// `InvalidInput` when the line would be longer than [`MAX_LINE_BYTES`].
pub(super) fn encode(event: &AuditEvent) -> io::Result<UnnumberedLine> {
    let (outcome, code) = match event.outcome {
        Outcome::Failed(code) => ("failed", Some(code)),
        Outcome::Refused(code) => ("refused", Some(code)),
        Outcome::Succeeded => ("succeeded", None),
    };
    let mut text = serde_json::to_string(&Line {
        time: event.at.to_text(),
        operation: event.operation,
        principal: event.principal.as_deref(),
        address: event.address,
        request_id: event.request_id.as_deref(),
        client: event.client.as_ref().map(ClientId::as_str),
        application: event.alias.as_ref().map(|alias| alias.application.as_str()),
        reference: event.alias.as_ref().map(|alias| alias.reference.as_str()),
        key_id: event.key.as_ref().map(|key| key.0.as_str()),
        outcome,
        code,
    })?;
    if text.len() + NUMBER_BYTES > MAX_LINE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the audit event is too long"));
    }
    text.remove(0);
    Ok(UnnumberedLine(text))
}

impl UnnumberedLine {
    /// Appends the line with its number and end.
    pub(super) fn write(&self, sequence: u64, to: &mut Vec<u8>) {
        to.extend_from_slice(b"{\"sequence\":");
        to.extend_from_slice(sequence.to_string().as_bytes());
        to.push(b',');
        to.extend_from_slice(self.0.as_bytes());
        to.push(b'\n');
    }
}

/// The number of a whole line (without its end); `None` for anything that was not written by this module.
pub(super) fn sequence(line: &[u8]) -> Option<u64> {
    /// Reading it as JSON proves that the line is whole.
    #[derive(Deserialize)]
    struct Numbered {
        sequence: u64,
    }
    let numbered: Numbered = serde_json::from_slice(line).ok()?;
    Some(numbered.sequence)
}

/// Room for `{"sequence":<20 digits>,` and the line end.
const NUMBER_BYTES: usize = 40;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    time: String,
    operation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{alias::KeyAlias, key::KeyId, time::Timestamp};

    fn text(event: &AuditEvent, sequence: u64) -> String {
        let mut bytes = Vec::new();
        encode(event).unwrap().write(sequence, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    fn bare() -> AuditEvent {
        AuditEvent {
            at: Timestamp::from_millis(1_767_607_872_007),
            operation: "server.start",
            principal: None,
            address: None,
            request_id: None,
            client: None,
            alias: None,
            key: None,
            outcome: Outcome::Succeeded,
        }
    }

    #[test]
    fn full_event_has_every_member() {
        let event = AuditEvent {
            operation: "packet.decrypt",
            principal: Some("reg\"proc\n".to_owned()),
            address: Some([192, 0, 2, 7].into()),
            request_id: Some("r-1".into()),
            client: ClientId::parse("pms"),
            alias: Some(KeyAlias::parse("REGISTRATION", "10001_110011").unwrap()),
            key: Some(KeyId("k-1".to_owned())),
            outcome: Outcome::Failed("KER-FSE-004"),
            ..bare()
        };
        assert_eq!(
            text(&event, 42),
            "{\"sequence\":42,\"time\":\"2026-01-05T10:11:12.007Z\",\"operation\":\"packet.decrypt\",\
             \"principal\":\"reg\\\"proc\\n\",\"address\":\"192.0.2.7\",\"requestId\":\"r-1\",\"client\":\"pms\",\
             \"application\":\"REGISTRATION\",\"reference\":\"10001_110011\",\"keyId\":\"k-1\",\
             \"outcome\":\"failed\",\"code\":\"KER-FSE-004\"}\n"
        );
    }

    #[test]
    fn absent_members_are_left_out() {
        assert_eq!(
            text(&bare(), u64::MAX),
            "{\"sequence\":18446744073709551615,\"time\":\"2026-01-05T10:11:12.007Z\",\
             \"operation\":\"server.start\",\"outcome\":\"succeeded\"}\n"
        );
        let refused = AuditEvent { outcome: Outcome::Refused("KER-ATH-401"), ..bare() };
        assert!(text(&refused, 1).ends_with("\"outcome\":\"refused\",\"code\":\"KER-ATH-401\"}\n"));
    }

    #[test]
    fn sequence_is_read_from_whole_lines_only() {
        let line = text(&bare(), 7);
        let line = line.trim_end().as_bytes();
        assert_eq!(sequence(line), Some(7));
        for cut in 0..line.len() {
            assert_eq!(sequence(&line[..cut]), None);
        }
        let mut holed = line.to_vec();
        holed[30..40].fill(0);
        assert_eq!(sequence(&holed), None);
    }

    #[test]
    fn lines_are_bounded() {
        let with = |length| AuditEvent { principal: Some("x".repeat(length)), ..bare() };
        assert!(text(&with(MAX_LINE_BYTES - 200), u64::MAX).len() <= MAX_LINE_BYTES);
        assert!(encode(&with(MAX_LINE_BYTES)).is_err());
    }
}
