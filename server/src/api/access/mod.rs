//! Who may enter: which paths are anonymous, where a token stands, which operation a role allows.

mod authorized;
mod credentials;
mod paths;

pub(super) use self::{
    authorized::{
        Authorized, CreateClient, Decrypt, Encrypt, GenerateMasterKey, ReadCertificate, ReadCertificates,
        Sign, Verify,
    },
    credentials::{Credential, credential, is_foreign},
    paths::{BodyKind, FailureForm, PathClass},
};
