//! The use cases: who may, in which order, recorded where. Transport and storage are elsewhere.

use std::sync::Arc;

pub mod access;
pub mod audit;
pub(crate) mod auditor;
pub mod authorization;
pub(crate) mod bootstrap;
pub mod demo;
pub mod denials;
pub mod destruction;
mod following;
pub mod key_policies;
pub mod keys;
pub mod packets;
pub(crate) mod pseudonyms;
pub mod readiness;
pub mod rewrap;
pub mod rotation;
pub mod signatures;

/// Everything the API needs.
#[derive(Clone)]
pub struct Services {
    /// Clients and access tokens.
    pub access: Arc<access::AccessService>,
    /// The audit trail.
    pub audit: Arc<audit::AuditService>,
    /// Who may do what.
    pub authorization: Arc<authorization::Authorizer>,
    /// The time, for answers that carry it.
    pub clock: Arc<dyn crate::ports::clock::Clock>,
    /// The demo's form and inbox.
    pub demo: Arc<demo::DemoService>,
    /// Who was turned away at the door.
    pub denials: Arc<denials::Denials>,
    /// Keys that end.
    pub destruction: Arc<destruction::DestructionService>,
    /// Key policies.
    pub key_policies: Arc<key_policies::KeyPolicyService>,
    /// Keys and certificates.
    pub keys: Arc<keys::KeyService>,
    /// Sealing and opening.
    pub packets: Arc<packets::PacketService>,
    /// What works and what does not.
    pub readiness: Arc<readiness::Readiness>,
    /// Which certificates are revoked.
    pub revocation_lists: Arc<keys::revocation::RevocationLists>,
    /// Private keys that move to newer KEKs.
    pub rewrap: Arc<rewrap::RewrapService>,
    /// What is renewed when.
    pub rotation: Arc<rotation::RotationService>,
    /// JWS.
    pub signatures: Arc<signatures::SignatureService>,
}
