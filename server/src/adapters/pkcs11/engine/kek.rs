//! AES-256 key-encryption keys.

use cryptoki::{
    mechanism::Mechanism,
    object::{Attribute, ObjectHandle},
};

use super::{
    capabilities::Capabilities,
    generation, handles,
    key_wrap::WrappingRoute,
    recovery::{Call, Failure},
    templates::{self, KeyClass, Place},
};
use crate::domain::key::TokenKeyId;

/// See [`crate::ports::key_store::KekStore::generate_kek`].
///
/// On tokens without AES-GCM a MAC key goes with it; it is made first, so that a crash between the two leaves no
/// KEK that looks whole.
pub(super) fn generate(
    call: &Call<'_>,
    capabilities: Capabilities,
    id: TokenKeyId,
    label: &str,
) -> Result<(), Failure> {
    let place = Place::Token { id, label };
    let _reserved = handles::reserve(call, id)?;
    let mac = match capabilities.wrapping {
        WrappingRoute::AesGcm => None,
        WrappingRoute::AesCbcHmac => {
            let template = templates::kek_mac(place, capabilities.change);
            Some(make(call, &Mechanism::GenericSecretKeyGen, &template)?)
        }
    };
    match make(call, &Mechanism::AesKeyGen, &templates::kek(place, capabilities.change)) {
        Ok(_) => Ok(()),
        Err(failure) => {
            generation::destroy(call, mac.as_slice());
            Err(failure)
        }
    }
}

/// See [`crate::ports::key_store::KekStore::has_kek`].
pub(super) fn exists(call: &Call<'_>, route: WrappingRoute, id: TokenKeyId) -> Result<bool, Failure> {
    Ok(handles::search(call, id, KeyClass::Kek)?.is_some()
        && (route == WrappingRoute::AesGcm || handles::search(call, id, KeyClass::KekMac)?.is_some()))
}

fn make(call: &Call<'_>, mechanism: &Mechanism<'_>, template: &[Attribute]) -> Result<ObjectHandle, Failure> {
    let key = call.session.generate_key(mechanism, template)?;
    generation::finish(call, key, &[key], || Ok(key))
}
