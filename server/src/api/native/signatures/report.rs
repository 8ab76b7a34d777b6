//! What to verify, and what was found out.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use super::sign::{algorithm, alias, bytes, content};
use crate::{
    api::{
        native::{Problem, ProblemKind},
        wire::Base64Member,
    },
    domain::time::Timestamp,
    services::signatures::{
        CertificateSource, KeySource, Report, ReportRequest, Revocation, SignedObject, TimestampCheck, Trust,
    },
};

/// What to verify: either `jws`, or `cose`, or `signature` with `algorithm` and either `data` or `digest`.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[oai(rename_all = "camelCase")]
pub(super) struct VerifySignatureRequest {
    /// A compact JWS, detached if `data` is there.
    jws: Option<String>,
    /// A COSE_Sign1, or a CWT around one, whose claims are not looked at.
    #[serde(default)]
    cose: Base64Member,
    /// A signature.
    #[serde(default)]
    signature: Base64Member,
    /// The signature's algorithm.
    algorithm: Option<String>,
    /// What was signed.
    #[serde(default)]
    data: Base64Member,
    /// Its digest.
    #[serde(default)]
    digest: Base64Member,
    /// The application whose key counts where there is no certificate; absent for `KERNEL/SIGN`.
    application_id: Option<String>,
    /// The reference within the application.
    reference_id: Option<String>,
    /// PEM of the certificate that counts where the signature has none.
    certificate: Option<String>,
    /// Whether the certificate's path is checked too.
    validate_trust: Option<bool>,
    /// The trust domain of that check.
    domain: Option<String>,
    /// A time-stamp token (RFC 3161 TimeStampToken, DER) over the bytes of the signature: dates and revocations are then
    /// judged at its time. At most 64 KiB.
    #[serde(default)]
    timestamp: Base64Member,
}

impl VerifySignatureRequest {
    pub(super) fn check(self) -> Result<ReportRequest, Problem> {
        let invalid = |detail: &'static str| Problem::new(ProblemKind::RequestInvalid, detail);
        let named = algorithm(self.algorithm.as_deref())?;
        let (cose, signature) = (bytes("cose", self.cose)?, bytes("signature", self.signature)?);
        let object = match (self.jws, cose, signature) {
            (Some(token), None, None) => SignedObject::Jws(token, bytes("data", self.data)?),
            (None, Some(message), None) => SignedObject::Cose(message),
            (None, None, Some(signature)) => SignedObject::Bytes {
                content: content(self.data, self.digest)?,
                signature,
                algorithm: named.ok_or_else(|| invalid("algorithm is needed beside signature"))?,
            },
            _ => return Err(invalid("send one of jws, cose and signature")),
        };
        let certificate = self.certificate.filter(|pem| !pem.trim().is_empty());
        Ok(ReportRequest {
            object,
            alias: alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            source: CertificateSource::HeaderOr(certificate),
            validate_trust: self.validate_trust.unwrap_or_default(),
            domain: self.domain,
            timestamp: bytes("timestamp", self.timestamp)?,
        })
    }
}

/// What was found out.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct ReportAnswer {
    /// Whether no check has failed, that of trust not counted.
    valid: bool,
    /// The algorithm, if it is one that is verified here.
    algorithm: Option<String>,
    /// Where the key came from: `header`, `request` or `ownKey`.
    key_source: String,
    /// The time at which the signature was there, as the time-stamp proves.
    proven_time: Option<String>,
    /// The checks, in their order.
    checks: Vec<CheckAnswer>,
}

/// A check.
#[derive(Serialize, Object)]
struct CheckAnswer {
    /// `algorithm`: it is one that is verified here. `extensions`: whatever is critical is understood. `validity`: the
    /// certificate is valid now, or at the proven time. `signature`: it fits content and key. `trust`: the certificate's path leads to an
    /// anchor of the domain, and what is known of revocation does not speak against it. `revocation`: no revocation
    /// list that is known has a certificate of the path. `timestamp`: the time-stamp is over this signature, by an
    /// authority that is trusted. `compromise`: the certificate's key is none of the server's own that was compromised
    /// before the proven time, or at all where there is none.
    name: String,
    /// `passed`, `failed` or `skipped`.
    outcome: String,
    /// More about it: `revocation.revoked`; `revocation.expired_list`, when a list that counts has ended, which settings
    /// may let pass; `revocation.unknown`, when there is no list of one of the issuers.
    detail: Option<String>,
}

impl From<Report> for ReportAnswer {
    fn from(report: Report) -> Self {
        let key_source = match report.source {
            KeySource::Header => "header",
            KeySource::OwnKey => "ownKey",
            KeySource::Request => "request",
        };
        let trust = match report.trust {
            Trust::PathValid => Some(true),
            Trust::PathNotValid => Some(false),
            Trust::NoDomain | Trust::NotVerified => None,
        };
        let (revocation, detail) = match report.revocation {
            Revocation::NotChecked => (None, None),
            Revocation::Unknown => (None, Some("revocation.unknown")),
            Revocation::Clear => (Some(true), None),
            Revocation::ClearByExpired => (Some(true), Some("revocation.expired_list")),
            Revocation::Expired => (Some(false), Some("revocation.expired_list")),
            Revocation::Revoked => (Some(false), Some("revocation.revoked")),
        };
        let (timestamp, proven) = match report.timestamp {
            TimestampCheck::None => (None, None),
            TimestampCheck::Failed => (Some(false), None),
            TimestampCheck::Proves(time) => (Some(true), Some(Timestamp::from_seconds(time.seconds()))),
        };
        let checks = [
            ("algorithm", Some(report.algorithm.is_some())),
            ("extensions", Some(report.is_understood)),
            ("validity", report.is_within_validity),
            ("signature", report.algorithm.map(|_| report.fits)),
            ("trust", trust),
            ("revocation", revocation),
            ("timestamp", timestamp),
            ("compromise", Some(!report.is_compromised)),
        ];
        let checks = checks.map(|(name, passed)| {
            let outcome = match passed {
                Some(true) => "passed",
                Some(false) => "failed",
                None => "skipped",
            };
            let detail = detail.filter(|_| name == "revocation").map(str::to_owned);
            CheckAnswer { name: name.to_owned(), outcome: outcome.to_owned(), detail }
        });
        Self {
            valid: report.is_valid(),
            algorithm: report.algorithm.map(|algorithm| algorithm.name().to_owned()),
            key_source: key_source.to_owned(),
            proven_time: proven.map(Timestamp::to_text),
            checks: checks.into(),
        }
    }
}
