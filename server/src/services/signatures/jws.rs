//! Making a JWS in its compact serialization (RFC 7515 3.1), with its payload encoded or not (RFC 7797).

use std::sync::Arc;

use josekit::{JoseHeader as _, jws::JwsHeader};
use kunji_shared::encoding::encode_base64url;
use serde_json::Value;

use super::{AlgorithmChoice, SignatureError, SignatureService, SignedContent};
use crate::domain::{
    access::{CallContext, Operation},
    alias::KeyAlias,
    jose::SignatureAlgorithm,
    key::KeyRecord,
};

/// Most members that a caller may add to a header, and how long each may be, in bytes.
const ADDED_MEMBERS_MAX: usize = 32;
const ADDED_MEMBER_MAX_BYTES: usize = 4096;

/// Members that say what was signed with which key: the server's to say.
const OWN_MEMBERS: [&str; 8] = ["alg", "b64", "jwk", "x5c", "x5t", "x5t#S256", "x5u", "enc"];

/// What to sign, with which key, and in which form.
#[derive(Clone, Debug)]
pub struct JwsRequest {
    /// The key; `None` means `KERNEL/SIGN`.
    pub alias: Option<KeyAlias>,
    /// The exact bytes to sign.
    pub payload: Vec<u8>,
    /// The algorithm.
    pub algorithm: AlgorithmChoice,
    /// Whether the payload must be JSON.
    pub must_be_json: bool,
    /// What the header says.
    pub header: HeaderRequest,
    /// Whether the payload stands in the result; otherwise the result is detached (`header..signature`).
    pub include_payload: bool,
    /// Whether base64url of the payload is signed; otherwise the payload itself is (RFC 7797), and the header says so.
    pub encode_payload: bool,
}

/// What a header says beside the algorithm.
#[derive(Clone, Debug, Default)]
pub struct HeaderRequest {
    /// Which certificates stand in `x5c`.
    pub certificates: HeaderCertificates,
    /// Whether there is the certificate's SHA-256 (`x5t#S256`).
    pub certificate_hash: bool,
    /// `x5u`, if any.
    pub certificate_url: Option<String>,
    /// Whether it names the key (`kid`).
    pub key_id: bool,
    /// More members. `kid` is put before the key's own, with `#` between them; `crit` is a list with commas.
    pub added: Vec<(String, String)>,
}

/// Certificates in a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderCertificates {
    /// None.
    #[default]
    None,
    /// The key's.
    Leaf,
    /// The key's, and those of its issuers up to ROOT.
    Chain,
}

impl SignatureService {
    /// Signs; the result is a compact JWS.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub async fn sign_jws(&self, call: &CallContext, request: JwsRequest) -> Result<String, SignatureError> {
        let alias = request.alias.clone().unwrap_or_else(KeyAlias::kernel_sign);
        let signed = async {
            let key = self.signing_key(call, &alias).await?;
            let token = self.jws(&key, request).await?;
            Ok::<_, SignatureError>((key, token))
        };
        let (_, token) = self
            .auditor
            .audited(call, Operation::Sign, Some(&alias), signed, |(key, _)| Some(&key.id))
            .await?;
        Ok(token)
    }

    async fn jws(&self, key: &Arc<KeyRecord>, request: JwsRequest) -> Result<String, SignatureError> {
        if request.payload.is_empty() {
            return Err(SignatureError::Empty);
        }
        if request.must_be_json && serde_json::from_slice::<serde::de::IgnoredAny>(&request.payload).is_err()
        {
            return Err(SignatureError::NotJson);
        }
        let algorithm = request.algorithm.for_key(key)?;
        let header = self.header(key, algorithm, &request).await?;
        let header = encode_base64url(header.to_string().as_bytes());
        // What stands in the middle is what is signed; detached, the middle is empty.
        let payload = if request.encode_payload {
            encode_base64url(&request.payload).into_bytes()
        } else if request.include_payload && !stands_in_the_middle(&request.payload) {
            return Err(SignatureError::PayloadUnencodable);
        } else {
            request.payload
        };
        let signing_input = [header.as_bytes(), b".", &payload].concat();
        let signature =
            encode_base64url(&self.produce(key, algorithm, SignedContent::Message(signing_input)).await?);
        let middle = if request.include_payload { payload } else { Vec::new() };
        let middle = String::from_utf8(middle).map_err(|_| SignatureError::PayloadUnencodable)?;
        Ok(format!("{header}.{middle}.{signature}"))
    }

    /// In the order that verifiers in the field print and compare: certificates, key, algorithm.
    async fn header(
        &self,
        key: &Arc<KeyRecord>,
        algorithm: SignatureAlgorithm,
        request: &JwsRequest,
    ) -> Result<JwsHeader, SignatureError> {
        let wanted = &request.header;
        let mut header = JwsHeader::new();
        match wanted.certificates {
            HeaderCertificates::None => {}
            HeaderCertificates::Leaf => header.set_x509_certificate_chain(&vec![&key.certificate]),
            HeaderCertificates::Chain => {
                let chain = self.keys.chain(Arc::clone(key)).await?;
                header.set_x509_certificate_chain(&chain.certificates);
            }
        }
        if wanted.certificate_hash {
            header.set_x509_certificate_sha256_thumbprint(key.thumbprint.as_bytes());
        }
        if let Some(url) = &wanted.certificate_url {
            header.set_x509_url(url);
        }
        if wanted.key_id {
            let prefix = wanted.added.iter().find(|(name, _)| name == "kid").map(|(_, prefix)| prefix);
            let kid = prefix.map_or_else(|| key.kid(), |prefix| format!("{prefix}#{}", key.kid()));
            header.set_key_id(kid);
        }
        let mut critical = add_members(&mut header, &wanted.added)?;
        if !request.encode_payload {
            header.set_base64url_encode_payload(false);
            critical.push("b64".to_owned());
        }
        if !critical.is_empty() {
            header.set_critical(&critical);
        }
        header.set_algorithm(algorithm.name());
        Ok(header)
    }
}

/// Adds the caller's members; gives those that it wants to be critical (RFC 7515 4.1.11).
fn add_members(header: &mut JwsHeader, added: &[(String, String)]) -> Result<Vec<String>, SignatureError> {
    let fits = |(name, value): &(String, String)| {
        !name.is_empty() && name.len() + value.len() <= ADDED_MEMBER_MAX_BYTES
    };
    if added.len() > ADDED_MEMBERS_MAX || !added.iter().all(fits) {
        return Err(SignatureError::HeaderMember);
    }
    let mut critical = Vec::new();
    for (name, value) in added {
        match name.as_str() {
            own if OWN_MEMBERS.contains(&own) => return Err(SignatureError::HeaderMember),
            "kid" => {}
            "crit" => critical
                .extend(value.split(',').map(str::trim).filter(|name| *name != "b64").map(ToOwned::to_owned)),
            _ => header
                .set_claim(name, Some(Value::String(value.clone())))
                .map_err(|_| SignatureError::HeaderMember)?,
        }
    }
    // A verifier refuses what is critical and not there, or is no extension at all.
    let is_extension = |name: &String| {
        header.claim(name).is_some() && !["kid", "typ", "cty", "jku", "crit", ""].contains(&name.as_str())
    };
    if critical.iter().all(is_extension) { Ok(critical) } else { Err(SignatureError::HeaderMember) }
}

/// Whether the payload can stand unencoded between the dots (RFC 7797 5.2).
fn stands_in_the_middle(payload: &[u8]) -> bool {
    payload.iter().all(|byte| matches!(byte, 0x20..=0x7e) && *byte != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(added: &[(&str, &str)]) -> Result<(String, Vec<String>), SignatureError> {
        let added: Vec<_> = added.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut header = JwsHeader::new();
        let critical = add_members(&mut header, &added)?;
        Ok((header.to_string(), critical))
    }

    #[test]
    fn callers_add_members_in_their_order() {
        let (header, critical) = add(&[("typ", "JWT"), ("nonce", "YQ"), ("a", "b"), ("kid", "x")]).unwrap();
        assert_eq!(header, r#"{"typ":"JWT","nonce":"YQ","a":"b"}"#);
        assert!(critical.is_empty());
        assert_eq!(add(&[("a", "b"), ("crit", "a, b64")]).unwrap().1, ["a"]);
    }

    #[test]
    fn callers_do_not_say_what_the_server_says() {
        for name in OWN_MEMBERS {
            assert!(matches!(add(&[(name, "x")]), Err(SignatureError::HeaderMember)), "{name}");
        }
        for critical in ["absent", "typ", "kid", "crit", ""] {
            assert!(add(&[("typ", "x"), ("crit", critical)]).is_err(), "{critical}");
        }
        assert!(add(&[("", "x")]).is_err());
        assert!(add(&[("a", &"x".repeat(5000))]).is_err());
    }

    #[test]
    fn dots_and_bytes_do_not_stand_in_the_middle() {
        assert!(stands_in_the_middle(b"$ 02"));
        for payload in [b"$.02".as_slice(), b"a\n", "\u{e9}".as_bytes(), &[0]] {
            assert!(!stands_in_the_middle(payload));
        }
    }
}
