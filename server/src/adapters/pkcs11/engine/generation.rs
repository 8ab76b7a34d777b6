//! The end of every generation: the key is what was asked for, or it is gone again.

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

use super::super::protocol::Fault;
use super::{
    handles,
    recovery::{Call, Failure},
    return_values::describe,
    templates,
};
use crate::domain::key::TokenKeyId;

/// Checks that `key` cannot leave the token and ends its making with `conclude`; when either fails, destroys all
/// of `made`. The token has done its work by now, so no failure from here on asks for a second attempt.
pub(super) fn finish<T>(
    call: &Call<'_>,
    key: ObjectHandle,
    made: &[ObjectHandle],
    conclude: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    check_locked_in(call, key).and_then(|()| conclude()).map_err(|failure| {
        destroy(call, made);
        Failure::Answer(match failure {
            Failure::Answer(error) => error,
            Failure::Token(error) => Fault::Failed(describe(&error)),
            Failure::Nonsense(what) => Fault::Failed(what.to_owned()),
            Failure::LoggedOut => Fault::Failed("logged out".to_owned()),
        })
    })
}

/// Removes what an unfinished generation has made, over sessions of its own: the call's may be why it failed.
pub(super) fn destroy(call: &Call<'_>, objects: &[ObjectHandle]) {
    for object in objects {
        if let Err(error) = call.token.open_session().and_then(|session| session.destroy_object(*object)) {
            tracing::warn!(
                token = call.token.name(),
                error = describe(&error),
                "part of an unfinished key stays on the token"
            );
        }
    }
}

/// See [`crate::ports::key_store::KeyStore::was_made_as`].
pub(super) fn was_made_as(call: &Call<'_>, id: TokenKeyId, label: &str) -> Result<bool, Failure> {
    let objects = handles::search_any(call, id)?;
    for object in &objects {
        let about = call.session.get_attributes(*object, &[AttributeType::Label, AttributeType::Class])?;
        let is_public = about.contains(&Attribute::Class(ObjectClass::PUBLIC_KEY));
        let is_ours = about.contains(&Attribute::Label(label.as_bytes().to_vec()));
        let is_safe =
            is_public || templates::is_locked_in(&call.session.get_attributes(*object, &templates::LOCK)?);
        if !(is_ours && is_safe) {
            return Ok(false);
        }
    }
    Ok(!objects.is_empty())
}

/// See [`crate::ports::key_store::KeyStore::destroy`].
pub(super) fn destroy_made(call: &Call<'_>, id: TokenKeyId, labels: &[String]) -> Result<(), Failure> {
    let objects = handles::search_any(call, id)?;
    for object in &objects {
        let about = call.session.get_attributes(*object, &[AttributeType::Label])?;
        let is_ours = labels.iter().any(|label| about.contains(&Attribute::Label(label.as_bytes().to_vec())));
        if !is_ours {
            return Err(Failure::Answer(Fault::Ambiguous));
        }
    }
    // An object that another server has destroyed meanwhile is found no more the next time.
    for object in &objects {
        call.session.destroy_object(*object)?;
    }
    call.token.handles().clear();
    call.check_logged_in()?;
    if handles::search_any(call, id)?.is_empty() {
        Ok(())
    } else {
        Err(Failure::Answer(Fault::Failed("an object that was destroyed is still there".to_owned())))
    }
}

fn check_locked_in(call: &Call<'_>, key: ObjectHandle) -> Result<(), Failure> {
    if templates::is_locked_in(&call.session.get_attributes(key, &templates::LOCK)?) {
        Ok(())
    } else {
        let lacking = "keys that are sensitive and not extractable".to_owned();
        Err(Failure::Answer(Fault::Unsupported(lacking)))
    }
}
