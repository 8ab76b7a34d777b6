//! Every resource, joined.

use std::sync::Arc;

use super::{access::TokenRequests, mosip, native, openapi::DocumentsApi};
use crate::{config::Settings, services::Services};

/// The resources whose operations are described and routed.
pub(super) type Resources = (mosip::MosipApi, native::NativeApi, DocumentsApi);

/// Makes them.
pub(super) fn resources(services: &Services, settings: &Settings, document: &str) -> Resources {
    // One for both ways to ask for a token: they share what an address may fail.
    let token_requests = Arc::new(TokenRequests::new(services, settings));
    (
        mosip::resources(services, settings, &token_requests),
        native::resources(services, settings, &token_requests),
        DocumentsApi::new(document),
    )
}
