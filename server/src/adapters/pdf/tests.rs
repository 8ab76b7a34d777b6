//! Documents of every make, whole and damaged.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use secrecy::SecretString;

use super::prepare::prepare;
use crate::{
    domain::time::Timestamp,
    ports::{
        entropy::{Entropy, EntropyError},
        pdf::{PdfError, PdfPlacement, PreparedPdf},
    },
};

/// What [`prepare`] takes for granted.
const SLOW: Duration = Duration::from_secs(10);
const SIGNED: [&str; 6] = ["plain", "form", "hybrid", "streams", "linearized", "linearized-streams"];

/// Bytes that anyone can foretell.
struct Counter;

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(7);
        Ok(())
    }
}

fn sample(name: &str) -> Vec<u8> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/pdf");
    std::fs::read(vectors.join(format!("{name}.pdf"))).unwrap()
}

fn placement(page: u32) -> PdfPlacement {
    PdfPlacement {
        page,
        rectangle: [300, 100, 100, 50],
        reason: "Approved (at last) \u{1f44d}".to_owned(),
        signer: "A. Signer".to_owned(),
        at: Timestamp::from_seconds(1_767_607_872),
        signature_bytes: 100,
        password: None,
    }
}

fn sign(document: &[u8], placement: &PdfPlacement) -> Result<PreparedPdf, PdfError> {
    prepare(placement, document, &Counter)
}

fn with_password(password: &str) -> PdfPlacement {
    PdfPlacement { password: Some(SecretString::from(password)), ..placement(1) }
}

fn has(document: &[u8], text: &str) -> bool {
    document.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn what_was_there_stays_and_the_rest_is_left_out_of_nothing_but_the_contents() {
    for name in SIGNED {
        let document = sample(name);
        for page in 1..=4 {
            let made = sign(&document, &placement(page)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(made.document.starts_with(&document), "{name}");
            assert_eq!(&made.document[made.contents.clone()], format!("<{}>", "0".repeat(200)).as_bytes());
            let rest = made.document.len() - made.contents.end;
            let range = format!("/ByteRange[0 {} {} {rest} ", made.contents.start, made.contents.end);
            assert!(has(&made.document, &range), "{name}");
            assert!(has(&made.document, "/Rect[100 50 300 100]"), "{name}");
            let again =
                sign(&made.document, &placement(page)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(again.document.starts_with(&made.document), "{name}");
        }
    }
}

#[test]
fn a_rectangle_without_an_area_shows_nothing() {
    for rectangle in [[0; 4], [10, 10, 10, 90], [10, 10, 90, 10]] {
        let made = sign(&sample("plain"), &PdfPlacement { rectangle, ..placement(1) }).unwrap();
        assert!(has(&made.document, "/Rect[0 0 0 0]") && !has(&made.document, "/AP"));
    }
    let rectangle = [i32::MIN, i32::MIN, i32::MAX, i32::MAX];
    sign(&sample("plain"), &PdfPlacement { rectangle, ..placement(1) }).unwrap();
    for width in 1..100 {
        sign(&sample("plain"), &PdfPlacement { rectangle: [0, 0, width, 100 - width], ..placement(2) })
            .unwrap();
    }
}

#[test]
fn with_a_password_nothing_can_be_read() {
    for name in SIGNED {
        let made = sign(&sample(name), &with_password("p\u{e4}ss"))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        for text in ["Voucher", "Signer", "Helvetica", "D:2026"] {
            let is_plain = text == "Helvetica";
            assert_eq!(has(&made.document, text), is_plain && has(&made.document, text), "{name}: {text}");
        }
        assert!(has(&made.document, "/R 6/"), "{name}");
        assert_eq!(sign(&made.document, &placement(1)), Err(PdfError::Encrypted), "{name}");
    }
    for unfit in ["a\u{7}", &"x".repeat(128)] {
        assert_eq!(sign(&sample("plain"), &with_password(unfit)), Err(PdfError::Password));
    }
    let signed = sign(&sample("plain"), &placement(1)).unwrap().document;
    assert_eq!(sign(&signed, &with_password("pass")), Err(PdfError::Signed));
}

#[test]
fn what_cannot_be_signed_is_told() {
    assert_eq!(sign(&sample("encrypted"), &placement(1)), Err(PdfError::Encrypted));
    assert_eq!(sign(&sample("certified"), &placement(1)), Err(PdfError::Certified));
    for page in [0, 5, u32::MAX] {
        assert_eq!(sign(&sample("plain"), &placement(page)), Err(PdfError::Page(4)));
    }
    let plain = sample("plain");
    for damaged in [&b""[..], b"%PDF-", b"%PDF-1.7\nstartxref\n5", &plain[1..], &plain[..plain.len() - 40]] {
        assert!(matches!(sign(damaged, &placement(1)), Err(PdfError::Malformed(_))));
    }
}

#[test]
fn objects_that_are_not_where_they_should_be_are_not_searched_for() {
    let plain = sample("plain");
    let first = plain.windows(18).position(|window| window == b"0000000015 00000 n").unwrap();
    // The lines of the table are 20 bytes each: one in the place of the one before it.
    let moved = |number: usize| {
        let entry = first + (number - 1) * 20;
        let mut document = plain.clone();
        document.copy_within(entry + 20..entry + 40, entry);
        document
    };
    for number in 3..=10 {
        let outcome = sign(&moved(number), &with_password("pass"));
        assert!(matches!(outcome, Err(PdfError::Malformed(_))), "{number}: {outcome:?}");
    }
    assert!(matches!(sign(&moved(3), &placement(1)), Err(PdfError::Malformed(_))));
}

/// Numbers that look random, the same each time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    /// The document with some bytes changed, removed, repeated or moved.
    fn mutate(&mut self, document: &[u8]) -> Vec<u8> {
        const TOKENS: [&str; 12] =
            ["<<", ">>", "[", "]", "(", "<", "0 0 R", "1 0 R", "2 0 R", "-1", "4294967296", "stream"];
        let mut document = document.to_vec();
        for _ in 0..=self.below(8) {
            let at = self.below(document.len());
            let end = (at + 1 + self.below(40)).min(document.len());
            match self.below(5) {
                0 => document[at] = u8::try_from(self.below(256)).unwrap(),
                1 => drop(document.drain(at..end)),
                2 => {
                    let piece = document[at..end].to_vec();
                    let to = self.below(document.len());
                    drop(document.splice(to..to, piece));
                }
                3 => drop(document.splice(at..at, TOKENS[self.below(TOKENS.len())].bytes())),
                _ => {
                    if let Some(digit) = document[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                        *digit = b'0' + u8::try_from(self.below(10)).unwrap();
                    }
                }
            }
        }
        document
    }
}

#[test]
fn damaged_documents_are_signed_or_refused_in_little_time() {
    let mut numbers = Numbers(1);
    let (mut signed, mut refused) = (0, 0);
    for name in SIGNED {
        let document = sample(name);
        for round in 0..300 {
            let damaged = numbers.mutate(&document);
            let placement = if round % 3 == 0 { with_password("pass") } else { placement(2) };
            let begin = Instant::now();
            match sign(&damaged, &placement) {
                Ok(made) => {
                    assert!(made.document[made.contents.start] == b'<', "{name} {round}");
                    signed += 1;
                }
                Err(_) => refused += 1,
            }
            assert!(begin.elapsed() < SLOW, "{name} {round}");
        }
    }
    assert!(signed > 50 && refused > 1_000, "{signed} {refused}");
}
