//! `application/x-www-form-urlencoded`, each member at most once (RFC 6749 3.2).

use std::collections::BTreeMap;

use poem::{Request, RequestBody, Result};
use poem_openapi::{
    impl_apirequest_for_payload,
    payload::{ParsePayload, Payload},
    registry::{MetaSchemaRef, Registry},
    types::Type,
};
use secrecy::SecretString;

use super::{
    body::read_bounded,
    percent::{Plus, percent_decode},
};

/// A form whose schema is `T`.
pub(crate) struct Form<T> {
    members: Result<BTreeMap<String, SecretString>, FormError>,
    schema: std::marker::PhantomData<fn() -> T>,
}

/// The body is no form, or has a member twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a form, or has a member twice")]
pub(crate) struct FormError;

impl<T> Form<T> {
    /// The members; every value may be a secret.
    ///
    /// # Errors
    /// [`FormError`].
    pub(crate) fn into_members(self) -> Result<BTreeMap<String, SecretString>, FormError> {
        self.members
    }
}

impl<T: Type> Payload for Form<T> {
    const CONTENT_TYPE: &'static str = "application/x-www-form-urlencoded";

    fn check_content_type(content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(Self::CONTENT_TYPE)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type> ParsePayload for Form<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        let bytes = read_bounded(request, body).await?;
        Ok(Self { members: parse(&bytes), schema: std::marker::PhantomData })
    }
}

impl_apirequest_for_payload!(Form<T>, T: Type);

fn parse(bytes: &[u8]) -> Result<BTreeMap<String, SecretString>, FormError> {
    let text = std::str::from_utf8(bytes).map_err(|_| FormError)?;
    let mut members = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode(name, Plus::Blank).ok_or(FormError)?;
        let value = percent_decode(value, Plus::Blank).ok_or(FormError)?;
        if members.insert(name, value.into()).is_some() {
            return Err(FormError);
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn members_are_decoded() {
        let members = parse(b"grant_type=client_credentials&client_id=a+b&client_secret=%26x&empty").unwrap();
        assert_eq!(members["client_id"].expose_secret(), "a b");
        assert_eq!(members["client_secret"].expose_secret(), "&x");
        assert_eq!(members["empty"].expose_secret(), "");
    }

    #[test]
    fn twice_is_refused() {
        assert!(parse(b"a=1&a=1").is_err());
        assert!(parse(b"a=%zz").is_err());
        assert!(parse(b"\xff").is_err());
    }
}
