//! `/v1/keymanager` and `/v1/authmanager`: the reference system's paths, names, envelope and codes.
//!
//! Its clients read answers with strict mappers: one member more or less, another date form or another status
//! breaks them. Whatever a caller did wrong is HTTP 200 with `errors`; 401, 403, 4xx of the transport and 5xx
//! carry the same envelope.

mod actuator;
mod authenticate;
mod cose;
mod cose_headers;
mod cwt;
mod decrypt;
mod encrypt;
mod envelope;
mod faults;
mod generate_csr;
mod generate_ec_sign_key;
mod generate_master_key;
mod generate_symmetric_key;
mod get_all_certificates;
mod get_certificate;
mod get_certificate_chain;
mod header_members;
mod jws_sign;
mod jwt_sign;
mod jwt_verify;
mod members;
mod pdf_sign;
mod refusal;
mod revoke_key;
mod sign;
mod sign_bytes;
mod small_json;
mod upload_certificate;

use std::sync::Arc;

use super::access::TokenRequests;
use crate::{config::Settings, services::Services};

pub(super) use self::{
    envelope::{EnvelopeFailure, transport_envelope},
    faults::Fault,
    refusal::transport_entry,
};

/// The resources of this module.
pub(super) type MosipApi = (KeyApis, CertificateApis, PacketApis, SignatureApis, OtherApis);

type KeyApis = (
    generate_master_key::GenerateMasterKeyApi,
    generate_ec_sign_key::GenerateEcSignKeyApi,
    generate_symmetric_key::GenerateSymmetricKeyApi,
    revoke_key::RevokeKeyApi,
);

type CertificateApis = (
    get_certificate::GetCertificateApi,
    get_certificate_chain::GetCertificateChainApi,
    get_all_certificates::GetAllCertificatesApi,
    generate_csr::GenerateCsrApi,
    upload_certificate::UploadCertificateApi,
);

type PacketApis = (encrypt::EncryptApi, decrypt::DecryptApi);

type SignatureApis = (
    jwt_sign::JwtSignApi,
    jws_sign::JwsSignApi,
    sign::SignApi,
    sign_bytes::SignBytesApi,
    cose::CoseApi,
    cwt::CwtApi,
    jwt_verify::JwtVerifyApi,
    pdf_sign::PdfSignApi,
);

type OtherApis = (actuator::ActuatorApi, authenticate::AuthenticateApi);

/// Makes them.
pub(super) fn resources(
    services: &Services,
    settings: &Settings,
    token_requests: &Arc<TokenRequests>,
) -> MosipApi {
    (
        (
            generate_master_key::GenerateMasterKeyApi::new(services),
            generate_ec_sign_key::GenerateEcSignKeyApi::new(services),
            generate_symmetric_key::GenerateSymmetricKeyApi::new(services),
            revoke_key::RevokeKeyApi::new(services),
        ),
        (
            get_certificate::GetCertificateApi::new(services),
            get_certificate_chain::GetCertificateChainApi::new(services),
            get_all_certificates::GetAllCertificatesApi::new(services),
            generate_csr::GenerateCsrApi::new(services),
            upload_certificate::UploadCertificateApi::new(services),
        ),
        (encrypt::EncryptApi::new(services), decrypt::DecryptApi::new(services)),
        (
            jwt_sign::JwtSignApi::new(services),
            jws_sign::JwsSignApi::new(services),
            sign::SignApi::new(services),
            sign_bytes::SignBytesApi::new(services),
            cose::CoseApi::new(services),
            cwt::CwtApi::new(services),
            jwt_verify::JwtVerifyApi::new(services),
            pdf_sign::PdfSignApi::new(services),
        ),
        (actuator::ActuatorApi, authenticate::AuthenticateApi::new(services, settings, token_requests)),
    )
}
