//! `POST /v1/keymanager/decrypt`

use kunji_shared::encoding::encode_base64url;
use poem_openapi::OpenApi;

use super::{
    encrypt::{CryptoRequest, DataAnswer},
    envelope::{Enveloped, Reply},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, Decrypt},
        openapi::Tag,
    },
    domain::access::CallContext,
    services::Services,
};

/// `decrypt`
pub(crate) struct DecryptApi {
    services: Services,
}

impl DecryptApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn open(&self, call: &CallContext, request: CryptoRequest) -> Result<DataAnswer, Refusal> {
        let (alias, mut packet, inputs) = request.check()?;
        let packet = std::mem::take(&mut *packet);
        let content = self.services.packets.decrypt(call, &alias, packet, inputs).await?;
        Ok(DataAnswer { data: encode_base64url(content.expose()) })
    }
}

#[OpenApi]
impl DecryptApi {
    /// Decrypt with the key that the packet names
    ///
    /// Expired and superseded keys open what they were used for.
    #[oai(
        path = "/v1/keymanager/decrypt",
        method = "post",
        operation_id = "decrypt",
        tag = "Tag::KeyManager"
    )]
    async fn decrypt(
        &self,
        caller: Authorized<Decrypt>,
        body: Enveloped<CryptoRequest>,
    ) -> Reply<DataAnswer> {
        let outcome = self.open(&caller.call, body.request).await;
        Reply::new(&body.echo, self.services.clock.now(), &caller.call.request_id, outcome)
    }
}
