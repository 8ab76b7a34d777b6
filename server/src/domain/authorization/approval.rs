//! A request that waits until others have approved it.

use super::policy::ApprovalTerms;
use crate::domain::{
    access::{Operation, Principal},
    digest::sha256,
    key::length_prefixed,
    time::Timestamp,
};

/// Names a request: the same operation, with the same content, by the same principal.
///
/// `SHA-256(L("kunji approval v2", operation, principal, identity, content))`, the first 16 bytes in hexadecimal. So
/// the same request asked again is the same one that waits, and no other. The identity tells the principal from
/// others of its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApprovalId(String);

impl ApprovalId {
    /// The name of a request.
    pub fn of(operation: Operation, principal: &str, identity: &str, content: &str) -> Self {
        let parts = ["kunji approval v2", operation.name(), principal, identity, content];
        let hash = kunji_shared::encoding::encode_hex(&sha256(&length_prefixed(&parts.map(str::as_bytes))));
        Self(hash.chars().take(Self::DIGITS).collect())
    }

    const DIGITS: usize = 32;

    /// Reads a name; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == Self::DIGITS
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        fits.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What somebody said of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Who.
    pub principal: String,
    /// Who vouched for them: the name that the settings give an external issuer; `None` for this server.
    pub issuer: Option<String>,
    /// Whether they approve.
    pub approves: bool,
    /// When.
    pub at: Timestamp,
}

/// A request that waits, and what was said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its name.
    pub id: ApprovalId,
    /// What is asked for.
    pub operation: Operation,
    /// Who asks.
    pub requester: String,
    /// What exactly, as JSON.
    pub content: String,
    /// The policy that has it wait.
    pub policy: String,
    /// How many must approve, and in which time; as the policy said when it was asked for.
    pub terms: ApprovalTerms,
    /// Principals who may approve.
    pub approver_principals: Vec<String>,
    /// Roles whose holders may approve.
    pub approver_roles: Vec<String>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// In the order they came.
    pub votes: Vec<Vote>,
    /// Whether it was done.
    pub used: bool,
    /// 1 for a new one; one more with each change.
    pub generation: u32,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// Enough have approved: whoever asked can ask again, and it is done.
    Approved,
    /// Somebody has denied it.
    Denied,
    /// Its time is over.
    Expired,
    /// It waits for more.
    Pending,
    /// It was done.
    Used,
}

impl ApprovalStatus {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Pending => "pending",
            Self::Used => "used",
        }
    }
}

/// Why a vote does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoteRefusal {
    /// It was asked for by the very principal.
    #[error("whoever asked for it cannot approve or deny it")]
    OwnRequest,
    /// The policy does not name the principal.
    #[error("the policy that has it wait does not name the caller among those who may approve")]
    NoApprover,
    /// The principal has voted.
    #[error("the caller has approved it already")]
    Twice,
    /// It does not wait any more.
    #[error("it does not wait any more")]
    Over,
}

impl Approval {
    /// Until when it can be approved and done.
    pub fn until(&self) -> Timestamp {
        self.asked_at.plus_seconds(self.terms.seconds.into())
    }

    /// Whether it names the principal among those who may approve it.
    pub fn names(&self, principal: &Principal) -> bool {
        let has = |role: &String| principal.roles.iter().any(|held| held.name() == role);
        self.approver_principals.contains(&principal.name) || self.approver_roles.iter().any(has)
    }

    /// The request with those approvals alone that `counts` says of; denials stay.
    #[must_use]
    pub fn with_approvals(mut self, counts: impl Fn(&Vote) -> bool) -> Self {
        self.votes.retain(|vote| !vote.approves || counts(vote));
        self
    }

    /// Where it stands at `now`. One who denies decides.
    pub fn status(&self, now: Timestamp) -> ApprovalStatus {
        let approving = self.votes.iter().filter(|vote| vote.approves).count();
        if self.used {
            ApprovalStatus::Used
        } else if self.votes.iter().any(|vote| !vote.approves) {
            ApprovalStatus::Denied
        } else if self.until() < now {
            ApprovalStatus::Expired
        } else if approving >= self.terms.approvals as usize {
            ApprovalStatus::Approved
        } else {
            ApprovalStatus::Pending
        }
    }

    /// The request with one vote more.
    ///
    /// # Errors
    /// [`VoteRefusal`].
    pub fn with_vote(&self, caller: &Principal, approves: bool, now: Timestamp) -> Result<Self, VoteRefusal> {
        if self.requester == caller.name {
            return Err(VoteRefusal::OwnRequest);
        }
        if !self.names(caller) {
            return Err(VoteRefusal::NoApprover);
        }
        // One that has enough approvals can still be stopped until it is done.
        let may_change = match self.status(now) {
            ApprovalStatus::Pending => true,
            ApprovalStatus::Approved => !approves,
            ApprovalStatus::Denied | ApprovalStatus::Expired | ApprovalStatus::Used => false,
        };
        if !may_change {
            return Err(VoteRefusal::Over);
        }
        if approves && self.votes.iter().any(|vote| vote.principal == caller.name) {
            return Err(VoteRefusal::Twice);
        }
        let mut votes = self.votes.clone();
        let issuer = caller.issuer.as_deref().map(str::to_owned);
        votes.push(Vote { principal: caller.name.clone(), issuer, approves, at: now });
        Ok(Self { votes, generation: self.generation.saturating_add(1), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn principal(name: &str, role: &str) -> Principal {
        Principal { name: name.to_owned(), roles: Role::parse(role).into_iter().collect(), issuer: None }
    }

    fn approval(approvals: u32) -> Approval {
        Approval {
            id: ApprovalId::of(Operation::ChangeAccess, "one", "client 1", "{}"),
            operation: Operation::ChangeAccess,
            requester: "one".to_owned(),
            content: "{}".to_owned(),
            policy: "four-eyes".to_owned(),
            terms: ApprovalTerms { approvals, seconds: 100 },
            approver_principals: vec!["guard".to_owned()],
            approver_roles: vec!["administrator".to_owned()],
            asked_at: at(0),
            votes: vec![],
            used: false,
            generation: 1,
        }
    }

    #[test]
    fn the_name_is_of_operation_principal_and_content() {
        let id = ApprovalId::of(Operation::ChangeAccess, "one", "client 1", "{}");
        assert_eq!(ApprovalId::parse(id.as_str()), Some(id.clone()));
        for other in [
            ApprovalId::of(Operation::CreateClient, "one", "client 1", "{}"),
            ApprovalId::of(Operation::ChangeAccess, "two", "client 1", "{}"),
            ApprovalId::of(Operation::ChangeAccess, "one", "client 2", "{}"),
            ApprovalId::of(Operation::ChangeAccess, "one", "issuer 1", "{}"),
            ApprovalId::of(Operation::ChangeAccess, "one", "client 1", "{ }"),
            ApprovalId::of(Operation::ChangeAccess, "one", "client 1{", "}"),
        ] {
            assert_ne!(other, id);
        }
        for text in ["", "../x", &"A".repeat(32), &"a".repeat(33)] {
            assert_eq!(ApprovalId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn different_others_approve_in_time() {
        let admin = |name| principal(name, "administrator");
        let waiting = approval(2);
        assert_eq!(waiting.with_vote(&admin("one"), true, at(1)), Err(VoteRefusal::OwnRequest));
        assert_eq!(
            waiting.with_vote(&principal("two", "auditor"), true, at(1)),
            Err(VoteRefusal::NoApprover)
        );
        let once = waiting.with_vote(&admin("two"), true, at(1)).unwrap();
        assert_eq!(once.status(at(1)), ApprovalStatus::Pending);
        assert_eq!(once.with_vote(&admin("two"), true, at(2)), Err(VoteRefusal::Twice));
        assert_eq!(once.with_vote(&admin("three"), true, at(101)), Err(VoteRefusal::Over));
        let twice = once.with_vote(&principal("guard", "auditor"), true, at(100)).unwrap();
        assert_eq!((twice.status(at(100)), twice.generation), (ApprovalStatus::Approved, 3));
        assert_eq!(twice.status(at(101)), ApprovalStatus::Expired);
        assert_eq!(twice.with_vote(&admin("three"), true, at(100)), Err(VoteRefusal::Over));
    }

    #[test]
    fn one_who_denies_decides_until_it_is_done() {
        let admin = |name| principal(name, "administrator");
        let approved = approval(1).with_vote(&admin("two"), true, at(1)).unwrap();
        let denied = approved.with_vote(&admin("two"), false, at(2)).unwrap();
        assert_eq!(denied.status(at(2)), ApprovalStatus::Denied);
        assert_eq!(denied.with_vote(&admin("three"), true, at(3)), Err(VoteRefusal::Over));
        let used = Approval { used: true, ..approved };
        assert_eq!(used.status(at(2)), ApprovalStatus::Used);
        assert_eq!(used.with_vote(&admin("three"), false, at(3)), Err(VoteRefusal::Over));
    }
}
