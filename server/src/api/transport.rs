//! Failures that have nothing to do with what an operation does: routing, access, limits, transport.
//!
//! poem's and poem-openapi's own errors are told apart by their types here, and nowhere else; their texts,
//! which may hold values of the request, are never used.

use poem::{
    error::{MethodNotAllowedError, NotFoundError, ReadBodyError, ResponseError},
    http::StatusCode,
};
use poem_openapi::error::{ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError};

use crate::services::authorization::AccessRefusal;

/// Seconds after which a caller may try again what was not available.
pub(super) const RETRY_SECONDS: u32 = 5;

/// A request that did not reach its operation, or did not come back from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TransportError {
    /// The body ended early or could not be read.
    #[error("the request body ended early or could not be read; send it again in full")]
    Body,
    /// Access policies do not allow the caller the operation.
    #[error("no access policy allows the caller this operation")]
    Forbidden,
    /// A browser sent a cookie for a page of another site.
    #[error("cookies are not accepted from pages of other sites; send the token in the Authorization header")]
    ForeignOrigin,
    /// Something failed inside; the log has more.
    #[error("internal server error; the server's log has more under the request id")]
    Internal,
    /// The content type is another.
    #[error("the content type of the request must be {expected}")]
    MediaType {
        /// The type that is read here.
        expected: &'static str,
    },
    /// The path does not take the method.
    #[error("the path does not take this method; the Allow header names those that it takes")]
    MethodNotAllowed,
    /// There is nothing under the path.
    #[error("there is nothing under this path")]
    NotFound,
    /// The operation took too long.
    #[error("the server could not answer in time; try again later")]
    Overloaded,
    /// A parameter is missing or no such value.
    #[error("{name} should not be null or empty, and must be of the documented form")]
    Parameter {
        /// The parameter.
        name: &'static str,
    },
    /// A policy limits how often the caller may do it.
    #[error("too many requests of this caller; wait for {seconds} s")]
    RateExceeded {
        /// Seconds until the next one is heard.
        seconds: u32,
    },
    /// The request took too long to arrive.
    #[error("the request did not arrive in time; send it again")]
    Timeout,
    /// There is a token, and it is not accepted.
    #[error("the access token was not made here, or has ended; take another one at /oauth2/token")]
    TokenRefused,
    /// Too many requests of the address failed lately.
    #[error(
        "too many requests from this address failed; wait for {seconds} s, and check the credentials sent"
    )]
    TooManyFailures {
        /// Seconds until the next one is heard.
        seconds: u32,
    },
    /// The body is larger than the limit.
    #[error("the request body is larger than {limit} bytes; send less, or have the limit raised")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Something that every operation needs is away.
    #[error("the server cannot do this now; nothing was done; try again later")]
    Unavailable,
    /// The path and query are longer than any that is served.
    #[error("path and query are longer than 8192 bytes; nothing here has such an address")]
    UriTooLong,
    /// There is no token.
    #[error("a valid access token is needed; take one at /oauth2/token")]
    Unauthenticated,
}

impl TransportError {
    /// Every kind, with a sample of its fields.
    pub(super) const ALL: [Self; 17] = [
        Self::Body,
        Self::Forbidden,
        Self::ForeignOrigin,
        Self::Internal,
        Self::MediaType { expected: "application/json" },
        Self::MethodNotAllowed,
        Self::NotFound,
        Self::Overloaded,
        Self::Parameter { name: "applicationId" },
        Self::RateExceeded { seconds: 2 },
        Self::Timeout,
        Self::TokenRefused,
        Self::TooLarge { limit: 67_108_864 },
        Self::TooManyFailures { seconds: 2 },
        Self::Unauthenticated,
        Self::Unavailable,
        Self::UriTooLong,
    ];

    /// The status outside of the envelope's "200 for whatever a caller did wrong".
    pub(super) const fn status_code(self) -> StatusCode {
        match self {
            Self::Body | Self::Parameter { .. } => StatusCode::BAD_REQUEST,
            Self::Forbidden | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Overloaded | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateExceeded { .. } | Self::TooManyFailures { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::TokenRefused | Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
        }
    }

    /// Seconds after which the caller may try again.
    pub(super) const fn retry_after(self) -> Option<u32> {
        match self {
            Self::Overloaded | Self::Unavailable => Some(RETRY_SECONDS),
            Self::RateExceeded { seconds } | Self::TooManyFailures { seconds } => Some(seconds),
            _ => None,
        }
    }

    /// What `error` is, by its type. `expected` is the content type that the route reads.
    pub(super) fn classify(error: &poem::Error, expected: &'static str) -> Self {
        if let Some(known) = error.downcast_ref::<Self>() {
            return *known;
        }
        if error.is::<NotFoundError>() || error.is::<poem::error::ParsePathError>() {
            return Self::NotFound;
        }
        if error.is::<MethodNotAllowedError>() {
            return Self::MethodNotAllowed;
        }
        if error.is::<ContentTypeError>() {
            return Self::MediaType { expected };
        }
        if let Some(parameter) = error.downcast_ref::<ParseParamError>() {
            return Self::Parameter { name: parameter.name };
        }
        if error.is::<ParsePathError>() {
            return Self::Parameter { name: "path" };
        }
        if error.is::<ParseRequestPayloadError>() {
            return Self::Body;
        }
        match error.downcast_ref::<ReadBodyError>() {
            Some(ReadBodyError::Io(_) | ReadBodyError::Utf8(_)) => Self::Body,
            _ => Self::Internal,
        }
    }
}

impl From<AccessRefusal> for TransportError {
    fn from(refusal: AccessRefusal) -> Self {
        match refusal {
            AccessRefusal::Ended(_) => Self::TokenRefused,
            AccessRefusal::Forbidden => Self::Forbidden,
            AccessRefusal::RateExceeded { seconds } => Self::RateExceeded { seconds },
        }
    }
}

impl ResponseError for TransportError {
    fn status(&self) -> StatusCode {
        self.status_code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frameworks_errors_are_known_by_their_types() {
        let classify = |error: poem::Error| TransportError::classify(&error, "application/json");
        assert_eq!(classify(NotFoundError.into()), TransportError::NotFound);
        assert_eq!(classify(MethodNotAllowedError.into()), TransportError::MethodNotAllowed);
        let type_error = ContentTypeError::NotSupported { content_type: "secret/value".to_owned() };
        let shown = classify(type_error.into()).to_string();
        assert!(shown.contains("application/json") && !shown.contains("secret"), "{shown}");
        let parameter = ParseParamError { name: "applicationId", reason: "secret".to_owned() };
        assert_eq!(classify(parameter.into()), TransportError::Parameter { name: "applicationId" });
        assert_eq!(classify(std::io::Error::other("?").into_poem()), TransportError::Internal);
    }

    trait IntoPoem {
        fn into_poem(self) -> poem::Error;
    }

    impl IntoPoem for std::io::Error {
        fn into_poem(self) -> poem::Error {
            poem::Error::new(self, StatusCode::BAD_GATEWAY)
        }
    }
}
