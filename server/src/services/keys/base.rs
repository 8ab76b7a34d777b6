//! Base keys, and those on curves that the token does not take: made in software, certified by their module, kept in the
//! database under the module's KEK.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    KeyError, SubjectOverrides,
    issuing::{Signer, base_subject},
    provisioning::Provisioner,
};
use crate::{
    domain::{
        alias::{AliasRole, KeyAlias},
        key::{KekRecord, KeyMaterial, KeyRecord, wrapping_context},
        key_type::KeyType,
        policy::Cryptoperiod,
    },
    ports::{repository::RepositoryError, software_keys::SoftwareKeys},
};

/// Makes base keys.
pub(super) struct BaseKeyMaker {
    pub(super) provisioner: Arc<Provisioner>,
    pub(super) software: Arc<dyn SoftwareKeys>,
}

impl BaseKeyMaker {
    /// Makes the alias's next key after `previous`. When another server was faster, its key is the answer and
    /// this one, which nobody has seen, is forgotten.
    pub(super) async fn make(
        &self,
        alias: &KeyAlias,
        previous: Option<&KeyRecord>,
        subject: &SubjectOverrides,
    ) -> Result<Made, KeyError> {
        let provisioner = &self.provisioner;
        let record = self.prepare(alias, previous, subject).await?;
        match provisioner.directory.insert(record).await {
            Ok(record) => Ok(Made { record, by_us: true }),
            Err(RepositoryError::Conflict) => {
                let record = provisioner.forestalled(alias, previous).await?;
                Ok(Made { record, by_us: false })
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn prepare(
        &self,
        alias: &KeyAlias,
        previous: Option<&KeyRecord>,
        subject: &SubjectOverrides,
    ) -> Result<KeyRecord, KeyError> {
        let provisioner = &self.provisioner;
        let (validity_days, _) = provisioner.policies.periods(alias)?;
        let module_alias = KeyAlias::master(alias.application.clone());
        if provisioner.directory.newest(&module_alias).await?.is_none() {
            return Err(KeyError::ModuleKeyMissing);
        }
        let (module, kek) = provisioner.module_with_kek(&alias.application).await?;

        let software = Arc::clone(&self.software);
        let key_type = provisioner.key_type(alias);
        let generated = tokio::task::spawn_blocking(move || match key_type {
            KeyType::Rsa(modulus) => software.generate(modulus),
            KeyType::Curve(curve) => software.generate_on_curve(curve),
        })
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or(KeyError::Internal("a key pair could not be made"))?;

        let id = provisioner.key_id()?;
        let period = Cryptoperiod::starting(provisioner.clock.now(), validity_days, Some(module.period));
        let subject = match (alias.role(), previous) {
            (AliasRole::Curve(_), Some(previous)) if *subject == SubjectOverrides::default() => {
                provisioner.own_subject(previous).await?
            }
            (AliasRole::Curve(_), _) => provisioner.issuer.module_subject(alias, subject)?,
            _ => base_subject(&module.certificate, alias)?,
        };
        let signer = Signer::Other(&module);
        let issued =
            provisioner.issuer.certify(alias.role(), subject, &generated.public_key, period, signer).await?;

        let context = wrapping_context(alias, &id, &issued.thumbprint, kek.version);
        let material = wrap(provisioner, &kek, &context, generated.pkcs8).await?;
        Ok(KeyRecord {
            id,
            alias: alias.clone(),
            generation: previous.map_or(1, |previous| previous.generation.saturating_add(1)),
            material,
            key_type,
            thumbprint: issued.thumbprint,
            certificate: issued.der,
            issuer: module.id.clone(),
            upload: None,
            period,
        })
    }
}

/// The private key (PKCS#8) wrapped by the token with this context, and unwrapped once: a key that cannot be must not
/// get a certificate that packets are sealed for. The caller has counted the wrapping.
pub(super) async fn wrap(
    provisioner: &Provisioner,
    kek: &KekRecord,
    context: &[u8],
    pkcs8: Zeroizing<Vec<u8>>,
) -> Result<KeyMaterial, KeyError> {
    let blob = provisioner.token.wrap(kek.token_key, context, pkcs8.clone()).await?;
    let unwrapped = provisioner.token.unwrap(kek.token_key, context, &blob).await?;
    if *unwrapped != *pkcs8 {
        return Err(KeyError::Internal("the token wrapped a key wrongly"));
    }
    Ok(KeyMaterial::Wrapped { kek_version: kek.version, first_kek: kek.version, blob })
}

/// The key an alias has after [`BaseKeyMaker::make`].
pub(super) struct Made {
    pub(super) record: Arc<KeyRecord>,
    /// Whether this call made it.
    pub(super) by_us: bool,
}
