//! One event as one line.

use std::{io, net::IpAddr};

use serde::Serialize;
use serde_json::Value;

use crate::domain::{
    audit::{AuditEvent, Outcome},
    client::ClientId,
};

/// The longest line, sequence and line end included. Names and codes are bounded long before they come here; the
/// settings in force are the longest there is.
pub(super) const MAX_LINE_BYTES: usize = 64 * 1024;

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
        application: event.application.as_deref(),
        reference: event.reference.as_deref(),
        key_id: event.key.as_ref().map(|key| key.0.as_str()),
        outcome,
        code,
        microseconds: event.duration.map(|duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)),
        details: event.details.as_ref(),
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
    #[serde(skip_serializing_if = "Option::is_none")]
    microseconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Value>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{audit::export::sequence_of, key::KeyId, time::Timestamp};

    fn text(event: &AuditEvent, sequence: u64) -> String {
        let mut bytes = Vec::new();
        encode(event).unwrap().write(sequence, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    fn bare() -> AuditEvent {
        AuditEvent::own(Timestamp::from_millis(1_767_607_872_007), "server.start")
    }

    #[test]
    fn full_event_has_every_member() {
        let event = AuditEvent {
            operation: "packet.decrypt",
            principal: Some("reg\"proc\n".to_owned()),
            address: Some([192, 0, 2, 7].into()),
            request_id: Some("r-1".into()),
            client: ClientId::parse("pms"),
            application: Some("REGISTRATION".to_owned()),
            reference: Some("10001_110011".to_owned()),
            key: Some(KeyId("k-1".to_owned())),
            outcome: Outcome::Failed("KER-FSE-004"),
            duration: Some(Duration::from_micros(412)),
            details: Some(serde_json::json!({ "count": 3 })),
            ..bare()
        };
        assert_eq!(
            text(&event, 42),
            "{\"sequence\":42,\"time\":\"2026-01-05T10:11:12.007Z\",\"operation\":\"packet.decrypt\",\
             \"principal\":\"reg\\\"proc\\n\",\"address\":\"192.0.2.7\",\"requestId\":\"r-1\",\"client\":\"pms\",\
             \"application\":\"REGISTRATION\",\"reference\":\"10001_110011\",\"keyId\":\"k-1\",\
             \"outcome\":\"failed\",\"code\":\"KER-FSE-004\",\"microseconds\":412,\"details\":{\"count\":3}}\n"
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
        assert_eq!(sequence_of(line), Some(7));
        for cut in 0..line.len() {
            assert_eq!(sequence_of(&line[..cut]), None);
        }
        let mut holed = line.to_vec();
        holed[30..40].fill(0);
        assert_eq!(sequence_of(&holed), None);
    }

    #[test]
    fn lines_are_bounded() {
        let with = |length| AuditEvent { principal: Some("x".repeat(length)), ..bare() };
        assert!(text(&with(MAX_LINE_BYTES - 200), u64::MAX).len() <= MAX_LINE_BYTES);
        assert!(encode(&with(MAX_LINE_BYTES)).is_err());
    }
}
