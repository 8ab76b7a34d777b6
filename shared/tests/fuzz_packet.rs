//! Bytes of any kind: nothing panics, and what the parser says lies inside the packet.
//!
//! Each test is a fuzz target: `cargo bolero test fuzz_packet::packets` runs it as long as wanted
//! with a coverage-guided engine. As a part of `cargo test` they run for a bounded number of
//! inputs.

use std::ops::Range;

use kunji_shared::{
    Certificate, DataKey, Envelope, Frame, ModulusLength, OpenInputs, RsaPublicKey, RustCipher, Splitter,
    Thumbprint,
    encoding::{decode_base64, decode_hex},
    packet::{self, FormatError, OpenError, registration},
    pem,
};

use crate::support::{VECTORS, given};

/// A packet of the vectors, damaged; or else only noise.
#[derive(Debug, bolero::generator::TypeGenerator)]
struct Input {
    case: Option<u8>,
    edits: Vec<(u16, u8)>,
    keep: u16,
    noise: Vec<u8>,
    salt: Vec<u8>,
    aad: Vec<u8>,
    splitter: u8,
    more: u64,
}

impl Input {
    fn packet(&self) -> Vec<u8> {
        let Some(case) = self.case else {
            return self.noise.clone();
        };
        let mut packet = VECTORS.cases[usize::from(case) % VECTORS.cases.len()].packet();
        packet.truncate(4096);
        for &(place, value) in self.edits.iter().take(3) {
            if let Some(byte) = packet.get_mut(usize::from(place)) {
                *byte = value;
            }
        }
        packet.truncate(self.keep.into());
        packet.extend_from_slice(&self.noise);
        packet
    }

    fn splitter(&self) -> Splitter {
        match self.splitter {
            0..32 => Splitter::new(&[self.splitter]).unwrap(),
            32..40 => Splitter::new(b"@@SPLIT@@").unwrap(),
            _ => Splitter::default(),
        }
    }
}

#[test]
fn packets() {
    let key = DataKey::from_slice(&[7; 32]).unwrap();
    bolero::check!().with_iterations(20_000).with_type::<Input>().for_each(|input| {
        let packet = input.packet();
        let inputs = OpenInputs { salt: given(&input.salt), aad: given(&input.aad) };
        read(&packet, packet.len() as u64, &input.splitter(), &inputs, Some(&key));
        // Only the beginning is at hand, and the rest may be of any length.
        read(&packet, input.more, &input.splitter(), &inputs, None);
        if let Ok(parts) = registration::split(&packet) {
            let total = parts.packet.len() as u64;
            read(parts.packet, total, &input.splitter(), &parts.inputs(), Some(&key));
        }
    });
}

fn read(head: &[u8], total: u64, splitter: &Splitter, inputs: &OpenInputs<'_>, key: Option<&DataKey>) {
    let Ok(envelope) = Envelope::read(head, total, splitter) else {
        return;
    };
    assert!(envelope.claimed_thumbprint().is_some() || envelope.may_lack_thumbprint());
    for modulus in ModulusLength::ALL {
        for frame in [envelope.with_thumbprint(modulus), envelope.without_thumbprint(modulus)] {
            let Ok(frame) = frame else { continue };
            check_frame(&frame, total, modulus);
            check_content(&frame, head, inputs, key);
        }
    }
}

fn check_frame(frame: &Frame, total: u64, modulus: ModulusLength) {
    assert_eq!(length(&frame.wrapped_key), modulus.bytes() as u64);
    assert!(frame.wrapped_key.end < frame.body.start);
    assert!(frame.body.start <= frame.body.end);
    assert_eq!(frame.body.end, total);
}

fn check_content(frame: &Frame, packet: &[u8], inputs: &OpenInputs<'_>, key: Option<&DataKey>) {
    let content = match frame.content(inputs) {
        Ok(content) => content,
        Err(error) => {
            let known = [FormatError::Truncated, FormatError::SaltLength, FormatError::TooLong];
            assert!(known.contains(&error));
            return;
        }
    };
    assert!(frame.body.start <= content.ciphertext.start);
    assert!(content.ciphertext.start <= content.ciphertext.end);
    assert_eq!(content.ciphertext.end, content.tag.start);
    assert_eq!(length(&content.tag), 16);
    assert!(content.tag.end <= frame.body.end);
    if let Some(key) = key {
        let error = packet::open(packet.to_vec(), &content, key, &RustCipher).unwrap_err();
        assert_eq!(error, OpenError::Decryption);
    } else {
        // The packet ends before the offsets do, or after: an error, not a panic.
        let key = DataKey::from_slice(&[7; 32]).unwrap();
        packet::open(packet.to_vec(), &content, &key, &RustCipher).unwrap_err();
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}

/// Certificates with damaged bytes, and everything else that reads text or DER.
#[test]
fn certificates_and_texts() {
    let der: Vec<Vec<u8>> =
        crate::certificates::all().map(|certificate| certificate.der().to_vec()).collect();
    bolero::check!().with_iterations(20_000).with_type::<(u8, Vec<(u16, u8)>, u16, Vec<u8>)>().for_each(
        |(choice, edits, keep, noise)| {
            let mut damaged = der[usize::from(*choice) % der.len()].clone();
            for &(place, value) in edits.iter().take(3) {
                if let Some(byte) = damaged.get_mut(usize::from(place) % 1024) {
                    *byte = value;
                }
            }
            damaged.truncate(usize::from(*keep));
            for bytes in [damaged.as_slice(), noise] {
                if let Ok(certificate) = Certificate::from_der(bytes) {
                    assert_eq!(certificate.thumbprint(), Thumbprint::of_certificate_der(bytes));
                    let _ = (certificate.subject(), certificate.issuer(), certificate.public_key());
                    let _ = certificate.is_signed_by(&certificate);
                    assert_eq!(Certificate::from_pem(&certificate.to_pem()), Ok(certificate));
                }
                let _ = RsaPublicKey::from_spki_der(bytes);
                let text = String::from_utf8_lossy(bytes);
                let _ = pem::decode_all(&text, "CERTIFICATE");
                let _ = decode_base64(bytes, 1000);
                let _ = (decode_hex(&text, 1000), Thumbprint::from_hex(&text));
            }
        },
    );
}
