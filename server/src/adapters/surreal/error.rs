//! Failures of the database, told apart by kind.
//!
//! SurrealDB's error texts contain values of rows, so no such text leaves this file, but for what fails before any row is
//! read: what goes on is a kind.

use std::{fmt::Display, path::PathBuf};

use surrealdb::types::{ErrorDetails, QueryError};

use crate::{ports::repository::RepositoryError, trust::TrustError};

/// Why the database cannot be used at start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Not an address that this server takes.
    #[error(
        "the database URL must be `surrealkv://PATH`, `mem://`, `ws://HOST[:PORT]` or `wss://HOST[:PORT]`, \
         without user, password or path after the host"
    )]
    Url,
    /// The embedded database would not be synchronized on every commit, or is asked for something else.
    #[error(
        "`surrealkv://` takes no parameter but `sync=every`: a change must be on disk before it is reported as done"
    )]
    Parameter,
    /// A remote database without the password of its user.
    #[error("a remote database needs the file with the password of its database-level user")]
    PasswordMissing,
    /// The directory of the embedded database.
    #[error("the database directory {path} cannot be made private to this user")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The trust anchors of the system, which `wss://` needs.
    #[error(transparent)]
    TrustAnchors(#[from] TrustError),
    /// It could not be opened or reached.
    #[error("the database cannot be opened: {0}")]
    Open(String),
    /// It refuses our user.
    #[error("the database refuses the user ({0})")]
    SignIn(&'static str),
    /// Its schema is of another program, or of a later version of this one.
    #[error("the database has schema version {found}, this program knows versions up to {known}")]
    Schema {
        /// What the database says.
        found: i64,
        /// The newest version known here.
        known: u32,
    },
    /// It failed on the way.
    #[error("the database is not available: {0}")]
    Unavailable(&'static str),
}

impl ConnectError {
    /// What went wrong before any row was read, so that its text is safe to pass on.
    pub(super) fn unopened(error: impl Display) -> Self {
        Self::Open(error.to_string())
    }
}

impl From<Failure> for ConnectError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(failure.kind())
    }
}

/// Why a query was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no connection: nothing was sent, and nothing changed.
    Away,
    /// No answer came: whether a change was made, or will be, must be found out by reading.
    Lost(&'static str),
    /// No answer came to a change, and it is not to be seen: it may still be made.
    Unsettled(&'static str),
    /// An error of this kind: whether a change was made must be found out by reading.
    Unavailable(&'static str),
    /// Another transaction changed the same records first; nothing was changed, trying again may help.
    Contended,
    /// The record id or the unique value is taken; nothing was changed.
    Exists,
    /// A condition of the query's own does not hold (it threw); nothing was changed.
    Refused,
}

impl Failure {
    /// What one statement's error means.
    pub(super) fn of(error: &surrealdb::Error) -> Self {
        match error.details() {
            ErrorDetails::Thrown => Self::Refused,
            ErrorDetails::AlreadyExists(_) => Self::Exists,
            ErrorDetails::Query(Some(QueryError::TransactionConflict)) => Self::Contended,
            ErrorDetails::Query(Some(QueryError::TimedOut { .. })) => Self::Unavailable("timed out"),
            ErrorDetails::Query(Some(QueryError::NotExecuted | QueryError::Cancelled)) => {
                Self::Unavailable(NOT_EXECUTED)
            }
            // These two have no kind of their own in SurrealDB 3.3.
            _ if error.message().contains("This transaction can be retried") => Self::Contended,
            _ if error.message().contains("Database index")
                && error.message().contains("already contains") =>
            {
                Self::Exists
            }
            details => Self::Unavailable(details.kind_str()),
        }
    }

    /// What the error of a whole call means, in which no statement has answered.
    pub(super) fn of_call(error: &surrealdb::Error) -> Self {
        match Self::of(error) {
            Self::Unavailable(kind) => Self::Lost(kind),
            told => told,
        }
    }

    /// What the errors of one query's statements mean together: when a transaction fails, every other
    /// statement says only that it was not executed.
    pub(super) fn of_all<'a>(errors: impl IntoIterator<Item = &'a surrealdb::Error>) -> Option<Self> {
        errors.into_iter().map(Self::of).max_by_key(|failure| match failure {
            Self::Unavailable(NOT_EXECUTED) => 0,
            Self::Away | Self::Lost(_) | Self::Unsettled(_) | Self::Unavailable(_) => 1,
            Self::Contended => 2,
            Self::Exists => 3,
            Self::Refused => 4,
        })
    }

    /// The kind, for people.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Away => "it is away",
            Self::Lost(kind) | Self::Unsettled(kind) | Self::Unavailable(kind) => kind,
            Self::Contended => "too many changes at once",
            Self::Exists => "the record exists",
            Self::Refused => "a condition does not hold",
        }
    }
}

const NOT_EXECUTED: &str = "not executed";

impl From<Failure> for RepositoryError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Away | Failure::Lost(_) | Failure::Unavailable(_) => {
                Self::Unavailable(failure.kind().to_owned())
            }
            Failure::Unsettled(kind) => Self::OutcomeUnknown(kind.to_owned()),
            Failure::Contended | Failure::Exists | Failure::Refused => Self::Conflict,
        }
    }
}

#[cfg(test)]
mod tests {
    use surrealdb::Error;

    use super::*;

    #[test]
    fn the_telling_error_of_a_failed_transaction_is_found() {
        let skipped = Error::query("not executed".to_owned(), QueryError::NotExecuted);
        let thrown = Error::thrown("An error occurred: superseded".to_owned());
        assert_eq!(Failure::of_all([&skipped, &thrown, &skipped]), Some(Failure::Refused));
        let internal = Error::internal("row {secret: 'hunter2'} is wrong".to_owned());
        assert_eq!(Failure::of_all([&skipped, &internal]), Some(Failure::Unavailable("Internal")));
        assert_eq!(Failure::of_all([]), None);
    }

    #[test]
    fn conflicts_are_known_with_and_without_a_kind() {
        let structured = Error::query("x".to_owned(), QueryError::TransactionConflict);
        let text = Error::internal("Transaction conflict: x. This transaction can be retried".to_owned());
        assert_eq!(Failure::of(&structured), Failure::Contended);
        assert_eq!(Failure::of(&text), Failure::Contended);
        let index = Error::internal("Database index `i` already contains 'a', with record `t:1`".to_owned());
        assert_eq!(Failure::of(&index), Failure::Exists);
    }

    #[test]
    fn no_text_of_the_database_goes_on() {
        let error = Error::internal("Found 'hunter2' for field `secret_hash`".to_owned());
        let reported = RepositoryError::from(Failure::of(&error)).to_string();
        assert_eq!(reported, "the database is not available: Internal");
    }
}
