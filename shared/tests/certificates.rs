//! Certificates of every kind, each judged as it must be.

use std::{collections::BTreeMap, sync::LazyLock};

use kunji_shared::{
    Certificate, ModulusLength, Recipient, RecipientPolicy, UnixTime,
    certificate::{CertificateError, RecipientError, SignatureError},
    public_key::PublicKeyError,
};

use crate::support::NOW;

static CERTIFICATES: LazyLock<BTreeMap<String, Certificate>> = LazyLock::new(|| {
    let texts: BTreeMap<String, String> =
        serde_json::from_str(include_str!("certificates/certificates.json")).unwrap();
    let read = |(title, pem): (String, String)| {
        let certificate = Certificate::from_pem(&pem).unwrap_or_else(|error| panic!("{title}: {error}"));
        (title, certificate)
    };
    texts.into_iter().map(read).collect()
});

pub(crate) fn all() -> impl Iterator<Item = &'static Certificate> {
    CERTIFICATES.values()
}

fn named(titles: &[&str]) -> Vec<Certificate> {
    titles.iter().map(|&title| CERTIFICATES[title].clone()).collect()
}

fn check_at(
    leaf: &str,
    chain: &[&str],
    anchors: &[&str],
    now: UnixTime,
) -> Result<Recipient, RecipientError> {
    let (chain, anchors) = (named(chain), named(anchors));
    Recipient::check(&CERTIFICATES[leaf], &chain, &anchors, now, &RecipientPolicy::default())
}

fn check(leaf: &str, chain: &[&str], anchors: &[&str]) -> Result<Recipient, RecipientError> {
    check_at(leaf, chain, anchors, NOW)
}

#[track_caller]
fn accepted(leaf: &str, chain: &[&str], anchors: &[&str]) {
    let recipient = check(leaf, chain, anchors).unwrap();
    assert_eq!(recipient.key().thumbprint(), CERTIFICATES[leaf].thumbprint());
}

#[track_caller]
fn refused(leaf: &str, chain: &[&str], anchors: &[&str], expected: RecipientError) {
    let error = check(leaf, chain, anchors).unwrap_err();
    assert_eq!(error, expected, "{leaf}");
    assert!(error.code().starts_with("recipient.") && !error.hint().is_empty());
}

#[test]
fn a_good_chain_is_accepted_however_it_comes() {
    accepted("base", &["module"], &["root"]);
    accepted("base", &["root", "module", "base"], &["root"]);
    accepted("base", &["module", "root_of_same_name"], &["root_of_same_name", "root"]);
    accepted("base", &[], &["module"]);
    accepted("base", &[], &["base"]);
    accepted("base_without_key_usage", &["module"], &["root"]);
    accepted("base_authority", &["module"], &["root"]);
    accepted("base_other_extension", &["module"], &["root"]);
    accepted("base_explicit_default", &["module"], &["root"]);
    accepted("base_sha384", &["module"], &["root"]);
    accepted("base_sha512", &["module"], &["root"]);
}

#[test]
fn an_anchor_is_its_name_and_key() {
    // The chain holds the root as it is today, pinned was another certificate of it.
    accepted("base", &["module", "root_reissued"], &["root"]);
    accepted("base", &["module", "root"], &["root_reissued"]);
    refused(
        "base",
        &["module", "root"],
        &["root_of_same_name"],
        RecipientError::Signature(SignatureError::Broken),
    );
}

#[test]
fn names_match_whatever_text_type_and_case() {
    accepted("base_printable_issuer", &["module"], &["root"]);
}

#[test]
fn dates_of_the_recipient_count() {
    let leaf = &CERTIFICATES["base"];
    let at = |time: UnixTime| check_at("base", &["module"], &["root"], time);
    let after = |time: UnixTime, seconds| UnixTime::from_seconds(time.seconds() + seconds);
    assert!(at(leaf.not_before()).is_ok());
    assert_eq!(at(after(leaf.not_before(), -1)).unwrap_err(), RecipientError::NotYetValid);
    assert!(at(leaf.not_after()).is_ok());
    assert_eq!(at(after(leaf.not_after(), 1)).unwrap_err(), RecipientError::Expired);
    assert_eq!(
        check_at("base", &[], &["base"], after(leaf.not_after(), 1)).unwrap_err(),
        RecipientError::Expired
    );
    // 2026-01-01 and ten times 365 days later
    assert_eq!(leaf.not_before().seconds(), 1_767_225_600);
    assert_eq!(leaf.not_after().seconds(), 1_767_225_600 + 3650 * 86_400);
}

#[test]
fn key_usage_must_allow_wrapping() {
    refused("base_signing", &["module"], &["root"], RecipientError::KeyUsage);
}

#[test]
fn keys_of_other_kinds_and_sizes_are_refused() {
    accepted("self_rsa3072", &[], &["self_rsa3072"]);
    accepted("self_rsa4096", &[], &["self_rsa4096"]);
    for (title, error) in [
        ("self_rsa1024", PublicKeyError::UnsupportedSize),
        ("self_rsa2056", PublicKeyError::UnsupportedSize),
        ("self_exponent3", PublicKeyError::UnsupportedExponent),
        ("self_elliptic", PublicKeyError::NotRsa),
    ] {
        refused(title, &[], &[title], RecipientError::Key(error));
    }
}

#[test]
fn the_policy_may_ask_for_more() {
    let policy = RecipientPolicy { minimum_modulus: ModulusLength::Rsa3072 };
    let check = |title: &str| {
        let anchors = named(&[title]);
        Recipient::check(&anchors[0], &[], &anchors, NOW, &policy).map(|_| ())
    };
    assert_eq!(check("base"), Err(RecipientError::KeyTooSmall));
    assert_eq!(check("self_rsa3072"), Ok(()));
    assert_eq!(check("self_rsa4096"), Ok(()));
}

#[test]
fn without_an_anchor_nothing_is_trusted() {
    refused("base", &["module", "root"], &[], RecipientError::Untrusted);
    refused("base", &[], &["root"], RecipientError::Untrusted);
    refused("base", &["module"], &["tight_root"], RecipientError::Untrusted);
    refused("negative_serial", &["negative_serial"], &["root"], RecipientError::Untrusted);
}

#[test]
fn signatures_must_be_good() {
    let broken = RecipientError::Signature(SignatureError::Broken);
    refused("base_forged", &["module"], &["root"], broken);
    refused(
        "base_of_elliptic_root",
        &[],
        &["elliptic_root"],
        RecipientError::Signature(SignatureError::IssuerKey(PublicKeyError::NotRsa)),
    );
    refused(
        "base_of_rsa1024_root",
        &[],
        &["rsa1024_root"],
        RecipientError::Signature(SignatureError::IssuerKey(PublicKeyError::UnsupportedSize)),
    );
    let elliptic = &CERTIFICATES["elliptic_root"];
    let leaf = &CERTIFICATES["base_of_elliptic_root"];
    assert_eq!(leaf.is_signed_by(&CERTIFICATES["root"]), Err(SignatureError::UnsupportedAlgorithm));
    assert!(elliptic.is_signed_by(elliptic).is_err());
}

#[test]
fn a_changed_certificate_does_not_verify() {
    let (leaf, module) = (&CERTIFICATES["base"], &CERTIFICATES["module"]);
    assert_eq!(leaf.is_signed_by(module), Ok(()));
    let mut verified = 0;
    for place in 0..leaf.der().len() {
        let mut der = leaf.der().to_vec();
        der[place] ^= 1;
        if let Ok(changed) = Certificate::from_der(&der) {
            assert!(changed.is_signed_by(module).is_err(), "byte {place}");
            assert_ne!(changed.thumbprint(), leaf.thumbprint());
            verified += 1;
        }
    }
    assert!(verified > 500, "most changes leave a certificate that can be read: {verified}");
}

#[test]
fn issuers_must_be_authorities() {
    refused("base_of_not_authority", &["not_authority"], &["root"], RecipientError::IssuerNotAuthority);
    refused("base_of_no_cert_sign", &["no_cert_sign"], &["root"], RecipientError::IssuerNotAuthority);
    refused("base_of_not_authority", &[], &["not_authority"], RecipientError::IssuerNotAuthority);
}

#[test]
fn path_length_counts_authorities_that_are_not_self_issued() {
    accepted("base_of_tight_root", &[], &["tight_root"]);
    refused("base_below_tight_root", &["module_of_tight_root"], &["tight_root"], RecipientError::PathLength);
    accepted("base_of_tight_root_rolled", &["tight_root_rolled"], &["tight_root"]);
}

#[test]
fn issuers_must_be_valid_now() {
    // The reason is told even if another authority of that name, with another key, is seen first.
    refused(
        "base_of_short",
        &["short_of_same_name", "module_short"],
        &["root"],
        RecipientError::IssuerExpired,
    );
    refused("base_of_short", &["module_short"], &["root"], RecipientError::IssuerExpired);
    refused("base_of_short", &[], &["module_short"], RecipientError::IssuerExpired);
    let in_time = CERTIFICATES["module_short"].not_after();
    assert!(check_at("base_of_short", &["module_short"], &["root"], in_time).is_ok());
}

#[test]
fn critical_extensions_must_be_understood() {
    refused("base_critical_extension", &["module"], &["root"], RecipientError::CriticalExtension);
    refused(
        "base_of_critical_authority",
        &["critical_authority"],
        &["root"],
        RecipientError::CriticalExtension,
    );
}

#[test]
fn long_chains_end_somewhere() {
    let all: Vec<String> = (1..=10).map(|depth| format!("long_{depth}")).collect();
    let chain: Vec<&str> = all.iter().map(String::as_str).collect();
    accepted("base_of_long_8", &chain, &["long_root"]);
    refused("base_of_long_9", &chain, &["long_root"], RecipientError::Untrusted);
    let repeated = chain.repeat(50);
    refused("base_of_long_10", &repeated, &["long_root"], RecipientError::Untrusted);
}

#[test]
fn a_negative_serial_number_is_read() {
    let certificate = &CERTIFICATES["negative_serial"];
    let serial: [u8; 8] = certificate.serial_number().try_into().unwrap();
    assert_eq!(i64::from_be_bytes(serial), -4_242_424_242_424_242_424);
    assert_eq!(certificate.subject(), "CN=Negative,C=IN");
    assert_eq!(certificate.is_signed_by(certificate), Ok(()));
    accepted("negative_serial", &[], &["negative_serial"]);
}

#[test]
fn a_version_1_certificate_is_read_and_issues_nothing() {
    let certificate = &CERTIFICATES["version_1"];
    assert_eq!((certificate.key_usage(), certificate.basic_constraints()), (None, None));
    accepted("version_1", &[], &["version_1"]);
}

#[test]
fn the_certificate_says_what_is_in_it() {
    let root = &CERTIFICATES["root"];
    assert_eq!(root.subject(), "CN=Root,O=Test\\, Org,C=IN");
    assert_eq!(root.issuer(), root.subject());
    let constraints = root.basic_constraints().unwrap();
    assert_eq!((constraints.is_authority, constraints.path_length), (true, Some(2)));
    let usage = root.key_usage().unwrap();
    assert!(usage.key_cert_sign && usage.crl_sign && usage.digital_signature && !usage.key_encipherment);
    assert!(CERTIFICATES["base"].key_usage().unwrap().key_encipherment);
    assert_eq!(CERTIFICATES["base"].issuer(), CERTIFICATES["module"].subject());
    assert_eq!(CERTIFICATES["self_rsa4096"].public_key().unwrap().modulus().len(), 512);
}

#[test]
fn names_fit_on_one_line() {
    assert_eq!(
        CERTIFICATES["control_characters"].subject(),
        "CN=two\\0alines\\00\\7f \u{e9},O=Test\\, Org,C=IN"
    );
}

#[test]
fn pem_of_one_and_of_several() {
    let (base, module) = (&CERTIFICATES["base"], &CERTIFICATES["module"]);
    let both = base.to_pem() + &module.to_pem();
    assert_eq!(Certificate::chain_from_pem(&both), Ok(vec![base.clone(), module.clone()]));
    assert_eq!(Certificate::from_pem(&both), Err(CertificateError::NotSingle));
    assert_eq!(Certificate::from_pem("no certificate").unwrap_err().code(), "pem.missing");
    let trailing = [base.der(), &[0]].concat();
    assert_eq!(Certificate::from_der(&trailing), Err(CertificateError::Malformed));
    assert_eq!(Certificate::from_der(&vec![0x30; 1 << 17]), Err(CertificateError::TooLarge));
}
