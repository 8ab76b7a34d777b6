//! Who may enter: which paths are anonymous, where a token stands, which operation a role allows.

mod authorized;
mod credentials;
mod failure_budget;
mod paths;
mod token_requests;
mod without_token;

pub(super) use self::{
    authorized::{
        Authorized, ChangeClientRoles, CreateClient, Decrypt, DeleteClient, DisableClient, EnableClient,
        Encrypt, GenerateMasterKey, ReadCertificate, ReadCertificates, ReadClients, RotateClientSecret, Sign,
        Verify,
    },
    credentials::{Credential, credential, is_foreign},
    paths::{BodyKind, FailureForm, PathClass},
    token_requests::TokenRequests,
    without_token::{Caller, WithoutToken},
};
