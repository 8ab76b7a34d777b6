//! Temporary files for ciphertext that does not fit in memory.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::private_directory;
use crate::ports::spool::Spool;

/// [`Spool`] in `<data directory>/spool`.
///
/// The files have no name (`O_TMPFILE`; on file systems without it they are unlinked as soon as they are open,
/// still empty), in a directory of mode 0700. The system frees them when the last descriptor goes, however the
/// process ends.
#[derive(Debug)]
pub struct FileSpool {
    directory: PathBuf,
}

impl FileSpool {
    /// Makes the directory, if it is not there, and readies it for this user only.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new(data_dir: &Path) -> io::Result<Self> {
        let directory = data_dir.join("spool");
        private_directory::ensure(&directory)?;
        Ok(Self { directory })
    }
}

impl Spool for FileSpool {
    fn open(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.directory)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{Read as _, Seek as _, Write as _},
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    };

    use super::*;

    #[test]
    fn files_hold_what_is_written_and_have_no_name() {
        let data = tempfile::tempdir().unwrap();
        let spool = FileSpool::new(data.path()).unwrap();
        let (mut one, mut other) = (spool.open().unwrap(), spool.open().unwrap());
        one.write_all(b"one").unwrap();
        other.write_all(b"other").unwrap();
        one.rewind().unwrap();
        let mut text = String::new();
        one.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one");

        assert_eq!(one.metadata().unwrap().nlink(), 0);
        assert_eq!(fs::read_dir(data.path().join("spool")).unwrap().count(), 0);
    }

    #[test]
    fn directory_is_for_this_user_only_also_when_it_was_open_to_others() {
        let data = tempfile::tempdir().unwrap();
        let directory = data.path().join("spool");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        FileSpool::new(data.path()).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
    }
}
