//! Certificates of our own making, and what a caller trusts.

use std::{fs, path::Path, process::Command, sync::Arc};

use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    x509::{
        X509, X509NameBuilder,
        extension::{BasicConstraints, SubjectAlternativeName},
    },
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

/// A certificate authority.
#[derive(Debug)]
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

/// A certificate and its key, both PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

impl Authority {
    /// A new one, which nobody trusts yet.
    pub fn new() -> Self {
        let key = new_key();
        let certificate = certify("authority", &[], &key, None);
        Self { certificate, key }
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }

    /// A list (PEM) of those of its certificates that are revoked.
    pub fn revocation_list(&self, revoked: &[&Identity]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        let index = revoked.iter().map(|identity| {
            let certificate = X509::from_pem(&identity.certificate).unwrap();
            let serial = certificate.serial_number().to_bn().unwrap().to_hex_str().unwrap().to_string();
            format!("R\t491231235959Z\t200101000000Z\t{serial}\tunknown\t/CN=revoked\n")
        });
        write("index.txt", index.collect::<String>().as_bytes());
        write("number", b"01\n");
        write("authority.pem", &self.pem());
        write("key.pem", &self.key.private_key_to_pem_pkcs8().unwrap());
        let config = "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = number\ndefault_md = sha256\n\
                      default_crl_days = 2\ncrl_extensions = extensions\n[extensions]\n\
                      authorityKeyIdentifier = issuer:always\n";
        write("openssl.cnf", config.as_bytes());
        let arguments =
            ["ca", "-gencrl", "-config", "openssl.cnf", "-cert", "authority.pem", "-keyfile", "key.pem"];
        let output = Command::new("openssl").args(arguments).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A certificate for the address 127.0.0.1 and these names.
    pub fn issue(&self, common_name: &str, dns_names: &[&str]) -> Identity {
        let key = new_key();
        let certificate = certify(common_name, dns_names, &key, Some(self));
        Identity { certificate: certificate.to_pem().unwrap(), key: key.private_key_to_pem_pkcs8().unwrap() }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// Writes both to files, the key first.
    pub fn write(&self, certificate: &Path, key: &Path) {
        fs::write(key, &self.key).unwrap();
        fs::write(certificate, &self.certificate).unwrap();
    }
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn certify(common_name: &str, dns_names: &[&str], key: &PKey<Private>, by: Option<&Authority>) -> X509 {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", common_name).unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_slice(uuid::Uuid::new_v4().as_bytes()).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(by.map_or(&name, |authority| authority.certificate.subject_name())).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    if by.is_none() {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    } else {
        let mut names = SubjectAlternativeName::new();
        names.ip("127.0.0.1");
        for dns_name in dns_names {
            names.dns(dns_name);
        }
        let names = names.build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(names).unwrap();
    }
    builder.sign(by.map_or(key, |authority| &authority.key), MessageDigest::sha256()).unwrap();
    builder.build()
}

/// What a caller does that trusts these authorities (PEM) and shows this certificate.
pub fn client_config(authorities: &[u8], identity: Option<&Identity>) -> ClientConfig {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(authorities));
    match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = chain_and_key(identity);
            config.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

/// What a server does that shows this certificate, and asks for one of these authorities (PEM).
pub fn server_config(authorities: &[u8], identity: &Identity) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = Arc::new(roots(authorities));
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build().unwrap();
    let (chain, key) = chain_and_key(identity);
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap()
}

fn roots(authorities: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities) {
        roots.add(authority.unwrap()).unwrap();
    }
    roots
}

fn chain_and_key(identity: &Identity) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(&identity.certificate).map(Result::unwrap).collect();
    (chain, PrivateKeyDer::from_pem_slice(&identity.key).unwrap())
}
