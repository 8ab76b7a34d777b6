//! Packets: where their parts stand, how they are sealed and opened.
//!
//! | Shape | Written when | Bytes |
//! | --- | --- | --- |
//! | A, self-contained | the caller gives neither salt nor AAD | `VER_R2 ‖ thumbprint ‖ wrapped key ‖ splitter ‖ AAD block(32) ‖ C ‖ T` |
//! | B, appended nonce | AAD only | `thumbprint ‖ wrapped key ‖ splitter ‖ C ‖ T ‖ nonce(16)` |
//! | C, caller's nonce | salt, with or without AAD | `thumbprint ‖ wrapped key ‖ splitter ‖ C ‖ T` |
//! | registration packet | by registration clients | `nonce(12) ‖ AAD(32) ‖ shape C` |
//!
//! On reading, the thumbprint may be missing. `docs/packet-format.md` is the normative text.

mod error;
mod layout;
mod open;
pub mod registration;
mod seal;
mod splitter;

pub use error::{FormatError, OpenError, SealError};
pub use layout::{ContentFrame, Envelope, Frame, HEAD_BYTES, OpenInputs, Part};
pub use open::open;
pub use seal::{ContentPlan, RecipientKey, SealPlan, Shape, seal};
pub use splitter::{Splitter, SplitterLength};
