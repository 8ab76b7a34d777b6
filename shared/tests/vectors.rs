//! Ciphertexts made by an independent implementation: opened, and made again byte for byte.

use std::collections::BTreeSet;

use crate::support::{Case, Failure, VECTORS, given, open};
use kunji_shared::{
    OpenInputs, RustCipher, SealPlan, Shape,
    packet::{registration, seal},
};

/// Layouts of the vectors beside packets: see `layouts`.
const NO_PACKETS: [&str; 6] =
    ["auth-request", "pin", "machine-local", "machine-android", "machine-tpm", "machine-old"];
const COVERED: [&str; 5] = ["A", "B", "C", "no-thumbprint", "registration-packet"];

fn covered_cases() -> impl Iterator<Item = &'static Case> {
    VECTORS.cases.iter().filter(|case| COVERED.contains(&case.layout.as_str()))
}

fn open_case(case: &Case) -> Result<Vec<u8>, Failure> {
    let (packet, salt, aad) = (case.packet(), case.salt(), case.aad());
    let mut inputs = OpenInputs { salt: given(&salt), aad: given(&aad) };
    let mut packet = packet.as_slice();
    if case.layout == "registration-packet" {
        let parts = registration::split(packet)?;
        assert_eq!((parts.nonce.as_slice(), parts.aad.as_slice()), (&salt[..], &aad[..]));
        inputs = parts.inputs();
        packet = parts.packet;
    }
    open(packet, &case.splitter(), &inputs, case.key_pair()).map(|plaintext| plaintext.expose().to_vec())
}

#[test]
fn every_case_opens_as_expected() {
    let mut opened = 0;
    for case in covered_cases() {
        let outcome = match open_case(case) {
            Ok(plaintext) => {
                assert_eq!(Some(plaintext), case.plaintext(), "{}", case.name);
                "ok"
            }
            Err(Failure::Format) => "format",
            Err(Failure::UnknownKey) => "unknown_key",
            Err(Failure::Authentication) => "authentication",
        };
        assert_eq!(outcome, case.expect, "{}", case.name);
        opened += 1;
    }
    assert_eq!(opened, 42);
}

/// The packet, made again from the case's randomness.
fn remake(case: &Case) -> Vec<u8> {
    let (salt, aad, nonce, aad_block) = (case.salt(), case.aad(), case.nonce(), case.aad_block());
    let (shape, members): (_, &[&[u8]]) = match case.layout.as_str() {
        "A" => (Shape::SelfContained, &[&aad_block]),
        "B" | "no-thumbprint" => (Shape::AppendedNonce { aad: &aad }, &[&nonce]),
        "C" => (Shape::CallerNonce { salt: &salt, aad: &aad }, &[]),
        "registration-packet" => (Shape::Registration, &[&salt, &aad]),
        layout => panic!("no layout {layout}"),
    };
    let recipient = &case.key_pair().recipient;
    let content = case.plaintext().unwrap();
    let mut rng = case.randomness(members);
    let packet = seal(&content, recipient, shape, &case.splitter(), &mut rng, &RustCipher).unwrap();
    assert!(rng.is_used_up(), "{}", case.name);
    assert_eq!(packet.len(), packet.capacity(), "{}", case.name);

    // A host that encrypts by itself comes to the same bytes.
    let mut rng = case.randomness(members);
    let plan = SealPlan::prepare(recipient, shape, &case.splitter(), &mut rng).unwrap();
    let by_host = [plan.prefix(), &seal_by_host(&plan, &content), plan.suffix()].concat();
    assert!(by_host == packet, "{}", case.name);
    assert_eq!(plan.packet_len(content.len() as u64), Ok(packet.len() as u64));

    // Nobody writes packets without a thumbprint any more: they are shape B without it.
    match case.layout.as_str() {
        "no-thumbprint" => packet[32..].to_vec(),
        _ => packet,
    }
}

fn seal_by_host(plan: &SealPlan<'_>, content: &[u8]) -> Vec<u8> {
    use kunji_shared::ContentCipher as _;
    let mut text = content.to_vec();
    if let Ok(nonce) = plan.nonce().try_into() {
        use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, plan.data_key().expose()).unwrap());
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::from(plan.aad()), &mut text).unwrap();
        return text;
    }
    let tag = RustCipher.seal_in_place(plan.data_key(), plan.nonce(), plan.aad(), &mut text).unwrap();
    [text.as_slice(), &tag].concat()
}

#[test]
fn every_good_case_is_made_again_byte_for_byte() {
    let mut made = 0;
    for case in covered_cases().filter(|case| case.expect == "ok") {
        assert!(remake(case) == case.packet(), "{}", case.name);
        made += 1;
    }
    assert_eq!(made, 32);
}

#[test]
fn no_case_is_left_out_unseen() {
    let in_file: BTreeSet<&str> = VECTORS.cases.iter().map(|case| case.layout.as_str()).collect();
    let listed: BTreeSet<&str> = COVERED.into_iter().chain(NO_PACKETS).collect();
    assert_eq!(in_file, listed);
    let no_packets = VECTORS.cases.len() - covered_cases().count();
    assert_eq!((VECTORS.cases.len(), no_packets), (49, 7));
}
