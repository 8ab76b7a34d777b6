//! Trust in certificates of others, by anchors in a directory.

use std::fs;

use kunji_tests::{http::b64, site::Site};
use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    sign::Signer,
    x509::{
        X509, X509NameBuilder,
        extension::{BasicConstraints, KeyUsage},
    },
};
use serde_json::{Value, json};

struct Holder {
    key: PKey<Private>,
    certificate: X509,
}

/// A certificate by `issuer`, or by itself. `authority`: how many may follow below it.
fn holder(name: &str, issuer: Option<&Holder>, authority: Option<u32>) -> Holder {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name())).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.set_pubkey(&key).unwrap();
    let mut constraints = BasicConstraints::new();
    constraints.critical();
    let mut usage = KeyUsage::new();
    usage.critical();
    match authority {
        Some(length) => {
            constraints.ca().pathlen(length);
            usage.key_cert_sign();
        }
        None => {
            usage.digital_signature();
        }
    }
    builder.append_extension(constraints.build().unwrap()).unwrap();
    builder.append_extension(usage.build().unwrap()).unwrap();
    builder.sign(issuer.map_or(&key, |issuer| &issuer.key), MessageDigest::sha256()).unwrap();
    Holder { certificate: builder.build(), key }
}

/// A JWS by the first, with the certificates of all.
fn token(chain: &[&Holder]) -> String {
    let x5c: Vec<_> =
        chain.iter().map(|one| openssl::base64::encode_block(&one.certificate.to_der().unwrap())).collect();
    let input = format!("{}.{}", b64(json!({ "alg": "RS256", "x5c": x5c }).to_string()), b64("{}"));
    let mut signer = Signer::new(MessageDigest::sha256(), &chain[0].key).unwrap();
    signer.update(input.as_bytes()).unwrap();
    format!("{input}.{}", b64(signer.sign_to_vec().unwrap()))
}

#[tokio::test]
async fn paths_lead_to_the_anchors_of_their_domain() {
    let root = holder("root", None, Some(1));
    let middle = holder("middle", Some(&root), Some(0));
    let partner = holder("partner", Some(&middle), None);
    let too_deep = holder("too deep", Some(&holder("deeper", Some(&middle), Some(0))), None);
    let no_authority = holder("no authority", Some(&partner), None);
    let stranger = holder("stranger", None, None);

    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN");
    let anchors = site.path().join("anchors");
    for domain in ["AUTH", "DEVICE"] {
        fs::create_dir_all(anchors.join(domain)).unwrap();
    }
    fs::write(anchors.join("AUTH/root.pem"), root.certificate.to_pem().unwrap()).unwrap();
    let site = site.with("KUNJI_TRUST_ANCHORS_DIR", anchors.to_str().unwrap());
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let client = administrator.new_client(&["signer"]).await;
    let trust = async |chain: &[&Holder], domain: &str| {
        let request = json!({ "jwtSignatureData": token(chain), "validateTrust": true, "domain": domain });
        let answer = client.call("/jwtVerify", request).await;
        assert_eq!(answer.response()["signatureValid"], Value::Bool(true));
        answer.response()["trustValid"].as_str().unwrap().to_owned()
    };
    let (valid, not_valid) = ("TRUST_CERT_PATH_VALID", "TRUST_CERT_PATH_NOT_VALID");
    assert_eq!(trust(&[&partner, &middle], "AUTH").await, valid);
    assert_eq!(trust(&[&partner, &middle, &root], "Auth").await, valid);
    assert_eq!(trust(&[&partner], "AUTH").await, not_valid);
    assert_eq!(trust(&[&partner, &middle], "DEVICE").await, not_valid);
    assert_eq!(trust(&[&partner, &middle], "NOWHERE").await, not_valid);
    assert_eq!(trust(&[&too_deep, &middle], "AUTH").await, not_valid);
    assert_eq!(trust(&[&no_authority, &partner, &middle], "AUTH").await, not_valid);
    assert_eq!(trust(&[&stranger], "AUTH").await, not_valid);
    let request = json!({ "jws": token(&[&partner, &middle]), "validateTrust": true, "domain": "AUTH" });
    let report = client.post("/v1/signatures/verify", &request).await;
    assert_eq!(report.body["checks"][4], json!({ "name": "trust", "outcome": "passed" }));
}
