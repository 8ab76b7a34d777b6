//! PDFs: what the server signs is valid to Poppler and to pyHanko, and what it cannot sign is told and harms nobody.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use kunji_tests::{
    http::{Answer, Http, b64, unb64},
    site::{Shared, Site, shared},
};
use serde_json::{Value, json};

use crate::{library::Library, signer};

const ATTRIBUTES: [&str; 3] = ["content_type", "message_digest", "signing_certificate_v2"];

fn sample(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/pdf").join(name)).unwrap()
}

/// A request of the print service, with more members.
fn request(document: &[u8], more: Value) -> Value {
    let mut request = json!({
        "applicationId": "KERNEL", "referenceId": "SIGN", "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": b64(document), "lowerLeftX": 72, "lowerLeftY": 72, "upperRightX": 272, "upperRightY": 132,
        "reason": "The voucher was paid out", "pageNumber": 1,
    });
    let Value::Object(more) = more else { panic!("members are wanted") };
    request.as_object_mut().unwrap().extend(more);
    request
}

async fn send(client: &Http, document: &[u8], more: Value) -> Answer {
    client.call("/pdf/sign", request(document, more)).await
}

async fn sign(client: &Http, document: &[u8], more: Value) -> Vec<u8> {
    unb64(&send(client, document, more).await.response()["data"])
}

/// Verifiers, and a place for what they read.
struct Verifiers {
    place: tempfile::TempDir,
    pyhanko: Library,
    roots: PathBuf,
    /// Who must have signed.
    name: &'static str,
}

impl Verifiers {
    async fn new(client: &Http) -> Self {
        let place = tempfile::tempdir().unwrap();
        let roots = place.path().join("roots.pem");
        fs::write(&roots, client.certificate("ROOT", "").await).unwrap();
        Self { place, pyhanko: Library::pyhanko(), roots, name: "kunji (KERNEL-SIGN)" }
    }

    fn write(&self, document: &[u8]) -> PathBuf {
        let path = self.place.path().join("signed.pdf");
        fs::write(&path, document).unwrap();
        path
    }

    /// Both must find this many signatures, all valid; what pyHanko says of each.
    fn verify(&mut self, document: &[u8], signatures: usize) -> Vec<Value> {
        let path = self.poppler(document, signatures);
        self.pyhanko(&json!({ "path": path, "roots": self.roots }), signatures)
    }

    fn poppler(&self, document: &[u8], signatures: usize) -> PathBuf {
        let path = self.write(document);
        let said = poppler("pdfsig", &["-nocert", path.to_str().unwrap()]);
        assert!(said.status.success(), "{said:?}");
        let said = String::from_utf8(said.stdout).unwrap();
        assert_eq!(said.matches("Signature Validation: Signature is Valid.").count(), signatures, "{said}");
        assert_eq!(said.matches("Signature Type: ETSI.CAdES.detached").count(), signatures, "{said}");
        assert_eq!(said.matches("Total document signed").count(), 1, "{said}");
        path
    }

    fn pyhanko(&mut self, request: &Value, signatures: usize) -> Vec<Value> {
        let answer = self.pyhanko.ask(request);
        let found = answer["signatures"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        assert_eq!(found.len(), signatures, "{answer}");
        for one in &found {
            for what in ["intact", "valid", "trusted", "sound"] {
                assert_eq!(one[what], true, "{one}");
            }
            assert_eq!((&one["digest"], &one["filter"]), (&json!("sha256"), &json!("/ETSI.CAdES.detached")));
            assert_eq!(one["attributes"], json!(ATTRIBUTES), "{one}");
            assert_eq!(one["name"], self.name, "{one}");
        }
        assert_eq!(found.last().unwrap()["coverage"], "ENTIRE_FILE", "{answer}");
        found
    }
}

fn poppler(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    output.expect("Poppler is needed: install the package poppler-utils")
}

async fn prepared() -> (std::sync::Arc<Shared>, Http) {
    let shared = shared();
    let client = signer(&shared).await;
    (shared, client)
}

#[tokio::test]
async fn poppler_and_pyhanko_find_every_kind_of_document_signed() {
    let (_shared, client) = prepared().await;
    let mut verifiers = Verifiers::new(&client).await;
    for name in ["plain", "form", "streams", "linearized", "linearized-streams"] {
        let document = sample(&format!("{name}.pdf"));
        let signed = sign(&client, &document, json!({})).await;
        assert!(signed.starts_with(&document), "{name}");
        let found = verifiers.verify(&signed, 1);
        assert_eq!(found[0]["reason"], "The voucher was paid out");
        let more =
            json!({ "lowerLeftY": 172, "upperRightY": 232, "pageNumber": 2, "reason": "\u{2713} \u{0905}" });
        let again = sign(&client, &signed, more).await;
        assert!(again.starts_with(&signed), "{name}");
        let found = verifiers.verify(&again, 2);
        assert_eq!(found[1]["reason"], "\u{2713} \u{0905}");
        let expected =
            if name == "form" { ["Signature2", "Signature3"] } else { ["Signature1", "Signature2"] };
        assert_eq!([&found[0]["field"], &found[1]["field"]], expected);
    }
    // pyHanko verifies no hybrid documents.
    let signed = sign(&client, &sample("hybrid.pdf"), json!({})).await;
    verifiers.poppler(&sign(&client, &signed, json!({})).await, 2);
}

#[tokio::test]
async fn the_signature_is_seen_on_its_page() {
    let (_shared, client) = prepared().await;
    let verifiers = Verifiers::new(&client).await;
    for page in 1..=4 {
        let signed = sign(&client, &sample("plain.pdf"), json!({ "pageNumber": page })).await;
        let path = verifiers.write(&signed);
        for other in 1..=4 {
            let number = other.to_string();
            let text = poppler("pdftotext", &["-f", &number, "-l", &number, path.to_str().unwrap(), "-"]);
            let text = String::from_utf8(text.stdout).unwrap();
            // On turned pages the rectangle is narrow.
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for said in [
                "Digitally signed by",
                "kunji (KERNEL-SIGN)",
                "Date: 20",
                " UTC",
                "Reason: The voucher was paid out",
            ] {
                assert_eq!(text.contains(said), page == other, "{page} {other}: {text}");
            }
        }
    }
    let nowhere = json!({ "upperRightX": null, "lowerLeftX": null });
    let signed = sign(&client, &sample("plain.pdf"), nowhere).await;
    let text = poppler("pdftotext", &[verifiers.write(&signed).to_str().unwrap(), "-"]);
    assert!(!String::from_utf8(text.stdout).unwrap().contains("signed by"));
}

#[tokio::test]
async fn with_a_password_the_document_opens_with_it_alone() {
    let (_shared, client) = prepared().await;
    let mut verifiers = Verifiers::new(&client).await;
    for name in ["plain", "form", "hybrid", "streams", "linearized-streams"] {
        let more = json!({ "password": "p\u{e4}ss w\u{f6}rd" });
        let signed = sign(&client, &sample(&format!("{name}.pdf")), more).await;
        let path = verifiers.write(&signed);
        let path = path.to_str().unwrap();
        assert!(!poppler("pdftotext", &[path, "-"]).status.success(), "{name}");
        let text = poppler("pdftotext", &["-upw", "p\u{e4}ss w\u{f6}rd", path, "-"]);
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.contains("Voucher 1") && text.contains("Digitally signed by"), "{name}: {text}");
        let about = poppler("pdfinfo", &["-upw", "p\u{e4}ss w\u{f6}rd", path]);
        let about = String::from_utf8(about.stdout).unwrap();
        for said in
            ["Author:          \u{c9}tat", "Pages:           4", "copy:no change:no", "algorithm:AES-256"]
        {
            assert!(about.contains(said), "{name}: {said}: {about}");
        }
        let request = json!({ "path": path, "roots": verifiers.roots, "password": "p\u{e4}ss w\u{f6}rd" });
        let found = verifiers.pyhanko(&request, 1);
        assert_eq!(found[0]["reason"], "The voucher was paid out");
    }
}

#[tokio::test]
async fn keys_on_p_256_sign_too() {
    let (_shared, client) = prepared().await;
    let mut verifiers = Verifiers::new(&client).await;
    for reference in ["EC_SECP256R1_SIGN", "EC_SECP256K1_SIGN", "ED25519_SIGN"] {
        let request = json!({ "applicationId": "REGISTRATION", "referenceId": reference });
        client.call("/generateECSignKey/CERTIFICATE", request).await.response();
        let more = json!({ "applicationId": "REGISTRATION", "referenceId": reference });
        let answer = send(&client, &sample("plain.pdf"), more).await;
        if reference == "EC_SECP256R1_SIGN" {
            verifiers.name = "kunji (REGISTRATION-EC_SECP256R1_SIGN)";
            verifiers.verify(&unb64(&answer.response()["data"]), 1);
        } else {
            assert_eq!(answer.error_code(), "KER-SIG-113", "{reference}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_signed_is_told() {
    let (shared, client) = prepared().await;
    let plain = sample("plain.pdf");
    let signed = sign(&client, &plain, json!({})).await;
    for (document, more, code, text) in [
        (b"%PDF".as_slice(), json!({}), "KER-JWS-102", "no PDF, or damaged"),
        (&plain[..900], json!({}), "KER-JWS-102", "cut short"),
        (&sample("encrypted.pdf")[..], json!({}), "KER-JWS-102", "encrypted"),
        (&sample("certified.pdf")[..], json!({}), "KER-JWS-102", "certified"),
        (&signed[..], json!({ "password": "pass" }), "KER-JWS-102", "signatures"),
        (&vec![b' '; (32 << 20) + 1][..], json!({}), "KER-JWS-102", "longer than"),
        (&plain[..], json!({ "pageNumber": 5 }), "KER-KMS-005", "4 pages"),
        (&plain[..], json!({ "pageNumber": 0 }), "KER-KMS-005", "4 pages"),
        (&plain[..], json!({ "password": "x".repeat(128) }), "KER-KMS-005", "127 bytes"),
        (&plain[..], json!({ "reason": " " }), "KER-KMS-005", "request.reason"),
        (&plain[..], json!({ "timeStamp": null }), "KER-KMS-005", "request.timeStamp"),
        (&plain[..], json!({ "data": "!" }), "KER-CRY-003", "request.data"),
        (&plain[..], json!({ "referenceId": "10001" }), "KER-KMS-020", "Signing operation not allowed"),
        (
            &plain[..],
            json!({ "applicationId": "ROOT", "referenceId": "" }),
            "KER-KMS-020",
            "Signing operation not allowed",
        ),
        (&plain[..], json!({ "lowerLeftX": "72" }), "KER-KMS-005", ""),
    ] {
        let answer = send(&client, document, more.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.error_code()), (200, code), "{more}: {answer:?}");
        assert!(answer.body["errors"][0]["message"].as_str().unwrap().contains(text), "{more}: {answer:?}");
    }
    let administrator = shared.server.http().sign_in("administrator", &shared.server.secret).await;
    let reader = administrator.new_client(&["encryptor"]).await;
    assert_eq!(send(&reader, &plain, json!({})).await.status, 403);
}

/// How much memory a process has needed at most, in MiB.
fn peak_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// What `tests/pdf/hostile.py` makes.
const HOSTILE: [&str; 16] = [
    "bomb",
    "many-pages",
    "arrays",
    "dictionaries",
    "strings",
    "open",
    "length",
    "long-length",
    "own-parent",
    "own-field",
    "prev",
    "size",
    "numbers",
    "cut",
    "binary",
    "own-prev",
];

fn make_hostile(name: &str) -> Vec<u8> {
    let python = std::env::var_os("KUNJI_TEST_PYHANKO")
        .expect("KUNJI_TEST_PYHANKO is not set: run the tests by `make test`");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("pdf/hostile.py");
    let made = Command::new(python).arg("-B").arg(here).arg(name).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    made.stdout
}

#[tokio::test]
async fn hostile_documents_harm_nobody() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN");
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let client = administrator.new_client(&["signer"]).await;
    sign(&client, &sample("plain.pdf"), json!({})).await;
    let before = peak_of(server.pid());
    for name in HOSTILE {
        // Not on the client's thread: it has to see when the server ends a connection that idles meanwhile.
        let document = tokio::task::spawn_blocking(move || make_hostile(name)).await.unwrap();
        let begin = Instant::now();
        for more in [json!({}), json!({ "password": "pass" })] {
            let answer = send(&client, &document, more).await;
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            // Some can be signed all the same.
            let refused = answer.body["response"].is_null();
            assert!(
                !refused || ["KER-JWS-102", "KER-KMS-005"].contains(&answer.error_code()),
                "{name}: {answer:?}"
            );
            let must_fail = !["strings", "length", "long-length", "own-field"].contains(&name);
            assert!(refused || !must_fail, "{name}");
        }
        assert!(begin.elapsed() < Duration::from_secs(70), "{name}: {:?}", begin.elapsed());
    }
    // The documents and their answers as base64, and no more.
    assert!(peak_of(server.pid()) < before + 200, "{before} MiB, {} MiB", peak_of(server.pid()));
    sign(&client, &sample("plain.pdf"), json!({})).await;
}
