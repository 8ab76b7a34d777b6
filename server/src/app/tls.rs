//! TLS towards callers: certificate, key, the authorities of client certificates and their revocation lists, from files
//! that are read again while the server runs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use super::private_file;
use crate::{
    config::{ClientCertificates, Settings},
    domain::digest::sha256,
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where everything is.
#[derive(Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    authorities: Option<PathBuf>,
    revocation_lists: Option<PathBuf>,
    client_certificates: ClientCertificates,
}

/// What was in the files at one time.
struct Contents {
    certificate: Vec<u8>,
    key: SecretString,
    authorities: Option<Vec<u8>>,
    revocation_lists: Option<Vec<u8>>,
}

impl Contents {
    fn read(files: &Files) -> Result<Self> {
        let read = |path: &Path| fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: private_file::read(&files.key)?,
            authorities: files.authorities.as_deref().map(read).transpose()?,
            revocation_lists: files.revocation_lists.as_deref().map(read).transpose()?,
        })
    }

    /// Tells contents from others.
    fn digest(&self) -> [u8; 32] {
        let parts = [
            &*self.certificate,
            self.key.expose_secret().as_bytes(),
            self.authorities.as_deref().unwrap_or_default(),
            self.revocation_lists.as_deref().unwrap_or_default(),
        ];
        sha256(parts.map(sha256).as_flattened())
    }

    fn config(&self, client_certificates: ClientCertificates) -> Result<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = certificates(&self.certificate).context("tls_certificate_file")?;
        let key = PrivateKeyDer::from_pem_slice(self.key.expose_secret().as_bytes())
            .map_err(|_| anyhow::anyhow!("tls_key_file has no private key in PEM"))?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match self.verifier(provider, client_certificates)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .context("tls_certificate_file and tls_key_file do not belong together, or cannot be used")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn verifier(
        &self,
        provider: Arc<rustls::crypto::CryptoProvider>,
        client_certificates: ClientCertificates,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>> {
        if client_certificates == ClientCertificates::Off {
            return Ok(None);
        }
        let authorities = self.authorities.as_deref().context("tls_client_authorities_file is needed")?;
        let mut roots = RootCertStore::empty();
        for authority in certificates(authorities).context("tls_client_authorities_file")? {
            roots.add(authority).context("tls_client_authorities_file")?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = match &self.revocation_lists {
            // Of whom no list tells is refused: the list of an authority may have been forgotten.
            Some(lists) => builder.with_crls(revocation_lists(lists)?),
            None => builder,
        };
        let builder = match client_certificates {
            ClientCertificates::Optional => builder.allow_unauthenticated(),
            _ => builder,
        };
        Ok(Some(builder.build().context("tls_client_authorities_file and tls_client_revocation_lists_file")?))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    certificates.ok().filter(|certificates| !certificates.is_empty()).context("there are no PEM certificates")
}

fn revocation_lists(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>> {
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    let lists = lists.ok().filter(|lists| !lists.is_empty());
    lists.context("tls_client_revocation_lists_file has no revocation lists in PEM")
}

/// What connections are to be served with: the latest that could be read. `None` without TLS.
///
/// # Errors
/// When the files cannot be used now. Later, a file that cannot is reported, and what was before stays.
pub(super) fn open(settings: &Settings) -> Result<Option<watch::Receiver<Arc<ServerConfig>>>> {
    let (Some(certificate), Some(key)) = (&settings.tls_certificate_file, &settings.tls_key_file) else {
        return Ok(None);
    };
    let files = Files {
        certificate: certificate.clone(),
        key: key.clone(),
        authorities: settings.tls_client_authorities_file.clone(),
        revocation_lists: settings.tls_client_revocation_lists_file.clone(),
        client_certificates: settings.tls_client_certificates,
    };
    let contents = Contents::read(&files)?;
    let config = contents.config(files.client_certificates)?;
    let (latest, receiver) = watch::channel(Arc::new(config));
    tokio::spawn(watch_files(files, contents.digest(), latest));
    Ok(Some(receiver))
}

/// Ends with the last receiver.
async fn watch_files(files: Files, mut digest: [u8; 32], latest: watch::Sender<Arc<ServerConfig>>) {
    let mut reported = None;
    loop {
        tokio::select! {
            () = latest.closed() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let files = files.clone();
        let read = tokio::task::spawn_blocking(move || {
            let contents = Contents::read(&files)?;
            let found = contents.digest();
            let config =
                if found == digest { None } else { Some(contents.config(files.client_certificates)?) };
            Ok::<_, anyhow::Error>((found, config))
        });
        match read.await {
            Ok(Ok((found, config))) => {
                reported = None;
                if let Some(config) = config {
                    digest = found;
                    let _ = latest.send(Arc::new(config));
                    tracing::info!("the TLS files were read anew");
                }
            }
            Ok(Err(error)) => {
                // Files change one after the other; the same text again and again helps nobody.
                let text = format!("{error:#}");
                if reported.as_ref() != Some(&text) {
                    tracing::error!(error = text, "the TLS files cannot be used; what was read before stays");
                    reported = Some(text);
                }
            }
            Err(_panic) => {}
        }
    }
}
