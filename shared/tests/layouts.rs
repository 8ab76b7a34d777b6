//! The layouts beside packets: ciphertexts of an independent implementation, opened and made again byte for byte, and
//! what holds for every one.

use kunji_shared::{
    DataKey, Envelope, OpenInputs, RustCipher, Splitter,
    layouts::{
        auth_request::{self, AuthRequestPlan},
        biometric::{BlockPlan, Capture},
        container::{self, ContainerError, Entry},
        machine::{self, MachineKey, MachineKind},
        pin::{self, Pin},
    },
    packet::{FormatError, OpenError, SealError},
    public_key::PublicKeyError,
};
use proptest::{collection::vec, prelude::*};

use crate::support::{Case, Exhausted, KEY_PAIRS, VECTORS, open, replay};

fn case(name: &str) -> &'static Case {
    VECTORS.cases.iter().find(|case| case.name == name).unwrap()
}

#[test]
fn an_auth_request_is_made_again_and_opens() {
    let case = case("auth_request");
    let (key_pair, json) = (case.key_pair(), case.plaintext().unwrap());
    let mut rng = case.randomness(&[&case.nonce(), &[7; 16]]);
    let plan = AuthRequestPlan::prepare(&key_pair.recipient, &mut rng).unwrap();
    assert!(rng.is_used_up());
    let sealed = plan.seal(&json, &RustCipher).unwrap();
    assert_eq!(sealed.request, case.packet());
    assert_eq!(sealed.session_key, case.session_key());
    assert_eq!(sealed.thumbprint, key_pair.recipient.thumbprint());

    let key = key_pair.unwrap(&sealed.session_key).unwrap();
    let opened = auth_request::open(&sealed.request, &sealed.request_hmac, &key, &RustCipher).unwrap();
    assert_eq!(opened.expose(), json);
    // The other member is a hash of this one, and no other member fits.
    let hash = auth_request::read(&sealed.request_hmac).unwrap().open(&key, &RustCipher).unwrap();
    assert_eq!(hash.expose(), auth_request::hash_text(&json).as_bytes());
    assert_eq!(
        auth_request::open(&sealed.request, &sealed.request, &key, &RustCipher).unwrap_err(),
        OpenError::Decryption
    );
    assert_eq!(auth_request::read(&[0; 31]).unwrap_err(), FormatError::Truncated);
}

#[test]
fn a_hash_is_upper_case_hexadecimal() {
    // FIPS 180-4 example: SHA-256("abc").
    let expected = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
    assert_eq!(auth_request::hash_text(b"abc"), expected);
}

/// The service that is asked glues the members to a packet.
#[test]
fn a_glued_auth_request_is_a_packet() {
    let case = case("auth_request");
    let (thumbprint, splitter) = (case.key_pair().recipient.thumbprint(), Splitter::default());
    let with_thumbprint = [thumbprint.as_bytes().as_slice(), &case.session_key()].concat();
    for session_key in [case.session_key(), with_thumbprint] {
        let packet = auth_request::glue(thumbprint, &session_key, &case.packet(), &splitter);
        let opened = open(&packet, &splitter, &OpenInputs::default(), case.key_pair()).unwrap();
        assert_eq!(Some(opened.expose().to_vec()), case.plaintext());
    }
}

#[test]
fn contents_under_a_pin_are_made_again_and_open() {
    for (name, iterations) in [("pin_100000", 100_000), ("pin_10", 10)] {
        let case = case(name);
        let key = Pin::new(&case.pin()).derive_key(&case.salt(), iterations).unwrap();
        let plan = pin::plan(&mut replay(&[&case.salt(), &case.nonce()])).unwrap();
        assert_eq!(plan.seal(&key, &case.plaintext().unwrap(), &RustCipher), Ok(case.packet()));
        let packet = case.packet();
        let body = pin::read(&packet).unwrap();
        let key = Pin::new(&case.pin()).derive_key(body.aad(), iterations).unwrap();
        assert_eq!(Some(body.open(&key, &RustCipher).unwrap().expose().to_vec()), case.plaintext());
        let other = Pin::new("000000").derive_key(body.aad(), iterations).unwrap();
        assert_eq!(body.open(&other, &RustCipher).unwrap_err(), OpenError::Decryption);
    }
    assert_eq!(pin::read(&[0; 59]).unwrap_err(), FormatError::Truncated);
    for iterations in [0, pin::MAX_ITERATIONS + 1] {
        assert_eq!(Pin::new("1").derive_key(&[], iterations).unwrap_err().code(), "layout.iterations");
    }
}

#[test]
fn contents_for_machines_are_made_again_and_open() {
    for (name, kind) in [
        ("machine_local", MachineKind::Local),
        ("machine_android", MachineKind::Android),
        ("machine_tpm", MachineKind::Tpm),
        ("machine_old", MachineKind::Local),
    ] {
        let case = case(name);
        let packet = case.packet();
        let parts = machine::read(&packet, case.key_pair().modulus_length()).unwrap();
        let key = case.dek();
        assert_eq!(
            Some(parts.open(&key, &RustCipher).unwrap().expose().to_vec()),
            case.plaintext(),
            "{name}"
        );
        match kind {
            MachineKind::Local => assert_eq!(
                case.key_pair().unwrap(parts.wrapped_key).map(|key| *key.expose()),
                Some(*key.expose()),
                "{name}"
            ),
            _ => assert!(
                case.key_pair().unwrap(parts.wrapped_key).is_none(),
                "{name} is wrapped as packets are"
            ),
        }
        if name != "machine_old" {
            let public = MachineKey::read(&case.key_pair().spki, kind).unwrap();
            let (key, plan) = public.plan(&mut case.randomness(&[&case.nonce(), &case.aad()])).unwrap();
            assert_eq!(plan.seal(&key, &case.plaintext().unwrap(), &RustCipher), Ok(packet), "{name}");
        }
    }
    let modulus = KEY_PAIRS["rsa2048"].modulus_length();
    assert_eq!(machine::read(&[0; 256 + 43], modulus).unwrap_err(), FormatError::Truncated);
    let wrong = DataKey::from_slice(&[1; 32]).unwrap();
    for length in [256 + 44, 256 + 59, 256 + 60, 500] {
        let bytes = vec![0; length];
        let error = machine::read(&bytes, modulus).unwrap().open(&wrong, &RustCipher).unwrap_err();
        assert_eq!(error, OpenError::Decryption);
    }
}

/// TPMT_PUBLIC of an RSA key, as a TPM marshals it.
fn tpm_public(modulus: &[u8], symmetric: &[u8], scheme: &[u8], exponent: u32) -> Vec<u8> {
    let bits = u16::try_from(modulus.len() * 8).unwrap();
    [
        &[0, 1, 0, 0x0B, 0, 6, 4, 0x72, 0, 3, 1, 2, 3][..],
        symmetric,
        scheme,
        &bits.to_be_bytes(),
        &exponent.to_be_bytes(),
        &(bits / 8).to_be_bytes(),
        modulus,
    ]
    .concat()
}

#[test]
fn a_key_that_a_tpm_marshalled_is_that_of_a_tpm_whatever_is_said() {
    let key_pair = &KEY_PAIRS["rsa2048"];
    let modulus = key_pair.recipient.public_key().modulus();
    for (symmetric, scheme, exponent) in [
        (&[0, 0x10][..], &[0, 0x10][..], 0),
        (&[0, 6, 0, 128, 0, 0x43], &[0, 0x15], 65537),
        (&[0, 0x10], &[0, 0x17, 0, 0x0B], 0),
    ] {
        let marshalled = tpm_public(&modulus, symmetric, scheme, exponent);
        let key = MachineKey::read(&marshalled, MachineKind::Android).unwrap();
        assert_eq!(key.kind(), MachineKind::Tpm);
        let case = case("machine_tpm");
        let (data_key, plan) = key.plan(&mut case.randomness(&[&case.nonce(), &case.aad()])).unwrap();
        assert_eq!(plan.seal(&data_key, &case.plaintext().unwrap(), &RustCipher), Ok(case.packet()));
        let more = [marshalled.as_slice(), &[0]].concat();
        assert_eq!(MachineKey::read(&more, MachineKind::Tpm).unwrap_err(), PublicKeyError::Malformed);
    }
    let even = tpm_public(&modulus, &[0, 0x10], &[0, 0x10], 4);
    assert_eq!(MachineKey::read(&even, MachineKind::Tpm).unwrap_err(), PublicKeyError::UnsupportedExponent);
    let short = tpm_public(&modulus[..128], &[0, 0x10], &[0, 0x10], 0);
    assert_eq!(MachineKey::read(&short, MachineKind::Tpm).unwrap_err(), PublicKeyError::UnsupportedSize);
}

#[test]
fn nonce_and_associated_data_of_a_capture_are_the_end_of_the_xor() {
    // The shorter of the two is filled up on the left.
    let capture = Capture::new("2026-01-05T10:11:12.123Z", "1234567890").unwrap();
    let padded = [&[0; 14][..], b"1234567890"].concat();
    let x: Vec<u8> =
        b"2026-01-05T10:11:12.123Z".iter().zip(&padded).map(|(one, other)| one ^ other).collect();
    assert_eq!((capture.nonce(), capture.aad().as_slice()), (&x[12..], &x[8..]));
    let turned = Capture::new("1234567890", "2026-01-05T10:11:12.123Z").unwrap();
    assert_eq!(turned, capture);
    assert!(Capture::new("0123456789abcdef", "").is_ok());
    assert_eq!(Capture::new("0123456789abcde", "x").unwrap_err().code(), "layout.capture_length");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_biometric_block_opens_with_its_capture_and_with_no_other(
        content in vec(any::<u8>(), 1..500),
        timestamp in "[ -~]{16,40}",
        transaction in "[ -~é]{0,40}",
        other in "[ -~]{16,40}",
    ) {
        let key_pair = &KEY_PAIRS["rsa2048"];
        let capture = Capture::new(&timestamp, &transaction).unwrap();
        let plan = BlockPlan::prepare(&key_pair.recipient, &capture, &mut sys_rng()).unwrap();
        let (data_key, session_key, body) = plan.into_parts();
        let block = body.seal(&data_key, &content, &RustCipher).unwrap();
        prop_assert_eq!(block.len(), content.len() + 16);
        let key = key_pair.unwrap(&session_key).unwrap();
        let opened = capture.read(&block).unwrap().open(&key, &RustCipher).unwrap();
        prop_assert_eq!(opened.expose(), content.as_slice());
        let other = Capture::new(&other, &transaction).unwrap();
        prop_assert_eq!(other == capture, other.read(&block).unwrap().open(&key, &RustCipher).is_ok());
    }

    #[test]
    fn a_container_reads_as_it_was_written(
        contents in vec(("[a-z]{1,8}", vec(any::<u8>(), 0..200)), 0..20),
        comment in vec(1..=255_u8, 0..30),
    ) {
        let named: Vec<(String, &[u8])> = contents
            .iter()
            .enumerate()
            .map(|(index, (name, bytes))| (format!("CLIENT/NEW/{index}_{name}.zip"), bytes.as_slice()))
            .collect();
        let entries: Vec<Entry<'_>> = named.iter().map(|(name, bytes)| Entry { name, bytes }).collect();
        let mut archive = container::write(&entries).unwrap();
        prop_assert_eq!(archive.len(), archive.capacity());
        if !comment.is_empty() {
            let place = archive.len() - 2;
            archive[place] = u8::try_from(comment.len()).unwrap();
            archive.extend_from_slice(&comment);
        }
        let read = container::read(&archive).unwrap();
        prop_assert_eq!(read.len(), entries.len());
        for (read, entry) in read.iter().zip(&entries) {
            prop_assert_eq!((read.name, read.stored), (entry.name, entry.bytes));
            prop_assert_eq!((read.is_deflated, read.len as usize), (false, entry.bytes.len()));
            prop_assert_eq!(read.crc32, container::crc32(entry.bytes));
        }
    }
}

fn sys_rng() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

#[test]
fn names_that_lead_elsewhere_or_occur_twice_are_refused() {
    let write = |names: &[&str]| {
        let entries: Vec<Entry<'_>> = names.iter().map(|name| Entry { name, bytes: b"x" }).collect();
        container::write(&entries).map(|_| ())
    };
    assert_eq!(write(&["a/b.zip", "a/b.json"]), Ok(()));
    let long = "x".repeat(256);
    for name in ["", "/a", "a//b", "../a", "a/../b", "a/..", "./a", "a\\b", "a\0", "a\n", &long] {
        assert_eq!(write(&[name]), Err(ContainerError::Name), "{name:?}");
    }
    assert_eq!(write(&["a", "b", "a"]), Err(ContainerError::Name));
    let many: Vec<String> = (0..=container::MAX_ENTRIES).map(|index| index.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(write(&many), Err(ContainerError::TooManyEntries));
    assert_eq!(write(&many[1..]), Ok(()));
}

#[test]
fn archives_that_say_two_things_are_refused() {
    let archive = container::write(&[Entry { name: "one", bytes: b"content" }]).unwrap();
    assert!(container::read(&archive).is_ok());
    let central = archive.windows(4).position(|window| window == [0x50, 0x4B, 1, 2]).unwrap();
    for (place, value, what) in [
        (30, b'x', "the name in front is another"),
        (central + 46, b'x', "the name in the directory is another"),
        (central + 8, 1, "encrypted"),
        (central + 10, 9, "another method"),
        (central + 24, 6, "two lengths"),
        (central + 42, 1, "the offset is another"),
        (archive.len() - 22 + 4, 1, "in parts"),
        (archive.len() - 22 + 8, 0, "two counts"),
        (archive.len() - 22 + 8, 2, "two counts"),
        (archive.len() - 2, 1, "a comment that is not there"),
    ] {
        let mut altered = archive.clone();
        altered[place] = value;
        assert_eq!(container::read(&altered).unwrap_err(), ContainerError::Malformed, "{what}");
    }
    for length in 0..archive.len() {
        assert!(container::read(&archive[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_hash_of_a_sub_packet_is_base64url() {
    assert_eq!(container::encrypted_hash(b"abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
}

#[test]
fn nothing_is_sealed_without_content_or_randomness() {
    let key_pair = &KEY_PAIRS["rsa2048"];
    let machine = MachineKey::read(&key_pair.spki, MachineKind::Local).unwrap();
    let capture = Capture::new("2026-01-05T10:11:12.123Z", "1").unwrap();
    let plan = AuthRequestPlan::prepare(&key_pair.recipient, &mut sys_rng()).unwrap();
    assert_eq!(plan.seal(b"", &RustCipher), Err(SealError::EmptyContent));
    for delivered in [0, 32, 64, 80] {
        let rng = || Exhausted::after(delivered);
        let auth = AuthRequestPlan::prepare(&key_pair.recipient, &mut rng()).map(|_| ());
        assert_eq!(auth.unwrap_err().code(), "randomness.unavailable");
        assert_eq!(machine.plan(&mut rng()).map(|_| ()).unwrap_err().code(), "randomness.unavailable");
        if delivered < 64 {
            assert!(BlockPlan::prepare(&key_pair.recipient, &capture, &mut rng()).is_err());
        }
        if delivered < 44 {
            assert!(pin::plan(&mut rng()).is_err());
        }
    }
}

#[test]
fn debug_shows_no_value() {
    let key_pair = &KEY_PAIRS["rsa2048"];
    let capture = Capture::new("2026-01-05T10:11:12.123Z", "1234567890").unwrap();
    let auth = AuthRequestPlan::prepare(&key_pair.recipient, &mut sys_rng()).unwrap();
    let block = BlockPlan::prepare(&key_pair.recipient, &capture, &mut sys_rng()).unwrap();
    let plan = pin::plan(&mut sys_rng()).unwrap();
    let body = auth_request::read(&[0xAB; 40]).unwrap();
    let shown = format!("{:?} {capture:?} {block:?} {plan:?} {body:?}", Pin::new("738291"));
    assert_eq!(
        shown,
        "Pin([redacted]) Capture BlockPlan(session key of 256 bytes) BodyPlan(44 bytes before, 0 bytes behind) \
         Body(nonce of 16, associated data of 0, text of 24 bytes)"
    );
    let expected =
        format!("AuthRequestPlan({:?}; session key of 256 bytes)", key_pair.recipient.thumbprint());
    assert_eq!(format!("{auth:?}"), expected);
}

/// Nothing panics, and what is found lies inside.
#[test]
fn noise_is_no_layout() {
    bolero::check!().with_iterations(20_000).with_type::<(Vec<u8>, u8)>().for_each(|(noise, modulus)| {
        let key = DataKey::from_slice(&[7; 32]).unwrap();
        let modulus = kunji_shared::ModulusLength::ALL[usize::from(*modulus) % 3];
        let long: Vec<u8> = noise.iter().copied().cycle().take(noise.len() * 20).collect();
        for bytes in [noise, &long] {
            for body in [auth_request::read(bytes), pin::read(bytes)].into_iter().flatten() {
                assert_eq!(body.open(&key, &RustCipher).unwrap_err(), OpenError::Decryption);
            }
            if let Ok(parts) = machine::read(bytes, modulus) {
                assert_eq!(parts.wrapped_key.len(), modulus.bytes());
                assert_eq!(parts.open(&key, &RustCipher).unwrap_err(), OpenError::Decryption);
            }
            let _ = MachineKey::read(bytes, MachineKind::Local);
            let _ = container::read(bytes);
            let text = String::from_utf8_lossy(bytes);
            let _ = Capture::new(&text, &text);
        }
        let mut archive = container::write(&[
            Entry { name: "a/b.zip", bytes: noise },
            Entry { name: "a/b.json", bytes: b"{}" },
        ])
        .unwrap();
        for pair in noise.chunks_exact(3).take(4) {
            let place = usize::from(u16::from_le_bytes([pair[0], pair[1]])) % archive.len();
            archive[place] = pair[2];
        }
        if let Ok(entries) = container::read(&archive) {
            assert!(entries.iter().all(|entry| entry.stored.len() <= archive.len()));
        }
    });
}

/// What the layouts share with packets: a glued request has its splitter where packets have theirs.
#[test]
fn a_glued_request_has_a_thumbprint() {
    let thumbprint = KEY_PAIRS["rsa2048"].recipient.thumbprint();
    let packet = auth_request::glue(thumbprint, &[1; 256], &[2; 400], &Splitter::default());
    let envelope = Envelope::read(&packet, packet.len() as u64, &Splitter::default()).unwrap();
    assert_eq!(envelope.claimed_thumbprint(), Some(thumbprint));
}
