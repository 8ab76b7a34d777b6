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
    AlgorithmNotSupported, "KER-SIG-113", "Signature Algorithm Not Supported. Use one that fits the key: RS256, PS256, RS384, RS512, PS384 or PS512 for RSA, ES256 for EC_SECP256R1_SIGN, ES384 for EC_SECP384R1_SIGN, ES256K for EC_SECP256K1_SIGN, EdDSA for ED25519_SIGN; or leave it out.";
    ApplicationUnknown, "KER-KMS-002", "ApplicationId not found in Key Policy. Key/CSR generation not allowed. Use an applicationId that has an active policy, or have one added.";
    ApprovalsFull, "KER-KMS-016", "Not allowed: too many requests of this client wait for approval. Have some approved or denied first (GET /v1/approvals).";
    AuthenticationFailed, "KER-ATH-401", "Authentication Failed";
    BaseKeyNotAllowed, "KER-KMS-016", "Not allowed to generate new key pair for other domains or not allowed to generate base key. ROOT, KERNEL and PARTNER have no encryption keys of their own: use another applicationId, or have the other domain's certificate uploaded by uploadOtherDomainCertificate.";
    CertificateNotValid, "KER-JWS-107", "Signature verification certificate not valid. It must be readable and within its validity: check x5c, certificateData, or the key of applicationId and referenceId.";
    CertifyingKey, "KER-JWS-102", "Data to sign is not valid: it is one SEQUENCE of ASN.1, as a certificate is, and the key of a blank referenceId issues certificates. Sign with EC_SECP256K1_SIGN, EC_SECP256R1_SIGN, EC_SECP384R1_SIGN, ED25519_SIGN or KERNEL with SIGN, or by jwsSign or coseSign1.";
    ClaimMismatch, "KER-SIG-119", "Provided iss Claim value not matched with CWT.";
    ClaimMissing, "KER-SIG-118", "iss Claim not found in the CWT Token.";
    ClaimsMalformed, "KER-SIG-114", "Input data parsing error. payload must be a JSON object of at most 65536 bytes, base64url encoded, claim169Payload hexadecimal, and headers at most 32 levels deep.";
    CoseMalformed, "KER-CWS-112", "Error - Invalid COSE Sign1. Send a COSE_Sign1 with its payload, in hexadecimal digits, with at most 65536 data items and no counter-signature in the protected header.";
    CurveNotAllowed, "KER-KMS-026", "Key Generation Not allowed for the input application id. Keys that are not kept in the HSM, as those of ED25519_SIGN, need an application with encryption keys: not ROOT, KERNEL or PARTNER.";
    CurveReference, "KER-KMS-030", "EC Sign Reference Id Not Supported for the Application ID. Use EC_SECP256K1_SIGN, EC_SECP256R1_SIGN or ED25519_SIGN as referenceId, and not the applicationId ROOT.";
    CwtExpired, "KER-SIG-116", "The CWT has expired: its exp is not in the future. Have a new one issued.";
    CwtMalformed, "KER-CWS-111", "Error - Invalid CWT Signed input. The payload must be a map of claims, with times as numbers and at most 65536 data items.";
    CwtNotYetValid, "KER-SIG-115", "The CWT is not valid yet: its nbf is in the future. Try again then, or check the clocks.";
    DecryptionFailed, "KER-FSE-004", "encrypted data is corrupted. It does not open with this key, salt and aad: send those it was encrypted with, and the data unaltered.";
    EncryptionKey, "KER-KMS-020", "Signing operation not allowed for the provided application id & reference id. Use a blank referenceId, EC_SECP256K1_SIGN, EC_SECP256R1_SIGN, EC_SECP384R1_SIGN or ED25519_SIGN; or KERNEL with SIGN.";
    Forbidden, "KER-ATH-403", "Forbidden";
    Forestalled, "KER-KMS-016", "Not allowed to generate new key pair: another request replaced the key at the same time, and its key counts. Read its certificate; send this request again only if you want yet another key.";
    ForeignKey, "KER-KMS-024", "Application Id & Reference Id not matching with the input thumbprint. Send the applicationId and referenceId whose certificate the data was encrypted with.";
    HeaderMember, "KER-KMS-005", "request.additionalHeaders, protectedHeader or unprotectedHeader has a member that cannot stand in the header. Leave out alg, b64, jwk, x5c, x5t, x5t#S256, x5u and enc, which the server sets; name in crit only members that are there and no standard ones; no member twice in protected and unprotected header; at most 32 members of at most 4096 bytes.";
    Internal, "KER-KMS-500", "Internal server error. The server's log has more under the request id of the header X-Request-Id.";
    Invalid, "KER-KMS-005", "request.applicationId should not be null or empty";
    KeyClosed, "KER-KMS-003", "No unique alias is found: the key was revoked with disableAutoGen, so none is current and none is made. Have an administrator make a new one (POST /v1/keys).";
    KeyNotUsable, "KER-KMS-003", "No unique alias is found: the key is suspended, compromised or destroyed, which an administrator decided. GET /v1/keys tells administrators which.";
    MalformedBase64, "KER-CRY-003", "request.data: input data is not base64 encoded. Use the url-safe or the standard alphabet, with or without padding.";
    MalformedPacket, "KER-CRY-003", "data sent to decrypt is without key splitter or invalid: the packet is cut short; transfer it again in full";
    MalformedTime, "KER-KMS-006", "requesttime: timestamp should be in ISO 8601 format yyyy-MM-ddTHH:mm:ss.SSSZ, or an array of 5 to 7 integers from the year on.";
    ModuleKeyMissing, "KER-KMS-012", "Key Generation Process is not completed. Generate the application's master key first: POST generateMasterKey/CERTIFICATE with a blank referenceId.";
    NegativeDays, "KER-SIG-117", "Negative values are not allowed for expireDays.";
    NoContent, "KER-CRY-004", "data should not be null or empty. Send at least one byte.";
    NoCurrentKey, "KER-KMS-003", "No unique alias is found. There is no current key of this applicationId and referenceId: read its certificate first, which makes one.";
    NotJson, "KER-JWS-103", "Data to sign is not valid JSON. Send JSON, or validateJson false.";
    NothingToRevoke, "KER-KMS-003", "No unique alias is found: applicationId and referenceId have no current key. Check both; a key that is revoked already stays so.";
    NothingToSign, "KER-JWS-102", "Data to sign is not valid. Send at least one byte, base64url encoded.";
    ObjectType, "KER-KMS-009", "Invalid Response Object Type. End the path with CERTIFICATE or CSR.";
    OtherDomainsKey, "KER-KMS-018", "Not Allowed to perform decryption with other domain key. Only the partner has the private key of this applicationId and referenceId.";
    PayloadUnencodable, "KER-JWS-102", "Data to sign is not valid: with b64JWSHeaderParam false, data with a dot, or that is no printable ASCII text, cannot stand in the result (RFC 7797 5.2). Send includePayload false.";
    PageUnknown, "KER-KMS-005", "request.pageNumber is not one of the document's pages: pages are counted from 1.";
    PasswordUnfit, "KER-KMS-005", "request.password cannot be one of a PDF: use at most 127 bytes of UTF-8, and no control characters or unassigned ones.";
    PdfCertified, "KER-JWS-102", "Data to sign is not valid: the PDF is certified and allows no changes. Send it as it was before it was certified.";
    PdfComplex, "KER-JWS-102", "Data to sign is not valid: the PDF takes too much memory or time to read, or breaks what reads it. Save it anew with another program, in fewer or smaller parts.";
    PdfEncrypted, "KER-JWS-102", "Data to sign is not valid: the PDF is encrypted. Send it unencrypted; password encrypts the result.";
    PdfMalformed, "KER-JWS-102", "Data to sign is not valid: it is no PDF, or damaged. Save it anew with the program that made it.";
    PdfSigned, "KER-JWS-102", "Data to sign is not valid: the PDF has signatures, and encrypting it would break them. Leave password out, or send it as it was before it was signed.";
    PdfTooLong, "KER-JWS-102", "Data to sign is not valid: the PDF is longer than 33554432 bytes. Send a shorter one.";
    QuotaExceeded, "KER-KMS-016", "Not allowed to generate new key pair: this client made as many as one may within an hour. Use a referenceId that has a key, or try again later.";
    ReferenceNotAllowed, "KER-KMS-016", "Not allowed to generate base key for this referenceId: it is not of the form that the server's settings allow for the application.";
    ReferenceNotSupported, "KER-KMS-010", "Reference Id Not Supported for the Application ID. Master keys have a blank referenceId, or are KERNEL with SIGN; other key pairs are made by reading their certificate, and symmetric keys have a referenceId of their own.";
    RequestNotAllowed, "KER-KMS-022", "CSR Generation not allowed for the provided App Id & Ref Id. The key of that name is symmetric or another domain's: use the name of a key pair of this server.";
    RevocationNotAllowed, "KER-KMS-021", "Key Revocation not allowed. KERNEL with SIGN and ROOT are not revoked by this call: generate a new key with force, or have an administrator revoke it (POST /v1/keys).";
    RevocationWaits, "KER-KMS-021", "Key Revocation not allowed yet: it waits until others have approved it; then send the same request again.";
    RootKeyMissing, "KER-KMS-011", "Root Key not available to sign. Generate the key of applicationId ROOT first, with a blank referenceId.";
    RotationWaits, "KER-KMS-016", "Not allowed to generate new key pair yet: it waits until others have approved it; then send the same request again.";
    SignatureFormat, "KER-KMS-036", "Unsupported output format for the signature. Use base58btc or base64url as responseEncodingFormat.";
    SignatureMalformed, "KER-JWS-106", "Signature data to verify not valid. Send header.payload.signature, or header..signature with actualData.";
    SigningKey, "KER-CRY-011", "Not Allowed to preform encryption with Master Key. Use Base/Encrypt key to encrypt data. Send a referenceId that is not blank, and not KERNEL with SIGN.";
    SigningNotAllowed, "KER-JWS-108", "Signing data not allowed for the authenticated token. No access policy allows it for applicationId and referenceId, or the access list of the application's key policy does not name the client, or the application has no key policy: check both; kunji access check tells administrators which.";
    SubjectNotAllowed, "KER-KMS-005", "request has a member of the subject that cannot stand in a certificate: use at most 64 printable characters each, and two letters for country.";
    Unavailable, "KER-KMS-500", "The server cannot do this now, and did nothing. Try again later; its log has more under the request id of the header X-Request-Id.";
    UploadForOtherDomain, "KER-KMS-015", "Upload of certificate will not be allowed to update other domain certificate. Use uploadOtherDomainCertificate.";
    UploadKeyDiffers, "KER-KMS-014", "Certificate Key Not Matching with stored Key. Have the current key certified: generateCSR gives its request.";
    UploadKeyUnsupported, "KER-KMS-001", "Certificate is not valid: its key must be RSA of 2048, 3072 or 4096 bits with the exponent 65537.";
    UploadKnown, "KER-KMS-035", "Certificate Already Exist, not allowed to upload same certificate again.";
    UploadNotValid, "KER-KMS-001", "Certificate is not valid: it does not allow what the key is for. Base keys need keyEncipherment, KERNEL/SIGN digitalSignature, master keys CA:TRUE with keyCertSign (ROOT without a path length of 0).";
    UploadOwnKey, "KER-KMS-034", "PrivateKey available, for Other Domain Certificate, Private Key should not available. The server has a key of its own of this applicationId and referenceId: use another referenceId.";
    UploadOwnTokenKey, "KER-KMS-033", "Other Domain Valid key not available, Upload other domain valid Key certificate. The token has a key of this applicationId and referenceId: use another referenceId.";
    UploadOwnTokenKeyEnded, "KER-KMS-032", "Valid Key already Exist, not allowed to upload another Certificate. The token had a key of this applicationId and referenceId: use another referenceId.";
    UploadSigningName, "KER-KMS-031", "Application Id with KERNEL & Reference Id with Sign not allowed to upload Partner certificate. Use another referenceId: this one is of a key that signs for the server.";
    UploadSigningReference, "KER-KMS-030", "EC Sign Reference Id Not Supported for the Application ID. It is that of a signing key of the server's own: use another referenceId.";
    UploadUnreadable, "KER-KMS-013", "Certificate Parsing Error. request.certificateData: no such PEM block; the text must hold its BEGIN and END lines.";
    ValidationFailed, "KER-CSS-101", "Validation Unsuccessful. The signature is not by KERNEL/SIGN over this data: send the data exactly as it was signed.";
    UnknownKey, "KER-KMS-025", "Key Not found for the thumbprint prepended in encrypted data. It was encrypted with a certificate of another server, or is damaged at its beginning.";
}
