//! What is on the token, page by page.

use std::collections::BTreeMap;

use cryptoki::object::{Attribute, AttributeType, ObjectHandle};

use super::{
    super::protocol::{Answer, Form, KeyName, LABEL_BYTES, ListedObject, OBJECTS},
    key_wrap::WrappingRoute,
    recovery::{Call, Failure},
    templates::{self, KeyClass},
};
use crate::domain::key::TokenKeyId;

/// The objects of one id.
#[derive(Default)]
struct Parts {
    counts: [usize; CLASSES.len()],
    /// One of them, for the label.
    any: Option<ObjectHandle>,
}

const CLASSES: [KeyClass; 4] = [KeyClass::Private, KeyClass::Public, KeyClass::Kek, KeyClass::KekMac];

impl Parts {
    fn form(&self, route: WrappingRoute) -> Form {
        let [private, public, kek, mac] = self.counts;
        if self.counts.iter().any(|count| *count > 1) {
            return Form::Several;
        }
        let has_mac = route == WrappingRoute::AesGcm || mac == 1;
        match (private, public, kek) {
            (1, 1, 0) => Form::Whole,
            (0, 0, 1) if has_mac => Form::Whole,
            _ => Form::Part,
        }
    }
}

/// Those of the objects with ids like ours that come after `after`, in the order of ids.
pub(super) fn list(
    call: &Call<'_>,
    route: WrappingRoute,
    after: Option<TokenKeyId>,
) -> Result<Answer, Failure> {
    let mut found: BTreeMap<[u8; 16], Parts> = BTreeMap::new();
    for (place, class) in CLASSES.into_iter().enumerate() {
        for handle in call.session.find_objects(&templates::search_all(class))? {
            let Some(id) = id_of(call, handle, class)? else { continue };
            let parts = found.entry(id).or_default();
            if let Some(count) = parts.counts.get_mut(place) {
                *count += 1;
            }
            parts.any = Some(handle);
        }
    }
    if found.is_empty() {
        // A token hides private objects from whom it does not know.
        call.check_logged_in()?;
    }
    let mut rest = found.into_iter().filter(|(id, _)| after.is_none_or(|after| *id > after.0));
    let mut objects = Vec::new();
    for (id, parts) in rest.by_ref().take(OBJECTS) {
        let label = parts.any.map(|handle| label_of(call, handle)).transpose()?.unwrap_or_default();
        objects.push(ListedObject { id: KeyName::from(TokenKeyId(id)), label, form: parts.form(route) });
    }
    Ok(Answer::Objects { objects, more: rest.next().is_some() })
}

/// The id that the object was made for, if it is one of the form of ours.
fn id_of(call: &Call<'_>, handle: ObjectHandle, class: KeyClass) -> Result<Option<[u8; 16]>, Failure> {
    let found = call.session.get_attributes(handle, &[AttributeType::Id])?;
    Ok(found.iter().find_map(|attribute| match attribute {
        Attribute::Id(bytes) => templates::named_by(bytes, class),
        _ => None,
    }))
}

fn label_of(call: &Call<'_>, handle: ObjectHandle) -> Result<String, Failure> {
    let found = call.session.get_attributes(handle, &[AttributeType::Label])?;
    let label = found.iter().find_map(|attribute| match attribute {
        Attribute::Label(bytes) => Some(bytes.get(..LABEL_BYTES).unwrap_or(bytes)),
        _ => None,
    });
    // Whatever is no UTF-8 is none of ours, and may not grow.
    Ok(label.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default().to_owned())
}
