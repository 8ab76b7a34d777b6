//! Sealing and opening, divided by aws-lc-rs doing only the same cryptography.
//!
//! Both sides run alternately, many times, in one process; a round's ratio is of two measurements
//! taken one after the other, and the median over the rounds is shown. Absolute times are shown
//! only for orientation.
//!
//! - seal: draw a data key and a block of associated data, RSA-2048 OAEP encryption, AES-256-GCM
//! - open: AES-256-GCM with the unwrapped data key at hand
//!
//! `cargo bench -p kunji-shared --bench packet`

#![expect(clippy::disallowed_methods, reason = "what is measured needs fresh keys, and a clock")]

use std::{
    cell::RefCell,
    hint::black_box,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rand,
    rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey},
};
use getrandom::SysRng;
use kunji_shared::{
    Certificate, ContentCipher, DataKey, Envelope, ModulusLength, OpenInputs, RecipientKey, RustCipher,
    SealPlan, Shape, Splitter,
    cipher::{CipherFailure, TAG_BYTES},
    packet::{self, SealError},
};

const ROUNDS: usize = 41;
/// A measurement repeats its operation until it takes about this long.
const MEASUREMENT: Duration = Duration::from_millis(4);
const MAX_REPETITIONS: usize = 256;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bench = Bench::new()?;
    println!("median ratio of {ROUNDS} alternating rounds (time per operation, this crate / aws-lc-rs)\n");
    println!("| Operation | Content | RustCipher | | aws-lc-rs in the seam | |");
    println!("| --- | ---: | ---: | --- | ---: | --- |");
    for (label, bytes) in [("1 KiB", 1 << 10), ("64 KiB", 1 << 16), ("4 MiB", 1 << 22)] {
        let rust = bench.seal(bytes, &RustCipher);
        let seam = bench.seal(bytes, &AwsLcCipher);
        println!("| seal | {label} | {rust} | {seam} |");
        let rust = bench.open(bytes, &RustCipher)?;
        let seam = bench.open(bytes, &AwsLcCipher)?;
        println!("| open | {label} | {rust} | {seam} |");
    }
    Ok(())
}

struct Bench {
    recipient: RecipientKey,
    reference_key: OaepPublicEncryptingKey,
    splitter: Splitter,
}

impl Bench {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/packets.json"))?;
        let pem = vectors
            .pointer("/recipients/rsa2048/certificate_pem")
            .and_then(serde_json::Value::as_str)
            .ok_or("the vectors have no RSA-2048 recipient")?;
        let certificate = Certificate::from_pem(pem)?;
        let reference_key = PublicEncryptingKey::from_der(certificate.public_key_der())?;
        Ok(Self {
            recipient: RecipientKey::new(certificate.thumbprint(), certificate.public_key()?),
            reference_key: OaepPublicEncryptingKey::new(reference_key)?,
            splitter: Splitter::default(),
        })
    }

    fn seal(&self, bytes: usize, cipher: &impl ContentCipher) -> Comparison {
        let content = vec![0x5A; bytes];
        // Reused, as the reference works in place: no first touch of new memory on either side.
        let packet = RefCell::new(Vec::new());
        compare(
            || content.clone(),
            |content| -> Result<(), SealError> {
                let shape = Shape::SelfContained;
                SealPlan::prepare(&self.recipient, shape, &self.splitter, &mut SysRng)?.seal_into(
                    &content,
                    cipher,
                    &mut packet.borrow_mut(),
                )
            },
            |mut content| self.reference_seal(&mut content),
        )
    }

    fn reference_seal(&self, content: &mut [u8]) -> Result<(), aws_lc_rs::error::Unspecified> {
        let (mut key, mut block, mut wrapped) = ([0; 32], [0; 32], [0; 256]);
        rand::fill(&mut key)?;
        rand::fill(&mut block)?;
        self.reference_key.encrypt(&OAEP_SHA256_MGF1SHA256, &key, &mut wrapped, None)?;
        let nonce = Nonce::try_assume_unique_for_key(&block[..12])?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key)?);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&block), content)?;
        black_box(tag.as_ref());
        Ok(())
    }

    fn open(
        &self,
        bytes: usize,
        cipher: &impl ContentCipher,
    ) -> Result<Comparison, Box<dyn std::error::Error>> {
        let content = vec![0x5A; bytes];
        let plan = SealPlan::prepare(&self.recipient, Shape::SelfContained, &self.splitter, &mut SysRng)?;
        let mut text = content;
        let tag = RustCipher.seal_in_place(plan.data_key(), plan.nonce(), plan.aad(), &mut text)?;
        let sealed = [plan.prefix(), &text, &tag].concat();
        let head = plan.prefix().len();
        Ok(compare(
            || sealed.clone(),
            |packet| open(packet, &self.splitter, plan.data_key(), cipher).map(drop),
            |mut packet| {
                let nonce = Nonce::try_assume_unique_for_key(plan.nonce())?;
                let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, plan.data_key().expose())?);
                let text = packet.get_mut(head..).unwrap_or_default();
                key.open_in_place(nonce, Aad::from(plan.aad()), text).map(|_| ())
            },
        ))
    }
}

fn open(
    packet: Vec<u8>,
    splitter: &Splitter,
    key: &DataKey,
    cipher: &impl ContentCipher,
) -> Result<kunji_shared::Plaintext, packet::OpenError> {
    let frame =
        Envelope::read(&packet, packet.len() as u64, splitter)?.with_thumbprint(ModulusLength::Rsa2048)?;
    let content = frame.content(&OpenInputs::default())?;
    packet::open(packet, &content, key, cipher)
}

/// aws-lc-rs where a host fills the seam; for nonces of 12 bytes.
struct AwsLcCipher;

impl AwsLcCipher {
    fn key(key: &DataKey, nonce: &[u8]) -> Result<(LessSafeKey, Nonce), CipherFailure> {
        let unbound = UnboundKey::new(&AES_256_GCM, key.expose()).map_err(|_| CipherFailure)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CipherFailure)?;
        Ok((LessSafeKey::new(unbound), nonce))
    }
}

impl ContentCipher for AwsLcCipher {
    fn seal_in_place(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], CipherFailure> {
        let (key, nonce) = Self::key(key, nonce)?;
        key.seal_in_place_separate_tag(nonce, Aad::from(aad), buffer)
            .ok()
            .and_then(|tag| tag.as_ref().try_into().ok())
            .ok_or(CipherFailure)
    }

    fn open_in_place(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> Result<(), CipherFailure> {
        let (key, nonce) = Self::key(key, nonce)?;
        key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, buffer)
            .map(|_| ())
            .map_err(|_| CipherFailure)
    }
}

struct Comparison {
    ratio: f64,
    ours: Duration,
    reference: Duration,
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let (ours, reference) = (micros(self.ours), micros(self.reference));
        write!(f, "{:.2} | {ours:.1} / {reference:.1} µs", self.ratio)
    }
}

/// Inputs are made before the clock starts, results are dropped while it runs.
fn compare<I, E: std::fmt::Debug, F: std::fmt::Debug>(
    input: impl Fn() -> I,
    ours: impl Fn(I) -> Result<(), E>,
    reference: impl Fn(I) -> Result<(), F>,
) -> Comparison {
    let single = time(1, &input, &ours).max(Duration::from_nanos(1));
    let repetitions = usize::try_from(MEASUREMENT.as_nanos() / single.as_nanos())
        .unwrap_or(MAX_REPETITIONS)
        .clamp(1, MAX_REPETITIONS);
    let mut rounds: Vec<(Duration, Duration)> = (0..ROUNDS)
        .map(|round| {
            // Who goes first changes, so that neither always finds the caches warm.
            if round % 2 == 0 {
                let first = time(repetitions, &input, &ours);
                (first, time(repetitions, &input, &reference))
            } else {
                let first = time(repetitions, &input, &reference);
                (time(repetitions, &input, &ours), first)
            }
        })
        .collect();
    let ratio = |&(ours, reference): &(Duration, Duration)| ours.as_secs_f64() / reference.as_secs_f64();
    rounds.sort_by(|left, right| ratio(left).total_cmp(&ratio(right)));
    let median = rounds.get(ROUNDS / 2).copied().unwrap_or_default();
    Comparison { ratio: ratio(&median), ours: median.0, reference: median.1 }
}

/// Time of one operation, averaged over `repetitions`.
#[expect(clippy::panic, reason = "a measurement of something that fails is none")]
fn time<I, E: std::fmt::Debug>(
    repetitions: usize,
    input: impl Fn() -> I,
    operation: impl Fn(I) -> Result<(), E>,
) -> Duration {
    let inputs: Vec<I> = (0..repetitions).map(|_| input()).collect();
    let start = Instant::now();
    for input in inputs {
        if let Err(error) = black_box(operation(black_box(input))) {
            panic!("the measured operation failed: {error:?}");
        }
    }
    start.elapsed() / u32::try_from(repetitions).unwrap_or(u32::MAX)
}
