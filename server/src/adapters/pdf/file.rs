//! Writing documents: appended to what there is (ISO 32000-2, 7.5.6), or anew and encrypted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    ops::Range,
};

use hayro_syntax::{
    Pdf,
    object::{Object, ObjectIdentifier},
};

use super::{
    encryption::{Sealer, fill},
    trailer::{Trailer, damaged},
    writer::Writer,
};
use crate::ports::{entropy::Entropy, pdf::PdfError};

/// Objects by number: generation, and text.
pub(super) type Objects = BTreeMap<u32, (i32, Vec<u8>)>;

const ID_BYTES: usize = 16;

/// A document that is written.
pub(super) struct File {
    pub(super) document: Vec<u8>,
    /// Where each object that was written begins.
    offsets: BTreeMap<u32, (i32, usize)>,
}

impl File {
    /// The document with objects appended, of which those that it had are replaced.
    pub(super) fn appended(
        document: &[u8],
        objects: &Objects,
        trailer: &Trailer,
        root: ObjectIdentifier,
        entropy: &dyn Entropy,
    ) -> Result<Self, PdfError> {
        let mut file = Self { document: document.to_vec(), offsets: BTreeMap::new() };
        if !document.ends_with(b"\n") {
            file.document.push(b'\n');
        }
        file.write(objects);
        let mut entries = entries(trailer, root, entropy)?;
        entries.raw(&format!("/Prev {}", trailer.start));
        let next = objects.keys().next_back().map_or(trailer.size, |last| trailer.size.max(last + 1));
        if trailer.is_stream {
            file.end_with_stream(next, entries)
        } else {
            file.end_with_table(next, entries)
        }
    }

    /// A document of everything that leads from `root` and the information dictionary, with `objects` in the place of its
    /// own, encrypted.
    ///
    /// # Errors
    /// [`PdfError::Signed`] when there is a signature among it, beside those of [`PdfError`].
    pub(super) fn anew(
        pdf: &Pdf,
        mut objects: Objects,
        references: Vec<ObjectIdentifier>,
        (trailer, root): (&Trailer, ObjectIdentifier),
        (sealer, password, entropy): (&Sealer<'_>, &str, &dyn Entropy),
    ) -> Result<Self, PdfError> {
        let mut visited: BTreeSet<u32> = objects.keys().copied().collect();
        let mut waiting = references;
        waiting.push(root);
        waiting.extend(trailer.info.map(|info| ObjectIdentifier::new(info.obj_number, info.gen_number)));
        while let Some(id) = waiting.pop() {
            if !visited.insert(id.obj_number) {
                continue;
            }
            // What is referred to and not there is null.
            let Some(object) = pdf.xref().get::<Object<'_>>(id) else { continue };
            let mut writer = Writer::new(Some(sealer));
            writer.object(&object)?;
            if writer.has_signature {
                return Err(PdfError::Signed);
            }
            let references = writer.references.iter();
            waiting.extend(references.map(|to| ObjectIdentifier::new(to.obj_number, to.gen_number)));
            objects.insert(id.obj_number, (id.gen_number, writer.text));
        }
        let dictionary = objects.keys().next_back().map_or(trailer.size, |last| trailer.size.max(last + 1));
        objects.insert(dictionary, (0, sealer.dictionary(password)?));
        let mut file = Self { document: b"%PDF-2.0\n%\xe2\xe3\xcf\xd3\n".to_vec(), offsets: BTreeMap::new() };
        file.write(&objects);
        let mut entries = entries(trailer, root, entropy)?;
        entries.raw("/Encrypt").reference(dictionary, 0);
        file.end_with_table(dictionary + 1, entries)
    }

    /// Where a part of an object's text is.
    pub(super) fn place(&self, number: u32, part: &Range<usize>) -> Result<Range<usize>, PdfError> {
        let (generation, offset) =
            self.offsets.get(&number).ok_or_else(|| damaged("an object is missing"))?;
        let begin = offset + head(number, *generation).len();
        Ok(begin + part.start..begin + part.end)
    }

    fn write(&mut self, objects: &Objects) {
        for (number, (generation, text)) in objects {
            self.offsets.insert(*number, (*generation, self.document.len()));
            self.document.extend_from_slice(head(*number, *generation).as_bytes());
            self.document.extend_from_slice(text);
            self.document.extend_from_slice(b"\nendobj\n");
        }
    }

    fn end_with_table(mut self, size: u32, entries: Writer<'_>) -> Result<Self, PdfError> {
        let start = self.document.len();
        let mut text = "xref\n".to_owned();
        let mut lines: Vec<_> =
            self.offsets.iter().map(|(number, (generation, at))| (*number, *generation, *at, 'n')).collect();
        lines.insert(0, (0, 65535, 0, 'f'));
        for run in lines.chunk_by(|(number, ..), (next, ..)| number + 1 == *next) {
            let first = run.first().map_or(0, |(number, ..)| *number);
            let _ = writeln!(text, "{first} {}", run.len());
            for (_, generation, at, kind) in run {
                let _ = writeln!(text, "{at:010} {generation:05} {kind} ");
            }
        }
        let entries = String::from_utf8(entries.text).map_err(|_| damaged("its trailer is no text"))?;
        let _ = writeln!(text, "trailer\n<<{entries}/Size {size}>>\nstartxref\n{start}\n%%EOF");
        self.document.extend_from_slice(text.as_bytes());
        Ok(self)
    }

    fn end_with_stream(mut self, number: u32, mut entries: Writer<'_>) -> Result<Self, PdfError> {
        let start = self.document.len();
        self.offsets.insert(number, (0, start));
        let (mut data, mut index) = (Vec::new(), String::new());
        for (number, (generation, at)) in &self.offsets {
            let too_far = |_| damaged("it is too long");
            data.push(1);
            data.extend(u32::try_from(*at).map_err(too_far)?.to_be_bytes());
            data.extend(u16::try_from(*generation).map_err(too_far)?.to_be_bytes());
            let _ = write!(index, "{number} 1 ");
        }
        let size = number + 1;
        let mut stream = Writer::new(None);
        stream.raw(&format!("{}<</Type/XRef/W[1 4 2]/Index[{index}]/Size {size}", head(number, 0)));
        stream.text.append(&mut entries.text);
        stream.stream_data(&data)?;
        stream.raw(&format!("\nendobj\nstartxref\n{start}\n%%EOF\n"));
        self.document.extend_from_slice(&stream.text);
        Ok(self)
    }
}

fn head(number: u32, generation: i32) -> String {
    format!("{number} {generation} obj\n")
}

/// The entries of a trailer that both kinds of documents have. The second identifier is new, as the document is.
fn entries(
    trailer: &Trailer,
    root: ObjectIdentifier,
    entropy: &dyn Entropy,
) -> Result<Writer<'static>, PdfError> {
    let mut new = [0; ID_BYTES];
    fill(entropy, &mut new)?;
    let mut entries = Writer::new(None);
    entries.raw("/Root").reference(root.obj_number, root.gen_number);
    if let Some(info) = trailer.info {
        entries.raw("/Info").reference(info.obj_number, info.gen_number);
    }
    entries.raw("/ID[").hexadecimal(trailer.id.as_deref().unwrap_or(&new));
    entries.hexadecimal(&new);
    entries.raw("]");
    Ok(entries)
}
