//! Where the real module, the control file and the counters are.

use std::{collections::HashMap, env, ffi::OsString, fs, path::PathBuf};

/// The real PKCS#11 module.
pub(crate) const REAL: &str = "KUNJI_TEST_FAULT_MODULE_REAL";
/// The file with the rules; need not exist.
pub(crate) const CONTROL: &str = "KUNJI_TEST_FAULT_MODULE_CONTROL";
/// The directory for one file of counters for each process.
pub(crate) const COUNTERS: &str = "KUNJI_TEST_FAULT_MODULE_COUNTERS";

/// The settings of this copy of the module.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) real: PathBuf,
    pub(crate) control: Option<PathBuf>,
    pub(crate) counters: Option<PathBuf>,
}

impl Settings {
    /// From the file beside this library that is named as it is and ends in `.env`, where there is one; from the
    /// environment otherwise.
    pub(crate) fn read() -> Result<Self, String> {
        let file = own::path().map(|mut path| {
            path.push(".env");
            PathBuf::from(path)
        });
        match file.filter(|file| file.exists()) {
            None => Self::from(|name| env::var_os(name)),
            Some(file) => {
                let text =
                    fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                let values = values(&text);
                Self::from(|name| values.get(name).map(OsString::from))
            }
        }
    }

    fn from(value: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        Ok(Self {
            real: value(REAL).ok_or_else(|| format!("{REAL} names no PKCS#11 module"))?.into(),
            control: value(CONTROL).map(PathBuf::from),
            counters: value(COUNTERS).map(PathBuf::from),
        })
    }
}

/// `NAME=VALUE`, one a line.
fn values(text: &str) -> HashMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}

mod own {
    #![expect(unsafe_code, reason = "only the dynamic loader knows where a library was loaded from")]

    use std::{
        ffi::{CStr, OsStr, OsString, c_char, c_int, c_void},
        os::unix::ffi::OsStrExt as _,
        ptr,
    };

    /// `Dl_info` of `dlfcn.h`.
    #[repr(C)]
    struct Info {
        file_name: *const c_char,
        file_base: *mut c_void,
        symbol_name: *const c_char,
        symbol: *mut c_void,
    }

    unsafe extern "C" {
        fn dladdr(address: *const c_void, info: *mut Info) -> c_int;
    }

    /// The file that this library was loaded from.
    pub(super) fn path() -> Option<OsString> {
        static HERE: u8 = 0;
        let mut info = Info {
            file_name: ptr::null(),
            file_base: ptr::null_mut(),
            symbol_name: ptr::null(),
            symbol: ptr::null_mut(),
        };
        // SAFETY: it reads no memory at the address and writes only `info`, which has the layout it expects.
        let found = unsafe { dladdr((&raw const HERE).cast(), &raw mut info) };
        if found == 0 || info.file_name.is_null() {
            return None;
        }
        // SAFETY: the loader's own string, which lives as long as this library is loaded.
        let name = unsafe { CStr::from_ptr(info.file_name) };
        Some(OsStr::from_bytes(name.to_bytes()).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_of_the_file() {
        let text = format!("{REAL}=/lib/real.so\n{CONTROL}=/tmp/a=b\n");
        let values = values(&text);
        let settings = Settings::from(|name| values.get(name).map(OsString::from)).unwrap();
        assert_eq!(settings.real, PathBuf::from("/lib/real.so"));
        assert_eq!(settings.control, Some(PathBuf::from("/tmp/a=b")));
        assert_eq!(settings.counters, None);
    }

    #[test]
    fn a_missing_real_module_is_named() {
        assert!(Settings::from(|_| None).unwrap_err().contains(REAL));
    }

    #[test]
    fn this_program_knows_its_own_file() {
        assert_eq!(
            own::path().map(PathBuf::from).unwrap().file_name(),
            env::current_exe().unwrap().file_name()
        );
    }
}
