//! `GET /healthz` and `/readyz`.

use std::collections::BTreeMap;

use poem::{IntoResponse, Response, http::StatusCode};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use serde::Serialize;

use crate::{
    api::{openapi::Tag, wire::Json},
    services::{Services, readiness::Component},
};

/// Health.
pub(crate) struct HealthApi {
    services: Services,
}

impl HealthApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl HealthApi {
    /// Whether the process serves
    ///
    /// Restart it when this does not answer.
    #[oai(path = "/healthz", method = "get", operation_id = "health", tag = "Tag::Operation")]
    #[expect(clippy::unused_async, reason = "poem-openapi takes only asynchronous operations")]
    async fn health(&self) -> Json<HealthAnswer> {
        Json(HealthAnswer { status: "ok".to_owned() })
    }

    /// Whether requests should be sent here
    ///
    /// Names the token and the database, each with its state.
    #[oai(path = "/readyz", method = "get", operation_id = "readiness", tag = "Tag::Operation")]
    async fn readiness(&self) -> ReadinessResponse {
        ReadinessResponse(readiness(&self.services.readiness.check().await))
    }
}

fn readiness(components: &[Component]) -> ReadinessAnswer {
    let word = |ready| if ready { "ready" } else { "unavailable" }.to_owned();
    ReadinessAnswer {
        status: word(components.iter().all(|component| component.ready)),
        components: components
            .iter()
            .map(|component| (component.name.to_owned(), ComponentAnswer { status: word(component.ready) }))
            .collect(),
    }
}

/// The process serves.
#[derive(Debug, Serialize, Object)]
struct HealthAnswer {
    /// `ok`.
    status: String,
}

/// What works and what does not.
#[derive(Debug, Serialize, Object)]
struct ReadinessAnswer {
    /// `ready` or `unavailable`.
    status: String,
    /// The parts: `token` and `database`.
    components: BTreeMap<String, ComponentAnswer>,
}

/// The state of one part.
#[derive(Debug, Serialize, Object)]
struct ComponentAnswer {
    /// `ready` or `unavailable`.
    status: String,
}

struct ReadinessResponse(ReadinessAnswer);

impl IntoResponse for ReadinessResponse {
    fn into_response(self) -> Response {
        let ready = self.0.components.values().all(|component| component.status == "ready");
        let mut response = Json(self.0).into_response();
        if !ready {
            response.set_status(StatusCode::SERVICE_UNAVAILABLE);
        }
        response
    }
}

impl ApiResponse for ReadinessResponse {
    fn meta() -> MetaResponses {
        let response = |status, description| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: "application/json",
                schema: ReadinessAnswer::schema_ref(),
            }],
            headers: vec![],
        };
        MetaResponses {
            responses: vec![response(200, "All parts work."), response(503, "A part does not work.")],
        }
    }

    fn register(registry: &mut Registry) {
        ReadinessAnswer::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_away_is_not_ready() {
        let components =
            |token| [Component { name: "token", ready: token }, Component { name: "database", ready: true }];
        let away = ReadinessResponse(readiness(&components(false)));
        assert_eq!(
            serde_json::to_string(&away.0).unwrap(),
            r#"{"status":"unavailable","components":{"database":{"status":"ready"},"token":{"status":"unavailable"}}}"#
        );
        assert_eq!(away.into_response().status(), StatusCode::SERVICE_UNAVAILABLE);
        let ready = ReadinessResponse(readiness(&components(true)));
        assert_eq!(ready.into_response().status(), StatusCode::OK);
    }
}
