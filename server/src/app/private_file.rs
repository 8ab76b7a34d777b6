//! Secrets in files, and the directory that the server's own are in. Neither may be another user's to choose.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use secrecy::{ExposeSecret, SecretString};

/// A secret from a file, without the line end. The file must be this user's or root's, and nobody else may be able
/// to change it.
pub(super) fn read(path: &Path) -> Result<SecretString> {
    let shown = path.display();
    let mut file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
    let about = file.metadata()?;
    ensure!(
        [0, own_user()?].contains(&about.uid()) && about.mode() & 0o022 == 0,
        "{shown} holds a secret, and another user owns it or can change it: chown it to this user and chmod 600 it"
    );
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("{shown} cannot be read"))?;
    let secret = SecretString::from(text.trim_end_matches(['\r', '\n']));
    ensure!(!secret.expose_secret().is_empty(), "{shown} is empty");
    Ok(secret)
}

/// Writes a secret to a new file that only this user can read, durably.
pub(super) fn write(path: &Path, secret: &SecretString) -> Result<()> {
    let temporary = path.with_extension("new");
    // What a killed start left; `create_new` below follows no link that somebody puts there instead.
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(secret.expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    let directory = path.parent().context("a file has a directory")?;
    Ok(File::open(directory)?.sync_all()?)
}

/// Makes the directory with its parents, for this user alone. One that is there must be this user's.
pub(super) fn make_directory(path: &Path) -> Result<()> {
    let shown = path.display();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("the directory {shown} cannot be made"))?;
    ensure!(
        fs::metadata(path)?.uid() == own_user()?,
        "the directory {shown} is another user's: chown it to this user, or set another data_dir"
    );
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .with_context(|| format!("the directory {shown} cannot be closed to other users"))
}

/// The user that this process acts as.
fn own_user() -> Result<u32> {
    Ok(fs::metadata("/proc/self")?.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_back_without_their_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write(&path, &SecretString::from("s3cret")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().expose_secret(), "s3cret");
    }

    #[test]
    fn what_others_could_have_written_is_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "planted").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(read(&path).is_err());
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(read(&path).is_ok());
        fs::write(&path, "\n").unwrap();
        assert!(read(&path).is_err());
    }

    #[test]
    fn a_directory_is_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        make_directory(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        make_directory(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    }
}
