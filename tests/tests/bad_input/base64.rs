//! Text that is not base64, in every member and header that holds some.

use kunji_tests::http::{Answer, b64};
use serde_json::json;

use crate::{
    operations::{Kind, operations},
    witness::{APPLICATION, CONTENT, PLANTED, REFERENCE, Witness},
};

/// Not base64: characters, lengths, padding, alphabets, white space, bits behind the end.
const MALFORMED: [&str; 16] = [
    "*Pl4nt3d*",
    "Pl4nt3d.",
    "Pl4nt3d%3D",
    "A",
    "AAAAA",
    "=",
    "====",
    "AA=A",
    "AAA==",
    "AAAA====",
    "-_+/",
    "Pl4n t3d",
    "Pl4n\nt3d=",
    "Pl4nt3d\u{0}",
    "Pl4nt3\u{e9}",
    "AB",
];

#[tokio::test]
async fn members_that_are_not_base64_are_named_and_not_shown() {
    let witness = Witness::new().await;
    for operation in operations() {
        for member in operation.members.iter().filter(|member| member.kind == Kind::Base64) {
            for text in MALFORMED {
                let mut request = operation.request.clone();
                request[member.name] = json!(text);
                let answer = witness.client.post(operation.path, &json!({ "request": request })).await;
                let shown = answer.envelope_error(200, "KER-CRY-003");
                let expected = format!("request.{}: input data is not base64 encoded", member.name);
                assert!(shown.starts_with(&expected), "{text:?}: {shown}");
                answer.assert_hides(PLANTED);
            }
        }
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn signatures_that_are_not_base64_are_refused() {
    let witness = Witness::new().await;
    let header = b64(br#"{"alg":"RS256"}"#);
    for token in [
        PLANTED.to_owned(),
        format!("{PLANTED}.{PLANTED}"),
        format!("*{PLANTED}..AAAA"),
        format!("{header}..*{PLANTED}"),
        format!("{header}.YQ.AAAA.{PLANTED}"),
        format!("{}..AAAA", b64(format!("[\"{PLANTED}\"]"))),
        format!("{}..AAAA", b64(format!("{{\"{PLANTED}\":"))),
        format!("{}..AAAA", b64("{\"a\":".repeat(10_000))),
        format!("{header}..{}", "A".repeat(1_000_000)),
        "..".to_owned(),
    ] {
        let answer = witness.client.call("/jwtVerify", json!({ "jwtSignatureData": token })).await;
        answer.envelope_error(200, "KER-JWS-106");
        answer.assert_hides(PLANTED);
    }
    for certificate in [
        PLANTED.to_owned(),
        format!("-----BEGIN CERTIFICATE-----\n{PLANTED}\n-----END CERTIFICATE-----\n"),
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned(),
        witness.certificate.replace("MII", "MIJ"),
    ] {
        let request =
            json!({ "jwtSignatureData": format!("{header}.YQ.AAAA"), "certificateData": certificate });
        let answer = witness.client.call("/jwtVerify", request).await;
        answer.envelope_error(200, "KER-JWS-107");
        answer.assert_hides(PLANTED);
    }
    for chain in [json!([PLANTED]), json!([]), json!(PLANTED), json!([5]), json!({}), json!(["*"])] {
        let header = b64(json!({ "alg": "RS256", "x5c": chain }).to_string());
        let request = json!({ "jwtSignatureData": format!("{header}.YQ.AAAA") });
        let answer = witness.client.call("/jwtVerify", request).await;
        answer.envelope_error(200, "KER-JWS-107");
        answer.assert_hides(PLANTED);
    }
    // Well-formed, but no signature of anything: an answer.
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "HS256" }),
        json!({ "alg": 5 }),
        json!({}),
        json!({ "alg": "RS256", "kid": PLANTED }),
        json!({ "alg": "RS256", "crit": [PLANTED] }),
        json!({ "alg": "RS256", "jku": "http://127.0.0.1:1/Pl4nt3d", "x5u": "http://127.0.0.1:1/" }),
    ] {
        for signature in ["", "AAAA"] {
            let token = format!("{}.YQ.{signature}", b64(header.to_string()));
            let answer = witness.client.call("/jwtVerify", json!({ "jwtSignatureData": token })).await;
            assert_eq!(answer.response()["signatureValid"], false, "{header}");
            answer.assert_hides(PLANTED);
        }
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn headers_that_are_not_base64_are_named_and_not_shown() {
    let witness = Witness::new().await;
    for path in ["/v1/packets/encrypt", "/v1/packets/decrypt"] {
        for name in ["Kunji-Salt", "Kunji-Aad"] {
            let texts = MALFORMED.iter().filter(|text| text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            for text in texts.chain(&[""]) {
                let request = witness
                    .client
                    .request(reqwest::Method::POST, path)
                    .header("content-type", "application/octet-stream")
                    .header("kunji-application", APPLICATION)
                    .header("kunji-reference", REFERENCE)
                    .header(name, *text);
                let answer = Answer::read(request.body(CONTENT).send().await.unwrap()).await;
                let detail = answer.problem(400, "request.invalid");
                assert!(detail.starts_with(name), "{text:?}: {detail}");
                answer.assert_hides(PLANTED);
            }
        }
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn headers_that_cannot_be_read_do_not_count_as_absent() {
    let witness = Witness::new().await;
    let usual = [
        ("Kunji-Application", APPLICATION.as_bytes()),
        ("Kunji-Reference", REFERENCE.as_bytes()),
        ("Kunji-Salt", b"AAECAwQFBgcICQoL"),
        ("Kunji-Aad", b"AAEC"),
    ];
    let sealed = |replaced: &str, value: &[u8], again: Option<&[u8]>| {
        let mut request = witness
            .client
            .request(reqwest::Method::POST, "/v1/packets/encrypt")
            .header("content-type", "application/octet-stream");
        for (name, text) in usual {
            request = request.header(name, if name == replaced { value } else { text });
            if let Some(again) = again.filter(|_| name == replaced) {
                request = request.header(name, again);
            }
        }
        let request = request.body(CONTENT);
        async { Answer::read(request.send().await.unwrap()).await }
    };
    for (name, text) in usual {
        assert_eq!(sealed(name, text, None).await.status, 200);
        for value in ["Pl4nt3d\u{e9}".as_bytes(), b"Pl4nt3d\xff", b"\xc3\xa9", b"Pl4nt3d\tx"] {
            let answer = sealed(name, value, None).await;
            let detail = answer.problem(400, "request.invalid");
            assert!(detail.starts_with(name), "{detail}");
            answer.assert_hides(PLANTED);
        }
        // Nor does one of two that say the same, or another thing.
        for again in [text, b"QUJD"] {
            let answer = sealed(name, text, Some(again)).await;
            let detail = answer.problem(400, "request.invalid");
            assert!(detail.starts_with(name), "{detail}");
        }
    }
    witness.assert_unchanged().await;
}
