//! An authority that the server knows nothing of.

use kunji_server::{adapters::system_clock::SystemClock, ports::clock::Clock};
use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    hash::MessageDigest,
    pkey::{HasPublic, PKey, PKeyRef, Private},
    rsa::Rsa,
    x509::{
        X509, X509NameBuilder, X509NameRef, X509Req,
        extension::{BasicConstraints, KeyUsage},
    },
};

const DAY: i64 = 86_400;

/// What a certificate allows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    /// To issue certificates.
    Issue,
    /// To wrap keys.
    Seal,
    /// To sign.
    Sign,
}

/// An authority.
pub(crate) struct Elsewhere {
    certificate: X509,
    key: PKey<Private>,
}

/// A new RSA key.
pub(crate) fn rsa() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

impl Elsewhere {
    pub(crate) fn new() -> Self {
        let key = rsa();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", "Elsewhere").unwrap();
        let name = name.build();
        let certificate = certificate(&name, &key, &name, &key, (-DAY, 4_000 * DAY), Usage::Issue);
        Self { certificate, key }
    }

    /// Its certificate, PEM.
    pub(crate) fn pem(&self) -> String {
        text(&self.certificate)
    }

    /// A certificate for a request (PEM).
    pub(crate) fn certify(&self, request: &str, days: i64, usage: Usage) -> String {
        self.certify_for(request, (-60, days * DAY), usage)
    }

    /// The same, valid from and until so many seconds from now.
    pub(crate) fn certify_for(&self, request: &str, seconds: (i64, i64), usage: Usage) -> String {
        let request = X509Req::from_pem(request.as_bytes()).unwrap();
        let key = request.public_key().unwrap();
        let issuer = self.certificate.subject_name();
        text(&certificate(request.subject_name(), &key, issuer, &self.key, seconds, usage))
    }

    /// A certificate for a request (PEM) with this serial number.
    pub(crate) fn certify_as(&self, request: &str, serial: &[u8], usage: Usage) -> String {
        let request = X509Req::from_pem(request.as_bytes()).unwrap();
        let key = request.public_key().unwrap();
        let names = (request.subject_name(), self.certificate.subject_name());
        text(&with_serial(serial, names, &key, &self.key, (-60, 3_000 * DAY), usage))
    }

    /// A certificate for a request (PEM) with another subject: the organisation that is named.
    pub(crate) fn certify_named(&self, request: &str, organization: &str, usage: Usage) -> String {
        let request = X509Req::from_pem(request.as_bytes()).unwrap();
        let key = request.public_key().unwrap();
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_text("O", organization).unwrap();
        let issuer = self.certificate.subject_name();
        text(&certificate(&subject.build(), &key, issuer, &self.key, (-60, 3_000 * DAY), usage))
    }

    /// A certificate for somebody's key, valid from and until so many seconds from now.
    pub(crate) fn certify_key<T: HasPublic>(
        &self,
        name: &str,
        key: &PKeyRef<T>,
        seconds: (i64, i64),
    ) -> String {
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_text("CN", name).unwrap();
        let issuer = self.certificate.subject_name();
        text(&certificate(&subject.build(), key, issuer, &self.key, seconds, Usage::Sign))
    }
}

fn text(certificate: &X509) -> String {
    String::from_utf8(certificate.to_pem().unwrap()).unwrap()
}

fn certificate<T: HasPublic>(
    subject: &X509NameRef,
    key: &PKeyRef<T>,
    issuer: &X509NameRef,
    issuer_key: &PKeyRef<Private>,
    seconds: (i64, i64),
    usage: Usage,
) -> X509 {
    with_serial(uuid::Uuid::new_v4().as_bytes(), (subject, issuer), key, issuer_key, seconds, usage)
}

fn with_serial<T: HasPublic>(
    serial: &[u8],
    (subject, issuer): (&X509NameRef, &X509NameRef),
    key: &PKeyRef<T>,
    issuer_key: &PKeyRef<Private>,
    (from, until): (i64, i64),
    usage: Usage,
) -> X509 {
    let now = SystemClock.now().seconds();
    let time = |seconds: i64| Asn1Time::from_unix(now + seconds).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_slice(serial).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&time(from)).unwrap();
    builder.set_not_after(&time(until)).unwrap();
    let mut allowed = KeyUsage::new();
    allowed.critical();
    match usage {
        Usage::Issue => {
            builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
            allowed.key_cert_sign().digital_signature()
        }
        Usage::Seal => allowed.key_encipherment(),
        Usage::Sign => allowed.digital_signature(),
    };
    builder.append_extension(allowed.build().unwrap()).unwrap();
    builder.sign(issuer_key, MessageDigest::sha256()).unwrap();
    builder.build()
}
