//! The description of the API: served at `/openapi.json`, shown at `/docs`, and committed.
//!
//! poem-openapi derives paths, parameters and schemas from the code; [`complete`] adds what it cannot say.

#[expect(
    clippy::indexing_slicing,
    reason = "works at start-up on a document of our own, whose shape its tests hold; missing members are made"
)]
mod complete;
mod documents;
mod failures;
mod page;

use std::collections::HashMap;

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi, OpenApiService, Tags,
    registry::{MetaApi, Registry},
};
use serde_json::Value;

use super::routes::Resources;

pub(super) use self::documents::DocumentsApi;

/// Title of the API.
pub(super) const TITLE: &str = "Kunji key manager";
/// Version of the API.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

const DESCRIPTION: &str = "Keys, certificates, encryption, decryption and signatures for national-ID and \
    social-benefit platforms.\n\nPaths under `/v1/keymanager` keep the envelope of the MOSIP key manager: \
    whatever a caller did wrong is HTTP 200 with `errors`. All other paths answer failures with problem \
    documents (RFC 9457), whose `code` is stable. Every answer names its request in `X-Request-Id`.";

/// Groups of operations.
#[derive(Tags)]
pub(super) enum Tag {
    /// Clients and access tokens.
    Access,
    /// The audit trail.
    Audit,
    /// Public certificates.
    Certificates,
    /// The paths, names and codes of the MOSIP key manager.
    KeyManager,
    /// Key policies.
    /// Keys and their states.
    Keys,
    /// Health, and this description.
    Operation,
    /// Packets as bytes.
    Packets,
    /// Signatures over bytes, and reports on signatures.
    Signatures,
}

/// The description of every operation, as JSON. Needs no running server.
pub fn openapi_document() -> String {
    let described: Value = serde_json::from_str(&described().spec()).unwrap_or_default();
    let mut text = serde_json::to_string_pretty(&complete::complete(described)).unwrap_or_default();
    text.push('\n');
    text
}

fn described() -> OpenApiService<Described, ()> {
    OpenApiService::new(Described, TITLE, VERSION).description(DESCRIPTION).license(
        poem_openapi::LicenseObject::new("Apache-2.0").url("https://www.apache.org/licenses/LICENSE-2.0"),
    )
}

/// The resources' description without the resources.
struct Described;

impl OpenApi for Described {
    fn meta() -> Vec<MetaApi> {
        Resources::meta()
    }

    fn register(registry: &mut Registry) {
        Resources::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_description_is_the_generated_one() {
        let committed = include_str!("../../../../docs/openapi.json");
        assert!(
            committed == openapi_document(),
            "docs/openapi.json is not what the code describes; regenerate it: kunji openapi > docs/openapi.json"
        );
    }
}
