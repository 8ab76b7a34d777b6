//! Who may enter: which paths are anonymous, where a token stands, which operation policies allow.

mod authorized;
mod credentials;
mod failure_budget;
mod paths;
mod token_requests;
mod turned_away;
mod without_token;

pub(super) use self::{
    authorized::{
        Authorized, CancelKeyDestruction, ChangeAccess, ChangeClientRoles, ChangeKeyPolicies, CreateClient,
        DecideApproval, Decrypt, DeleteClient, DestroyKey, DisableClient, EnableClient, Encrypt, ExamineKeys,
        ExportAudit, GenerateMasterKey, GenerateSymmetricKey, IssueCertificate, MendKeys, ReadAccess,
        ReadApprovals, ReadAudit, ReadCertificate, ReadCertificates, ReadClients, ReadKeyPolicies, ReadKeys,
        RequestCertificate, ResumeKey, RevokeKey, RewrapKeys, RotateClientSecret, RotateKey, Sign,
        SuspendKey, TagKey, UploadCertificate, UploadOtherDomainCertificate, Verify, check_again,
    },
    credentials::{Credential, credential, is_foreign, is_of_unlisted_page},
    paths::{BodyKind, FailureForm, PathClass},
    token_requests::TokenRequests,
    turned_away::TurnedAway,
    without_token::{Caller, KnownClient, WithoutToken},
};
