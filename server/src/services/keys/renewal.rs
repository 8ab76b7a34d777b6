//! Whether a key is to have a successor now.

use super::{KeyError, KeyService, SubjectOverrides, pending::Awaited, provisioning::Provisioner};
use crate::domain::{alias::KeyAlias, key::KeyRecord, policy::Cryptoperiod, rotation::renewal};

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
        if newest.period.is_current(now, lead_days) {
            return Ok(false);
        }
        if !newest.period.is_current(now, 0) {
            return Ok(true);
        }
        // Whoever makes the successor says which issuer is missing.
        let Some(issuer) = self.certifying_period(&newest.alias).await? else { return Ok(true) };
        let policies = self.policies.in_force();
        Ok(renewal(&policies.compiled, &newest.alias, newest.period, issuer.0, now).is_some())
    }

    /// The period of the key that would certify the alias's next: that of the issuer's newest key, or of the successor
    /// that it gets first, unless that one is waited for. `None` when an issuer has no key.
    async fn certifying_period(&self, alias: &KeyAlias) -> Result<Option<Certifying>, KeyError> {
        let Some(issuer) = alias.issuer() else { return Ok(Some(Certifying(None))) };
        let Some(above) = Box::pin(self.certifying_period(&issuer)).await? else { return Ok(None) };
        let Some(key) = self.directory.newest(&issuer).await? else { return Ok(None) };
        let is_awaited = self.pending.contains(&Awaited::Pair(issuer.clone()));
        let policies = self.policies.in_force();
        let successor = renewal(&policies.compiled, &issuer, key.period, above.0, self.clock.now());
        Ok(Some(Certifying(successor.filter(|_| !is_awaited).or(Some(key.period)))))
    }
}

/// The period of a key that certifies; `None` where a key certifies itself.
struct Certifying(Option<Cryptoperiod>);

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
