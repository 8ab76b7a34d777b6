//! The stable names of keys: an application and a reference.

use std::fmt;

use super::key_type::Curve;

/// The application that owns a key, for example `REGISTRATION`: 1 to 36 characters of `A–Z a–z 0–9 _ - .`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationId(String);

impl ApplicationId {
    /// Longest name, in bytes.
    pub const MAX_BYTES: usize = 36;

    /// The application whose key signs every module certificate.
    pub const ROOT: &'static str = "ROOT";
    /// The application whose `SIGN` reference signs when a caller names no key.
    pub const KERNEL: &'static str = "KERNEL";
    /// The application of other domains' certificates; it has no keys of its own.
    pub const PARTNER: &'static str = "PARTNER";
    /// The application of the server's own keys; no caller can name it.
    pub const INTERNAL: &'static str = "KUNJI";
    /// Not an application but the name of the policy of base keys; no caller can name it.
    pub const BASE_POLICY: &'static str = "BASE";

    /// Reads a name sent by a caller.
    ///
    /// # Errors
    /// [`AliasError::Application`] when it is empty, too long, holds another character or is taken by
    /// the server itself.
    pub fn parse(text: &str) -> Result<Self, AliasError> {
        if [Self::INTERNAL, Self::BASE_POLICY].iter().any(|taken| text.eq_ignore_ascii_case(taken)) {
            return Err(AliasError::Application);
        }
        Self::parse_any(text)
    }

    /// Reads a name from the records, where the server's own application occurs too.
    ///
    /// # Errors
    /// [`AliasError::Application`] when it is empty, too long or holds another character.
    pub fn parse_any(text: &str) -> Result<Self, AliasError> {
        let fits = !text.is_empty()
            && text.len() <= Self::MAX_BYTES
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if fits { Ok(Self(text.to_owned())) } else { Err(AliasError::Application) }
    }

    /// The application of the server's own keys.
    pub fn internal() -> Self {
        Self(Self::INTERNAL.to_owned())
    }

    /// Whether references of the application name base keys: ROOT and KERNEL only sign, and PARTNER holds what other
    /// domains uploaded.
    pub fn may_have_base_keys(&self) -> bool {
        ![Self::ROOT, Self::KERNEL, Self::PARTNER].contains(&self.as_str())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The reference of a key within its application; blank names the application's own (master) key.
///
/// At most 128 characters of `A–Z a–z 0–9 _ - . : @` and blank inside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferenceId(String);

impl ReferenceId {
    /// Longest reference, in bytes.
    pub const MAX_BYTES: usize = 128;
    /// The reference of a symmetric key of `KERNEL`, which has no certificate.
    pub const IDENTITY_CACHE: &'static str = "IDENTITY_CACHE";
    /// The reference of the signing key of `KERNEL`.
    pub const SIGN: &'static str = "SIGN";
    /// The references of an application's signing keys on curves.
    pub const CURVES: [(&'static str, Curve); 4] = [
        ("EC_SECP256K1_SIGN", Curve::Secp256k1),
        ("EC_SECP256R1_SIGN", Curve::P256),
        ("EC_SECP384R1_SIGN", Curve::P384),
        ("ED25519_SIGN", Curve::Ed25519),
    ];

    /// Reads a reference; blanks around it do not count.
    ///
    /// # Errors
    /// [`AliasError::Reference`] when it is too long or holds another character.
    pub fn parse(text: &str) -> Result<Self, AliasError> {
        let text = text.trim();
        let fits = text.len() <= Self::MAX_BYTES
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:@ ".contains(&b));
        if fits { Ok(Self(text.to_owned())) } else { Err(AliasError::Reference) }
    }

    /// The blank reference: the application's own key.
    pub fn master() -> Self {
        Self(String::new())
    }

    /// Whether this is the blank reference.
    pub fn is_master(&self) -> bool {
        self.0.is_empty()
    }

    /// The reference.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names an application's key independent of its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyAlias {
    /// The application.
    pub application: ApplicationId,
    /// The reference within it.
    pub reference: ReferenceId,
}

impl KeyAlias {
    /// Reads both parts as a caller sent them.
    ///
    /// # Errors
    /// [`AliasError`] names the part that does not fit.
    pub fn parse(application: &str, reference: &str) -> Result<Self, AliasError> {
        let application = ApplicationId::parse(application)?;
        let mut reference = ReferenceId::parse(reference)?;
        // The one reference whose letter case never counted.
        if application.as_str() == ApplicationId::KERNEL
            && reference.as_str().eq_ignore_ascii_case(ReferenceId::SIGN)
        {
            reference = ReferenceId(ReferenceId::SIGN.to_owned());
        }
        Ok(Self { application, reference })
    }

    /// The application's own (module) key.
    pub fn master(application: ApplicationId) -> Self {
        Self { application, reference: ReferenceId::master() }
    }

    /// The application's signing keys on curves.
    pub fn curves(application: &ApplicationId) -> impl Iterator<Item = Self> {
        ReferenceId::CURVES.into_iter().map(|(reference, _)| Self {
            application: application.clone(),
            reference: ReferenceId(reference.to_owned()),
        })
    }

    /// The key that signs access tokens; no caller can name it.
    pub fn access_token() -> Self {
        Self { application: ApplicationId::internal(), reference: ReferenceId("ACCESS_TOKEN".to_owned()) }
    }

    /// The key that signs what is said about the audit logs; no caller can name it.
    pub fn audit() -> Self {
        Self { application: ApplicationId::internal(), reference: ReferenceId("AUDIT".to_owned()) }
    }

    /// The pairs of the servers themselves, which every server needs.
    pub fn internal() -> [Self; 2] {
        [Self::access_token(), Self::audit()]
    }

    /// The key that signs for callers who name none.
    pub fn kernel_sign() -> Self {
        Self {
            application: ApplicationId(ApplicationId::KERNEL.to_owned()),
            reference: ReferenceId(ReferenceId::SIGN.to_owned()),
        }
    }

    /// The alias whose key certifies this one's; `None` for ROOT.
    pub fn issuer(&self) -> Option<Self> {
        match self.role() {
            AliasRole::Root => None,
            // Where the token does not take one of the other curves, this is true of those too.
            AliasRole::Base | AliasRole::Curve(Curve::Ed25519) => {
                Some(Self::master(self.application.clone()))
            }
            AliasRole::Curve(_) | AliasRole::Internal | AliasRole::Module | AliasRole::Sign => {
                Some(Self::master(ApplicationId(ApplicationId::ROOT.to_owned())))
            }
        }
    }

    /// What keys under this alias do.
    pub fn purpose(&self) -> KeyPurpose {
        match self.role() {
            AliasRole::Root | AliasRole::Module => KeyPurpose::Issuing,
            AliasRole::Base => KeyPurpose::Encryption,
            AliasRole::Curve(_) | AliasRole::Internal | AliasRole::Sign => KeyPurpose::Signing,
        }
    }

    /// What the key under this alias is for.
    pub fn role(&self) -> AliasRole {
        let application = self.application.as_str();
        let reference = self.reference.as_str();
        if application == ApplicationId::INTERNAL {
            AliasRole::Internal
        } else if application == ApplicationId::ROOT && self.reference.is_master() {
            AliasRole::Root
        } else if self.reference.is_master() {
            AliasRole::Module
        } else if application == ApplicationId::KERNEL && reference == ReferenceId::SIGN {
            AliasRole::Sign
        } else if let Some((_, curve)) = ReferenceId::CURVES.iter().find(|(name, _)| *name == reference)
            && application != ApplicationId::ROOT
        {
            AliasRole::Curve(*curve)
        } else {
            AliasRole::Base
        }
    }
}

impl fmt::Display for KeyAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.application.0, self.reference.0)
    }
}

/// What a key does, for whoever looks for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyPurpose {
    /// It signs certificates, and data in the name of its application.
    Issuing,
    /// Packets are sealed for it.
    Encryption,
    /// It signs data.
    Signing,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Issuing, Self::Encryption, Self::Signing];

    /// The name in requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issuing => "issuing",
            Self::Encryption => "encryption",
            Self::Signing => "signing",
        }
    }

    /// The purpose of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// The place of an alias in the key hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasRole {
    /// Encrypts packets; made in software, kept in the database under the module's KEK.
    Base,
    /// Signs for its application with a key on this curve; in the HSM, certified by ROOT, where that can, else as base
    /// keys are kept and certified. Made on request alone.
    Curve(Curve),
    /// Signs what the servers themselves say: access tokens, checkpoints of the audit trail. In the HSM, certified by
    /// ROOT.
    Internal,
    /// Certifies base keys and signs for its application; in the HSM.
    Module,
    /// The self-signed trust anchor; in the HSM.
    Root,
    /// `KERNEL/SIGN`: signs for callers who name no key; in the HSM.
    Sign,
}

/// A part of an alias that cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AliasError {
    /// The application.
    #[error("applicationId must have 1 to 36 characters of A-Z, a-z, 0-9, '_', '-' and '.'")]
    Application,
    /// The reference.
    #[error(
        "referenceId must have at most 128 characters of A-Z, a-z, 0-9, blank, '_', '-', '.', ':' and '@'"
    )]
    Reference,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_has_its_place() {
        let role = |a: &str, r: &str| KeyAlias::parse(a, r).unwrap().role();
        assert_eq!(role("ROOT", ""), AliasRole::Root);
        assert_eq!(role("REGISTRATION", " "), AliasRole::Module);
        assert_eq!(role("KERNEL", "sign"), AliasRole::Sign);
        assert_eq!(KeyAlias::parse("KERNEL", "sign"), KeyAlias::parse("KERNEL", "SIGN"));
        assert_eq!(KeyAlias::kernel_sign(), KeyAlias::parse("KERNEL", "SIGN").unwrap());
        assert_eq!(KeyAlias::access_token().role(), AliasRole::Internal);
        assert_eq!(KeyAlias::audit().role(), AliasRole::Internal);
        assert_eq!(role("REGISTRATION", "SIGN"), AliasRole::Base);
        for (reference, curve) in ReferenceId::CURVES {
            assert_eq!(role("REGISTRATION", reference), AliasRole::Curve(curve));
            assert_eq!(role("ROOT", reference), AliasRole::Base);
        }
        assert_eq!(role("REGISTRATION", "10001_110011"), AliasRole::Base);
    }

    #[test]
    fn names_are_bounded() {
        assert_eq!(ApplicationId::parse(""), Err(AliasError::Application));
        assert_eq!(ApplicationId::parse("A/B"), Err(AliasError::Application));
        assert_eq!(ApplicationId::parse("kunji"), Err(AliasError::Application));
        assert_eq!(ApplicationId::parse("BASE"), Err(AliasError::Application));
        assert_eq!(ApplicationId::parse(&"A".repeat(37)), Err(AliasError::Application));
        assert_eq!(ReferenceId::parse(&"A".repeat(129)), Err(AliasError::Reference));
        assert_eq!(ReferenceId::parse("a\nb"), Err(AliasError::Reference));
    }
}
