//! The first parameter of every operation that is not anonymous.

use std::{marker::PhantomData, sync::Arc};

use poem::{Request, RequestBody, Result};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::{
    api::{exchange::Exchange, transport::TransportError},
    domain::access::{CallContext, Operation},
    services::authorization::{AccessRefusal, Authorizer},
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
    CancelKeyDestruction,
    ChangeAccess,
    ChangeClientRoles,
    ChangeKeyPolicies,
    CreateClient,
    DecideApproval,
    Decrypt,
    DeleteClient,
    DestroyKey,
    DisableClient,
    EnableClient,
    Encrypt,
    ExamineKeys,
    ExportAudit,
    GenerateMasterKey,
    GenerateSymmetricKey,
    IssueCertificate,
    MendKeys,
    ReadAccess,
    ReadApprovals,
    ReadAudit,
    ReadCertificate,
    ReadCertificates,
    ReadClients,
    ReadKeyPolicies,
    ReadKeys,
    RequestCertificate,
    ResumeKey,
    RevokeKey,
    RewrapKeys,
    RotateClientSecret,
    RotateKey,
    Sign,
    SuspendKey,
    TagKey,
    UploadCertificate,
    UploadOtherDomainCertificate,
    Verify,
);

/// A caller whom access policies allow the operation `P`, with some keys at least; checked before any later
/// parameter is read. With which keys, the services check.
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
        let call = exchange.call.as_ref().ok_or(TransportError::Unauthenticated)?;
        let entered = authorizer(request)?.enter(&call.principal, P::OPERATION, call.address);
        entered.map_err(|refusal| refused(exchange, call, P::OPERATION, refusal))?;
        exchange.enter(P::OPERATION);
        Ok(Self { call: call.clone(), permission: PhantomData })
    }
}

/// Looks once more at a caller who was let through, now that its request has come as a whole: it could take its time
/// with that, and its right must not last longer for it. Bodies that are streamed the services look at.
///
/// # Errors
/// As at the door.
pub(crate) fn check_again(request: &Request, exchange: &Exchange) -> Result<(), TransportError> {
    let (Some(call), Some(operation)) = (&exchange.call, exchange.entered()) else { return Ok(()) };
    let again = authorizer(request)?.enter_again(call, operation);
    again.map_err(|refusal| refused(exchange, call, operation, refusal))
}

fn authorizer(request: &Request) -> Result<&Arc<Authorizer>, TransportError> {
    request.data::<Arc<Authorizer>>().ok_or(TransportError::Internal)
}

/// Notes a refusal for log and audit trail, and says what the caller is told.
fn refused(
    exchange: &Exchange,
    call: &CallContext,
    operation: Operation,
    refusal: AccessRefusal,
) -> TransportError {
    tracing::warn!(
        request_id = %exchange.request_id,
        principal = call.principal.name,
        operation = operation.name(),
        %refusal,
        "refused"
    );
    exchange.deny(operation.name(), refusal.code());
    refusal.into()
}
