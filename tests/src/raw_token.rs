//! A token by the bare library, past any adapter.

use std::{
    path::{Path, PathBuf},
    ptr,
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    session::Session,
    slot::Slot,
};

/// A token by the bare library.
#[derive(Debug)]
pub struct RawToken {
    /// The library.
    pub library: Pkcs11,
    /// The token's slot.
    pub slot: Slot,
    /// A session, logged in as long as anybody is.
    pub session: Session,
    module: PathBuf,
}

impl RawToken {
    /// The token with this label, over the library instance that an adapter has initialised.
    pub fn open(module: &Path, label: &str) -> Self {
        let library = Pkcs11::new(module).unwrap();
        let again = library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        assert!(again.is_err(), "an adapter has initialised this library");
        let slots = library.get_slots_with_token().unwrap();
        let ours = |slot: &Slot| library.get_token_info(*slot).unwrap().label() == label;
        let slot = slots.into_iter().find(ours).unwrap();
        let session = library.open_rw_session(slot).unwrap();
        Self { library, slot, session, module: module.to_owned() }
    }

    /// Closes every session with the token that this process has, which also logs it out.
    pub fn close_all_sessions(self) {
        let Self { slot, session, module, .. } = self;
        session.close().unwrap();
        close_all_sessions(&module, slot);
    }
}

#[expect(unsafe_code, reason = "C_CloseAllSessions is not among the calls that cryptoki wraps")]
fn close_all_sessions(module: &Path, slot: Slot) {
    // SAFETY: the library is loaded and initialised already, so this only counts one more user of it. It fills in a
    // pointer to its table of functions, which lives as long as it does, and the function takes nothing but a number.
    let returned = unsafe {
        let library = cryptoki_sys::Pkcs11::new(module).unwrap();
        let mut functions = ptr::null_mut();
        assert_eq!(library.C_GetFunctionList(&raw mut functions), cryptoki_sys::CKR_OK);
        (*functions).C_CloseAllSessions.unwrap()(slot.into())
    };
    assert_eq!(returned, cryptoki_sys::CKR_OK);
}
