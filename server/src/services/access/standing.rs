//! Whether what callers have shown still counts, for requests that take long to come.

use std::sync::Arc;

use super::{TokenRefusal, ended_epochs::EndedEpochs, external::ExternalIssuers};
use crate::{
    domain::authority::{Authority, Basis},
    ports::clock::Clock,
};

/// Looks at what callers have shown once more.
pub(crate) struct Standing {
    clock: Arc<dyn Clock>,
    ended: Arc<EndedEpochs>,
    external: Arc<ExternalIssuers>,
}

impl Standing {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        ended: Arc<EndedEpochs>,
        external: Arc<ExternalIssuers>,
    ) -> Self {
        Self { clock, ended, external }
    }

    /// That it still counts. A few comparisons, and no lock unless some client was ended meanwhile.
    ///
    /// # Errors
    /// [`TokenRefusal::Expired`] and [`TokenRefusal::Ended`].
    pub(crate) fn check(&self, authority: &Authority) -> Result<(), TokenRefusal> {
        if self.clock.now() >= authority.ends {
            return Err(TokenRefusal::Expired);
        }
        let ended = match &authority.basis {
            Basis::Client { epoch, readings } => self.ended.contain_since(*epoch, *readings),
            Basis::Issuer { name, generation } => !self.external.vouches(name, *generation),
        };
        if ended { Err(TokenRefusal::Ended) } else { Ok(()) }
    }
}
