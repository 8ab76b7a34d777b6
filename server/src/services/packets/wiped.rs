//! Content on its way out.

use bytes::Bytes;
use kunji_shared::secret::Plaintext;

/// The content as bytes that are wiped when their last holder drops them. Nothing is moved, and it is wiped at
/// the speed of memory; a `Zeroizing<Vec<u8>>` is wiped byte by byte.
pub(crate) fn wiped_after_use(content: Plaintext) -> Bytes {
    Bytes::from_owner(Owner(content))
}

struct Owner(Plaintext);

impl AsRef<[u8]> for Owner {
    // `expose`: what is sent to the caller who asked for it.
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}
