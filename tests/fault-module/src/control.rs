//! The control file, read again whenever it has changed.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{intercept::complain, rules::Script};

/// More than any script; a file that is larger is a mistake.
const MAX_BYTES: u64 = 1 << 20;

/// The file and what it last said.
#[derive(Debug)]
pub(crate) struct Control {
    path: Option<PathBuf>,
    seen: RwLock<Seen>,
}

#[derive(Debug)]
struct Seen {
    version: Option<Version>,
    /// `None`: the file cannot be read or understood.
    script: Option<Arc<Script>>,
}

/// Tells one content of the file from the next, as long as writers replace the file (another inode) or change its
/// length or its times.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Control {
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path, seen: RwLock::new(Seen { version: None, script: Some(Arc::default()) }) }
    }

    /// The rules now: none while there is no file, `None` while it is wrong. Counts of calls begin anew with each
    /// version of the file.
    pub(crate) fn script(&self) -> Option<Arc<Script>> {
        let Some(path) = &self.path else {
            return Some(Arc::default());
        };
        let version = fs::metadata(path).ok().map(|metadata| Version::of(&metadata));
        {
            let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
            if seen.version == version {
                return seen.script.clone();
            }
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have read this version meanwhile, and calls may have been counted since.
        if seen.version != version {
            match read(path) {
                Ok((version, text)) => {
                    let script = Script::parse(&text);
                    let script = script.map_err(|fault| complain(&format!("{}: {fault}", path.display())));
                    *seen = Seen { version: Some(version), script: script.ok().map(Arc::new) };
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    *seen = Seen { version: None, script: Some(Arc::default()) };
                }
                Err(error) => {
                    complain(&format!("{}: {error}", path.display()));
                    *seen = Seen { version, script: None };
                }
            }
        }
        seen.script.clone()
    }
}

/// The version is that of the text, whatever has taken the file's place since.
fn read(path: &PathBuf) -> io::Result<(Version, String)> {
    let file = File::open(path)?;
    let version = Version::of(&file.metadata()?);
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok((version, text))
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
