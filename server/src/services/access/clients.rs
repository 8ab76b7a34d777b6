//! What becomes of clients after they were made.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{AccessError, AccessService, TokenRefusal};
use crate::{
    domain::{
        access::{CallContext, Operation, Role},
        client::{
            ClientId, ClientRecord, ClientState, Ending, FormerSecret, TOKEN_LIFETIME_MAX_SECONDS, TokenEpoch,
        },
        time::Timestamp,
    },
    ports::repository::RepositoryError,
    services::{auditor::bounded, authorization::AccessRefusal},
};

/// Longest time that a replaced secret may stay good, in seconds.
pub const OVERLAP_MAX_SECONDS: u32 = 30 * 86_400;
/// Most clients that are listed at once.
pub const CLIENTS_PAGE_MAX: usize = 1000;

/// How long an ending is kept beyond the longest life of a token, for clocks that differ.
const ENDING_MARGIN_SECONDS: i64 = 3600;
/// Tries of a change that others forestall.
const ATTEMPTS: u32 = 8;

/// A new secret of a client.
pub struct RotatedSecret {
    /// The secret, shown this once.
    pub secret: SecretString,
    /// The client with it.
    pub client: ClientRecord,
}

/// A change that was let through for a client with these roles is not made to one that has got others since, nor to
/// another one of its name.
fn require_roles(client: &ClientRecord, known: &ClientRecord) -> Result<(), AccessError> {
    let same = client.roles == known.roles && client.created_at == known.created_at;
    if same { Ok(()) } else { Err(AccessError::ClientChanged) }
}

/// Nor is it made to one whose secret others may have got since.
fn require_holder(client: &ClientRecord, known: &ClientRecord) -> Result<(), AccessError> {
    let same = client.secret_hash == known.secret_hash && client.created_at == known.created_at;
    if same { Ok(()) } else { Err(AccessError::ClientChanged) }
}

/// Nor does a client get a new secret by what its owner has just ended: this server may not have heard of that yet.
fn require_epoch(client: &ClientRecord, call: &CallContext) -> Result<(), AccessError> {
    let ended = AccessRefusal::Ended(TokenRefusal::Ended);
    if call.authority.epoch() == Some(client.epoch) { Ok(()) } else { Err(ended.into()) }
}

/// Which state of the client others approve a change of: who has its secret may be another one in the next.
fn described(client: &ClientRecord) -> Value {
    json!({ "version": client.version, "createdAt": client.created_at.to_text(), "roles": names(&client.roles) })
}

fn names(roles: &[Role]) -> Vec<&str> {
    roles.iter().map(Role::name).collect()
}

/// The roles as the trail shows them.
pub(super) fn shown_roles(roles: &[Role]) -> Value {
    bounded(json!(names(roles)))
}

/// What a change does with the tokens that the client has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tokens {
    End,
    StayGood,
}

impl AccessService {
    /// Clients in the order of their ids, those after `after`, at most `limit` and [`CLIENTS_PAGE_MAX`].
    ///
    /// # Errors
    /// [`AccessError::Repository`].
    pub async fn list_clients(
        &self,
        after: Option<&ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, AccessError> {
        Ok(self.repository.list_clients(after, limit.min(CLIENTS_PAGE_MAX)).await?)
    }

    /// The client of this id.
    ///
    /// # Errors
    /// [`AccessError::ClientNotFound`].
    pub async fn find_client(&self, id: &ClientId) -> Result<ClientRecord, AccessError> {
        self.repository.find_client(id).await?.ok_or(AccessError::ClientNotFound)
    }

    /// Gives the client a new secret. The one before stays good for `overlap_seconds` (at most
    /// [`OVERLAP_MAX_SECONDS`]); with 0 it ends now, and with it all former ones and the client's tokens.
    ///
    /// # Errors
    /// [`AccessError::SecretsInForce`] when too many former secrets are still good.
    pub async fn rotate_client_secret(
        &self,
        call: &CallContext,
        id: &ClientId,
        state: Option<ClientState>,
        overlap_seconds: u32,
    ) -> Result<RotatedSecret, AccessError> {
        let overlap = i64::from(overlap_seconds.min(OVERLAP_MAX_SECONDS));
        let tokens = if overlap == 0 { Tokens::End } else { Tokens::StayGood };
        let rotated = async {
            let known = self.find_state(id, state).await?;
            let content = json!({
                "clientId": id.as_str(), "newSecret": true, "overlapSeconds": overlap, "client": described(&known),
            });
            self.pass_use(call, Operation::RotateClientSecret, &known, &content).await?;
            let secret = self.new_secret()?;
            let hash = self.hasher.hash(secret.clone()).await?;
            let [_, client] = self
                .change_client(id, state, tokens, |client, now| {
                    require_roles(client, &known)?;
                    if call.is_client(id) {
                        require_epoch(client, call)?;
                    }
                    let former = std::mem::replace(&mut client.secret_hash, hash.clone());
                    if overlap == 0 {
                        client.former_secrets.clear();
                    } else if client.former_secrets.len() >= ClientRecord::MAX_FORMER_SECRETS {
                        return Err(AccessError::SecretsInForce);
                    } else {
                        client
                            .former_secrets
                            .insert(0, FormerSecret { hash: former, until: now.plus_seconds(overlap) });
                    }
                    Ok(())
                })
                .await?;
            Ok(RotatedSecret { secret, client })
        };
        self.auditor.audited_client(call, Operation::RotateClientSecret, id, rotated, |_| None).await
    }

    /// Lets the client take no more tokens, and ends those that it has.
    ///
    /// # Errors
    /// [`AccessError::LastAdministrator`].
    pub async fn disable_client(
        &self,
        call: &CallContext,
        id: &ClientId,
        state: Option<ClientState>,
    ) -> Result<ClientRecord, AccessError> {
        let disabled = self.change_client(id, state, Tokens::End, |client, now| {
            client.disabled_at = client.disabled_at.or(Some(now));
            Ok(())
        });
        let [_, client] =
            self.auditor.audited_client(call, Operation::DisableClient, id, disabled, |_| None).await?;
        Ok(client)
    }

    /// Lets a disabled client take tokens again. Those that it had stay ended.
    ///
    /// # Errors
    /// [`AccessError::ClientNotFound`], and [`AccessError::OwnClient`] for the client that asks.
    pub async fn enable_client(
        &self,
        call: &CallContext,
        id: &ClientId,
        state: Option<ClientState>,
    ) -> Result<ClientRecord, AccessError> {
        let enabled = async {
            // A request that began before its client was disabled, or that another server lets in a moment longer.
            if call.is_client(id) {
                return Err(AccessError::OwnClient);
            }
            let known = self.find_state(id, state).await?;
            let content = json!({ "clientId": id.as_str(), "enabled": true, "client": described(&known) });
            self.pass_use(call, Operation::EnableClient, &known, &content).await?;
            self.change_client(id, state, Tokens::StayGood, |client, _| {
                require_roles(client, &known)?;
                require_holder(client, &known)?;
                client.disabled_at = None;
                Ok(())
            })
            .await
        };
        let details = |done: Option<&[ClientRecord; 2]>| {
            done.map(|[_, client]| json!({ "roles": shown_roles(&client.roles) }))
        };
        let [_, client] =
            self.auditor.audited_client(call, Operation::EnableClient, id, enabled, details).await?;
        Ok(client)
    }

    /// Gives the client these roles and no others, and ends the tokens that it has: they name the old ones.
    ///
    /// # Errors
    /// [`AccessError::LastAdministrator`].
    pub async fn change_client_roles(
        &self,
        call: &CallContext,
        id: &ClientId,
        state: Option<ClientState>,
        mut roles: Vec<Role>,
    ) -> Result<ClientRecord, AccessError> {
        roles.sort_unstable();
        roles.dedup();
        let changed = async {
            let known = self.find_state(id, state).await?;
            let content =
                json!({ "clientId": id.as_str(), "newRoles": names(&roles), "client": described(&known) });
            let asked = Operation::ChangeClientRoles;
            let operation = self.authorizer.empowering(call, asked, id.as_str(), &roles)?;
            self.pass(call, asked, operation, &content).await?;
            self.change_client(id, state, Tokens::End, |client, _| {
                require_holder(client, &known)?;
                client.roles.clone_from(&roles);
                Ok(())
            })
            .await
        };
        let details = |done: Option<&[ClientRecord; 2]>| {
            let roles = shown_roles(&roles);
            Some(match done {
                Some([before, _]) => json!({ "roles": roles, "before": shown_roles(&before.roles) }),
                None => json!({ "roles": roles }),
            })
        };
        let operation = Operation::ChangeClientRoles;
        let [_, client] = self.auditor.audited_client(call, operation, id, changed, details).await?;
        Ok(client)
    }

    /// Removes the client, and ends the tokens that it has.
    ///
    /// # Errors
    /// [`AccessError::LastAdministrator`].
    pub async fn delete_client(
        &self,
        call: &CallContext,
        id: &ClientId,
        state: Option<ClientState>,
    ) -> Result<(), AccessError> {
        let deleted = async {
            for _ in 0..ATTEMPTS {
                let ending = self.next_ending().await?;
                let client = self.find_state(id, state).await?;
                if client.is_active_administrator() {
                    self.require_other_administrator(id).await?;
                }
                let ending = Ending { epoch: client.epoch, ..ending };
                match self.repository.remove_client(&client, &ending).await {
                    Err(RepositoryError::Conflict) => {}
                    other => {
                        other?;
                        self.obey_now().await;
                        return Ok(());
                    }
                }
            }
            Err(AccessError::ClientChanged)
        };
        self.auditor.audited_client(call, Operation::DeleteClient, id, deleted, |_| None).await
    }

    /// Has it wait, if a policy says so, that a client which there is can be used by whoever asks: that would be a way
    /// around having new ones approved. A client may replace its own secret without, and do nothing else.
    async fn pass_use(
        &self,
        call: &CallContext,
        operation: Operation,
        client: &ClientRecord,
        content: &Value,
    ) -> Result<(), AccessError> {
        if operation == Operation::RotateClientSecret && call.is_client(&client.id) {
            return Ok(());
        }
        let empowering = self.authorizer.empowering(call, operation, client.id.as_str(), &client.roles)?;
        self.pass(call, operation, empowering, content).await
    }

    /// Makes a change from one state to the next, however many try at once, and returns both. One that changes nothing is
    /// made already.
    ///
    /// Changes that end tokens are numbered over all clients, and one alone gets each number. So two administrators
    /// who would disable each other do not both find that the other one is still there.
    async fn change_client(
        &self,
        id: &ClientId,
        state: Option<ClientState>,
        tokens: Tokens,
        change: impl Fn(&mut ClientRecord, Timestamp) -> Result<(), AccessError>,
    ) -> Result<[ClientRecord; 2], AccessError> {
        for _ in 0..ATTEMPTS {
            let ending = match tokens {
                Tokens::End => Some(self.next_ending().await?),
                Tokens::StayGood => None,
            };
            let client = self.find_state(id, state).await?;
            let now = self.clock.now();
            let mut next = client.successor(now);
            change(&mut next, now)?;
            if next == client.successor(now) {
                return Ok([client.clone(), client]);
            }
            if client.is_active_administrator() && !next.is_active_administrator() {
                self.require_other_administrator(id).await?;
            }
            let ending = ending.map(|ending| Ending { epoch: client.epoch, ..ending });
            if ending.is_some() {
                next.epoch = self.new_epoch()?;
            }
            match self.repository.replace_client(&next, ending.as_ref()).await {
                Err(RepositoryError::Conflict) => {}
                other => {
                    other?;
                    if ending.is_some() {
                        self.obey_now().await;
                    }
                    return Ok([client, next]);
                }
            }
        }
        Err(AccessError::ClientChanged)
    }

    /// The client, if its state is the one that the caller knows.
    async fn find_state(
        &self,
        id: &ClientId,
        state: Option<ClientState>,
    ) -> Result<ClientRecord, AccessError> {
        let client = self.find_client(id).await?;
        match state {
            Some(state) if state != client.state() => Err(AccessError::ClientChanged),
            _ => Ok(client),
        }
    }

    /// The ending that would be the next one, of no epoch yet.
    async fn next_ending(&self) -> Result<Ending, AccessError> {
        let number = self.repository.newest_ending().await?.saturating_add(1);
        let kept = i64::from(TOKEN_LIFETIME_MAX_SECONDS).saturating_add(ENDING_MARGIN_SECONDS);
        Ok(Ending {
            number,
            epoch: TokenEpoch::from_bytes([0; 16]),
            until: self.clock.now().plus_seconds(kept),
        })
    }

    async fn require_other_administrator(&self, id: &ClientId) -> Result<(), AccessError> {
        let mut after = None;
        loop {
            let page = self.repository.list_clients(after.as_ref(), CLIENTS_PAGE_MAX).await?;
            if page.iter().any(|client| client.id != *id && client.is_active_administrator()) {
                return Ok(());
            }
            match page.into_iter().next_back() {
                Some(last) => after = Some(last.id),
                None => return Err(AccessError::LastAdministrator),
            }
        }
    }

    /// This server need not wait until it reads again. That it could not is no reason to call the change failed.
    async fn obey_now(&self) {
        if let Err(error) = self.ended.refresh().await {
            tracing::warn!(%error, "an ended client is obeyed here a moment later");
        }
    }

    pub(super) fn new_epoch(&self) -> Result<TokenEpoch, AccessError> {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes).map_err(|_| AccessError::Internal("randomness"))?;
        Ok(TokenEpoch::from_bytes(bytes))
    }
}
