//! The states of a key (NIST SP 800-57 part 1 revision 5, 7), what each allows, and how one leads to another.
//!
//! Most keys have no stored state: a key is active from its certificate's beginning, and deactivated once it has a
//! successor or its certificate has ended. What somebody decided is stored, one [`Transition`] after the other.

use super::{key::KeyId, policy::Cryptoperiod, time::Timestamp};

/// A state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Its certificate has not begun.
    PreActivation,
    /// It does what it is for.
    Active,
    /// It does nothing until somebody resumes it.
    Suspended,
    /// It protects nothing new: superseded, revoked or ended.
    Deactivated,
    /// Somebody else may have it.
    Compromised,
    /// It is being destroyed, which nothing stops any more.
    Destroying,
    /// Its private part is no more.
    Destroyed,
}

/// What a key can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// Opening what was sealed for it.
    Decrypt,
    /// Signing data or certificates.
    Sign,
    /// Being handed out, or sealed for, as the current key.
    Encrypt,
    /// Verifying, with its public part, what it signed.
    Verify,
}

/// Whether a state allows a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// It does.
    Allowed,
    /// Access policies say.
    ByPolicy,
    /// It does not.
    Refused,
}

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::PreActivation,
        Self::Active,
        Self::Suspended,
        Self::Deactivated,
        Self::Compromised,
        Self::Destroying,
        Self::Destroyed,
    ];

    /// The name in records, requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreActivation => "preActivation",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Compromised => "compromised",
            Self::Destroying => "destroying",
            Self::Destroyed => "destroyed",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The table of states and uses.
    ///
    /// Nothing new is protected but by an active key. A deactivated key goes on to open and to verify what there is.
    /// What a compromised key signed is believed no more, since nobody can tell when it was signed; opening with it
    /// harms nothing more, and access policies say who may.
    pub const fn allows(self, wanted: KeyUse) -> Allowance {
        match (self, wanted) {
            (Self::Active, _)
            | (Self::Deactivated, KeyUse::Decrypt | KeyUse::Verify)
            | (Self::Destroying | Self::Destroyed, KeyUse::Verify) => Allowance::Allowed,
            (Self::Compromised, KeyUse::Decrypt) => Allowance::ByPolicy,
            (Self::PreActivation | Self::Suspended | Self::Compromised, _)
            | (Self::Deactivated, KeyUse::Sign | KeyUse::Encrypt)
            | (Self::Destroying | Self::Destroyed, KeyUse::Decrypt | KeyUse::Sign | KeyUse::Encrypt) => {
                Allowance::Refused
            }
        }
    }

    /// Whether a key may go from this state to `next`. The standard has suspension begin in the active state alone;
    /// here it can begin in the deactivated state too, in which a key still opens packets.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::PreActivation => {
                matches!(next, Self::Active | Self::Suspended | Self::Deactivated | Self::Compromised)
            }
            Self::Active => matches!(next, Self::Suspended | Self::Deactivated | Self::Compromised),
            Self::Suspended => {
                matches!(next, Self::PreActivation | Self::Active | Self::Deactivated | Self::Compromised)
            }
            Self::Deactivated => matches!(next, Self::Suspended | Self::Compromised | Self::Destroying),
            Self::Compromised => matches!(next, Self::Destroying),
            Self::Destroying => matches!(next, Self::Destroyed),
            Self::Destroyed => false,
        }
    }
}

/// What somebody wants to become of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is to protect nothing new: something takes its place.
    Supersede,
    /// Somebody else may have it.
    Compromise,
    /// It is to do nothing for now.
    Suspend,
    /// It is to go on as before it was suspended.
    Resume,
    /// Its private part is to be destroyed when its time has come.
    ScheduleDestruction,
    /// It is not to be destroyed after all.
    CancelDestruction,
    /// Its time has come: from now on nothing stops its destruction.
    Destroy,
    /// Its private part is no more, anywhere.
    FinishDestruction,
}

impl Change {
    /// Every change.
    pub const ALL: [Self; 8] = [
        Self::Supersede,
        Self::Compromise,
        Self::Suspend,
        Self::Resume,
        Self::ScheduleDestruction,
        Self::CancelDestruction,
        Self::Destroy,
        Self::FinishDestruction,
    ];

    /// The name in records and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Supersede => "supersede",
            Self::Compromise => "compromise",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::ScheduleDestruction => "scheduleDestruction",
            Self::CancelDestruction => "cancelDestruction",
            Self::Destroy => "destroy",
            Self::FinishDestruction => "finishDestruction",
        }
    }

    /// The change of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.name() == name)
    }

    /// Whether it says something about a key without changing its state.
    pub const fn keeps_state(self) -> bool {
        matches!(self, Self::ScheduleDestruction | Self::CancelDestruction)
    }
}

/// A change that was made to a key. All transitions of all keys have numbers without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// 1 for the first of all.
    pub number: u64,
    /// The key.
    pub key: KeyId,
    /// The number of the key's transition before.
    pub previous: Option<u64>,
    /// What was done.
    pub change: Change,
    /// The state before.
    pub from: KeyState,
    /// The state after.
    pub to: KeyState,
    /// Why, in the words of whoever did it; may be empty.
    pub reason: String,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// Whether the alias gets no other key until somebody asks for one.
    pub closes: bool,
}

impl Transition {
    /// Longest reason, in bytes.
    pub const MAX_REASON: usize = 512;

    /// Whether its change can lead from the one state to the other.
    pub fn is_possible(&self) -> bool {
        if self.change.keeps_state() {
            self.from == self.to && self.from.may_become(KeyState::Destroying)
        } else {
            self.from.may_become(self.to)
        }
    }
}

/// Where a key stands by its newest transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The number of that transition.
    pub transition: u64,
    /// The state after it. `Active` says only that nothing was decided: see [`state_of`].
    pub state: KeyState,
    /// The state before it.
    pub before: KeyState,
    /// Whether the alias gets no other key until somebody asks for one.
    pub closes: bool,
    /// Since when.
    pub since: Timestamp,
    /// When its destruction was asked for, if that stands.
    pub schedule: Option<Timestamp>,
    /// Since when it is known as compromised, also while it is being destroyed.
    pub compromised_since: Option<Timestamp>,
    /// Since when it is revoked: superseded by decision, compromised or being destroyed. That it was suspended and
    /// resumed since takes nothing of it back.
    pub revoked_since: Option<Timestamp>,
}

impl Standing {
    /// Where a key stands after a transition. Every other decision ends a schedule; none but a request for another key
    /// opens an alias that was closed.
    pub fn after(previous: Option<&Self>, transition: &Transition) -> Self {
        let schedule = (transition.change == Change::ScheduleDestruction).then_some(transition.at);
        if transition.change.keeps_state() {
            let undecided = Self {
                transition: transition.number,
                state: KeyState::Active,
                before: KeyState::Active,
                closes: false,
                since: transition.at,
                schedule,
                compromised_since: (transition.from == KeyState::Compromised).then_some(transition.at),
                revoked_since: None,
            };
            return Self {
                transition: transition.number,
                schedule,
                ..previous.copied().unwrap_or(undecided)
            };
        }
        let is_compromised = [transition.from, transition.to].contains(&KeyState::Compromised);
        let revokes = matches!(
            transition.change,
            Change::Supersede | Change::Compromise | Change::Destroy | Change::FinishDestruction
        );
        let known_since = previous.and_then(|previous| previous.compromised_since);
        let revoked_since = previous.and_then(|previous| previous.revoked_since);
        Self {
            transition: transition.number,
            state: transition.to,
            before: transition.from,
            closes: transition.closes || previous.is_some_and(|previous| previous.closes),
            since: transition.at,
            schedule,
            compromised_since: known_since.or_else(|| is_compromised.then_some(transition.at)),
            revoked_since: revoked_since.or_else(|| revokes.then_some(transition.at)),
        }
    }

    /// Whether what was decided allows the use. What a compromised key signed is believed no more when it is destroyed
    /// either.
    pub const fn allows(&self, wanted: KeyUse) -> Allowance {
        let state = match self.state {
            KeyState::PreActivation => KeyState::Active,
            decided => decided,
        };
        if self.compromised_since.is_some() && matches!(wanted, KeyUse::Verify) {
            return Allowance::Refused;
        }
        state.allows(wanted)
    }
}

/// The state of a key: what was decided, else what its certificate's period and its successor say.
///
/// `period` is that of its certificate, `is_newest` whether it has no successor.
pub fn state_of(
    standing: Option<&Standing>,
    period: Cryptoperiod,
    is_newest: bool,
    now: Timestamp,
) -> KeyState {
    match standing.map(|standing| standing.state) {
        None | Some(KeyState::Active | KeyState::PreActivation) => {
            if !is_newest || period.not_after < now {
                KeyState::Deactivated
            } else if now < period.not_before {
                KeyState::PreActivation
            } else {
                KeyState::Active
            }
        }
        Some(decided) => decided,
    }
}

/// Why a change is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefusal {
    /// The key is in that state already.
    #[error("the key is {} already", .0.name())]
    Already(KeyState),
    /// The key's state does not let it.
    #[error("a key that is {} cannot become {}", .from.name(), .to.name())]
    NotAllowed {
        /// The key's state.
        from: KeyState,
        /// What it would become.
        to: KeyState,
    },
    /// Only a suspended key can be resumed.
    #[error("the key is {} and not suspended", .0.name())]
    NotSuspended(KeyState),
    /// Its destruction was asked for already.
    #[error("the key's destruction is scheduled already")]
    Scheduled,
    /// Nobody asked for its destruction, or somebody decided otherwise since.
    #[error("the key's destruction is not scheduled")]
    NotScheduled,
    /// Nothing stops its destruction any more.
    #[error("the key is {}, which nothing stops any more", .0.name())]
    Irreversible(KeyState),
}

/// The state after a change of a key that is in the state `now` (see [`state_of`]).
///
/// # Errors
/// [`ChangeRefusal`]; a change made twice is refused the second time.
pub fn after(change: Change, now: KeyState, standing: Option<&Standing>) -> Result<KeyState, ChangeRefusal> {
    let is_scheduled = standing.is_some_and(|standing| standing.schedule.is_some());
    let next = match change {
        Change::ScheduleDestruction if is_scheduled => return Err(ChangeRefusal::Scheduled),
        Change::ScheduleDestruction if now.may_become(KeyState::Destroying) => return Ok(now),
        Change::CancelDestruction if is_scheduled => return Ok(now),
        Change::CancelDestruction if matches!(now, KeyState::Destroying | KeyState::Destroyed) => {
            return Err(ChangeRefusal::Irreversible(now));
        }
        Change::CancelDestruction => return Err(ChangeRefusal::NotScheduled),
        Change::Destroy if !is_scheduled && now.may_become(KeyState::Destroying) => {
            return Err(ChangeRefusal::NotScheduled);
        }
        Change::ScheduleDestruction | Change::Destroy => KeyState::Destroying,
        Change::FinishDestruction => KeyState::Destroyed,
        Change::Supersede => KeyState::Deactivated,
        Change::Compromise => KeyState::Compromised,
        Change::Suspend => KeyState::Suspended,
        Change::Resume => match standing {
            Some(standing) if standing.state == KeyState::Suspended => standing.before,
            _ => return Err(ChangeRefusal::NotSuspended(now)),
        },
    };
    if next == now {
        Err(ChangeRefusal::Already(now))
    } else if now.may_become(next) {
        Ok(next)
    } else {
        Err(ChangeRefusal::NotAllowed { from: now, to: next })
    }
}

#[cfg(test)]
mod tests;
