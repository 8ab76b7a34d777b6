//! `/v1/keymanager` and `/v1/authmanager`: the reference system's paths, names, envelope and codes.
//!
//! Its clients read answers with strict mappers: one member more or less, another date form or another status
//! breaks them. Whatever a caller did wrong is HTTP 200 with `errors`; 401, 403, 4xx of the transport and 5xx
//! carry the same envelope.

mod actuator;
mod authenticate;
mod decrypt;
mod encrypt;
mod envelope;
mod faults;
mod generate_master_key;
mod get_all_certificates;
mod get_certificate;
mod jwt_sign;
mod jwt_verify;
mod members;
mod refusal;
mod revoke_key;

use std::sync::Arc;

use super::access::TokenRequests;
use crate::{config::Settings, services::Services};

pub(super) use self::{
    envelope::{EnvelopeFailure, transport_envelope},
    faults::Fault,
    refusal::transport_entry,
};

/// The resources of this module.
pub(super) type MosipApi = (
    generate_master_key::GenerateMasterKeyApi,
    revoke_key::RevokeKeyApi,
    get_certificate::GetCertificateApi,
    get_all_certificates::GetAllCertificatesApi,
    encrypt::EncryptApi,
    decrypt::DecryptApi,
    jwt_sign::JwtSignApi,
    jwt_verify::JwtVerifyApi,
    actuator::ActuatorApi,
    authenticate::AuthenticateApi,
);

/// Makes them.
pub(super) fn resources(
    services: &Services,
    settings: &Settings,
    token_requests: &Arc<TokenRequests>,
) -> MosipApi {
    (
        generate_master_key::GenerateMasterKeyApi::new(services),
        revoke_key::RevokeKeyApi::new(services),
        get_certificate::GetCertificateApi::new(services),
        get_all_certificates::GetAllCertificatesApi::new(services),
        encrypt::EncryptApi::new(services),
        decrypt::DecryptApi::new(services),
        jwt_sign::JwtSignApi::new(services),
        jwt_verify::JwtVerifyApi::new(services),
        actuator::ActuatorApi,
        authenticate::AuthenticateApi::new(services, settings, token_requests),
    )
}
