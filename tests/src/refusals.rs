//! What every refusal must look like, whoever asks.

use reqwest::StatusCode;
use serde_json::Value;

use crate::http::Answer;

/// Names of an object's members.
pub fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap_or_else(|| panic!("no object: {object}")).keys().map(String::as_str).collect()
}

/// Whether the text is `yyyy-MM-ddTHH:mm:ss.SSSZ`, the one form that every reader takes.
pub fn is_millisecond_time(text: &Value) -> bool {
    let form = "dddd-dd-ddTdd:dd:dd.dddZ";
    text.as_str().is_some_and(|text| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(found, wanted)| match wanted {
                b'd' => found.is_ascii_digit(),
                _ => found == wanted,
            })
    })
}

impl Answer {
    /// Checks that this is a failed envelope with exactly the members of the reference, one error and this code;
    /// returns the error's text.
    #[track_caller]
    pub fn envelope_error(&self, status: u16, code: &str) -> &str {
        let errors = self.envelope_errors(status);
        assert_eq!(errors.len(), 1, "{self:?}");
        assert_eq!(errors[0].0, code, "{self:?}");
        errors[0].1
    }

    /// The same for any number of errors; returns codes and texts.
    #[track_caller]
    pub fn envelope_errors(&self, status: u16) -> Vec<(&str, &str)> {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        // Not through `self.body`: text behind the envelope, such as a second one, must fail here.
        let whole: Value = serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"));
        assert_eq!(sorted(names(&whole)), sorted(ENVELOPE.to_vec()), "{self:?}");
        assert!(is_millisecond_time(&whole["responsetime"]), "{self:?}");
        assert!(whole["metadata"].is_null() && whole["response"].is_null(), "{self:?}");
        let errors = self.body["errors"].as_array().unwrap_or_else(|| panic!("no errors: {self:?}"));
        assert!(!errors.is_empty(), "{self:?}");
        errors
            .iter()
            .map(|error| {
                assert_eq!(sorted(names(error)), ["errorCode", "message"], "{self:?}");
                let (code, text) = (error["errorCode"].as_str().unwrap(), error["message"].as_str().unwrap());
                assert!(!text.trim().is_empty(), "{self:?}");
                (code, text)
            })
            .collect()
    }

    /// Checks that this is a problem document (RFC 9457) with this status and code; returns its detail.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!(self.body["code"], code, "{self:?}");
        assert_eq!(self.body["status"], status, "{self:?}");
        assert_eq!(self.body["type"], format!("urn:kunji:problem:{code}"), "{self:?}");
        let id = self.headers["x-request-id"].to_str().unwrap();
        assert_eq!(self.body["instance"], format!("urn:uuid:{id}"), "{self:?}");
        assert_eq!(
            sorted(names(&self.body)),
            ["code", "detail", "instance", "status", "title", "type"],
            "{self:?}"
        );
        self.body["detail"].as_str().unwrap()
    }

    /// Checks that nothing of the answer, headers included, has this text in it.
    #[track_caller]
    pub fn assert_hides(&self, planted: &str) {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value:?}\n"));
        let whole: String = headers.chain([self.text.clone()]).collect();
        assert!(!whole.to_lowercase().contains(&planted.to_lowercase()), "{planted:?} came back: {self:?}");
    }

    /// Status and body without what differs from one answer to the next: the time, and the request's name.
    pub fn without_time(&self) -> (StatusCode, String) {
        let mut text = self.text.clone();
        for member in ["responsetime", "instance"] {
            if let Some(value) = self.body[member].as_str() {
                text = text.replace(value, "");
            }
        }
        (self.status, text)
    }
}

/// Members of an envelope.
pub const ENVELOPE: [&str; 6] = ["id", "version", "responsetime", "metadata", "response", "errors"];

/// The same names, sorted.
pub fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}
