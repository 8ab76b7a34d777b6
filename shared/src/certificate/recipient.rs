//! May a packet be sealed for this certificate?
//!
//! A path is searched from the certificate through the chain that came with it to a pinned trust
//! anchor, along RFC 5280 section 6.1 as far as it concerns this use: names, signatures, dates,
//! authority, path length, key usage, no critical extension that is not understood. Revocation is
//! not looked at: the crate does no I/O.

use super::{Certificate, SignatureError};
use crate::{
    packet::RecipientKey,
    public_key::{ModulusLength, PublicKeyError},
    time::UnixTime,
};

/// Most authorities between a recipient and its trust anchor.
const MAX_INTERMEDIATES: usize = 8;
/// Most signatures verified in one check, however the chain is made up.
const MAX_SIGNATURES: usize = 32;

/// What a recipient must have beyond being valid and trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientPolicy {
    /// Smallest key.
    pub minimum_modulus: ModulusLength,
}

/// RSA-2048 or larger.
impl Default for RecipientPolicy {
    fn default() -> Self {
        Self { minimum_modulus: ModulusLength::Rsa2048 }
    }
}

/// Why nothing may be sealed for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// Its validity has not begun.
    #[error("the certificate is not yet valid")]
    NotYetValid,
    /// Its validity is over.
    #[error("the certificate has expired")]
    Expired,
    /// Its key usage does not allow wrapping keys.
    #[error("the certificate's key usage lacks keyEncipherment")]
    KeyUsage,
    /// Its key usage does not allow signing.
    #[error("the certificate's key usage lacks digitalSignature")]
    SigningUsage,
    /// Its key is smaller than the policy asks for.
    #[error("the certificate's key is smaller than required")]
    KeyTooSmall,
    /// Its key is of a kind or size that packets cannot be sealed for.
    #[error("the certificate's key cannot be used: {0}")]
    Key(#[source] PublicKeyError),
    /// It, or an authority above it, has a critical extension that is not understood.
    #[error("a critical extension of the certificate or of its issuer is not understood")]
    CriticalExtension,
    /// No path leads to a pinned trust anchor.
    #[error("no chain from the certificate to a trust anchor")]
    Untrusted,
    /// The one it names as its issuer did not sign it, or not in a way that can be verified.
    #[error("a signature in the certificate's chain is not good: {0}")]
    Signature(#[source] SignatureError),
    /// Somebody above it is no certification authority.
    #[error("an issuer in the certificate's chain is not a certification authority")]
    IssuerNotAuthority,
    /// More authorities below one than it allows.
    #[error("the certificate's chain is longer than one of its authorities allows")]
    PathLength,
    /// Somebody above it is not valid now.
    #[error("an issuer in the certificate's chain has expired or is not yet valid")]
    IssuerExpired,
}

impl RecipientError {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotYetValid => "recipient.not_yet_valid",
            Self::Expired => "recipient.expired",
            Self::KeyUsage | Self::SigningUsage => "recipient.key_usage",
            Self::KeyTooSmall => "recipient.key_too_small",
            Self::Key(_) => "recipient.key_unsupported",
            Self::CriticalExtension => "recipient.critical_extension",
            Self::Untrusted => "recipient.untrusted",
            Self::Signature(_) => "recipient.signature",
            Self::IssuerNotAuthority => "recipient.issuer_not_authority",
            Self::PathLength => "recipient.path_length",
            Self::IssuerExpired => "recipient.issuer_expired",
        }
    }

    /// What to do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::NotYetValid => {
                "check this machine's clock; if it is right, wait or ask for the certificate in force"
            }
            Self::Expired => {
                "fetch the current certificate from the key manager; if it is current, check this machine's clock"
            }
            Self::KeyUsage => "use the encryption certificate of the application, not one made for signing",
            Self::SigningUsage => "have it signed with a key that is certified for signing",
            Self::KeyTooSmall => "have a larger key made, or lower the required size",
            Self::Key(_) => "have an RSA key of 2048, 3072 or 4096 bits with exponent 65537 certified",
            Self::CriticalExtension => {
                "have the certificate issued without that extension, or with it not critical"
            }
            Self::Untrusted => {
                "pass the certificates between this one and the pinned anchor, and check that the anchor is the right one"
            }
            Self::Signature(_) => {
                "fetch certificate and chain again, and check that the anchor is the right one; if the error stays, do not use them"
            }
            Self::IssuerNotAuthority => {
                "check the order and the origin of the chain; its issuers need basicConstraints CA:TRUE and keyCertSign"
            }
            Self::PathLength => "have the certificate issued by an authority that the anchor allows",
            Self::IssuerExpired => {
                "fetch the chain again; renew the authority's certificate if it has expired"
            }
        }
    }
}

/// A certificate that packets may be sealed for.
#[derive(Clone, Debug)]
pub struct Recipient {
    certificate: Certificate,
    key: RecipientKey,
}

impl Recipient {
    /// Checks `leaf` at the instant `now`.
    ///
    /// `chain` holds the certificates that came with it, in any order, possibly with itself and
    /// with anchors among them; they are helpers, not trusted. `anchors` are trusted for their
    /// name and key: a path ends at the first certificate that one of them issued, whichever
    /// certificate of that authority the chain holds. They too must be authorities valid at `now`,
    /// except that `leaf` may itself be an anchor: it is then trusted because it was pinned.
    ///
    /// # Errors
    /// [`RecipientError`]: the first rule that `leaf` breaks; if it breaks none, what is wrong
    /// with a path that was found; [`RecipientError::Untrusted`] if there is none.
    pub fn check(
        leaf: &Certificate,
        chain: &[Certificate],
        anchors: &[Certificate],
        now: UnixTime,
        policy: &RecipientPolicy,
    ) -> Result<Self, RecipientError> {
        check_dates(leaf, now)?;
        if leaf.key_usage().is_some_and(|usage| !usage.key_encipherment) {
            return Err(RecipientError::KeyUsage);
        }
        let public_key = leaf.public_key().map_err(RecipientError::Key)?;
        if public_key.modulus_length() < policy.minimum_modulus {
            return Err(RecipientError::KeyTooSmall);
        }
        check_path(leaf, chain, anchors, now)?;
        Ok(Self { certificate: leaf.clone(), key: RecipientKey::new(leaf.thumbprint(), public_key) })
    }

    /// The certificate that was checked.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What sealing needs.
    pub const fn key(&self) -> &RecipientKey {
        &self.key
    }
}

/// May signatures of this certificate's key be believed? As [`Recipient::check`], but for a key of any kind, whose usage
/// (if it says one) includes digitalSignature. The signature itself is up to the caller.
///
/// # Errors
/// As for [`Recipient::check`].
pub fn check_signer(
    leaf: &Certificate,
    chain: &[Certificate],
    anchors: &[Certificate],
    now: UnixTime,
) -> Result<(), RecipientError> {
    check_dates(leaf, now)?;
    if leaf.key_usage().is_some_and(|usage| !usage.digital_signature) {
        return Err(RecipientError::SigningUsage);
    }
    check_path(leaf, chain, anchors, now)
}

fn check_dates(leaf: &Certificate, now: UnixTime) -> Result<(), RecipientError> {
    if now < leaf.not_before() {
        return Err(RecipientError::NotYetValid);
    }
    if now > leaf.not_after() {
        return Err(RecipientError::Expired);
    }
    Ok(())
}

fn check_path(
    leaf: &Certificate,
    chain: &[Certificate],
    anchors: &[Certificate],
    now: UnixTime,
) -> Result<(), RecipientError> {
    if leaf.unknown_critical_extension {
        return Err(RecipientError::CriticalExtension);
    }
    if !anchors.contains(leaf) {
        PathSearch::new(chain, anchors, now).run(leaf)?;
    }
    Ok(())
}

/// Depth-first search of a path. Bounded in depth and in signatures, so that no chain can be made
/// up that takes long.
struct PathSearch<'a> {
    chain: &'a [Certificate],
    anchors: &'a [Certificate],
    now: UnixTime,
    signatures_left: usize,
    failure: Option<RecipientError>,
}

/// The authorities between a certificate on the path and the recipient, itself included.
#[derive(Clone, Copy, Default)]
struct Below {
    authorities: usize,
    /// As a path length counts them: without the self-issued.
    counted: usize,
}

impl<'a> PathSearch<'a> {
    const fn new(chain: &'a [Certificate], anchors: &'a [Certificate], now: UnixTime) -> Self {
        Self { chain, anchors, now, signatures_left: MAX_SIGNATURES, failure: None }
    }

    fn run(mut self, leaf: &Certificate) -> Result<(), RecipientError> {
        if self.reaches_anchor(leaf, Below::default()) {
            return Ok(());
        }
        Err(self.failure.unwrap_or(RecipientError::Untrusted))
    }

    fn reaches_anchor(&mut self, certificate: &Certificate, below: Below) -> bool {
        let (anchors, chain) = (self.anchors, self.chain);
        if anchors.iter().any(|anchor| self.may_issue(anchor, certificate, below)) {
            return true;
        }
        if below.authorities == MAX_INTERMEDIATES {
            return false;
        }
        chain.iter().any(|issuer| {
            issuer != certificate && self.may_issue(issuer, certificate, below) && {
                let counted = below.counted + usize::from(!issuer.is_self_issued());
                let authorities = below.authorities + 1;
                self.reaches_anchor(issuer, Below { authorities, counted })
            }
        })
    }

    /// Whether `issuer` is who issued `certificate`, and was allowed to. Keeps the reason if not.
    fn may_issue(&mut self, issuer: &Certificate, certificate: &Certificate, below: Below) -> bool {
        if !certificate.names_as_issuer(issuer) || self.signatures_left == 0 {
            return false;
        }
        self.signatures_left -= 1;
        let Err(failure) = check_issuer(issuer, certificate, below, self.now) else {
            return true;
        };
        // A signature that is not good may only mean that another authority has the same name:
        // any other failure says more.
        if matches!(self.failure, None | Some(RecipientError::Signature(_))) {
            self.failure = Some(failure);
        }
        false
    }
}

fn check_issuer(
    issuer: &Certificate,
    certificate: &Certificate,
    below: Below,
    now: UnixTime,
) -> Result<(), RecipientError> {
    certificate.is_signed_by(issuer).map_err(RecipientError::Signature)?;
    let constraints = issuer
        .basic_constraints()
        .filter(|constraints| constraints.is_authority)
        .ok_or(RecipientError::IssuerNotAuthority)?;
    if issuer.key_usage().is_some_and(|usage| !usage.key_cert_sign) {
        return Err(RecipientError::IssuerNotAuthority);
    }
    if constraints.path_length.is_some_and(|length| below.counted > length.into()) {
        return Err(RecipientError::PathLength);
    }
    if now < issuer.not_before() || now > issuer.not_after() {
        return Err(RecipientError::IssuerExpired);
    }
    if issuer.unknown_critical_extension {
        return Err(RecipientError::CriticalExtension);
    }
    Ok(())
}
