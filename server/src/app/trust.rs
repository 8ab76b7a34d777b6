//! The trust anchors and revocation lists that the settings point to.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, Result, ensure};
use kunji_shared::Certificate;
use openssl::x509::X509;

use crate::{
    adapters::revocation_files::RevocationFiles,
    config::{ExpiredLists, Settings},
    ports::{clock::Clock, revocation_lists::RevocationLists},
    services::signatures::{TrustAnchors, TrustStore},
};

/// Largest file of anchors.
const FILE_MAX_BYTES: u64 = 1 << 20;
/// Most domains, and most files of one.
const ENTRIES_MAX: usize = 1_000;

/// Reads them.
pub(super) fn read(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<TrustStore> {
    let open = |directory: &Path| {
        let lists = RevocationFiles::open(directory.to_owned(), Arc::clone(clock));
        lists.map(|lists| Arc::new(lists) as Arc<dyn RevocationLists>)
    };
    let lists = settings.revocation_lists_dir.as_deref().map(open).transpose();
    Ok(TrustStore {
        anchors: read_anchors(settings)?,
        timestamp_anchors: read_timestamp_anchors(settings)?,
        lists: lists.context("revocation_lists_dir")?,
        expired_lists_count: settings.expired_revocation_lists == ExpiredLists::Accept,
    })
}

/// Files with certificates in PEM.
fn read_timestamp_anchors(settings: &Settings) -> Result<Vec<X509>> {
    let mut anchors = Vec::new();
    let Some(directory) = &settings.timestamp_anchors_dir else { return Ok(anchors) };
    for (_, file) in entries("timestamp_anchors_dir", directory)? {
        for anchor in read_file(&file)? {
            let anchor = X509::from_der(anchor.der());
            anchors.push(anchor.with_context(|| unusable(&file))?);
        }
    }
    Ok(anchors)
}

fn unusable(file: &Path) -> String {
    format!("{} has a certificate that cannot be used", file.display())
}

/// One directory for each domain, in it files with certificates in PEM.
fn read_anchors(settings: &Settings) -> Result<TrustAnchors> {
    let mut anchors = TrustAnchors::default();
    let Some(directory) = &settings.trust_anchors_dir else { return Ok(anchors) };
    for (domain, path) in entries("trust_anchors_dir", directory)? {
        for (_, file) in entries("trust_anchors_dir", &path)? {
            for anchor in read_file(&file)? {
                let added = anchors.add(&domain, &anchor);
                added.with_context(|| unusable(&file))?;
            }
        }
    }
    Ok(anchors)
}

/// Names and paths, without those that begin with a dot.
fn entries(setting: &str, directory: &Path) -> Result<Vec<(String, std::path::PathBuf)>> {
    let unreadable = || format!("{setting}: {} cannot be read as a directory", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.push((name, entry.path()));
        }
        ensure!(found.len() <= ENTRIES_MAX, "{} has more than {ENTRIES_MAX} entries", directory.display());
    }
    Ok(found)
}

fn read_file(path: &Path) -> Result<Vec<Certificate>> {
    let shown = path.display();
    let size = fs::metadata(path).with_context(|| format!("{shown} cannot be read"))?.len();
    ensure!(size <= FILE_MAX_BYTES, "{shown} is larger than {FILE_MAX_BYTES} bytes");
    let text = fs::read_to_string(path).with_context(|| format!("{shown} cannot be read as PEM"))?;
    Certificate::chain_from_pem(&text).with_context(|| format!("{shown} has no certificates in PEM"))
}
