//! Every resource, joined.

use super::{mosip, native, openapi::DocumentsApi};
use crate::{config::Settings, services::Services};

/// The resources whose operations are described and routed.
pub(super) type Resources = (mosip::MosipApi, native::NativeApi, DocumentsApi);

/// Makes them.
pub(super) fn resources(services: &Services, settings: &Settings, document: &str) -> Resources {
    (mosip::resources(services, settings), native::resources(services, settings), DocumentsApi::new(document))
}
