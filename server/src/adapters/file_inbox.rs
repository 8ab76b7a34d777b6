//! The demo's inbox, as files.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::private_directory;
use crate::{
    domain::{
        demo::{InboxEntry, PacketId},
        time::Timestamp,
    },
    ports::demo_inbox::{DemoInbox, InboxError},
};

/// The extension of files that are being written.
const UNFINISHED: &str = "new";

/// [`DemoInbox`] in `<data directory>/demo-inbox`, mode 0700: one file of mode 0600 for each packet,
/// `<milliseconds since 1970>_<id>`, so that a copy of the directory keeps the times too.
///
/// A file is written under another name, made durable, and then renamed. What a crash leaves unfinished is removed at
/// the next start. Two processes must not share a directory.
#[derive(Debug)]
pub struct FileInbox {
    directory: PathBuf,
    most: usize,
    /// Held from counting to renaming, so that uploads at once cannot pass the bound together.
    writing: Mutex<()>,
}

impl FileInbox {
    /// Makes the directory, if it is not there, and readies it for this user only. `most` packets are kept.
    ///
    /// # Errors
    /// The operating system's.
    pub fn open(data_dir: &Path, most: usize) -> io::Result<Self> {
        let directory = data_dir.join("demo-inbox");
        private_directory::ensure(&directory)?;
        for file in fs::read_dir(&directory)? {
            let path = file?.path();
            if path.extension().is_some_and(|it| it == UNFINISHED) {
                fs::remove_file(path)?;
            }
        }
        Ok(Self { directory, most, writing: Mutex::default() })
    }

    /// The packets' files. Those of other names are none of ours and do not count.
    fn files(&self) -> io::Result<Vec<(InboxEntry, PathBuf)>> {
        let mut files = Vec::new();
        for file in fs::read_dir(&self.directory)? {
            let file = file?;
            let Some((received, id)) = file.file_name().to_str().and_then(parse_name) else { continue };
            match file.metadata() {
                Ok(about) => files.push((InboxEntry { id, received, bytes: about.len() }, file.path())),
                // Somebody empties the inbox.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    fn write(&self, unfinished: &Path, path: &Path, packet: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(unfinished)?;
        file.write_all(packet)?;
        file.sync_all()?;
        fs::rename(unfinished, path)?;
        private_directory::sync(&self.directory)
    }
}

impl DemoInbox for FileInbox {
    fn store(&self, id: PacketId, received: Timestamp, packet: &[u8]) -> Result<(), InboxError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.files()?.len() >= self.most {
            return Err(InboxError::Full);
        }
        let path = self.directory.join(format!("{}_{id}", received.millis()));
        let unfinished = path.with_extension(UNFINISHED);
        self.write(&unfinished, &path, packet).inspect_err(|_| {
            // Whoever sent it is told that it is not here.
            for path in [&unfinished, &path] {
                let _ = fs::remove_file(path);
            }
        })?;
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<InboxEntry>> {
        let mut entries: Vec<_> = self.files()?.into_iter().map(|(entry, _)| entry).collect();
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse((entry.received, entry.id)));
        Ok(entries)
    }

    fn read(&self, id: PacketId) -> io::Result<Option<Vec<u8>>> {
        let Some((_, path)) = self.files()?.into_iter().find(|(entry, _)| entry.id == id) else {
            return Ok(None);
        };
        match fs::read(path) {
            Ok(packet) => Ok(Some(packet)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn parse_name(name: &str) -> Option<(Timestamp, PacketId)> {
    let (millis, id) = name.split_once('_')?;
    Some((Timestamp::from_millis(millis.parse().ok()?), PacketId::parse(id)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    fn id(byte: u8) -> PacketId {
        PacketId::from_random([byte; 16])
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn names(directory: &Path) -> Vec<String> {
        fs::read_dir(directory.join("demo-inbox"))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn packets_come_back_newest_first_also_after_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let inbox = FileInbox::open(data.path(), 10).unwrap();
        assert_eq!(inbox.list().unwrap(), []);
        // Neither the order of the names as text nor that of writing.
        for (byte, millis) in [(1, 900), (2, 10_000), (3, -5), (4, 1_000)] {
            inbox.store(id(byte), at(millis), &vec![byte; usize::from(byte)]).unwrap();
        }
        let inbox = FileInbox::open(data.path(), 10).unwrap();
        let listed = inbox.list().unwrap();
        let received: Vec<_> = listed.iter().map(|entry| (entry.received.millis(), entry.bytes)).collect();
        assert_eq!(received, [(10_000, 2), (1_000, 4), (900, 1), (-5, 3)]);
        assert_eq!(inbox.read(id(4)).unwrap().unwrap(), [4; 4]);
        assert_eq!(inbox.read(id(5)).unwrap(), None);
    }

    #[test]
    fn nobody_else_can_look() {
        let data = tempfile::tempdir().unwrap();
        let directory = data.path().join("demo-inbox");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        let inbox = FileInbox::open(data.path(), 1).unwrap();
        inbox.store(id(1), at(0), b"packet").unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        let file = directory.join(&names(data.path())[0]);
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_full_inbox_takes_nothing_and_loses_nothing() {
        let data = tempfile::tempdir().unwrap();
        let inbox = FileInbox::open(data.path(), 2).unwrap();
        inbox.store(id(1), at(1), b"one").unwrap();
        inbox.store(id(2), at(2), b"two").unwrap();
        let before = inbox.list().unwrap();
        assert!(matches!(inbox.store(id(3), at(3), b"three"), Err(InboxError::Full)));
        assert_eq!(inbox.list().unwrap(), before);
        assert_eq!(names(data.path()).len(), 2);
    }

    #[test]
    fn uploads_at_once_do_not_pass_the_bound_together() {
        let data = tempfile::tempdir().unwrap();
        let inbox = FileInbox::open(data.path(), 3).unwrap();
        let kept = std::thread::scope(|scope| {
            let store = |byte| inbox.store(id(byte), at(0), &[byte]);
            let uploads: Vec<_> = (0..12).map(|byte| scope.spawn(move || store(byte))).collect();
            uploads.into_iter().filter_map(|upload| upload.join().unwrap().ok()).count()
        });
        assert_eq!((kept, inbox.list().unwrap().len()), (3, 3));
    }

    #[test]
    fn what_a_crash_left_is_removed_and_other_files_are_left_alone() {
        let data = tempfile::tempdir().unwrap();
        let inbox = FileInbox::open(data.path(), 1).unwrap();
        let directory = data.path().join("demo-inbox");
        for name in [&format!("7_{}.new", id(7)), "note", "8_x"] {
            fs::write(directory.join(name), b"half").unwrap();
        }
        assert_eq!(inbox.list().unwrap(), [], "half a packet is none");
        let inbox = FileInbox::open(data.path(), 1).unwrap();
        let mut left = names(data.path());
        left.sort_unstable();
        assert_eq!(left, ["8_x", "note"]);
        inbox.store(id(1), at(1), b"one").unwrap();
    }

    #[test]
    fn nothing_is_seen_of_what_could_not_be_written() {
        let data = tempfile::tempdir().unwrap();
        let inbox = FileInbox::open(data.path(), 2).unwrap();
        // A directory of that name, which no file can be renamed over.
        let taken = data.path().join("demo-inbox").join(format!("1_{}", id(1)));
        fs::create_dir(&taken).unwrap();
        assert!(matches!(inbox.store(id(1), at(1), b"one"), Err(InboxError::Io(_))));
        fs::remove_dir(taken).unwrap();
        assert_eq!(names(data.path()), Vec::<String>::new());
        fs::remove_dir(data.path().join("demo-inbox")).unwrap();
        assert!(matches!(inbox.store(id(1), at(1), b"one"), Err(InboxError::Io(_))));
        assert!(inbox.list().is_err());
    }
}
