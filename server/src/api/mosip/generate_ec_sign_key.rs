//! `POST /v1/keymanager/generateECSignKey/{objectType}`

use poem_openapi::{OpenApi, param::Path};

use super::{
    envelope::{Enveloped, Reply},
    faults::Fault,
    generate_master_key::{MasterKeyRequest, ObjectType},
    get_certificate::KeyAnswer,
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, GenerateMasterKey},
        openapi::Tag,
    },
    domain::{access::CallContext, alias::AliasRole, key_type::Curve, time::Timestamp},
    services::{Services, keys::KeyError},
};

/// `generateECSignKey`
pub(crate) struct GenerateEcSignKeyApi {
    services: Services,
}

impl GenerateEcSignKeyApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn generate(
        &self,
        call: &CallContext,
        object_type: &str,
        request: MasterKeyRequest,
        now: Timestamp,
    ) -> Result<KeyAnswer, Refusal> {
        let object_type = ObjectType::parse(object_type).ok_or_else(|| {
            Refusal::with_message(
                Fault::Invalid,
                "objectType must be CERTIFICATE or CSR, at the end of the path",
            )
        })?;
        let (alias, subject, force) = request.check()?;
        // The call that is kept has three references; keys on other curves are made by `POST /v1/keys`.
        if alias.role() == AliasRole::Curve(Curve::P384) {
            return Err(KeyError::CurveReference.into());
        }
        let keys = &self.services.keys;
        match object_type {
            ObjectType::Certificate => {
                let key = if force {
                    keys.force_on_curve(call, &alias, &subject).await?
                } else {
                    keys.generate_on_curve(call, &alias, &subject).await?
                };
                Ok(KeyAnswer::of_certificate(&key, now))
            }
            ObjectType::Csr => {
                let (key, request) = if force {
                    let key = keys.force_on_curve(call, &alias, &subject).await?;
                    let request = keys.request_for(&key, &subject).await?;
                    (key, request)
                } else {
                    keys.request_on_curve(call, &alias, &subject).await?
                };
                Ok(KeyAnswer::of_request(&key, &request, now))
            }
        }
    }
}

#[OpenApi]
impl GenerateEcSignKeyApi {
    /// Make an application's signing key on a curve
    ///
    /// The reference says which curve: `EC_SECP256R1_SIGN` (ES256), `EC_SECP256K1_SIGN` (ES256K) or `ED25519_SIGN`
    /// (EdDSA). Answers with its certificate or a certificate signing request. A current key is kept, unless
    /// `force` is true.
    #[oai(
        path = "/v1/keymanager/generateECSignKey/:objectType",
        method = "post",
        operation_id = "generateECSignKey",
        tag = "Tag::KeyManager"
    )]
    async fn generate_ec_sign_key(
        &self,
        caller: Authorized<GenerateMasterKey>,
        /// `CERTIFICATE` or `CSR`, in any letter case.
        #[oai(name = "objectType")]
        object_type: Path<String>,
        body: Enveloped<MasterKeyRequest>,
    ) -> Reply<KeyAnswer> {
        let now = self.services.clock.now();
        let outcome = self.generate(&caller.call, &object_type, body.request, now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }
}
