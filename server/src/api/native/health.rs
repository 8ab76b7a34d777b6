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
        readiness::{Report, State},
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
        ReadinessResponse(readiness(self.services.readiness.check().await))
    }
}

fn readiness(report: Report) -> ReadinessAnswer {
    let states = [report.database, report.token.state];
    let together = if !states.into_iter().all(State::serves) {
        State::Unavailable
    } else if states == [State::Ready; 2] {
        State::Ready
    } else {
        State::Degraded
    };
    let tokens = report.token.tokens.into_iter().map(|(name, state)| (name, word(state))).collect();
    ReadinessAnswer {
        status: word(together),
        components: ComponentsAnswer {
            database: DatabaseStateAnswer { status: word(report.database) },
            token: TokensAnswer {
                status: word(report.token.state),
                tokens,
                waiting_keys: u64::try_from(report.token.waiting_keys).unwrap_or(u64::MAX),
            },
        },
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
    /// The parts.
    components: ComponentsAnswer,
}

/// The parts that the server depends on.
#[derive(Debug, Serialize, Object)]
struct ComponentsAnswer {
    /// The database.
    database: DatabaseStateAnswer,
    /// The token, or all tokens together.
    token: TokensAnswer,
}

/// The state of the database.
#[derive(Debug, Serialize, Object)]
struct DatabaseStateAnswer {
    /// `ready` or `unavailable`.
    status: String,
}

/// The state of the tokens.
#[derive(Debug, Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct TokensAnswer {
    /// `ready`, `degraded` or `unavailable`.
    status: String,
    /// Each token by its name: `ready`, `degraded` (it lacks some keys, and is used for the others), `refused` (its keys
    /// are not ours, and it is not used) or `unavailable`.
    tokens: BTreeMap<String, String>,
    /// How many keys wait until they can be made, or until every token has them. Their predecessors stay current.
    waiting_keys: u64,
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
    use serde_json::json;

    use super::*;
    use crate::services::readiness::TokenReport;

    fn report(tokens: &[(&str, State)], state: State, waiting_keys: usize) -> Report {
        let tokens = tokens.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect();
        Report { database: State::Ready, token: TokenReport { state, tokens, waiting_keys } }
    }

    #[test]
    fn one_part_away_is_not_ready() {
        let away = readiness(report(&[("kunji", State::Unavailable)], State::Unavailable, 0));
        assert_eq!(
            serde_json::to_value(&away).unwrap(),
            json!({
                "status": "unavailable",
                "components": {
                    "database": { "status": "ready" },
                    "token": { "status": "unavailable", "tokens": { "kunji": "unavailable" }, "waitingKeys": 0 },
                },
            })
        );
        assert_eq!(ReadinessResponse(away).into_response().status(), StatusCode::SERVICE_UNAVAILABLE);
        let ready = ReadinessResponse(readiness(report(&[("kunji", State::Ready)], State::Ready, 0)));
        assert_eq!(ready.0.status, "ready");
        assert_eq!(ready.into_response().status(), StatusCode::OK);
    }

    #[test]
    fn one_token_of_two_away_is_seen_and_served() {
        let degraded = readiness(report(&[("a", State::Refused), ("b", State::Ready)], State::Degraded, 2));
        assert_eq!(
            serde_json::to_value(&degraded).unwrap(),
            json!({
                "status": "degraded",
                "components": {
                    "database": { "status": "ready" },
                    "token": { "status": "degraded", "tokens": { "a": "refused", "b": "ready" }, "waitingKeys": 2 },
                },
            })
        );
        assert_eq!(ReadinessResponse(degraded).into_response().status(), StatusCode::OK);
    }
}
