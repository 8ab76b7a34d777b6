//! How often each function was called, in a file that is right at every moment, and after a crash too.
//!
//! One file for each process, named by its id: a line of [`LINE_BYTES`] bytes for each function and one for the open
//! sessions, each overwritten in place.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    process,
    sync::{Mutex, PoisonError},
};

use crate::functions::Function;

const NAME_BYTES: usize = 24;
const DIGITS: usize = 15;
/// The name, the digits, and the end of the line.
const LINE_BYTES: usize = NAME_BYTES + DIGITS + 1;
/// The name of the line after those of the functions.
const SESSIONS: &str = "sessions";

/// The counters of this process.
#[derive(Debug)]
pub(crate) struct Counters(Option<Recorder>);

#[derive(Debug)]
struct Recorder {
    file: File,
    calls: Vec<Mutex<u64>>,
}

impl Counters {
    /// Counters that nobody wants to see.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// All zero, in a new file in `directory`.
    pub(crate) fn in_directory(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let names = Function::ALL.iter().map(|function| function.name()).chain([SESSIONS]);
        let text: String = names.map(|name| line(name, 0)).collect();
        // Written at once, so that no reader sees half of it.
        let path = directory.join(process::id().to_string());
        let draft = path.with_extension("new");
        fs::write(&draft, text)?;
        fs::rename(&draft, &path)?;
        let file = File::options().write(true).open(&path)?;
        let calls = Function::ALL.iter().map(|_| Mutex::new(0)).collect();
        Ok(Self(Some(Recorder { file, calls })))
    }

    /// One call more.
    pub(crate) fn count(&self, function: Function) {
        let Some(recorder) = &self.0 else { return };
        let index = function as usize;
        if let Some(calls) = recorder.calls.get(index) {
            // Held while writing, so that a smaller number never comes after a greater one.
            let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
            *calls += 1;
            recorder.write(index, function.name(), *calls);
        }
    }

    /// Sessions that the caller has open. Calls of this must not overlap.
    pub(crate) fn set_sessions(&self, open: usize) {
        if let Some(recorder) = &self.0 {
            recorder.write(Function::ALL.len(), SESSIONS, u64::try_from(open).unwrap_or(u64::MAX));
        }
    }
}

impl Recorder {
    fn write(&self, index: usize, name: &str, value: u64) {
        let at = u64::try_from(index * LINE_BYTES).unwrap_or(u64::MAX);
        // A directory that has gone with its test takes no more counts, and nobody reads them.
        let _ = self.file.write_all_at(line(name, value).as_bytes(), at);
    }
}

fn line(name: &str, value: u64) -> String {
    format!("{name:<NAME_BYTES$}{value:>DIGITS$}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_overwritten_in_place() {
        let directory = std::env::temp_dir().join(format!("kunji-counters-{}", process::id()));
        let counters = Counters::in_directory(&directory).unwrap();
        for _ in 0..12 {
            counters.count(Function::C_Sign);
        }
        counters.count(Function::C_Initialize);
        counters.set_sessions(3);
        counters.set_sessions(2);
        let text = fs::read_to_string(directory.join(process::id().to_string())).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(text.len(), LINE_BYTES * (Function::ALL.len() + 1));
        let value = |name: &str| {
            let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            lines.find(|words| words[0] == name).map(|words| words[1].to_owned()).unwrap()
        };
        assert_eq!(value("C_Sign"), "12");
        assert_eq!(value("C_Initialize"), "1");
        assert_eq!(value("C_SignInit"), "0");
        assert_eq!(value("sessions"), "2");
    }

    #[test]
    fn every_name_fits() {
        assert!(Function::ALL.iter().all(|function| function.name().len() < NAME_BYTES));
    }
}
