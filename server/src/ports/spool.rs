//! Room on disk for ciphertext that does not fit in memory.

use std::{fs::File, io};

/// Gives temporary files.
pub trait Spool: Send + Sync {
    /// A new empty file that no other process can open and that is gone when closed, also by a crash.
    /// Only ciphertext may be written to it. Blocks the calling thread.
    ///
    /// # Errors
    /// The operating system's.
    fn open(&self) -> io::Result<File>;
}
