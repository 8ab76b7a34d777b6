//! The headers of a COSE message (RFC 9052 3), with certificates as RFC 9360 puts them.

use coset::{Header, HeaderBuilder, Label, RegisteredLabelWithPrivate, cbor::value::Value, iana};
use kunji_shared::encoding::decode_base64;
use serde_json::Value as Json;

use super::{claims::to_cbor, number};
use crate::{
    domain::{digest::sha256, jose::SignatureAlgorithm, key::KeyRecord},
    services::signatures::{HeaderCertificates, SignatureError},
};

/// Most members that a caller may ask for in a header.
const MEMBERS_MAX: usize = 32;
/// Longest initialization vector, in bytes.
const IV_MAX_BYTES: usize = 64;
/// `SHA-256` among the algorithms of COSE (RFC 9054 2.1).
const SHA_256: i64 = -16;
/// A text that is a URI (RFC 8949 3.4.5.3).
const URI_TAG: u64 = 32;

/// What a header says beside the algorithm.
#[derive(Clone, Debug, Default)]
pub struct CoseHeaderRequest {
    /// Which certificates stand in `x5chain`.
    pub certificates: HeaderCertificates,
    /// Whether there is the certificate's SHA-256 (`x5t`).
    pub certificate_hash: bool,
    /// `x5u`, if any.
    pub certificate_url: Option<String>,
    /// Whether it names the key (`kid`).
    pub key_id: bool,
    /// `content type`, if any.
    pub content_type: Option<String>,
    /// `IV`, if any, base64url.
    pub iv: Option<String>,
    /// `Partial IV`, if any, base64url.
    pub partial_iv: Option<String>,
    /// Names that are critical. Each must be among `others`.
    pub critical: Vec<String>,
    /// Further members, by their names.
    pub others: Vec<(String, Json)>,
}

impl CoseHeaderRequest {
    pub(super) fn wants_chain(&self) -> bool {
        self.certificates == HeaderCertificates::Chain
    }
}

/// What headers tell of a key.
pub(super) struct Headers<'a> {
    pub(super) key: &'a KeyRecord,
    /// Its certificates up to ROOT, if any header is to have them.
    pub(super) chain: &'a [Vec<u8>],
}

impl Headers<'_> {
    pub(super) fn make(
        &self,
        wanted: &CoseHeaderRequest,
        algorithm: Option<SignatureAlgorithm>,
    ) -> Result<Header, SignatureError> {
        if wanted.others.len() > MEMBERS_MAX {
            return Err(SignatureError::HeaderMember);
        }
        let mut header = HeaderBuilder::new();
        if let Some(algorithm) = algorithm {
            header = header.algorithm(number(algorithm));
        }
        if wanted.key_id {
            header = header.key_id(self.key.kid().into_bytes());
        }
        if let Some(text) = &wanted.content_type {
            header = header.content_type(text.clone());
        }
        for (name, value) in self.certificates(wanted) {
            header = header.value(name as i64, value);
        }
        for (name, value) in &wanted.others {
            header = header.text_value(name.clone(), to_cbor(value)?);
        }
        for (at, name) in wanted.critical.iter().enumerate() {
            // A verifier refuses what is critical and not there, or is named twice.
            let is_there = wanted.others.iter().any(|(known, _)| known == name);
            if !is_there || wanted.critical.iter().take(at).any(|known| known == name) {
                return Err(SignatureError::HeaderMember);
            }
            header = header.add_critical_label(RegisteredLabelWithPrivate::Text(name.clone()));
        }
        let mut header = header.build();
        let decode =
            |text: &String| decode_base64(text, IV_MAX_BYTES).map_err(|_| SignatureError::HeaderMember);
        // Of both, RFC 9052 3.1 allows one.
        match (&wanted.iv, &wanted.partial_iv) {
            (None, None) => {}
            (Some(iv), None) => header.iv = decode(iv)?,
            (None, Some(iv)) => header.partial_iv = decode(iv)?,
            (Some(_), Some(_)) => return Err(SignatureError::HeaderMember),
        }
        Ok(header)
    }

    fn certificates(&self, wanted: &CoseHeaderRequest) -> Vec<(iana::HeaderParameter, Value)> {
        let mut members = Vec::new();
        let leaf = || Value::Bytes(self.key.certificate.clone());
        match wanted.certificates {
            HeaderCertificates::None => {}
            HeaderCertificates::Leaf => members.push((iana::HeaderParameter::X5Chain, leaf())),
            HeaderCertificates::Chain => {
                let chain = self.chain.iter().map(|der| Value::Bytes(der.clone())).collect();
                members.push((iana::HeaderParameter::X5Chain, Value::Array(chain)));
            }
        }
        if wanted.certificate_hash {
            let hash = Value::Bytes(sha256(&self.key.certificate).to_vec());
            members.push((iana::HeaderParameter::X5T, Value::Array(vec![SHA_256.into(), hash])));
        }
        if let Some(url) = &wanted.certificate_url {
            let url = Value::Tag(URI_TAG, Box::new(Value::Text(url.clone())));
            members.push((iana::HeaderParameter::X5U, url));
        }
        members
    }
}

/// Whether both headers have a member of the same label, which RFC 9052 3 forbids.
pub(super) fn share_a_label(one: &Header, other: &Header) -> bool {
    let has_all = |a: bool, b: bool| a && b;
    has_all(one.alg.is_some(), other.alg.is_some())
        || has_all(!one.key_id.is_empty(), !other.key_id.is_empty())
        || has_all(!one.crit.is_empty(), !other.crit.is_empty())
        || has_all(one.content_type.is_some(), other.content_type.is_some())
        || has_all(!one.iv.is_empty(), !other.iv.is_empty())
        || has_all(!one.partial_iv.is_empty(), !other.partial_iv.is_empty())
        || one.rest.iter().any(|(label, _)| other.rest.iter().any(|(known, _)| known == label))
}

/// Whether everything that the protected header calls critical is understood here, and nothing is critical in the other
/// (RFC 9052 3.1). No label is named twice, as in a JWS.
pub(super) fn is_understood(protected: &Header, unprotected: &Header) -> bool {
    use iana::HeaderParameter as P;
    const KNOWN: [P; 5] = [P::Alg, P::Crit, P::ContentType, P::Kid, P::X5Chain];
    let critical = &protected.crit;
    // Looked at first: others choose how long it is.
    if critical.len() > KNOWN.len() || !unprotected.crit.is_empty() {
        return false;
    }
    critical.iter().enumerate().all(|(at, label)| {
        let RegisteredLabelWithPrivate::Assigned(known) = label else { return false };
        KNOWN.contains(known)
            && is_there(protected, *known)
            && !critical.iter().take(at).any(|it| it == label)
    })
}

fn is_there(header: &Header, label: iana::HeaderParameter) -> bool {
    use iana::HeaderParameter as P;
    match label {
        P::Alg => header.alg.is_some(),
        P::Crit => true,
        P::ContentType => header.content_type.is_some(),
        P::Kid => !header.key_id.is_empty(),
        other => header.rest.iter().any(|(known, _)| *known == Label::Int(other as i64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header whose `crit` names these, with `x5chain` in it behind many others.
    fn with_critical(critical: &[iana::HeaderParameter]) -> Header {
        let mut header = HeaderBuilder::new().algorithm(iana::Algorithm::ES256).build();
        header.crit = critical.iter().copied().map(RegisteredLabelWithPrivate::Assigned).collect();
        let others = (100..10_000).map(|label| (Label::Int(label), Value::Null));
        header.rest.extend(others.chain([(Label::Int(33), Value::Bytes(vec![1]))]));
        header
    }

    #[test]
    fn critical_labels_are_known_there_and_named_once() {
        use iana::HeaderParameter as P;
        let none = Header::default();
        for good in [&[][..], &[P::Alg], &[P::X5Chain, P::Alg, P::Crit]] {
            assert!(is_understood(&with_critical(good), &none), "{good:?}");
        }
        for bad in [&[P::Kid][..], &[P::Iv], &[P::X5U], &[P::X5Chain, P::X5Chain], &[P::Alg, P::Crit, P::Alg]]
        {
            assert!(!is_understood(&with_critical(bad), &none), "{bad:?}");
        }
        assert!(!is_understood(&none, &with_critical(&[P::Alg])));
        let text = RegisteredLabelWithPrivate::Text("x".to_owned());
        assert!(!is_understood(&Header { crit: vec![text], ..Header::default() }, &none));
    }

    /// 10^9 comparisons would take seconds.
    #[test]
    fn a_long_list_of_critical_labels_is_not_gone_through() {
        let header = with_critical(&vec![iana::HeaderParameter::X5Chain; 1 << 17]);
        let begun = std::time::Instant::now();
        assert!(!is_understood(&header, &Header::default()));
        assert!(begun.elapsed() < std::time::Duration::from_secs(1));
    }
}
