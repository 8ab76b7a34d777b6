//! Certificates that the server's module keys issue for keys that others have.

use std::sync::Arc;

use josekit::jws::{JwsVerifier, RS256, RS384, RS512};
use kunji_shared::{ModulusLength, RsaPublicKey, pem};
use x509_cert::{
    der::{Decode, Encode, asn1::ObjectIdentifier},
    request::CertReq,
};

use super::{
    CertificateChain, KeyError, KeyService, SubjectOverrides,
    issuing::{Signer, base_subject},
    other_domains::check_name,
    upload_error::UploadError,
    uploads::ROUNDS,
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, KeyAlias},
        key::{KeyMaterial, KeyRecord},
        key_type::KeyType,
        policy::Cryptoperiod,
    },
    ports::repository::RepositoryError,
};

/// What the holder of a certificate may do with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertifiedUse {
    /// Have keys wrapped for it.
    Encryption,
    /// Sign.
    Signature,
}

/// What a request says, once it is shown that whoever made it has the private key.
struct Proven {
    /// SubjectPublicKeyInfo, DER.
    public_key: Vec<u8>,
    modulus: ModulusLength,
}

impl KeyService {
    /// A certificate, by the application's module key, for the key of a PKCS#10 request (PEM, RFC 2986) that shows
    /// possession of it, stored under the alias as another domain's. Whatever the request says of names and extensions
    /// does not count: the subject is the alias's, and the validity that of base keys.
    ///
    /// # Errors
    /// [`UploadError`].
    pub async fn issue_certificate(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        request: &str,
        certified_use: CertifiedUse,
    ) -> Result<CertificateChain, UploadError> {
        let issued = async {
            self.authorizer.check(call, Operation::IssueCertificate, alias)?;
            check_name(alias)?;
            let proven = read(request)?;
            let taken = self.quota.take(&call.principal.name, self.provisioner.clock.now());
            if !taken {
                return Err(KeyError::QuotaExceeded.into());
            }
            let stored = self.issue(alias, &proven, certified_use).await;
            if stored.is_err() {
                self.quota.give_back(&call.principal.name);
            }
            Ok(self.chain(stored?).await?)
        };
        self.auditor
            .audited(call, Operation::IssueCertificate, Some(alias), issued, |chain| Some(&chain.key.id))
            .await
    }

    async fn issue(
        &self,
        alias: &KeyAlias,
        proven: &Proven,
        certified_use: CertifiedUse,
    ) -> Result<Arc<KeyRecord>, UploadError> {
        let (validity_days, _) = self.policies.periods(alias)?;
        let module_alias = KeyAlias::master(alias.application.clone());
        if self.directory.newest(&module_alias).await?.is_none() {
            return Err(KeyError::ModuleKeyMissing.into());
        }
        let module = self.provisioner.ensure(&module_alias, &SubjectOverrides::default()).await?;
        let role = match certified_use {
            CertifiedUse::Encryption => AliasRole::Base,
            CertifiedUse::Signature => AliasRole::Sign,
        };
        for _ in 0..ROUNDS {
            let now = self.provisioner.clock.now();
            let newest = self.directory.newest_now(alias).await?;
            if let Some(newest) = &newest {
                self.check_predecessor(newest, &proven.public_key, now).await?;
            }
            let period = Cryptoperiod::starting(now, validity_days, Some(module.period));
            let subject = base_subject(&module.certificate, alias)?;
            let signer = Signer::Other(&module);
            let issued =
                self.provisioner.issuer.certify(role, subject, &proven.public_key, period, signer).await?;
            let record = KeyRecord {
                id: self.provisioner.key_id()?,
                alias: alias.clone(),
                generation: newest.map_or(1, |newest| newest.generation.saturating_add(1)),
                material: KeyMaterial::Elsewhere,
                key_type: KeyType::Rsa(proven.modulus),
                thumbprint: issued.thumbprint,
                certificate: issued.der,
                issuer: module.id.clone(),
                upload: None,
                period,
            };
            match self.directory.insert_requested(record).await {
                Err(RepositoryError::Conflict) => {}
                outcome => return Ok(outcome?),
            }
        }
        Err(RepositoryError::Conflict.into())
    }
}

/// Reads a request and verifies that it is signed by the key that it names.
fn read(text: &str) -> Result<Proven, UploadError> {
    const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
    const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
    const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
    let blocks = pem::decode_all(text, "CERTIFICATE REQUEST").map_err(|_| UploadError::RequestUnreadable)?;
    let [der] = blocks.as_slice() else { return Err(UploadError::RequestUnreadable) };
    let request = CertReq::from_der(der).map_err(|_| UploadError::RequestUnreadable)?;
    let public_key = request.info.public_key.to_der().map_err(|_| UploadError::RequestUnreadable)?;
    let info = request.info.to_der().map_err(|_| UploadError::RequestUnreadable)?;
    let modulus =
        RsaPublicKey::from_spki_der(&public_key).map_err(|_| UploadError::KeyUnsupported)?.modulus_length();
    let algorithm = match request.algorithm.oid {
        SHA256_WITH_RSA => RS256,
        SHA384_WITH_RSA => RS384,
        SHA512_WITH_RSA => RS512,
        _ => return Err(UploadError::RequestUnproven),
    };
    let verified = algorithm.verifier_from_der(&public_key).is_ok_and(|verifier| {
        request.signature.as_bytes().is_some_and(|signature| verifier.verify(&info, signature).is_ok())
    });
    if verified { Ok(Proven { public_key, modulus }) } else { Err(UploadError::RequestUnproven) }
}
