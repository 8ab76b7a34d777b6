//! Directories of the server that no other user may look into.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

const OWNER_ONLY: u32 = 0o700;

/// Makes `directory`, if it is not there, closes it to other users and makes its entry durable. Its parent must be
/// there.
///
/// # Errors
/// The operating system's.
pub(super) fn ensure(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(OWNER_ONLY).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // The mode of a directory that was there already, or that the umask changed.
    fs::set_permissions(directory, Permissions::from_mode(OWNER_ONLY))?;
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync(parent),
        _ => Ok(()),
    }
}

/// Makes the directory's entries durable.
///
/// # Errors
/// The operating system's.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
