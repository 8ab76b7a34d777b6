//! The functions of PKCS#11 2.40, as the caller sees them.

#![expect(unsafe_code, reason = "the border to C, which is what a PKCS#11 module is")]
#![expect(
    non_camel_case_types,
    non_snake_case,
    clippy::enum_variant_names,
    reason = "the names are those of the standard"
)]

use std::ffi::c_void;

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BBOOL, CK_BYTE, CK_FLAGS, CK_FUNCTION_LIST, CK_INFO, CK_MECHANISM, CK_MECHANISM_INFO,
    CK_MECHANISM_TYPE, CK_NOTIFY, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_SESSION_INFO, CK_SLOT_ID,
    CK_SLOT_INFO, CK_TOKEN_INFO, CK_ULONG, CK_USER_TYPE, CK_UTF8CHAR, CK_VERSION, CKR_ARGUMENTS_BAD,
    CKR_FUNCTION_NOT_SUPPORTED, CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID, CKR_OK,
    CKR_UNWRAPPING_KEY_HANDLE_INVALID, CKR_WRAPPING_KEY_HANDLE_INVALID,
};

use crate::{
    intercept::{Module, intercept},
    outcome::{
        Attributes, Bytes, ClosedAllSessions, ClosedSession, Finalized, Found, Initialized, KeyPair,
        NewObject, NewSession, Nothing, Random, SessionInfo, SlotEvent, SlotInfo, Slots,
    },
};

/// Declares each function: its arguments, those marked `@` being handles to translate, and what of its answer needs
/// a second look.
macro_rules! functions {
    ($($name:ident($($(@$kind:ident)? $argument:ident: $type:ty),*) $(gives $outcome:ident($($given:ident),*))?;)*) => {
        /// A function that is forwarded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Function {
            $($name),*
        }

        impl Function {
            /// In the order of the standard.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// As in the standard.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),*
                }
            }

            /// What kinds of handles it takes.
            pub(crate) const fn takes(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &[$($(stringify!($kind),)?)*]),*
                }
            }
        }

        $(unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
            let outcome = outcome!($($outcome($($given),*))?);
            // SAFETY: the caller vouches for its pointers, as the standard demands; the outcome holds no others.
            unsafe {
                intercept(Function::$name, outcome, |module| {
                    $($(let $argument = real!(module, $kind, $argument);)?)*
                    let real = module.real.functions().$name.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
                    Ok(real($($argument),*))
                })
            }
        })*

        static FUNCTIONS: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
            version: CK_VERSION { major: 2, minor: 40 },
            C_GetFunctionList: Some(C_GetFunctionList),
            $($name: Some($name)),*
        };
    };
}

macro_rules! outcome {
    () => {
        Nothing
    };
    ($outcome:ident($($given:ident),*)) => {
        $outcome($($given),*)
    };
}

/// The real module's name of what the caller names.
macro_rules! real {
    ($module:ident, slot, $slot:ident) => {
        $module.handles.real_slot($slot)?
    };
    ($module:ident, session, $session:ident) => {
        $module.handles.real_session($session)?
    };
    ($module:ident, object, $object:ident) => {
        $module.handles.real_object($object, CKR_OBJECT_HANDLE_INVALID)?
    };
    ($module:ident, key, $key:ident) => {
        $module.handles.real_object($key, CKR_KEY_HANDLE_INVALID)?
    };
    ($module:ident, wrapping_key, $key:ident) => {
        $module.handles.real_object($key, CKR_WRAPPING_KEY_HANDLE_INVALID)?
    };
    ($module:ident, unwrapping_key, $key:ident) => {
        $module.handles.real_object($key, CKR_UNWRAPPING_KEY_HANDLE_INVALID)?
    };
}

/// The way in: the list of the functions below.
///
/// # Safety
/// `list` is null or may be written to.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    if list.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    if let Err(code) = Module::loaded() {
        return code;
    }
    // SAFETY: it is not null, so the caller lets us write to it. Callers only read what it leads to.
    unsafe { *list = (&raw const FUNCTIONS).cast_mut() };
    CKR_OK
}

functions! {
    C_Initialize(arguments: *mut c_void) gives Initialized();
    C_Finalize(reserved: *mut c_void) gives Finalized();
    C_GetInfo(info: *mut CK_INFO);
    C_GetSlotList(with_token: CK_BBOOL, slots: *mut CK_SLOT_ID, count: *mut CK_ULONG)
        gives Slots(with_token, slots, count);
    C_GetSlotInfo(@slot slot: CK_SLOT_ID, info: *mut CK_SLOT_INFO) gives SlotInfo(info);
    C_GetTokenInfo(@slot slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO);
    C_GetMechanismList(@slot slot: CK_SLOT_ID, mechanisms: *mut CK_MECHANISM_TYPE, count: *mut CK_ULONG);
    C_GetMechanismInfo(@slot slot: CK_SLOT_ID, mechanism: CK_MECHANISM_TYPE, info: *mut CK_MECHANISM_INFO);
    C_InitToken(@slot slot: CK_SLOT_ID, pin: *mut CK_UTF8CHAR, pin_length: CK_ULONG, label: *mut CK_UTF8CHAR);
    C_InitPIN(@session session: CK_SESSION_HANDLE, pin: *mut CK_UTF8CHAR, pin_length: CK_ULONG);
    C_SetPIN(
        @session session: CK_SESSION_HANDLE,
        old_pin: *mut CK_UTF8CHAR,
        old_length: CK_ULONG,
        new_pin: *mut CK_UTF8CHAR,
        new_length: CK_ULONG
    );
    C_OpenSession(
        @slot slot: CK_SLOT_ID,
        flags: CK_FLAGS,
        application: *mut c_void,
        notify: CK_NOTIFY,
        session: *mut CK_SESSION_HANDLE
    ) gives NewSession(slot, session);
    C_CloseSession(@session session: CK_SESSION_HANDLE) gives ClosedSession(session);
    C_CloseAllSessions(@slot slot: CK_SLOT_ID) gives ClosedAllSessions(slot);
    C_GetSessionInfo(@session session: CK_SESSION_HANDLE, info: *mut CK_SESSION_INFO) gives SessionInfo(info);
    C_GetOperationState(@session session: CK_SESSION_HANDLE, state: *mut CK_BYTE, state_length: *mut CK_ULONG)
        gives Bytes(state, state_length);
    C_SetOperationState(
        @session session: CK_SESSION_HANDLE,
        state: *mut CK_BYTE,
        state_length: CK_ULONG,
        @key encryption_key: CK_OBJECT_HANDLE,
        @key authentication_key: CK_OBJECT_HANDLE
    );
    C_Login(
        @session session: CK_SESSION_HANDLE,
        user: CK_USER_TYPE,
        pin: *mut CK_UTF8CHAR,
        pin_length: CK_ULONG
    );
    C_Logout(@session session: CK_SESSION_HANDLE);
    C_CreateObject(
        @session session: CK_SESSION_HANDLE,
        template: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        object: *mut CK_OBJECT_HANDLE
    ) gives NewObject(object);
    C_CopyObject(
        @session session: CK_SESSION_HANDLE,
        @object object: CK_OBJECT_HANDLE,
        template: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        copy: *mut CK_OBJECT_HANDLE
    ) gives NewObject(copy);
    C_DestroyObject(@session session: CK_SESSION_HANDLE, @object object: CK_OBJECT_HANDLE);
    C_GetObjectSize(@session session: CK_SESSION_HANDLE, @object object: CK_OBJECT_HANDLE, size: *mut CK_ULONG);
    C_GetAttributeValue(
        @session session: CK_SESSION_HANDLE,
        @object object: CK_OBJECT_HANDLE,
        template: *mut CK_ATTRIBUTE,
        count: CK_ULONG
    ) gives Attributes(template, count);
    C_SetAttributeValue(
        @session session: CK_SESSION_HANDLE,
        @object object: CK_OBJECT_HANDLE,
        template: *mut CK_ATTRIBUTE,
        count: CK_ULONG
    );
    C_FindObjectsInit(@session session: CK_SESSION_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG);
    C_FindObjects(
        @session session: CK_SESSION_HANDLE,
        objects: *mut CK_OBJECT_HANDLE,
        most: CK_ULONG,
        count: *mut CK_ULONG
    ) gives Found(objects, count);
    C_FindObjectsFinal(@session session: CK_SESSION_HANDLE);
    C_EncryptInit(@session session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, @key key: CK_OBJECT_HANDLE);
    C_Encrypt(
        @session session: CK_SESSION_HANDLE,
        data: *mut CK_BYTE,
        data_length: CK_ULONG,
        encrypted: *mut CK_BYTE,
        encrypted_length: *mut CK_ULONG
    ) gives Bytes(encrypted, encrypted_length);
    C_EncryptUpdate(
        @session session: CK_SESSION_HANDLE,
        part: *mut CK_BYTE,
        part_length: CK_ULONG,
        encrypted: *mut CK_BYTE,
        encrypted_length: *mut CK_ULONG
    ) gives Bytes(encrypted, encrypted_length);
    C_EncryptFinal(@session session: CK_SESSION_HANDLE, last: *mut CK_BYTE, last_length: *mut CK_ULONG)
        gives Bytes(last, last_length);
    C_DecryptInit(@session session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, @key key: CK_OBJECT_HANDLE);
    C_Decrypt(
        @session session: CK_SESSION_HANDLE,
        encrypted: *mut CK_BYTE,
        encrypted_length: CK_ULONG,
        data: *mut CK_BYTE,
        data_length: *mut CK_ULONG
    ) gives Bytes(data, data_length);
    C_DecryptUpdate(
        @session session: CK_SESSION_HANDLE,
        encrypted: *mut CK_BYTE,
        encrypted_length: CK_ULONG,
        part: *mut CK_BYTE,
        part_length: *mut CK_ULONG
    ) gives Bytes(part, part_length);
    C_DecryptFinal(@session session: CK_SESSION_HANDLE, last: *mut CK_BYTE, last_length: *mut CK_ULONG)
        gives Bytes(last, last_length);
    C_DigestInit(@session session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM);
    C_Digest(
        @session session: CK_SESSION_HANDLE,
        data: *mut CK_BYTE,
        data_length: CK_ULONG,
        digest: *mut CK_BYTE,
        digest_length: *mut CK_ULONG
    ) gives Bytes(digest, digest_length);
    C_DigestUpdate(@session session: CK_SESSION_HANDLE, part: *mut CK_BYTE, part_length: CK_ULONG);
    C_DigestKey(@session session: CK_SESSION_HANDLE, @key key: CK_OBJECT_HANDLE);
    C_DigestFinal(@session session: CK_SESSION_HANDLE, digest: *mut CK_BYTE, digest_length: *mut CK_ULONG)
        gives Bytes(digest, digest_length);
    C_SignInit(@session session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, @key key: CK_OBJECT_HANDLE);
    C_Sign(
        @session session: CK_SESSION_HANDLE,
        data: *mut CK_BYTE,
        data_length: CK_ULONG,
        signature: *mut CK_BYTE,
        signature_length: *mut CK_ULONG
    ) gives Bytes(signature, signature_length);
    C_SignUpdate(@session session: CK_SESSION_HANDLE, part: *mut CK_BYTE, part_length: CK_ULONG);
    C_SignFinal(@session session: CK_SESSION_HANDLE, signature: *mut CK_BYTE, signature_length: *mut CK_ULONG)
        gives Bytes(signature, signature_length);
    C_SignRecoverInit(@session session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, @key key: CK_OBJECT_HANDLE);
    C_SignRecover(
        @session session: CK_SESSION_HANDLE,
        data: *mut CK_BYTE,
        data_length: CK_ULONG,
        signature: *mut CK_BYTE,
        signature_length: *mut CK_ULONG
    ) gives Bytes(signature, signature_length);
    C_VerifyInit(@session session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, @key key: CK_OBJECT_HANDLE);
    C_Verify(
        @session session: CK_SESSION_HANDLE,
        data: *mut CK_BYTE,
        data_length: CK_ULONG,
        signature: *mut CK_BYTE,
        signature_length: CK_ULONG
    );
    C_VerifyUpdate(@session session: CK_SESSION_HANDLE, part: *mut CK_BYTE, part_length: CK_ULONG);
    C_VerifyFinal(@session session: CK_SESSION_HANDLE, signature: *mut CK_BYTE, signature_length: CK_ULONG);
    C_VerifyRecoverInit(@session session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, @key key: CK_OBJECT_HANDLE);
    C_VerifyRecover(
        @session session: CK_SESSION_HANDLE,
        signature: *mut CK_BYTE,
        signature_length: CK_ULONG,
        data: *mut CK_BYTE,
        data_length: *mut CK_ULONG
    ) gives Bytes(data, data_length);
    C_DigestEncryptUpdate(
        @session session: CK_SESSION_HANDLE,
        part: *mut CK_BYTE,
        part_length: CK_ULONG,
        encrypted: *mut CK_BYTE,
        encrypted_length: *mut CK_ULONG
    ) gives Bytes(encrypted, encrypted_length);
    C_DecryptDigestUpdate(
        @session session: CK_SESSION_HANDLE,
        encrypted: *mut CK_BYTE,
        encrypted_length: CK_ULONG,
        part: *mut CK_BYTE,
        part_length: *mut CK_ULONG
    ) gives Bytes(part, part_length);
    C_SignEncryptUpdate(
        @session session: CK_SESSION_HANDLE,
        part: *mut CK_BYTE,
        part_length: CK_ULONG,
        encrypted: *mut CK_BYTE,
        encrypted_length: *mut CK_ULONG
    ) gives Bytes(encrypted, encrypted_length);
    C_DecryptVerifyUpdate(
        @session session: CK_SESSION_HANDLE,
        encrypted: *mut CK_BYTE,
        encrypted_length: CK_ULONG,
        part: *mut CK_BYTE,
        part_length: *mut CK_ULONG
    ) gives Bytes(part, part_length);
    C_GenerateKey(
        @session session: CK_SESSION_HANDLE,
        mechanism: *mut CK_MECHANISM,
        template: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        key: *mut CK_OBJECT_HANDLE
    ) gives NewObject(key);
    C_GenerateKeyPair(
        @session session: CK_SESSION_HANDLE,
        mechanism: *mut CK_MECHANISM,
        public_template: *mut CK_ATTRIBUTE,
        public_count: CK_ULONG,
        private_template: *mut CK_ATTRIBUTE,
        private_count: CK_ULONG,
        public_key: *mut CK_OBJECT_HANDLE,
        private_key: *mut CK_OBJECT_HANDLE
    ) gives KeyPair(public_key, private_key);
    C_WrapKey(
        @session session: CK_SESSION_HANDLE,
        mechanism: *mut CK_MECHANISM,
        @wrapping_key wrapping_key: CK_OBJECT_HANDLE,
        @key key: CK_OBJECT_HANDLE,
        wrapped: *mut CK_BYTE,
        wrapped_length: *mut CK_ULONG
    ) gives Bytes(wrapped, wrapped_length);
    C_UnwrapKey(
        @session session: CK_SESSION_HANDLE,
        mechanism: *mut CK_MECHANISM,
        @unwrapping_key unwrapping_key: CK_OBJECT_HANDLE,
        wrapped: *mut CK_BYTE,
        wrapped_length: CK_ULONG,
        template: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        key: *mut CK_OBJECT_HANDLE
    ) gives NewObject(key);
    C_DeriveKey(
        @session session: CK_SESSION_HANDLE,
        mechanism: *mut CK_MECHANISM,
        @key base_key: CK_OBJECT_HANDLE,
        template: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        key: *mut CK_OBJECT_HANDLE
    ) gives NewObject(key);
    C_SeedRandom(@session session: CK_SESSION_HANDLE, seed: *mut CK_BYTE, seed_length: CK_ULONG);
    C_GenerateRandom(@session session: CK_SESSION_HANDLE, random: *mut CK_BYTE, length: CK_ULONG)
        gives Random(random, length);
    C_GetFunctionStatus(@session session: CK_SESSION_HANDLE);
    C_CancelFunction(@session session: CK_SESSION_HANDLE);
    C_WaitForSlotEvent(flags: CK_FLAGS, slot: *mut CK_SLOT_ID, reserved: *mut c_void) gives SlotEvent(slot);
}
