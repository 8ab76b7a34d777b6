//! The only file that knows offsets and lengths.
//!
//! | Part | Bytes | Present |
//! | --- | --- | --- |
//! | header `VER_R2` | 6 | in shape A |
//! | thumbprint | 32 | except in the oldest packets |
//! | wrapped key | 256, 384 or 512: the recipient's modulus | always |
//! | splitter | 1 to 64, a setting | always |
//! | body | the rest; see [`Frame::content`] | always |
//!
//! Everything works on offsets, so that a packet may be a slice in memory or a file of which only
//! the beginning was read.

use core::{fmt, ops::Range};

use super::{FormatError, Splitter};
use crate::{
    cipher::{MAX_CONTENT_BYTES, MAX_NONCE_BYTES, TAG_BYTES},
    public_key::ModulusLength,
    thumbprint::Thumbprint,
};

pub(super) const HEADER: &[u8; 6] = b"VER_R2";
pub(super) const AAD_BLOCK_BYTES: usize = 32;
pub(super) const AAD_BLOCK_NONCE_BYTES: usize = 12;
pub(super) const APPENDED_NONCE_BYTES: usize = 16;

/// How much of a packet's beginning [`Envelope::read`] looks at: header, thumbprint, the longest
/// wrapped key and the longest splitter.
pub const HEAD_BYTES: usize =
    HEADER.len() + Thumbprint::BYTES + ModulusLength::Rsa4096.bytes() + Splitter::MAX_BYTES;

/// What the beginning of a packet shows before any key is known: at which of the possible places
/// the splitter stands.
#[derive(Clone, Debug)]
pub struct Envelope {
    header: bool,
    total_len: u64,
    splitter_len: u64,
    claimed_thumbprint: Option<Thumbprint>,
    with_thumbprint: Places,
    without_thumbprint: Places,
}

/// Whether the splitter stands behind a wrapped key of each length, in the order of
/// [`ModulusLength::ALL`].
type Places = [bool; 3];

impl Envelope {
    /// Reads the beginning of a packet of `total_len` bytes.
    ///
    /// `head` is the packet's first [`HEAD_BYTES`], or more, or all of it. The splitter is never
    /// searched for: its bytes may occur anywhere in a thumbprint, wrapped key or ciphertext, and
    /// only the few places where it can stand are looked at.
    ///
    /// # Errors
    /// [`FormatError::SplitterMissing`] if it stands at none of them,
    /// [`FormatError::HeadIncomplete`] if `head` is shorter than this function needs.
    pub fn read(head: &[u8], total_len: u64, splitter: &Splitter) -> Result<Self, FormatError> {
        if to_u64(head.len()) < total_len.min(to_u64(HEAD_BYTES)) {
            return Err(FormatError::HeadIncomplete);
        }
        let within_packet = usize::try_from(total_len).map_or(head.len(), |total| total.min(head.len()));
        let head = head.get(..within_packet).unwrap_or_default();
        let header = head.starts_with(HEADER);
        let key_start = if header { HEADER.len() } else { 0 };
        let key_part = head.get(key_start..).unwrap_or_default();
        let thumbprint = key_part.first_chunk().copied().map(Thumbprint::from_bytes);
        let with_thumbprint =
            splitter_places(key_part.get(Thumbprint::BYTES..).unwrap_or_default(), splitter);
        let without_thumbprint = splitter_places(key_part, splitter);
        let splitter_len = to_u64(splitter.as_bytes().len());
        let envelope = Self {
            header,
            total_len,
            splitter_len,
            claimed_thumbprint: thumbprint.filter(|_| with_thumbprint.contains(&true)),
            with_thumbprint,
            without_thumbprint,
        };
        if envelope.claimed_thumbprint.is_none() && !envelope.may_lack_thumbprint() {
            return Err(FormatError::SplitterMissing);
        }
        Ok(envelope)
    }

    /// The thumbprint, if the splitter stands where a packet with one can have it. A claim of
    /// whoever wrote the packet, nothing more.
    pub const fn claimed_thumbprint(&self) -> Option<Thumbprint> {
        self.claimed_thumbprint
    }

    /// Whether the packet begins with `VER_R2`.
    pub const fn has_header(&self) -> bool {
        self.header
    }

    /// Whether the splitter (also) stands where a packet without a thumbprint can have it.
    pub fn may_lack_thumbprint(&self) -> bool {
        self.without_thumbprint.contains(&true)
    }

    /// The parts of a packet with a thumbprint, given the size of the key that it names.
    ///
    /// # Errors
    /// [`FormatError::ThumbprintMissing`] if there is none, [`FormatError::SplitterMisplaced`] if
    /// the splitter does not stand behind a wrapped key of this size.
    pub fn with_thumbprint(&self, modulus: ModulusLength) -> Result<Frame, FormatError> {
        if self.claimed_thumbprint.is_none() {
            return Err(FormatError::ThumbprintMissing);
        }
        self.frame(self.with_thumbprint, Thumbprint::BYTES, modulus)
    }

    /// The parts of a packet without a thumbprint, given the size of the key that is tried.
    ///
    /// # Errors
    /// [`FormatError::SplitterMisplaced`] if the splitter does not stand behind a wrapped key of
    /// this size.
    pub fn without_thumbprint(&self, modulus: ModulusLength) -> Result<Frame, FormatError> {
        self.frame(self.without_thumbprint, 0, modulus)
    }

    fn frame(
        &self,
        places: Places,
        thumbprint_bytes: usize,
        modulus: ModulusLength,
    ) -> Result<Frame, FormatError> {
        let stands =
            ModulusLength::ALL.iter().zip(places).any(|(&length, stands)| stands && length == modulus);
        if !stands {
            return Err(FormatError::SplitterMisplaced);
        }
        let header_bytes = if self.header { HEADER.len() } else { 0 };
        let key_start = to_u64(header_bytes + thumbprint_bytes);
        let key_end = key_start + to_u64(modulus.bytes());
        // Within the packet, since the splitter was seen there.
        let body_start = key_end + self.splitter_len;
        Ok(Frame { header: self.header, wrapped_key: key_start..key_end, body: body_start..self.total_len })
    }
}

fn splitter_places(from_wrapped_key: &[u8], splitter: &Splitter) -> Places {
    ModulusLength::ALL.map(|length| {
        from_wrapped_key.get(length.bytes()..).is_some_and(|rest| rest.starts_with(splitter.as_bytes()))
    })
}

/// Where the parts of a packet stand, as offsets from its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Whether the packet begins with `VER_R2`.
    pub header: bool,
    /// The data key under RSA-OAEP.
    pub wrapped_key: Range<u64>,
    /// All behind the splitter.
    pub body: Range<u64>,
}

/// What a caller gives beside a packet.
#[derive(Clone, Copy, Default)]
pub struct OpenInputs<'a> {
    /// The nonce, if the packet does not carry it. `None` is not the same as empty, which is
    /// refused.
    pub salt: Option<&'a [u8]>,
    /// Associated data; `None` is the same as empty.
    pub aad: Option<&'a [u8]>,
}

/// Lengths only.
impl fmt::Debug for OpenInputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenInputs")
            .field("salt_bytes", &self.salt.map(<[u8]>::len))
            .field("aad_bytes", &self.aad.map(<[u8]>::len))
            .finish()
    }
}

/// Where a nonce or the associated data come from.
#[derive(Clone, PartialEq, Eq)]
pub enum Part<'a> {
    /// They stand in the packet, at these offsets.
    InPacket(Range<u64>),
    /// The caller gave them.
    FromCaller(&'a [u8]),
}

impl<'a> Part<'a> {
    /// The bytes, given the whole packet; `None` if it ends before.
    pub fn resolve<'b>(&self, packet: &'b [u8]) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        match self {
            Self::InPacket(range) => packet.get(to_usize(range)?),
            Self::FromCaller(bytes) => Some(bytes),
        }
    }
}

/// Offsets and lengths only.
impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InPacket(range) => write!(f, "InPacket({range:?})"),
            Self::FromCaller(bytes) => write!(f, "FromCaller({} bytes)", bytes.len()),
        }
    }
}

/// What AES-256-GCM needs to open the content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContentFrame<'a> {
    /// The nonce, 1 to 64 bytes.
    pub nonce: Part<'a>,
    /// The associated data.
    pub aad: Part<'a>,
    /// The ciphertext, as offsets into the packet.
    pub ciphertext: Range<u64>,
    /// The tag of 16 bytes, behind the ciphertext.
    pub tag: Range<u64>,
}

impl Frame {
    /// The wrapped key, given the packet or a beginning that holds it; `None` if it does not.
    pub fn wrapped_key_in<'a>(&self, packet: &'a [u8]) -> Option<&'a [u8]> {
        packet.get(to_usize(&self.wrapped_key)?)
    }

    /// Where nonce, associated data, ciphertext and tag are. The first row that fits is taken:
    ///
    /// | Given | Body | Nonce | Associated data |
    /// | --- | --- | --- | --- |
    /// | a salt | `C ‖ T` | the salt | the caller's |
    /// | header `VER_R2` | `block(32) ‖ C ‖ T` | the block's first 12 bytes | the block; the caller's is ignored |
    /// | neither | `C ‖ T ‖ nonce(16)` | the last 16 bytes | the caller's |
    ///
    /// # Errors
    /// [`FormatError::SaltLength`] for a salt that is empty or longer than 64 bytes,
    /// [`FormatError::Truncated`] if the body is shorter than its fixed parts,
    /// [`FormatError::TooLong`] if the ciphertext is longer than AES-GCM allows.
    pub fn content<'a>(&self, inputs: &OpenInputs<'a>) -> Result<ContentFrame<'a>, FormatError> {
        let Range { start, end } = self.body;
        let caller_aad = Part::FromCaller(inputs.aad.unwrap_or_default());
        let (nonce, aad, ciphertext_start, tag_end) = if let Some(salt) = inputs.salt {
            if salt.is_empty() || salt.len() > MAX_NONCE_BYTES {
                return Err(FormatError::SaltLength);
            }
            (Part::FromCaller(salt), caller_aad, start, end)
        } else if self.header {
            let nonce = start..advance(start, AAD_BLOCK_NONCE_BYTES)?;
            let block = start..advance(start, AAD_BLOCK_BYTES)?;
            let ciphertext_start = block.end;
            (Part::InPacket(nonce), Part::InPacket(block), ciphertext_start, end)
        } else {
            let nonce = retreat(end, APPENDED_NONCE_BYTES)?..end;
            let tag_end = nonce.start;
            (Part::InPacket(nonce), caller_aad, start, tag_end)
        };
        let tag_start = retreat(tag_end, TAG_BYTES)?;
        let length = tag_start.checked_sub(ciphertext_start).ok_or(FormatError::Truncated)?;
        if length > MAX_CONTENT_BYTES {
            return Err(FormatError::TooLong);
        }
        Ok(ContentFrame { nonce, aad, ciphertext: ciphertext_start..tag_start, tag: tag_start..tag_end })
    }
}

fn advance(offset: u64, bytes: usize) -> Result<u64, FormatError> {
    offset.checked_add(to_u64(bytes)).ok_or(FormatError::Truncated)
}

fn retreat(offset: u64, bytes: usize) -> Result<u64, FormatError> {
    offset.checked_sub(to_u64(bytes)).ok_or(FormatError::Truncated)
}

/// Offsets are 64 bits wide everywhere; no platform has a wider `usize`.
const fn to_u64(length: usize) -> u64 {
    length as u64
}

/// Offsets as indices, if memory can hold them.
pub(super) fn to_usize(range: &Range<u64>) -> Option<Range<usize>> {
    Some(range.start.try_into().ok()?..range.end.try_into().ok()?)
}
