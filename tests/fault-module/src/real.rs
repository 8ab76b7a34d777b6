//! The real module.

#![expect(unsafe_code, reason = "functions of a library in C are called")]

use std::{path::Path, ptr};

use cryptoki_sys::{CK_C_GetFunctionList, CK_FUNCTION_LIST, CK_OBJECT_HANDLE, CK_SLOT_ID, CKR_OK};
use libloading::Library;

/// A loaded module.
pub(crate) struct Real {
    functions: CK_FUNCTION_LIST,
    /// Keeps what `functions` points to where it is.
    _library: Library,
}

impl Real {
    /// Loads it; nothing of it is initialised.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let fault = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        // SAFETY: a PKCS#11 module is made to be loaded into a program.
        let library = unsafe { Library::new(path) }.map_err(|error| fault(&error))?;
        // SAFETY: the standard gives the function of this name this type; a null is a `None`.
        let entry = unsafe { library.get::<CK_C_GetFunctionList>(b"C_GetFunctionList\0") };
        let entry = entry.map_err(|error| fault(&error))?.ok_or_else(|| fault(&"no C_GetFunctionList"))?;
        let mut list: *mut CK_FUNCTION_LIST = ptr::null_mut();
        // SAFETY: it writes one pointer, to where there is room for one.
        let returned = unsafe { entry(&raw mut list) };
        if returned != CKR_OK || list.is_null() {
            return Err(fault(&format!("C_GetFunctionList gave {returned:#x}")));
        }
        // SAFETY: the module has just given this address for its list, which lives as long as the module.
        let functions = unsafe { *list };
        Ok(Self { functions, _library: library })
    }

    /// Its functions.
    pub(crate) fn functions(&self) -> &CK_FUNCTION_LIST {
        &self.functions
    }

    /// Closes every session with this slot; without sessions nothing happens.
    pub(crate) fn close_all_sessions(&self, slot: CK_SLOT_ID) {
        if let Some(close) = self.functions.C_CloseAllSessions {
            // SAFETY: it takes nothing but a number.
            unsafe { close(slot) };
        }
    }

    /// Logs this session's user out; nothing happens where nobody is logged in.
    pub(crate) fn log_out(&self, session: CK_OBJECT_HANDLE) {
        if let Some(log_out) = self.functions.C_Logout {
            // SAFETY: it takes nothing but a number.
            unsafe { log_out(session) };
        }
    }
}
