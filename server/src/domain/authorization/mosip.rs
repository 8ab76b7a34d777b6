//! The roles of MOSIP and OpenG2P, and the properties that say which endpoints each may call.

use std::collections::BTreeMap;

use super::{policy::PolicyText, shipped::allowing};
use crate::domain::access::{Operation, Role};

use Operation::{
    Decrypt, DecryptCompromised, Encrypt, GenerateMasterKey, GenerateSymmetricKey, IssueCertificate,
    ReadCertificate, ReadCertificates, ReadKeys, RequestCertificate, ResumeKey, RevokeKey, RotateKey, Sign,
    SuspendKey, TagKey, UploadCertificate, UploadOtherDomainCertificate, Verify,
};

/// Reads certificates, seals and verifies: what a role has that people in the field or citizens hold.
const HARMLESS: &[Operation] = &[ReadCertificate, ReadCertificates, Encrypt, Verify];
/// What services do.
const SERVICE: &[Operation] =
    &[ReadCertificate, ReadCertificates, Encrypt, Decrypt, DecryptCompromised, Sign, Verify];
/// Seals and opens.
const PACKETS: &[Operation] = &[Encrypt, Decrypt, DecryptCompromised];
/// Everything that is done with keys, but for ending them.
const ALL: &[Operation] = &[
    GenerateMasterKey,
    GenerateSymmetricKey,
    IssueCertificate,
    RequestCertificate,
    UploadCertificate,
    UploadOtherDomainCertificate,
    RotateKey,
    RevokeKey,
    SuspendKey,
    ResumeKey,
    TagKey,
    ReadKeys,
    ReadCertificate,
    ReadCertificates,
    Encrypt,
    Decrypt,
    DecryptCompromised,
    Sign,
    Verify,
];
/// Makes keys and has them certified.
const KEY_MAKER: &[Operation] = &[GenerateMasterKey, RequestCertificate, RotateKey, UploadCertificate];

/// What each role may do as shipped: the deployed configuration of MOSIP 1.3, without making keys for services, and
/// without making keys, opening and signing for people in the field and citizens.
pub(super) const SHIPPED: [(&str, &[Operation]); 17] = [
    ("CREDENTIAL_ISSUANCE", &[Sign]),
    ("CREDENTIAL_REQUEST", PACKETS),
    ("GLOBAL_ADMIN", ALL),
    ("HOTLIST_ADMIN", PACKETS),
    ("ID_AUTHENTICATION", SERVICE),
    ("ID_REPOSITORY", PACKETS),
    ("INDIVIDUAL", HARMLESS),
    ("KEYMANAGER_ADMIN", ALL),
    ("KEY_MAKER", KEY_MAKER),
    ("PARTNER_ADMIN", &[UploadOtherDomainCertificate]),
    ("PRE_REGISTRATION_ADMIN", SERVICE),
    ("REGISTRATION_ADMIN", HARMLESS),
    ("REGISTRATION_OFFICER", HARMLESS),
    ("REGISTRATION_PROCESSOR", SERVICE),
    ("REGISTRATION_SUPERVISOR", HARMLESS),
    ("RESIDENT", SERVICE),
    ("ZONAL_ADMIN", ALL),
];

/// The end of each property's name, and the operations of that endpoint.
const ENDPOINTS: [(&str, &[Operation]); 22] = [
    ("getcertificatechain", &[ReadCertificate]),
    ("getgetcertificate", &[ReadCertificate, ReadCertificates]),
    ("postcosesign1", &[Sign]),
    ("postcoseverify1", &[Verify]),
    ("postcwtsign", &[Sign]),
    ("postcwtverify", &[Verify]),
    ("postdecrypt", &[Decrypt, DecryptCompromised]),
    ("postencrypt", &[Encrypt]),
    ("postgeneratecsr", &[RequestCertificate]),
    ("postgeneratemasterkeyobjecttype", &[GenerateMasterKey, RotateKey]),
    ("postgeneratesymmetrickey", &[GenerateSymmetricKey]),
    ("postjwssign", &[Sign]),
    ("postjwtsign", &[Sign]),
    ("postjwtverify", &[Verify]),
    ("postpdfsign", &[Sign]),
    ("postsign", &[Sign]),
    ("postsignrawdata", &[Sign]),
    ("postsignv2", &[Sign]),
    ("postuploadcertificate", &[UploadCertificate]),
    ("postuploadotherdomaincertificate", &[UploadOtherDomainCertificate]),
    ("postvalidate", &[Verify]),
    ("putrevokekey", &[RevokeKey]),
];

const PREFIX: &str = "mosip.role.keymanager.";

/// The name of the policy of a role of MOSIP.
pub fn policy_name(role: &str) -> String {
    format!("mosip.{}", role.replace(':', "."))
}

/// What `mosip.role.*` properties stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// One policy for each role, by name.
    pub policies: Vec<PolicyText>,
    /// Endings of properties whose endpoints are not served here.
    pub unserved: Vec<String>,
    /// Shipped policies of roles that the properties do not name; they stay in force.
    pub untouched: Vec<String>,
    /// `ROLE: operation` that the shipped policies leave out on purpose.
    pub beyond_shipped: Vec<String>,
}

/// Reads the role properties out of a Java properties file; other properties are skipped.
///
/// # Errors
/// [`ImportFault`] when there is none, or a role has no name that a policy can have.
pub fn import(file: &str) -> Result<Imported, ImportFault> {
    let mut granted: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    let mut unserved = Vec::new();
    let mut found = false;
    for (number, line) in logical_lines(file) {
        let Some((endpoint, roles)) = line.strip_prefix(PREFIX).and_then(split_property) else { continue };
        found = true;
        let Some((_, operations)) = ENDPOINTS.iter().find(|(name, _)| *name == endpoint) else {
            unserved.push(endpoint.to_owned());
            continue;
        };
        for role in roles.split(',').map(str::trim).filter(|role| !role.is_empty()) {
            if Role::parse(role).is_none() || policy_name(role).len() > 64 {
                return Err(ImportFault::Role { line: number });
            }
            granted.entry(role.to_owned()).or_default().extend(*operations);
        }
    }
    if !found {
        return Err(ImportFault::Nothing);
    }
    unserved.sort_unstable();
    unserved.dedup();
    let untouched = SHIPPED.iter().filter(|(role, _)| !granted.contains_key(*role));
    Ok(Imported {
        untouched: untouched.map(|(role, _)| policy_name(role)).collect(),
        beyond_shipped: beyond_shipped(&granted),
        policies: granted.into_iter().map(|(role, granted)| policy(&role, &granted)).collect(),
        unserved,
    })
}

fn policy(role: &str, granted: &[Operation]) -> PolicyText {
    let operations = Operation::ALL.into_iter().filter(|it| granted.contains(it)).collect();
    let description = format!("What the role {role} may do by the imported mosip.role properties.");
    PolicyText { description, ..allowing(&policy_name(role), role, operations) }
}

fn beyond_shipped(granted: &BTreeMap<String, Vec<Operation>>) -> Vec<String> {
    let mut beyond = Vec::new();
    for (role, operations) in granted {
        let Some((_, shipped)) = SHIPPED.iter().find(|(name, _)| name == role) else { continue };
        let more = operations.iter().filter(|operation| !shipped.contains(operation));
        beyond.extend(more.map(|operation| format!("{role}: {}", operation.name())));
    }
    beyond.dedup();
    beyond
}

/// `name=value`, `name:value` or `name value`.
fn split_property(text: &str) -> Option<(&str, &str)> {
    let end =
        text.find(|character: char| character == '=' || character == ':' || character.is_whitespace())?;
    let (name, rest) = text.split_at_checked(end)?;
    let rest = rest.trim_start();
    Some((name, rest.strip_prefix(['=', ':']).unwrap_or(rest)))
}

/// Lines with those that they go on in, comments and blank ones left out; each with the number of its first.
fn logical_lines(file: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(file.lines()) {
        let line = line.trim_start();
        if !goes_on && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
        let continued = backslashes % 2 == 1;
        let part = if continued { line.strip_suffix('\\').unwrap_or(line) } else { line.trim_end() };
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, text)) => text.push_str(part),
            None => lines.push((number, part.to_owned())),
        }
        goes_on = continued;
    }
    lines
}

/// Why properties were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportFault {
    /// There is no `mosip.role.keymanager.` property.
    #[error("the file has no property that begins with mosip.role.keymanager.")]
    Nothing,
    /// A role has a name that no policy can have.
    #[error("line {line}: a role must have 1 to 58 characters of A-Z, a-z, 0-9, '_', '-', '.' and ':'")]
    Role {
        /// The line, from 1.
        line: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Roles of the key manager
mosip.kernel.keymanager.hsm.keystore-type=PKCS11
mosip.role.keymanager.postencrypt=ZONAL_ADMIN,REGISTRATION_OFFICER , OWN_ROLE
mosip.role.keymanager.postdecrypt = REGISTRATION_OFFICER,\\
    OWN_ROLE
mosip.role.keymanager.getgetcertificate:OWN_ROLE
mosip.role.keymanager.postcssign=OWN_ROLE
! mosip.role.keymanager.postjwtsign=NOBODY
";

    #[test]
    fn properties_become_one_policy_for_each_role() {
        let imported = import(FILE).unwrap();
        let of: Vec<_> =
            imported.policies.iter().map(|it| (it.name.as_str(), it.operations.join(" "))).collect();
        assert_eq!(
            of,
            [
                (
                    "mosip.OWN_ROLE",
                    "packet.decrypt packet.decrypt_compromised packet.encrypt certificate.read certificate.list"
                        .to_owned()
                ),
                (
                    "mosip.REGISTRATION_OFFICER",
                    "packet.decrypt packet.decrypt_compromised packet.encrypt".to_owned()
                ),
                ("mosip.ZONAL_ADMIN", "packet.encrypt".to_owned()),
            ]
        );
        assert_eq!(imported.unserved, ["postcssign"]);
        assert_eq!(
            imported.beyond_shipped,
            ["REGISTRATION_OFFICER: packet.decrypt", "REGISTRATION_OFFICER: packet.decrypt_compromised"]
        );
        assert_eq!(imported.untouched.len(), SHIPPED.len() - 2);
    }

    #[test]
    fn what_is_no_role_is_named_by_its_line() {
        let file = format!("\n{PREFIX}postencrypt=A,B C\n");
        assert_eq!(import(&file), Err(ImportFault::Role { line: 2 }));
        assert_eq!(import("a=b\n"), Err(ImportFault::Nothing));
    }

    #[test]
    fn people_in_the_field_make_no_keys_open_nothing_and_sign_nothing() {
        for role in ["INDIVIDUAL", "REGISTRATION_ADMIN", "REGISTRATION_OFFICER", "REGISTRATION_SUPERVISOR"] {
            let (_, operations) = SHIPPED.iter().find(|(name, _)| *name == role).unwrap();
            assert!(operations.iter().all(|it| HARMLESS.contains(it)), "{role}");
        }
    }
}
