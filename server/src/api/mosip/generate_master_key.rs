//! `POST /v1/keymanager/generateMasterKey/{objectType}`

use poem_openapi::{Object, OpenApi, param::Path};
use serde::Deserialize;

use super::{
    envelope::{Enveloped, Reply},
    faults::Fault,
    get_certificate::KeyAnswer,
    members::{Violations, not_blank},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, GenerateMasterKey},
        openapi::Tag,
    },
    domain::{access::CallContext, alias::KeyAlias, time::Timestamp},
    services::{Services, keys::SubjectOverrides},
};

/// `generateMasterKey`
pub(crate) struct GenerateMasterKeyApi {
    services: Services,
}

impl GenerateMasterKeyApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn generate(
        &self,
        call: &CallContext,
        object_type: &str,
        request: MasterKeyRequest,
        now: Timestamp,
    ) -> Result<KeyAnswer, Refusal> {
        let object_type = ObjectType::parse(object_type).ok_or(Fault::ObjectType)?;
        let (alias, subject, force) = request.check()?;
        let keys = &self.services.keys;
        match object_type {
            ObjectType::Certificate => {
                let key = if force {
                    keys.force_master(call, &alias, &subject).await?
                } else {
                    keys.generate_master(call, &alias, &subject).await?
                };
                Ok(KeyAnswer::of_certificate(&key, now))
            }
            ObjectType::Csr => {
                let (key, request) = if force {
                    let key = keys.force_master(call, &alias, &subject).await?;
                    let request = keys.request_for(&key, &subject).await?;
                    (key, request)
                } else {
                    keys.certificate_request(call, &alias, &subject).await?
                };
                Ok(KeyAnswer::of_request(&key, &request, now))
            }
        }
    }
}

#[OpenApi]
impl GenerateMasterKeyApi {
    /// Make an application's master key
    ///
    /// Answers with its certificate or a certificate signing request. A current key is kept, unless `force` is true.
    #[oai(
        path = "/v1/keymanager/generateMasterKey/:objectType",
        method = "post",
        operation_id = "generateMasterKey",
        tag = "Tag::KeyManager"
    )]
    async fn generate_master_key(
        &self,
        caller: Authorized<GenerateMasterKey>,
        /// `CERTIFICATE` or `CSR`, in any letter case.
        #[oai(name = "objectType")]
        object_type: Path<String>,
        body: Enveloped<MasterKeyRequest>,
    ) -> Reply<KeyAnswer> {
        let now = self.services.clock.now();
        let outcome = self.generate(&caller.call, &object_type, body.request, now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }
}

/// What a call that makes a key answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectType {
    Certificate,
    Csr,
}

impl ObjectType {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("CERTIFICATE") {
            Some(Self::Certificate)
        } else if text.eq_ignore_ascii_case("CSR") {
            Some(Self::Csr)
        } else {
            None
        }
    }
}

/// The key to make. A member of the subject that is blank or absent has the server's default.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct MasterKeyRequest {
    /// The application.
    application_id: Option<String>,
    /// Blank, or `SIGN` with the application `KERNEL`; for a key on a curve, the reference of the curve.
    reference_id: Option<String>,
    /// Whether a new key is made although there is a current one, which needs the right `key.rotate` too; false when
    /// null or absent. What the old key sealed or signed stays good.
    force: Option<bool>,
    /// CN
    common_name: Option<String>,
    /// OU
    organization_unit: Option<String>,
    /// O
    organization: Option<String>,
    /// L
    location: Option<String>,
    /// ST
    state: Option<String>,
    /// C, two letters
    country: Option<String>,
}

impl MasterKeyRequest {
    /// The alias, the subject, and whether a current key is replaced.
    pub(super) fn check(self) -> Result<(KeyAlias, SubjectOverrides, bool), Refusal> {
        let mut violations = Violations::default();
        violations.require_text("request.applicationId", self.application_id.as_deref());
        violations.finish()?;
        let alias = KeyAlias::parse(
            self.application_id.as_deref().unwrap_or_default(),
            self.reference_id.as_deref().unwrap_or_default(),
        )?;
        let subject = SubjectOverrides {
            common_name: not_blank(self.common_name),
            organization_unit: not_blank(self.organization_unit),
            organization: not_blank(self.organization),
            location: not_blank(self.location),
            state: not_blank(self.state),
            country: not_blank(self.country),
        };
        Ok((alias, subject, self.force.unwrap_or(false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(KeyAlias, SubjectOverrides, bool), Refusal> {
        serde_json::from_str::<MasterKeyRequest>(text).unwrap().check()
    }

    #[test]
    fn object_types_have_any_case() {
        assert_eq!(ObjectType::parse("certificate"), Some(ObjectType::Certificate));
        assert_eq!(ObjectType::parse("Csr"), Some(ObjectType::Csr));
        assert_eq!(ObjectType::parse("KEY"), None);
    }

    #[test]
    fn blank_members_of_the_subject_are_absent() {
        let (alias, subject, _) = check(
            r#"{"applicationId":"ROOT","referenceId":null,"force":false,"commonName":"a","state":" "}"#,
        )
        .unwrap();
        assert!(alias.reference.is_master());
        assert_eq!(
            subject,
            SubjectOverrides { common_name: Some("a".to_owned()), ..SubjectOverrides::default() }
        );
    }

    #[test]
    fn force_is_false_unless_it_is_true() {
        for (text, expected) in [
            (r#"{"applicationId":"ROOT"}"#, false),
            (r#"{"applicationId":"ROOT","force":null}"#, false),
            (r#"{"applicationId":"ROOT","force":true}"#, true),
        ] {
            assert_eq!(check(text).unwrap().2, expected, "{text}");
        }
    }
}
