//! The key manager.
