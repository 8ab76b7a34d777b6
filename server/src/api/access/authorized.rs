//! The first parameter of every operation that is not anonymous.

use std::{marker::PhantomData, sync::Arc};

use poem::{Request, RequestBody, Result};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::{
    api::{exchange::Exchange, transport::TransportError},
    domain::access::{CallContext, Operation},
    services::authorization::Authorizer,
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
        let principal = exchange.principal.as_ref().ok_or(TransportError::Unauthenticated)?;
        let authorizer = request.data::<Arc<Authorizer>>().ok_or(TransportError::Internal)?;
        if let Err(refusal) = authorizer.enter(principal, P::OPERATION, exchange.address) {
            tracing::warn!(
                request_id = %exchange.request_id,
                principal = principal.name,
                operation = P::OPERATION.name(),
                %refusal,
                "refused"
            );
            exchange.deny(P::OPERATION.name(), refusal.code());
            return Err(TransportError::from(refusal).into());
        }
        let call = CallContext {
            principal: Arc::clone(principal),
            address: exchange.address,
            request_id: Arc::clone(&exchange.request_id),
        };
        Ok(Self { call, permission: PhantomData })
    }
}
