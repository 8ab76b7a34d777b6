//! Writing objects (ISO 32000-2, 7.3).

use hayro_syntax::object::{Array, Dict, MaybeRef, Number, ObjRef, Object};

use super::{encryption::Sealer, trailer::damaged};
use crate::ports::pdf::PdfError;

/// Deepest nesting that is written.
const DEPTH_MAX: usize = 128;

/// The text of one object. With a sealer, every string in it is encrypted.
pub(super) struct Writer<'a> {
    pub(super) text: Vec<u8>,
    sealer: Option<&'a Sealer<'a>>,
    /// What was referred to.
    pub(super) references: Vec<ObjRef>,
    /// Whether a dictionary was written that is one of a signature.
    pub(super) has_signature: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(sealer: Option<&'a Sealer<'a>>) -> Self {
        Self { text: Vec::new(), sealer, references: Vec::new(), has_signature: false }
    }

    /// Writes syntax as it is.
    pub(super) fn raw(&mut self, text: &str) -> &mut Self {
        self.text.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn reference(&mut self, number: u32, generation: i32) -> &mut Self {
        self.raw(&format!(" {number} {generation} R"))
    }

    /// Writes a string of bytes.
    pub(super) fn string(&mut self, bytes: &[u8]) -> Result<&mut Self, PdfError> {
        match self.sealer {
            Some(sealer) => {
                let encrypted = sealer.seal(bytes)?;
                self.hexadecimal(&encrypted);
            }
            None => self.hexadecimal(bytes),
        }
        Ok(self)
    }

    /// Writes a text string (7.9.2.2): ASCII as it is, anything else as UTF-16 with a byte order mark.
    pub(super) fn text_string(&mut self, text: &str) -> Result<&mut Self, PdfError> {
        if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return self.string(text.as_bytes());
        }
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        self.string(&units.flat_map(u16::to_be_bytes).collect::<Vec<_>>())
    }

    /// Writes a string that is never encrypted.
    pub(super) fn hexadecimal(&mut self, bytes: &[u8]) {
        self.raw("<").raw(&kunji_shared::encoding::encode_hex(bytes)).raw(">");
    }

    fn name(&mut self, name: &[u8]) {
        self.raw("/");
        for &byte in name {
            if byte.is_ascii_graphic() && !b"()<>[]{}/%#".contains(&byte) {
                self.text.push(byte);
            } else {
                self.raw(&format!("#{byte:02x}"));
            }
        }
    }

    /// Writes an object that was read.
    pub(super) fn object(&mut self, object: &Object<'_>) -> Result<(), PdfError> {
        self.nested(object, 0)
    }

    /// Writes the entries of a dictionary that was read, but for some; without its brackets.
    pub(super) fn entries(&mut self, dictionary: &Dict<'_>, but: &[&str]) -> Result<(), PdfError> {
        self.entries_at(dictionary, but, 0)
    }

    /// Writes the elements of an array that was read; without its brackets.
    pub(super) fn elements(&mut self, array: &Array<'_>) -> Result<(), PdfError> {
        self.elements_at(array, 0)
    }

    fn entries_at(&mut self, dictionary: &Dict<'_>, but: &[&str], depth: usize) -> Result<(), PdfError> {
        self.has_signature |= dictionary.contains_key("ByteRange");
        // An entry that cannot be read is left out by the library, and would be lost.
        if dictionary.entries().count() != dictionary.len() {
            return Err(damaged("an entry of a dictionary cannot be read"));
        }
        for (key, value) in dictionary.entries() {
            if !but.iter().any(|name| name.as_bytes() == &*key) {
                self.name(&key);
                self.value(value, depth)?;
            }
        }
        Ok(())
    }

    fn elements_at(&mut self, array: &Array<'_>, depth: usize) -> Result<(), PdfError> {
        array.raw_iter().try_for_each(|element| self.value(element, depth))
    }

    fn value(&mut self, value: MaybeRef<Object<'_>>, depth: usize) -> Result<(), PdfError> {
        match value {
            MaybeRef::Ref(to) => {
                self.references.push(to);
                self.reference(to.obj_number, to.gen_number);
                Ok(())
            }
            MaybeRef::NotRef(object) => self.nested(&object, depth),
        }
    }

    fn nested(&mut self, object: &Object<'_>, depth: usize) -> Result<(), PdfError> {
        if depth == DEPTH_MAX {
            return Err(damaged("its objects are nested too deeply"));
        }
        match object {
            Object::Null(_) => drop(self.raw(" null")),
            Object::Boolean(value) => drop(self.raw(&format!(" {value}"))),
            Object::Number(number) => self.number(*number),
            Object::String(string) => drop(self.string(string.as_bytes())?),
            Object::Name(name) => self.name(name),
            Object::Dict(dictionary) => {
                self.raw("<<");
                self.entries_at(dictionary, &[], depth + 1)?;
                self.raw(">>");
            }
            Object::Array(array) => {
                self.raw("[");
                self.elements_at(array, depth + 1)?;
                self.raw("]");
            }
            Object::Stream(stream) => self.stream(stream.dict(), &stream.raw_data())?,
        }
        Ok(())
    }

    fn number(&mut self, number: Number) {
        let text = number.to_string();
        if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte)) {
            self.raw(" ").raw(&text);
        } else {
            // PDF knows no exponents.
            let value = number.as_f64();
            self.raw(&format!(" {}", if value.is_finite() { value } else { 0.0 }));
        }
    }

    /// Writes a stream with the entries of a dictionary that was read.
    fn stream(&mut self, dictionary: &Dict<'_>, data: &[u8]) -> Result<(), PdfError> {
        self.raw("<<");
        self.entries_at(dictionary, &["Length"], 1)?;
        self.stream_data(data)
    }

    /// Writes the end of a stream's dictionary, and its data.
    pub(super) fn stream_data(&mut self, data: &[u8]) -> Result<(), PdfError> {
        let sealed = self.sealer.map(|sealer| sealer.seal(data)).transpose()?;
        let data = sealed.as_deref().unwrap_or(data);
        self.raw(&format!("/Length {}>>stream\n", data.len()));
        self.text.extend_from_slice(data);
        self.raw("\nendstream");
        Ok(())
    }
}
