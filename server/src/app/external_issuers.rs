//! The external issuers that the settings name.

use std::{fs, sync::Arc};

use anyhow::{Context, Result};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::{
    adapters::http_documents::HttpDocuments,
    config::{ExternalIssuer, Settings},
    ports::{clock::Clock, document_fetcher::DocumentFetcher},
    services::access::external::{ExternalIssuerSettings, ExternalIssuers},
};

/// Makes them; nothing is read from them yet.
pub(super) fn open(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<ExternalIssuers> {
    let issuers = settings.external_issuers.iter().map(|(name, issuer)| {
        let documents = HttpDocuments::new(authorities(issuer)?).map_err(anyhow::Error::msg)?;
        let fetcher: Arc<dyn DocumentFetcher> = Arc::new(documents);
        Ok((read(name, issuer), fetcher))
    });
    Ok(ExternalIssuers::new(Arc::clone(clock), issuers.collect::<Result<_>>()?))
}

/// What to trust beside the system's certificate authorities.
fn authorities(issuer: &ExternalIssuer) -> Result<Vec<CertificateDer<'static>>> {
    let Some(file) = issuer.authorities_file.as_deref() else { return Ok(Vec::new()) };
    let pem = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.ok().filter(|certificates| !certificates.is_empty());
    certificates.with_context(|| format!("{} has no PEM certificates", file.display()))
}

fn read(name: &str, issuer: &ExternalIssuer) -> ExternalIssuerSettings {
    ExternalIssuerSettings {
        name: name.into(),
        issuer: issuer.issuer.clone(),
        key_set_url: issuer.key_set_url.clone(),
        audiences: issuer.audiences.clone(),
        algorithms: issuer.algorithms(),
        role_claims: issuer.role_claims.clone(),
        roles: issuer.roles(),
        name_claim: issuer.name_claim.clone(),
        name_prefix: issuer.name_prefix.clone().unwrap_or_else(|| format!("{name}:")),
        leeway_seconds: issuer.leeway_seconds,
    }
}
