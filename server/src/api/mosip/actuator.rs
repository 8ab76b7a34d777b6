//! `GET /v1/keymanager/actuator/health` and `/actuator/info`

use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::api::{openapi::Tag, wire::Json};

/// What orchestrators and test suites of the reference system ask.
pub(crate) struct ActuatorApi;

#[OpenApi]
impl ActuatorApi {
    /// Whether the process serves
    ///
    /// `UP` even while the token or the database is away: a restart would not bring them back.
    #[oai(
        path = "/v1/keymanager/actuator/health",
        method = "get",
        operation_id = "actuatorHealth",
        tag = "Tag::Operation"
    )]
    #[expect(clippy::unused_async, reason = "poem-openapi takes only asynchronous operations")]
    async fn health(&self) -> Json<ActuatorHealthAnswer> {
        Json(ActuatorHealthAnswer { status: "UP".to_owned() })
    }

    /// Which program this is
    #[oai(
        path = "/v1/keymanager/actuator/info",
        method = "get",
        operation_id = "actuatorInfo",
        tag = "Tag::Operation"
    )]
    #[expect(clippy::unused_async, reason = "poem-openapi takes only asynchronous operations")]
    async fn info(&self) -> Json<ActuatorInfoAnswer> {
        Json(ActuatorInfoAnswer {
            build: BuildAnswer { name: "kunji".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        })
    }
}

/// The process serves.
#[derive(Debug, Serialize, Object)]
struct ActuatorHealthAnswer {
    /// `UP`.
    status: String,
}

/// Which program this is.
#[derive(Debug, Serialize, Object)]
struct ActuatorInfoAnswer {
    /// The build.
    build: BuildAnswer,
}

/// A build.
#[derive(Debug, Serialize, Object)]
struct BuildAnswer {
    /// `kunji`.
    name: String,
    /// The version.
    version: String,
}
