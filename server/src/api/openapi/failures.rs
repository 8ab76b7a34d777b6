//! Which operation can fail how: the examples of the description.

use serde_json::{Map, Value, json};

use crate::api::{
    mosip::Fault,
    native::{OAuthErrorCode, ProblemKind},
    transport::TransportError,
};

const TIME: &str = "2026-01-05T10:11:12.123Z";
const REQUEST_ID: &str = "5f0c7c6e-7d3b-4f5e-9f43-0a4f1c1f7a11";

/// The faults that an operation under the envelope answers with HTTP 200.
pub(super) fn faults(operation: &str) -> Vec<Fault> {
    use Fault as F;
    let keys = [F::ApplicationUnknown, F::ModuleKeyMissing, F::RootKeyMissing];
    let new_keys = [F::BaseKeyNotAllowed, F::QuotaExceeded, F::ReferenceNotAllowed];
    let states = [F::KeyClosed, F::KeyNotUsable];
    let rotation = [F::ApprovalsFull, F::Forestalled, F::KeyNotUsable, F::RotationWaits];
    let read = [F::Invalid, F::MalformedTime];
    let upload = [F::UploadKnown, F::UploadNotValid, F::UploadUnreadable];
    let sign = [F::MalformedBase64, F::NothingToSign, F::EncryptionKey, F::SigningNotAllowed];
    let jws = [F::AlgorithmNotSupported, F::NotJson, F::PayloadUnencodable];
    let cose = [F::AlgorithmNotSupported, F::HeaderMember];
    let own: &[&[Fault]] = match operation {
        "generateMasterKey" => {
            &[&read, &keys, &[F::ObjectType, F::ReferenceNotSupported, F::SubjectNotAllowed], &rotation]
        }
        "generateECSignKey" => {
            &[&read, &keys, &[F::CurveNotAllowed, F::CurveReference, F::SubjectNotAllowed]]
        }
        "getCertificate" | "getCertificateChain" => &[&[F::Invalid], &keys, &new_keys, &states],
        "generateCSR" => &[&read, &keys, &new_keys, &states, &[F::RequestNotAllowed, F::SubjectNotAllowed]],
        "generateSymmetricKey" => {
            &[&read, &[F::ApplicationUnknown, F::QuotaExceeded, F::ReferenceNotSupported]]
        }
        "revokeKey" => {
            &[&read, &[F::ApprovalsFull, F::NothingToRevoke, F::RevocationNotAllowed, F::RevocationWaits]]
        }
        "getAllCertificates" => &[&[F::Invalid], &keys],
        "encrypt" => &[&read, &[F::MalformedBase64, F::NoContent, F::SigningKey], &keys, &new_keys, &states],
        "decrypt" => &[
            &read,
            &[F::MalformedBase64, F::MalformedPacket, F::UnknownKey, F::ForeignKey, F::DecryptionFailed],
            &[F::AccessListed, F::ApplicationUnknown, F::KeyNotUsable, F::OtherDomainsKey, F::SigningKey],
        ],
        "jwtSign" => &[&read, &sign, &keys, &states],
        "jwtSignV2" => &[&read, &sign, &[F::HeaderMember], &keys, &states],
        "jwsSign" => &[&read, &sign, &jws, &keys, &states],
        "jwsSignV2" => &[&read, &sign, &jws, &[F::HeaderMember], &keys, &states],
        "coseSign1" => &[&read, &sign, &cose, &keys, &states],
        "cwtSign" => &[&read, &sign, &cose, &[F::ClaimsMalformed, F::NegativeDays], &keys, &states],
        "pdfSign" => &[
            &read,
            &sign,
            &[F::AlgorithmNotSupported, F::PageUnknown, F::PasswordUnfit, F::PdfCertified, F::PdfComplex],
            &[F::PdfEncrypted, F::PdfMalformed, F::PdfSigned, F::PdfTooLong],
            &keys,
            &states,
        ],
        "coseVerify1" => &[&read, &[F::CoseMalformed, F::CertificateNotValid], &keys],
        "cwtVerify" => &[
            &read,
            &[F::CoseMalformed, F::CwtMalformed, F::CertificateNotValid, F::CwtNotYetValid, F::CwtExpired],
            &[F::ClaimMissing, F::ClaimMismatch],
            &keys,
        ],
        "sign" => &[&read, &[F::SigningNotAllowed], &keys, &states],
        "signV2" | "signRawData" => {
            &[&read, &sign, &[F::AlgorithmNotSupported, F::CertifyingKey, F::SignatureFormat], &keys, &states]
        }
        "validate" => &[&read, &[F::SignatureMalformed, F::ValidationFailed], &keys],
        "jwtVerify" | "jwtVerifyV2" => &[
            &read,
            &[F::MalformedBase64, F::SignatureMalformed, F::CertificateNotValid, F::EncryptionKey],
            &keys,
        ],
        "uploadCertificate" => &[
            &read,
            &upload,
            &[F::UploadKeyDiffers, F::UploadForOtherDomain, F::NoCurrentKey, F::ApplicationUnknown],
        ],
        "uploadOtherDomainCertificate" => &[
            &read,
            &upload,
            &[F::UploadKeyUnsupported, F::UploadOwnKey, F::UploadOwnTokenKey, F::UploadOwnTokenKeyEnded],
            &[F::UploadSigningName, F::UploadSigningReference, F::QuotaExceeded],
        ],
        "authenticateClient" => &[&read],
        _ => &[],
    };
    own.concat()
}

/// The problems of an operation beside those that every operation can have.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn problems(operation: &str) -> &'static [ProblemKind] {
    use ProblemKind as P;
    match operation {
        "encryptPacket" => &[
            P::AliasInvalid,
            P::ApplicationUnknown,
            P::BaseKeyNotAllowed,
            P::ContentEmpty,
            P::KeyClosed,
            P::KeyNotUsable,
            P::ModuleKeyMissing,
            P::QuotaExceeded,
            P::ReferenceNotAllowed,
            P::RequestInvalid,
            P::RootKeyMissing,
            P::SigningKey,
        ],
        "decryptPacket" => &[
            P::AliasInvalid,
            P::ApplicationUnknown,
            P::DecryptionFailed,
            P::ForeignKey,
            P::OtherDomainsKey,
            P::KeyNotUsable,
            P::PacketMalformed,
            P::PolicyForbids,
            P::RequestInvalid,
            P::SigningKey,
            P::UnknownKey,
        ],
        "verifySignature" => &[
            P::AliasInvalid,
            P::ModuleKeyMissing,
            P::RequestInvalid,
            P::SignatureAlgorithm,
            P::SignatureCertificate,
            P::SignatureContent,
            P::SignatureMalformed,
        ],
        "readSigningKeys" => &[P::AliasInvalid, P::ApplicationUnknown, P::RateExceeded, P::Unavailable],
        "readPublicCertificate" => {
            &[P::CertificateNotFound, P::RateExceeded, P::Unauthenticated, P::Unavailable]
        }
        "readRevocationList" => {
            &[P::RateExceeded, P::RevocationListNotFound, P::Unauthenticated, P::Unavailable]
        }
        "issueCertificate" => &[
            P::AliasInvalid,
            P::ApplicationUnknown,
            P::CertificateRequestInvalid,
            P::ModuleKeyMissing,
            P::NameTaken,
            P::QuotaExceeded,
            P::RequestInvalid,
            P::RootKeyMissing,
        ],
        "examineKeys" | "listAuditCheckpoints" | "makeSignatures" | "planRotation" | "searchAuditEvents" => {
            &[P::RequestInvalid]
        }
        "exportAudit" | "proveAuditInclusion" | "proveAuditConsistency" => {
            &[P::AuditOutOfRange, P::RequestInvalid]
        }
        "createClient" => &[P::ApprovalsFull, P::ClientExists, P::ClientInvalid, P::RequestInvalid],
        "listClients" => &[P::ClientNotFound, P::RequestInvalid],
        "readClient" => &[P::ClientNotFound],
        "changeClientRoles" => &[
            P::ApprovalsFull,
            P::ClientChanged,
            P::ClientInvalid,
            P::ClientNotFound,
            P::LastAdministrator,
            P::PreconditionRequired,
            P::RequestInvalid,
        ],
        "deleteClient" | "disableClient" => &[P::ClientChanged, P::ClientNotFound, P::LastAdministrator],
        "enableClient" => &[P::ApprovalsFull, P::ClientChanged, P::ClientNotFound, P::OwnClient],
        "rotateClientSecret" => &[
            P::ApprovalsFull,
            P::ClientChanged,
            P::ClientInvalid,
            P::ClientNotFound,
            P::RequestInvalid,
            P::SecretsInForce,
        ],
        "readApproval" => &[P::ApprovalNotFound],
        "approve" | "deny" => &[P::ApprovalNotFound, P::ApprovalVoteRefused],
        "readAccessPolicy" => &[P::AccessPolicyNotFound],
        "putAccessPolicy" => &[
            P::AccessLockout,
            P::AccessPoliciesFull,
            P::ApprovalsFull,
            P::AccessPolicyInvalid,
            P::PreconditionFailed,
            P::PreconditionRequired,
            P::RequestInvalid,
        ],
        "removeAccessPolicy" => &[
            P::AccessLockout,
            P::AccessPolicyNotFound,
            P::ApprovalsFull,
            P::PreconditionFailed,
            P::PreconditionRequired,
        ],
        "readKeyPolicy" => &[P::AliasInvalid, P::KeyPolicyNotFound],
        "planKeyPolicy" => &[P::AliasInvalid, P::KeyPolicyInvalid, P::RequestInvalid],
        "putKeyPolicy" => &[
            P::AliasInvalid,
            P::ApprovalsFull,
            P::KeyPoliciesFull,
            P::KeyPolicyChanged,
            P::KeyPolicyInvalid,
            P::PreconditionRequired,
            P::RequestInvalid,
        ],
        "removeKeyPolicy" => &[
            P::AliasInvalid,
            P::ApprovalsFull,
            P::KeyPoliciesFull,
            P::KeyPolicyChanged,
            P::KeyPolicyNeeded,
            P::KeyPolicyNotFound,
            P::PreconditionRequired,
        ],
        "checkAccess" => &[P::AccessQuestionInvalid, P::AliasInvalid, P::RequestInvalid],
        _ => problems_with_keys(operation),
    }
}

/// The same for the operations under `/v1/keys`.
fn problems_with_keys(operation: &str) -> &'static [ProblemKind] {
    use ProblemKind as P;
    match operation {
        "listKeys" => &[P::AliasInvalid, P::KeyNotFound, P::RequestInvalid],
        "readKey" => &[P::KeyNotFound],
        "createKey" => &[
            P::AliasInvalid,
            P::ApplicationUnknown,
            P::BaseKeyNotAllowed,
            P::KeyExists,
            P::KeyForestalled,
            P::KeyNotUsable,
            P::ModuleKeyMissing,
            P::ReferenceNotAllowed,
            P::RequestInvalid,
            P::RootKeyMissing,
        ],
        "rotateKey" => &[
            P::ApplicationUnknown,
            P::ApprovalsFull,
            P::KeyForestalled,
            P::KeyNotFound,
            P::KeyNotUsable,
            P::ModuleKeyMissing,
            P::RootKeyMissing,
        ],
        "revokeKeyById" => {
            &[P::ApprovalsFull, P::KeyChangeRefused, P::KeyForestalled, P::KeyNotFound, P::RequestInvalid]
        }
        "tagKey" => &[P::KeyNotFound, P::RequestInvalid],
        "destroyKey" => &[
            P::ApprovalsFull,
            P::KeyChangeRefused,
            P::KeyCurrent,
            P::KeyNeeded,
            P::KeyNothingToDestroy,
            P::KeyNotFound,
            P::RequestInvalid,
        ],
        "destroyKek" => &[
            P::AliasInvalid,
            P::ApprovalsFull,
            P::KeyChangeRefused,
            P::KeyCurrent,
            P::KeyNeeded,
            P::KeyNotFound,
            P::RequestInvalid,
        ],
        "cancelKekDestruction" => &[
            P::AliasInvalid,
            P::ApprovalsFull,
            P::KeyChangeRefused,
            P::KeyCurrent,
            P::KeyNotFound,
            P::RequestInvalid,
        ],
        "listKeks" => &[P::AliasInvalid, P::KeyNotFound],
        "cancelKeyDestruction" | "suspendKey" | "resumeKey" => {
            &[P::ApprovalsFull, P::KeyChangeRefused, P::KeyNotFound, P::RequestInvalid]
        }
        _ => &[],
    }
}

/// The transport failures of an operation.
pub(super) fn transport(
    operation: &str,
    anonymous: bool,
    has_body: bool,
    media_type: &'static str,
) -> Vec<TransportError> {
    TransportError::ALL
        .into_iter()
        .map(|error| match error {
            TransportError::MediaType { .. } => TransportError::MediaType { expected: media_type },
            other => other,
        })
        .filter(|error| match error {
            TransportError::TokenRefused
            | TransportError::Unauthenticated
            | TransportError::Forbidden
            | TransportError::RateExceeded { .. }
            | TransportError::Unavailable => !anonymous,
            TransportError::Body
            | TransportError::MediaType { .. }
            | TransportError::TooLarge { .. }
            | TransportError::Timeout => has_body,
            TransportError::Internal => true,
            TransportError::TooManyFailures { .. } => matches!(operation, "takeToken" | "authenticateClient"),
            TransportError::Overloaded => !anonymous || has_body,
            TransportError::ForeignOrigin
            | TransportError::MethodNotAllowed
            | TransportError::NotFound
            | TransportError::Parameter { .. }
            | TransportError::UriTooLong => false,
        })
        .collect()
}

/// An envelope with one error.
pub(super) fn envelope(code: &str, message: &str) -> Value {
    json!({
        "id": null, "version": null, "responsetime": TIME, "metadata": null, "response": null,
        "errors": [{ "errorCode": code, "message": message }],
    })
}

/// A problem document.
pub(super) fn problem(kind: ProblemKind, detail: &str) -> Value {
    json!({
        "type": kind.uri(),
        "title": kind.title(),
        "status": kind.status(),
        "detail": detail,
        "instance": format!("urn:uuid:{REQUEST_ID}"),
        "code": kind.code(),
    })
}

/// An OAuth error.
pub(super) fn oauth(code: OAuthErrorCode) -> Value {
    json!({ "error": code.name(), "error_description": code.description() })
}

/// Adds an example under its code; a code that is there already gets a number.
pub(super) fn add_example(examples: &mut Map<String, Value>, code: &str, summary: &str, value: &Value) {
    let mut name = code.to_owned();
    let mut number = 2;
    while let Some(existing) = examples.get(&name) {
        if existing.get("value") == Some(value) {
            return;
        }
        name = format!("{code}-{number}");
        number += 1;
    }
    examples.insert(name, json!({ "summary": summary, "value": value }));
}
