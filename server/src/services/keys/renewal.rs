//! Whether a key is to have a successor now.

use super::{KeyError, KeyService, SubjectOverrides, provisioning::Provisioner};
use crate::domain::{
    alias::KeyAlias,
    key::KeyRecord,
    rotation::{NewestKey, NewestKeys, issuer_period, renewal},
};

impl Provisioner {
    /// Whether the newest key of its alias is to be replaced: it has ended, in time or by decision, or it nears its end
    /// and a successor would live longer.
    pub(crate) async fn needs_successor(&self, newest: &KeyRecord) -> Result<bool, KeyError> {
        let (_, lead_days) = self.policies.periods(&newest.alias)?;
        if !self.directory.states.is_active(&newest.id) {
            return Ok(true);
        }
        let now = self.clock.now();
        if newest.period.is_current(now, lead_days) {
            return Ok(false);
        }
        if !newest.period.is_current(now, 0) {
            return Ok(true);
        }
        let policies = self.policies.in_force();
        let above = self.newest_above(&newest.alias).await?;
        let issuer = issuer_period(&policies.compiled, |alias| above.get(alias).copied(), &newest.alias, now);
        // Whoever makes the successor says which issuer is missing.
        let Ok(issuer) = issuer else { return Ok(true) };
        Ok(renewal(&policies.compiled, &newest.alias, newest.period, issuer, now).is_some())
    }

    /// The newest keys of what certifies the alias, up to ROOT.
    async fn newest_above(&self, alias: &KeyAlias) -> Result<NewestKeys, KeyError> {
        let mut above = NewestKeys::new();
        let mut next = alias.issuer();
        while let Some(alias) = next {
            next = alias.issuer();
            if let Some(key) = self.directory.newest(&alias).await? {
                above.insert(alias, NewestKey { generation: key.generation, period: key.period });
            }
        }
        Ok(above)
    }
}

impl KeyService {
    /// Gives the alias's base key a successor, if it is to have one. Returns whether this call made it.
    pub(crate) async fn renew_base(&self, alias: &KeyAlias) -> Result<bool, KeyError> {
        let _making = self.creation_lock(alias).lock().await;
        let Some(newest) = self.directory.newest_now(alias).await? else { return Ok(false) };
        // After a decision there is a successor when somebody asks for the key.
        if !self.directory.states.is_active(&newest.id) || !self.provisioner.needs_successor(&newest).await? {
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
}
