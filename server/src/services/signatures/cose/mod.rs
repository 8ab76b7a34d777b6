//! COSE_Sign1 (RFC 9052 4.2): made, and taken apart.

use std::sync::Arc;

use coset::{AsCborValue as _, CborSerializable as _, CoseSign1Builder, Label, iana};

use super::{AlgorithmChoice, SignatureError, SignatureService, SignedContent};
use crate::domain::{
    access::{CallContext, Operation},
    alias::KeyAlias,
    jose::SignatureAlgorithm,
    key::KeyRecord,
};

pub(super) mod claims;
mod header;
mod reading;
mod verify;

pub use claims::ClaimsRequest;
pub use header::CoseHeaderRequest;
pub(super) use verify::evidence;
pub use verify::{ClaimsCheck, CoseVerifyRequest};

use coset::cbor::value::Value;
use header::Headers;

/// CBOR tags of a COSE_Sign1 (RFC 9052 2) and of a CWT (RFC 8392 6).
const SIGN1_TAG: u64 = 18;
const CWT_TAG: u64 = 61;

/// What to sign, with which key, and what the headers say.
#[derive(Clone, Debug)]
pub struct CoseRequest {
    /// The key; `None` means `KERNEL/SIGN`.
    pub alias: Option<KeyAlias>,
    /// What to sign.
    pub payload: CosePayload,
    /// The algorithm.
    pub algorithm: AlgorithmChoice,
    /// The protected header, beside the algorithm.
    pub protected: CoseHeaderRequest,
    /// The other one.
    pub unprotected: CoseHeaderRequest,
}

/// What a COSE_Sign1 is over.
#[derive(Clone, Debug)]
pub enum CosePayload {
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// The claims of a CWT (RFC 8392).
    Claims(ClaimsRequest),
}

impl SignatureService {
    /// Signs; the result is a tagged COSE_Sign1 with its payload, in CBOR, or the CWT around it.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub async fn sign_cose(
        &self,
        call: &CallContext,
        request: CoseRequest,
    ) -> Result<Vec<u8>, SignatureError> {
        let alias = request.alias.clone().unwrap_or_else(KeyAlias::kernel_sign);
        let signed = async {
            let key = self.signing_key(call, &alias).await?;
            let message = self.cose(&key, request).await?;
            Ok::<_, SignatureError>((key, message))
        };
        let (_, message) = self
            .auditor
            .audited(call, Operation::Sign, Some(&alias), signed, |(key, _)| Some(&key.id))
            .await?;
        Ok(message)
    }

    async fn cose(&self, key: &Arc<KeyRecord>, request: CoseRequest) -> Result<Vec<u8>, SignatureError> {
        let (payload, is_cwt) = match request.payload {
            CosePayload::Bytes(bytes) => (bytes, false),
            CosePayload::Claims(claims) => {
                (claims.encode(self.clock.now().seconds(), self.entropy.as_ref())?, true)
            }
        };
        if payload.is_empty() {
            return Err(SignatureError::Empty);
        }
        let algorithm = request.algorithm.for_key(key)?;
        let chain = if request.protected.wants_chain() || request.unprotected.wants_chain() {
            self.keys.chain(Arc::clone(key)).await?.certificates
        } else {
            Vec::new()
        };
        let headers = Headers { key, chain: &chain };
        let protected = headers.make(&request.protected, Some(algorithm))?;
        let unprotected = headers.make(&request.unprotected, None)?;
        if header::share_a_label(&protected, &unprotected) {
            return Err(SignatureError::HeaderMember);
        }
        let mut sign1 =
            CoseSign1Builder::new().protected(protected).unprotected(unprotected).payload(payload).build();
        sign1.signature = self.produce(key, algorithm, SignedContent::Message(sign1.tbs_data(&[]))).await?;
        let unencodable = |_| SignatureError::HeaderMember;
        let mut message = Value::Tag(SIGN1_TAG, Box::new(sign1.to_cbor_value().map_err(unencodable)?));
        if is_cwt {
            message = Value::Tag(CWT_TAG, Box::new(message));
        }
        message.to_vec().map_err(unencodable)
    }
}

/// The algorithm's number (RFC 9053, RFC 8812).
const fn number(algorithm: SignatureAlgorithm) -> iana::Algorithm {
    match algorithm {
        SignatureAlgorithm::EdDsa => iana::Algorithm::EdDSA,
        SignatureAlgorithm::Es256 => iana::Algorithm::ES256,
        SignatureAlgorithm::Es256k => iana::Algorithm::ES256K,
        SignatureAlgorithm::Es384 => iana::Algorithm::ES384,
        SignatureAlgorithm::Es512 => iana::Algorithm::ES512,
        SignatureAlgorithm::Ps256 => iana::Algorithm::PS256,
        SignatureAlgorithm::Ps384 => iana::Algorithm::PS384,
        SignatureAlgorithm::Ps512 => iana::Algorithm::PS512,
        SignatureAlgorithm::Rs256 => iana::Algorithm::RS256,
        SignatureAlgorithm::Rs384 => iana::Algorithm::RS384,
        SignatureAlgorithm::Rs512 => iana::Algorithm::RS512,
    }
}

/// The value of this label in a header.
fn value_of(header: &coset::Header, label: iana::HeaderParameter) -> Option<&Value> {
    let label = Label::Int(label as i64);
    header.rest.iter().find(|(known, _)| *known == label).map(|(_, value)| value)
}
