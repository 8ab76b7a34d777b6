//! What is said of clients.

use poem::{
    IntoResponse, Response,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaHeader, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;

use super::super::approvals::described;
use crate::{
    api::wire::Json,
    domain::{
        client::{ClientRecord, ClientState},
        time::Timestamp,
    },
};

/// A client. Nothing of its secrets can be read.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct ClientAnswer {
    /// Its name.
    client_id: String,
    /// What it is trusted with.
    roles: Vec<String>,
    /// Since when it is disabled; null while it may take tokens.
    disabled_at: Option<String>,
    /// When the last of its replaced secrets ends; null when only the newest one is good.
    former_secrets_until: Option<String>,
    /// When it was made.
    created_at: String,
    /// Who made it; null for the first administrator.
    created_by: Option<String>,
}

impl From<&ClientRecord> for ClientAnswer {
    fn from(client: &ClientRecord) -> Self {
        Self {
            client_id: client.id.as_str().to_owned(),
            roles: client.roles.iter().map(|role| role.name().to_owned()).collect(),
            disabled_at: client.disabled_at.map(Timestamp::to_text),
            former_secrets_until: former_secrets_until(client),
            created_at: client.created_at.to_text(),
            created_by: client.created_by.clone(),
        }
    }
}

fn former_secrets_until(client: &ClientRecord) -> Option<String> {
    client.former_secrets.iter().map(|former| former.until).max().map(Timestamp::to_text)
}

/// Clients, in the order of their ids.
#[derive(Serialize, Object)]
pub(super) struct ClientListAnswer {
    /// One page of them.
    pub(super) clients: Vec<ClientAnswer>,
    /// What `after` must be to read the next page; null when this is the last one.
    pub(super) next: Option<String>,
}

/// A client that was made.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct CreatedClientAnswer {
    /// Its name.
    pub(super) client_id: String,
    /// Its secret, shown this once.
    pub(super) client_secret: String,
}

/// A new secret of a client.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct RotatedSecretAnswer {
    /// Its name.
    client_id: String,
    /// Its new secret, shown this once.
    client_secret: String,
    /// When the last of its replaced secrets ends; null when none is good any more.
    former_secrets_until: Option<String>,
}

impl RotatedSecretAnswer {
    pub(super) fn new(client: &ClientRecord, secret: &str) -> Self {
        Self {
            client_id: client.id.as_str().to_owned(),
            client_secret: secret.to_owned(),
            former_secrets_until: former_secrets_until(client),
        }
    }
}

/// The entity tag of a state of a client. The time tells it from another client that had the name before.
pub(super) fn entity_tag(state: ClientState) -> String {
    format!("\"{}-{}\"", state.version, state.created_at.millis())
}

/// A client with its entity tag.
pub(super) struct Client(pub(super) ClientRecord);

impl IntoResponse for Client {
    fn into_response(self) -> Response {
        let mut response = Json(ClientAnswer::from(&self.0)).into_response();
        if let Ok(tag) = entity_tag(self.0.state()).parse() {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

impl ApiResponse for Client {
    fn meta() -> MetaResponses {
        let tag = MetaHeader {
            name: "ETag".to_owned(),
            description: Some("Names this state of the client, for `If-Match`.".to_owned()),
            required: true,
            deprecated: false,
            schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
        };
        MetaResponses {
            responses: vec![MetaResponse {
                headers: vec![tag],
                ..described::<ClientAnswer>(200, "The client.")
            }],
        }
    }

    fn register(registry: &mut Registry) {
        ClientAnswer::register(registry);
    }
}

/// A client was made.
pub(super) struct Created(pub(super) CreatedClientAnswer);

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        response.set_status(StatusCode::CREATED);
        response
    }
}

impl ApiResponse for Created {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![described::<CreatedClientAnswer>(201, "The client was made.")] }
    }

    fn register(registry: &mut Registry) {
        CreatedClientAnswer::register(registry);
    }
}

/// A client got a new secret.
pub(super) struct Rotated(pub(super) RotatedSecretAnswer);

impl IntoResponse for Rotated {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl ApiResponse for Rotated {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![described::<RotatedSecretAnswer>(200, "The new secret.")] }
    }

    fn register(registry: &mut Registry) {
        RotatedSecretAnswer::register(registry);
    }
}

/// A client was deleted.
pub(super) struct Deleted;

impl IntoResponse for Deleted {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl ApiResponse for Deleted {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The client was deleted.",
                status: Some(204),
                status_range: None,
                content: vec![],
                headers: vec![],
            }],
        }
    }

    fn register(_: &mut Registry) {}
}
