use std::io;

use crate::{
    domain::audit::statement::SignatureFault,
    ports::{audit_sink::AuditError, key_store::KeyStoreError, repository::RepositoryError},
    services::{auditor::Audited, keys::KeyError},
};

/// Why the audit trail was not read, or nothing was signed about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrailError {
    /// The operation was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// As many others read the trail, or follow it, already as may at once.
    #[error("the trail is being read by as many as may at once")]
    Busy,
    /// The key that signs cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The files failed.
    #[error("the audit trail cannot be read")]
    Files(#[source] io::Error),
    /// The events asked for are not, or no longer, here.
    #[error("the trail has no such events")]
    OutOfRange,
    /// The records failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The token gave a signature that does not verify.
    #[error("a signature of the token does not count: {0}")]
    Signature(#[from] SignatureFault),
    /// The token failed.
    #[error(transparent)]
    Token(#[from] KeyStoreError),
    /// A worker ended early.
    #[error("internal failure: {0}")]
    Internal(&'static str),
}

impl TrailError {
    /// The stable name of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Audit(_) => "audit.unavailable",
            Self::Busy => "audit.busy",
            Self::Key(error) => error.code(),
            Self::Files(_) => "audit.unreadable",
            Self::OutOfRange => "audit.out_of_range",
            Self::Repository(_) => "database.failed",
            Self::Signature(_) | Self::Internal(_) => "internal",
            Self::Token(_) => "token.failed",
        }
    }
}

impl Audited for TrailError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }
}

impl From<io::Error> for TrailError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::OutOfRange,
            _ => Self::Files(error),
        }
    }
}
