//! `POST /v1/keymanager/encrypt`, and the members that it shares with `/decrypt`.

use kunji_shared::{encoding::encode_base64url, secret::Plaintext};
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use super::{
    envelope::{Answer, Enveloped, Reply},
    members::{Violations, bytes},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, Encrypt},
        openapi::Tag,
        wire::{Base64Member, WireTime},
    },
    domain::{access::CallContext, alias::KeyAlias},
    services::{Services, packets::CallerInputs},
};

/// `encrypt`
pub(crate) struct EncryptApi {
    services: Services,
}

impl EncryptApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn seal(&self, call: &CallContext, request: CryptoRequest) -> Result<DataAnswer, Refusal> {
        let (alias, mut content, inputs) = request.check()?;
        let content = Plaintext::new(std::mem::take(&mut *content));
        let packet = self.services.packets.encrypt(call, &alias, content, inputs).await?;
        Ok(DataAnswer { data: encode_base64url(&packet) })
    }
}

#[OpenApi]
impl EncryptApi {
    /// Encrypt for an application and reference
    ///
    /// The key is made when there is none. Salt and aad choose the layout of the answer.
    #[oai(
        path = "/v1/keymanager/encrypt",
        method = "post",
        operation_id = "encrypt",
        tag = "Tag::KeyManager"
    )]
    async fn encrypt(
        &self,
        caller: Authorized<Encrypt>,
        body: Enveloped<CryptoRequest>,
    ) -> Reply<DataAnswer> {
        let outcome = self.seal(&caller.call, body.request).await;
        Reply::new(&body.echo, self.services.clock.now(), &caller.call.request_id, outcome)
    }
}

/// What to encrypt or decrypt.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct CryptoRequest {
    /// The application whose key is used.
    application_id: Option<String>,
    /// The reference of the key within the application.
    reference_id: Option<String>,
    /// A time; its value is not used.
    #[serde(default)]
    time_stamp: WireTime,
    /// The content or packet.
    #[serde(default)]
    data: Base64Member,
    /// The GCM nonce, 1 to 64 bytes; absent when the packet carries its own.
    #[serde(default)]
    salt: Base64Member,
    /// Additional authenticated data.
    #[serde(default)]
    aad: Base64Member,
}

impl CryptoRequest {
    /// The alias, the data, and what the caller gives beside it.
    ///
    /// # Errors
    /// A [`Refusal`] with what is missing or malformed.
    pub(super) fn check(self) -> Result<(KeyAlias, zeroize::Zeroizing<Vec<u8>>, CallerInputs), Refusal> {
        let mut violations = Violations::default();
        violations.require_time("request.timeStamp", self.time_stamp)?;
        violations.require_text("request.applicationId", self.application_id.as_deref());
        violations.require_base64("request.data", &self.data);
        violations.refuse_blank("request.salt", &self.salt);
        violations.refuse_blank("request.aad", &self.aad);
        violations.finish()?;
        let alias = KeyAlias::parse(
            self.application_id.as_deref().unwrap_or_default(),
            self.reference_id.as_deref().unwrap_or_default(),
        )?;
        let data = bytes("request.data", self.data)?.unwrap_or_default();
        let input = |name, member| {
            Ok::<_, Refusal>(bytes(name, member)?.map(|mut bytes| std::mem::take(&mut *bytes)))
        };
        let inputs =
            CallerInputs { salt: input("request.salt", self.salt)?, aad: input("request.aad", self.aad)? };
        Ok((alias, data, inputs))
    }
}

/// Encrypted or decrypted data. Wiped when dropped.
#[derive(Serialize, Object)]
pub(super) struct DataAnswer {
    /// Base64url without padding.
    pub(super) data: String,
}

impl Answer for DataAnswer {
    fn length_hint(&self) -> usize {
        self.data.len()
    }
}

impl Drop for DataAnswer {
    fn drop(&mut self) {
        // At the speed of memory; `zeroize` of a string wipes it byte by byte.
        drop(Plaintext::new(std::mem::take(&mut self.data).into_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Checked = Result<(KeyAlias, Vec<u8>, CallerInputs), Vec<(&'static str, String)>>;

    fn check(text: &str) -> Checked {
        let request: CryptoRequest = serde_json::from_str(text).unwrap();
        match request.check() {
            Ok((alias, data, inputs)) => Ok((alias, data.to_vec(), inputs)),
            Err(refusal) => Err(refusal
                .entries
                .into_iter()
                .map(|entry| (entry.code, entry.message.into_owned()))
                .collect()),
        }
    }

    #[test]
    fn a_request_of_the_packet_manager_is_read() {
        let (alias, data, inputs) = check(
            r#"{"applicationId":"REGISTRATION","referenceId":"10001_110011","timeStamp":"2026-01-05T10:11:12.123Z",
                "data":"-_8","salt":"AAECAwQFBgcICQoL","aad":"AAECAwQFBgcICQoLAAECAwQFBgcICQoLAAECAwQFBgc=",
                "prependThumbprint":true}"#,
        )
        .unwrap();
        assert_eq!(alias.to_string(), "REGISTRATION/10001_110011");
        assert_eq!(data, b"\xfb\xff");
        assert_eq!(inputs.salt.map(|salt| salt.len()), Some(12));
        assert_eq!(inputs.aad.map(|aad| aad.len()), Some(32));
    }

    #[test]
    fn null_salt_and_aad_are_absent_and_blank_ones_are_refused() {
        let with = |salt: &str| {
            check(&format!(
                r#"{{"applicationId":"A","timeStamp":[2026,1,5,10,11],"data":"YQ","salt":{salt},"aad":null}}"#
            ))
        };
        let (alias, _, inputs) = with("null").unwrap();
        assert!(alias.reference.is_master());
        assert_eq!(inputs, CallerInputs::default());
        for blank in [r#""""#, r#""  ""#] {
            let refused = with(blank).unwrap_err();
            assert_eq!(refused[0].0, "KER-KMS-005");
        }
        assert_eq!(with(r#""*""#).unwrap_err()[0].0, "KER-CRY-003");
    }

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let refused = check("{}").unwrap_err();
        assert_eq!(refused.len(), 3);
        assert!(refused.iter().all(|(code, _)| *code == "KER-KMS-005"));
        let refused = check(r#"{"timeStamp":"soon"}"#).unwrap_err();
        assert_eq!(refused[0].0, "KER-KMS-006");
        let refused =
            check(r#"{"applicationId":"A/B","timeStamp":[2026,1,5,10,11],"data":"YQ"}"#).unwrap_err();
        assert_eq!(refused[0].0, "KER-KMS-005");
        assert!(!refused[0].1.contains("A/B"));
    }
}
