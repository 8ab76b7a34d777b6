//! The second look at what the real module has answered: handles become the caller's, and output is bent where a rule
//! says so.

#![expect(unsafe_code, reason = "answers are in memory of the caller")]

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BBOOL, CK_BYTE, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_SESSION_INFO, CK_SLOT_ID,
    CK_SLOT_INFO, CK_TRUE, CK_ULONG, CK_UNAVAILABLE_INFORMATION, CKF_TOKEN_PRESENT,
};

use crate::intercept::{Bends, Module, OutputBend};

/// Where a call's answer is, and what it means.
pub(crate) trait Outcome {
    /// Whether the caller takes bytes that a rule can bend, and does not only ask for their number.
    fn has_output(&self) -> bool {
        false
    }

    /// Looks at the answer of a call that succeeded.
    ///
    /// # Safety
    /// The pointers are as the standard demands them, and the real module has written its answer there.
    unsafe fn settle(self, module: &Module, bends: &Bends);
}

/// An answer without handles or bytes.
pub(crate) struct Nothing;

impl Outcome for Nothing {
    unsafe fn settle(self, _: &Module, _: &Bends) {}
}

/// `C_Initialize`.
pub(crate) struct Initialized();

impl Outcome for Initialized {
    unsafe fn settle(self, module: &Module, _: &Bends) {
        module.handles.initialized();
    }
}

/// `C_Finalize`: no session is left.
pub(crate) struct Finalized();

impl Outcome for Finalized {
    unsafe fn settle(self, module: &Module, _: &Bends) {
        module.handles.finalized(&module.counters);
    }
}

/// `C_GetSlotList`: whether only slots with a token, the list, its length.
pub(crate) struct Slots(pub(crate) CK_BBOOL, pub(crate) *mut CK_SLOT_ID, pub(crate) *mut CK_ULONG);

impl Outcome for Slots {
    unsafe fn settle(self, module: &Module, bends: &Bends) {
        let Self(with_token, slots, count) = self;
        if count.is_null() {
            return;
        }
        if bends.no_token && with_token == CK_TRUE {
            // SAFETY: not null, and written by the real module.
            unsafe { *count = 0 };
            return;
        }
        // SAFETY: the real module has written as many slots as it says.
        unsafe { each(slots, *count, |slot| module.handles.shown_slot(slot)) };
    }
}

/// `C_GetSlotInfo`.
pub(crate) struct SlotInfo(pub(crate) *mut CK_SLOT_INFO);

impl Outcome for SlotInfo {
    unsafe fn settle(self, _: &Module, bends: &Bends) {
        if bends.no_token && !self.0.is_null() {
            // SAFETY: not null, and written by the real module.
            unsafe { (*self.0).flags &= !CKF_TOKEN_PRESENT };
        }
    }
}

/// `C_WaitForSlotEvent`.
pub(crate) struct SlotEvent(pub(crate) *mut CK_SLOT_ID);

impl Outcome for SlotEvent {
    unsafe fn settle(self, module: &Module, _: &Bends) {
        // SAFETY: one slot is written by the real module, unless the pointer is null.
        unsafe { each(self.0, 1, |slot| module.handles.shown_slot(slot)) };
    }
}

/// `C_GetSessionInfo`, which names the slot.
pub(crate) struct SessionInfo(pub(crate) *mut CK_SESSION_INFO);

impl Outcome for SessionInfo {
    unsafe fn settle(self, module: &Module, _: &Bends) {
        if !self.0.is_null() {
            // SAFETY: not null, and written by the real module.
            unsafe { (*self.0).slotID = module.handles.shown_slot((*self.0).slotID) };
        }
    }
}

/// `C_OpenSession`: the slot as the caller knows it, the session.
pub(crate) struct NewSession(pub(crate) CK_SLOT_ID, pub(crate) *mut CK_SESSION_HANDLE);

impl Outcome for NewSession {
    unsafe fn settle(self, module: &Module, _: &Bends) {
        let Self(slot, session) = self;
        let handles = &module.handles;
        let show = |real| {
            handles.opened(real, handles.real_slot(slot).unwrap_or(slot), &module.counters);
            handles.shown_session(real)
        };
        // SAFETY: one handle is written by the real module, unless the pointer is null.
        unsafe { each(session, 1, show) };
    }
}

/// `C_CloseSession`: the session as the caller knows it.
pub(crate) struct ClosedSession(pub(crate) CK_SESSION_HANDLE);

impl Outcome for ClosedSession {
    unsafe fn settle(self, module: &Module, _: &Bends) {
        if let Ok(session) = module.handles.real_session(self.0) {
            module.handles.closed(session, &module.counters);
        }
    }
}

/// `C_CloseAllSessions`: the slot as the caller knows it.
pub(crate) struct ClosedAllSessions(pub(crate) CK_SLOT_ID);

impl Outcome for ClosedAllSessions {
    unsafe fn settle(self, module: &Module, _: &Bends) {
        if let Ok(slot) = module.handles.real_slot(self.0) {
            module.handles.closed_all(slot, &module.counters);
        }
    }
}

/// A new object.
pub(crate) struct NewObject(pub(crate) *mut CK_OBJECT_HANDLE);

impl Outcome for NewObject {
    unsafe fn settle(self, module: &Module, _: &Bends) {
        // SAFETY: one handle is written by the real module, unless the pointer is null.
        unsafe { each(self.0, 1, |object| module.handles.shown_object(object)) };
    }
}

/// `C_GenerateKeyPair`.
pub(crate) struct KeyPair(pub(crate) *mut CK_OBJECT_HANDLE, pub(crate) *mut CK_OBJECT_HANDLE);

impl Outcome for KeyPair {
    unsafe fn settle(self, module: &Module, bends: &Bends) {
        // SAFETY: as the caller of this says.
        unsafe {
            NewObject(self.0).settle(module, bends);
            NewObject(self.1).settle(module, bends);
        }
    }
}

/// `C_FindObjects`: the list, its length.
pub(crate) struct Found(pub(crate) *mut CK_OBJECT_HANDLE, pub(crate) *mut CK_ULONG);

impl Outcome for Found {
    unsafe fn settle(self, module: &Module, bends: &Bends) {
        let Self(objects, count) = self;
        if count.is_null() {
            return;
        }
        if bends.no_objects || module.handles.are_objects_lost() {
            // SAFETY: not null, and written by the real module.
            unsafe { *count = 0 };
            return;
        }
        // SAFETY: the real module has written as many objects as it says.
        unsafe { each(objects, *count, |object| module.handles.shown_object(object)) };
    }
}

/// Bytes and their number.
pub(crate) struct Bytes(pub(crate) *mut CK_BYTE, pub(crate) *mut CK_ULONG);

impl Outcome for Bytes {
    fn has_output(&self) -> bool {
        !self.0.is_null() && !self.1.is_null()
    }

    unsafe fn settle(self, _: &Module, bends: &Bends) {
        if let Some(bend) = bends.output
            && self.has_output()
        {
            // SAFETY: neither is null, and the real module has written as many bytes as it says.
            unsafe { bend_bytes(bend, self.0, self.1) };
        }
    }
}

/// `C_GetAttributeValue`: the template, its length.
pub(crate) struct Attributes(pub(crate) *mut CK_ATTRIBUTE, pub(crate) CK_ULONG);

impl Outcome for Attributes {
    fn has_output(&self) -> bool {
        if self.0.is_null() {
            return false;
        }
        // SAFETY: the caller gives as many attributes as it says.
        (0..to_count(self.1)).any(|index| unsafe { !(*self.0.add(index)).pValue.is_null() })
    }

    unsafe fn settle(self, _: &Module, bends: &Bends) {
        let Some(bend) = bends.output.filter(|_| !self.0.is_null()) else {
            return;
        };
        for index in 0..to_count(self.1) {
            // SAFETY: the caller gives as many attributes as it says, and nobody else looks at them meanwhile.
            let attribute = unsafe { &mut *self.0.add(index) };
            if !attribute.pValue.is_null() && attribute.ulValueLen != CK_UNAVAILABLE_INFORMATION {
                // SAFETY: not null, and the real module has written as many bytes as it says.
                unsafe { bend_bytes(bend, attribute.pValue.cast(), &raw mut attribute.ulValueLen) };
            }
        }
    }
}

/// `C_GenerateRandom`, whose output has the length that the caller says: instead of being cut it becomes zeros.
pub(crate) struct Random(pub(crate) *mut CK_BYTE, pub(crate) CK_ULONG);

impl Outcome for Random {
    fn has_output(&self) -> bool {
        !self.0.is_null()
    }

    unsafe fn settle(self, _: &Module, bends: &Bends) {
        if bends.output.is_some() && !self.0.is_null() {
            // SAFETY: the caller has room for as many bytes as it says.
            unsafe { self.0.write_bytes(0, to_count(self.1)) };
        }
    }
}

/// Replaces each handle by what the caller is shown.
///
/// # Safety
/// `handles` is null or leads to `count` handles.
unsafe fn each(handles: *mut CK_ULONG, count: CK_ULONG, show: impl Fn(CK_ULONG) -> CK_ULONG) {
    if handles.is_null() {
        return;
    }
    for index in 0..to_count(count) {
        // SAFETY: within the handles.
        unsafe {
            let handle = handles.add(index);
            *handle = show(*handle);
        }
    }
}

/// # Safety
/// `length` says how many bytes there are at `bytes`.
unsafe fn bend_bytes(bend: OutputBend, bytes: *mut CK_BYTE, length: *mut CK_ULONG) {
    // SAFETY: as the caller of this says.
    let produced = unsafe { *length };
    match bend {
        OutputBend::Corrupt if produced == 0 => (),
        // SAFETY: within the bytes.
        OutputBend::Corrupt => unsafe { *bytes.add(to_count(produced) / 2) ^= 1 },
        // SAFETY: as the caller of this says.
        OutputBend::Shorten => unsafe { *length = produced.saturating_sub(1) },
        // SAFETY: as the caller of this says.
        OutputBend::Empty => unsafe { *length = 0 },
    }
}

/// What is in memory fits its size.
fn to_count(length: CK_ULONG) -> usize {
    usize::try_from(length).unwrap_or_default()
}
