//! Roles, operations, and which role may do what.

use std::{net::IpAddr, sync::Arc};

/// What a principal is trusted with. A principal may hold several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Clients and configuration; no cryptography.
    Administrator,
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
    pub const ALL: [Self; 5] =
        [Self::Administrator, Self::Decryptor, Self::Encryptor, Self::KeyAdministrator, Self::Signer];

    /// The name in tokens, requests and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
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
    /// Give a client other roles.
    ChangeClientRoles,
    /// Make a client.
    CreateClient,
    /// Open a packet.
    Decrypt,
    /// Remove a client.
    DeleteClient,
    /// Let a client take no more tokens.
    DisableClient,
    /// Let a disabled client take tokens again.
    EnableClient,
    /// Seal a packet.
    Encrypt,
    /// Make a module key, or a CSR for it.
    GenerateMasterKey,
    /// Read the current certificate of an alias, which makes its base key on first use.
    ReadCertificate,
    /// Read the certificates of all versions of a key.
    ReadCertificates,
    /// Read which clients there are.
    ReadClients,
    /// Give a client a new secret.
    RotateClientSecret,
    /// Sign.
    Sign,
    /// Verify a signature.
    Verify,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 14] = [
        Self::ChangeClientRoles,
        Self::CreateClient,
        Self::Decrypt,
        Self::DeleteClient,
        Self::DisableClient,
        Self::EnableClient,
        Self::Encrypt,
        Self::GenerateMasterKey,
        Self::ReadCertificate,
        Self::ReadCertificates,
        Self::ReadClients,
        Self::RotateClientSecret,
        Self::Sign,
        Self::Verify,
    ];

    /// The name in the audit trail.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChangeClientRoles => "client.change_roles",
            Self::CreateClient => "client.create",
            Self::Decrypt => "packet.decrypt",
            Self::DeleteClient => "client.delete",
            Self::DisableClient => "client.disable",
            Self::EnableClient => "client.enable",
            Self::Encrypt => "packet.encrypt",
            Self::GenerateMasterKey => "key.generate",
            Self::ReadCertificate => "certificate.read",
            Self::ReadCertificates => "certificate.list",
            Self::ReadClients => "client.read",
            Self::RotateClientSecret => "client.rotate_secret",
            Self::Sign => "signature.sign",
            Self::Verify => "signature.verify",
        }
    }

    /// The roles of which one is needed.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::ChangeClientRoles
            | Self::CreateClient
            | Self::DeleteClient
            | Self::DisableClient
            | Self::EnableClient
            | Self::ReadClients
            | Self::RotateClientSecret => &[Role::Administrator],
            Self::Decrypt => &[Role::Decryptor],
            Self::Encrypt => &[Role::Encryptor],
            Self::GenerateMasterKey => &[Role::KeyAdministrator],
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
    fn an_administrator_does_no_cryptography() {
        let principal = Principal { name: "a".to_owned(), roles: vec![Role::Administrator], issuer: None };
        let allowed: Vec<_> = Operation::ALL.into_iter().filter(|op| principal.may(*op)).collect();
        assert!(allowed.iter().all(|operation| operation.name().starts_with("client.")), "{allowed:?}");
        assert_eq!(allowed.len(), 7);
    }
}
