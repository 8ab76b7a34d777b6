//! `POST /v1/clients`: clients of the built-in token issuer.

use poem::Result;
use poem::{IntoResponse, Response, http::StatusCode};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{
    approvals::{ApprovalAnswer, waiting, waiting_meta},
    problem::{Problem, ProblemKind},
};
use crate::{
    api::{
        access::{Authorized, CreateClient},
        openapi::Tag,
        wire::Json,
    },
    domain::{access::Role, authorization::approval::Approval, client::ClientId},
    services::{Services, access::AccessError},
};

/// Clients.
pub(crate) struct ClientsApi {
    services: Services,
}

impl ClientsApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl ClientsApi {
    /// Make a client
    ///
    /// The secret is shown this once.
    #[oai(path = "/v1/clients", method = "post", operation_id = "createClient", tag = "Tag::Access")]
    async fn create(
        &self,
        caller: Authorized<CreateClient>,
        client: Json<ClientRequest>,
    ) -> Result<Created, Problem> {
        let Json(ClientRequest { client_id, roles }) = client;
        let id = ClientId::parse(&client_id).ok_or_else(|| {
            Problem::new(
                ProblemKind::ClientInvalid,
                "clientId must have 1 to 64 characters of A-Z, a-z, 0-9, '_', '-' and '.'",
            )
        })?;
        let in_force = self.services.authorization.in_force();
        let roles = parse_roles(&roles, |role| in_force.names_role(role))?;
        match self.services.access.create_client(&caller.call, id, roles).await {
            Err(AccessError::Waits(approval)) => Ok(Created::Later(approval)),
            made => {
                let client_secret = made?.expose_secret().to_owned();
                Ok(Created::Now(ClientAnswer { client_id, client_secret }))
            }
        }
    }
}

/// The roles of these names, all of them known: a role that no policy names allows nothing, and is misspelt.
fn parse_roles(names: &[String], is_known: impl Fn(&Role) -> bool) -> Result<Vec<Role>, Problem> {
    let known = |name: &String| Role::parse(name).filter(&is_known);
    let mut roles = names.iter().map(known).collect::<Option<Vec<Role>>>().unwrap_or_default();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        let own: Vec<&str> = Role::ALL.iter().map(Role::name).collect();
        return Err(Problem::new(
            ProblemKind::ClientInvalid,
            format!(
                "roles must name at least one role, and only {}, or roles that an access policy names",
                own.join(", ")
            ),
        ));
    }
    Ok(roles)
}

/// A client to be made.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct ClientRequest {
    /// Its name: 1 to 64 characters of `A–Z a–z 0–9 _ - .`.
    #[oai(validator(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.-]+$"))]
    client_id: String,
    /// What it is trusted with.
    #[oai(validator(min_items = 1))]
    roles: Vec<String>,
}

/// A client that was made.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct ClientAnswer {
    /// Its name.
    client_id: String,
    /// Its secret, shown this once.
    client_secret: String,
}

/// A client that was made, or that waits for it.
enum Created {
    Now(ClientAnswer),
    Later(Box<Approval>),
}

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let answer = match self {
            Self::Now(answer) => answer,
            Self::Later(approval) => return waiting(&approval),
        };
        let mut response = Json(answer).into_response();
        response.set_status(StatusCode::CREATED);
        response
    }
}

impl ApiResponse for Created {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![
                MetaResponse {
                    description: "The client was made.",
                    status: Some(201),
                    status_range: None,
                    content: vec![MetaMediaType {
                        content_type: Json::<ClientAnswer>::CONTENT_TYPE,
                        schema: ClientAnswer::schema_ref(),
                    }],
                    headers: vec![],
                },
                waiting_meta(),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        ClientAnswer::register(registry);
        ApprovalAnswer::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str]) -> Result<Vec<Role>, Problem> {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        parse_roles(&names, |role| Role::ALL.contains(role) || role.name() == "ZONAL_ADMIN")
    }

    #[test]
    fn roles_are_read_once_each() {
        let read = roles(&["signer", "decryptor", "signer", "ZONAL_ADMIN"]).unwrap();
        assert_eq!(read, [Role::Decryptor, Role::Signer, Role::parse("ZONAL_ADMIN").unwrap()]);
    }

    #[test]
    fn unknown_roles_are_refused_with_the_list() {
        for names in [&["signer", "root"][..], &[], &["Signer"], &["GLOBAL_ADMIN"]] {
            let problem = roles(names).unwrap_err().to_string();
            assert!(problem.contains("key-administrator") && !problem.contains("root,"), "{problem}");
        }
    }
}
