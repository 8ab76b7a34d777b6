//! Requests for certificates that others issue.

use std::sync::Arc;

use x509_cert::name::Name;

use super::{KeyError, KeyService, SubjectOverrides, issuing::subject_of, pkcs10};
use crate::domain::{
    access::{CallContext, Operation},
    alias::KeyAlias,
    jose::SignatureAlgorithm,
    key::{KeyMaterial, KeyRecord},
    key_type::KeyType,
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
            let request = self.request_by(&key, name).await?;
            Ok((key, request))
        };
        self.auditor
            .audited(call, Operation::RequestCertificate, Some(alias), made, |(key, _)| Some(&key.id))
            .await
    }

    /// A PKCS#10 request (DER) for a key that was just made, with the subject that it has or the caller gives.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn request_for(
        &self,
        key: &Arc<KeyRecord>,
        subject: &SubjectOverrides,
    ) -> Result<Vec<u8>, KeyError> {
        let name = if *subject == SubjectOverrides::default() {
            subject_of(&key.certificate)?
        } else {
            self.provisioner.issuer.module_subject(&key.alias, subject)?
        };
        self.request_by(key, name).await
    }

    async fn request_by(&self, key: &Arc<KeyRecord>, name: Name) -> Result<Vec<u8>, KeyError> {
        let sign = async |algorithm, message| self.sign_as_itself(key, algorithm, message).await;
        pkcs10::request(name, key, sign).await
    }

    /// A signature by the key, wherever its private part is: also by a base key, which signs nothing else.
    async fn sign_as_itself(
        &self,
        key: &Arc<KeyRecord>,
        algorithm: SignatureAlgorithm,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, KeyError> {
        let is_base = matches!((&key.material, key.key_type), (KeyMaterial::Wrapped { .. }, KeyType::Rsa(_)));
        if !is_base {
            return self.signer.sign(key, algorithm, message).await;
        }
        let pkcs8 = self.private_keys.pkcs8(key).await?;
        let software = Arc::clone(&self.base.software);
        tokio::task::spawn_blocking(move || software.sign(&pkcs8, &message))
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(KeyError::Internal("a stored private key cannot be used"))
    }
}
