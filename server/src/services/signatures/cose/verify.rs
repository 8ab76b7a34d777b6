//! Verifying a COSE_Sign1, or a CWT.

use coset::{Header, RegisteredLabelWithPrivate, cbor::value::Value, iana};
use kunji_shared::Certificate;

use super::{
    claims,
    header::is_understood,
    number,
    reading::{read, value},
    value_of,
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::KeyAlias,
        jose::SignatureAlgorithm,
    },
    services::signatures::{
        CertificateSource, Evidence, SignatureError, SignatureService, SignedContent, Verification,
        header_certificate::CHAIN_MAX, report::Question,
    },
};

/// What to verify, and against what.
#[derive(Clone, Debug)]
pub struct CoseVerifyRequest {
    /// A COSE_Sign1, or a CWT around one.
    pub message: Vec<u8>,
    /// The own key whose certificates count, when neither headers nor request have one; `None`: `KERNEL/SIGN`.
    pub alias: Option<KeyAlias>,
    /// PEM of the certificate to use when the headers have none.
    pub certificate: Option<String>,
    /// Whether the certificate's path is to be checked too.
    pub validate_trust: bool,
    /// The trust domain of that check.
    pub domain: Option<String>,
    /// For a CWT, what its claims must be.
    pub claims: Option<ClaimsCheck>,
}

/// What the claims of a CWT must be, beside that its time has come and is not over.
#[derive(Clone, Debug, Default)]
pub struct ClaimsCheck {
    /// `iss`, if it counts.
    pub issuer: Option<String>,
    /// `sub`, if it counts.
    pub subject: Option<String>,
}

impl SignatureService {
    /// Verifies. A signature that does not fit is an answer, not an error. Claims are looked at once it does.
    ///
    /// The certificate is that of the protected header (`x5chain`), else of the other, else the request's, else those of
    /// the alias's own keys, old ones too; the first three must be valid now. `x5u` is never followed.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub async fn verify_cose(
        &self,
        call: &CallContext,
        request: CoseVerifyRequest,
    ) -> Result<Verification, SignatureError> {
        let alias = request.alias.clone().unwrap_or_else(KeyAlias::kernel_sign);
        let verified = async {
            self.authorizer.check(call, Operation::Verify, &alias).map_err(SignatureError::Refused)?;
            self.verify_sign1(&alias, request).await
        };
        self.auditor.audited(call, Operation::Verify, Some(&alias), verified, |_| None).await
    }

    async fn verify_sign1(
        &self,
        alias: &KeyAlias,
        request: CoseVerifyRequest,
    ) -> Result<Verification, SignatureError> {
        let source = CertificateSource::HeaderOr(request.certificate);
        let (evidence, payload) = read_evidence(&request.message)?;
        let question = Question {
            alias,
            source: &source,
            validate_trust: request.validate_trust,
            domain: request.domain.as_deref(),
            timestamp: None,
        };
        let report = self.judge(evidence, question).await?;
        let verification = Verification::try_from(report)?;
        if let (true, Some(expected)) = (verification.valid, &request.claims) {
            check_claims(&payload, expected, self.clock.now().seconds())?;
        }
        Ok(verification)
    }
}

/// What a COSE_Sign1 says.
///
/// # Errors
/// [`SignatureError::CoseMessage`], [`SignatureError::Certificate`].
pub(in crate::services::signatures) fn evidence(message: &[u8]) -> Result<Evidence, SignatureError> {
    read_evidence(message).map(|(evidence, _)| evidence)
}

fn read_evidence(message: &[u8]) -> Result<(Evidence, Vec<u8>), SignatureError> {
    let message = read(message)?;
    let (protected, unprotected) = (&message.protected.header, &message.unprotected);
    let in_protected = certificates(protected)?;
    let certificates = if in_protected.is_empty() { certificates(unprotected)? } else { in_protected };
    let evidence = Evidence {
        algorithm: algorithm(protected),
        is_understood: is_understood(protected, unprotected),
        certificates,
        key_id: key_id(protected).or_else(|| key_id(unprotected)).map(ToOwned::to_owned),
        content: SignedContent::Message(message.tbs_data(&[])),
        signature: message.signature.clone(),
    };
    let payload = message.payload.ok_or(SignatureError::CoseMessage)?;
    Ok((evidence, payload))
}

fn key_id(header: &Header) -> Option<&str> {
    std::str::from_utf8(&header.key_id).ok().filter(|id| !id.is_empty())
}

fn algorithm(protected: &Header) -> Option<SignatureAlgorithm> {
    let RegisteredLabelWithPrivate::Assigned(found) = protected.alg.as_ref()? else { return None };
    if *found == iana::Algorithm::Ed25519 {
        return Some(SignatureAlgorithm::EdDsa);
    }
    SignatureAlgorithm::ALL.into_iter().find(|algorithm| number(*algorithm) == *found)
}

/// The certificates of `x5chain` (RFC 9360 2), the signer's first. Others that cannot be read are left out.
fn certificates(header: &Header) -> Result<Vec<Certificate>, SignatureError> {
    let chain = match value_of(header, iana::HeaderParameter::X5Chain) {
        None => return Ok(Vec::new()),
        Some(Value::Array(chain)) => chain.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    let read_one = |value: &Value| Certificate::from_der(value.as_bytes()?).ok();
    let first = chain.first().and_then(read_one).ok_or(SignatureError::Certificate)?;
    let others = chain.iter().take(CHAIN_MAX).skip(1).filter_map(read_one);
    Ok(std::iter::once(first).chain(others).collect())
}

fn check_claims(payload: &[u8], expected: &ClaimsCheck, now: i64) -> Result<(), SignatureError> {
    let claims = value(payload).and_then(|claims| claims.into_map().ok());
    let claims = claims.ok_or(SignatureError::CwtMessage)?;
    let claim =
        |key: i64| claims.iter().find(|(known, _)| *known == Value::from(key)).map(|(_, value)| value);
    if let Some(time) = claim(claims::NOT_BEFORE)
        && seconds(time)? > now
    {
        return Err(SignatureError::NotYetValid);
    }
    if let Some(time) = claim(claims::EXPIRATION)
        && seconds(time)? <= now
    {
        return Err(SignatureError::Expired);
    }
    for (name, key, wanted) in
        [("iss", claims::ISSUER, &expected.issuer), ("sub", claims::SUBJECT, &expected.subject)]
    {
        let Some(wanted) = wanted else { continue };
        match claim(key) {
            None => return Err(SignatureError::ClaimMissing(name)),
            Some(found) if found.as_text() != Some(wanted) => {
                return Err(SignatureError::ClaimMismatch(name));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// A NumericDate (RFC 8392 2): seconds since 1970-01-01T00:00:00Z, tagged or not, perhaps with a fraction.
fn seconds(time: &Value) -> Result<i64, SignatureError> {
    match time {
        Value::Tag(1, inner) => seconds(inner),
        Value::Integer(number) => i64::try_from(*number).map_err(|_| SignatureError::CwtMessage),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a fraction of a second does not count, and casts saturate"
        )]
        Value::Float(number) if number.is_finite() => Ok(*number as i64),
        _ => Err(SignatureError::CwtMessage),
    }
}
