use core::fmt;

use alloc::boxed::Box;

/// Bytes between the wrapped key and the content; a setting of the installation.
///
/// Not a secret, and no delimiter to search for: only its place counts.
#[derive(Clone, PartialEq, Eq)]
pub struct Splitter(Box<[u8]>);

/// The bytes offered as a splitter are too few or too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a splitter has 1 to {max} bytes; correct the setting", max = Splitter::MAX_BYTES)]
pub struct SplitterLength;

impl SplitterLength {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        "packet.splitter_length"
    }
}

impl Splitter {
    /// Longest splitter in bytes; the shortest has one byte.
    pub const MAX_BYTES: usize = 64;
    const DEFAULT: &[u8] = b"#KEY_SPLITTER#";

    /// The splitter with these bytes.
    ///
    /// # Errors
    /// [`SplitterLength`] unless there are 1 to [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn new(bytes: &[u8]) -> Result<Self, SplitterLength> {
        if bytes.is_empty() || bytes.len() > Self::MAX_BYTES {
            return Err(SplitterLength);
        }
        Ok(Self(bytes.into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// `#KEY_SPLITTER#`, what installations use unless they changed it.
impl Default for Splitter {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl fmt::Debug for Splitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Splitter({})", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_1_to_64_bytes() {
        assert_eq!(Splitter::new(&[]), Err(SplitterLength));
        assert_eq!(Splitter::new(&[0; 65]), Err(SplitterLength));
        assert!(Splitter::new(&[0; 1]).is_ok() && Splitter::new(&[0; 64]).is_ok());
        assert_eq!(Splitter::new(b"#KEY_SPLITTER#"), Ok(Splitter::default()));
    }
}
