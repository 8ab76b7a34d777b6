//! Reading a PDF that somebody sent, and making room in it for a signature (ISO 32000-2, 12.8).

use std::ops::Range;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::domain::time::Timestamp;

/// Puts a signature into a PDF, but for the signature itself.
///
/// Whatever a document holds, an answer comes within a set time, from a set amount of memory, and a document that
/// exhausts either, or breaks what reads it, is refused and disturbs nobody else.
#[async_trait]
pub trait PdfSigning: Send + Sync {
    /// The document with a signature field, its appearance on the page, and a signature of zeros.
    ///
    /// Without a password what was sent stays as it is and the rest is appended, so that signatures over it stay valid;
    /// with one everything is written anew, encrypted.
    ///
    /// # Errors
    /// [`PdfError`].
    async fn prepare(&self, placement: PdfPlacement, document: Vec<u8>) -> Result<PreparedPdf, PdfError>;
}

/// What the signature says and where it stands.
#[derive(Debug)]
pub struct PdfPlacement {
    /// The page, from 1.
    pub page: u32,
    /// Two opposite corners in the page's user space, in points: x and y of the lower left, x and y of the upper right.
    /// Without an area, nothing is drawn.
    pub rectangle: [i32; 4],
    /// Why it was signed.
    pub reason: String,
    /// Whose key signed.
    pub signer: String,
    /// When.
    pub at: Timestamp,
    /// The most bytes that the signature can take.
    pub signature_bytes: usize,
    /// Opens the document, which is encrypted if there is one.
    pub password: Option<SecretString>,
}

/// A document that awaits its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedPdf {
    /// All of it. Its `ByteRange` leaves out `contents` and nothing else.
    pub document: Vec<u8>,
    /// Where the signature is put: `<`, two hexadecimal digits for each byte, `>`.
    pub contents: Range<usize>,
}

/// Why nothing was prepared.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum PdfError {
    /// Too many documents are being read already.
    #[error("too many documents are being read")]
    Busy,
    /// Its certification (DocMDP) allows no further signature.
    #[error("the document is certified and allows no changes")]
    Certified,
    /// It takes more memory or time than a document may.
    #[error("the document takes too much memory or time to read")]
    Complex,
    /// It is encrypted already.
    #[error("the document is encrypted")]
    Encrypted,
    /// It is no PDF, or damaged; what is wrong.
    #[error("the document is no PDF, or damaged: {0}")]
    Malformed(String),
    /// There is no such page; how many there are.
    #[error("the document has {0} pages")]
    Page(u32),
    /// The password cannot be one of a PDF.
    #[error("the password is longer than 127 bytes, or has characters that no password can have")]
    Password,
    /// It has signatures, which encryption would break.
    #[error("the document is signed, and encrypting it would break its signatures")]
    Signed,
    /// It is longer than a document may be; how long that is, in bytes.
    #[error("the document is longer than {0} bytes")]
    TooLong(usize),
    /// What reads documents does not work.
    #[error("documents cannot be read: {0}")]
    Unavailable(String),
}

impl PdfError {
    /// The stable name of the failure.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy => "pdf.busy",
            Self::Certified => "pdf.certified",
            Self::Complex => "pdf.complex",
            Self::Encrypted => "pdf.encrypted",
            Self::Malformed(_) => "pdf.malformed",
            Self::Page(_) => "pdf.page",
            Self::Password => "pdf.password",
            Self::Signed => "pdf.signed",
            Self::TooLong(_) => "pdf.too_long",
            Self::Unavailable(_) => "pdf.unavailable",
        }
    }
}
