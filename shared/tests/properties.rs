//! What holds for every packet, not only for those of the vectors.

use kunji_shared::{
    Envelope, ModulusLength, OpenInputs, RustCipher, SealPlan, Shape, Splitter,
    packet::{ContentPlan, FormatError, HEAD_BYTES, SealError, registration, seal},
};
use proptest::{collection::vec, prelude::*};
use rand_core::UnwrapErr;

use crate::support::{Failure, KEY_PAIRS, KeyPair, given, open};

type SysRng = UnwrapErr<getrandom::SysRng>;

fn sys_rng() -> SysRng {
    UnwrapErr(getrandom::SysRng)
}

/// A layout with what the caller gives beside the content.
#[derive(Clone, Debug)]
enum Layout {
    SelfContained,
    AppendedNonce { aad: Vec<u8> },
    CallerNonce { salt: Vec<u8>, aad: Vec<u8> },
    Registration,
}

impl Layout {
    fn shape(&self) -> Shape<'_> {
        match self {
            Self::SelfContained => Shape::SelfContained,
            Self::AppendedNonce { aad } => Shape::AppendedNonce { aad },
            Self::CallerNonce { salt, aad } => Shape::CallerNonce { salt, aad },
            Self::Registration => Shape::Registration,
        }
    }

    fn seal(&self, content: &[u8], recipient: &KeyPair, splitter: &Splitter) -> Vec<u8> {
        seal(content, &recipient.recipient, self.shape(), splitter, &mut sys_rng(), &RustCipher).unwrap()
    }

    fn open(&self, packet: &[u8], recipient: &KeyPair, splitter: &Splitter) -> Result<Vec<u8>, Failure> {
        let plaintext = match self {
            Self::SelfContained => open(packet, splitter, &OpenInputs::default(), recipient),
            Self::AppendedNonce { aad } => {
                let inputs = OpenInputs { salt: None, aad: given(aad) };
                open(packet, splitter, &inputs, recipient)
            }
            Self::CallerNonce { salt, aad } => {
                let inputs = OpenInputs { salt: Some(salt), aad: given(aad) };
                open(packet, splitter, &inputs, recipient)
            }
            Self::Registration => {
                let parts = registration::split(packet)?;
                open(parts.packet, splitter, &parts.inputs(), recipient)
            }
        };
        plaintext.map(|plaintext| plaintext.expose().to_vec())
    }

    /// Where the thumbprint stands.
    fn thumbprint_start(&self) -> usize {
        match self {
            Self::SelfContained => 6,
            Self::AppendedNonce { .. } | Self::CallerNonce { .. } => 0,
            Self::Registration => 44,
        }
    }
}

fn layouts() -> impl Strategy<Value = Layout> {
    prop_oneof![
        Just(Layout::SelfContained),
        vec(any::<u8>(), 0..100).prop_map(|aad| Layout::AppendedNonce { aad }),
        (vec(any::<u8>(), 1..=64), vec(any::<u8>(), 0..100))
            .prop_map(|(salt, aad)| Layout::CallerNonce { salt, aad }),
        Just(Layout::Registration),
    ]
}

fn splitters() -> impl Strategy<Value = Splitter> {
    prop_oneof![
        Just(Splitter::default()),
        vec(any::<u8>(), 1..=64).prop_map(|bytes| Splitter::new(&bytes).unwrap()),
    ]
}

fn key_pairs() -> impl Strategy<Value = &'static KeyPair> {
    proptest::sample::select(KEY_PAIRS.values().collect::<Vec<_>>())
}

fn contents() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 1..600), 1 => vec(any::<u8>(), 10_000..70_000)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_was_sealed_opens(
        layout in layouts(),
        content in contents(),
        splitter in splitters(),
        recipient in key_pairs(),
    ) {
        let packet = layout.seal(&content, recipient, &splitter);
        prop_assert_eq!(layout.open(&packet, recipient, &splitter), Ok(content));
    }

    #[test]
    fn a_changed_byte_opens_nothing(
        layout in layouts(),
        content in contents(),
        splitter in splitters(),
        recipient in key_pairs(),
        place in any::<prop::sample::Index>(),
        change in 1..=u8::MAX,
    ) {
        let mut packet = layout.seal(&content, recipient, &splitter);
        let place = place.index(packet.len());
        packet[place] ^= change;
        prop_assert!(layout.open(&packet, recipient, &splitter).is_err());
    }

    #[test]
    fn a_shortened_or_lengthened_packet_opens_nothing(
        layout in layouts(),
        content in contents(),
        recipient in key_pairs(),
        cut in any::<prop::sample::Index>(),
        more in vec(any::<u8>(), 1..40),
    ) {
        let splitter = Splitter::default();
        let packet = layout.seal(&content, recipient, &splitter);
        prop_assert!(layout.open(&packet[..cut.index(packet.len())], recipient, &splitter).is_err());
        prop_assert!(layout.open(&[packet, more].concat(), recipient, &splitter).is_err());
    }

    #[test]
    fn other_salt_or_aad_open_nothing(
        salt in vec(any::<u8>(), 1..=64),
        aad in vec(any::<u8>(), 0..100),
        other_salt in vec(any::<u8>(), 1..=64),
        other_aad in vec(any::<u8>(), 0..100),
    ) {
        prop_assume!(salt != other_salt && aad != other_aad);
        let (recipient, splitter) = (&KEY_PAIRS["rsa2048"], Splitter::default());
        let layout = |salt: &[u8], aad: &[u8]| Layout::CallerNonce { salt: salt.to_vec(), aad: aad.to_vec() };
        let packet = layout(&salt, &aad).seal(b"content", recipient, &splitter);
        for wrong in [layout(&other_salt, &aad), layout(&salt, &other_aad)] {
            prop_assert_eq!(wrong.open(&packet, recipient, &splitter), Err(Failure::Authentication));
        }
    }
}

/// Every bit of a small packet in every layout, and what each part answers.
#[test]
fn every_flipped_bit_is_noticed() {
    let (recipient, splitter) = (&KEY_PAIRS["rsa2048"], Splitter::default());
    for layout in [
        Layout::SelfContained,
        Layout::AppendedNonce { aad: b"aad".to_vec() },
        Layout::CallerNonce { salt: b"salt".to_vec(), aad: b"aad".to_vec() },
        Layout::Registration,
    ] {
        let packet = layout.seal(b"x", recipient, &splitter);
        let thumbprint = layout.thumbprint_start()..layout.thumbprint_start() + 32;
        let header = 0..if matches!(layout, Layout::SelfContained) { 6 } else { 0 };
        let split = thumbprint.end + 256..thumbprint.end + 256 + splitter.as_bytes().len();
        for bit in 0..packet.len() * 8 {
            let mut changed = packet.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                place if thumbprint.contains(&place) => Failure::UnknownKey,
                place if header.contains(&place) || split.contains(&place) => Failure::Format,
                _ => Failure::Authentication,
            };
            assert_eq!(layout.open(&changed, recipient, &splitter), Err(expected), "{layout:?} bit {bit}");
        }
    }
}

#[test]
fn empty_content_and_impossible_salts_are_refused() {
    let (recipient, splitter) = (&KEY_PAIRS["rsa2048"].recipient, Splitter::default());
    let seal =
        |content: &[u8], shape| seal(content, recipient, shape, &splitter, &mut sys_rng(), &RustCipher);
    for shape in [Shape::SelfContained, Shape::AppendedNonce { aad: b"" }, Shape::Registration] {
        assert_eq!(seal(b"", shape), Err(SealError::EmptyContent));
    }
    for salt in [&[][..], &[0; 65]] {
        assert_eq!(seal(b"x", Shape::CallerNonce { salt, aad: b"" }), Err(SealError::SaltLength));
    }
}

#[test]
fn a_random_number_generator_that_fails_seals_nothing() {
    let (recipient, splitter) = (&KEY_PAIRS["rsa2048"].recipient, Splitter::default());
    for shape in [Shape::SelfContained, Shape::AppendedNonce { aad: b"" }, Shape::Registration] {
        for delivered in [0, 32, 64] {
            let mut rng = crate::support::Exhausted::after(delivered);
            let error = SealPlan::prepare(recipient, shape, &splitter, &mut rng).unwrap_err();
            assert_eq!(error.code(), "randomness.unavailable", "{shape:?} after {delivered}");
        }
    }
}

/// The head of a file larger than memory is enough to know where everything stands.
#[test]
fn offsets_reach_beyond_memory() {
    let recipient = &KEY_PAIRS["rsa4096"];
    let splitter = Splitter::default();
    let packet = Layout::SelfContained.seal(&[1; 200], recipient, &splitter);
    let head = &packet[..HEAD_BYTES];
    let total = 5 << 30;
    let frame =
        Envelope::read(head, total, &splitter).unwrap().with_thumbprint(ModulusLength::Rsa4096).unwrap();
    assert_eq!((frame.wrapped_key.clone(), frame.body.clone()), (38..550, 564..total));
    let content = frame.content(&OpenInputs::default()).unwrap();
    assert_eq!((content.ciphertext, content.tag), (596..total - 16, total - 16..total));

    assert_eq!(Envelope::read(&head[1..], total, &splitter).unwrap_err(), FormatError::HeadIncomplete);
    let too_long = Envelope::read(head, 65 << 30, &splitter).unwrap().with_thumbprint(ModulusLength::Rsa4096);
    assert_eq!(too_long.unwrap().content(&OpenInputs::default()), Err(FormatError::TooLong));
}

#[test]
fn only_the_place_of_the_named_key_will_do() {
    let splitter = Splitter::default();
    for (name, own) in [
        ("rsa2048", ModulusLength::Rsa2048),
        ("rsa3072", ModulusLength::Rsa3072),
        ("rsa4096", ModulusLength::Rsa4096),
    ] {
        let packet = Layout::SelfContained.seal(b"content", &KEY_PAIRS[name], &splitter);
        let envelope = Envelope::read(&packet, packet.len() as u64, &splitter).unwrap();
        assert_eq!(envelope.claimed_thumbprint(), Some(KEY_PAIRS[name].recipient.thumbprint()));
        assert!(!envelope.may_lack_thumbprint());
        for modulus in ModulusLength::ALL {
            assert_eq!(envelope.with_thumbprint(modulus).is_ok(), modulus == own);
            assert_eq!(envelope.without_thumbprint(modulus).unwrap_err(), FormatError::SplitterMisplaced);
        }
    }
}

/// A salt goes before the header: the content behind it is then only ciphertext and tag.
#[test]
fn a_salt_overrides_the_header() {
    let (recipient, splitter) = (&KEY_PAIRS["rsa2048"], Splitter::default());
    let layout = Layout::CallerNonce { salt: b"twelve bytes".to_vec(), aad: b"aad".to_vec() };
    let headed = [b"VER_R2".as_slice(), &layout.seal(b"content", recipient, &splitter)].concat();
    assert_eq!(layout.open(&headed, recipient, &splitter).as_deref(), Ok(&b"content"[..]));
    let self_contained = Layout::SelfContained.seal(b"content", recipient, &splitter);
    assert_eq!(layout.open(&self_contained, recipient, &splitter), Err(Failure::Authentication));
    // Without a salt, the caller's AAD do not matter to a packet that has its own.
    let inputs = OpenInputs { salt: None, aad: Some(b"ignored") };
    assert_eq!(open(&self_contained, &splitter, &inputs, recipient).unwrap().expose(), b"content");
}

#[test]
fn the_thumbprint_may_be_missing_behind_a_header_too() {
    let splitter = Splitter::default();
    for key_pair in KEY_PAIRS.values() {
        let packet = Layout::SelfContained.seal(b"content", key_pair, &splitter);
        let without = [&packet[..6], &packet[38..]].concat();
        let opened = Layout::SelfContained.open(&without, key_pair, &splitter);
        assert_eq!(opened.as_deref(), Ok(&b"content"[..]));
    }
}

#[test]
fn a_salt_has_1_to_64_bytes() {
    let (recipient, splitter) = (&KEY_PAIRS["rsa2048"], Splitter::default());
    let packet = Layout::SelfContained.seal(b"content", recipient, &splitter);
    let frame = Envelope::read(&packet, packet.len() as u64, &splitter)
        .unwrap()
        .with_thumbprint(ModulusLength::Rsa2048)
        .unwrap();
    let content = |salt| frame.content(&OpenInputs { salt: Some(salt), aad: None }).map(|_| ());
    assert_eq!(content(&[]), Err(FormatError::SaltLength));
    assert_eq!(content(&[0; 65]), Err(FormatError::SaltLength));
    assert_eq!(content(&[0; 64]), Ok(()));
}

#[test]
fn the_same_content_never_makes_the_same_packet() {
    let (recipient, splitter) = (&KEY_PAIRS["rsa2048"], Splitter::default());
    let layout = Layout::CallerNonce { salt: b"salt".to_vec(), aad: vec![] };
    let packets = [(); 2].map(|()| layout.seal(b"the same", recipient, &splitter));
    assert!(packets[0] != packets[1]);
    assert!(packets[0][302..] != packets[1][302..], "the data key must be new");
}

#[test]
fn debug_shows_no_value() {
    let (salt, aad) = (b"SECRET-SALT", b"SECRET-AAD");
    let inputs = OpenInputs { salt: Some(salt), aad: Some(aad) };
    let shape = Shape::CallerNonce { salt, aad };
    let (recipient, splitter) = (&KEY_PAIRS["rsa2048"], Splitter::default());
    let packet = Layout::AppendedNonce { aad: aad.to_vec() }.seal(b"content", recipient, &splitter);
    let frame = Envelope::read(&packet, packet.len() as u64, &splitter)
        .unwrap()
        .with_thumbprint(ModulusLength::Rsa2048)
        .unwrap();
    let shown = format!("{inputs:?} {shape:?} {:?}", frame.content(&inputs).unwrap());
    assert_eq!(
        shown,
        "OpenInputs { salt_bytes: Some(11), aad_bytes: Some(10) } CallerNonce ContentFrame { nonce: \
         FromCaller(11 bytes), aad: FromCaller(10 bytes), ciphertext: 302..325, tag: 325..341 }"
    );
    let plan = ContentPlan::draw(shape, &mut sys_rng()).unwrap();
    assert_eq!(format!("{plan:?}"), "ContentPlan(CallerNonce; nonce of 11, associated data of 10 bytes)");
    let plan = plan.wrap(&recipient.recipient, &splitter).unwrap();
    assert_eq!(format!("{plan:?}"), "SealPlan(302 bytes before, 0 bytes behind the content)");
}
