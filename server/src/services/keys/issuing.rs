//! Certificates and certificate requests, signed by the token.

use std::sync::Arc;

use kunji_shared::Thumbprint;
use signature::Keypair;
use x509_cert::{
    Certificate, TbsCertificate,
    builder::{Builder, CertificateBuilder, profile::BuilderProfile},
    der::{
        Any, Decode, Encode,
        asn1::{BitString, GeneralizedTime, ObjectIdentifier, PrintableStringRef, UtcTime, Utf8StringRef},
        flagset::FlagSet,
    },
    ext::{
        Extension, ToExtension,
        pkix::{
            AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, KeyUsage, KeyUsages,
            SubjectKeyIdentifier,
        },
    },
    name::{Name, RdnSequence, RelativeDistinguishedName},
    serial_number::SerialNumber,
    spki::{
        self, AlgorithmIdentifierOwned, Document, DynSignatureAlgorithmIdentifier, EncodePublicKey,
        SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef,
    },
    time::{Time, Validity},
};

use super::{KeyError, SubjectOverrides, provisioning::token_key_of, revocation};
use crate::{
    domain::{
        alias::{AliasRole, KeyAlias},
        key::{KeyRecord, TokenKeyId},
        policy::Cryptoperiod,
        time::Timestamp,
    },
    ports::{entropy::Entropy, key_store::KeyStore},
};

/// Longest common name (RFC 5280, `ub-common-name`).
const COMMON_NAME_MAX: usize = 64;

/// Makes and signs certificates. The profile: X.509 v3; a positive random serial of 128 bits; SKI and AKI by
/// SHA-1 of the public key's bits (RFC 5280 4.2.1.2, method 1); critical basicConstraints and keyUsage by level;
/// sha256WithRSAEncryption; where the issuer's revocation list is, if that address is known.
pub(crate) struct Issuer {
    pub(crate) token: Arc<dyn KeyStore>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Where others reach this server (`https://kunji.example`, no slash at its end); `None` when nobody said.
    pub(crate) public_url: Option<String>,
    pub(crate) subject: SubjectDefaults,
}

/// Members of the subjects of our certificates, where a caller gives none.
pub(crate) struct SubjectDefaults {
    /// CN, with the alias in brackets after it.
    pub(crate) common_name: String,
    /// OU
    pub(crate) organization_unit: String,
    /// O
    pub(crate) organization: String,
    /// L
    pub(crate) location: String,
    /// ST
    pub(crate) state: String,
    /// C
    pub(crate) country: String,
}

/// A signed certificate.
pub(super) struct Issued {
    pub(super) der: Vec<u8>,
    pub(super) thumbprint: Thumbprint,
}

/// Who signs.
#[derive(Clone, Copy)]
pub(super) enum Signer<'a> {
    /// The key itself.
    Itself(TokenKeyId),
    /// An issuer on the token.
    Other(&'a KeyRecord),
}

impl Issuer {
    /// Signs a certificate for `public_key` (SubjectPublicKeyInfo, DER) under `subject`.
    pub(super) async fn certify(
        &self,
        role: AliasRole,
        subject: Name,
        public_key: &[u8],
        period: Cryptoperiod,
        signer: Signer<'_>,
    ) -> Result<Issued, KeyError> {
        let public_key = SubjectPublicKeyInfoOwned::from_der(public_key).map_err(refused)?;
        let (signing_key, issuer_certificate, issuer_name, issuer_public_key) = match signer {
            Signer::Itself(id) => (id, None, subject.clone(), public_key.clone()),
            Signer::Other(issuer) => {
                let certificate = issuer.certificate.as_slice();
                let read = Certificate::from_der(certificate).map_err(refused)?;
                let tbs = read.tbs_certificate();
                let key = token_key_of(issuer)?;
                (key, Some(certificate), tbs.subject().clone(), tbs.subject_public_key_info().clone())
            }
        };
        let holder = Holder::of_rsa(issuer_public_key);
        let revocation_list = match (&self.public_url, signer) {
            (Some(base), Signer::Other(issuer)) => Some(revocation::named_at(base, &issuer.id)?),
            _ => None,
        };
        let profile = Profile { role, subject, issuer: issuer_name, revocation_list };
        let mut serial = [0; 17];
        self.entropy.fill(&mut serial[1..]).map_err(|_| KeyError::Internal("randomness"))?;
        // A leading byte from 1 to 127 keeps the number positive and its length fixed.
        serial[0] = 0x4b;
        let mut builder = CertificateBuilder::new(
            profile,
            SerialNumber::new(&serial).map_err(refused)?,
            validity(period)?,
            public_key,
        )
        .map_err(refused)?;
        let tbs = builder.finalize(&holder).map_err(refused)?;
        let signature = self.sign(signing_key, &tbs).await?;
        let der = builder.assemble(signature, &holder).map_err(refused)?.to_der().map_err(refused)?;
        verify(&der, issuer_certificate)?;
        Ok(Issued { thumbprint: Thumbprint::of_certificate_der(&der), der })
    }

    pub(super) async fn sign(&self, key: TokenKeyId, message: &[u8]) -> Result<BitString, KeyError> {
        let signature = self.token.sign_digest(key, crate::domain::digest::sha256(message)).await?;
        BitString::from_bytes(&signature).map_err(refused)
    }

    /// The subject of a module key: the configured members, each replaced by what the caller gave.
    pub(super) fn module_subject(
        &self,
        alias: &KeyAlias,
        overrides: &SubjectOverrides,
    ) -> Result<Name, KeyError> {
        if !names_no_other(overrides.common_name.as_deref(), alias) {
            return Err(KeyError::SubjectNotAllowed);
        }
        let default_common_name =
            format!("{} ({})", self.subject.common_name, alias_text(alias).to_uppercase());
        distinguished_name(&self.members(overrides, &default_common_name))
    }

    /// The subject of a request for a certificate that others issue: the same members, but the common name as it is
    /// configured, and the most specific one first.
    pub(super) fn requested_subject(&self, overrides: &SubjectOverrides) -> Result<Name, KeyError> {
        let mut members = self.members(overrides, &self.subject.common_name);
        members.reverse();
        distinguished_name(&members)
    }

    fn members(
        &self,
        overrides: &SubjectOverrides,
        default_common_name: &str,
    ) -> [(ObjectIdentifier, String); 6] {
        let pick = |given: &Option<String>, default: &str| {
            given.as_deref().map(str::trim).filter(|text| !text.is_empty()).unwrap_or(default).to_owned()
        };
        [
            (COUNTRY, pick(&overrides.country, &self.subject.country)),
            (STATE, pick(&overrides.state, &self.subject.state)),
            (LOCALITY, pick(&overrides.location, &self.subject.location)),
            (ORGANIZATION, pick(&overrides.organization, &self.subject.organization)),
            (UNIT, pick(&overrides.organization_unit, &self.subject.organization_unit)),
            (COMMON_NAME, pick(&overrides.common_name, default_common_name)),
        ]
    }
}

/// The subject of the certificate, as it is.
pub(super) fn subject_of(certificate: &[u8]) -> Result<Name, KeyError> {
    Ok(Certificate::from_der(certificate).map_err(refused)?.tbs_certificate().subject().clone())
}

/// SubjectPublicKeyInfo (DER) of a certificate.
pub(crate) fn public_key_of(certificate: &[u8]) -> Result<Vec<u8>, KeyError> {
    Certificate::from_der(certificate)
        .and_then(|certificate| certificate.tbs_certificate().subject_public_key_info().to_der())
        .map_err(refused)
}

/// The subject of a base key: its module's, with `<application>-<reference>` as common name.
pub(super) fn base_subject(module_certificate: &[u8], alias: &KeyAlias) -> Result<Name, KeyError> {
    let module = subject_of(module_certificate)?;
    let mut names = RdnSequence::default();
    for name in module.iter_rdn() {
        if !name.iter().any(|member| member.oid == COMMON_NAME) {
            names.push(name.clone());
        }
    }
    names.push(relative_name(COMMON_NAME, &fit_common_name(&alias_text(alias)))?);
    to_name(&names)
}

const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const STATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.8");
const LOCALITY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.7");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
pub(super) const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

fn alias_text(alias: &KeyAlias) -> String {
    if alias.reference.is_master() {
        alias.application.to_string()
    } else {
        format!("{}-{}", alias.application, alias.reference.as_str())
    }
}

/// A common name that a caller gives may have the alias in brackets, as ours have, but no other: a CA must not
/// bear ROOT's or another module's name.
fn names_no_other(common_name: Option<&str>, alias: &KeyAlias) -> bool {
    match common_name.and_then(|name| name.split_once('(')) {
        None => true,
        Some((_, rest)) => rest.trim_end() == format!("{})", alias_text(alias).to_uppercase()),
    }
}

/// Names that are too long for a certificate end in a digest of the whole name instead, so that they stay apart.
fn fit_common_name(name: &str) -> String {
    if name.len() <= COMMON_NAME_MAX {
        return name.to_owned();
    }
    let digest = kunji_shared::encoding::encode_hex(&crate::domain::digest::sha256(name.as_bytes()));
    let head: String = name.chars().take(COMMON_NAME_MAX - 17).collect();
    format!("{head}~{}", digest.get(..16).unwrap_or_default())
}

fn distinguished_name(members: &[(ObjectIdentifier, String)]) -> Result<Name, KeyError> {
    let mut names = RdnSequence::default();
    for (oid, text) in members {
        let bounded = text.len() <= COMMON_NAME_MAX && !text.chars().any(char::is_control);
        if !bounded || text.is_empty() || (*oid == COUNTRY && text.len() != 2) {
            return Err(KeyError::SubjectNotAllowed);
        }
        names.push(relative_name(*oid, text)?);
    }
    to_name(&names)
}

fn relative_name(oid: ObjectIdentifier, text: &str) -> Result<RelativeDistinguishedName, KeyError> {
    let value = if oid == COUNTRY {
        Any::encode_from(&PrintableStringRef::new(text).map_err(|_| KeyError::SubjectNotAllowed)?)
    } else {
        Any::encode_from(&Utf8StringRef::new(text).map_err(|_| KeyError::SubjectNotAllowed)?)
    }
    .map_err(refused)?;
    let mut name = RelativeDistinguishedName::default();
    name.insert(x509_cert::attr::AttributeTypeAndValue { oid, value }).map_err(refused)?;
    Ok(name)
}

fn to_name(names: &RdnSequence) -> Result<Name, KeyError> {
    Name::from_der(&names.to_der().map_err(refused)?).map_err(refused)
}

fn validity(period: Cryptoperiod) -> Result<Validity, KeyError> {
    Ok(Validity::new(time(period.not_before)?, time(period.not_after)?))
}

/// UTCTime until 2049, GeneralizedTime from then on (RFC 5280 4.1.2.5).
pub(super) fn time(at: Timestamp) -> Result<Time, KeyError> {
    let since_epoch = std::time::Duration::from_secs(u64::try_from(at.seconds()).unwrap_or(0));
    UtcTime::from_unix_duration(since_epoch)
        .map(Time::UtcTime)
        .or_else(|_| GeneralizedTime::from_unix_duration(since_epoch).map(Time::GeneralTime))
        .map_err(refused)
}

/// A fault in the token must not become a certificate that nobody accepts. No issuer: signed by itself.
fn verify(certificate: &[u8], issuer: Option<&[u8]>) -> Result<(), KeyError> {
    let parse = |der| kunji_shared::Certificate::from_der(der).map_err(refused);
    let certificate = parse(certificate)?;
    let issuer = issuer.map(parse).transpose()?;
    certificate
        .is_signed_by(issuer.as_ref().unwrap_or(&certificate))
        .map_err(|_| KeyError::Internal("the token made a signature that does not verify"))
}

pub(super) fn refused<E>(_: E) -> KeyError {
    KeyError::Internal("a certificate could not be encoded")
}

/// Stands for a key on the token where the builder asks for a signer.
pub(super) struct Holder {
    pub(super) public_key: SubjectPublicKeyInfoOwned,
    /// What it signs with.
    pub(super) algorithm: AlgorithmIdentifierOwned,
}

impl Holder {
    pub(super) fn of_rsa(public_key: SubjectPublicKeyInfoOwned) -> Self {
        let algorithm = AlgorithmIdentifierOwned { oid: SHA256_WITH_RSA, parameters: Some(Any::null()) };
        Self { public_key, algorithm }
    }
}

impl Keypair for Holder {
    type VerifyingKey = HolderPublicKey;

    fn verifying_key(&self) -> Self::VerifyingKey {
        HolderPublicKey(self.public_key.clone())
    }
}

impl DynSignatureAlgorithmIdentifier for Holder {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(self.algorithm.clone())
    }
}

#[derive(Clone)]
pub(super) struct HolderPublicKey(SubjectPublicKeyInfoOwned);

impl EncodePublicKey for HolderPublicKey {
    fn to_public_key_der(&self) -> spki::Result<Document> {
        Document::try_from(&self.0)
    }
}

struct Profile {
    role: AliasRole,
    subject: Name,
    issuer: Name,
    revocation_list: Option<CrlDistributionPoints>,
}

fn issuer_usage() -> FlagSet<KeyUsages> {
    KeyUsages::DigitalSignature | KeyUsages::KeyCertSign | KeyUsages::CRLSign
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        issuer_key: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let (path_length, usage) = match self.role {
            AliasRole::Root => (Some(2), issuer_usage()),
            AliasRole::Module => (Some(1), issuer_usage()),
            AliasRole::Curve(_) | AliasRole::Internal | AliasRole::Sign => {
                (None, KeyUsages::DigitalSignature.into())
            }
            AliasRole::Base => (None, KeyUsages::KeyEncipherment.into()),
        };
        let constraints = BasicConstraints { ca: path_length.is_some(), path_len_constraint: path_length };
        let mut extensions = Vec::new();
        let subject = tbs.subject();
        extensions.push(SubjectKeyIdentifier::try_from(key)?.to_extension(subject, &extensions)?);
        extensions.push(AuthorityKeyIdentifier::try_from(issuer_key)?.to_extension(subject, &extensions)?);
        extensions.push((true, &constraints).to_extension(subject, &extensions)?);
        extensions.push((true, &KeyUsage(usage)).to_extension(subject, &extensions)?);
        if let Some(place) = &self.revocation_list {
            extensions.push(place.to_extension(subject, &extensions)?);
        }
        Ok(extensions)
    }
}
