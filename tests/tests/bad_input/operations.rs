//! The operations that read an enveloped JSON body, each with a request that would be done.

use kunji_tests::http::b64;
use serde_json::{Value, json};

use crate::witness::{APPLICATION, NEVER_MADE};

/// What a member holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Base64,
    Time,
    Flag,
    /// An object of texts.
    Texts,
    /// An object of anything.
    Things,
}

/// A member of `request`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// An operation.
pub(crate) struct Operation {
    pub(crate) path: &'static str,
    pub(crate) members: Vec<Member>,
    /// Every member with a good value.
    pub(crate) request: Value,
}

const fn required(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: false }
}

/// All of them.
pub(crate) fn operations() -> Vec<Operation> {
    [of_packets_and_signatures(), of_keys()].into_iter().flatten().collect()
}

fn of_packets_and_signatures() -> Vec<Operation> {
    let crypto_members = || {
        vec![
            required("applicationId", Kind::Text),
            optional("referenceId", Kind::Text),
            required("timeStamp", Kind::Time),
            required("data", Kind::Base64),
            optional("salt", Kind::Base64),
            optional("aad", Kind::Base64),
        ]
    };
    let crypto_request = || {
        json!({
            "applicationId": APPLICATION, "referenceId": NEVER_MADE, "timeStamp": "2026-01-05T10:11:12.123Z",
            "data": "YQ", "salt": b64([1; 12]), "aad": b64([2; 32]),
        })
    };
    let mut operations = vec![
        Operation { path: "/v1/keymanager/encrypt", members: crypto_members(), request: crypto_request() },
        Operation { path: "/v1/keymanager/decrypt", members: crypto_members(), request: crypto_request() },
        Operation {
            path: "/v1/keymanager/jwtSign",
            members: vec![
                required("dataToSign", Kind::Base64),
                optional("applicationId", Kind::Text),
                optional("referenceId", Kind::Text),
                optional("includePayload", Kind::Flag),
                optional("includeCertificate", Kind::Flag),
                optional("includeCertHash", Kind::Flag),
                optional("certificateUrl", Kind::Text),
            ],
            request: json!({
                "dataToSign": "YQ", "applicationId": "ID_REPO", "referenceId": "", "includePayload": true,
                "includeCertificate": true, "includeCertHash": true, "certificateUrl": "https://example.org/c",
            }),
        },
        Operation {
            path: "/v1/keymanager/jwsSign/v2",
            members: vec![
                required("dataToSign", Kind::Base64),
                optional("applicationId", Kind::Text),
                optional("referenceId", Kind::Text),
                optional("includePayload", Kind::Flag),
                optional("includeCertificateChain", Kind::Flag),
                optional("includeCertHash", Kind::Flag),
                optional("certificateUrl", Kind::Text),
                optional("additionalHeaders", Kind::Texts),
                optional("validateJson", Kind::Flag),
                optional("b64JWSHeaderParam", Kind::Flag),
                optional("signAlgorithm", Kind::Text),
            ],
            request: json!({
                "dataToSign": "YQ", "applicationId": "ID_REPO", "referenceId": "", "includePayload": true,
                "includeCertificateChain": true, "includeCertHash": true, "certificateUrl": "https://example.org/c",
                "additionalHeaders": { "typ": "JOSE" }, "validateJson": false, "b64JWSHeaderParam": true,
                "signAlgorithm": "PS256",
            }),
        },
        Operation {
            path: "/v1/keymanager/jwtVerify",
            members: vec![
                required("jwtSignatureData", Kind::Text),
                optional("actualData", Kind::Base64),
                optional("applicationId", Kind::Text),
                optional("referenceId", Kind::Text),
                optional("certificateData", Kind::Text),
                optional("validateTrust", Kind::Flag),
                optional("domain", Kind::Text),
            ],
            request: json!({
                "jwtSignatureData": "e30..AAAA", "actualData": "YQ", "applicationId": "ID_REPO", "referenceId": "",
                "certificateData": "", "validateTrust": false, "domain": "AUTH",
            }),
        },
        Operation {
            path: "/v1/keymanager/generateMasterKey/CERTIFICATE",
            members: vec![
                required("applicationId", Kind::Text),
                optional("referenceId", Kind::Text),
                optional("force", Kind::Flag),
                optional("commonName", Kind::Text),
                optional("organizationUnit", Kind::Text),
                optional("organization", Kind::Text),
                optional("location", Kind::Text),
                optional("state", Kind::Text),
                optional("country", Kind::Text),
            ],
            request: json!({
                "applicationId": APPLICATION, "referenceId": "", "force": false, "commonName": "a",
                "organizationUnit": "b", "organization": "c", "location": "d", "state": "e", "country": "IN",
            }),
        },
        Operation {
            path: "/v1/authmanager/authenticate/clientidsecretkey",
            members: vec![required("clientId", Kind::Text), required("secretKey", Kind::Text)],
            request: json!({ "clientId": "nobody", "secretKey": "none" }),
        },
    ];
    operations.extend(of_bytes_and_cose());
    operations
}

/// Those that sign bytes and text, and those in CBOR.
fn of_bytes_and_cose() -> Vec<Operation> {
    vec![
        Operation {
            path: "/v1/keymanager/signV2",
            members: vec![
                required("dataToSign", Kind::Base64),
                optional("applicationId", Kind::Text),
                optional("referenceId", Kind::Text),
                optional("responseEncodingFormat", Kind::Text),
                optional("signAlgorithm", Kind::Text),
            ],
            request: json!({
                "dataToSign": "YQ", "applicationId": "ID_REPO", "referenceId": "",
                "responseEncodingFormat": "base64url", "signAlgorithm": "PS256",
            }),
        },
        Operation {
            path: "/v1/keymanager/sign",
            members: vec![required("data", Kind::Text)],
            request: json!({ "data": "a" }),
        },
        Operation {
            path: "/v1/keymanager/validate",
            members: vec![
                required("signature", Kind::Text),
                required("data", Kind::Text),
                required("timestamp", Kind::Time),
            ],
            request: json!({ "signature": "e30..AAAA", "data": "a", "timestamp": "2026-01-05T10:11:12.123Z" }),
        },
        Operation {
            path: "/v1/keymanager/coseSign1",
            members: vec![
                required("payload", Kind::Base64),
                optional("applicationId", Kind::Text),
                optional("referenceId", Kind::Text),
                optional("protectedHeader", Kind::Things),
                optional("unprotectedHeader", Kind::Things),
                optional("algorithm", Kind::Text),
            ],
            request: json!({
                "payload": "YQ", "applicationId": "ID_REPO", "referenceId": "", "protectedHeader": { "a": 1 },
                "unprotectedHeader": { "b": [null] }, "algorithm": "PS256",
            }),
        },
        Operation {
            path: "/v1/keymanager/coseVerify1",
            members: vec![
                required("coseSignedData", Kind::Text),
                optional("applicationId", Kind::Text),
                optional("referenceId", Kind::Text),
                optional("certificateData", Kind::Text),
                optional("validateTrust", Kind::Flag),
                optional("domain", Kind::Text),
            ],
            request: json!({
                "coseSignedData": "d28440a04161450102030405", "applicationId": "ID_REPO", "referenceId": "",
                "certificateData": "", "validateTrust": false, "domain": "AUTH",
            }),
        },
    ]
}

fn of_keys() -> Vec<Operation> {
    let upload = |other_domain: bool| {
        vec![
            required("applicationId", Kind::Text),
            Member { name: "referenceId", kind: Kind::Text, required: other_domain },
            required("certificateData", Kind::Text),
        ]
    };
    // No certificate: nothing is stored.
    let certificate =
        || json!({ "applicationId": APPLICATION, "referenceId": NEVER_MADE, "certificateData": "none" });
    let subject = [
        optional("commonName", Kind::Text),
        optional("organizationUnit", Kind::Text),
        optional("organization", Kind::Text),
        optional("location", Kind::Text),
        optional("state", Kind::Text),
        optional("country", Kind::Text),
    ];
    vec![
        Operation {
            path: "/v1/keymanager/generateMasterKey/CERTIFICATE",
            members: [
                required("applicationId", Kind::Text),
                optional("referenceId", Kind::Text),
                optional("force", Kind::Flag),
            ]
            .into_iter()
            .chain(subject)
            .collect(),
            request: json!({
                "applicationId": APPLICATION, "referenceId": "", "force": false, "commonName": "a",
                "organizationUnit": "b", "organization": "c", "location": "d", "state": "e", "country": "IN",
            }),
        },
        Operation {
            path: "/v1/keymanager/generateCSR",
            members: [required("applicationId", Kind::Text), optional("referenceId", Kind::Text)]
                .into_iter()
                .chain(subject)
                .collect(),
            request: json!({
                "applicationId": APPLICATION, "referenceId": "", "commonName": "a", "organizationUnit": "b",
                "organization": "c", "location": "d", "state": "e", "country": "IN",
            }),
        },
        Operation {
            path: "/v1/keymanager/generateSymmetricKey",
            members: vec![
                required("applicationId", Kind::Text),
                optional("referenceId", Kind::Text),
                optional("force", Kind::Flag),
            ],
            // A key pair's name: no key is made.
            request: json!({ "applicationId": APPLICATION, "referenceId": "", "force": false }),
        },
        Operation {
            path: "/v1/keymanager/uploadCertificate",
            members: upload(false),
            request: certificate(),
        },
        Operation {
            path: "/v1/keymanager/uploadOtherDomainCertificate",
            members: upload(true),
            request: certificate(),
        },
    ]
}
