//! Roles, operations, and which role may do what.

use std::{net::IpAddr, sync::Arc};

/// What a principal is trusted with. A principal may hold several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Clients and configuration; no cryptography.
    Administrator,
    /// Reads, exports and verifies the audit trail; nothing else.
    Auditor,
    /// Opens packets.
    Decryptor,
    /// Reads certificates and seals packets.
    Encryptor,
    /// Makes and certifies keys.
    KeyAdministrator,
    /// Signs and verifies.
    Signer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [
        Self::Administrator,
        Self::Auditor,
        Self::Decryptor,
        Self::Encryptor,
        Self::KeyAdministrator,
        Self::Signer,
    ];

    /// The name in tokens, requests and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Auditor => "auditor",
            Self::Decryptor => "decryptor",
            Self::Encryptor => "encryptor",
            Self::KeyAdministrator => "key-administrator",
            Self::Signer => "signer",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A call that needs a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Make a client.
    CreateClient,
    /// Open a packet.
    Decrypt,
    /// Seal a packet.
    Encrypt,
    /// Take a whole log, for verification elsewhere.
    ExportAudit,
    /// Make a module key, or a CSR for it.
    GenerateMasterKey,
    /// Read events of the audit trail, and what proves them.
    ReadAudit,
    /// Read the current certificate of an alias, which makes its base key on first use.
    ReadCertificate,
    /// Read the certificates of all versions of a key.
    ReadCertificates,
    /// Sign.
    Sign,
    /// Verify a signature.
    Verify,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 10] = [
        Self::CreateClient,
        Self::Decrypt,
        Self::Encrypt,
        Self::ExportAudit,
        Self::GenerateMasterKey,
        Self::ReadAudit,
        Self::ReadCertificate,
        Self::ReadCertificates,
        Self::Sign,
        Self::Verify,
    ];

    /// The name in the audit trail.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateClient => "client.create",
            Self::Decrypt => "packet.decrypt",
            Self::Encrypt => "packet.encrypt",
            Self::ExportAudit => "audit.export",
            Self::GenerateMasterKey => "key.generate",
            Self::ReadAudit => "audit.read",
            Self::ReadCertificate => "certificate.read",
            Self::ReadCertificates => "certificate.list",
            Self::Sign => "signature.sign",
            Self::Verify => "signature.verify",
        }
    }

    /// The roles of which one is needed.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::CreateClient => &[Role::Administrator],
            Self::Decrypt => &[Role::Decryptor],
            Self::Encrypt => &[Role::Encryptor],
            Self::ExportAudit | Self::ReadAudit => &[Role::Auditor],
            Self::GenerateMasterKey => &[Role::KeyAdministrator],
            Self::ReadCertificate | Self::ReadCertificates => &[Role::Encryptor, Role::KeyAdministrator],
            Self::Sign | Self::Verify => &[Role::Signer],
        }
    }
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Its name: the client id.
    pub name: String,
    /// What it is trusted with.
    pub roles: Vec<Role>,
}

impl Principal {
    /// Whether one of the roles allows `operation`.
    pub fn may(&self, operation: Operation) -> bool {
        operation.roles().iter().any(|role| self.roles.contains(role))
    }
}

/// Who calls, from where, in which request: what every audited operation needs to know.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The caller.
    pub principal: Arc<Principal>,
    /// The peer's address.
    pub address: Option<IpAddr>,
    /// Names the request in logs, answers and the audit trail.
    pub request_id: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_found_by_name() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(role));
        }
        assert_eq!(Role::parse("root"), None);
    }

    #[test]
    fn an_auditor_reads_the_trail_and_nobody_else_does() {
        for role in Role::ALL {
            let principal = Principal { name: "a".to_owned(), roles: vec![role] };
            let allowed: Vec<_> = Operation::ALL.into_iter().filter(|op| principal.may(*op)).collect();
            let trail = [Operation::ExportAudit, Operation::ReadAudit];
            assert_eq!(allowed == trail, role == Role::Auditor, "{role:?}");
            assert_eq!(allowed.iter().any(|operation| trail.contains(operation)), role == Role::Auditor);
        }
    }

    #[test]
    fn an_administrator_does_no_cryptography() {
        let principal = Principal { name: "a".to_owned(), roles: vec![Role::Administrator] };
        let allowed: Vec<_> = Operation::ALL.into_iter().filter(|op| principal.may(*op)).collect();
        assert_eq!(allowed, [Operation::CreateClient]);
    }
}
