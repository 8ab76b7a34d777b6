//! What the caller calls slots, sessions and objects, and what the real module calls them.
//!
//! They are the same until a rule renumbers or forgets. A forgotten generation of handles is told apart by the 16 bits
//! from [`GENERATION_SHIFT`] on, which real modules leave zero: they count from 1, or stay within 32 bits.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use cryptoki_sys::{
    CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_SLOT_ID, CK_ULONG, CKR_SESSION_HANDLE_INVALID,
    CKR_SLOT_ID_INVALID,
};

use crate::counters::Counters;

const GENERATION_SHIFT: u32 = 48;
/// `CK_INVALID_HANDLE`, which means "none" in every generation.
const NONE: CK_ULONG = 0;
/// Far enough that no new slot id is the old one of another slot, where ids are small numbers.
const RENUMBERING: CK_SLOT_ID = 1_000_000;

/// What the caller may use.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    slot_offset: AtomicU64,
    sessions: Generation,
    objects: Generation,
    objects_lost: AtomicBool,
    /// By the real module's handle, the real module's slot.
    open: Mutex<BTreeMap<CK_SESSION_HANDLE, CK_SLOT_ID>>,
}

impl Handles {
    pub(crate) fn real_slot(&self, slot: CK_SLOT_ID) -> Result<CK_SLOT_ID, CK_RV> {
        slot.checked_sub(self.slot_offset.load(Ordering::SeqCst)).ok_or(CKR_SLOT_ID_INVALID)
    }

    pub(crate) fn shown_slot(&self, slot: CK_SLOT_ID) -> CK_SLOT_ID {
        slot.wrapping_add(self.slot_offset.load(Ordering::SeqCst))
    }

    /// Gives every slot a new id.
    pub(crate) fn renumber_slots(&self) {
        self.slot_offset.fetch_add(RENUMBERING, Ordering::SeqCst);
    }

    pub(crate) fn real_session(&self, session: CK_SESSION_HANDLE) -> Result<CK_SESSION_HANDLE, CK_RV> {
        self.sessions.real(session).ok_or(CKR_SESSION_HANDLE_INVALID)
    }

    pub(crate) fn shown_session(&self, session: CK_SESSION_HANDLE) -> CK_SESSION_HANDLE {
        self.sessions.shown(session)
    }

    /// `invalid` is what to say of a forgotten handle.
    pub(crate) fn real_object(
        &self,
        object: CK_OBJECT_HANDLE,
        invalid: CK_RV,
    ) -> Result<CK_OBJECT_HANDLE, CK_RV> {
        self.objects.real(object).ok_or(invalid)
    }

    pub(crate) fn shown_object(&self, object: CK_OBJECT_HANDLE) -> CK_OBJECT_HANDLE {
        self.objects.shown(object)
    }

    /// Makes every object handle of the caller invalid.
    pub(crate) fn forget_objects(&self) {
        self.objects.end();
    }

    /// Makes every object handle invalid, and lets no object be found until [`Self::initialized`].
    pub(crate) fn lose_objects(&self) {
        self.objects_lost.store(true, Ordering::SeqCst);
        self.objects.end();
    }

    pub(crate) fn are_objects_lost(&self) -> bool {
        self.objects_lost.load(Ordering::SeqCst)
    }

    /// The library starts afresh.
    pub(crate) fn initialized(&self) {
        self.objects_lost.store(false, Ordering::SeqCst);
    }

    /// The library has ended, and every session with it.
    pub(crate) fn finalized(&self, counters: &Counters) {
        let mut open = self.open();
        open.clear();
        counters.set_sessions(0);
    }

    pub(crate) fn opened(&self, session: CK_SESSION_HANDLE, slot: CK_SLOT_ID, counters: &Counters) {
        let mut open = self.open();
        open.insert(session, slot);
        counters.set_sessions(open.len());
    }

    pub(crate) fn closed(&self, session: CK_SESSION_HANDLE, counters: &Counters) {
        let mut open = self.open();
        open.remove(&session);
        counters.set_sessions(open.len());
    }

    pub(crate) fn closed_all(&self, slot: CK_SLOT_ID, counters: &Counters) {
        let mut open = self.open();
        open.retain(|_, its_slot| *its_slot != slot);
        counters.set_sessions(open.len());
    }

    /// Makes every session handle of the caller invalid. Returns the sessions, which are still open, by slot: one each.
    pub(crate) fn forget_sessions(&self, counters: &Counters) -> BTreeMap<CK_SLOT_ID, CK_SESSION_HANDLE> {
        let mut open = self.open();
        let forgotten = by_slot(&open);
        open.clear();
        self.sessions.end();
        counters.set_sessions(0);
        forgotten
    }

    /// An open session of each slot that has any.
    pub(crate) fn session_by_slot(&self) -> BTreeMap<CK_SLOT_ID, CK_SESSION_HANDLE> {
        by_slot(&self.open())
    }

    pub(crate) fn open_sessions(&self) -> usize {
        self.open().len()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<CK_SESSION_HANDLE, CK_SLOT_ID>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn by_slot(open: &BTreeMap<CK_SESSION_HANDLE, CK_SLOT_ID>) -> BTreeMap<CK_SLOT_ID, CK_SESSION_HANDLE> {
    open.iter().map(|(session, slot)| (*slot, *session)).collect()
}

/// Which handles are valid: those of the present generation.
#[derive(Debug, Default)]
struct Generation(AtomicU64);

impl Generation {
    fn end(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn mark(&self) -> CK_ULONG {
        self.0.load(Ordering::SeqCst) << GENERATION_SHIFT
    }

    fn shown(&self, real: CK_ULONG) -> CK_ULONG {
        if real == NONE { NONE } else { real.wrapping_add(self.mark()) }
    }

    fn real(&self, shown: CK_ULONG) -> Option<CK_ULONG> {
        let mark = self.mark();
        let real = shown.wrapping_sub(mark);
        match shown {
            NONE => Some(NONE),
            // Nothing has been forgotten: any handle is the real module's to judge.
            _ if mark == 0 => Some(shown),
            _ => (real >> GENERATION_SHIFT == 0).then_some(real),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVALID: CK_RV = cryptoki_sys::CKR_KEY_HANDLE_INVALID;

    #[test]
    fn handles_are_the_real_ones_until_something_is_forgotten() {
        let handles = Handles::default();
        for handle in [0, 1, 0xFFFF_FFFF, u64::MAX] {
            assert_eq!(handles.shown_object(handle), handle);
            assert_eq!(handles.real_object(handle, INVALID), Ok(handle));
            assert_eq!(handles.real_session(handle), Ok(handle));
            assert_eq!(handles.real_slot(handle), Ok(handle));
        }
    }

    #[test]
    fn forgotten_handles_are_invalid_and_new_ones_are_not() {
        let handles = Handles::default();
        let mut known = Vec::new();
        for _ in 0..3 {
            let shown = handles.shown_object(7);
            assert_eq!(handles.real_object(shown, INVALID), Ok(7));
            known.push(shown);
            handles.forget_objects();
            for old in &known {
                assert_eq!(handles.real_object(*old, INVALID), Err(INVALID));
            }
            assert_eq!(handles.real_object(0, INVALID), Ok(0));
            assert_eq!(handles.shown_object(0), 0);
        }
    }

    #[test]
    fn old_slot_ids_are_invalid() {
        let handles = Handles::default();
        handles.renumber_slots();
        let shown = handles.shown_slot(3);
        assert_ne!(shown, 3);
        assert_eq!(handles.real_slot(shown), Ok(3));
        assert_eq!(handles.real_slot(3), Err(CKR_SLOT_ID_INVALID));
    }

    #[test]
    fn open_sessions_are_counted_by_slot() {
        let (handles, counters) = (Handles::default(), Counters::none());
        for (session, slot) in [(1, 5), (2, 5), (3, 6)] {
            handles.opened(session, slot, &counters);
        }
        assert_eq!(handles.open_sessions(), 3);
        assert_eq!(handles.session_by_slot().into_keys().collect::<Vec<_>>(), [5, 6]);
        handles.closed(3, &counters);
        handles.closed_all(5, &counters);
        assert_eq!(handles.open_sessions(), 0);
        handles.opened(4, 5, &counters);
        assert_eq!(handles.forget_sessions(&counters), BTreeMap::from([(5, 4)]));
        assert_eq!(handles.open_sessions(), 0);
        assert_eq!(handles.real_session(4), Err(CKR_SESSION_HANDLE_INVALID));
    }

    #[test]
    fn lost_objects_come_back_with_the_next_start() {
        let handles = Handles::default();
        handles.lose_objects();
        assert!(handles.are_objects_lost());
        assert_eq!(handles.real_object(7, INVALID), Err(INVALID));
        handles.initialized();
        assert!(!handles.are_objects_lost());
    }
}
