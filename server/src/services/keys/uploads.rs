//! Certificates that others issued for the server's own keys.
//!
//! The certificate comes with a record of its own, as that of a next generation: a record never changes, so whatever
//! names the old certificate (packets by its thumbprint, tokens by its `kid`) finds it and the key as before. For a base
//! key the private part is wrapped anew, bound to the new record. One transaction makes it current, or nothing happened.

use std::sync::Arc;

use kunji_shared::Certificate;
use serde_json::json;

use super::{
    CertificateChain, KeyError, KeyService, base,
    given::{Authorities, GivenCertificate},
    issuing::public_key_of,
    upload_error::UploadError,
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::KeyAlias,
        key::{KeyId, KeyMaterial, KeyRecord, wrapping_context},
    },
    ports::repository::RepositoryError,
};

/// Times that another change may come first.
pub(super) const ROUNDS: usize = 4;

impl KeyService {
    /// Puts a certificate that others issued (PEM, those above it after it) in the place of the one of the alias's
    /// current key. Packets sealed for the old one still open. One whose chain does not lead to ROOT is marked as
    /// unverified. Uploading the current certificate again changes nothing.
    ///
    /// # Errors
    /// [`UploadError`].
    pub async fn upload_certificate(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        pem: &str,
    ) -> Result<Arc<KeyRecord>, UploadError> {
        let stored = async {
            self.authorizer.check(call, Operation::UploadCertificate, alias)?;
            let given = GivenCertificate::read(pem)?;
            for _ in 0..ROUNDS {
                match self.replace_certificate(alias, &given).await {
                    Err(UploadError::Key(KeyError::Repository(RepositoryError::Conflict))) => {}
                    outcome => return outcome,
                }
            }
            Err(RepositoryError::Conflict.into())
        };
        self.auditor
            .audited_in_detail(call, Operation::UploadCertificate, Some(alias), stored, about_upload)
            .await
    }

    async fn replace_certificate(
        &self,
        alias: &KeyAlias,
        given: &GivenCertificate,
    ) -> Result<Arc<KeyRecord>, UploadError> {
        let now = self.provisioner.clock.now();
        // A decision that another server has just made must not be lost on the key's next record.
        self.directory.states.refresh().await?;
        let newest = self.directory.newest_now(alias).await?.ok_or(UploadError::NoCurrentKey)?;
        if newest.is_elsewhere() {
            return Err(UploadError::OtherDomain);
        }
        let (_, pre_expire_days) = self.policies.periods(alias)?;
        if !self.usable(&newest, 0) {
            return Err(UploadError::NoCurrentKey);
        }
        if given.leaf.public_key_der() != public_key_of(&newest.certificate)? {
            return Err(UploadError::KeyDiffers);
        }
        if given.leaf.thumbprint() == newest.thumbprint {
            return Ok(newest);
        }
        if self.directory.by_thumbprint(&given.leaf.thumbprint()).await?.is_some() {
            return Err(UploadError::Known);
        }
        given.check_dates(now, pre_expire_days)?;
        if !given.suits(alias.role()) {
            return Err(UploadError::Usage);
        }
        let record = self.successor(&newest, given).await?;
        self.directory.states.refresh().await?;
        if !self.directory.states.is_active(&newest.id) {
            return Err(UploadError::NoCurrentKey);
        }
        Ok(self.directory.insert(record).await?)
    }

    /// The record of the same key with the given certificate.
    async fn successor(
        &self,
        newest: &KeyRecord,
        given: &GivenCertificate,
    ) -> Result<KeyRecord, UploadError> {
        let id = self.provisioner.key_id()?;
        let thumbprint = given.leaf.thumbprint();
        let material = match newest.material {
            KeyMaterial::Wrapped { kek_version, .. } => {
                let pkcs8 = self.private_keys.pkcs8(newest).await?;
                let kek = self.provisioner.ensure_kek(&newest.alias.application, kek_version).await?;
                let kek = self.provisioner.counted(kek).await?;
                let context = wrapping_context(&newest.alias, &id, &thumbprint, kek.version);
                base::wrap(&self.provisioner, &kek, &context, pkcs8).await?
            }
            ref material @ (KeyMaterial::Elsewhere | KeyMaterial::Removed { .. } | KeyMaterial::Token(_)) => {
                material.clone()
            }
        };
        Ok(KeyRecord {
            issuer: id.clone(),
            id,
            alias: newest.alias.clone(),
            generation: newest.generation.saturating_add(1),
            material,
            key_type: newest.key_type,
            thumbprint,
            certificate: given.leaf.der().to_vec(),
            upload: Some(given.trace(&self.authorities().await?, self.provisioner.clock.now())),
            period: given.period(),
        })
    }

    /// The certificates that the server's own keys issue with.
    pub(super) async fn authorities(&self) -> Result<Authorities, KeyError> {
        let roots = self.root_certificates().await?;
        let mut modules = Vec::new();
        for application in self.policies.applications() {
            if let Some(key) = self.directory.newest(&KeyAlias::master(application.clone())).await? {
                let CertificateChain { certificates, .. } = self.chain(key).await?;
                modules.extend(certificates);
            }
        }
        let read =
            |ders: Vec<Vec<u8>>| ders.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
        Ok(Authorities { roots: read(roots), modules: read(modules) })
    }
}

/// What the audit trail says of a certificate that was taken.
pub(super) fn about_upload(key: &Arc<KeyRecord>) -> (Option<KeyId>, Option<serde_json::Value>) {
    let is_verified = key.upload.as_ref().is_some_and(|upload| upload.is_verified);
    let details = json!({ "thumbprint": key.thumbprint.to_string(), "verified": is_verified });
    (Some(key.id.clone()), Some(details))
}
