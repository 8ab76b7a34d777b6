use kunji_shared::packet::FormatError;

use crate::{
    ports::audit_sink::AuditError,
    services::{auditor::Audited, authorization::AccessRefusal, keys::KeyError},
};

/// Why a packet was not sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// No access policy lets the caller open packets of the alias, or the access list of the application's key
    /// policy does not name it.
    #[error("no policy admits the caller")]
    AccessListed,
    /// The operation was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The body ended early or could not be read.
    #[error("the body could not be read")]
    Body(#[source] std::io::Error),
    /// Too many large bodies are under way.
    #[error("too many large bodies are under way")]
    Busy,
    /// It did not open: one answer for whatever was wrong after a private key was used.
    #[error("the packet does not open")]
    DecryptionFailed,
    /// There is nothing to seal.
    #[error("there is no content to seal")]
    Empty,
    /// The thumbprint is of another application's or reference's key.
    #[error("the key that the packet names is of another alias")]
    ForeignKey,
    /// Something failed inside; the log has more.
    #[error("internal failure: {0}")]
    Internal(&'static str),
    /// The key was not found or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its public bytes are no packet.
    #[error(transparent)]
    Malformed(#[from] FormatError),
    /// The keys of the alias are another domain's.
    #[error("the keys of the alias are another domain's")]
    OtherDomain,
    /// Module keys and `KERNEL/SIGN` do not seal.
    #[error("the alias is of a signing key")]
    SigningKey,
    /// Access policies do not let the caller do it, or not so often.
    #[error(transparent)]
    Refused(AccessRefusal),
    /// It is larger than the limit.
    #[error("the content is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// No key of the server has the thumbprint.
    #[error("no key has the thumbprint that the packet names")]
    UnknownKey,
}

impl PacketError {
    /// The stable name of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AccessListed => "packet.access_listed",
            Self::Audit(_) => "audit.unavailable",
            Self::Body(_) => "packet.body_unreadable",
            Self::Busy => "packet.busy",
            Self::DecryptionFailed => "packet.decryption_failed",
            Self::Empty => "packet.empty",
            Self::ForeignKey => "packet.foreign_key",
            Self::Internal(_) => "internal",
            Self::Key(error) => error.code(),
            Self::Malformed(error) => error.code(),
            Self::OtherDomain => "packet.other_domain",
            Self::SigningKey => "packet.signing_key",
            Self::Refused(refusal) => refusal.code(),
            Self::TooLarge { .. } => "packet.too_large",
            Self::UnknownKey => "packet.unknown_key",
        }
    }
}

impl Audited for PacketError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }
}
