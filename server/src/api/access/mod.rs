//! Who may enter: which paths are anonymous, where a token stands, which operation a role allows.

mod authorized;
mod credentials;
mod failure_budget;
mod paths;
mod token_requests;

pub(super) use self::{
    authorized::{
        Authorized, CreateClient, Decrypt, Encrypt, ExportAudit, GenerateMasterKey, ReadAudit,
        ReadCertificate, ReadCertificates, Sign, Verify,
    },
    credentials::{Credential, credential, is_foreign},
    paths::{BodyKind, FailureForm, PathClass},
    token_requests::TokenRequests,
};
