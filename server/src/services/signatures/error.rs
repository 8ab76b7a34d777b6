use crate::{
    ports::{audit_sink::AuditError, pdf::PdfError},
    services::{auditor::Audited, authorization::AccessRefusal, keys::KeyError},
};

/// Why nothing was signed or verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// No access policy lets the caller sign with the alias, or the access list of the application's key policy
    /// does not name it.
    #[error("no policy admits the caller")]
    AccessListed,
    /// The key, or the token that has it, does not sign with this algorithm.
    #[error("the key does not sign with this algorithm")]
    Algorithm,
    /// The operation was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The certificate cannot be read, or is not valid now.
    #[error("the certificate to verify with is not valid")]
    Certificate,
    /// The key is an issuer's, and its signature could be that of a certificate.
    #[error("the key certifies others: it signs no digest, and nothing that is one SEQUENCE of ASN.1")]
    Certifying,
    /// A claim has another value than it must have.
    #[error("the claim {0} has another value")]
    ClaimMismatch(&'static str),
    /// A claim that counts is not there.
    #[error("there is no claim {0}")]
    ClaimMissing(&'static str),
    /// The payload for a CWT is no JSON object or too long, or what is to stand in CBOR cannot.
    #[error("the claims are not a JSON object")]
    ClaimsNotJson,
    /// The message to verify is no COSE_Sign1 with its payload, has too many parts, or a counter-signature where none
    /// belongs.
    #[error("the message to verify is not a COSE_Sign1 with its payload, or has more than 65536 parts")]
    CoseMessage,
    /// The payload of the CWT is no set of claims, or too large a one.
    #[error("the payload of the CWT is not a set of claims")]
    CwtMessage,
    /// The digest is not one of the algorithm's hash function, or the algorithm signs no digest.
    #[error("the digest is not one that the algorithm signs")]
    Digest,
    /// There is nothing to sign.
    #[error("there is nothing to sign")]
    Empty,
    /// Base keys and ROOT do not sign.
    #[error("the alias is of a key that does not sign data")]
    EncryptionKey,
    /// The CWT's time is over.
    #[error("the CWT has expired")]
    Expired,
    /// A member that the caller adds to a header is the server's to say, too long, or critical and no extension.
    #[error("a member of the header cannot be added by the caller")]
    HeaderMember,
    /// The key was not found or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The payload was to be JSON.
    #[error("the payload is not JSON")]
    NotJson,
    /// The CWT's time has not come.
    #[error("the CWT is not valid yet")]
    NotYetValid,
    /// A payload with dots, or that is no printable text, cannot stand unencoded in a compact JWS.
    #[error("the payload cannot stand unencoded in a compact JWS")]
    PayloadUnencodable,
    /// The PDF cannot be signed.
    #[error(transparent)]
    Pdf(#[from] PdfError),
    /// Access policies do not let the caller do it, or not so often.
    #[error(transparent)]
    Refused(AccessRefusal),
    /// The token to verify is no compact JWS.
    #[error("the signature to verify is not a compact JWS")]
    Token,
}

impl SignatureError {
    /// The stable name of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AccessListed => "signature.access_listed",
            Self::Algorithm => "signature.algorithm",
            Self::Audit(_) => "audit.unavailable",
            Self::Certificate => "signature.certificate",
            Self::Certifying => "signature.certifying",
            Self::ClaimMismatch(_) => "signature.claim_mismatch",
            Self::ClaimMissing(_) => "signature.claim_missing",
            Self::ClaimsNotJson => "signature.claims_not_json",
            Self::CoseMessage => "signature.cose_message",
            Self::CwtMessage => "signature.cwt_message",
            Self::Digest => "signature.digest",
            Self::Empty => "signature.empty",
            Self::EncryptionKey => "signature.encryption_key",
            Self::Expired => "signature.expired",
            Self::HeaderMember => "signature.header_member",
            Self::Key(error) => error.code(),
            Self::NotJson => "signature.not_json",
            Self::NotYetValid => "signature.not_yet_valid",
            Self::PayloadUnencodable => "signature.payload_unencodable",
            Self::Pdf(error) => error.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::Token => "signature.token",
        }
    }
}

impl Audited for SignatureError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }
}
