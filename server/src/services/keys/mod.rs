//! Keys and certificates: read, made on first use, generated on request.

use std::{collections::BTreeMap, sync::Arc};

use regex::Regex;
use tokio::sync::Semaphore;

use self::{base::BaseKeyMaker, private_keys::PrivateKeys, quota::CreationQuota};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, KeyAlias},
        key::{KeyId, KeyRecord},
        lifecycle::{Allowance, KeyUse},
    },
    ports::{repository::RepositoryError, software_keys::SoftwareKeys},
    services::{auditor::Auditor, authorization::Authorizer},
};

mod base;
mod chains;
mod changes;
pub(crate) mod cross;
mod curves;
mod decisions;
pub(crate) mod destruction;
pub(crate) mod directory;
mod doctor;
mod error;
mod given;
mod inventory;
mod issue_elsewhere;
pub(crate) mod issuing;
mod last_uses;
mod needs;
mod other_domains;
pub(crate) mod patterns;
pub(crate) mod pending;
mod pkcs10;
pub(crate) mod policies;
pub(crate) mod private_keys;
pub(crate) mod provisioning;
mod quota;
pub(crate) mod recognition;
mod renewal;
mod requests;
mod returned;
pub mod revocation;
mod rewrapping;
mod rotation;
pub(crate) mod signer;
pub(crate) mod states;
mod symmetric;
mod upload_error;
mod uploads;
pub(crate) mod wraps;

pub use destruction::{DestructionView, KekInState};
pub use doctor::{Examination, Mended};
pub use error::KeyError;
pub use inventory::{KeyDetails, KeyFilter, KeyInState, KeyPage};
pub use issue_elsewhere::CertifiedUse;
pub use symmetric::SymmetricKey;
pub use upload_error::{DatesFault, UploadError};

use directory::KeyDirectory;
use patterns::PublicPatterns;
use policies::PolicyTable;
use provisioning::{Provisioner, root_alias};
use signer::Signer;

/// Most versions of one key that are listed.
const LISTED_VERSIONS: usize = 1_000;
/// Locks that keep one server from making the same base key twice; aliases share them by hash.
const CREATION_LOCKS: usize = 64;

/// Members of a distinguished name that a caller may set; `None` or blank takes the configured default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectOverrides {
    /// CN
    pub common_name: Option<String>,
    /// OU
    pub organization_unit: Option<String>,
    /// O
    pub organization: Option<String>,
    /// L
    pub location: Option<String>,
    /// ST
    pub state: Option<String>,
    /// C
    pub country: Option<String>,
}

/// A certificate with its issuers.
#[derive(Clone, Debug)]
pub struct CertificateChain {
    /// The key.
    pub key: Arc<KeyRecord>,
    /// DER, leaf first, ROOT last; before ROOT its cross-certificates, which lead to earlier ROOTs.
    pub certificates: Vec<Vec<u8>>,
}

/// Keys and certificates.
pub struct KeyService {
    auditor: Arc<Auditor>,
    authorizer: Arc<Authorizer>,
    base: BaseKeyMaker,
    creation: Vec<tokio::sync::Mutex<()>>,
    directory: Arc<KeyDirectory>,
    policies: Arc<PolicyTable>,
    private_keys: Arc<PrivateKeys>,
    provisioner: Arc<Provisioner>,
    public: PublicPatterns,
    quota: CreationQuota,
    references: BTreeMap<String, Regex>,
    signer: Arc<Signer>,
    /// Requests that read the whole table of keys.
    walks: Semaphore,
}

/// What the composition root decides about keys.
pub(crate) struct KeySettings {
    pub(crate) creation_quota_per_hour: u32,
    pub(crate) public_certificates: Vec<String>,
    pub(crate) reference_patterns: BTreeMap<String, String>,
}

impl KeyService {
    pub(crate) fn new(
        provisioner: Arc<Provisioner>,
        software: Arc<dyn SoftwareKeys>,
        private_keys: Arc<PrivateKeys>,
        auditor: Arc<Auditor>,
        authorizer: Arc<Authorizer>,
        signer: Arc<Signer>,
        settings: KeySettings,
    ) -> anyhow::Result<Self> {
        let references = settings
            .reference_patterns
            .into_iter()
            .map(|(application, pattern)| Ok((application, Regex::new(&format!("^(?:{pattern})$"))?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            auditor,
            authorizer,
            base: BaseKeyMaker { provisioner: Arc::clone(&provisioner), software },
            creation: std::iter::repeat_with(tokio::sync::Mutex::default).take(CREATION_LOCKS).collect(),
            directory: Arc::clone(&provisioner.directory),
            policies: Arc::clone(&provisioner.policies),
            private_keys,
            provisioner,
            public: PublicPatterns::new(settings.public_certificates),
            quota: CreationQuota::new(settings.creation_quota_per_hour),
            references,
            signer,
            walks: Semaphore::new(1),
        })
    }

    /// The current key of the alias. A base key is made when there is none or the newest one nears its end.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn certificate(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let found = async {
            self.authorizer.check(call, Operation::ReadCertificate, alias)?;
            self.current(call, alias).await
        };
        self.auditor.audited(call, Operation::ReadCertificate, Some(alias), found, |key| Some(&key.id)).await
    }

    /// The current key of the alias, for a use case that records its own event.
    pub(crate) async fn current(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        match alias.role() {
            AliasRole::Base => self.current_base(call, alias).await,
            AliasRole::Curve(_) => self.current_on_curve(alias).await,
            AliasRole::Internal => Err(KeyError::PolicyMissing),
            AliasRole::Module | AliasRole::Root | AliasRole::Sign => self.current_on_token(alias).await,
        }
    }

    async fn current_on_token(&self, alias: &KeyAlias) -> Result<Arc<KeyRecord>, KeyError> {
        self.policies.periods(alias)?;
        let newest = self.directory.newest(alias).await?.ok_or(KeyError::ModuleKeyMissing)?;
        let current = self.provisioner.ensure(alias, &SubjectOverrides::default()).await;
        self.or_still_valid(current, Some(newest))
    }

    /// Until its end, a certificate that cannot be renewed is better than none.
    fn or_still_valid(
        &self,
        current: Result<Arc<KeyRecord>, KeyError>,
        newest: Option<Arc<KeyRecord>>,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let valid = |key: &Arc<KeyRecord>| self.usable(key, 0);
        match (current, newest.filter(valid)) {
            (Err(error), Some(newest)) => {
                tracing::error!(alias = %newest.alias, %error, "a key could not be renewed");
                Ok(newest)
            }
            (current, _) => current,
        }
    }

    async fn current_base(&self, call: &CallContext, alias: &KeyAlias) -> Result<Arc<KeyRecord>, KeyError> {
        let known = self.directory.newest(alias).await?;
        if let Some(key) = known.as_ref().filter(|key| key.is_elsewhere()) {
            return self.of_other_domain(key);
        }
        if !alias.application.may_have_base_keys() {
            return Err(KeyError::BaseKeyNotAllowed);
        }
        let (_, pre_expire_days) = self.policies.periods(alias)?;
        if let Some(newest) = known.clone().filter(|key| self.usable(key, pre_expire_days)) {
            return Ok(newest);
        }
        let _making = self.creation_lock(alias).lock().await;
        let newest = match self.directory.newest_now(alias).await {
            Ok(newest) => newest,
            Err(error) => return self.or_still_valid(Err(error.into()), known),
        };
        if let Some(key) = newest.as_ref().filter(|key| key.is_elsewhere()) {
            return self.of_other_domain(key);
        }
        let is_due = match &newest {
            Some(newest) => self.provisioner.needs_successor(newest).await,
            None => Ok(true),
        };
        match (is_due, newest.clone()) {
            (Ok(false), Some(newest)) => return Ok(newest),
            (Err(error), newest) => return self.or_still_valid(Err(error), newest),
            _ => {}
        }
        if let Some(newest) = &newest {
            self.directory.states.check_renewable(&newest.id)?;
        }
        let made = self.make_base(call, alias, newest.as_deref()).await;
        self.or_still_valid(made, newest)
    }

    /// Whether the newest key is the current one.
    fn usable(&self, newest: &KeyRecord, pre_expire_days: u32) -> bool {
        newest.period.is_current(self.provisioner.clock.now(), pre_expire_days)
            && self.directory.states.is_active(&newest.id)
    }

    async fn make_base(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        previous: Option<&KeyRecord>,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        if self.is_symmetric(alias).await? {
            return Err(KeyError::BaseKeyNotAllowed);
        }
        if !self.reference_allowed(alias) {
            return Err(KeyError::ReferenceNotAllowed);
        }
        if !self.quota.take(&call.principal.name, self.provisioner.clock.now()) {
            return Err(KeyError::QuotaExceeded);
        }
        let made = self.base.make(alias, previous, &SubjectOverrides::default()).await;
        if !made.as_ref().is_ok_and(|made| made.by_us) {
            // While the token or the database is away, nobody uses up the hour that comes after it.
            self.quota.give_back(&call.principal.name);
        }
        let made = made?;
        if made.by_us {
            self.auditor.created(call, &made.record).await?;
        }
        Ok(made.record)
    }

    /// All keys of the alias, newest first; makes none. Empty when there are none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn certificates(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
    ) -> Result<Vec<KeyRecord>, KeyError> {
        let listed = async {
            self.authorizer.check(call, Operation::ReadCertificates, alias)?;
            let keys = self.directory.list(alias, LISTED_VERSIONS).await?;
            if keys.is_empty() {
                // Other domains' certificates need no policy.
                self.policies.periods(alias)?;
            }
            Ok(keys)
        };
        self.auditor.audited(call, Operation::ReadCertificates, Some(alias), listed, |_| None).await
    }

    /// The current module key (or `KERNEL/SIGN`); made when there is none.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::ReferenceNotSupported`] for the alias of a base key.
    pub async fn generate_master(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let made = async {
            self.authorizer.check(call, Operation::GenerateMasterKey, alias)?;
            self.ensure_master(alias, subject).await
        };
        self.auditor.audited(call, Operation::GenerateMasterKey, Some(alias), made, |key| Some(&key.id)).await
    }

    /// A PKCS#10 request (DER) for the current module key, made when there is none, with that key.
    ///
    /// # Errors
    /// As [`KeyService::generate_master`].
    pub async fn certificate_request(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<(Arc<KeyRecord>, Vec<u8>), KeyError> {
        let made = async {
            self.authorizer.check(call, Operation::GenerateMasterKey, alias)?;
            let key = self.ensure_master(alias, subject).await?;
            let request = self.request_for(&key, subject).await?;
            Ok((key, request))
        };
        self.auditor
            .audited(call, Operation::GenerateMasterKey, Some(alias), made, |(key, _)| Some(&key.id))
            .await
    }

    async fn ensure_master(
        &self,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        match alias.role() {
            AliasRole::Module | AliasRole::Root | AliasRole::Sign => {
                self.provisioner.ensure(alias, subject).await
            }
            AliasRole::Base | AliasRole::Curve(_) | AliasRole::Internal => {
                Err(KeyError::ReferenceNotSupported)
            }
        }
    }

    /// The current key of an alias that the settings mark public, with its chain; `None` when it is not public, has no
    /// key, or no policy under which it may be used. Makes none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn public_certificate(&self, alias: &KeyAlias) -> Result<Option<CertificateChain>, KeyError> {
        if !self.public.admit(alias) {
            return Ok(None);
        }
        let mut newest = self.directory.newest(alias).await?;
        let is_current = |key: &Arc<KeyRecord>| {
            self.usable(key, 0) && (key.is_elsewhere() || self.policies.periods(alias).is_ok())
        };
        if newest.as_ref().is_some_and(|newest| !is_current(newest)) {
            newest = self.directory.newest_now(alias).await?;
        }
        match newest.filter(is_current) {
            Some(key) => Ok(Some(self.chain(key).await?)),
            None => Ok(None),
        }
    }

    /// Every certificate of ROOT (DER) that has not ended and may be believed, newest first: what a form pins.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) async fn root_certificates(&self) -> Result<Vec<Vec<u8>>, KeyError> {
        let now = self.provisioner.clock.now();
        let keys = self.directory.list(&root_alias()?, LISTED_VERSIONS).await?;
        let states = &self.directory.states;
        let lasting = keys.into_iter().filter(|key| {
            key.period.is_current(now, 0) && states.allows(&key.id, KeyUse::Verify) == Allowance::Allowed
        });
        Ok(lasting.map(|key| key.certificate).collect())
    }

    /// The chain of a key's certificate, leaf first, ROOT last.
    pub(crate) async fn chain(&self, key: Arc<KeyRecord>) -> Result<CertificateChain, KeyError> {
        let mut certificates = Vec::new();
        let mut link = Arc::clone(&key);
        // The hierarchy has three levels; a longer walk means records that point at each other.
        for _ in 0..4 {
            certificates.push(link.certificate.clone());
            if let Some(upload) = &link.upload {
                certificates.extend_from_slice(&upload.chain);
            }
            if link.id == link.issuer {
                // Before ROOT: OpenSSL goes no further than to the first certificate of an issuer that it finds.
                let place = certificates.len().saturating_sub(1).max(1);
                certificates.splice(place..place, self.provisioner.cross_certificates(&link.id).await?);
                return Ok(CertificateChain { key, certificates });
            }
            let parent = self.directory.by_id(&link.issuer).await?;
            link = parent.ok_or(KeyError::Internal("a certificate's issuer has no record"))?;
        }
        Err(KeyError::Internal("a certificate chain does not end"))
    }

    /// Whether somebody may ask for base keys of the alias.
    fn check_base_alias(&self, alias: &KeyAlias) -> Result<(), KeyError> {
        if !alias.application.may_have_base_keys() {
            Err(KeyError::BaseKeyNotAllowed)
        } else if !self.reference_allowed(alias) {
            Err(KeyError::ReferenceNotAllowed)
        } else {
            Ok(())
        }
    }

    fn reference_allowed(&self, alias: &KeyAlias) -> bool {
        self.references
            .get(alias.application.as_str())
            .or_else(|| self.references.get("*"))
            .is_none_or(|pattern| pattern.is_match(alias.reference.as_str()))
    }

    fn creation_lock(&self, alias: &KeyAlias) -> &tokio::sync::Mutex<()> {
        use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(alias);
        let index = usize::try_from(hash % CREATION_LOCKS as u64).unwrap_or(0);
        self.creation.get(index).unwrap_or(&UNSHARED)
    }
}

/// After which key to go on that was read from these rows, in the order of ids: `after` itself when none of them has a
/// name. Those that cannot be trusted have one too.
pub(crate) fn last_named(
    rows: &[Result<KeyRecord, RepositoryError>],
    after: Option<&KeyId>,
) -> Option<KeyId> {
    let name = |row: &Result<KeyRecord, RepositoryError>| match row {
        Ok(key) => Some(key.id.clone()),
        Err(RepositoryError::Inconsistent { record, .. }) => KeyId::parse(record),
        Err(_) => None,
    };
    rows.iter().rev().find_map(name).or_else(|| after.cloned())
}

/// Never used: there are always [`CREATION_LOCKS`] locks.
static UNSHARED: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
