//! TLS towards a remote database: TLS 1.2 and 1.3, with the certificate authorities that the system trusts.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use super::error::ConnectError;

/// The provider is named because two are linked, between which rustls would not choose.
pub(super) fn client_config() -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(ConnectError::TrustAnchors("there is none"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| ConnectError::TrustAnchors("no TLS version is left"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
