//! PKCS#11 libraries, each loaded and initialised once a process.

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString},
    fs,
    path::{Path, PathBuf},
    ptr::NonNull,
    sync::{Mutex, PoisonError},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    slot::Slot,
};

use super::{super::OpenError, return_values::describe};

/// By path. Held during whatever changes the library's list of slots, which not every library locks itself.
static LIBRARIES: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

/// What a token is chosen by.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) label: &'a str,
    /// `None`: any.
    pub(super) serial: Option<&'a str>,
}

/// The library at `module`, initialised with `argument` unless it has been before, and the slot of the one token
/// that is wanted.
///
/// # Errors
/// [`OpenError::Library`], [`OpenError::TokenNotUnique`], [`OpenError::Unavailable`].
pub(super) fn find_token(
    module: &Path,
    argument: Option<&str>,
    wanted: Wanted<'_>,
) -> Result<(Pkcs11, Slot), OpenError> {
    let mut libraries = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
    // A bare file name is searched for by the dynamic loader and does not resolve here.
    let path = fs::canonicalize(module).unwrap_or_else(|_| module.to_owned());
    let library = if let Some(library) = libraries.get(&path) {
        library.clone()
    } else {
        let library = load(&path, argument)?;
        libraries.insert(path, library.clone());
        library
    };
    let slot = slot_of(&library, wanted)?;
    Ok((library, slot))
}

fn load(path: &Path, argument: Option<&str>) -> Result<Pkcs11, OpenError> {
    let unusable = |reason: String| OpenError::Library { module: path.to_owned(), reason };
    let library = Pkcs11::new(path).map_err(|error| unusable(describe(&error)))?;
    let argument = argument.map(CString::new).transpose();
    let argument =
        argument.map_err(|_| unusable("the argument of C_Initialize has a zero in it".to_owned()))?;
    match initialize(&library, argument.as_deref()) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(library),
        Err(error) => Err(unusable(describe(&error))),
    }
}

#[expect(unsafe_code, reason = "pReserved is an untyped pointer")]
fn initialize(library: &Pkcs11, argument: Option<&CStr>) -> Result<(), Error> {
    let flags = CInitializeFlags::OS_LOCKING_OK;
    library.initialize(match argument {
        None => CInitializeArgs::new(flags),
        // SAFETY: libraries that take anything in pReserved take a text that ends with a zero, to be read during
        // the call and not to be changed; it outlives the call, for which alone these arguments are made.
        Some(text) => unsafe { CInitializeArgs::new_with_reserved(flags, NonNull::from(text).cast()) },
    })
}

fn slot_of(library: &Pkcs11, wanted: Wanted<'_>) -> Result<Slot, OpenError> {
    let slots = library.get_slots_with_token().map_err(|error| OpenError::Unavailable(describe(&error)))?;
    let tokens: Vec<Shown> = slots
        .into_iter()
        .filter_map(|slot| Some((slot, library.get_token_info(slot).ok()?)))
        .filter(|(_, info)| info.token_initialized())
        .map(|(slot, info)| Shown {
            slot,
            label: info.label().to_owned(),
            serial: info.serial_number().to_owned(),
        })
        .collect();
    choose(&tokens, wanted)
}

/// A token that the library shows.
struct Shown {
    slot: Slot,
    label: String,
    serial: String,
}

fn choose(tokens: &[Shown], wanted: Wanted<'_>) -> Result<Slot, OpenError> {
    let is_wanted = |token: &&Shown| {
        token.label == wanted.label && wanted.serial.is_none_or(|serial| token.serial == serial)
    };
    let matching: Vec<Slot> = tokens.iter().filter(is_wanted).map(|token| token.slot).collect();
    match matching.as_slice() {
        [slot] => Ok(*slot),
        several_or_none => Err(OpenError::TokenNotUnique {
            label: wanted.label.to_owned(),
            serial: wanted.serial.map(str::to_owned),
            matching: several_or_none.len(),
            present: tokens.len(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Vec<Shown> {
        [(7_u64, "kunji", "a"), (8, "other", "b"), (9, "twice", "c"), (10, "twice", "d")]
            .map(|(slot, label, serial)| Shown {
                slot: Slot::try_from(slot).unwrap(),
                label: label.to_owned(),
                serial: serial.to_owned(),
            })
            .into()
    }

    #[test]
    fn a_label_must_name_one_token() {
        let chosen = |label| choose(&tokens(), Wanted { label, serial: None });
        assert_eq!(chosen("kunji").unwrap().id(), 7);
        for (label, expected) in [("none", 0), ("twice", 2), ("kunj", 0)] {
            let Err(OpenError::TokenNotUnique { matching, present: 4, .. }) = chosen(label) else {
                panic!("{label}");
            };
            assert_eq!(matching, expected);
        }
    }

    #[test]
    fn a_serial_number_tells_tokens_of_one_label_apart() {
        let chosen = |label, serial| choose(&tokens(), Wanted { label, serial: Some(serial) });
        assert_eq!(chosen("twice", "d").unwrap().id(), 10);
        let error = chosen("kunji", "d").unwrap_err().to_string();
        assert!(error.contains("\"kunji\" and the serial number \"d\""), "{error}");
    }
}
