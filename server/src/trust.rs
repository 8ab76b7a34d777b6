//! TLS 1.2 and 1.3 towards others, with the certificate authorities that the system trusts.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

/// Why there can be no TLS towards others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate authorities that this system trusts cannot be used: {0}")]
pub struct TrustError(pub &'static str);

/// Checks servers against the authorities of the system, or those of the file that `SSL_CERT_FILE` names.
///
/// The provider is named because two are linked, between which rustls would not choose.
///
/// # Errors
/// [`TrustError`] when there is no authority.
pub fn client_config() -> Result<ClientConfig, TrustError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TrustError("there is none"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| TrustError("no TLS version is left"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
