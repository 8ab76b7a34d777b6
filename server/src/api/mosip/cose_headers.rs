//! `protectedHeader` and `unprotectedHeader`.

use serde_json::Value;

use super::{faults::Fault, header_members::NamedMembers, refusal::Refusal, small_json::SmallJson};
use crate::services::signatures::{CoseHeaderRequest, HeaderCertificates};

/// Members of a COSE header, by their names.
pub(super) type CoseHeaders = NamedMembers<SmallJson>;

impl CoseHeaders {
    /// What the members ask for; those of no meaning here stand in the header as they are.
    ///
    /// # Errors
    /// A [`Refusal`] when one of them has a value that it cannot have.
    pub(super) fn check(self) -> Result<CoseHeaderRequest, Refusal> {
        let mut header = CoseHeaderRequest::default();
        for (name, SmallJson(value)) in self.0 {
            match name.as_str() {
                "includeCertificateChain" if is_true(&value)? => {
                    header.certificates = HeaderCertificates::Chain;
                }
                "includeCertificate" if is_true(&value)? => {
                    if header.certificates == HeaderCertificates::None {
                        header.certificates = HeaderCertificates::Leaf;
                    }
                }
                "includeCertificateChain" | "includeCertificate" => {}
                "includeCertificateHash" => header.certificate_hash = is_true(&value)?,
                "certificateUrl" => header.certificate_url = Some(text(value)?),
                // Whatever it says: the key has one name.
                "kid" => header.key_id = true,
                "crit" => {
                    let names = text(value)?;
                    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
                    header.critical.extend(names.map(ToOwned::to_owned));
                }
                "cty" | "content-type" => header.content_type = Some(text(value)?),
                "iv" => header.iv = Some(text(value)?),
                "partial-iv" => header.partial_iv = Some(text(value)?),
                "alg" => return Err(Fault::HeaderMember.into()),
                _ => header.others.push((name, value)),
            }
        }
        Ok(header)
    }
}

fn is_true(value: &Value) -> Result<bool, Refusal> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Fault::HeaderMember.into()),
    }
}

fn text(value: Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Fault::HeaderMember.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<CoseHeaderRequest, Refusal> {
        serde_json::from_str::<CoseHeaders>(text).unwrap().check()
    }

    #[test]
    fn names_have_their_meanings() {
        let header = check(
            r#"{"includeCertificate":true,"includeCertificateChain":"true","includeCertificateHash":"false",
                "kid":"x","crit":"a, b","cty":"text/plain","a":1,"b":{"c":[]},"certificateUrl":"https://x"}"#,
        )
        .unwrap();
        assert_eq!(header.certificates, HeaderCertificates::Chain);
        assert!(header.key_id && !header.certificate_hash);
        assert_eq!(header.critical, ["a", "b"]);
        assert_eq!(header.others.len(), 2);
        for bad in [r#"{"alg":"ES256"}"#, r#"{"includeCertificate":1}"#, r#"{"crit":["a"]}"#] {
            assert_eq!(check(bad).unwrap_err().entries[0].code, "KER-KMS-005", "{bad}");
        }
    }
}
