//! HTTP: translates, calls a service, translates back. Nothing is decided here but who may enter.
//!
//! | Part | Duty |
//! |---|---|
//! | [`serve()`] | connections: limits, timeouts, shutdown |
//! | `front` | every request: who may enter, time, panics, the form of failures, headers |
//! | `access` | which paths are anonymous, where tokens stand, which operation policies must allow |
//! | `mosip` | `/v1/keymanager`, with the reference system's envelope |
//! | `native` | the other routes, with problem documents (RFC 9457) |
//! | `demo` | the demo's pages and inbox, under `/demo/`; no part of the described API |
//! | `wire` | strict JSON, base64 and times, bounded bodies |
//! | `openapi` | the one document that is served and committed |

mod access;
mod allowed_methods;
mod body_memory;
mod cors;
mod demo;
mod exchange;
mod front;
mod headers;
mod mosip;
mod native;
mod network;
mod openapi;
mod query_names;
mod rate_limit;
mod routes;
mod serve;
mod transport;
mod wire;

use poem::{Response, endpoint::BoxEndpoint, endpoint::EndpointExt};
use poem_openapi::OpenApiService;

use crate::{config::Settings, services::Services};

pub use self::{
    openapi::openapi_document,
    serve::{Carrier, ServeLimits, serve},
};

/// All routes, behind access control and limits.
pub fn endpoint(services: &Services, settings: &Settings) -> BoxEndpoint<'static, Response> {
    let document = openapi_document();
    let routes = routes::resources(services, settings, &document);
    let service = OpenApiService::new(routes, openapi::TITLE, openapi::VERSION);
    let routes = demo::Demo::beside(poem::IntoEndpoint::into_endpoint(service), services, settings);
    front::Front::new(routes, services, settings).boxed()
}
