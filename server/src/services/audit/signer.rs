//! The key that signs what is said about the logs: one of its own, on the token.

use std::sync::Arc;

use kunji_shared::pem;

use super::TrailError;
use crate::{
    domain::{
        alias::KeyAlias,
        audit::statement::{Signed, Statement, VerifyingKeys, fingerprint},
        digest::sha256,
    },
    ports::key_store::KeyStore,
    services::keys::{
        SubjectOverrides,
        issuing::public_key_of,
        provisioning::{Provisioner, token_key_of},
    },
};

/// Generations of the key whose signatures count: all that there can be.
const GENERATIONS: usize = 1_000;

/// Signs statements.
pub(crate) struct StatementSigner {
    pub(crate) provisioner: Arc<Provisioner>,
    pub(crate) token: Arc<dyn KeyStore>,
}

impl StatementSigner {
    /// Signs what `statement` makes of the name of the current key, which is made when there is none or it nears its
    /// end. The signature is checked.
    pub(crate) async fn sign<S: Statement>(
        &self,
        statement: impl FnOnce(String) -> S,
    ) -> Result<Signed<S>, TrailError> {
        let key = self.provisioner.ensure(&KeyAlias::audit(), &SubjectOverrides::default()).await?;
        let public_key = public_key_of(&key.certificate)?;
        let statement = statement(fingerprint(&public_key));
        let digest = sha256(statement.text().as_bytes());
        let signature = self.token.sign_digest(token_key_of(&key)?, digest).await?;
        let signed = Signed { statement, signature };
        signed.verify(&VerifyingKeys::new([public_key]))?;
        Ok(signed)
    }

    /// The certificates of all keys that ever signed, newest first, DER.
    pub(super) async fn certificates(&self) -> Result<Vec<Vec<u8>>, TrailError> {
        let keys = self.provisioner.directory.list(&KeyAlias::audit(), GENERATIONS).await?;
        Ok(keys.into_iter().map(|key| key.certificate).collect())
    }

    /// The same as PEM.
    pub(super) async fn certificates_pem(&self) -> Result<String, TrailError> {
        Ok(self.certificates().await?.iter().map(|der| pem::encode("CERTIFICATE", der)).collect())
    }

    /// The public keys of them.
    pub(super) async fn keys(&self) -> Result<VerifyingKeys, TrailError> {
        let certificates = self.certificates().await?;
        let keys = certificates.iter().map(|der| public_key_of(der)).collect::<Result<Vec<_>, _>>()?;
        Ok(VerifyingKeys::new(keys))
    }
}
