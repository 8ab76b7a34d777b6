//! Whether a certificate is trusted: its path leads to an anchor of a domain, and no list that is known revokes any
//! certificate of it.

use std::{collections::BTreeMap, sync::Arc};

use kunji_shared::{Certificate, UnixTime};
use openssl::{error::ErrorStack, x509::X509};

use super::Trust;
use crate::ports::revocation_lists::RevocationLists;

mod path;
mod timestamp;

use path::Purpose;
use timestamp::Timestamp;

/// Certificates that are trusted, by domain. Domains are compared without regard to case, as their names are used.
#[derive(Default)]
pub struct TrustAnchors(BTreeMap<String, Vec<X509>>);

impl TrustAnchors {
    /// Adds an anchor to a domain.
    ///
    /// # Errors
    /// [`ErrorStack`] when OpenSSL does not read the certificate.
    pub fn add(&mut self, domain: &str, anchor: &Certificate) -> Result<(), ErrorStack> {
        let anchor = X509::from_der(anchor.der())?;
        self.0.entry(name(domain)).or_default().push(anchor);
        Ok(())
    }
}

fn name(domain: &str) -> String {
    domain.trim().to_ascii_uppercase()
}

/// What trust in certificates of others is made of.
pub struct TrustStore {
    /// Where paths end.
    pub anchors: TrustAnchors,
    /// Where paths of time-stamping authorities end.
    pub timestamp_anchors: Vec<X509>,
    /// What is known of revocation; `None` where nothing ever is.
    pub lists: Option<Arc<dyn RevocationLists>>,
    /// Whether a path is trusted although a list that counts for it has ended.
    pub expired_lists_count: bool,
}

/// What is known of the revocation of a path's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// It was not asked for, or there is no path.
    NotChecked,
    /// There is no list of one of the issuers, and those that there are have none of them.
    Unknown,
    /// Each issuer has a list, and none has any of them.
    Clear,
    /// As before, but one of the lists has ended, and settings let it count.
    ClearByExpired,
    /// A list that has none of them has ended: one that came later could.
    Expired,
    /// A list has one of them, or the key of an issuer is one of the server's own that is compromised.
    Revoked,
}

impl Revocation {
    fn is_trusted(self) -> bool {
        matches!(self, Self::Clear | Self::ClearByExpired | Self::Unknown)
    }
}

/// What came of a certificate.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    /// Whether it is trusted.
    pub(super) trust: Trust,
    /// What is known of revocation on its path.
    pub(super) revocation: Revocation,
    /// SubjectPublicKeyInfo (DER) of everyone on the path, if there is one.
    pub(super) public_keys: Vec<Vec<u8>>,
}

/// When a signature is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Now.
    pub(super) now: UnixTime,
    /// A time at which the signature was there, as a trusted time-stamp proves.
    pub(super) proven: Option<UnixTime>,
}

impl Moment {
    /// The time whose dates count.
    pub(super) fn judged_at(self) -> UnixTime {
        self.proven.unwrap_or(self.now)
    }

    /// Whether the signature may have been made when its key was not to be trusted any more.
    pub(super) fn is_after(self, end: UnixTime) -> bool {
        self.proven.is_none_or(|proven| proven >= end)
    }
}

impl TrustStore {
    /// The time that a time-stamp token over the message proves, and SubjectPublicKeyInfo (DER) of everyone on the path
    /// of its authority; `None` when it proves none: see [`Timestamp::check`], and the authority must be trusted today.
    /// Blocks as [`TrustStore::judge`].
    pub(super) fn time_of(
        &self,
        token: &[u8],
        message: &[u8],
        now: UnixTime,
    ) -> Option<(UnixTime, Vec<Vec<u8>>)> {
        let Timestamp { time, authority, others } = Timestamp::check(token, message, now)?;
        let path = path::find(&self.timestamp_anchors, &authority, &others, now, Purpose::Timestamps)?;
        let revocation = self.revocation(&path, Moment { now, proven: None });
        revocation.is_trusted().then(|| path::public_keys(&path)).flatten().map(|keys| (time, keys))
    }

    /// Judges a certificate with the help of `others`. Blocks for as long as some signatures take, and for files at
    /// most once a minute. A domain that is not known has no anchors.
    pub(super) fn judge(
        &self,
        domain: &str,
        leaf: &Certificate,
        others: &[Certificate],
        moment: Moment,
    ) -> Judgement {
        let anchors = self.anchors.0.get(&name(domain)).map(Vec::as_slice).unwrap_or_default();
        let path = path::find(anchors, leaf, others, moment.judged_at(), Purpose::Data);
        let Some((path, public_keys)) =
            path.and_then(|path| path::public_keys(&path).map(|keys| (path, keys)))
        else {
            return Judgement {
                trust: Trust::PathNotValid,
                revocation: Revocation::NotChecked,
                public_keys: Vec::new(),
            };
        };
        let revocation = self.revocation(&path, moment);
        let trust = if revocation.is_trusted() { Trust::PathValid } else { Trust::PathNotValid };
        Judgement { trust, revocation, public_keys }
    }

    /// What the lists say of a path, whose last is the anchor. A revocation that came later than the signature is none.
    fn revocation(&self, path: &[X509], moment: Moment) -> Revocation {
        let Some(lists) = &self.lists else { return Revocation::Unknown };
        let lists = lists.current();
        // Of an anchor alone nothing is known: nobody revokes it.
        let (mut is_known, mut has_ended) = (path.len() > 1, false);
        for pair in path.windows(2) {
            let [certificate, issuer] = pair else { continue };
            let mut has_list = false;
            for list in lists.iter().filter(|list| list.is_by(issuer)) {
                if list.revoked_since(certificate).is_some_and(|since| moment.is_after(since)) {
                    return Revocation::Revoked;
                }
                has_list = true;
                has_ended |= !list.is_current(moment.now);
            }
            is_known &= has_list;
        }
        match (is_known, has_ended) {
            // A successor of that list could have one of them, whatever is known of others.
            (_, true) if !self.expired_lists_count => Revocation::Expired,
            (false, _) => Revocation::Unknown,
            (true, false) => Revocation::Clear,
            (true, true) => Revocation::ClearByExpired,
        }
    }
}
