//! Authorities that are not ours: certificates, revocation lists and time-stamps, by OpenSSL.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use kunji_tests::http::b64;
use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    cms::{CMSOptions, CmsContentInfo},
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{HasPublic, PKey, PKeyRef, Private},
    rsa::Rsa,
    sign::Signer,
    x509::{X509, X509Extension, X509NameBuilder, X509NameRef},
};
use serde_json::json;

/// Someone with a key and a certificate for it.
pub(crate) struct Holder {
    pub(crate) key: PKey<Private>,
    pub(crate) certificate: X509,
}

/// A new key.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    P256,
    P384,
    Rsa,
}

impl Kind {
    fn key(self) -> PKey<Private> {
        let on_curve = |name| {
            PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(name).unwrap()).unwrap()).unwrap()
        };
        match self {
            Self::P256 => on_curve(Nid::X9_62_PRIME256V1),
            Self::P384 => on_curve(Nid::SECP384R1),
            Self::Rsa => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
        }
    }
}

/// Extensions as OpenSSL's configuration writes them.
pub(crate) type Extensions<'a> = &'a [(&'a str, &'a str)];

pub(crate) const AUTHORITY: (&str, &str) = ("basicConstraints", "critical,CA:TRUE");
pub(crate) const ISSUES: (&str, &str) = ("keyUsage", "critical,keyCertSign,cRLSign");
pub(crate) const SIGNS: (&str, &str) = ("keyUsage", "critical,digitalSignature");
pub(crate) const STAMPS: (&str, &str) = ("extendedKeyUsage", "critical,timeStamping");

impl Holder {
    /// With a certificate by `issuer`, or by itself, for some days from today on.
    pub(crate) fn new(
        name: &str,
        kind: Kind,
        issuer: Option<&Self>,
        serial: u32,
        extensions: Extensions<'_>,
        days: u32,
    ) -> Self {
        let key = kind.key();
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
        let subject = subject.build();
        let by = issuer.map_or((&*subject, &*key), |it| (it.certificate.subject_name(), &*it.key));
        Self { certificate: build((&subject, &key), by, serial, extensions, days), key }
    }

    /// A certificate by this one, for the name and the key of another.
    pub(crate) fn certify(&self, other: &X509, serial: u32, extensions: Extensions<'_>, days: u32) -> X509 {
        let public = other.public_key().unwrap();
        let by = (self.certificate.subject_name(), &*self.key);
        build((other.subject_name(), &public), by, serial, extensions, days)
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }

    /// Writes certificate and key, and says where.
    fn write(&self, directory: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
        fs::write(&certificate, self.pem()).unwrap();
        fs::write(&key, self.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        (certificate, key)
    }

    /// A JWS by the holder's RSA key, with the certificates of all.
    pub(crate) fn token(&self, chain: &[&Self]) -> String {
        let certificates = std::iter::once(self).chain(chain.iter().copied());
        let x5c: Vec<_> = certificates
            .map(|one| openssl::base64::encode_block(&one.certificate.to_der().unwrap()))
            .collect();
        let input = format!("{}.{}", b64(json!({ "alg": "RS256", "x5c": x5c }).to_string()), b64("{}"));
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key).unwrap();
        signer.update(input.as_bytes()).unwrap();
        format!("{input}.{}", b64(signer.sign_to_vec().unwrap()))
    }

    /// A revocation list with serial numbers and the times of their revocation, for the time from the first to the
    /// last of `period`; all as `YYMMDDHHMMSSZ`.
    pub(crate) fn list(&self, revoked: &[(u32, &str)], period: (&str, &str)) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let (certificate, key) = self.write(directory.path());
        let mut lines = String::new();
        for (serial, time) in revoked {
            writeln!(lines, "R\t491231235959Z\t{time}\t{serial:02X}\tunknown\t/CN=x").unwrap();
        }
        fs::write(path("index.txt"), lines).unwrap();
        fs::write(path("number"), "01\n").unwrap();
        let configuration = format!(
            "[ca]\ndefault_ca=it\n[it]\ndatabase={}\ncrlnumber={}\ndefault_md=sha384\n",
            path("index.txt").display(),
            path("number").display()
        );
        fs::write(path("ca.cnf"), configuration).unwrap();
        let (from, to) = period;
        run(&[
            "ca".as_ref(),
            "-gencrl".as_ref(),
            "-config".as_ref(),
            path("ca.cnf").as_ref(),
            "-cert".as_ref(),
            certificate.as_ref(),
            "-keyfile".as_ref(),
            key.as_ref(),
            "-crl_lastupdate".as_ref(),
            from.as_ref(),
            "-crl_nextupdate".as_ref(),
            to.as_ref(),
            "-out".as_ref(),
            path("list.pem").as_ref(),
        ]);
        fs::read(path("list.pem")).unwrap()
    }

    /// A time-stamp token over a message, of the time that it really is.
    pub(crate) fn stamp(&self, message: &[u8]) -> Vec<u8> {
        self.stamp_by("sha256", message)
    }

    /// The same, signed with this hash.
    pub(crate) fn stamp_by(&self, hash: &str, message: &[u8]) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let (certificate, key) = self.write(directory.path());
        fs::write(path("message"), message).unwrap();
        fs::write(path("serial"), "01\n").unwrap();
        let configuration = format!(
            "[tsa]\ndefault_tsa=it\n[it]\nserial={}\ndefault_policy=1.2.3.4\nsigner_digest={hash}\n\
             digests=sha256,sha384\naccuracy=secs:1,millisecs:500\ness_cert_id_alg=sha256\n",
            path("serial").display()
        );
        fs::write(path("tsa.cnf"), configuration).unwrap();
        run(&[
            "ts".as_ref(),
            "-query".as_ref(),
            "-sha384".as_ref(),
            "-cert".as_ref(),
            "-data".as_ref(),
            path("message").as_ref(),
            "-out".as_ref(),
            path("query").as_ref(),
        ]);
        run(&[
            "ts".as_ref(),
            "-reply".as_ref(),
            "-config".as_ref(),
            path("tsa.cnf").as_ref(),
            "-queryfile".as_ref(),
            path("query").as_ref(),
            "-signer".as_ref(),
            certificate.as_ref(),
            "-inkey".as_ref(),
            key.as_ref(),
            "-token_out".as_ref(),
            "-out".as_ref(),
            path("token").as_ref(),
        ]);
        fs::read(path("token")).unwrap()
    }

    /// A token with what another says; `openssl ts` makes none for certificates that are not for time-stamps.
    pub(crate) fn stamp_again(&self, token: &[u8]) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let (certificate, key) = self.write(directory.path());
        fs::write(path("content"), content_of(token)).unwrap();
        run(&[
            "cms".as_ref(),
            "-sign".as_ref(),
            "-binary".as_ref(),
            "-nodetach".as_ref(),
            "-cades".as_ref(),
            "-econtent_type".as_ref(),
            "1.2.840.113549.1.9.16.1.4".as_ref(),
            "-in".as_ref(),
            path("content").as_ref(),
            "-signer".as_ref(),
            certificate.as_ref(),
            "-inkey".as_ref(),
            key.as_ref(),
            "-outform".as_ref(),
            "DER".as_ref(),
            "-out".as_ref(),
            path("token").as_ref(),
        ]);
        fs::read(path("token")).unwrap()
    }
}

/// A certificate of a subject's name and key, by an issuer's.
fn build(
    (subject, public): (&X509NameRef, &PKeyRef<impl HasPublic>),
    (issuer, key): (&X509NameRef, &PKeyRef<Private>),
    serial: u32,
    extensions: Extensions<'_>,
    days: u32,
) -> X509 {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(serial).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(days).unwrap()).unwrap();
    builder.set_pubkey(public).unwrap();
    for (name, value) in extensions {
        #[expect(deprecated, reason = "the only way to any extension by its text")]
        builder.append_extension(X509Extension::new(None, None, name, value).unwrap()).unwrap();
    }
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build()
}

/// What a time-stamp token says.
fn content_of(token: &[u8]) -> Vec<u8> {
    let options = CMSOptions::NO_SIGNER_CERT_VERIFY | CMSOptions::BINARY;
    let mut content = Vec::new();
    CmsContentInfo::from_der(token).unwrap().verify(None, None, None, Some(&mut content), options).unwrap();
    content
}

fn run(arguments: &[&std::ffi::OsStr]) {
    let done = Command::new("openssl").args(arguments).output();
    let done = done.expect("openssl is needed: install the package of that name");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
