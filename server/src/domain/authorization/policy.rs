//! One access policy: as it is written, and as it is applied.

use super::{conditions::Conditions, pattern::KeyPattern};
use crate::domain::access::{Operation, Role};

/// A policy as it is written, stored and shown. An empty list names nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyText {
    /// Its name: 1 to 64 characters of `A–Z a–z 0–9 _ - .`
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it counts.
    pub enabled: bool,
    /// `allow`, `deny`, `limit` or `approval`.
    pub effect: String,
    /// Principals by their exact names; `*` stands for everyone with a token.
    pub principals: Vec<String>,
    /// Roles by their exact names.
    pub roles: Vec<String>,
    /// Operations by name; `*` stands for all, `packet.*` for all whose names begin so.
    pub operations: Vec<String>,
    /// Patterns `APPLICATION/REFERENCE`; none when no operation is on keys.
    pub keys: Vec<String>,
    /// RFC 3339.
    pub not_before: Option<String>,
    /// RFC 3339.
    pub not_after: Option<String>,
    /// `HH:MM-HH:MM`, UTC.
    pub hours: Option<String>,
    /// `mon` to `sun`, UTC; none means every day.
    pub days: Vec<String>,
    /// Networks in CIDR notation; none means from everywhere.
    pub networks: Vec<String>,
    /// How often, for `limit`.
    pub rate: Option<Rate>,
    /// How many others must approve and in which time, for `approval`.
    pub approval: Option<ApprovalTerms>,
    /// Principals who may approve, by their exact names.
    pub approver_principals: Vec<String>,
    /// Roles whose holders may approve, by their exact names.
    pub approver_roles: Vec<String>,
}

/// So many requests of one principal in so much time, spread evenly after the first burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub requests: u32,
    /// Seconds.
    pub seconds: u32,
}

/// So many others must approve within so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApprovalTerms {
    /// Others who must approve.
    pub approvals: u32,
    /// Seconds from the request until its approval must have been used.
    pub seconds: u32,
}

/// What a policy does to the requests that it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It allows them.
    Allow,
    /// It denies them, whatever allows them.
    Deny,
    /// It bounds how often each principal may make them.
    Limit(Rate),
    /// It has them wait until others have approved them.
    Approval(ApprovalTerms),
}

impl Effect {
    /// The word in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Limit(_) => "limit",
            Self::Approval(_) => "approval",
        }
    }
}

/// A set of operations, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationSet(u64);

const _: () = assert!(Operation::ALL.len() <= 64, "an operation has a bit");

impl OperationSet {
    /// Whether `operation` is among them.
    pub const fn contains(self, operation: Operation) -> bool {
        self.0 & Self::bit(operation) != 0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn bit(operation: Operation) -> u64 {
        1 << operation as u32
    }

    fn named(name: &str) -> Self {
        let prefix = name.strip_suffix('*').filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
        let is_named = |operation: Operation| match prefix {
            Some(prefix) => operation.name().starts_with(prefix),
            None => operation.name() == name,
        };
        let named = Operation::ALL.into_iter().filter(|operation| is_named(*operation));
        Self(named.fold(0, |bits, operation| bits | Self::bit(operation)))
    }
}

/// Whether a text can name a policy.
pub fn is_policy_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// A policy that can be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPolicy {
    text: PolicyText,
    pub(super) effect: Effect,
    pub(super) operations: OperationSet,
    pub(super) keys: Vec<KeyPattern>,
    pub(super) conditions: Conditions,
}

impl AccessPolicy {
    /// Most entries of each list.
    pub const MAX_ENTRIES: usize = 256;
    /// Longest description, in bytes.
    pub const MAX_DESCRIPTION: usize = 512;
    /// Longest name of a principal, in bytes.
    pub const MAX_PRINCIPAL: usize = 256;
    /// Most approvals that can be asked for.
    pub const MAX_APPROVALS: u32 = 16;
    /// Time in which approvals can be asked for: a minute to 30 days.
    pub const APPROVAL_SECONDS: std::ops::RangeInclusive<u32> = 60..=2_592_000;
    /// Most requests and seconds of a rate.
    pub const MAX_RATE: u32 = 1_000_000;

    /// Reads a policy that somebody wrote.
    ///
    /// # Errors
    /// [`PolicyFault`] names the member that is wrong.
    pub fn parse(text: PolicyText) -> Result<Self, PolicyFault> {
        let unknown = text.operations.iter().any(|name| OperationSet::named(name) == OperationSet::default());
        if unknown {
            return Err(PolicyFault::new(
                "operations",
                "must be names of operations, * or, for example, packet.*",
            ));
        }
        let policy = Self::parse_stored(text)?;
        if policy.operations == OperationSet::default() {
            return Err(PolicyFault::new("operations", "must name at least one"));
        }
        Ok(policy)
    }

    /// Reads a policy that was stored, perhaps by an earlier program: operations that there are no more are left
    /// out, since nobody can ask for them.
    ///
    /// # Errors
    /// [`PolicyFault`] names the member that is wrong.
    pub fn parse_stored(text: PolicyText) -> Result<Self, PolicyFault> {
        check_texts(&text)?;
        let effect = effect(&text)?;
        let operations = text.operations.iter().map(|name| OperationSet::named(name));
        let operations = operations.fold(OperationSet::default(), OperationSet::union);
        let on_keys = Operation::ALL.into_iter().any(|it| it.is_on_keys() && operations.contains(it));
        if on_keys && text.keys.is_empty() {
            return Err(PolicyFault::new("keys", "must name keys, such as REGISTRATION/* or */*"));
        }
        let keys = text.keys.iter().map(|pattern| KeyPattern::parse(pattern)).collect::<Option<_>>().ok_or(
            PolicyFault::new("keys", "must be patterns APPLICATION/REFERENCE, such as REGISTRATION/10001_*"),
        )?;
        let waits = |it: Operation| it.can_wait() || !operations.contains(it);
        if matches!(effect, Effect::Approval(_)) && !Operation::ALL.into_iter().all(waits) {
            let problem = "can wait for approval: access.change, client.create, client.change_roles, client.rotate_secret, \
                 client.enable, client.create_administrator, key.rotate, key.revoke, key.suspend, key.resume, \
                 key.destroy and key.cancel_destruction alone";
            return Err(PolicyFault::new("operations", problem));
        }
        let conditions = Conditions::parse(&text)?;
        Ok(Self { text, effect, operations, keys, conditions })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.text.name
    }

    /// As it was written.
    pub const fn text(&self) -> &PolicyText {
        &self.text
    }

    /// What it does.
    pub const fn effect(&self) -> Effect {
        self.effect
    }
}

fn effect(text: &PolicyText) -> Result<Effect, PolicyFault> {
    let fits = |number| (1..=AccessPolicy::MAX_RATE).contains(&number);
    if text.effect == "approval" {
        return approval(text);
    }
    if text.approval.is_some() || !text.approver_principals.is_empty() || !text.approver_roles.is_empty() {
        return Err(PolicyFault::new("approvals", "and approvers go with the effect approval alone"));
    }
    match (text.effect.as_str(), text.rate) {
        ("allow", None) => Ok(Effect::Allow),
        ("deny", None) => Ok(Effect::Deny),
        ("limit", Some(rate)) if fits(rate.requests) && fits(rate.seconds) => Ok(Effect::Limit(rate)),
        ("limit", _) => Err(PolicyFault::new("rate", "must have requests and seconds from 1 to 1000000")),
        ("allow" | "deny", Some(_)) => Err(PolicyFault::new("rate", "goes with the effect limit alone")),
        _ => Err(PolicyFault::new("effect", "must be allow, deny, limit or approval")),
    }
}

fn approval(text: &PolicyText) -> Result<Effect, PolicyFault> {
    let terms = text.approval.filter(|terms| {
        (1..=AccessPolicy::MAX_APPROVALS).contains(&terms.approvals)
            && AccessPolicy::APPROVAL_SECONDS.contains(&terms.seconds)
    });
    let Some(terms) = terms else {
        return Err(PolicyFault::new("approvals", "must be 1 to 16, withinSeconds 60 to 2592000"));
    };
    if text.rate.is_some() {
        return Err(PolicyFault::new("rate", "goes with the effect limit alone"));
    }
    if text.approver_principals.is_empty() && text.approver_roles.is_empty() {
        return Err(PolicyFault::new("approverRoles", "or approverPrincipals must name at least one"));
    }
    Ok(Effect::Approval(terms))
}

fn check_texts(text: &PolicyText) -> Result<(), PolicyFault> {
    if !is_policy_name(&text.name) {
        return Err(PolicyFault::new(
            "name",
            "must have 1 to 64 characters of A-Z, a-z, 0-9, '_', '-' and '.'",
        ));
    }
    if text.description.len() > AccessPolicy::MAX_DESCRIPTION
        || text.description.chars().any(char::is_control)
    {
        return Err(PolicyFault::new("description", "must have at most 512 bytes on one line"));
    }
    for (member, list) in [
        ("principals", &text.principals),
        ("roles", &text.roles),
        ("operations", &text.operations),
        ("keys", &text.keys),
        ("days", &text.days),
        ("networks", &text.networks),
        ("approverPrincipals", &text.approver_principals),
        ("approverRoles", &text.approver_roles),
    ] {
        if list.len() > AccessPolicy::MAX_ENTRIES {
            return Err(PolicyFault::new(member, "must have at most 256 entries"));
        }
    }
    let is_principal = |name: &String| {
        (1..=AccessPolicy::MAX_PRINCIPAL).contains(&name.len()) && !name.chars().any(char::is_control)
    };
    if !text.approver_principals.iter().all(is_principal) {
        return Err(PolicyFault::new("approverPrincipals", "must be names of 1 to 256 bytes"));
    }
    if !text.approver_roles.iter().all(|name| Role::parse(name).is_some()) {
        return Err(PolicyFault::new("approverRoles", "must be names of roles"));
    }
    if !text.principals.iter().all(is_principal) {
        return Err(PolicyFault::new("principals", "must be names of 1 to 256 bytes, or *"));
    }
    if !text.roles.iter().all(|name| Role::parse(name).is_some()) {
        return Err(PolicyFault::new(
            "roles",
            "must have 1 to 64 characters of A-Z, a-z, 0-9, '_', '-', '.' and ':'",
        ));
    }
    if text.principals.is_empty() && text.roles.is_empty() {
        return Err(PolicyFault::new("principals", "or roles must name at least one"));
    }
    Ok(())
}

/// What is wrong with a policy. Says nothing of what stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member} {problem}")]
pub struct PolicyFault {
    /// The member.
    pub member: &'static str,
    /// What it must be.
    pub problem: &'static str,
}

impl PolicyFault {
    pub(super) const fn new(member: &'static str, problem: &'static str) -> Self {
        Self { member, problem }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    /// A policy that allows `role` to decrypt with every key.
    pub(in super::super) fn allowing(name: &str, role: &str) -> PolicyText {
        PolicyText {
            name: name.to_owned(),
            enabled: true,
            effect: "allow".to_owned(),
            roles: texts(&[role]),
            operations: texts(&["packet.decrypt"]),
            keys: texts(&["*/*"]),
            ..PolicyText::default()
        }
    }

    #[test]
    fn operations_are_named_one_by_one_or_together() {
        let of = |name: &str| {
            let named = OperationSet::named(name);
            Operation::ALL.into_iter().filter(|it| named.contains(*it)).collect::<Vec<_>>()
        };
        assert_eq!(of("packet.decrypt"), [Operation::Decrypt]);
        assert_eq!(of("packet.*"), [Operation::Decrypt, Operation::DecryptCompromised, Operation::Encrypt]);
        assert_eq!(of("*"), Operation::ALL);
        for name in ["", "packet", "packet*", "pack*", "packet.open", "*.decrypt"] {
            assert_eq!(of(name), [], "{name}");
        }
    }

    #[test]
    fn each_fault_is_named_by_its_member() {
        type Change = fn(&mut PolicyText);
        let changes: [(&str, Change); 15] = [
            ("name", |it| it.name = "a b".to_owned()),
            ("description", |it| it.description = "a\nb".to_owned()),
            ("effect", |it| it.effect = "permit".to_owned()),
            ("rate", |it| it.rate = Some(Rate { requests: 1, seconds: 1 })),
            ("rate", |it| it.effect = "limit".to_owned()),
            ("principals", |it| it.roles.clear()),
            ("principals", |it| it.principals = texts(&[""])),
            ("roles", |it| it.roles = texts(&["a,b"])),
            ("operations", |it| it.operations.clear()),
            ("operations", |it| it.operations = texts(&["packet.decrypt", "packet.open"])),
            ("keys", |it| it.keys.clear()),
            ("keys", |it| it.keys = texts(&["REGISTRATION"])),
            ("notBefore", |it| it.not_before = Some("tomorrow".to_owned())),
            ("networks", |it| it.networks = texts(&["here"])),
            ("keys", |it| it.keys = vec!["*/*".to_owned(); 257]),
        ];
        assert!(AccessPolicy::parse(allowing("a", "r")).is_ok());
        for (member, change) in changes {
            let mut text = allowing("a", "r");
            change(&mut text);
            assert_eq!(AccessPolicy::parse(text.clone()).unwrap_err().member, member, "{text:?}");
        }
    }

    #[test]
    fn operations_of_the_past_are_left_out() {
        let text = PolicyText { operations: texts(&["packet.seal", "packet.decrypt"]), ..allowing("a", "r") };
        let policy = AccessPolicy::parse_stored(text).unwrap();
        assert_eq!(policy.operations, OperationSet::named("packet.decrypt"));
    }
}
