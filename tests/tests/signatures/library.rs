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
        let mut node = Command::new("node");
        node.arg(program).current_dir(project);
        Self::run(node).expect("Node is needed: install the package nodejs")
    }

    /// The program of `tests/pdf`, which verifies signed PDFs by pyHanko.
    pub(crate) fn pyhanko() -> Self {
        let python = std::env::var_os("KUNJI_TEST_PYHANKO");
        let python = python.expect("KUNJI_TEST_PYHANKO is not set: run the tests by `make test`");
        let mut command = Command::new(python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("pdf/verify.py"));
        Self::run(command).unwrap()
    }

    fn run(mut command: Command) -> std::io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let requests = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Ok(Self { child, requests, answers })
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
