//! Certificates of keys that only others have.

use std::sync::Arc;

use super::{
    KeyError, KeyService, LISTED_VERSIONS,
    given::GivenCertificate,
    issuing::public_key_of,
    upload_error::UploadError,
    uploads::{ROUNDS, about_upload},
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, KeyAlias, ReferenceId},
        key::{KeyMaterial, KeyRecord},
        key_type::KeyType,
        lifecycle::KeyState,
        time::Timestamp,
    },
    ports::repository::RepositoryError,
};

impl KeyService {
    /// Stores the certificate (PEM, those above it after it) of another domain's key under the alias, in the place of
    /// the one that is there. Packets are sealed for it; the server cannot open them.
    ///
    /// # Errors
    /// [`UploadError`].
    pub async fn upload_other_domain(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        pem: &str,
    ) -> Result<Arc<KeyRecord>, UploadError> {
        let stored = async {
            self.authorizer.check(call, Operation::UploadOtherDomainCertificate, alias)?;
            check_name(alias)?;
            let given = GivenCertificate::read(pem)?;
            given.check_dates(self.provisioner.clock.now(), 0)?;
            if !self.quota.take(&call.principal.name, self.provisioner.clock.now()) {
                return Err(KeyError::QuotaExceeded.into());
            }
            let stored = self.store_other_domain(alias, &given).await;
            if stored.is_err() {
                self.quota.give_back(&call.principal.name);
            }
            stored
        };
        self.auditor
            .audited_in_detail(
                call,
                Operation::UploadOtherDomainCertificate,
                Some(alias),
                stored,
                about_upload,
            )
            .await
    }

    async fn store_other_domain(
        &self,
        alias: &KeyAlias,
        given: &GivenCertificate,
    ) -> Result<Arc<KeyRecord>, UploadError> {
        let modulus = given.leaf.public_key().map_err(|_| UploadError::KeyUnsupported)?.modulus_length();
        for _ in 0..ROUNDS {
            let now = self.provisioner.clock.now();
            let newest = self.directory.newest_now(alias).await?;
            if let Some(newest) = &newest {
                self.check_predecessor(newest, given.leaf.public_key_der(), now).await?;
                if newest.is_elsewhere() && newest.thumbprint == given.leaf.thumbprint() {
                    return Err(UploadError::Known);
                }
            }
            let id = self.provisioner.key_id()?;
            let record = KeyRecord {
                issuer: id.clone(),
                id,
                alias: alias.clone(),
                generation: newest.map_or(1, |newest| newest.generation.saturating_add(1)),
                material: KeyMaterial::Elsewhere,
                key_type: KeyType::Rsa(modulus),
                thumbprint: given.leaf.thumbprint(),
                certificate: given.leaf.der().to_vec(),
                upload: Some(given.trace(&self.authorities().await?, now)),
                period: given.period(),
            };
            match self.directory.insert_requested(record).await {
                Err(RepositoryError::Conflict) => {}
                outcome => return Ok(outcome?),
            }
        }
        Err(RepositoryError::Conflict.into())
    }

    /// Whether another domain's certificate of this key (SubjectPublicKeyInfo, DER) can follow the newest key. Not one of
    /// a key that is known as compromised.
    pub(super) async fn check_predecessor(
        &self,
        newest: &KeyRecord,
        public_key: &[u8],
        now: Timestamp,
    ) -> Result<(), UploadError> {
        let states = &self.directory.states;
        states.refresh().await?;
        check_own(newest, now)?;
        // Who resumes it wants no other.
        if states.decided(&newest.id) == KeyState::Suspended {
            return Err(KeyError::NotUsable(KeyState::Suspended).into());
        }
        for key in self.directory.list(&newest.alias, LISTED_VERSIONS).await? {
            if states.compromised_since(&key.id).is_some() && public_key_of(&key.certificate)? == public_key {
                return Err(KeyError::NotUsable(KeyState::Compromised).into());
            }
        }
        Ok(())
    }

    /// The current certificate of another domain: the one uploaded last, to its end, unless it was decided otherwise.
    /// There is nobody here who could make its successor.
    pub(super) fn of_other_domain(&self, newest: &Arc<KeyRecord>) -> Result<Arc<KeyRecord>, KeyError> {
        match self.directory.states.decided(&newest.id) {
            KeyState::Active if newest.period.is_current(self.provisioner.clock.now(), 0) => {
                Ok(Arc::clone(newest))
            }
            KeyState::Active | KeyState::Deactivated => Err(KeyError::BaseKeyNotAllowed),
            state => Err(KeyError::NotUsable(state)),
        }
    }
}

/// Whether another domain's certificate can have this name.
pub(super) fn check_name(alias: &KeyAlias) -> Result<(), UploadError> {
    let is_of_curve = ReferenceId::CURVES.iter().any(|(name, _)| *name == alias.reference.as_str());
    if is_of_curve {
        Err(UploadError::SigningReference)
    } else if alias.role() != AliasRole::Base {
        Err(UploadError::SigningName)
    } else {
        Ok(())
    }
}

/// Whether another domain's certificate can follow this key, by whose it is.
fn check_own(newest: &KeyRecord, now: Timestamp) -> Result<(), UploadError> {
    let is_current = newest.period.is_current(now, 0);
    match newest.material {
        KeyMaterial::Token(_) if is_current => Err(UploadError::OwnTokenKey),
        KeyMaterial::Token(_) => Err(UploadError::OwnTokenKeyEnded),
        KeyMaterial::Wrapped { .. } if is_current => Err(UploadError::OwnKey),
        KeyMaterial::Elsewhere | KeyMaterial::Removed { .. } | KeyMaterial::Wrapped { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_signing_keys_are_not_other_domains() {
        let check = |application, reference| check_name(&KeyAlias::parse(application, reference).unwrap());
        assert!(check("PARTNER", "p-1").is_ok());
        assert!(check("KERNEL", "p-1").is_ok());
        for (application, reference) in [("KERNEL", "sign"), ("ROOT", ""), ("IDA", "")] {
            assert!(matches!(check(application, reference), Err(UploadError::SigningName)));
        }
        assert!(matches!(check("IDA", "ED25519_SIGN"), Err(UploadError::SigningReference)));
    }
}
