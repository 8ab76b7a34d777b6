//! Who may do what: access policies, and the decision that follows from them.
//!
//! A policy names principals or roles, operations, patterns of keys, and under which conditions it counts. Nothing
//! is allowed unless a policy allows it; a policy that denies wins over all that allow; one that limits bounds how
//! often what is allowed may be done.

pub mod approval;
mod conditions;
mod decision;
mod index;
pub mod mosip;
mod pattern;
mod policy;
mod shipped;

pub use self::{
    conditions::Conditions,
    decision::{AccessRequest, Decision, Verdict},
    index::PolicySet,
    pattern::KeyPattern,
    policy::{
        AccessPolicy, ApprovalTerms, Effect, OperationSet, PolicyFault, PolicyText, Rate, is_policy_name,
    },
    shipped::shipped_policies,
};
