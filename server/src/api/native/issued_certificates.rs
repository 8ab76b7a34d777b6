//! What `POST /v1/certificates` takes and answers with: a request in, a certificate out.

use kunji_shared::pem;
use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use crate::services::keys::{CertificateChain, CertifiedUse};

/// The key to certify.
#[derive(Debug, Deserialize, Object)]
pub(super) struct CertificateRequest {
    /// The application whose master key issues the certificate.
    pub(super) application: String,
    /// The reference within the application; it is of no key of this server.
    pub(super) reference: String,
    /// PEM of the PKCS#10 request, signed by the key with RSA (PKCS #1 v1.5) and SHA-256, SHA-384 or SHA-512.
    pub(super) request: String,
    /// What the key is for.
    #[serde(rename = "use")]
    #[oai(rename = "use")]
    pub(super) certified_use: UseOfKey,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, Deserialize, Enum)]
#[serde(rename_all = "lowercase")]
#[oai(rename_all = "lowercase")]
pub(super) enum UseOfKey {
    /// Packets are sealed for it: keyEncipherment.
    Encryption,
    /// It signs: digitalSignature.
    Signature,
}

impl From<UseOfKey> for CertifiedUse {
    fn from(key: UseOfKey) -> Self {
        match key {
            UseOfKey::Encryption => Self::Encryption,
            UseOfKey::Signature => Self::Signature,
        }
    }
}

/// A certificate that was issued, with its chain.
#[derive(Debug, Serialize, Object)]
pub(super) struct IssuedCertificateAnswer {
    /// PEM.
    certificate: String,
    /// PEM; the certificate's issuer first, ROOT last.
    chain: Vec<String>,
}

impl From<&CertificateChain> for IssuedCertificateAnswer {
    fn from(chain: &CertificateChain) -> Self {
        let mut blocks = chain.certificates.iter().map(|der| pem::encode("CERTIFICATE", der));
        let certificate = blocks.next().unwrap_or_default();
        Self { certificate, chain: blocks.collect() }
    }
}
