//! Libraries not ours, in processes of their own, and certificates for their keys.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKeyRef, Private, Public},
    x509::{X509, X509NameBuilder},
};
use serde_json::Value;

/// A program of `tests/signatures`.
pub(crate) struct Library {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Library {
    pub(crate) fn start(program: &str) -> Self {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures");
        let modules = project.join("node_modules");
        assert!(modules.exists(), "{} is missing: run `npm ci` in tests/signatures first", modules.display());
        let mut child = Command::new("node")
            .arg(program)
            .current_dir(project)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node is needed: install the package nodejs");
        let requests = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, requests, answers }
    }

    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate (PEM) for a key of others, by an authority of theirs.
pub(crate) fn certificate(public: &PKeyRef<Public>, authority: &PKeyRef<Private>) -> String {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, "partner").unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.set_pubkey(public).unwrap();
    certificate.sign(authority, MessageDigest::sha256()).unwrap();
    String::from_utf8(certificate.build().to_pem().unwrap()).unwrap()
}
