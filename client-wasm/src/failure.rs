//! Errors of `kunji-shared` as the one error class of the package.

use alloc::string::ToString as _;
use core::fmt::Display;

use kunji_shared::{
    certificate::{CertificateError, RecipientError},
    layouts::{biometric::CaptureLength, container::ContainerError},
    packet::{FormatError, OpenError, SealError, SplitterLength},
    public_key::PublicKeyError,
};
use wasm_bindgen::JsValue;

use crate::host;

/// An error on its way to JavaScript.
pub(crate) struct Failure(JsValue);

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl Failure {
    /// The texts of `kunji-shared` say what is wrong, and behind a semicolon what to do.
    fn new(code: &str, text: &impl Display) -> Self {
        let text = text.to_string();
        let (message, hint) = text.split_once("; ").unwrap_or((&text, ""));
        Self(host::failure(code, message, hint))
    }

    /// The pinned certificates are not there.
    pub(crate) fn anchors_missing() -> Self {
        Self(host::failure(
            "anchors.missing",
            "no trust anchor was given",
            "pass the PEM of the root certificate that you pin, as options.anchors",
        ))
    }

    /// One of the pinned certificates cannot be read.
    pub(crate) fn anchors_malformed(error: CertificateError) -> Self {
        Self::new("anchors.malformed", &AnchorError(error))
    }
}

struct AnchorError(CertificateError);

impl Display for AnchorError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "a trust anchor cannot be read: {}", self.0)
    }
}

impl From<RecipientError> for Failure {
    fn from(error: RecipientError) -> Self {
        let text = error.to_string();
        // The text of a cause has its own advice, of which `hint` is the better form.
        let message = text.split_once("; ").map_or(text.as_str(), |(message, _)| message);
        Self(host::failure(error.code(), message, error.hint()))
    }
}

macro_rules! from_coded {
    ($($error:ty),+) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.code(), &error)
            }
        }
    )+};
}

from_coded!(
    CaptureLength,
    CertificateError,
    ContainerError,
    FormatError,
    OpenError,
    PublicKeyError,
    SealError,
    SplitterLength
);
