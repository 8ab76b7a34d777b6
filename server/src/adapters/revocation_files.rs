//! Revocation lists in the files of a directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    domain::{
        revocation_list::{LIST_MAX_BYTES, RevocationList, RevocationListError},
        time::Timestamp,
    },
    ports::{clock::Clock, revocation_lists::RevocationLists},
};

/// How long what was read counts, in seconds.
const KEPT_SECONDS: i64 = 60;
/// Most files.
const FILES_MAX: usize = 1_000;
/// Most bytes of all files together.
const TOTAL_MAX_BYTES: u64 = 64 << 20;

/// Why the lists are not read.
#[derive(Debug, thiserror::Error)]
pub enum RevocationFilesError {
    /// The directory or a file.
    #[error("{0} cannot be read")]
    Unreadable(PathBuf, #[source] io::Error),
    /// A file is no list that is used here.
    #[error("{0} cannot be used")]
    Unusable(PathBuf, #[source] RevocationListError),
    /// Too much of it.
    #[error("{0} has more than {FILES_MAX} files or {TOTAL_MAX_BYTES} bytes")]
    TooMuch(PathBuf),
}

/// The lists of a directory: one in each file, DER or PEM; files whose names begin with a dot do not count.
pub struct RevocationFiles {
    directory: PathBuf,
    clock: Arc<dyn Clock>,
    read: Mutex<Read>,
}

struct Read {
    at: Timestamp,
    lists: Arc<Vec<RevocationList>>,
}

impl RevocationFiles {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// [`RevocationFilesError`].
    pub fn open(directory: PathBuf, clock: Arc<dyn Clock>) -> Result<Self, RevocationFilesError> {
        let read = Mutex::new(Read { at: clock.now(), lists: Arc::new(read_all(&directory)?) });
        Ok(Self { directory, clock, read })
    }
}

impl RevocationLists for RevocationFiles {
    fn current(&self) -> Arc<Vec<RevocationList>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if now < read.at || now >= read.at.plus_seconds(KEPT_SECONDS) {
            read.at = now;
            match read_all(&self.directory) {
                Ok(lists) => read.lists = Arc::new(lists),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "revocation lists could not be read again; those of before count");
                }
            }
        }
        Arc::clone(&read.lists)
    }
}

fn read_all(directory: &Path) -> Result<Vec<RevocationList>, RevocationFilesError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| RevocationFilesError::Unreadable(path, error)
    };
    let too_much = || RevocationFilesError::TooMuch(directory.to_owned());
    let (mut lists, mut room) = (Vec::new(), TOTAL_MAX_BYTES);
    for entry in fs::read_dir(directory).map_err(unreadable(directory))? {
        let path = entry.map_err(unreadable(directory))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        let unusable = |error| RevocationFilesError::Unusable(path.clone(), error);
        let size = fs::metadata(&path).map_err(unreadable(&path))?.len();
        if size > LIST_MAX_BYTES as u64 {
            return Err(unusable(RevocationListError::TooLarge));
        }
        room = room.checked_sub(size).filter(|_| lists.len() < FILES_MAX).ok_or_else(too_much)?;
        let bytes = fs::read(&path).map_err(unreadable(&path))?;
        lists.push(RevocationList::read(&bytes).map_err(unusable)?);
    }
    Ok(RevocationList::newest_of(lists))
}
