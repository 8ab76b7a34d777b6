//! The first parameter of every operation that is not anonymous.

use std::{marker::PhantomData, sync::Arc};

use poem::{Request, RequestBody, Result};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::{
    api::{exchange::Exchange, transport::TransportError},
    domain::access::{CallContext, Operation},
};

/// The right to do one operation, as a type.
pub(crate) trait Permission: Send {
    /// The operation.
    const OPERATION: Operation;
}

macro_rules! permissions {
    ($($name:ident),+ $(,)?) => {$(
        #[doc = concat!("[`Operation::", stringify!($name), "`].")]
        pub(crate) enum $name {}

        impl Permission for $name {
            const OPERATION: Operation = Operation::$name;
        }
    )+};
}

permissions!(
    CreateClient,
    Decrypt,
    Encrypt,
    ExportAudit,
    GenerateMasterKey,
    ReadAudit,
    ReadCertificate,
    ReadCertificates,
    Sign,
    Verify,
);

/// A caller whose role allows the operation `P`; checked before any later parameter is read.
pub(crate) struct Authorized<P> {
    /// Who calls, from where, in which request.
    pub(crate) call: CallContext,
    permission: PhantomData<fn() -> P>,
}

impl<'a, P: Permission> ApiExtractor<'a> for Authorized<P> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    /// The operation's name: the description of the API puts the schemes and roles in its place.
    fn security_schemes() -> Vec<&'static str> {
        vec![P::OPERATION.name()]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let exchange = Exchange::of(request)?;
        let principal = exchange.principal.as_ref().ok_or(TransportError::Unauthenticated)?;
        if !principal.may(P::OPERATION) {
            tracing::warn!(
                request_id = %exchange.request_id,
                principal = principal.name,
                operation = P::OPERATION.name(),
                "refused: no role of the caller allows the operation"
            );
            exchange.deny(P::OPERATION.name());
            return Err(TransportError::Forbidden.into());
        }
        let call = CallContext {
            principal: Arc::clone(principal),
            address: exchange.address,
            request_id: Arc::clone(&exchange.request_id),
        };
        Ok(Self { call, permission: PhantomData })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use poem::Body;

    use super::*;
    use crate::{
        api::exchange::BodyBounds,
        domain::access::{Principal, Role},
    };

    const NO_BODY: BodyBounds = BodyBounds { limit: 0, arrival: Duration::ZERO, pause: Duration::ZERO };

    async fn try_decrypt(roles: Option<Vec<Role>>) -> Result<CallContext, Option<TransportError>> {
        let principal = roles.map(|roles| Arc::new(Principal { name: "c".to_owned(), roles }));
        let mut request = Request::default();
        request.set_data(Arc::new(Exchange::new("r".into(), None, principal, NO_BODY)));
        let mut body = RequestBody::new(Body::empty());
        let options = ExtractParamOptions::default();
        match Authorized::<Decrypt>::from_request(&request, &mut body, options).await {
            Ok(authorized) => Ok(authorized.call),
            Err(error) => Err(error.downcast_ref().copied()),
        }
    }

    #[tokio::test]
    async fn the_role_decides() {
        let call = try_decrypt(Some(vec![Role::Signer, Role::Decryptor])).await.unwrap();
        assert_eq!((call.principal.name.as_str(), &*call.request_id), ("c", "r"));
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Decryptor) {
            let refused = try_decrypt(Some(vec![role])).await.unwrap_err();
            assert_eq!(refused, Some(TransportError::Forbidden), "{role:?}");
        }
    }

    #[tokio::test]
    async fn nobody_may_do_nothing() {
        assert_eq!(try_decrypt(None).await.unwrap_err(), Some(TransportError::Unauthenticated));
    }
}
