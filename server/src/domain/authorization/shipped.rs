//! The policies that come with the program. One that is stored under the same name takes the place of it.

use super::{
    mosip,
    policy::{ApprovalTerms, PolicyText},
};
use crate::domain::access::{Operation, Role};

/// All of them: `kunji.ROLE` for the program's own roles, `mosip.ROLE` for those of MOSIP and OpenG2P, and
/// `kunji.destruction`, which has an administrator agree to whatever is destroyed.
pub fn shipped_policies() -> Vec<PolicyText> {
    let own = Role::ALL.into_iter().map(|role| {
        let operations = Operation::ALL.into_iter().filter(|it| it.roles().contains(&role));
        allowing(&format!("kunji.{}", role.name()), role.name(), operations.collect())
    });
    own.chain(
        mosip::SHIPPED
            .iter()
            .map(|(role, operations)| allowing(&mosip::policy_name(role), role, operations.to_vec())),
    )
    .chain([destruction()])
    .collect()
}

/// Has the destruction of keys wait for somebody else. Nobody is locked out by it: who asks administers keys, who
/// approves administers clients.
fn destruction() -> PolicyText {
    PolicyText {
        name: "kunji.destruction".to_owned(),
        description: "An administrator agrees to the destruction of keys.".to_owned(),
        enabled: true,
        effect: "approval".to_owned(),
        principals: vec!["*".to_owned()],
        operations: vec![Operation::DestroyKey.name().to_owned()],
        keys: vec!["*/*".to_owned()],
        approval: Some(ApprovalTerms { approvals: 1, seconds: 86_400 }),
        approver_roles: vec![Role::Administrator.name().to_owned()],
        ..PolicyText::default()
    }
}

/// A policy that allows a role these operations, with every key.
pub(super) fn allowing(name: &str, role: &str, operations: Vec<Operation>) -> PolicyText {
    let on_keys = operations.iter().any(|it| it.is_on_keys());
    PolicyText {
        name: name.to_owned(),
        description: format!("What the role {role} may do."),
        enabled: true,
        effect: "allow".to_owned(),
        roles: vec![role.to_owned()],
        operations: operations.into_iter().map(|it| it.name().to_owned()).collect(),
        keys: if on_keys { vec!["*/*".to_owned()] } else { Vec::new() },
        ..PolicyText::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::authorization::AccessPolicy;

    #[test]
    fn they_can_be_applied() {
        for text in shipped_policies() {
            let name = text.name.clone();
            assert!(AccessPolicy::parse(text).is_ok(), "{name}");
        }
    }
}
