//! Whether a key is to have a successor now.

use super::{KeyError, KeyService, SubjectOverrides, pending::Awaited, provisioning::Provisioner};
use crate::domain::{
    alias::{AliasRole, KeyAlias},
    key::KeyRecord,
    rotation::{Link, NewestKey, successor},
    symmetric::SymmetricKeyRecord,
};

impl Provisioner {
    /// Whether the newest key of its alias is to be replaced: it has ended, in time or by decision, or it nears its end
    /// and a successor would live longer. Nobody here makes the successor of another domain's.
    pub(crate) async fn needs_successor(&self, newest: &KeyRecord) -> Result<bool, KeyError> {
        if newest.is_elsewhere() {
            return Ok(false);
        }
        let (_, lead_days) = self.policies.periods(&newest.alias)?;
        if !self.directory.states.is_active(&newest.id) {
            return Ok(true);
        }
        let now = self.clock.now();
        // Most are: without a look at their issuers.
        if newest.period.is_current(now, lead_days) {
            return Ok(false);
        }
        if !newest.period.is_current(now, 0) {
            return Ok(true);
        }
        // Whoever makes the successor says which issuer is missing.
        let Some(chain) = self.chain_to(newest).await? else { return Ok(true) };
        Ok(successor(&self.policies.in_force().compiled, &chain, now).is_some())
    }

    /// Whether the newest symmetric key of its alias is to be replaced.
    pub(crate) fn needs_symmetric_successor(&self, newest: &SymmetricKeyRecord) -> bool {
        let newest_key = NewestKey::of_symmetric(newest);
        let link = Link { alias: newest.alias.clone(), newest: newest_key, is_awaited: false };
        successor(&self.policies.in_force().compiled, &[link], self.clock.now()).is_some()
    }

    /// The key under the newest ones of its issuers; `None` when one of them has none.
    async fn chain_to(&self, newest: &KeyRecord) -> Result<Option<Vec<Link>>, KeyError> {
        let alias = newest.alias.clone();
        let mut last = Link { alias, newest: NewestKey::of(newest), is_awaited: false };
        let mut chain = Vec::new();
        while let Some(issuer) = last.newest.issuer(&last.alias) {
            chain.push(last);
            let Some(key) = self.directory.newest(&issuer).await? else { return Ok(None) };
            let is_awaited = self.pending.contains(&Awaited::Pair(issuer.clone()));
            last = Link { alias: issuer, newest: NewestKey::of(&key), is_awaited };
        }
        chain.push(last);
        chain.reverse();
        Ok(Some(chain))
    }
}

impl KeyService {
    /// Gives a key that is made on request a successor, if it is to have one. Returns whether it got one.
    pub(crate) async fn renew(&self, alias: &KeyAlias) -> Result<bool, KeyError> {
        match alias.role() {
            AliasRole::Base => self.renew_base(alias).await,
            AliasRole::Curve(_) => self.renew_on_curve(alias).await,
            AliasRole::Internal | AliasRole::Module | AliasRole::Root | AliasRole::Sign => Ok(false),
        }
    }

    async fn renew_base(&self, alias: &KeyAlias) -> Result<bool, KeyError> {
        let _making = self.creation_lock(alias).lock().await;
        let Some(newest) = self.directory.newest_now(alias).await? else { return Ok(false) };
        if !self.is_to_be_renewed(&newest).await? {
            return Ok(false);
        }
        if !self.reference_allowed(alias) {
            return Err(KeyError::ReferenceNotAllowed);
        }
        let made = self.base.make(alias, Some(&newest), &SubjectOverrides::default()).await?;
        if made.by_us {
            self.auditor.own("key.create", Some(alias.clone()), Some(made.record.id.clone())).await?;
        }
        Ok(made.by_us)
    }

    async fn renew_on_curve(&self, alias: &KeyAlias) -> Result<bool, KeyError> {
        let Some(newest) = self.directory.newest_now(alias).await? else { return Ok(false) };
        if !self.is_to_be_renewed(&newest).await? {
            return Ok(false);
        }
        let current = self.ensure_on_curve(alias, &SubjectOverrides::default()).await?;
        Ok(current.generation > newest.generation)
    }

    /// After a decision there is a successor when somebody asks for the key.
    async fn is_to_be_renewed(&self, newest: &KeyRecord) -> Result<bool, KeyError> {
        Ok(self.directory.states.is_active(&newest.id) && self.provisioner.needs_successor(newest).await?)
    }

    /// Gives a symmetric key a successor, unless it has one. Returns whether this call made it.
    pub(crate) async fn renew_symmetric(&self, newest: &SymmetricKeyRecord) -> Result<bool, KeyError> {
        self.check_symmetric_name(&newest.alias)?;
        let key = self.provisioner.make_symmetric(&newest.alias, newest.generation).await?;
        if key.made {
            self.auditor.own("key.create", Some(newest.alias.clone()), Some(key.id)).await?;
        }
        Ok(key.made)
    }
}
