//! Every operation of the description, for every shipped role, with keys of its own application and of another.

use std::collections::BTreeMap;

use kunji_tests::{
    http::{Answer, Http, b64},
    peer,
    site::Site,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::put;

/// The application that each role is given for this test, and another.
const OWN: &str = "REGISTRATION";
const FOREIGN: &str = "RESIDENT";

const READ: [&str; 2] = ["certificate.read", "certificate.list"];
const SERVICE: [&str; 6] = [
    "certificate.read",
    "certificate.list",
    "packet.encrypt",
    "packet.decrypt",
    "signature.sign",
    "signature.verify",
];
const FIELD: [&str; 4] = ["certificate.read", "certificate.list", "packet.encrypt", "signature.verify"];
const MAKER: [&str; 4] = ["key.generate", "key.request_certificate", "key.rotate", "key.upload_certificate"];
const KEEPER: [&str; 21] = [
    "key.cancel_destruction",
    "key.destroy",
    "key.examine",
    "key.issue_certificate",
    "key.generate",
    "key.generate_symmetric",
    "key.mend",
    "key.read",
    "key.request_certificate",
    "key.resume",
    "key.revoke",
    "key.rewrap",
    "key.rotate",
    "key.suspend",
    "key.tag",
    "key.upload_certificate",
    "partner.upload_certificate",
    "policy.change",
    "policy.read",
    READ[0],
    READ[1],
];
const ALL: [&str; 18] = [
    "key.issue_certificate",
    "key.generate",
    "key.generate_symmetric",
    "key.read",
    "key.request_certificate",
    "key.resume",
    "key.revoke",
    "key.rotate",
    "key.suspend",
    "key.tag",
    "key.upload_certificate",
    "partner.upload_certificate",
    "certificate.read",
    "certificate.list",
    "packet.encrypt",
    "packet.decrypt",
    "signature.sign",
    "signature.verify",
];
const PACKETS: [&str; 2] = ["packet.encrypt", "packet.decrypt"];

/// There is none of this name.
const NO_APPROVAL: &str = "/v1/approvals/00000000000000000000000000000000";

/// No client has this name.
const NO_CLIENT: &str = "/v1/clients/never-made";

/// What each shipped role may do.
const ROLES: [(&str, &[&str]); 23] = [
    (
        "administrator",
        &[
            "access.change",
            "access.read",
            "approval.decide",
            "approval.read",
            "client.change_roles",
            "client.create",
            "client.delete",
            "client.disable",
            "client.enable",
            "client.read",
            "client.rotate_secret",
            "policy.read",
        ],
    ),
    ("auditor", &["access.read", "approval.read", "audit.export", "audit.read", "policy.read"]),
    ("decryptor", &["packet.decrypt"]),
    ("encryptor", &[READ[0], READ[1], "packet.encrypt"]),
    ("key-administrator", &KEEPER),
    ("signer", &["signature.sign", "signature.verify"]),
    ("CREDENTIAL_ISSUANCE", &["signature.sign"]),
    ("CREDENTIAL_REQUEST", &PACKETS),
    ("GLOBAL_ADMIN", &ALL),
    ("HOTLIST_ADMIN", &PACKETS),
    ("ID_AUTHENTICATION", &SERVICE),
    ("ID_REPOSITORY", &PACKETS),
    ("INDIVIDUAL", &FIELD),
    ("KEYMANAGER_ADMIN", &ALL),
    ("KEY_MAKER", &MAKER),
    ("PARTNER_ADMIN", &["partner.upload_certificate"]),
    ("PRE_REGISTRATION_ADMIN", &SERVICE),
    ("REGISTRATION_ADMIN", &FIELD),
    ("REGISTRATION_OFFICER", &FIELD),
    ("REGISTRATION_PROCESSOR", &SERVICE),
    ("REGISTRATION_SUPERVISOR", &FIELD),
    ("RESIDENT", &SERVICE),
    ("ZONAL_ADMIN", &ALL),
];

/// The operation of each operation of the description that needs a right, and whether it is on keys.
const OPERATIONS: [(&str, &str, bool); 81] = [
    ("approve", "approval.decide", false),
    ("cancelKekDestruction", "key.cancel_destruction", true),
    ("cancelKeyDestruction", "key.cancel_destruction", true),
    ("changeClientRoles", "client.change_roles", false),
    ("checkAccess", "access.read", false),
    ("coseSign1", "signature.sign", true),
    ("coseVerify1", "signature.verify", true),
    ("createClient", "client.create", false),
    ("createKey", "key.generate", true),
    ("cwtSign", "signature.sign", true),
    ("cwtVerify", "signature.verify", true),
    ("decrypt", "packet.decrypt", true),
    ("decryptPacket", "packet.decrypt", true),
    ("deleteClient", "client.delete", false),
    ("deny", "approval.decide", false),
    ("destroyKek", "key.destroy", true),
    ("destroyKey", "key.destroy", true),
    ("disableClient", "client.disable", false),
    ("enableClient", "client.enable", false),
    ("encrypt", "packet.encrypt", true),
    ("encryptPacket", "packet.encrypt", true),
    ("examineKeys", "key.examine", false),
    ("exportAudit", "audit.export", false),
    ("generateCSR", "key.request_certificate", true),
    ("generateECSignKey", "key.generate", true),
    ("generateMasterKey", "key.generate", true),
    ("generateSymmetricKey", "key.generate_symmetric", true),
    ("getAllCertificates", "certificate.list", true),
    ("getCertificate", "certificate.read", true),
    ("getCertificateChain", "certificate.read", true),
    ("issueCertificate", "key.issue_certificate", true),
    ("jwsSign", "signature.sign", true),
    ("jwsSignV2", "signature.sign", true),
    ("jwtSign", "signature.sign", true),
    ("jwtSignV2", "signature.sign", true),
    ("jwtVerify", "signature.verify", true),
    ("jwtVerifyV2", "signature.verify", true),
    ("listAccessPolicies", "access.read", false),
    ("listApprovals", "approval.read", false),
    ("listAuditCheckpoints", "audit.read", false),
    ("listClients", "client.read", false),
    ("listKeks", "key.read", true),
    ("listKeyPolicies", "policy.read", false),
    ("listKeys", "key.read", true),
    ("makeAuditCheckpoint", "audit.read", false),
    ("makeSignatures", "signature.sign", true),
    ("mendKeys", "key.mend", false),
    ("pdfSign", "signature.sign", true),
    ("planKeyPolicy", "policy.read", false),
    ("planRotation", "policy.read", false),
    ("proveAuditConsistency", "audit.read", false),
    ("proveAuditInclusion", "audit.read", false),
    ("putAccessPolicy", "access.change", false),
    ("putKeyPolicy", "policy.change", false),
    ("readAccessPolicy", "access.read", false),
    ("readApproval", "approval.read", false),
    ("readAuditKeys", "audit.read", false),
    ("readAuditRoster", "audit.read", false),
    ("readAuditStatus", "audit.read", false),
    ("readClient", "client.read", false),
    ("readKey", "key.read", true),
    ("readKeyPolicy", "policy.read", false),
    ("readRewrap", "key.rewrap", false),
    ("removeAccessPolicy", "access.change", false),
    ("removeKeyPolicy", "policy.change", false),
    ("resumeKey", "key.resume", true),
    ("revokeKey", "key.revoke", true),
    ("revokeKeyById", "key.revoke", true),
    ("rewrapKeys", "key.rewrap", false),
    ("rotateClientSecret", "client.rotate_secret", false),
    ("rotateKey", "key.rotate", true),
    ("searchAuditEvents", "audit.read", false),
    ("sign", "signature.sign", true),
    ("signRawData", "signature.sign", true),
    ("signV2", "signature.sign", true),
    ("suspendKey", "key.suspend", true),
    ("tagKey", "key.tag", true),
    ("uploadCertificate", "key.upload_certificate", true),
    ("uploadOtherDomainCertificate", "partner.upload_certificate", true),
    ("validate", "signature.verify", true),
    ("verifySignature", "signature.verify", true),
];

/// Those that name no key, and are done with `KERNEL/SIGN`.
const OF_KERNEL: [&str; 2] = ["sign", "validate"];

/// Good requests for the keys of one application.
struct Requests {
    application: &'static str,
    certificate: String,
    key: String,
    request: String,
    packet: Vec<u8>,
    signature: String,
    /// By `KERNEL/SIGN`.
    detached: String,
    cwt: String,
}

impl Requests {
    async fn new(application: &'static str, client: &Http) -> Self {
        let certificate = client.certificate(application, "10001").await;
        let sign = json!({ "dataToSign": "YQ", "applicationId": application, "referenceId": "" });
        let signed = client.call("/jwtSign", sign).await;
        let cwt =
            client.call("/cwtSign", json!({ "payload": b64("{}"), "applicationId": application })).await;
        let detached = client.call("/sign", json!({ "data": "content" })).await;
        let keys = client.get(&format!("/v1/keys?application={application}&reference=10001")).await;
        Self {
            application,
            key: keys.body["keys"][0]["keyId"].as_str().unwrap().to_owned(),
            packet: peer::seal_self_contained(&certificate, b"content"),
            certificate,
            request: peer::certificate_request(),
            signature: signed.response()["jwtSignedData"].as_str().unwrap().to_owned(),
            cwt: cwt.response()["signedData"].as_str().unwrap().to_owned(),
            detached: detached.response()["signature"].as_str().unwrap().to_owned(),
        }
    }

    async fn send(&self, client: &Http, id: &str) -> Answer {
        let application = self.application;
        let crypto = |data: String| {
            json!({
                "applicationId": application, "referenceId": "10001", "data": data,
                "timeStamp": "2026-01-05T10:11:12.123Z",
            })
        };
        let query = format!("applicationId={application}&referenceId=10001");
        match id {
            "checkAccess" => {
                let question = json!({ "principal": "x", "roles": [], "operation": "client.create" });
                client.post("/v1/access/check", &question).await
            }
            "createClient" => {
                let id = format!("made-{}", uuid::Uuid::new_v4());
                client.post("/v1/clients", &json!({ "clientId": id, "roles": ["auditor"] })).await
            }
            "createKey" => {
                // It has one.
                let body = json!({ "applicationId": application, "referenceId": "10001" });
                client.post("/v1/keys", &body).await
            }
            "listKeys" => client.get(&format!("/v1/keys?application={application}&reference=10001")).await,
            "readKey" => client.get(&format!("/v1/keys/{}", self.key)).await,
            "resumeKey" => self.decide(client, "resume", &json!({})).await,
            "rotateKey" => self.decide(client, "rotate", &json!({})).await,
            // Too long a reason, so that nothing is done.
            "suspendKey" => self.decide(client, "suspend", &json!({ "reason": "x".repeat(513) })).await,
            "tagKey" => {
                let request = client.request(Method::PUT, &format!("/v1/keys/{}/tags", self.key));
                Answer::read(request.json(&json!({ "tags": ["x"] })).send().await.unwrap()).await
            }
            "destroyKey" => self.decide(client, "destroy", &json!({ "reason": " " })).await,
            "cancelKeyDestruction" => self.decide(client, "cancel-destruction", &json!({})).await,
            "revokeKeyById" => {
                let body = json!({ "cause": "superseded", "reason": "x".repeat(513) });
                self.decide(client, "revoke", &body).await
            }
            "revokeKey" => {
                let body = json!({ "id": "x", "version": "1", "requesttime": "2026-01-05T10:11:12.123Z",
                    "request": { "applicationId": application, "referenceId": "never-made" } });
                let request = client.request(Method::PUT, "/v1/keymanager/revokeKey").json(&body);
                Answer::read(request.send().await.unwrap()).await
            }
            "decrypt" => client.call("/decrypt", crypto(b64(&self.packet))).await,
            "encrypt" => client.call("/encrypt", crypto(b64(b"content"))).await,
            "decryptPacket" => self.octets(client, "/v1/packets/decrypt", self.packet.clone()).await,
            "encryptPacket" => self.octets(client, "/v1/packets/encrypt", b"content".to_vec()).await,
            "generateMasterKey" => {
                let request = json!({ "applicationId": application, "referenceId": "" });
                client.call("/generateMasterKey/CERTIFICATE", request).await
            }
            "getAllCertificates" => client.get(&format!("/v1/keymanager/getAllCertificates?{query}")).await,
            "getCertificate" | "getCertificateChain" => {
                client.get(&format!("/v1/keymanager/{id}?{query}")).await
            }
            "approve" | "deny" => client.post(&format!("{NO_APPROVAL}/{id}"), &json!({})).await,
            "readApproval" => client.get(NO_APPROVAL).await,
            "listApprovals" => client.get("/v1/approvals").await,
            "listClients" => client.get("/v1/clients").await,
            "readClient" => client.get(NO_CLIENT).await,
            "disableClient" => client.post(&format!("{NO_CLIENT}/disable"), &json!({})).await,
            "enableClient" => client.post(&format!("{NO_CLIENT}/enable"), &json!({})).await,
            "rotateClientSecret" => client.post(&format!("{NO_CLIENT}/secret"), &json!({})).await,
            "deleteClient" => {
                Answer::read(client.request(Method::DELETE, NO_CLIENT).send().await.unwrap()).await
            }
            "changeClientRoles" => {
                let request = client
                    .request(Method::PUT, &format!("{NO_CLIENT}/roles"))
                    .header("if-match", "*")
                    .json(&json!({ "roles": ["auditor"] }));
                Answer::read(request.send().await.unwrap()).await
            }
            "exportAudit" => client.get("/v1/audit/export").await,
            "listAuditCheckpoints" => client.get("/v1/audit/checkpoints").await,
            "makeAuditCheckpoint" => client.post("/v1/audit/checkpoints", &json!({})).await,
            "proveAuditConsistency" => client.get("/v1/audit/proofs/consistency?earlier=1").await,
            "proveAuditInclusion" => client.get("/v1/audit/proofs/inclusion?sequence=1").await,
            "readAuditKeys" => client.get("/v1/audit/keys").await,
            "readAuditRoster" => client.get("/v1/audit/roster").await,
            "readAuditStatus" => client.get("/v1/audit/status").await,
            "searchAuditEvents" => client.get("/v1/audit/events?limit=1").await,
            "listAccessPolicies" => client.get("/v1/access/policies").await,
            "readAccessPolicy" => client.get("/v1/access/policies/kunji.auditor").await,
            "putAccessPolicy" | "removeAccessPolicy" => {
                let method = if id == "putAccessPolicy" { Method::PUT } else { Method::DELETE };
                // Changes nothing: no policy has this revision.
                let request = client
                    .request(method, "/v1/access/policies/kunji.auditor")
                    .header("if-match", "\"none\"")
                    .json(&json!({
                        "effect": "allow", "roles": ["auditor"], "operations": ["access.read"],
                    }));
                Answer::read(request.send().await.unwrap()).await
            }
            _ => self.send_of_keys(client, id).await,
        }
    }

    async fn send_of_keys(&self, client: &Http, id: &str) -> Answer {
        let application = self.application;
        match id {
            "listKeks" => client.get(&format!("/v1/keks/{application}")).await,
            // The newest one.
            "destroyKek" => {
                client.post(&format!("/v1/keks/{application}/1/destroy"), &json!({ "reason": "x" })).await
            }
            "cancelKekDestruction" => {
                client.post(&format!("/v1/keks/{application}/1/cancel-destruction"), &json!({})).await
            }
            "listKeyPolicies" => client.get("/v1/policies").await,
            "readRewrap" => client.get("/v1/rewrap").await,
            "rewrapKeys" => client.post("/v1/rewrap", &json!({})).await,
            "planKeyPolicy" => {
                let policy = json!({ "validityDays": 1095, "preExpireDays": 60 });
                client.post("/v1/policies/REGISTRATION/plan?days=30&limit=1", &policy).await
            }
            "planRotation" => client.get("/v1/rotation/plan?days=30&limit=1").await,
            "examineKeys" => client.get("/v1/doctor?limit=1").await,
            "mendKeys" => client.post("/v1/doctor/mend", &json!({})).await,
            "readKeyPolicy" => client.get("/v1/policies/BASE").await,
            "putKeyPolicy" | "removeKeyPolicy" => {
                let method = if id == "putKeyPolicy" { Method::PUT } else { Method::DELETE };
                // Changes nothing: no policy has this revision.
                let request = client
                    .request(method, "/v1/policies/REGISTRATION")
                    .header("if-match", "\"none\"")
                    .json(&json!({ "validityDays": 1095, "preExpireDays": 60 }));
                Answer::read(request.send().await.unwrap()).await
            }
            "generateCSR" => {
                let request = json!({ "applicationId": application, "referenceId": "10001" });
                client.call("/generateCSR", request).await
            }
            "generateECSignKey" => {
                let request = json!({ "applicationId": application, "referenceId": "EC_SECP256R1_SIGN" });
                client.call("/generateECSignKey/CERTIFICATE", request).await
            }
            "generateSymmetricKey" => {
                let request = json!({ "applicationId": application, "referenceId": "CACHE" });
                client.call("/generateSymmetricKey", request).await
            }
            "issueCertificate" => {
                let body = json!({
                    "application": application, "reference": "certified", "request": self.request,
                    "use": "encryption",
                });
                client.post("/v1/certificates", &body).await
            }
            "uploadCertificate" | "uploadOtherDomainCertificate" => {
                // The current certificate itself; and a partner of its own each time.
                let partner = uuid::Uuid::new_v4().to_string();
                let reference = if id == "uploadCertificate" { "10001" } else { &partner };
                let request = json!({
                    "applicationId": application, "referenceId": reference, "certificateData": self.certificate,
                });
                client.call(&format!("/{id}"), request).await
            }
            _ => self.send_of_signatures(client, id).await,
        }
    }

    async fn send_of_signatures(&self, client: &Http, id: &str) -> Answer {
        let application = self.application;
        match id {
            "makeSignatures" => {
                let item = json!({ "applicationId": application, "data": "YQ" });
                client.post("/v1/signatures", &json!({ "items": [item] })).await
            }
            "verifySignature" => {
                let request = json!({ "jws": self.signature, "data": "YQ", "applicationId": application });
                client.post("/v1/signatures/verify", &request).await
            }
            "coseSign1" | "cwtSign" => {
                let request =
                    json!({ "payload": b64("{}"), "applicationId": application, "referenceId": "" });
                client.call(&format!("/{id}"), request).await
            }
            "coseVerify1" | "cwtVerify" => {
                let request = json!({ "coseSignedData": self.cwt, "applicationId": application });
                client.call(&format!("/{id}"), request).await
            }
            "sign" => client.call("/sign", json!({ "data": "content" })).await,
            "validate" => {
                let request = json!({
                    "signature": self.detached, "data": "content", "timestamp": "2026-01-05T10:11:12.123Z",
                });
                client.call("/validate", request).await
            }
            "pdfSign" => {
                let document = include_bytes!("../../vectors/pdf/plain.pdf");
                let request = json!({
                    "applicationId": application, "referenceId": "", "data": b64(document), "reason": "test",
                    "timeStamp": "2026-01-05T10:11:12.123Z",
                });
                client.call("/pdf/sign", request).await
            }
            "signRawData" | "signV2" => {
                let request = json!({ "dataToSign": "YQ", "applicationId": application, "referenceId": "" });
                client.call(&format!("/{id}"), request).await
            }
            "jwtSign" | "jwtSignV2" | "jwsSign" | "jwsSignV2" => {
                let request = json!({ "dataToSign": "YQ", "applicationId": application, "referenceId": "" });
                client.call(&path_of(id), request).await
            }
            "jwtVerify" | "jwtVerifyV2" => {
                let request = json!({
                    "jwtSignatureData": self.signature, "actualData": "YQ", "applicationId": application,
                    "referenceId": "",
                });
                client.call(&path_of(id), request).await
            }
            _ => panic!("{id} has no request here"),
        }
    }

    async fn decide(&self, client: &Http, what: &str, body: &Value) -> Answer {
        client.post(&format!("/v1/keys/{}/{what}", self.key), body).await
    }

    async fn octets(&self, client: &Http, path: &str, body: Vec<u8>) -> Answer {
        let request = client
            .request(Method::POST, path)
            .header("content-type", "application/octet-stream")
            .header("kunji-application", self.application)
            .header("kunji-reference", "10001")
            .body(body);
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        Answer::new(status, headers, String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The path under `/v1/keymanager` of a call that is there in two versions.
fn path_of(id: &str) -> String {
    id.strip_suffix("V2").map_or_else(|| format!("/{id}"), |first| format!("/{first}/v2"))
}

/// Whether an answer says that the caller may not.
fn is_refusal(answer: &Answer) -> bool {
    let code = answer.body["errors"][0]["errorCode"].as_str().unwrap_or_default();
    let unseen = answer.body["code"] == "key.not_found" || answer.body == json!({ "keys": [], "next": null });
    answer.body["items"][0]["failure"]["status"] == 403
        || answer.status == 403
        || ["KER-CRY-012", "KER-JWS-108"].contains(&code)
        || unseen
}

/// Whether it says that it was done, or would have been but for what the request says.
fn is_done(answer: &Answer, id: &str) -> bool {
    match id {
        "putAccessPolicy" | "putKeyPolicy" | "removeKeyPolicy" => answer.status == 412,
        "approve" | "changeClientRoles" | "deleteClient" | "deny" | "disableClient" | "enableClient"
        | "readApproval" | "readClient" | "rotateClientSecret" => answer.status == 404,
        "cancelKekDestruction" | "cancelKeyDestruction" | "createKey" | "destroyKek" | "resumeKey" => {
            answer.status == 409
        }
        "rotateKey" => answer.status == 201 || answer.status == 409,
        "destroyKey" | "revokeKeyById" | "suspendKey" => answer.status == 400,
        "revokeKey" => answer.body["errors"][0]["errorCode"] == "KER-KMS-003",
        "listKeys" => answer.body["keys"].as_array().is_some_and(|keys| !keys.is_empty()),
        "removeAccessPolicy" => answer.status == 404 || answer.status == 412,
        "makeSignatures" => answer.body["items"][0]["signature"].is_string(),
        // Another role may have rotated the key that the certificate is of.
        "uploadCertificate" => {
            answer.body["errors"].is_null() || answer.body["errors"][0]["errorCode"] == "KER-KMS-014"
        }
        _ => answer.status.is_success() && answer.body["errors"].is_null(),
    }
}

#[tokio::test]
async fn roles_may_do_what_the_table_says_and_nothing_else() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION,RESIDENT");
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;

    let document = administrator.get("/openapi.json").await;
    let described = document.body["paths"].as_object().unwrap().values();
    let mut described: Vec<&str> = described
        .flat_map(|methods| methods.as_object().unwrap().values())
        .filter(|operation| !operation["security"].as_array().unwrap().is_empty())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    described.sort_unstable();
    assert_eq!(
        described,
        OPERATIONS.map(|(id, ..)| id),
        "every operation of the description stands in the table"
    );

    let everything = administrator.new_client(&["GLOBAL_ADMIN"]).await;
    let own = Requests::new(OWN, &everything).await;
    let foreign = Requests::new(FOREIGN, &everything).await;

    let shipped = administrator.get("/v1/access/policies").await;
    let shipped: BTreeMap<String, Value> = shipped.body["policies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|policy| policy["effect"] == "allow")
        .map(|policy| (policy["roles"][0].as_str().unwrap().to_owned(), policy.clone()))
        .collect();
    let roles: Vec<&str> = ROLES.iter().map(|(role, _)| *role).collect();
    assert_eq!(shipped.len(), roles.len(), "every shipped role stands in the table");

    // With every key, as shipped; then with those of one application.
    for bounded in [false, true] {
        for (role, allowed) in ROLES {
            let policy = &shipped[role];
            if bounded && policy["keys"] != json!([]) {
                let bounded = json!({
                    "effect": "allow", "roles": [role], "operations": policy["operations"],
                    "keys": [format!("{OWN}/*")],
                });
                put(&administrator, policy["name"].as_str().unwrap(), &bounded).await;
            }
            let client = administrator.new_client(&[role]).await;
            for (id, operation, on_keys) in OPERATIONS {
                for (requests, is_own) in [(&own, true), (&foreign, false)] {
                    let is_own = is_own && !OF_KERNEL.contains(&id);
                    let may = allowed.contains(&operation) && (is_own || !bounded || !on_keys);
                    let answer = requests.send(&client, id).await;
                    let case =
                        format!("{role}: {id} of {}, bounded: {bounded}: {answer:?}", requests.application);
                    assert_eq!(is_refusal(&answer), !may, "{case}");
                    assert_eq!(is_done(&answer, id), may, "{case}");
                }
            }
        }
    }
}
