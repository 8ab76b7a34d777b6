//! The chain of cross-reference sections (ISO 32000-2, 7.5.4 and 7.5.8), as far as an update that is appended must know
//! it. The library that reads objects keeps it to itself, and repairs what is damaged; here, nothing is.

use hayro_syntax::object::{Array, Dict, FromBytes as _, Name, ObjRef, String as PdfString};

use crate::ports::pdf::PdfError;

/// Most sections: as many as the library follows.
const SECTIONS_MAX: usize = 256;
/// Most objects (ISO 32000-2, Annex C).
pub(super) const OBJECTS_MAX: u32 = 8_388_607;
/// Length of a line of a cross-reference table.
const ENTRY_BYTES: usize = 20;

/// What the newest section says, and the highest number of all of them.
pub(super) struct Trailer {
    /// Where the newest section begins.
    pub(super) start: usize,
    /// Whether it is a stream; a table otherwise.
    pub(super) is_stream: bool,
    /// No object has this number or a higher one.
    pub(super) size: u32,
    /// The document's first identifier.
    pub(super) id: Option<Vec<u8>>,
    /// The information dictionary.
    pub(super) info: Option<ObjRef>,
}

impl Trailer {
    /// Follows the sections of a document.
    pub(super) fn read(document: &[u8]) -> Result<Self, PdfError> {
        let start = newest(document)?;
        let mut newest = None;
        let (mut size, mut visited, mut waiting) = (1, Vec::new(), vec![start]);
        while let Some(at) = waiting.pop() {
            if visited.contains(&at) || visited.len() == SECTIONS_MAX {
                return Err(damaged("its cross-reference sections do not end"));
            }
            visited.push(at);
            let section = Section::read(document, at)
                .ok_or_else(|| damaged("a cross-reference section cannot be read"))?;
            if section.dictionary.contains_key("Encrypt") {
                return Err(PdfError::Encrypted);
            }
            size = size.max(section.end);
            for key in ["Prev", "XRefStm"] {
                if let Some(offset) = section.dictionary.get::<i32>(key) {
                    waiting.push(
                        usize::try_from(offset)
                            .map_err(|_| damaged("a section begins before the document"))?,
                    );
                }
            }
            newest.get_or_insert(section);
        }
        let Some(newest) = newest.filter(|_| size <= OBJECTS_MAX) else {
            return Err(damaged("it has object numbers beyond 8388607"));
        };
        let id = newest.dictionary.get::<Array<'_>>("ID").and_then(|id| id.iter::<PdfString<'_>>().next());
        Ok(Self {
            start,
            is_stream: newest.is_stream,
            size,
            id: id.map(|id| id.as_bytes().to_vec()),
            info: newest.dictionary.get_ref("Info"),
        })
    }
}

/// Where the newest section begins.
fn newest(document: &[u8]) -> Result<usize, PdfError> {
    const WORD: &[u8] = b"startxref";
    if !document.starts_with(b"%PDF-") {
        return Err(damaged("it does not begin with %PDF-"));
    }
    let found = document.windows(WORD.len()).rposition(|window| window == WORD);
    let start = found.and_then(|at| Cursor { document, at: at + WORD.len() }.number());
    start.ok_or_else(|| damaged("it does not end with startxref and a number; it may be cut short"))
}

struct Section<'a> {
    dictionary: Dict<'a>,
    is_stream: bool,
    /// No object here has this number or a higher one.
    end: u32,
}

impl<'a> Section<'a> {
    fn read(document: &'a [u8], at: usize) -> Option<Self> {
        let mut cursor = Cursor { document, at };
        let mut end = 0_u32;
        if cursor.word(b"xref").is_some() {
            while cursor.word(b"trailer").is_none() {
                let (first, count) = (cursor.number::<u32>()?, cursor.number::<u32>()?);
                cursor.skip_white_space();
                cursor.at = cursor.at.checked_add(usize::try_from(count).ok()?.checked_mul(ENTRY_BYTES)?)?;
                end = end.max(first.checked_add(count)?);
            }
            let dictionary = cursor.dictionary()?;
            let end = end.max(dictionary.get::<u32>("Size")?);
            return Some(Self { dictionary, is_stream: false, end });
        }
        let own = cursor.number::<u32>()?;
        cursor.number::<u32>()?;
        cursor.word(b"obj")?;
        let dictionary = cursor.dictionary()?;
        if dictionary.get::<Name<'_>>("Type")?.as_str() != "XRef" {
            return None;
        }
        if let Some(index) = dictionary.get::<Array<'_>>("Index") {
            for (first, count) in index.iter::<(u32, u32)>() {
                end = end.max(first.checked_add(count)?);
            }
        }
        let end = end.max(own.checked_add(1)?).max(dictionary.get::<u32>("Size")?);
        Some(Self { dictionary, is_stream: true, end })
    }
}

/// A place in a document.
struct Cursor<'a> {
    document: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.document.get(self.at..).unwrap_or_default()
    }

    fn skip_white_space(&mut self) {
        self.at += self.rest().iter().take_while(|byte| b" \t\r\n\x0c\0".contains(byte)).count();
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.skip_white_space();
        self.rest().starts_with(word).then(|| self.at += word.len())
    }

    fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.skip_white_space();
        let rest = self.rest();
        let digits = rest.get(..rest.iter().take_while(|byte| byte.is_ascii_digit()).count())?;
        let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
        self.at += digits.len();
        Some(number)
    }

    fn dictionary(&mut self) -> Option<Dict<'a>> {
        self.skip_white_space();
        Dict::from_bytes(self.rest())
    }
}

/// A document that cannot be read, and why.
pub(super) fn damaged(what: &str) -> PdfError {
    PdfError::Malformed(what.to_owned())
}
