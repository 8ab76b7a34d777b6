//! What can be mended without risk: what any server would do when a key is next asked for, and forgetting intents that
//! came to nothing.

use super::KeyError;
use crate::{
    domain::{
        alias::{AliasRole, KeyAlias},
        doctor::{Fault, Finding, Series, Slot},
        key::TokenKeyId,
    },
    services::keys::provisioning::Provisioner,
};

impl Provisioner {
    /// Mends what was found, as far as it can be.
    pub(super) async fn mend(&self, finding: &Finding) -> Result<(), KeyError> {
        let (Some(label), Some(id)) = (&finding.subject.label, finding.subject.object) else { return Ok(()) };
        let Some(Slot { series, .. }) = Slot::parse(label) else { return Ok(()) };
        match finding.fault {
            Fault::MakingBegun => self.leased(&series, self.forget(label, id)).await,
            Fault::MakingInterrupted => self.go_on(&series).await,
            Fault::ObjectUnclaimed => {
                self.leased(&series, self.claim(label, id)).await?;
                self.go_on(&series).await
            }
            _ => Ok(()),
        }
    }

    /// Does it while no server makes a key of the series.
    async fn leased(
        &self,
        series: &Series,
        work: impl Future<Output = Result<(), KeyError>>,
    ) -> Result<(), KeyError> {
        let name = match series {
            Series::Kek(application) => format!("kek/{application}"),
            Series::Pair(alias) => format!("key/{alias}"),
            Series::Symmetric(alias) => format!("symmetric/{alias}"),
            // Its making is a start's; without it no server answers.
            Series::System => return Ok(()),
        };
        let lease = self.lease(&name).await?;
        let outcome = work.await;
        self.release(lease).await;
        outcome
    }

    /// Forgets an intent whose object is not there.
    async fn forget(&self, label: &str, id: TokenKeyId) -> Result<(), KeyError> {
        if self.token.find_signing_pair(id).await?.is_none() && !self.token.has_kek(id).await? {
            self.repository.remove_intent(label, id).await?;
        }
        Ok(())
    }

    /// Notes an object as that of its slot, if no other is.
    async fn claim(&self, label: &str, id: TokenKeyId) -> Result<(), KeyError> {
        if self.repository.find_intent(label).await?.is_none() && self.token.was_made_as(id, label).await? {
            self.repository.put_intent(label, id).await?;
        }
        Ok(())
    }

    /// Makes the series' next key current, if one is due.
    async fn go_on(&self, series: &Series) -> Result<(), KeyError> {
        match series {
            Series::Kek(application) => {
                let alias = KeyAlias::master(application.clone());
                match self.directory.newest_now(&alias).await? {
                    Some(newest) => self.ensure_kek_of(&newest).await,
                    None => Ok(()),
                }
            }
            Series::Pair(alias) => match alias.role() {
                AliasRole::Internal | AliasRole::Module | AliasRole::Root | AliasRole::Sign => {
                    self.ensure_with_kek(alias).await
                }
                // Made for who asks, who then goes on with it.
                AliasRole::Base | AliasRole::Curve(_) => Ok(()),
            },
            Series::Symmetric(_) | Series::System => Ok(()),
        }
    }
}
