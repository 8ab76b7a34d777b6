//! A throw-away token of a library that learns where its tokens are when it is initialised, by the text in
//! `pReserved`.
//!
//! So all tokens of a process are made at once, before an adapter uses the library with that text.

use std::{
    ffi::CString,
    fs,
    path::{Path, PathBuf},
    ptr::NonNull,
    sync::Arc,
    time::Duration,
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    session::UserType,
    slot::Slot,
};
use kunji_server::adapters::pkcs11::{Isolation, OpenError, PinSource, Pkcs11KeyStore, Pkcs11Settings};
use secrecy::SecretString;

use crate::{raw_token::RawToken, scratch, site::Site};

/// User PIN of every token made here.
pub const PIN: &str = "correct-horse-1876";

/// A token of our own.
#[derive(Debug)]
pub struct Token {
    /// Its label, unlike any other's of this process.
    pub label: String,
    /// What the library must be initialised with. The same for all tokens of a process.
    pub initialize_argument: Arc<str>,
    module: PathBuf,
    directory: PathBuf,
}

impl Token {
    /// Makes `count` tokens: `describe` says, for the library, which labels have which directories; `set_up` gives the
    /// empty token in a slot, by the library so initialised, the label and [`PIN`].
    ///
    /// Once a process, and before anything else uses the library, which is left as if it had not been used.
    pub fn create_all(
        module: &Path,
        count: usize,
        describe: impl FnOnce(&Path, &[(String, PathBuf)]) -> String,
        set_up: impl Fn(&Pkcs11, Slot, &str),
    ) -> Vec<Self> {
        let parent = scratch::directory();
        let place = |number: usize| (format!("contract-{number}"), parent.join(number.to_string()));
        let places: Vec<_> = (0..count).map(place).collect();
        for (_, directory) in &places {
            fs::create_dir(directory).unwrap();
        }
        let argument: Arc<str> = describe(&parent, &places).into();
        let library = initialize(module, &argument);
        let slots = library.get_all_slots().unwrap();
        assert_eq!(slots.len(), count);
        for (slot, (label, _)) in slots.into_iter().zip(&places) {
            set_up(&library, slot, label);
        }
        library.finalize().unwrap();
        let token = |(label, directory)| Self {
            label,
            initialize_argument: Arc::clone(&argument),
            module: module.to_owned(),
            directory,
        };
        places.into_iter().map(token).collect()
    }

    /// Settings to open it with: two workers, room for 1024 calls, and time enough for a busy machine.
    pub fn settings(&self) -> Pkcs11Settings {
        Pkcs11Settings {
            name: self.label.clone(),
            module: self.module.clone(),
            initialize_argument: Some(self.initialize_argument.to_string()),
            token_label: self.label.clone(),
            token_serial: None,
            pin: PinSource::fixed(SecretString::from(PIN)),
            isolation: Isolation::None,
            workers: 2,
            queue: 1024,
            deadline: Duration::from_mins(1),
            wrapping: None,
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// As [`Pkcs11KeyStore::open`].
    pub async fn open(&self) -> Result<Pkcs11KeyStore, OpenError> {
        Pkcs11KeyStore::open(self.settings()).await
    }

    /// The token without an adapter in front of it, over the library instance that `_store` has initialised.
    pub fn raw(&self, _store: &Pkcs11KeyStore) -> RawToken {
        RawToken::open(&self.module, &self.label)
    }

    /// A place for a server that uses this token.
    pub fn site(&self) -> Site {
        let pin = self.directory.join("pin");
        fs::write(&pin, PIN).unwrap();
        Site::new()
            .with("KUNJI_PKCS11_MODULE", text(&self.module))
            .with("KUNJI_PKCS11_INITIALIZE_ARGUMENT", &*self.initialize_argument)
            .with("KUNJI_PKCS11_TOKEN_LABEL", &self.label)
            .with("KUNJI_PKCS11_PIN_FILE", text(&pin))
    }
}

/// Gives a token its user PIN, as the security officer.
pub fn set_pin(library: &Pkcs11, slot: Slot, so_pin: &str) {
    let session = library.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&SecretString::from(so_pin))).unwrap();
    session.init_pin(&SecretString::from(PIN)).unwrap();
}

/// A path as the texts of libraries have it.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("no test runs in a path that is not UTF-8")
}

#[expect(unsafe_code, reason = "pReserved is an untyped pointer")]
fn initialize(module: &Path, argument: &str) -> Pkcs11 {
    let library = Pkcs11::new(module).unwrap();
    let (flags, text) = (CInitializeFlags::OS_LOCKING_OK, CString::new(argument).unwrap());
    // SAFETY: both libraries take a text that ends with a zero there and read it during the call, which it outlives.
    let arguments =
        unsafe { CInitializeArgs::new_with_reserved(flags, NonNull::from(text.as_c_str()).cast()) };
    library.initialize(arguments).unwrap();
    library
}
