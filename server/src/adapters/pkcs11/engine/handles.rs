//! Object handles: looked up by id and class, cached for one login.
//!
//! Some tokens search in time linear in their objects (SoftHSM 2.6.1: 15 ms for a thousand), so every use of a key
//! by a search of its own would be unbearable.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use cryptoki::object::ObjectHandle;

use super::super::protocol::Fault;
use super::{
    recovery::{Call, Failure},
    templates::{self, KeyClass},
    token::Reserved,
};
use crate::domain::key::TokenKeyId;

/// Handles of the current login.
#[derive(Default)]
pub(super) struct HandleCache(Mutex<HashMap<(TokenKeyId, KeyClass), Cached>>);

struct Cached {
    epoch: u64,
    handle: ObjectHandle,
}

impl HandleCache {
    fn get(&self, id: TokenKeyId, class: KeyClass, epoch: u64) -> Option<ObjectHandle> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(&(id, class)).filter(|cached| cached.epoch == epoch).map(|cached| cached.handle)
    }

    fn put(&self, id: TokenKeyId, class: KeyClass, epoch: u64, handle: ObjectHandle) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert((id, class), Cached { epoch, handle });
    }

    /// Forgets everything; the next use of each key searches again.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The key to use: from the cache, else the one object with this id and class.
pub(super) fn key(call: &Call<'_>, id: TokenKeyId, class: KeyClass) -> Result<ObjectHandle, Failure> {
    let handles = call.token.handles();
    if let Some(handle) = handles.get(id, class, call.epoch) {
        return Ok(handle);
    }
    let handle = search(call, id, class)?.ok_or(Failure::Answer(Fault::NotFound))?;
    handles.put(id, class, call.epoch, handle);
    Ok(handle)
}

/// The one object with this id and class as the token has it now.
pub(super) fn search(
    call: &Call<'_>,
    id: TokenKeyId,
    class: KeyClass,
) -> Result<Option<ObjectHandle>, Failure> {
    match call.session.find_objects(&templates::search(id, class))?.as_slice() {
        [] => {
            // A token hides private objects from whom it does not know: that is not the same as their absence.
            call.check_logged_in()?;
            Ok(None)
        }
        [handle] => Ok(Some(*handle)),
        _ => Err(Failure::Answer(Fault::Ambiguous)),
    }
}

/// Every object that was made for this id.
pub(super) fn search_any(call: &Call<'_>, id: TokenKeyId) -> Result<Vec<ObjectHandle>, Failure> {
    let mut found = Vec::new();
    for template in templates::searches_any(id) {
        found.extend(call.session.find_objects(&template)?);
    }
    Ok(found)
}

/// Reserves an id for a new object; refuses one that any object has, or is being made for.
pub(super) fn reserve<'a>(call: &Call<'a>, id: TokenKeyId) -> Result<Reserved<'a>, Failure> {
    let reserved = call.token.reserve(id).ok_or(Failure::Answer(Fault::AlreadyExists))?;
    if search_any(call, id)?.is_empty() {
        call.check_logged_in()?;
        Ok(reserved)
    } else {
        Err(Failure::Answer(Fault::AlreadyExists))
    }
}
