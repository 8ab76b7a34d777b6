//! From a packet's public bytes to its data key.

use std::sync::Arc;

use kunji_shared::{
    ModulusLength,
    packet::{ContentFrame, Envelope, FormatError, Frame, OpenInputs, Splitter},
    secret::DataKey,
};

use super::{CallerInputs, PacketError, off_thread_if};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, KeyAlias},
        key::{KeyId, KeyRecord},
        lifecycle::{Allowance, KeyUse},
    },
    services::{
        authorization::{AccessRefusal, Authorizer},
        keys::{KeyError, directory::KeyDirectory, policies::PolicyTable, private_keys::PrivateKeys},
    },
};

/// Finds the key of a packet and unwraps the data key.
pub(super) struct Unlocker {
    pub(super) authorizer: Arc<Authorizer>,
    pub(super) directory: Arc<KeyDirectory>,
    pub(super) keys_without_thumbprint: Option<usize>,
    pub(super) policies: Arc<PolicyTable>,
    pub(super) private_keys: Arc<PrivateKeys>,
    pub(super) splitter: Splitter,
}

/// A packet with its data key, or with one that opens nothing.
pub(super) struct Unlocked {
    /// The key that was used.
    pub(super) key: KeyId,
    pub(super) frame: Frame,
    /// When unwrapping failed, a key of zeros: what comes after does the same work either way.
    pub(super) data_key: DataKey,
    /// Whether unwrapping succeeded.
    pub(super) genuine: bool,
}

impl Unlocked {
    pub(super) fn content<'a>(&self, inputs: &'a CallerInputs) -> Result<ContentFrame<'a>, FormatError> {
        self.frame.content(&open_inputs(inputs))
    }
}

fn open_inputs(inputs: &CallerInputs) -> OpenInputs<'_> {
    OpenInputs { salt: inputs.salt.as_deref(), aad: inputs.aad.as_deref() }
}

impl Unlocker {
    /// Unwraps the data key of the packet that begins with `head` and has `total` bytes, for a caller who was
    /// [admitted](Self::check_admitted). All that its public
    /// bytes can show to be wrong is found before a private key is used.
    pub(super) async fn unlock(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        head: &[u8],
        total: u64,
        inputs: &CallerInputs,
    ) -> Result<Unlocked, PacketError> {
        let envelope = Envelope::read(head, total, &self.splitter)?;
        if let Some(thumbprint) = envelope.claimed_thumbprint() {
            if let Some(key) = self.directory.by_thumbprint(&thumbprint).await.map_err(KeyError::from)? {
                if key.alias != *alias {
                    return Err(self.other_alias(call, &key.alias));
                }
                if alias.role() != AliasRole::Base {
                    return Err(PacketError::SigningKey);
                }
                self.check_opens(call, &key)?;
                let frame = envelope.with_thumbprint(modulus_of(&key)?)?;
                frame.content(&open_inputs(inputs))?;
                let data_key = self.unwrap(&key, &frame, head).await?;
                return Ok(self.noted(unlocked(&key, frame, data_key)?));
            }
            if !envelope.may_lack_thumbprint() {
                // Boxed: what is rare need not be a part of every operation's state.
                return Err(Box::pin(self.unknown_key(alias)).await);
            }
        }
        // Boxed: what is rare need not be a part of every operation's state.
        Box::pin(self.unlock_without_thumbprint(call, alias, &envelope, head, inputs)).await
    }

    /// Whether the caller may open packets of the alias. Says the same whether or not there is a key.
    pub(super) fn check_admitted(&self, call: &CallContext, alias: &KeyAlias) -> Result<(), PacketError> {
        self.authorizer.check(call, Operation::Decrypt, alias).map_err(refused)?;
        self.check_listed(call, alias)
    }

    /// Whether a caller who was admitted still is, after its packet took its time to come: directly before a private
    /// key is used for it. Counts against no limit.
    pub(super) fn check_still_admitted(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
    ) -> Result<(), PacketError> {
        self.authorizer.check_again(call, Operation::Decrypt, Some(alias)).map_err(refused)?;
        self.check_listed(call, alias)
    }

    fn check_listed(&self, call: &CallContext, alias: &KeyAlias) -> Result<(), PacketError> {
        if self.policies.admits(&alias.application, &call.principal.name) {
            Ok(())
        } else {
            Err(PacketError::AccessListed)
        }
    }

    /// The packet's key is of another alias than the caller names. Those who may not use that alias either are
    /// told what they would be told if there were no such key.
    fn other_alias(&self, call: &CallContext, alias: &KeyAlias) -> PacketError {
        let may = self.authorizer.may(call, Operation::Decrypt, alias)
            && self.policies.admits(&alias.application, &call.principal.name);
        if may { PacketError::ForeignKey } else { PacketError::UnknownKey }
    }

    /// Whether what was decided about the key lets it open packets, for this caller.
    fn check_opens(&self, call: &CallContext, key: &KeyRecord) -> Result<(), PacketError> {
        let state = self.directory.states.decided(&key.id);
        let opens = match state.allows(KeyUse::Decrypt) {
            Allowance::Allowed => true,
            Allowance::ByPolicy => {
                self.authorizer.check(call, Operation::DecryptCompromised, &key.alias).is_ok()
            }
            Allowance::Refused => false,
        };
        if opens { Ok(()) } else { Err(KeyError::NotUsable(state).into()) }
    }

    async fn unlock_without_thumbprint(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        envelope: &Envelope,
        head: &[u8],
        inputs: &CallerInputs,
    ) -> Result<Unlocked, PacketError> {
        let most = self.keys_without_thumbprint.ok_or(FormatError::ThumbprintMissing)?;
        if alias.role() != AliasRole::Base {
            return Err(PacketError::SigningKey);
        }
        let keys = self.directory.list(alias, most).await.map_err(KeyError::from)?;
        let mut best: Option<Unlocked> = None;
        let (mut misfit, mut unusable) = (None, None);
        let mut other_domain = false;
        for key in keys.into_iter().map(Arc::new) {
            if key.is_elsewhere() {
                other_domain = true;
                continue;
            }
            if let Err(error) = self.check_opens(call, &key) {
                unusable = Some(error);
                continue;
            }
            let frame = match envelope.without_thumbprint(modulus_of(&key)?) {
                Ok(frame) => frame,
                Err(error) => {
                    misfit = Some(error);
                    continue;
                }
            };
            frame.content(&open_inputs(inputs))?;
            // All are tried even when one fits: the time must not tell which failure it was.
            let tried = unlocked(&key, frame.clone(), self.unwrap(&key, &frame, head).await?)?;
            if best.as_ref().is_none_or(|best| tried.genuine && !best.genuine) {
                best = Some(tried);
            }
        }
        let unknown = if other_domain { PacketError::OtherDomain } else { PacketError::UnknownKey };
        best.map(|best| self.noted(best))
            .ok_or_else(|| unusable.or(misfit.map(PacketError::from)).unwrap_or(unknown))
    }

    /// That a key opened something puts off its destruction.
    fn noted(&self, unlocked: Unlocked) -> Unlocked {
        if unlocked.genuine {
            self.directory.note_use(&unlocked.key);
        }
        unlocked
    }

    /// No key here has the thumbprint of a packet for the alias.
    async fn unknown_key(&self, alias: &KeyAlias) -> PacketError {
        match self.directory.newest(alias).await {
            Ok(Some(key)) if key.is_elsewhere() => PacketError::OtherDomain,
            Ok(_) => PacketError::UnknownKey,
            Err(error) => KeyError::from(error).into(),
        }
    }

    async fn unwrap(
        &self,
        key: &Arc<KeyRecord>,
        frame: &Frame,
        head: &[u8],
    ) -> Result<Option<DataKey>, PacketError> {
        let private = self.private_keys.load(key).await?;
        let wrapped = frame.wrapped_key_in(head).ok_or(FormatError::HeadIncomplete)?;
        // RSA-2048 takes about 0.2 ms, less than handing it to another thread and back would disturb.
        if modulus_of(key)? == ModulusLength::Rsa2048 {
            return Ok(private.unwrap_data_key(wrapped));
        }
        let wrapped = wrapped.to_vec();
        off_thread_if(true, move || private.unwrap_data_key(&wrapped)).await
    }
}

fn refused(refusal: AccessRefusal) -> PacketError {
    match refusal {
        AccessRefusal::Forbidden => PacketError::AccessListed,
        AccessRefusal::Ended(_) | AccessRefusal::RateExceeded { .. } => PacketError::Refused(refusal),
    }
}

fn modulus_of(key: &KeyRecord) -> Result<ModulusLength, PacketError> {
    key.key_type.modulus().ok_or(PacketError::SigningKey)
}

fn unlocked(key: &KeyRecord, frame: Frame, data_key: Option<DataKey>) -> Result<Unlocked, PacketError> {
    let genuine = data_key.is_some();
    let data_key = match data_key {
        Some(data_key) => data_key,
        None => {
            DataKey::from_slice(&[0; DataKey::BYTES]).map_err(|_| PacketError::Internal("no data key"))?
        }
    };
    Ok(Unlocked { key: key.id.clone(), frame, data_key, genuine })
}
