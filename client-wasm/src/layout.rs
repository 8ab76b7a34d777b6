//! What a caller says about a packet's layout, for sealing and for opening.

use alloc::vec::Vec;

use kunji_shared::{OpenInputs, Shape, Splitter, packet::SplitterLength};

/// The caller's part of a layout.
pub(crate) struct Layout {
    pub(crate) registration: bool,
    salt: Option<Vec<u8>>,
    aad: Option<Vec<u8>>,
}

impl Layout {
    pub(crate) const fn new(registration: bool, salt: Option<Vec<u8>>, aad: Option<Vec<u8>>) -> Self {
        Self { registration, salt, aad }
    }

    /// The shape that is written for it.
    pub(crate) fn shape(&self) -> Shape<'_> {
        match (self.registration, &self.salt, &self.aad) {
            (true, _, _) => Shape::Registration,
            (false, Some(salt), aad) => Shape::CallerNonce { salt, aad: aad.as_deref().unwrap_or_default() },
            (false, None, Some(aad)) => Shape::AppendedNonce { aad },
            (false, None, None) => Shape::SelfContained,
        }
    }

    /// What opens a packet beside its key.
    pub(crate) fn inputs(&self) -> OpenInputs<'_> {
        OpenInputs { salt: self.salt.as_deref(), aad: self.aad.as_deref() }
    }
}

/// The splitter of the installation, or the usual one.
pub(crate) fn splitter(bytes: Option<Vec<u8>>) -> Result<Splitter, SplitterLength> {
    bytes.map_or_else(|| Ok(Splitter::default()), |bytes| Splitter::new(&bytes))
}
