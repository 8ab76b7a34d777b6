//! Paths from a certificate to an anchor (RFC 5280 6), by OpenSSL.

use kunji_shared::{Certificate, UnixTime};
use openssl::{
    error::ErrorStack,
    stack::Stack,
    x509::{
        X509, X509KeyUsage, X509PurposeId, X509StoreContext,
        store::X509StoreBuilder,
        verify::{X509VerifyFlags, X509VerifyParam},
    },
};

/// Most authorities between a certificate and its anchor.
const INTERMEDIATES_MAX: i32 = 8;
/// Keys and signatures of at least 112 bits of security: RSA from 2048 bits on, SHA-256 and better.
const SECURITY_LEVEL: i32 = 2;

/// What the certificate at the beginning of a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Signatures of data.
    Data,
    /// Time-stamp tokens: its extended key usage is timeStamping, critical and alone (RFC 3161 2.3).
    Timestamps,
}

/// The path from the certificate to the first of the anchors: itself first. `None` when there is none whose signatures,
/// names, dates at `at`, basicConstraints with path length, keyUsage, name constraints and policies are in order, or
/// when a critical extension is not understood. `others` help and are not trusted; an anchor need not be a root, and
/// may be the certificate itself.
pub(super) fn find(
    anchors: &[X509],
    leaf: &Certificate,
    others: &[Certificate],
    at: UnixTime,
    purpose: Purpose,
) -> Option<Vec<X509>> {
    match search(anchors, leaf, others, at, purpose) {
        Ok(Ok(path)) => has_authorities(&path).then_some(path),
        Ok(Err(reason)) => {
            tracing::debug!(reason, certificate = %leaf.thumbprint(), "no path leads to an anchor");
            None
        }
        Err(error) => {
            tracing::debug!(%error, certificate = %leaf.thumbprint(), "a path could not be checked");
            None
        }
    }
}

fn search(
    anchors: &[X509],
    leaf: &Certificate,
    others: &[Certificate],
    at: UnixTime,
    purpose: Purpose,
) -> Result<Result<Vec<X509>, &'static str>, ErrorStack> {
    let mut rules = X509VerifyParam::new()?;
    rules.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::POLICY_CHECK)?;
    rules.set_depth(INTERMEDIATES_MAX);
    rules.set_auth_level(SECURITY_LEVEL);
    rules.set_time(at.seconds());
    if purpose == Purpose::Timestamps {
        rules.set_purpose(X509PurposeId::TIMESTAMP_SIGN)?;
    }
    let mut store = X509StoreBuilder::new()?;
    store.set_param(&rules)?;
    for anchor in anchors {
        store.add_cert(anchor.clone())?;
    }
    let mut helpers = Stack::new()?;
    for other in others {
        // One that OpenSSL does not read helps nobody.
        if let Ok(other) = X509::from_der(other.der()) {
            helpers.push(other)?;
        }
    }
    let leaf = X509::from_der(leaf.der())?;
    let usage = leaf.key_usage().unwrap_or(X509KeyUsage::DIGITAL_SIGNATURE);
    if purpose == Purpose::Data && !usage.contains(X509KeyUsage::DIGITAL_SIGNATURE) {
        return Ok(Err("the certificate is not for signatures"));
    }
    let store = store.build();
    X509StoreContext::new()?.init(&store, &leaf, &helpers, |context| {
        if !context.verify_cert()? {
            return Ok(Err(context.error().error_string()));
        }
        let path = context.chain().into_iter().flatten();
        Ok(Ok(path.map(ToOwned::to_owned).collect()))
    })
}

/// Whether everyone above the first says that it is an authority: OpenSSL takes self-signed certificates of the first
/// version, which cannot say so, for authorities too.
fn has_authorities(path: &[X509]) -> bool {
    path.iter().skip(1).all(|issuer| {
        let read = issuer.to_der().ok().and_then(|der| Certificate::from_der(&der).ok());
        read.and_then(|issuer| issuer.basic_constraints()).is_some_and(|constraints| constraints.is_authority)
    })
}

/// SubjectPublicKeyInfo (DER) of each certificate; `None` when one cannot be read.
pub(super) fn public_keys(path: &[X509]) -> Option<Vec<Vec<u8>>> {
    let read = |certificate: &X509| {
        let certificate = Certificate::from_der(&certificate.to_der().ok()?).ok()?;
        Some(certificate.public_key_der().to_vec())
    };
    path.iter().map(read).collect()
}
