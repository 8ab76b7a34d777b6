//! `/v1/clients`: clients of the built-in token issuer.

mod answers;

use poem::Result;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
};
use secrecy::ExposeSecret;
use serde::Deserialize;

use self::answers::{
    Client, ClientAnswer, ClientListAnswer, Created, CreatedClientAnswer, Deleted, Rotated,
    RotatedSecretAnswer, entity_tag,
};
use super::{
    approvals::OrWaiting,
    problem::{Problem, ProblemKind},
};
use crate::{
    api::{
        access::{
            Authorized, ChangeClientRoles, CreateClient, DeleteClient, DisableClient, EnableClient,
            ReadClients, RotateClientSecret,
        },
        openapi::Tag,
        wire::Json,
    },
    domain::{
        access::Role,
        client::{ClientId, ClientState},
        time::Timestamp,
    },
    services::{
        Services,
        access::{CLIENTS_PAGE_MAX, OVERLAP_MAX_SECONDS},
    },
};

/// Clients on a page when the caller names no number.
const CLIENTS_PAGE: usize = 100;
/// How long a replaced secret stays good when the caller names no time.
const OVERLAP_SECONDS: u32 = 86_400;

/// Clients.
pub(crate) struct ClientsApi {
    services: Services,
}

impl ClientsApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    fn parse_roles(&self, names: &[String]) -> Result<Vec<Role>, Problem> {
        let in_force = self.services.authorization.in_force();
        parse_roles(names, |role| in_force.names_role(role))
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
    ) -> Result<OrWaiting<Created>, Problem> {
        let Json(ClientRequest { client_id, roles }) = client;
        let id = ClientId::parse(&client_id).ok_or_else(|| {
            Problem::new(
                ProblemKind::ClientInvalid,
                "clientId must have 1 to 64 characters of A-Z, a-z, 0-9, '_', '-' and '.'",
            )
        })?;
        let roles = self.parse_roles(&roles)?;
        let made = self.services.access.create_client(&caller.call, id, roles).await;
        Ok(OrWaiting::of(made, |secret| {
            Created(CreatedClientAnswer { client_id, client_secret: secret.expose_secret().to_owned() })
        })?)
    }

    /// Read which clients there are
    ///
    /// In the order of their ids, page by page.
    #[oai(path = "/v1/clients", method = "get", operation_id = "listClients", tag = "Tag::Access")]
    async fn list(
        &self,
        _caller: Authorized<ReadClients>,
        /// Only clients whose ids come after this one: `next` of the page before.
        after: Query<Option<String>>,
        /// Most clients on the page, 1 to 1000; 100 when absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
    ) -> Result<Json<ClientListAnswer>, Problem> {
        let after = after.0.as_deref().map(parse_id).transpose()?;
        let limit = limit.0.map_or(CLIENTS_PAGE, |limit| usize::try_from(limit).unwrap_or(CLIENTS_PAGE));
        let limit = limit.clamp(1, CLIENTS_PAGE_MAX);
        let clients = self.services.access.list_clients(after.as_ref(), limit).await?;
        let next =
            clients.last().filter(|_| clients.len() == limit).map(|client| client.id.as_str().to_owned());
        Ok(Json(ClientListAnswer { clients: clients.iter().map(ClientAnswer::from).collect(), next }))
    }

    /// Read a client
    #[oai(path = "/v1/clients/:client_id", method = "get", operation_id = "readClient", tag = "Tag::Access")]
    async fn read(
        &self,
        _caller: Authorized<ReadClients>,
        /// The client's id.
        client_id: Path<String>,
    ) -> Result<Client, Problem> {
        Ok(Client(self.services.access.find_client(&parse_id(&client_id)?).await?))
    }

    /// Delete a client
    ///
    /// The tokens that it has are refused by every server within 2 seconds, also when another client gets the name.
    #[oai(
        path = "/v1/clients/:client_id",
        method = "delete",
        operation_id = "deleteClient",
        tag = "Tag::Access"
    )]
    async fn delete(
        &self,
        caller: Authorized<DeleteClient>,
        /// The client's id.
        client_id: Path<String>,
        /// The client's `ETag`: the client is deleted only in this state.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Deleted, Problem> {
        let state = expected_state(if_match.0.as_deref())?;
        self.services.access.delete_client(&caller.call, &parse_id(&client_id)?, state).await?;
        Ok(Deleted)
    }

    /// Give a client other roles
    ///
    /// The tokens that it has name the old roles, and are refused by every server within 2 seconds.
    #[oai(
        path = "/v1/clients/:client_id/roles",
        method = "put",
        operation_id = "changeClientRoles",
        tag = "Tag::Access"
    )]
    async fn change_roles(
        &self,
        caller: Authorized<ChangeClientRoles>,
        /// The client's id.
        client_id: Path<String>,
        /// The client's `ETag`, or `*`. It must be given.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Json<ClientRolesRequest>,
    ) -> Result<OrWaiting<Client>, Problem> {
        let if_match = if_match.0.ok_or_else(|| {
            Problem::new(
                ProblemKind::PreconditionRequired,
                "send the client's ETag in If-Match, so that nobody else's change is undone; or If-Match: *",
            )
        })?;
        let (id, state) = (parse_id(&client_id)?, expected_state(Some(&if_match))?);
        let roles = self.parse_roles(&body.0.roles)?;
        let changed = self.services.access.change_client_roles(&caller.call, &id, state, roles).await;
        Ok(OrWaiting::of(changed, Client)?)
    }

    /// Give a client a new secret
    ///
    /// The secret is shown this once. The one before stays good for `overlapSeconds`, so that the client can be given
    /// the new one in peace. With `overlapSeconds` 0, for a secret that has leaked, every former secret ends at once,
    /// and the tokens that the client has are refused by every server within 2 seconds.
    #[oai(
        path = "/v1/clients/:client_id/secret",
        method = "post",
        operation_id = "rotateClientSecret",
        tag = "Tag::Access"
    )]
    async fn rotate_secret(
        &self,
        caller: Authorized<RotateClientSecret>,
        /// The client's id.
        client_id: Path<String>,
        /// The client's `ETag`: the secret is replaced only in this state.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Json<RotateSecretRequest>,
    ) -> Result<OrWaiting<Rotated>, Problem> {
        let (id, state) = (parse_id(&client_id)?, expected_state(if_match.0.as_deref())?);
        let overlap = body.0.overlap_seconds.unwrap_or(OVERLAP_SECONDS);
        if overlap > OVERLAP_MAX_SECONDS {
            return Err(Problem::new(
                ProblemKind::ClientInvalid,
                format!("overlapSeconds must be from 0 to {OVERLAP_MAX_SECONDS}"),
            ));
        }
        let rotated = self.services.access.rotate_client_secret(&caller.call, &id, state, overlap).await;
        Ok(OrWaiting::of(rotated, |rotated| {
            Rotated(RotatedSecretAnswer::new(&rotated.client, rotated.secret.expose_secret()))
        })?)
    }

    /// Disable a client
    ///
    /// It takes no more tokens, and those that it has are refused by every server within 2 seconds.
    #[oai(
        path = "/v1/clients/:client_id/disable",
        method = "post",
        operation_id = "disableClient",
        tag = "Tag::Access"
    )]
    async fn disable(
        &self,
        caller: Authorized<DisableClient>,
        /// The client's id.
        client_id: Path<String>,
        /// The client's `ETag`: the client is disabled only in this state.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Client, Problem> {
        let (id, state) = (parse_id(&client_id)?, expected_state(if_match.0.as_deref())?);
        Ok(Client(self.services.access.disable_client(&caller.call, &id, state).await?))
    }

    /// Enable a disabled client
    ///
    /// Its secrets are good again; the tokens that it had when it was disabled stay ended. No client enables itself.
    #[oai(
        path = "/v1/clients/:client_id/enable",
        method = "post",
        operation_id = "enableClient",
        tag = "Tag::Access"
    )]
    async fn enable(
        &self,
        caller: Authorized<EnableClient>,
        /// The client's id.
        client_id: Path<String>,
        /// The client's `ETag`: the client is enabled only in this state.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<OrWaiting<Client>, Problem> {
        let (id, state) = (parse_id(&client_id)?, expected_state(if_match.0.as_deref())?);
        Ok(OrWaiting::of(self.services.access.enable_client(&caller.call, &id, state).await, Client)?)
    }
}

/// The id of a client that there may be.
fn parse_id(text: &str) -> Result<ClientId, Problem> {
    ClientId::parse(text).ok_or_else(|| crate::services::access::AccessError::ClientNotFound.into())
}

/// The state that the caller knows, where it matters: `If-Match` with one strong entity tag of ours, or `*`
/// (RFC 9110 13.1.1). Any other text names no state that a client ever had.
fn expected_state(if_match: Option<&str>) -> Result<Option<ClientState>, Problem> {
    let Some(text) = if_match.map(str::trim).filter(|text| *text != "*") else { return Ok(None) };
    let state = || {
        let (version, created_at) = text.strip_prefix('"')?.strip_suffix('"')?.split_once('-')?;
        let created_at = Timestamp::from_millis(created_at.parse().ok()?);
        Some(ClientState { version: version.parse().ok()?, created_at })
    };
    let state = state().filter(|state| entity_tag(*state) == text);
    state.map(Some).ok_or_else(|| crate::services::access::AccessError::ClientChanged.into())
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

/// What a client is trusted with from now on.
#[derive(Debug, Deserialize, Object)]
struct ClientRolesRequest {
    /// All its roles.
    #[oai(validator(min_items = 1))]
    roles: Vec<String>,
}

/// How a secret is replaced.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct RotateSecretRequest {
    /// How long the secret before stays good, in seconds: 0 to 2592000 (30 days); 86400 (a day) when absent.
    #[oai(validator(minimum(value = "0"), maximum(value = "2592000")))]
    overlap_seconds: Option<u32>,
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

    #[test]
    fn a_state_is_expected_by_its_entity_tag() {
        let state = ClientState { version: 7, created_at: Timestamp::from_millis(1_767_607_872_007) };
        let tag = entity_tag(state);
        assert_eq!(expected_state(Some(&tag)).unwrap(), Some(state));
        assert_eq!(expected_state(Some("*")).unwrap(), None);
        assert_eq!(expected_state(None).unwrap(), None);
        for text in ["", "7", "\"7\"", "W/\"7-1\"", "\"07-1\"", "\"7-1\", \"8-1\"", "\"7--1-\""] {
            let problem = expected_state(Some(text)).unwrap_err();
            assert_eq!(problem.kind(), ProblemKind::ClientChanged, "{text}");
        }
    }
}
