//! A key's certificate with those above it.

use super::{CertificateChain, KeyError, KeyService};
use crate::domain::{
    access::{CallContext, Operation},
    alias::KeyAlias,
};

impl KeyService {
    /// As [`KeyService::certificate`], with the certificates above it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn certificate_chain(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
    ) -> Result<CertificateChain, KeyError> {
        let found = async {
            self.authorizer.check(call, Operation::ReadCertificate, alias)?;
            self.chain(self.current(call, alias).await?).await
        };
        self.auditor
            .audited(call, Operation::ReadCertificate, Some(alias), found, |chain| Some(&chain.key.id))
            .await
    }
}
