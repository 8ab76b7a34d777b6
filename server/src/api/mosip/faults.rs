//! The one table of the codes that an envelope's `errors` can hold.

macro_rules! faults {
    ($($name:ident, $code:literal, $text:literal;)+) => {
        /// What went wrong, with the code and the text that callers get.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault {
            $(#[doc = $text] $name,)+
        }

        impl Fault {
            /// The code of the reference system.
            pub(crate) const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The text. Callers keep only this, so it says what is wrong and how to mend it.
            pub(crate) const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

faults! {
    AccessListed, "KER-CRY-012", "Not Allowed to preform decryption for the provided application id and with authentication token. No access policy allows it for applicationId and referenceId, or the access list of the application's key policy does not name the client, or the application has no key policy: check both; kunji access check tells administrators which.";
    ApplicationUnknown, "KER-KMS-002", "ApplicationId not found in Key Policy. Key/CSR generation not allowed. Use an applicationId that has an active policy, or have one added.";
    ApprovalsFull, "KER-KMS-016", "Not allowed: too many requests of this client wait for approval. Have some approved or denied first (GET /v1/approvals).";
    AuthenticationFailed, "KER-ATH-401", "Authentication Failed";
    BaseKeyNotAllowed, "KER-KMS-016", "Not allowed to generate new key pair for other domains or not allowed to generate base key. ROOT, KERNEL and PARTNER have no encryption keys: use another applicationId.";
    CertificateNotValid, "KER-JWS-107", "Signature verification certificate not valid. It must be readable and within its validity: check x5c, certificateData, or the key of applicationId and referenceId.";
    DecryptionFailed, "KER-FSE-004", "encrypted data is corrupted. It does not open with this key, salt and aad: send those it was encrypted with, and the data unaltered.";
    EncryptionKey, "KER-KMS-020", "Signing operation not allowed for the provided application id & reference id. Use a blank referenceId, or KERNEL with SIGN.";
    Forbidden, "KER-ATH-403", "Forbidden";
    Forestalled, "KER-KMS-016", "Not allowed to generate new key pair: another request replaced the key at the same time, and its key counts. Read its certificate; send this request again only if you want yet another key.";
    ForeignKey, "KER-KMS-024", "Application Id & Reference Id not matching with the input thumbprint. Send the applicationId and referenceId whose certificate the data was encrypted with.";
    Internal, "KER-KMS-500", "Internal server error. The server's log has more under the request id of the header X-Request-Id.";
    Invalid, "KER-KMS-005", "request.applicationId should not be null or empty";
    KeyClosed, "KER-KMS-003", "No unique alias is found: the key was revoked with disableAutoGen, so none is current and none is made. Have an administrator make a new one (POST /v1/keys).";
    KeyNotUsable, "KER-KMS-003", "No unique alias is found: the key is suspended, compromised or destroyed, which an administrator decided. GET /v1/keys tells administrators which.";
    MalformedBase64, "KER-CRY-003", "request.data: input data is not base64 encoded. Use the url-safe or the standard alphabet, with or without padding.";
    MalformedPacket, "KER-CRY-003", "data sent to decrypt is without key splitter or invalid: the packet is cut short; transfer it again in full";
    MalformedTime, "KER-KMS-006", "requesttime: timestamp should be in ISO 8601 format yyyy-MM-ddTHH:mm:ss.SSSZ, or an array of 5 to 7 integers from the year on.";
    ModuleKeyMissing, "KER-KMS-012", "Key Generation Process is not completed. Generate the application's master key first: POST generateMasterKey/CERTIFICATE with a blank referenceId.";
    NoContent, "KER-CRY-004", "data should not be null or empty. Send at least one byte.";
    NothingToRevoke, "KER-KMS-003", "No unique alias is found: applicationId and referenceId have no current key. Check both; a key that is revoked already stays so.";
    NothingToSign, "KER-JWS-102", "Data to sign is not valid. Send at least one byte, base64url encoded.";
    ObjectType, "KER-KMS-009", "Invalid Response Object Type. End the path with CERTIFICATE or CSR.";
    QuotaExceeded, "KER-KMS-016", "Not allowed to generate new key pair: this client made as many as one may within an hour. Use a referenceId that has a key, or try again later.";
    ReferenceNotAllowed, "KER-KMS-016", "Not allowed to generate base key for this referenceId: it is not of the form that the server's settings allow for the application.";
    ReferenceNotSupported, "KER-KMS-010", "Reference Id Not Supported for the Application ID. Master keys have a blank referenceId, or are KERNEL with SIGN; other keys are made by reading their certificate.";
    RevocationNotAllowed, "KER-KMS-021", "Key Revocation not allowed. KERNEL with SIGN and ROOT are not revoked by this call: generate a new key with force, or have an administrator revoke it (POST /v1/keys).";
    RevocationWaits, "KER-KMS-021", "Key Revocation not allowed yet: it waits until others have approved it; then send the same request again.";
    RootKeyMissing, "KER-KMS-011", "Root Key not available to sign. Generate the key of applicationId ROOT first, with a blank referenceId.";
    RotationWaits, "KER-KMS-016", "Not allowed to generate new key pair yet: it waits until others have approved it; then send the same request again.";
    SignatureMalformed, "KER-JWS-106", "Signature data to verify not valid. Send header.payload.signature, or header..signature with actualData.";
    SigningKey, "KER-CRY-011", "Not Allowed to preform encryption with Master Key. Use Base/Encrypt key to encrypt data. Send a referenceId that is not blank, and not KERNEL with SIGN.";
    SigningNotAllowed, "KER-JWS-108", "Signing data not allowed for the authenticated token. No access policy allows it for applicationId and referenceId, or the access list of the application's key policy does not name the client, or the application has no key policy: check both; kunji access check tells administrators which.";
    SubjectNotAllowed, "KER-KMS-005", "request has a member of the subject that cannot stand in a certificate: use at most 64 printable characters each, and two letters for country.";
    Unavailable, "KER-KMS-500", "The server cannot do this now, and did nothing. Try again later; its log has more under the request id of the header X-Request-Id.";
    UnknownKey, "KER-KMS-025", "Key Not found for the thumbprint prepended in encrypted data. It was encrypted with a certificate of another server, or is damaged at its beginning.";
}
