//! What arrives: bounded bodies, strict JSON, and the forms that base64, times and entity tags come in.

mod base64_member;
mod body;
mod entity_tag;
mod form;
mod json;
mod percent;
mod pkcs7;
mod time;

pub(super) use self::{
    base64_member::Base64Member,
    body::{read_bounded, stream_bounded},
    entity_tag::names_entity_tag,
    form::{Form, FormError},
    json::{JSON, Json, JsonFault, Members, is_json, parse},
    percent::{Plus, percent_decode, percent_encode},
    pkcs7::pkcs7_pem,
    time::WireTime,
};
