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
    services::{
        Services,
        readiness::{Component, State},
    },
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
    /// Names the token and the database, each with its state, and each token where there are several. One token that
    /// is well is enough: `degraded` is answered with 200 too.
    #[oai(path = "/readyz", method = "get", operation_id = "readiness", tag = "Tag::Operation")]
    async fn readiness(&self) -> ReadinessResponse {
        ReadinessResponse(readiness(&self.services.readiness.check().await))
    }
}

fn readiness(components: &[Component]) -> ReadinessAnswer {
    let states = || components.iter().map(|component| component.state);
    let together = if !states().all(State::serves) {
        State::Unavailable
    } else if states().all(|state| state == State::Ready) {
        State::Ready
    } else {
        State::Degraded
    };
    ReadinessAnswer {
        status: word(together),
        components: components
            .iter()
            .map(|component| (component.name.to_owned(), ComponentAnswer::from(component)))
            .collect(),
    }
}

fn word(state: State) -> String {
    match state {
        State::Ready => "ready",
        State::Degraded => "degraded",
        State::Refused => "refused",
        State::Unavailable => "unavailable",
    }
    .to_owned()
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
    /// `ready`, `degraded` or `unavailable`.
    status: String,
    /// The parts: `token` and `database`.
    components: BTreeMap<String, ComponentAnswer>,
}

/// The state of one part.
#[derive(Debug, Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
struct ComponentAnswer {
    /// `ready`, `degraded` or `unavailable`.
    status: String,
    /// Of `token`: each token by its name, as `ready`, `degraded` (it lacks some keys, and is used for the others),
    /// `refused` (its keys are not ours, and it is not used) or `unavailable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<BTreeMap<String, String>>,
    /// Of `token`: how many keys wait until they can be made, or until every token has them. Their predecessors
    /// stay current.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_keys: Option<u64>,
}

impl From<&Component> for ComponentAnswer {
    fn from(component: &Component) -> Self {
        let tokens = component.tokens.iter().map(|(name, state)| (name.clone(), word(*state)));
        Self {
            status: word(component.state),
            tokens: (!component.tokens.is_empty()).then(|| tokens.collect()),
            waiting_keys: u64::try_from(component.waiting_keys).ok().filter(|number| *number > 0),
        }
    }
}

struct ReadinessResponse(ReadinessAnswer);

impl IntoResponse for ReadinessResponse {
    fn into_response(self) -> Response {
        let serves = self.0.status != word(State::Unavailable);
        let mut response = Json(self.0).into_response();
        if !serves {
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
            responses: vec![
                response(200, "All parts work, or enough of them."),
                response(503, "A part does not work."),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        ReadinessAnswer::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn components(tokens: &[(&str, State)], token: State) -> [Component; 2] {
        let tokens = tokens.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect();
        let database =
            Component { name: "database", state: State::Ready, tokens: Vec::new(), waiting_keys: 0 };
        [Component { name: "token", state: token, tokens, waiting_keys: 0 }, database]
    }

    #[test]
    fn one_part_away_is_not_ready() {
        let away = readiness(&components(&[("kunji", State::Unavailable)], State::Unavailable));
        let away = ReadinessResponse(away);
        assert_eq!(
            serde_json::to_string(&away.0).unwrap(),
            r#"{"status":"unavailable","components":{"database":{"status":"ready"},"token":{"status":"unavailable","tokens":{"kunji":"unavailable"}}}}"#
        );
        assert_eq!(away.into_response().status(), StatusCode::SERVICE_UNAVAILABLE);
        let ready = ReadinessResponse(readiness(&components(&[("kunji", State::Ready)], State::Ready)));
        assert_eq!(ready.into_response().status(), StatusCode::OK);
    }

    #[test]
    fn one_token_of_two_away_is_seen_and_served() {
        let tokens = [("a", State::Refused), ("b", State::Ready)];
        let mut components = components(&tokens, State::Degraded);
        components[0].waiting_keys = 2;
        let degraded = ReadinessResponse(readiness(&components));
        assert_eq!(
            serde_json::to_string(&degraded.0).unwrap(),
            r#"{"status":"degraded","components":{"database":{"status":"ready"},"token":{"status":"degraded","tokens":{"a":"refused","b":"ready"},"waitingKeys":2}}}"#
        );
        assert_eq!(degraded.into_response().status(), StatusCode::OK);
    }
}
