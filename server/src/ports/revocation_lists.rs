//! Revocation lists of other authorities.

use std::sync::Arc;

use crate::domain::revocation_list::RevocationList;

/// The lists at hand.
pub trait RevocationLists: Send + Sync {
    /// Those of now, of each kind the newest. May read files, at most once a minute; what cannot be read leaves those
    /// of before in place, which end by themselves.
    fn current(&self) -> Arc<Vec<RevocationList>>;
}
