//! What a server and its reader of documents tell each other: a header, and after it a document to the end of the stream.
//!
//! ```text
//! length of the header (4 bytes, little-endian) ‖ header (postcard) ‖ document
//! ```

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    domain::time::Timestamp,
    ports::pdf::{PdfError, PdfPlacement},
};

/// What the server asks for; see [`PdfPlacement`].
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct Request {
    page: u32,
    rectangle: [i32; 4],
    reason: String,
    signer: String,
    at_millis: i64,
    signature_bytes: usize,
    password: Option<String>,
}

/// What follows, or why nothing does.
pub(super) type Reply = Result<Made, PdfError>;

/// A document that follows.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Made {
    /// Where the contents of its signature begin and end.
    pub(super) contents: (usize, usize),
    /// How long it is: what is cut short is not signed.
    pub(super) length: usize,
}

impl From<&PdfPlacement> for Request {
    fn from(placement: &PdfPlacement) -> Self {
        Self {
            page: placement.page,
            rectangle: placement.rectangle,
            reason: placement.reason.clone(),
            signer: placement.signer.clone(),
            at_millis: placement.at.millis(),
            signature_bytes: placement.signature_bytes,
            password: placement.password.as_ref().map(|password| password.expose_secret().to_owned()),
        }
    }
}

impl From<Request> for PdfPlacement {
    fn from(mut request: Request) -> Self {
        Self {
            page: request.page,
            rectangle: request.rectangle,
            reason: std::mem::take(&mut request.reason),
            signer: std::mem::take(&mut request.signer),
            at: Timestamp::from_millis(request.at_millis),
            signature_bytes: request.signature_bytes,
            password: request.password.take().map(SecretString::from),
        }
    }
}

/// A header with its length; `None` for one that is too long.
pub(super) fn encode(header: &impl Serialize) -> Option<Zeroizing<Vec<u8>>> {
    let header = Zeroizing::new(postcard::to_stdvec(header).ok()?);
    let length = u32::try_from(header.len()).ok()?;
    Some(Zeroizing::new([&length.to_le_bytes(), header.as_slice()].concat()))
}

/// A header, and the document after it; `None` for what [`encode`] did not write.
pub(super) fn decode<T: DeserializeOwned>(stream: &[u8]) -> Option<(T, &[u8])> {
    let (length, rest) = stream.split_first_chunk()?;
    let (header, document) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some((postcard::from_bytes(header).ok()?, document))
}
