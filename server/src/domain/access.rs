//! Principals, their roles, and the operations that access policies allow or deny.

use std::{net::IpAddr, sync::Arc};

use super::{authority::Authority, client::ClientId};

/// What a principal is trusted with. A principal may hold several. What a role allows, access policies say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Clients and configuration; no cryptography.
    Administrator,
    /// Reads who may do what; reads, exports and verifies the audit trail; nothing else.
    Auditor,
    /// Opens packets.
    Decryptor,
    /// Reads certificates and seals packets.
    Encryptor,
    /// Makes and certifies keys.
    KeyAdministrator,
    /// Signs and verifies.
    Signer,
    /// One that only policies know, for example a role of MOSIP.
    Other(RoleName),
}

/// The name of a role that is none of the program's own; made by [`Role::parse`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(Arc<str>);

impl Role {
    /// The program's own roles.
    pub const ALL: [Self; 6] = [
        Self::Administrator,
        Self::Auditor,
        Self::Decryptor,
        Self::Encryptor,
        Self::KeyAdministrator,
        Self::Signer,
    ];

    /// Longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The name in tokens, requests and policies.
    pub fn name(&self) -> &str {
        match self {
            Self::Administrator => "administrator",
            Self::Auditor => "auditor",
            Self::Decryptor => "decryptor",
            Self::Encryptor => "encryptor",
            Self::KeyAdministrator => "key-administrator",
            Self::Signer => "signer",
            Self::Other(RoleName(name)) => name,
        }
    }

    /// The role of that name; `None` unless it has 1 to 64 characters of `A–Z a–z 0–9 _ - . :`.
    pub fn parse(name: &str) -> Option<Self> {
        let fits = !name.is_empty()
            && name.len() <= Self::MAX_BYTES
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte));
        let own = Self::ALL.into_iter().find(|role| role.name() == name);
        fits.then(|| own.unwrap_or_else(|| Self::Other(RoleName(name.into()))))
    }
}

/// A call that needs a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Have a key not destroyed after all.
    CancelKeyDestruction,
    /// Change access policies.
    ChangeAccess,
    /// Give a client other roles.
    ChangeClientRoles,
    /// Change key policies.
    ChangeKeyPolicies,
    /// Make a client that may change who may do what, beside the right to make clients; or let one have such a right.
    CreateAdministrator,
    /// Make a client.
    CreateClient,
    /// Approve or deny what others have asked for.
    DecideApproval,
    /// Open a packet.
    Decrypt,
    /// Open a packet with a key that somebody else may have, beside the right to open packets.
    DecryptCompromised,
    /// Remove a client.
    DeleteClient,
    /// Have a key destroyed when its time has come.
    DestroyKey,
    /// Let a client take no more tokens.
    DisableClient,
    /// Let a disabled client take tokens again.
    EnableClient,
    /// Seal a packet.
    Encrypt,
    /// Look for what token and records disagree on.
    ExamineKeys,
    /// Take a whole log, for verification elsewhere.
    ExportAudit,
    /// Make the first key of an alias, or a CSR for a module's.
    GenerateMasterKey,
    /// Make a symmetric key.
    GenerateSymmetricKey,
    /// Have a module key certify a key that others have.
    IssueCertificate,
    /// Mend what token and records disagree on.
    MendKeys,
    /// Read access policies, and ask what they allow.
    ReadAccess,
    /// Read what waits for approval.
    ReadApprovals,
    /// Read events of the audit trail, and what proves them.
    ReadAudit,
    /// Read the current certificate of an alias, which makes its base key on first use.
    ReadCertificate,
    /// Read the certificates of all versions of a key.
    ReadCertificates,
    /// Read which clients there are.
    ReadClients,
    /// Read key policies, and what is renewed when.
    ReadKeyPolicies,
    /// Read which keys there are, their states and what was decided about them.
    ReadKeys,
    /// Make a request for a certificate that others issue; the key too on first use.
    RequestCertificate,
    /// Let a suspended key be used again.
    ResumeKey,
    /// Have a key protect nothing new, or be known as compromised.
    RevokeKey,
    /// Have private keys wrapped by newer KEKs, and read how far that has come.
    RewrapKeys,
    /// Give a client a new secret.
    RotateClientSecret,
    /// Make the successor of a key before its time.
    RotateKey,
    /// Sign.
    Sign,
    /// Let a key do nothing for now.
    SuspendKey,
    /// Say by which tags a key is found again.
    TagKey,
    /// Have a key's certificate replaced by one that others issued.
    UploadCertificate,
    /// Store the certificate of another domain's key, for which packets are then sealed.
    UploadOtherDomainCertificate,
    /// Verify a signature.
    Verify,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 40] = [
        Self::CancelKeyDestruction,
        Self::ChangeAccess,
        Self::ChangeClientRoles,
        Self::ChangeKeyPolicies,
        Self::CreateAdministrator,
        Self::CreateClient,
        Self::DecideApproval,
        Self::Decrypt,
        Self::DecryptCompromised,
        Self::DeleteClient,
        Self::DestroyKey,
        Self::DisableClient,
        Self::EnableClient,
        Self::Encrypt,
        Self::ExamineKeys,
        Self::ExportAudit,
        Self::GenerateMasterKey,
        Self::GenerateSymmetricKey,
        Self::IssueCertificate,
        Self::MendKeys,
        Self::ReadAccess,
        Self::ReadApprovals,
        Self::ReadAudit,
        Self::ReadCertificate,
        Self::ReadCertificates,
        Self::ReadClients,
        Self::ReadKeyPolicies,
        Self::ReadKeys,
        Self::RequestCertificate,
        Self::ResumeKey,
        Self::RevokeKey,
        Self::RewrapKeys,
        Self::RotateClientSecret,
        Self::RotateKey,
        Self::Sign,
        Self::SuspendKey,
        Self::TagKey,
        Self::UploadCertificate,
        Self::UploadOtherDomainCertificate,
        Self::Verify,
    ];

    /// The name in the audit trail and in access policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CancelKeyDestruction => "key.cancel_destruction",
            Self::ChangeAccess => "access.change",
            Self::ChangeClientRoles => "client.change_roles",
            Self::ChangeKeyPolicies => "policy.change",
            Self::CreateAdministrator => "client.create_administrator",
            Self::CreateClient => "client.create",
            Self::DecideApproval => "approval.decide",
            Self::Decrypt => "packet.decrypt",
            Self::DecryptCompromised => "packet.decrypt_compromised",
            Self::DeleteClient => "client.delete",
            Self::DestroyKey => "key.destroy",
            Self::DisableClient => "client.disable",
            Self::EnableClient => "client.enable",
            Self::Encrypt => "packet.encrypt",
            Self::ExamineKeys => "key.examine",
            Self::ExportAudit => "audit.export",
            Self::GenerateMasterKey => "key.generate",
            Self::GenerateSymmetricKey => "key.generate_symmetric",
            Self::IssueCertificate => "key.issue_certificate",
            Self::MendKeys => "key.mend",
            Self::ReadAccess => "access.read",
            Self::ReadApprovals => "approval.read",
            Self::ReadAudit => "audit.read",
            Self::ReadCertificate => "certificate.read",
            Self::ReadCertificates => "certificate.list",
            Self::ReadClients => "client.read",
            Self::ReadKeyPolicies => "policy.read",
            Self::RequestCertificate => "key.request_certificate",
            Self::ReadKeys => "key.read",
            Self::ResumeKey => "key.resume",
            Self::RevokeKey => "key.revoke",
            Self::RewrapKeys => "key.rewrap",
            Self::RotateClientSecret => "client.rotate_secret",
            Self::RotateKey => "key.rotate",
            Self::Sign => "signature.sign",
            Self::UploadCertificate => "key.upload_certificate",
            Self::UploadOtherDomainCertificate => "partner.upload_certificate",
            Self::SuspendKey => "key.suspend",
            Self::TagKey => "key.tag",
            Self::Verify => "signature.verify",
        }
    }

    /// The operation of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// Whether it is done with the keys of one alias. What policies say of keys counts for these alone.
    pub const fn is_on_keys(self) -> bool {
        match self {
            Self::CancelKeyDestruction
            | Self::DestroyKey
            | Self::Decrypt
            | Self::DecryptCompromised
            | Self::Encrypt
            | Self::GenerateMasterKey
            | Self::GenerateSymmetricKey
            | Self::IssueCertificate
            | Self::ReadCertificate
            | Self::ReadCertificates
            | Self::ReadKeys
            | Self::RequestCertificate
            | Self::ResumeKey
            | Self::RevokeKey
            | Self::RotateKey
            | Self::Sign
            | Self::SuspendKey
            | Self::TagKey
            | Self::UploadCertificate
            | Self::UploadOtherDomainCertificate
            | Self::Verify => true,
            Self::ChangeAccess
            | Self::ChangeClientRoles
            | Self::ChangeKeyPolicies
            | Self::CreateAdministrator
            | Self::CreateClient
            | Self::DecideApproval
            | Self::DeleteClient
            | Self::DisableClient
            | Self::EnableClient
            | Self::ExamineKeys
            | Self::ExportAudit
            | Self::MendKeys
            | Self::ReadAccess
            | Self::ReadApprovals
            | Self::ReadAudit
            | Self::ReadClients
            | Self::ReadKeyPolicies
            | Self::RewrapKeys
            | Self::RotateClientSecret => false,
        }
    }

    /// Whether it changes who may do what, or which keys do what, and stays changed although nobody hears of its success.
    /// That it begins is on record before anything is changed.
    pub const fn is_change(self) -> bool {
        match self {
            Self::CancelKeyDestruction
            | Self::ChangeAccess
            | Self::ChangeClientRoles
            | Self::ChangeKeyPolicies
            | Self::CreateAdministrator
            | Self::CreateClient
            | Self::DecideApproval
            | Self::DeleteClient
            | Self::DestroyKey
            | Self::DisableClient
            | Self::EnableClient
            | Self::IssueCertificate
            | Self::ResumeKey
            | Self::RevokeKey
            | Self::RotateClientSecret
            | Self::RotateKey
            | Self::SuspendKey
            | Self::UploadCertificate
            | Self::UploadOtherDomainCertificate => true,
            // What only makes keys, or sorts them, gives nobody anything that is not recorded.
            Self::Decrypt
            | Self::DecryptCompromised
            | Self::Encrypt
            | Self::ExamineKeys
            | Self::ExportAudit
            | Self::GenerateMasterKey
            | Self::GenerateSymmetricKey
            | Self::MendKeys
            | Self::ReadAccess
            | Self::ReadApprovals
            | Self::ReadAudit
            | Self::ReadCertificate
            | Self::ReadCertificates
            | Self::ReadClients
            | Self::ReadKeyPolicies
            | Self::ReadKeys
            | Self::RequestCertificate
            | Self::RewrapKeys
            | Self::Sign
            | Self::TagKey
            | Self::Verify => false,
        }
    }

    /// Whether a policy can make it wait for approval.
    pub const fn can_wait(self) -> bool {
        matches!(
            self,
            Self::CancelKeyDestruction
                | Self::ChangeAccess
                | Self::ChangeClientRoles
                | Self::ChangeKeyPolicies
                | Self::DestroyKey
                | Self::CreateAdministrator
                | Self::CreateClient
                | Self::EnableClient
                | Self::ResumeKey
                | Self::RevokeKey
                | Self::RotateClientSecret
                | Self::RotateKey
                | Self::SuspendKey
        )
    }

    /// The program's own roles that allow it as shipped, for all keys.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::ChangeAccess
            | Self::ChangeClientRoles
            | Self::CreateAdministrator
            | Self::CreateClient
            | Self::DecideApproval
            | Self::DeleteClient
            | Self::DisableClient
            | Self::EnableClient
            | Self::ReadClients
            | Self::RotateClientSecret => &[Role::Administrator],
            Self::Decrypt | Self::DecryptCompromised => &[Role::Decryptor],
            Self::Encrypt => &[Role::Encryptor],
            Self::ExportAudit | Self::ReadAudit => &[Role::Auditor],
            Self::CancelKeyDestruction
            | Self::ChangeKeyPolicies
            | Self::DestroyKey
            | Self::ExamineKeys
            | Self::GenerateMasterKey
            | Self::GenerateSymmetricKey
            | Self::ReadKeys
            | Self::IssueCertificate
            | Self::MendKeys
            | Self::RequestCertificate
            | Self::ResumeKey
            | Self::RevokeKey
            | Self::RewrapKeys
            | Self::RotateKey
            | Self::SuspendKey
            | Self::TagKey
            | Self::UploadCertificate
            | Self::UploadOtherDomainCertificate => &[Role::KeyAdministrator],
            Self::ReadAccess | Self::ReadApprovals => &[Role::Administrator, Role::Auditor],
            Self::ReadKeyPolicies => &[Role::Administrator, Role::Auditor, Role::KeyAdministrator],
            Self::ReadCertificate | Self::ReadCertificates => &[Role::Encryptor, Role::KeyAdministrator],
            Self::Sign | Self::Verify => &[Role::Signer],
        }
    }
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Its name: the client id, or what the settings make of an external issuer's name for it.
    pub name: String,
    /// What it is trusted with.
    pub roles: Vec<Role>,
    /// Who vouches for it: the name that the settings give an external issuer; `None` for this server.
    pub issuer: Option<Arc<str>>,
}

/// Who calls, from where, in which request: what every audited operation needs to know.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The caller.
    pub principal: Arc<Principal>,
    /// What it has shown.
    pub authority: Authority,
    /// The peer's address.
    pub address: Option<IpAddr>,
    /// Names the request in logs, answers and the audit trail.
    pub request_id: Arc<str>,
}

impl CallContext {
    /// Whether the caller is the client of this id: a principal of another issuer is another one, whatever its name.
    pub fn is_client(&self, id: &ClientId) -> bool {
        self.principal.issuer.is_none() && self.principal.name == id.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_found_by_name() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(role));
        }
        assert_eq!(Role::parse("REGISTRATION_PROCESSOR").unwrap().name(), "REGISTRATION_PROCESSOR");
        for name in ["", "a b", "a,b", "é", &"x".repeat(65)] {
            assert_eq!(Role::parse(name), None, "{name}");
        }
    }

    #[test]
    fn operations_are_found_by_name() {
        for operation in Operation::ALL {
            assert_eq!(Operation::parse(operation.name()), Some(operation));
        }
        assert_eq!(Operation::parse("key.steal"), None);
    }

    #[test]
    fn an_auditor_only_reads_and_nobody_else_reads_the_trail() {
        let of = |role| Operation::ALL.into_iter().filter(move |operation| operation.roles().contains(role));
        let own = [
            Operation::ExportAudit,
            Operation::ReadAccess,
            Operation::ReadApprovals,
            Operation::ReadAudit,
            Operation::ReadKeyPolicies,
        ];
        assert!(of(&Role::Auditor).eq(own));
        for role in Role::ALL.iter().filter(|role| **role != Role::Auditor) {
            assert!(
                !of(role).any(|operation| matches!(operation, Operation::ExportAudit | Operation::ReadAudit))
            );
        }
    }

    #[test]
    fn what_waits_for_others_is_a_change() {
        assert!(
            Operation::ALL.into_iter().filter(|operation| operation.can_wait()).all(Operation::is_change)
        );
    }

    #[test]
    fn an_administrator_does_no_cryptography() {
        for operation in Operation::ALL.into_iter().filter(|operation| operation.is_on_keys()) {
            assert!(!operation.roles().contains(&Role::Administrator), "{operation:?}");
        }
    }
}
