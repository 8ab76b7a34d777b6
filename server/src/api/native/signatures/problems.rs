//! Which failure of the signature service is which problem.

use crate::{
    api::{
        native::{Problem, ProblemKind},
        transport::TransportError,
    },
    services::signatures::SignatureError,
};

impl From<SignatureError> for Problem {
    fn from(error: SignatureError) -> Self {
        use ProblemKind as P;
        match error {
            SignatureError::AccessListed => Self::new(
                P::PolicyForbids,
                "no access policy allows it for application and reference, or the access list of the application's \
                 key policy does not name the client, or the application has no key policy",
            ),
            SignatureError::Algorithm => Self::new(
                P::SignatureAlgorithm,
                "use one that fits the key: RS256, PS256, RS384, RS512, PS384 or PS512 for RSA, ES256 for \
                 EC_SECP256R1_SIGN, ES384 for EC_SECP384R1_SIGN, ES256K for EC_SECP256K1_SIGN, EdDSA for \
                 ED25519_SIGN; or leave it out",
            ),
            SignatureError::Audit(_) => Self::unavailable(&error),
            SignatureError::Certificate => {
                Self::new(P::SignatureCertificate, "send one certificate as PEM; check x5c in the header too")
            }
            SignatureError::Certifying => Self::new(
                P::SignatureCertifying,
                "the key of a blank reference issues certificates, so it signs no digest, and no data that is one \
                 SEQUENCE of ASN.1, as a certificate is: use the reference of a key on a curve, or KERNEL/SIGN",
            ),
            SignatureError::Digest => Self::new(
                P::SignatureContent,
                "the digest must be one of the algorithm's hash function, by its length; EdDSA signs no digest",
            ),
            SignatureError::Empty => Self::new(P::SignatureContent, "send at least one byte to sign"),
            SignatureError::EncryptionKey => Self::new(
                P::ReferenceNotAllowed,
                "use a blank reference, that of a key on a curve, or KERNEL/SIGN: others do not sign data",
            ),
            SignatureError::Key(error) => error.into(),
            SignatureError::CoseMessage | SignatureError::Token => {
                Self::new(P::SignatureMalformed, error.to_string())
            }
            SignatureError::Refused(refusal) => TransportError::from(refusal).into(),
            // Of requests that there are not here.
            SignatureError::ClaimMismatch(_)
            | SignatureError::ClaimMissing(_)
            | SignatureError::ClaimsNotJson
            | SignatureError::CwtMessage
            | SignatureError::Expired
            | SignatureError::HeaderMember
            | SignatureError::NotJson
            | SignatureError::NotYetValid
            | SignatureError::PayloadUnencodable
            | SignatureError::Pdf(_) => Self::internal(&error),
        }
    }
}
