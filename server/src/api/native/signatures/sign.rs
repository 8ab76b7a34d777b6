//! What to sign, and what became of it.

use kunji_shared::encoding::encode_base64url;
use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use crate::{
    api::{
        native::{Problem, ProblemKind},
        wire::Base64Member,
    },
    domain::{alias::KeyAlias, jose::SignatureAlgorithm},
    services::signatures::{AlgorithmChoice, BytesRequest, BytesSignature, SignatureError, SignedContent},
};

/// Most of one call.
const ITEMS_MAX: usize = 1_000;

/// What to sign.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[oai(rename_all = "camelCase")]
pub(super) struct SignaturesRequest {
    /// From 1 to 1000.
    items: Vec<SignatureItem>,
}

/// One of them: either `data` or `digest`.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[oai(rename_all = "camelCase")]
struct SignatureItem {
    /// The application; absent for `KERNEL/SIGN`.
    application_id: Option<String>,
    /// Blank or absent, the reference of a key on a curve, or `SIGN` with the application `KERNEL`.
    reference_id: Option<String>,
    /// The algorithm; absent for PS256 with an RSA key, else that of the key's kind.
    algorithm: Option<String>,
    /// The bytes to sign. With a blank reference, whose key issues certificates, not one whole SEQUENCE of ASN.1.
    #[serde(default)]
    data: Base64Member,
    /// Their digest, by the algorithm's hash function; not with a blank reference.
    #[serde(default)]
    digest: Base64Member,
}

/// For each item what its problem is, if it has one before it is tried.
pub(super) type Failures = Vec<Option<Problem>>;

impl SignaturesRequest {
    /// What can be tried, and what is wrong with the rest.
    pub(super) fn check(self) -> Result<(Vec<BytesRequest>, Failures), Problem> {
        if !(1..=ITEMS_MAX).contains(&self.items.len()) {
            let detail = format!("items must have 1 to {ITEMS_MAX} members");
            return Err(Problem::new(ProblemKind::RequestInvalid, detail));
        }
        let (mut requests, mut failures) = (Vec::new(), Vec::new());
        for item in self.items {
            match item.check() {
                Ok(request) => {
                    requests.push(request);
                    failures.push(None);
                }
                Err(problem) => failures.push(Some(problem)),
            }
        }
        Ok((requests, failures))
    }
}

impl SignatureItem {
    fn check(self) -> Result<BytesRequest, Problem> {
        let algorithm = match algorithm(self.algorithm.as_deref())? {
            Some(algorithm) => AlgorithmChoice::Named(algorithm),
            None => AlgorithmChoice::Usual { rsa: SignatureAlgorithm::Ps256 },
        };
        Ok(BytesRequest {
            alias: alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            content: content(self.data, self.digest)?,
            algorithm,
        })
    }
}

/// The algorithm of this name, if one is named.
pub(super) fn algorithm(name: Option<&str>) -> Result<Option<SignatureAlgorithm>, Problem> {
    let unknown = || Problem::new(ProblemKind::SignatureAlgorithm, "no algorithm of this name is used here");
    name.map(|name| SignatureAlgorithm::parse(name).ok_or_else(unknown)).transpose()
}

/// The key of application and reference; `None` when no application is named.
pub(super) fn alias(application: Option<&str>, reference: Option<&str>) -> Result<Option<KeyAlias>, Problem> {
    let parse = |application: &str| KeyAlias::parse(application, reference.unwrap_or_default());
    Ok(application.map(parse).transpose()?)
}

/// Either of both, of which one must be there.
pub(super) fn content(data: Base64Member, digest: Base64Member) -> Result<SignedContent, Problem> {
    match (bytes("data", data)?, bytes("digest", digest)?) {
        (Some(data), None) => Ok(SignedContent::Message(data)),
        (None, Some(digest)) => Ok(SignedContent::Digest(digest)),
        _ => Err(Problem::new(ProblemKind::SignatureContent, "send either data or digest, not blank")),
    }
}

/// The bytes of a member; `None` when it is absent or blank.
pub(super) fn bytes(name: &str, member: Base64Member) -> Result<Option<Vec<u8>>, Problem> {
    match member {
        Base64Member::Absent | Base64Member::Blank => Ok(None),
        Base64Member::Bytes(mut bytes) => Ok(Some(std::mem::take(&mut *bytes))),
        Base64Member::Malformed => {
            let detail = format!("{name} must be base64, of either alphabet");
            Err(Problem::new(ProblemKind::RequestInvalid, detail))
        }
    }
}

/// The outcomes.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct SignaturesAnswer {
    /// One for each item, in their order.
    items: Vec<SignatureAnswer>,
}

/// An outcome: a signature and what it was made with, or a failure.
#[derive(Default, Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct SignatureAnswer {
    /// The signature, base64url.
    signature: Option<String>,
    /// The algorithm.
    algorithm: Option<String>,
    /// The key, as `kid` in the application's JWK set.
    key_id: Option<String>,
    /// What went wrong.
    failure: Option<FailureAnswer>,
}

/// Why an item was not signed.
#[derive(Serialize, Object)]
struct FailureAnswer {
    /// The stable code, as of a problem document; `signature.certifying` where the key issues certificates, and the
    /// signature could be that of one.
    code: String,
    /// The status that a call with this item alone would have had.
    status: u16,
    /// What is wrong, and how to mend it.
    detail: String,
}

impl SignaturesAnswer {
    /// `made` has those that were tried, in the order in which `failures` has none.
    pub(super) fn of(made: Vec<Result<BytesSignature, SignatureError>>, failures: Failures) -> Self {
        let mut made = made.into_iter();
        let items = failures.into_iter().map(|failure| match failure {
            Some(problem) => SignatureAnswer::failed(&problem),
            None => match made.next() {
                Some(Ok(made)) => SignatureAnswer::made(&made),
                Some(Err(error)) => SignatureAnswer::failed(&error.into()),
                None => SignatureAnswer::default(),
            },
        });
        Self { items: items.collect() }
    }
}

impl SignatureAnswer {
    fn made(made: &BytesSignature) -> Self {
        Self {
            signature: Some(encode_base64url(&made.signature)),
            algorithm: Some(made.algorithm.name().to_owned()),
            key_id: Some(made.key.kid()),
            failure: None,
        }
    }

    fn failed(problem: &Problem) -> Self {
        let failure = FailureAnswer {
            code: problem.kind().code().to_owned(),
            status: problem.kind().status(),
            detail: problem.detail().to_owned(),
        };
        Self { failure: Some(failure), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(Vec<BytesRequest>, Failures), Problem> {
        serde_json::from_str::<SignaturesRequest>(text).unwrap().check()
    }

    #[test]
    fn items_have_one_content() {
        let (requests, failures) = check(
            r#"{"items":[{"data":"YQ"},{"digest":"YQ"},{},{"data":"YQ","digest":"YQ"},{"data":""},{"data":"*"},
                {"data":"YQ","algorithm":"HS256"},{"data":"YQ","applicationId":"A/B"}]}"#,
        )
        .unwrap();
        assert_eq!(requests.len(), 2);
        let codes: Vec<_> = failures.iter().flatten().map(|problem| problem.kind().code()).collect();
        assert_eq!(
            codes,
            [
                "signature.content",
                "signature.content",
                "signature.content",
                "request.invalid",
                "signature.algorithm",
                "alias.invalid",
            ]
        );
    }

    #[test]
    fn items_are_bounded() {
        assert!(check(r#"{"items":[]}"#).is_err());
        let many = vec![r#"{"data":"YQ"}"#; 1001].join(",");
        assert!(check(&format!(r#"{{"items":[{many}]}}"#)).is_err());
    }
}
