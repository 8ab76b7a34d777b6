//! Problem documents (RFC 9457) and the one table of their codes.

use std::borrow::Cow;

use poem::{
    Response,
    error::ResponseError,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaResponses, Registry},
};
use serde::Serialize;

use crate::{
    api::{
        transport::{RETRY_SECONDS, TransportError},
        wire::JsonFault,
    },
    domain::alias::AliasError,
    services::{
        access::{AccessError, SecretHashError},
        audit::TrailError,
        authorization::{AccessPolicyError, ApprovalError},
        demo::DemoError,
        packets::PacketError,
    },
};

mod of_keys;

/// The content type of problem documents.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! problem_kinds {
    ($($name:ident, $code:literal, $status:literal, $title:literal;)+) => {
        /// What went wrong. The code is stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum ProblemKind {
            $(#[doc = $title] $name,)+
        }

        impl ProblemKind {
            /// Every kind.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code.
            pub(crate) const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The HTTP status.
            pub(crate) const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// The same text for every occurrence.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

problem_kinds! {
    ApprovalNotFound, "approval.not_found", 404, "No request of this name waits for approval";
    ApprovalsFull, "approval.too_many", 409, "Too many requests wait for approval";
    ApprovalVoteRefused, "approval.vote_refused", 409, "The approval or denial does not count";
    AccessLockout, "access.lockout", 409, "The change would lock its author out";
    AccessPoliciesFull, "access.too_many_policies", 409, "No more access policies can be stored";
    AccessPolicyInvalid, "access.policy_invalid", 422, "The access policy makes no sense";
    AccessPolicyNotFound, "access.policy_not_found", 404, "There is no such access policy";
    AccessQuestionInvalid, "access.question_invalid", 422, "The question makes no sense";
    AliasInvalid, "alias.invalid", 400, "Application or reference is no name of a key";
    ApplicationUnknown, "application.unknown", 404, "No policy allows keys for the application";
    AuditOutOfRange, "audit.out_of_range", 404, "The audit trail has no such events";
    BaseKeyNotAllowed, "alias.base_key_not_allowed", 409, "The application has no encryption keys";
    CertificateNotFound, "certificate.not_found", 404, "There is no such public certificate";
    ClientChanged, "client.changed", 412, "The client is not in the state that If-Match names";
    ClientExists, "client.exists", 409, "The client id is taken";
    ClientInvalid, "client.invalid", 422, "The client cannot be made as described";
    ClientNotFound, "client.not_found", 404, "There is no such client";
    ContentEmpty, "packet.content_empty", 400, "There is no content to encrypt";
    DecryptionFailed, "packet.decryption_failed", 422, "The packet does not open";
    Forbidden, "access.forbidden", 403, "The caller may not do this";
    ForeignKey, "packet.foreign_key", 409, "The packet is for another application or reference";
    InboxFull, "demo.inbox_full", 507, "The demo's inbox is full";
    Internal, "service.internal", 500, "The server failed";
    KeyPoliciesFull, "policy.too_many", 409, "No more key policies can be stored";
    KeyPolicyChanged, "policy.changed", 412, "The key policy is another than the caller has seen";
    KeyPolicyInvalid, "policy.invalid", 422, "The key policy makes no sense";
    KeyPolicyNeeded, "policy.needed", 409, "The server's own keys need the policy";
    KeyPolicyNotFound, "policy.not_found", 404, "There is no such key policy";
    LastAdministrator, "client.last_administrator", 409, "Without the client nobody could administer the server";
    KeyChangeRefused, "key.change_refused", 409, "The key's state does not let it";
    KeyClosed, "key.closed", 409, "The key was revoked, and no other one is made by itself";
    KeyCurrent, "key.current", 409, "The newest key is not destroyed";
    KeyExists, "key.exists", 409, "The alias has a current key";
    KeyForestalled, "key.forestalled", 409, "The key has a successor already";
    KeyNeeded, "key.needed", 409, "Something needs the key";
    KeyNothingToDestroy, "key.nothing_to_destroy", 409, "The private part of the key is not here";
    KeyNotFound, "key.not_found", 404, "There is no such key";
    KeyNotUsable, "key.not_usable", 409, "The key's state does not let it be used";
    MediaType, "request.media_type", 415, "The content type is not read here";
    MethodNotAllowed, "request.method_not_allowed", 405, "The path does not take the method";
    ModuleKeyMissing, "key.module_missing", 409, "The application's module key was not generated";
    NameTaken, "alias.taken", 409, "Application and reference are of a key of this server";
    NotFound, "request.not_found", 404, "There is nothing under the path";
    OtherDomainsKey, "packet.other_domain", 409, "Only another domain can open the packet";
    OwnClient, "client.own", 409, "A client cannot do this to itself";
    PacketMalformed, "packet.malformed", 400, "The bytes are no packet";
    PolicyForbids, "access.policy", 403, "No policy admits the caller to the keys";
    PreconditionFailed, "access.precondition_failed", 412, "The access policy is another than the caller has seen";
    PreconditionRequired, "request.precondition_required", 428, "The request must say which state it changes";
    QuotaExceeded, "key.quota_exceeded", 429, "The caller made too many keys within the hour";
    RateExceeded, "request.rate_exceeded", 429, "Too many requests";
    ReferenceNotAllowed, "alias.reference_not_allowed", 422, "The reference does not fit the application's pattern";
    CertificateRequestInvalid, "certificate_request.invalid", 422, "The certificate request cannot be granted";
    RequestIncomplete, "request.incomplete", 400, "The body ended early or could not be read";
    RequestInvalid, "request.invalid", 400, "The request is not as documented";
    RequestTimeout, "request.timeout", 408, "The request did not arrive in time";
    RevocationListNotFound, "revocation_list.not_found", 404, "There is no such revocation list";
    RootKeyMissing, "key.root_missing", 409, "The root key was not generated";
    SecretsInForce, "client.secrets_in_force", 409, "Too many replaced secrets of the client are still good";
    SignatureAlgorithm, "signature.algorithm", 409, "The key does not sign with this algorithm";
    SignatureCertificate, "signature.certificate", 422, "The certificate cannot be read";
    SignatureCertifying, "signature.certifying", 422, "The signature could be that of a certificate";
    SignatureContent, "signature.content", 422, "There is nothing to sign, or it does not fit the algorithm";
    SignatureMalformed, "signature.malformed", 422, "What is to be verified is no signature of this form";
    SigningKey, "alias.signing_key", 409, "The key of the alias signs and does not encrypt";
    TooLarge, "request.too_large", 413, "The body is larger than the limit";
    Unauthenticated, "access.unauthenticated", 401, "A valid access token is needed";
    Unavailable, "service.unavailable", 503, "The server cannot do this now";
    UriTooLong, "request.uri_too_long", 414, "Path and query are too long";
    UnknownKey, "packet.unknown_key", 404, "No key of this server has the packet's thumbprint";
}

impl ProblemKind {
    /// The URI of this kind: `urn:kunji:problem:<code>`.
    pub(crate) fn uri(self) -> String {
        format!("urn:kunji:problem:{}", self.code())
    }
}

/// A failure of an operation of ours, on its way to becoming a document.
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", kind.code())]
pub(crate) struct Problem {
    kind: ProblemKind,
    detail: Cow<'static, str>,
    retry_after: Option<u32>,
    /// Whether there was a token, which is not accepted.
    token_refused: bool,
    /// What the log says and the caller does not learn.
    cause: Option<String>,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), retry_after: None, token_refused: false, cause: None }
    }

    pub(crate) const fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What went wrong.
    pub(crate) const fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// What is wrong this time.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// One address asked too often; it may ask again after so many seconds.
    pub(crate) fn too_often(seconds: u32) -> Self {
        Self::new(ProblemKind::RateExceeded, "ask less often").with_retry_after(seconds)
    }

    /// A JSON body that was not read.
    pub(crate) fn invalid_body(fault: JsonFault) -> Self {
        Self::new(ProblemKind::RequestInvalid, format!("the request body was not read: {fault}"))
    }

    pub(super) fn internal(cause: &dyn std::error::Error) -> Self {
        let detail = "the server failed; its log has more under the request id";
        Self { cause: Some(with_sources(cause)), ..Self::new(ProblemKind::Internal, detail) }
    }

    pub(super) fn unavailable(cause: &dyn std::error::Error) -> Self {
        let detail = "the server cannot do this now; nothing was done; try again later";
        Self {
            cause: Some(with_sources(cause)),
            ..Self::new(ProblemKind::Unavailable, detail).with_retry_after(RETRY_SECONDS)
        }
    }

    fn unsettled(cause: &dyn std::error::Error) -> Self {
        let detail = "database or audit trail went away meanwhile, and whether this was done is not known; look before \
                      trying again";
        Self { detail: detail.into(), ..Self::unavailable(cause) }
    }

    /// The document.
    pub(crate) fn into_answer(self, request_id: &str) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!(request_id, code = self.kind.code(), cause, "a request failed");
        } else {
            tracing::info!(request_id, code = self.kind.code(), "a request failed");
        }
        let document = ProblemAnswer {
            kind: self.kind.uri(),
            title: self.kind.title().into(),
            status: self.kind.status(),
            detail: self.detail.into_owned(),
            instance: format!("urn:uuid:{request_id}"),
            code: self.kind.code().into(),
        };
        let mut response = Response::builder()
            .status(status_of(self.kind))
            .content_type(PROBLEM_JSON)
            .body(serde_json::to_vec(&document).unwrap_or_default());
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.kind == ProblemKind::Unauthenticated {
            // RFC 6750, 3.1: nothing is said of an error to whoever has shown no token.
            let challenge = if self.token_refused { "Bearer error=\"invalid_token\"" } else { "Bearer" };
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// A problem document.
#[derive(Debug, Serialize, Object)]
pub(crate) struct ProblemAnswer {
    /// Names the kind of problem: `urn:kunji:problem:` and the code.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    kind: String,
    /// What the kind means.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time, and how to mend it.
    detail: String,
    /// Names the request: `urn:uuid:` and the request id, as in the header `X-Request-Id`.
    instance: String,
    /// The stable code.
    code: String,
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        status_of(self.kind)
    }
}

/// The description of the API lists problems for every operation alike.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![] }
    }

    fn register(_: &mut Registry) {}
}

fn status_of(kind: ProblemKind) -> StatusCode {
    StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An error and what it came from, on one line.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl From<TransportError> for Problem {
    fn from(error: TransportError) -> Self {
        let kind = match error {
            TransportError::Body => ProblemKind::RequestIncomplete,
            TransportError::Forbidden | TransportError::ForeignOrigin => ProblemKind::Forbidden,
            TransportError::Internal => ProblemKind::Internal,
            TransportError::MediaType { .. } => ProblemKind::MediaType,
            TransportError::MethodNotAllowed => ProblemKind::MethodNotAllowed,
            TransportError::NotFound => ProblemKind::NotFound,
            TransportError::Overloaded | TransportError::Unavailable => ProblemKind::Unavailable,
            TransportError::Parameter { .. } => ProblemKind::RequestInvalid,
            TransportError::Timeout => ProblemKind::RequestTimeout,
            TransportError::TooLarge { .. } => ProblemKind::TooLarge,
            TransportError::RateExceeded { .. } | TransportError::TooManyFailures { .. } => {
                ProblemKind::RateExceeded
            }
            TransportError::TokenRefused | TransportError::Unauthenticated => ProblemKind::Unauthenticated,
            TransportError::UriTooLong => ProblemKind::UriTooLong,
        };
        Self {
            retry_after: error.retry_after(),
            token_refused: error == TransportError::TokenRefused,
            ..Self::new(kind, error.to_string())
        }
    }
}

impl From<AliasError> for Problem {
    fn from(error: AliasError) -> Self {
        Self::new(ProblemKind::AliasInvalid, error.to_string())
    }
}

impl From<DemoError> for Problem {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Entropy(_) | DemoError::Inbox(_) => Self::unavailable(&error),
            DemoError::Full => Self::new(
                ProblemKind::InboxFull,
                "no more packets are taken; the operator can empty the inbox",
            ),
            DemoError::Internal(_) => Self::internal(&error),
            DemoError::Keys(error) => error.into(),
            DemoError::NotFound | DemoError::Off => TransportError::NotFound.into(),
        }
    }
}

impl From<TrailError> for Problem {
    fn from(error: TrailError) -> Self {
        match error {
            TrailError::Audit(_)
            | TrailError::Busy
            | TrailError::Files(_)
            | TrailError::Repository(_)
            | TrailError::Token(_) => Self::unavailable(&error),
            TrailError::Internal(_) | TrailError::Signature(_) => Self::internal(&error),
            TrailError::Key(error) => error.into(),
            TrailError::OutOfRange => Self::new(
                ProblemKind::AuditOutOfRange,
                "ask for events that the log has; earlier ones may have been archived elsewhere",
            ),
        }
    }
}

impl From<PacketError> for Problem {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::AccessListed => Self::new(
                ProblemKind::PolicyForbids,
                "no access policy allows it, or the access list of the application's key policy does not name the \
                 client, or the application has no key policy: check Kunji-Application; kunji access check tells \
                 administrators which",
            ),
            PacketError::Audit(_) => Self::unavailable(&error),
            PacketError::Body(cause) if cause.kind() == std::io::ErrorKind::TimedOut => {
                TransportError::Timeout.into()
            }
            PacketError::Body(_) => TransportError::Body.into(),
            PacketError::Busy => TransportError::Overloaded.into(),
            PacketError::DecryptionFailed => Self::new(
                ProblemKind::DecryptionFailed,
                "packet, key, salt and aad do not belong together, or the packet was altered",
            ),
            PacketError::Empty => Self::new(ProblemKind::ContentEmpty, "send at least one byte of content"),
            PacketError::ForeignKey => Self::new(
                ProblemKind::ForeignKey,
                "send the application and reference whose certificate the packet was made with",
            ),
            PacketError::Internal(_) => Self::internal(&error),
            PacketError::Key(error) => error.into(),
            PacketError::Malformed(error) => Self::new(ProblemKind::PacketMalformed, error.to_string()),
            PacketError::OtherDomain => Self::new(
                ProblemKind::OtherDomainsKey,
                "only the partner whose certificate the application and reference name has the private key",
            ),
            PacketError::Refused(refusal) => TransportError::from(refusal).into(),
            PacketError::SigningKey => Self::new(
                ProblemKind::SigningKey,
                "use a reference that is not blank and not KERNEL/SIGN: master keys sign and do not encrypt",
            ),
            PacketError::TooLarge { limit } => TransportError::TooLarge { limit }.into(),
            PacketError::UnknownKey => Self::new(
                ProblemKind::UnknownKey,
                "the packet was made with a certificate of another server, or is damaged at its beginning",
            ),
        }
    }
}

impl From<ApprovalError> for Problem {
    fn from(error: ApprovalError) -> Self {
        match error {
            error if error.is_unsettled() => Self::unsettled(&error),
            ApprovalError::Audit(_) | ApprovalError::Repository(_) => Self::unavailable(&error),
            ApprovalError::Full => {
                Self::new(ProblemKind::ApprovalsFull, "have some of them approved or denied first")
            }
            ApprovalError::NotFound => {
                Self::new(ProblemKind::ApprovalNotFound, "it was never asked for, or is long over")
            }
            ApprovalError::Vote(refusal) => Self::new(ProblemKind::ApprovalVoteRefused, refusal.to_string()),
        }
    }
}

impl From<AccessPolicyError> for Problem {
    fn from(error: AccessPolicyError) -> Self {
        match error {
            error if error.is_unsettled() => Self::unsettled(&error),
            AccessPolicyError::Audit(_) | AccessPolicyError::Repository(_) => Self::unavailable(&error),
            AccessPolicyError::Approvals(error) => error.into(),
            AccessPolicyError::Waits(_) | AccessPolicyError::Internal(_) => Self::internal(&error),
            AccessPolicyError::Invalid(fault) => {
                Self::new(ProblemKind::AccessPolicyInvalid, fault.to_string())
            }
            AccessPolicyError::Lockout => Self::new(
                ProblemKind::AccessLockout,
                "after it, the caller could not change access policies any more; give access.change to somebody \
                 else and let them make it",
            ),
            AccessPolicyError::NotFound => Self::new(
                ProblemKind::AccessPolicyNotFound,
                "no policy of this name is stored; one that is shipped is switched off by storing one with enabled \
                 false in its place",
            ),
            AccessPolicyError::PreconditionFailed => Self::new(
                ProblemKind::PreconditionFailed,
                "read the policy again, and send the ETag that it has now",
            ),
            AccessPolicyError::TooMany => {
                Self::new(ProblemKind::AccessPoliciesFull, "remove policies, or name more in one")
            }
        }
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            error if error.is_unsettled() => Self::unsettled(&error),
            AccessError::Audit(_)
            | AccessError::Repository(_)
            | AccessError::SecretHash(SecretHashError::Busy)
            | AccessError::Token(_) => Self::unavailable(&error),
            AccessError::Approvals(error) => error.into(),
            AccessError::Refused(refusal) => TransportError::from(refusal).into(),
            AccessError::ClientChanged => Self::new(
                ProblemKind::ClientChanged,
                "read the client again, and repeat the change if it is still wanted",
            ),
            AccessError::ClientExists => Self::new(ProblemKind::ClientExists, "choose another client id"),
            AccessError::Waits(_)
            | AccessError::Internal(_)
            | AccessError::SecretHash(SecretHashError::Failed) => Self::internal(&error),
            AccessError::ClientDisabled | AccessError::InvalidClient => {
                TransportError::Unauthenticated.into()
            }
            AccessError::ClientNotFound => {
                Self::new(ProblemKind::ClientNotFound, "check the client id; GET /v1/clients lists all")
            }
            AccessError::LastAdministrator => Self::new(
                ProblemKind::LastAdministrator,
                "make another client with the role administrator first",
            ),
            AccessError::OwnClient => {
                Self::new(ProblemKind::OwnClient, "have another administrator enable the client")
            }
            AccessError::SecretsInForce => Self::new(
                ProblemKind::SecretsInForce,
                "wait until one of them ends, or set overlapSeconds to 0, which ends all at once",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::services::access::AuditError;

    async fn document(problem: Problem) -> (Response, Value) {
        let mut response = problem.into_answer("00000000-0000-4000-8000-000000000000");
        let body = response.take_body().into_bytes().await.unwrap();
        (response, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn codes_are_unique() {
        let codes: BTreeSet<_> = ProblemKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), ProblemKind::ALL.len());
    }

    #[tokio::test]
    async fn a_document_has_the_members_of_the_standard() {
        let (response, document) = document(PacketError::UnknownKey.into()).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.content_type(), Some("application/problem+json"));
        assert_eq!(document["type"], "urn:kunji:problem:packet.unknown_key");
        assert_eq!(document["status"], 404);
        assert_eq!(document["code"], "packet.unknown_key");
        assert_eq!(document["instance"], "urn:uuid:00000000-0000-4000-8000-000000000000");
        assert_eq!(document.as_object().unwrap().len(), 6);
    }

    #[tokio::test]
    async fn causes_stay_inside() {
        let cause = || AuditError(std::io::Error::other("disk /var/secret is full"));
        let (response, document) = document(PacketError::Audit(cause()).into()).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.header(header::RETRY_AFTER), Some("5"));
        assert!(!document.to_string().contains("secret"));
        let problem = Problem::from(PacketError::Audit(cause()));
        assert!(problem.cause.unwrap().contains("disk /var/secret is full"));
    }

    #[tokio::test]
    async fn a_missing_token_is_asked_for() {
        let (response, _) = document(TransportError::Unauthenticated.into()).await;
        assert_eq!(response.header(header::WWW_AUTHENTICATE), Some("Bearer"));
        let (response, _) = document(TransportError::TokenRefused.into()).await;
        let challenge = Some("Bearer error=\"invalid_token\"");
        assert_eq!(
            (response.status(), response.header(header::WWW_AUTHENTICATE)),
            (StatusCode::UNAUTHORIZED, challenge)
        );
    }
}
