//! Our own routes: the audit trail, keys, packets as bytes, signatures, public certificates, clients, tokens, health.

mod access_policies;
mod approvals;
mod audit;
mod certificates;
mod clients;
mod doctor;
mod health;
mod issued_certificates;
mod key_policies;
mod keys;
mod keys_for_tokens;
mod oauth;
mod packets;
mod problem;
mod revocation_lists;
mod rewrap;
mod rotation;
mod signatures;
mod versioned;

use std::sync::Arc;

use super::access::TokenRequests;
use crate::{config::Settings, services::Services};

pub(super) use self::{
    oauth::{OAuthErrorAnswer, OAuthErrorCode, transport_code, transport_oauth},
    problem::{Problem, ProblemAnswer, ProblemKind, with_sources},
};

/// The resources of this module.
pub(super) type NativeApi = (
    audit::AuditApi,
    (keys::KeysApi, keys::KeyEndsApi),
    packets::PacketsApi,
    signatures::SignaturesApi,
    certificates::CertificatesApi,
    revocation_lists::RevocationListsApi,
    clients::ClientsApi,
    access_policies::AccessPoliciesApi,
    approvals::ApprovalsApi,
    key_policies::KeyPoliciesApi,
    rewrap::RewrapApi,
    rotation::RotationApi,
    doctor::DoctorApi,
    oauth::OAuthApi,
    keys_for_tokens::TokenKeysApi,
    health::HealthApi,
);

/// Makes them.
pub(super) fn resources(
    services: &Services,
    settings: &Settings,
    token_requests: &Arc<TokenRequests>,
) -> NativeApi {
    (
        audit::AuditApi::new(services),
        (keys::KeysApi::new(services), keys::KeyEndsApi::new(services)),
        packets::PacketsApi::new(services),
        signatures::SignaturesApi::new(services, settings.public_certificates_per_minute),
        certificates::CertificatesApi::new(services, settings.public_certificates_per_minute),
        revocation_lists::RevocationListsApi::new(services, settings.public_certificates_per_minute),
        clients::ClientsApi::new(services),
        access_policies::AccessPoliciesApi::new(services),
        approvals::ApprovalsApi::new(services),
        key_policies::KeyPoliciesApi::new(services),
        rewrap::RewrapApi::new(services),
        rotation::RotationApi::new(services),
        doctor::DoctorApi::new(services),
        oauth::OAuthApi::new(token_requests),
        keys_for_tokens::TokenKeysApi::new(services),
        health::HealthApi::new(services),
    )
}
