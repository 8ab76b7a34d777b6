//! Which events somebody looks for.

use std::borrow::Cow;

use serde::Deserialize;

/// What an event must be; a member that is `None` admits all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// The operation; one that ends in `*` stands for all that begin so.
    pub operation: Option<String>,
    /// Who.
    pub principal: Option<String>,
    /// The peer's address.
    pub address: Option<String>,
    /// The application.
    pub application: Option<String>,
    /// The reference, in every form that it may stand in.
    pub references: Option<Vec<String>>,
    /// The key version.
    pub key_id: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// `succeeded`, `failed` or `refused`.
    pub outcome: Option<String>,
    /// Why it failed or was refused.
    pub code: Option<String>,
    /// The first instant: any beginning of `yyyy-MM-ddTHH:mm:ss.SSS`.
    pub since: Option<String>,
    /// The instant after the last one, in the same form.
    pub until: Option<String>,
}

/// The members that are looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(borrow)]
    principal: Option<Cow<'a, str>>,
    #[serde(borrow)]
    address: Option<Cow<'a, str>>,
    #[serde(borrow)]
    application: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reference: Option<Cow<'a, str>>,
    #[serde(borrow)]
    key_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
}

impl EventFilter {
    /// Whether the event of this line is looked for.
    pub fn admits(&self, line: &[u8]) -> bool {
        if *self == Self::default() {
            return true;
        }
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return false };
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let operation = |wanted: &str| match wanted.strip_suffix('*') {
            Some(beginning) => line.operation.starts_with(beginning),
            None => line.operation == wanted,
        };
        self.operation.as_deref().is_none_or(operation)
            && is(&self.principal, line.principal.as_deref())
            && is(&self.address, line.address.as_deref())
            && is(&self.application, line.application.as_deref())
            && self.references.as_ref().is_none_or(|wanted| {
                line.reference.as_deref().is_some_and(|found| wanted.iter().any(|wanted| wanted == found))
            })
            && is(&self.key_id, line.key_id.as_deref())
            && is(&self.request_id, line.request_id.as_deref())
            && is(&self.outcome, Some(&line.outcome))
            && is(&self.code, line.code.as_deref())
            && self.since.as_deref().is_none_or(|since| *line.time >= *since)
            && self.until.as_deref().is_none_or(|until| *line.time < *until)
    }

    /// Whether a text can be an end of the time looked at.
    pub fn is_instant(text: &str) -> bool {
        const FORM: &[u8] = b"0000-00-00T00:00:00.000";
        (4..=FORM.len()).contains(&text.len())
            && text.bytes().zip(FORM).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                other => byte == *other,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = br#"{"sequence":7,"time":"2026-01-05T10:11:12.007Z","operation":"packet.decrypt","principal":"reg\"proc","application":"REGISTRATION","reference":"","outcome":"failed","code":"KER-FSE-004"}"#;

    #[test]
    fn every_member_must_fit() {
        let text = |text: &str| Some(text.to_owned());
        let all = EventFilter {
            operation: text("packet.decrypt"),
            principal: text("reg\"proc"),
            application: text("REGISTRATION"),
            references: Some(vec!["~x".to_owned(), String::new()]),
            outcome: text("failed"),
            code: text("KER-FSE-004"),
            since: text("2026-01-05T10:11:12"),
            until: text("2026-01-05T10:12"),
            ..EventFilter::default()
        };
        assert!(all.admits(LINE) && EventFilter::default().admits(LINE));
        for other in [
            EventFilter { operation: text("packet.encrypt"), ..all.clone() },
            EventFilter { principal: text("reg"), ..all.clone() },
            EventFilter { address: text("192.0.2.7"), ..all.clone() },
            EventFilter { references: Some(vec!["x".to_owned()]), ..all.clone() },
            EventFilter { key_id: text("k"), ..all.clone() },
            EventFilter { request_id: text("r"), ..all.clone() },
            EventFilter { outcome: text("succeeded"), ..all.clone() },
            EventFilter { code: text("KER"), ..all.clone() },
            EventFilter { since: text("2026-01-05T10:11:13"), ..all.clone() },
            EventFilter { until: text("2026-01-05T10:11:12.007"), ..all.clone() },
        ] {
            assert!(!other.admits(LINE), "{other:?}");
        }
        assert!(EventFilter { operation: text("packet.*"), ..all }.admits(LINE));
    }

    #[test]
    fn instants_may_end_early() {
        for text in ["2026", "2026-01-05", "2026-01-05T10:11:12.007"] {
            assert!(EventFilter::is_instant(text), "{text}");
        }
        for text in ["", "now", "2026-1-5", "2026-01-05 10:11", "2026-01-05T10:11:12.007Z"] {
            assert!(!EventFilter::is_instant(text), "{text}");
        }
    }
}
