//! The database's address, and what is safe to open under it.

use std::{
    fs::{DirBuilder, Permissions},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::error::ConnectError;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// In this process, in memory: gone with it.
    Memory,
    /// In this process, in files under this directory.
    Directory(PathBuf),
    /// In a server of its own, by WebSocket.
    Remote {
        /// `ws://HOST[:PORT]` or `wss://HOST[:PORT]`.
        url: String,
        /// Whether by TLS.
        tls: bool,
    },
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        let (scheme, rest) = url.split_once("://").ok_or(ConnectError::Url)?;
        match scheme {
            "mem" if rest.is_empty() => Ok(Self::Memory),
            "surrealkv" => {
                let (path, parameters) = rest.split_once('?').unwrap_or((rest, "sync=every"));
                if path.is_empty() {
                    return Err(ConnectError::Url);
                }
                // SurrealDB takes any other value, or a misspelt name, without a word.
                if parameters != "sync=every" {
                    return Err(ConnectError::Parameter);
                }
                let path = std::path::absolute(path).map_err(|_| ConnectError::Url)?;
                Ok(Self::Directory(path))
            }
            "ws" | "wss" => {
                let host = rest.strip_suffix('/').unwrap_or(rest);
                let fits = !host.is_empty()
                    && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
                if !fits {
                    return Err(ConnectError::Url);
                }
                Ok(Self::Remote { url: format!("{scheme}://{host}"), tls: scheme == "wss" })
            }
            _ => Err(ConnectError::Url),
        }
    }
}

/// What SurrealDB opens `directory` by, synchronized on every commit.
pub(super) fn embedded_path(directory: &Path) -> Result<String, ConnectError> {
    let path = directory.to_str().ok_or(ConnectError::Url)?;
    Ok(format!("surrealkv://{path}?sync=every"))
}

/// Makes `directory` exist, and private: an embedded database knows no users.
pub(super) fn make_private(directory: &Path) -> Result<(), ConnectError> {
    let failed = |source| ConnectError::Directory { path: directory.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    std::fs::set_permissions(directory, Permissions::from_mode(0o700)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_addresses_are_taken() {
        assert_eq!(Endpoint::parse("mem://").unwrap(), Endpoint::Memory);
        assert_eq!(Endpoint::parse("surrealkv:///a/b").unwrap(), Endpoint::Directory("/a/b".into()));
        assert_eq!(
            Endpoint::parse("surrealkv:///a/b?sync=every").unwrap(),
            Endpoint::Directory("/a/b".into())
        );
        let remote = |url: &str, tls| Endpoint::Remote { url: url.to_owned(), tls };
        assert_eq!(Endpoint::parse("ws://[::1]:8000/").unwrap(), remote("ws://[::1]:8000", false));
        assert_eq!(Endpoint::parse("wss://db.example").unwrap(), remote("wss://db.example", true));
    }

    #[test]
    fn a_relative_directory_is_made_absolute() {
        let Endpoint::Directory(path) = Endpoint::parse("surrealkv://~/db").unwrap() else {
            panic!("a directory")
        };
        assert!(path.is_absolute() && path.ends_with("~/db"));
    }

    #[test]
    fn other_addresses_are_refused() {
        for url in [
            "",
            "db",
            "mem:///tmp/db",
            "memory",
            "surrealkv://",
            "surrealkv:db",
            "rocksdb:///db",
            "http://db:8000",
            "tikv://db",
            "ws://",
            "ws://user:secret@db",
            "ws://db/rpc",
            "wss://db?sync=never",
            "SURREALKV:///db",
        ] {
            assert!(matches!(Endpoint::parse(url), Err(ConnectError::Url)), "{url}");
        }
    }

    #[test]
    fn other_ways_to_synchronize_are_refused() {
        for parameters in [
            "sync=never",
            "sync=1s",
            "sync=EVERY",
            "SYNC=every",
            "",
            "sync=every&sync=never",
            "sync=every&versioned=true",
        ] {
            let url = format!("surrealkv:///db?{parameters}");
            assert!(matches!(Endpoint::parse(&url), Err(ConnectError::Parameter)), "{url}");
        }
    }

    #[test]
    fn the_directory_is_private_even_when_it_was_not() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("a/db");
        let mode = || std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777;
        make_private(&directory).unwrap();
        assert_eq!(mode(), 0o700);
        std::fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        make_private(&directory).unwrap();
        assert_eq!(mode(), 0o700);
    }
}
