use x509_cert::{
    certificate::{Profile, TbsCertificateInner},
    der::oid::AssociatedOid as _,
    ext::pkix,
};

/// What a key may be used for (RFC 5280 section 4.2.1.3): the uses that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "independent bits, named as the standard names them")]
pub struct KeyUsage {
    /// Signatures other than on certificates and CRLs.
    pub digital_signature: bool,
    /// Wrapping keys: what sealing a packet does.
    pub key_encipherment: bool,
    /// Signing certificates.
    pub key_cert_sign: bool,
    /// Signing certificate revocation lists.
    pub crl_sign: bool,
}

/// Whether a subject may issue certificates (RFC 5280 section 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BasicConstraints {
    /// Whether it is a certification authority.
    pub is_authority: bool,
    /// How many further authorities may stand between it and the end of a path.
    pub path_length: Option<u8>,
}

pub(super) struct Extensions {
    pub(super) key_usage: Option<KeyUsage>,
    pub(super) basic_constraints: Option<BasicConstraints>,
    /// Whether there is one that is marked critical and not understood here.
    pub(super) unknown_critical: bool,
}

pub(super) fn read<P: Profile>(certificate: &TbsCertificateInner<P>) -> x509_cert::der::Result<Extensions> {
    let key_usage = certificate.get_extension::<pkix::KeyUsage>()?;
    let basic_constraints = certificate.get_extension::<pkix::BasicConstraints>()?;
    let understood = [pkix::KeyUsage::OID, pkix::BasicConstraints::OID];
    Ok(Extensions {
        key_usage: key_usage.map(|(_, usage)| KeyUsage {
            digital_signature: usage.digital_signature(),
            key_encipherment: usage.key_encipherment(),
            key_cert_sign: usage.key_cert_sign(),
            crl_sign: usage.crl_sign(),
        }),
        basic_constraints: basic_constraints.map(|(_, constraints)| BasicConstraints {
            is_authority: constraints.ca,
            path_length: constraints.path_len_constraint,
        }),
        unknown_critical: certificate
            .extensions()
            .into_iter()
            .flatten()
            .any(|extension| extension.critical && !understood.contains(&extension.extn_id)),
    })
}
