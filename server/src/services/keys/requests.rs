//! Requests for certificates that others issue.

use std::sync::Arc;

use super::{
    KeyError, KeyService, SubjectOverrides,
    issuing::{RequestDraft, public_key_of},
};
use crate::domain::{
    access::{CallContext, Operation},
    alias::KeyAlias,
    digest::sha256,
    key::{KeyMaterial, KeyRecord},
};

impl KeyService {
    /// A PKCS#10 request (DER, RFC 2986) for the current key of the alias, signed by that key; the key is made as by
    /// [`KeyService::certificate`].
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::NothingToCertify`] when the alias has no private key of the server's.
    pub async fn request_certificate(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<(Arc<KeyRecord>, Vec<u8>), KeyError> {
        let made = async {
            self.authorizer.check(call, Operation::RequestCertificate, alias)?;
            if self.is_symmetric(alias).await? {
                return Err(KeyError::NothingToCertify);
            }
            let name = self.provisioner.issuer.requested_subject(subject)?;
            let key = self.current(call, alias).await?;
            if key.is_elsewhere() {
                return Err(KeyError::NothingToCertify);
            }
            let draft = RequestDraft::new(name, &public_key_of(&key.certificate)?)?;
            let signature = self.sign_as_itself(&key, &draft.info).await?;
            Ok((key, draft.signed(&signature)?))
        };
        self.auditor
            .audited(call, Operation::RequestCertificate, Some(alias), made, |(key, _)| Some(&key.id))
            .await
    }

    /// RSASSA-PKCS1-v1_5 (SHA-256) by the key, wherever its private part is.
    async fn sign_as_itself(&self, key: &KeyRecord, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        if let KeyMaterial::Token(id) = key.material {
            return Ok(self.provisioner.token.sign_digest(id, sha256(message)).await?);
        }
        let pkcs8 = self.private_keys.pkcs8(key).await?;
        let (software, message) = (Arc::clone(&self.base.software), message.to_vec());
        tokio::task::spawn_blocking(move || software.sign(&pkcs8, &message))
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(KeyError::Internal("a stored private key cannot be used"))
    }
}
