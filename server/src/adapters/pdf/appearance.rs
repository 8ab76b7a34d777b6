//! What a signature looks like on its page: whose it is, when and why it was made (ISO 32000-2, 12.5.5).

use std::{borrow::Cow, fmt::Write as _};

use hayro_syntax::page::Rotation;

use super::{encryption::Sealer, writer::Writer};
use crate::ports::pdf::{PdfError, PdfPlacement};

/// Sizes of the letters that are tried, in half points, the largest first.
const HALF_POINTS: std::ops::RangeInclusive<u32> = 8..=20;
/// From one line to the next, and the part of it above the letters' foot, as multiples of the size.
const LEADING: f64 = 1.25;
const ASCENT: f64 = 0.95;
/// The bar on the left, and the space around the text, in points.
const BAR: f64 = 2.5;
const MARGIN: f64 = 4.0;

const TEXT_COLOUR: &str = "0.11 0.15 0.2";
const LABEL_COLOUR: &str = "0.38 0.44 0.5";
const BAR_COLOUR: &str = "0.12 0.37 0.66";
const BORDER_COLOUR: &str = "0.75 0.8 0.85";

/// A rectangle on a page.
pub(super) struct Appearance {
    pub(super) width: f64,
    pub(super) height: f64,
    /// The page's, which the text makes up for.
    pub(super) rotation: Rotation,
}

impl Appearance {
    /// The form that is drawn into the rectangle.
    pub(super) fn form(
        &self,
        placement: &PdfPlacement,
        sealer: Option<&Sealer<'_>>,
    ) -> Result<Vec<u8>, PdfError> {
        let (matrix, width, height) = match self.rotation {
            Rotation::None => ("1 0 0 1", self.width, self.height),
            Rotation::Horizontal => ("0 1 -1 0", self.height, self.width),
            Rotation::Flipped => ("-1 0 0 -1", self.width, self.height),
            Rotation::FlippedHorizontal => ("0 -1 1 0", self.height, self.width),
        };
        let mut form = Writer::new(sealer);
        form.raw(&format!("<</Type/XObject/Subtype/Form/BBox[0 0 {width} {height}]/Matrix[{matrix} 0 0]"));
        form.raw("/Resources<</Font<<");
        for (name, font) in [("R", "Helvetica"), ("B", "Helvetica-Bold")] {
            form.raw(&format!(
                "/{name}<</Type/Font/Subtype/Type1/BaseFont/{font}/Encoding/WinAnsiEncoding>>"
            ));
        }
        form.raw(">>>>");
        form.stream_data(content(&paragraphs(placement), width, height).as_bytes())?;
        Ok(form.text)
    }
}

/// A piece of text in one style, as bytes of WinAnsiEncoding.
struct Paragraph {
    text: Vec<u8>,
    font: char,
    colour: &'static str,
}

/// What is said, but for what the letters of the standard fonts cannot say.
fn paragraphs(placement: &PdfPlacement) -> Vec<Paragraph> {
    let date: String = placement.at.to_text().chars().take(19).collect();
    let said = [
        ("Digitally signed by".to_owned(), 'R', LABEL_COLOUR),
        (placement.signer.clone(), 'B', TEXT_COLOUR),
        (format!("Date: {} UTC", date.replace('T', " ")), 'R', TEXT_COLOUR),
        (format!("Reason: {}", placement.reason), 'R', TEXT_COLOUR),
    ];
    let said = said.into_iter();
    said.filter_map(|(text, font, colour)| Some(Paragraph { text: encode(&text)?, font, colour })).collect()
}

/// The text in WinAnsiEncoding, on one line; `None` when it has characters that are not in it.
fn encode(text: &str) -> Option<Vec<u8>> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (bytes, _, has_others) = encoding_rs::WINDOWS_1252.encode(&text);
    let is_printable =
        !has_others && bytes.iter().all(|byte| *byte >= 0x20 && !b"\x7f\x81\x8d\x8f\x90\x9d".contains(byte));
    is_printable.then(|| Cow::into_owned(bytes))
}

/// Frame, and the text in the largest letters that fit.
fn content(paragraphs: &[Paragraph], width: f64, height: f64) -> String {
    let mut content = format!(
        "q {BORDER_COLOUR} RG 0.5 w 0.25 0.25 {} {} re S {BAR_COLOUR} rg 0 0 {BAR} {height} re f Q\n",
        (width - 0.5).max(0.0),
        (height - 0.5).max(0.0)
    );
    let (room, rows) = (width - BAR - 2.0 * MARGIN, height - MARGIN);
    let mut sizes = HALF_POINTS.rev().map(|half_points| f64::from(half_points) / 2.0);
    let fitting = sizes.find_map(|size| {
        let lines = lay_out(paragraphs, room / size, false)?;
        (count(&lines) * LEADING * size <= rows).then_some((size, lines))
    });
    let (size, lines) = fitting.unwrap_or_else(|| {
        let size = f64::from(*HALF_POINTS.start()) / 2.0;
        let lines = lay_out(paragraphs, room / size, true).unwrap_or_default();
        (size, shortened(lines, rows / (LEADING * size)))
    });
    let mut baseline = f64::midpoint(height, count(&lines) * LEADING * size) - ASCENT * size;
    for line in lines {
        let text = kunji_shared::encoding::encode_hex(&line.text);
        let (font, colour, left) = (line.font, line.colour, BAR + MARGIN);
        let _ = writeln!(content, "BT /{font} {size} Tf {colour} rg {left} {baseline:.2} Td <{text}> Tj ET");
        baseline -= LEADING * size;
    }
    content
}

#[expect(clippy::cast_precision_loss, reason = "a few lines")]
fn count(lines: &[Paragraph]) -> f64 {
    lines.len() as f64
}

/// The lines that there are rows for, the last with an ellipsis when others are left out.
fn shortened(mut lines: Vec<Paragraph>, rows: f64) -> Vec<Paragraph> {
    while !lines.is_empty() && count(&lines) > rows {
        lines.pop();
        if let Some(last) = lines.last_mut() {
            last.text.truncate(last.text.len().saturating_sub(1));
            last.text.push(0x85);
        }
    }
    lines
}

/// The lines of all paragraphs, at most `room` wide, for letters of size 1; `None` when a word is wider and must not be
/// broken.
fn lay_out(paragraphs: &[Paragraph], room: f64, breaks_words: bool) -> Option<Vec<Paragraph>> {
    let mut lines = Vec::new();
    for paragraph in paragraphs {
        let mut line: Vec<u8> = Vec::new();
        let end = |line: &mut Vec<u8>, lines: &mut Vec<Paragraph>| {
            let text = std::mem::take(line);
            lines.push(Paragraph { text, font: paragraph.font, colour: paragraph.colour });
        };
        for word in paragraph.text.split(|byte| *byte == b' ') {
            if !line.is_empty() && width(&line) + width(b" ") + width(word) > room {
                end(&mut line, &mut lines);
            } else if !line.is_empty() {
                line.push(b' ');
            }
            if width(word) > room && !breaks_words {
                return None;
            }
            for byte in word {
                if !line.is_empty() && width(&line) + width(&[*byte]) > room {
                    end(&mut line, &mut lines);
                }
                line.push(*byte);
            }
        }
        end(&mut line, &mut lines);
    }
    Some(lines)
}

/// The width of a text in Helvetica-Bold, than which Helvetica is not wider, for letters of size 1.
fn width(text: &[u8]) -> f64 {
    let of = |byte: &u8| match byte {
        0x20..=0x7e => WIDTHS.get(usize::from(byte - 0x20)).copied().unwrap_or(1000),
        0x85 | 0x89 | 0x8c | 0x99 | 0xc6 => 1000,
        _ => 778,
    };
    f64::from(text.iter().map(of).sum::<u32>()) / 1000.0
}

/// Widths of the printable characters of ASCII in Helvetica-Bold, in thousandths of its size.
#[rustfmt::skip]
const WIDTHS: [u32; 95] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611,
    975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556,
    333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611,
    611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
];
