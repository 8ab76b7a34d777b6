//! Signing PDFs.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use kunji_shared::encoding::encode_hex;
use secrecy::SecretString;
use x509_cert::{
    Certificate,
    der::{self, Decode as _, asn1::ObjectIdentifier},
};

use super::{AlgorithmChoice, SignatureError, SignatureService, SignedContent, cms};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::KeyAlias,
        jose::SignatureAlgorithm,
        key::KeyRecord,
    },
    ports::pdf::{PdfPlacement, PreparedPdf},
    services::keys::KeyError,
};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Which PDF to sign with which key, and where.
#[derive(Debug)]
pub struct PdfSignRequest {
    /// The key.
    pub alias: KeyAlias,
    /// The document.
    pub document: Vec<u8>,
    /// The page, from 1.
    pub page: u32,
    /// See [`PdfPlacement::rectangle`].
    pub rectangle: [i32; 4],
    /// Why it is signed.
    pub reason: String,
    /// Opens the result, which is encrypted if there is one.
    pub password: Option<SecretString>,
}

impl SignatureService {
    /// Signs a PDF (PAdES baseline B); the result is the document with the signature.
    ///
    /// # Errors
    /// [`SignatureError`]; [`SignatureError::Pdf`] when the document is to blame.
    pub async fn sign_pdf(
        &self,
        call: &CallContext,
        request: PdfSignRequest,
    ) -> Result<Vec<u8>, SignatureError> {
        let alias = request.alias.clone();
        let signed = async {
            let key = self.signing_key(call, &alias).await?;
            let document = self.pdf(&key, request).await?;
            Ok::<_, SignatureError>((key, document))
        };
        let (_, document) = self
            .auditor
            .audited(call, Operation::Sign, Some(&alias), signed, |(key, _)| Some(&key.id))
            .await?;
        Ok(document)
    }

    async fn pdf(&self, key: &Arc<KeyRecord>, request: PdfSignRequest) -> Result<Vec<u8>, SignatureError> {
        if request.document.is_empty() {
            return Err(SignatureError::Empty);
        }
        let algorithm = AlgorithmChoice::Usual { rsa: SignatureAlgorithm::Rs256 }.for_key(key)?;
        if !cms::signs_pdf(algorithm) {
            return Err(SignatureError::Algorithm);
        }
        let chain = self.keys.chain(Arc::clone(key)).await?.certificates;
        let placement = PdfPlacement {
            page: request.page,
            rectangle: request.rectangle,
            reason: request.reason,
            signer: signer_of(&key.certificate),
            at: self.clock.now(),
            signature_bytes: cms::length_max(&chain),
            password: request.password,
        };
        let prepared = self.pdf.prepare(placement, request.document).await?;
        // A long document takes a while to hash.
        let hashed = tokio::task::spawn_blocking(move || (digest(&prepared), prepared)).await;
        let (digest, mut prepared) = hashed.map_err(|_| internal("hashing ended early"))?;
        let attributes =
            cms::attributes(&key.certificate, &digest.ok_or_else(unfit)?).map_err(unencodable)?;
        let content = SignedContent::Message(attributes.clone());
        let signature = self.produce(key, algorithm, content).await?;
        let signed_data =
            cms::signed_data(&chain, &attributes, algorithm, &signature).map_err(unencodable)?;
        let digits = encode_hex(&signed_data);
        let room = prepared.document.get_mut(prepared.contents.start + 1..prepared.contents.end - 1);
        // Zeros stay behind it.
        let room = room.and_then(|room| room.get_mut(..digits.len())).ok_or_else(unfit)?;
        room.copy_from_slice(digits.as_bytes());
        Ok(prepared.document)
    }
}

/// SHA-256 of all but the contents of the signature; `None` when those are not in the document.
fn digest(prepared: &PreparedPdf) -> Option<Vec<u8>> {
    let PreparedPdf { document, contents } = prepared;
    let (before, after) = (document.get(..contents.start)?, document.get(contents.end..)?);
    let zeros = document.get(contents.clone())?.strip_prefix(b"<")?.strip_suffix(b">")?;
    let is_room = zeros.iter().all(|digit| *digit == b'0');
    let mut context = Context::new(&SHA256);
    context.update(before);
    context.update(after);
    is_room.then(|| context.finish().as_ref().to_vec())
}

/// The common name of a certificate, or the whole name where there is none.
fn signer_of(certificate: &[u8]) -> String {
    let Ok(certificate) = Certificate::from_der(certificate) else { return String::new() };
    let subject = certificate.tbs_certificate().subject();
    let common_name = subject.iter().find(|member| member.oid == COMMON_NAME);
    let text = common_name.and_then(|member| String::from_utf8(member.value.value().to_vec()).ok());
    text.unwrap_or_else(|| subject.to_string())
}

fn unfit() -> SignatureError {
    internal("the signature does not fit into the document")
}

fn unencodable(_: der::Error) -> SignatureError {
    internal("a certificate is not DER")
}

fn internal(what: &'static str) -> SignatureError {
    SignatureError::Key(KeyError::Internal(what))
}
