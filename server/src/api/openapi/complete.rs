//! Adds to the derived description: who may call, how an operation can fail, and how strict the shapes are.
//!
//! Conventions of this workspace that it relies on: schemas of what is sent end in `Request`, of what is
//! answered in `Answer`, and their envelopes in `RequestEnvelope` and `AnswerEnvelope`. The security of an
//! operation names the operation that access policies must allow.

use poem::http::StatusCode;
use poem_openapi::{registry::Registry, types::Type};
use serde_json::{Map, Value, json};

use super::failures;
use crate::{
    api::{
        mosip::Fault,
        native::{OAuthErrorAnswer, OAuthErrorCode, Problem, ProblemAnswer, ProblemKind, transport_code},
        transport::TransportError,
    },
    domain::access::{Operation, Role},
};

/// Members that a request must have although their type is optional in the code, which tells what is missing
/// itself.
const REQUIRED: [(&str, &[&str]); 20] = [
    ("ClientRequest", &["clientId", "roles"]),
    ("ClientRolesRequest", &["roles"]),
    ("ClientSecretRequest", &["clientId", "secretKey"]),
    ("CoseSignRequest", &["payload"]),
    ("CoseVerifyRequest", &["coseSignedData"]),
    ("CsrRequest", &["applicationId"]),
    ("CwtVerifyRequest", &["coseSignedData"]),
    ("CryptoRequest", &["applicationId", "timeStamp", "data"]),
    ("JwsSignRequest", &["dataToSign"]),
    ("JwsSignV2Request", &["dataToSign"]),
    ("JwtSignRequest", &["dataToSign"]),
    ("JwtSignV2Request", &["dataToSign"]),
    ("JwtVerifyRequest", &["jwtSignatureData"]),
    ("MasterKeyRequest", &["applicationId"]),
    ("PdfSignRequest", &["applicationId", "timeStamp", "data", "reason"]),
    ("SignBytesRequest", &["dataToSign"]),
    ("SignRequest", &["data"]),
    ("SymmetricKeyRequest", &["applicationId"]),
    ("UploadRequest", &["applicationId", "certificateData"]),
    ("ValidateRequest", &["signature", "data", "timestamp"]),
];

const ENVELOPE: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// The complete description.
pub(super) fn complete(mut document: Value) -> Value {
    document["openapi"] = json!("3.0.3");
    document["servers"] = json!([{ "url": "/", "description": "This server." }]);
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        complete_schemas(schemas);
    }
    document["components"]["securitySchemes"] = security_schemes();
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, operations) in paths.iter_mut() {
            for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
                complete_operation(path, operation);
            }
        }
        paths.sort_keys();
    }
    document
}

fn complete_schemas(schemas: &mut Map<String, Value>) {
    // Operations do not name the forms of failures themselves.
    let mut registry = Registry::new();
    ProblemAnswer::register(&mut registry);
    OAuthErrorAnswer::register(&mut registry);
    for (name, schema) in &registry.schemas {
        schemas.insert(name.clone(), serde_json::to_value(schema).unwrap_or_default());
    }
    for (name, schema) in schemas.iter_mut() {
        if let Some(members) = schema.as_object_mut() {
            members.remove("title");
        }
        if name.ends_with("AnswerEnvelope") {
            complete_answer_envelope(schema);
        } else if name.ends_with("Answer") {
            require_all(schema);
        } else if name.ends_with("Request") && name != "TokenRequest" {
            let required = REQUIRED.iter().find(|(known, _)| known == name).map(|(_, members)| *members);
            complete_request(schema, required);
        } else if name.ends_with("RequestEnvelope") {
            let time = schema["properties"]["requesttime"].take();
            schema["properties"]["requesttime"] = nullable(time);
        }
    }
    schemas.insert(
        "EnvelopeError".to_owned(),
        json!({
            "type": "object",
            "description": "What went wrong.",
            "required": ["errorCode", "message"],
            "properties": {
                "errorCode": { "type": "string", "description": "A stable code." },
                "message": { "type": "string", "description": "What is wrong, and how to mend it." },
            },
            "additionalProperties": false,
        }),
    );
    let failure = envelope_schema(
        "The envelope of a request that was not done.",
        &only_null(),
        &json!({ "type": "array", "minItems": 1, "items": { "$ref": "#/components/schemas/EnvelopeError" } }),
    );
    schemas.insert("FailureEnvelope".to_owned(), failure);
    schemas.sort_keys();
}

/// Only null (OpenAPI 3.0 has no type for it).
fn only_null() -> Value {
    json!({ "type": "object", "nullable": true, "enum": [null] })
}

fn nullable(mut schema: Value) -> Value {
    if let Some(forms) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        // `nullable` needs a `type` beside it.
        forms.push(only_null());
    } else if let Some(members) = schema.as_object_mut() {
        members.insert("nullable".to_owned(), json!(true));
    }
    schema
}

fn envelope_schema(description: &str, response: &Value, errors: &Value) -> Value {
    json!({
        "type": "object",
        "description": description,
        "required": ["id", "version", "responsetime", "metadata", "response", "errors"],
        "properties": {
            "id": { "type": "string", "nullable": true, "maxLength": 256, "description": "As in the request." },
            "version": { "type": "string", "nullable": true, "maxLength": 256, "description": "As in the request." },
            "responsetime": {
                "type": "string",
                "description": "Time of the answer, with three digits after the second.",
                "pattern": "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}[.]\\d{3}Z$",
            },
            "metadata": only_null(),
            "response": response,
            "errors": errors,
        },
        "additionalProperties": false,
    })
}

fn complete_answer_envelope(schema: &mut Value) {
    let response = schema["properties"]["response"].take();
    *schema = envelope_schema("The envelope of a request that was done.", &response, &only_null());
}

/// Every member is there; those whose type is optional may be null.
fn require_all(schema: &mut Value) {
    let required = names(&schema["required"]);
    let Some(properties) = schema["properties"].as_object_mut() else { return };
    for (name, property) in properties.iter_mut() {
        if !required.iter().any(|known| known == name) {
            *property = nullable(property.take());
        }
    }
    schema["required"] = properties.keys().cloned().collect();
    schema["additionalProperties"] = json!(false);
}

/// Members that may be absent may be null too.
fn complete_request(schema: &mut Value, required: Option<&[&str]>) {
    let mut all = names(&schema["required"]);
    all.extend(required.unwrap_or_default().iter().map(|&name| name.to_owned()));
    all.sort_unstable();
    all.dedup();
    let Some(properties) = schema["properties"].as_object_mut() else { return };
    for (name, property) in properties.iter_mut() {
        if !all.contains(name) {
            *property = nullable(property.take());
        }
    }
    if !all.is_empty() {
        schema["required"] = all.into();
    }
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of POST /oauth2/token in the Authorization header.",
        },
        "clientCredentials": {
            "type": "oauth2",
            "description": "The same token, taken for the caller.",
            "flows": { "clientCredentials": { "tokenUrl": "/oauth2/token", "scopes": {} } },
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": "Authorization",
            "description": "The same token in a cookie whose name contains Authorization; under /v1/keymanager only.",
        },
    })
}

fn complete_operation(path: &str, operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let needed = operation["security"]
        .as_array()
        .and_then(|schemes| schemes.first()?.as_object()?.keys().next())
        .and_then(|name| Operation::ALL.into_iter().find(|operation| operation.name() == name));
    let enveloped = path.starts_with("/v1/keymanager/") || path.starts_with("/v1/authmanager/");
    let cookies = path.starts_with("/v1/keymanager/");
    operation["security"] = match needed {
        None => json!([]),
        Some(_) if cookies => {
            json!([{ "bearer": [] }, { "clientCredentials": [] }, { "cookie": [] }])
        }
        Some(_) => json!([{ "bearer": [] }, { "clientCredentials": [] }]),
    };
    if let Some(needed) = needed {
        let roles: Vec<&str> = needed.roles().iter().map(Role::name).collect();
        operation["x-roles"] = json!(roles);
        let text = operation["description"].as_str().unwrap_or_default();
        let roles = roles.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(" or ");
        let name = needed.name();
        let text = format!(
            "{text}\n\nIs the operation `{name}`, which the shipped policies allow the role {roles}."
        );
        operation["description"] = json!(text.trim_start());
    }

    let media_type = match id.as_str() {
        "encryptPacket" | "decryptPacket" => "application/octet-stream",
        "takeToken" => "application/x-www-form-urlencoded",
        _ => "application/json",
    };
    let has_body = operation.get("requestBody").is_some();
    let transport = failures::transport(&id, needed.is_none(), has_body, media_type);
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    if enveloped {
        complete_enveloped(responses, &id, &transport);
    } else if id == "takeToken" {
        complete_oauth(responses, &transport);
    } else {
        complete_problems(responses, &id, &transport);
    }
    for (status, response) in responses.iter_mut() {
        add_headers(status, response, &id);
    }
    responses.sort_keys();
}

fn complete_enveloped(responses: &mut Map<String, Value>, id: &str, transport: &[TransportError]) {
    let faults = failures::faults(id);
    if !faults.is_empty() {
        let media = &mut responses["200"]["content"][ENVELOPE];
        let answer = media["schema"].take();
        media["schema"] = json!({ "oneOf": [answer, { "$ref": "#/components/schemas/FailureEnvelope" }] });
        let mut examples = Map::new();
        for fault in faults {
            let value = failures::envelope(fault.code(), fault.text());
            failures::add_example(&mut examples, fault.code(), fault.code(), &value);
        }
        media["examples"] = Value::Object(examples);
    }
    let mut add = |status: u16, code: &str, text: &str| {
        let schema = "#/components/schemas/FailureEnvelope";
        add_failure(responses, status, ENVELOPE, schema, code, text, &failures::envelope(code, text));
    };
    for error in transport {
        let (status, code, text) = crate::api::mosip::transport_entry(*error);
        add(status, code, &text);
    }
    if id == "authenticateClient" {
        add(401, Fault::AuthenticationFailed.code(), Fault::AuthenticationFailed.text());
        add(503, Fault::Unavailable.code(), Fault::Unavailable.text());
    } else if !transport.iter().all(|error| *error == TransportError::Internal) {
        add(503, Fault::Unavailable.code(), Fault::Unavailable.text());
    }
}

fn complete_problems(responses: &mut Map<String, Value>, id: &str, transport: &[TransportError]) {
    let mut add = |kind: ProblemKind, detail: &str| {
        let schema = "#/components/schemas/ProblemAnswer";
        let value = failures::problem(kind, detail);
        add_failure(responses, kind.status(), PROBLEM, schema, kind.code(), kind.title(), &value);
    };
    for kind in failures::problems(id) {
        add(*kind, kind.title());
    }
    for error in transport {
        let problem = Problem::from(*error);
        add(problem.kind(), problem.detail());
    }
}

fn complete_oauth(responses: &mut Map<String, Value>, transport: &[TransportError]) {
    let mut add = |status: u16, code: OAuthErrorCode, text: &str| {
        let schema = "#/components/schemas/OAuthErrorAnswer";
        let mut value = failures::oauth(code);
        value["error_description"] = json!(text);
        add_failure(responses, status, ENVELOPE, schema, code.name(), text, &value);
    };
    for code in OAuthErrorCode::ALL {
        add(code.status().as_u16(), code, code.description());
    }
    for error in transport.iter().filter(|error| error.status_code().is_client_error()) {
        add(error.status_code().as_u16(), transport_code(*error), &error.to_string());
    }
}

/// Adds one failure to the response of its status, which is made if need be.
fn add_failure(
    responses: &mut Map<String, Value>,
    status: u16,
    media_type: &str,
    schema: &str,
    code: &str,
    summary: &str,
    value: &Value,
) {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let response = responses.entry(status.to_string()).or_insert_with(
        || json!({ "description": format!("{}.", reason.unwrap_or("Failed")), "content": {} }),
    );
    let media = &mut response["content"][media_type];
    if media.is_null() {
        *media = json!({ "schema": { "$ref": schema }, "examples": {} });
    }
    if let Some(examples) = media["examples"].as_object_mut() {
        failures::add_example(examples, code, summary, value);
    }
}

fn add_headers(status: &str, response: &mut Value, id: &str) {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    let mut add = |name: &str, description: &str| response["headers"][name] = text(description);
    add("X-Request-Id", "Names the request in the server's log.");
    match (status, id) {
        ("429" | "503", _) => add("Retry-After", "Seconds to wait."),
        ("202", _) => add("Location", "Where the approval that it waits for is."),
        ("401", _) => add("WWW-Authenticate", "How to authenticate."),
        ("200", "readTokenKeys") => add("Cache-Control", "How long they may be kept."),
        ("200", "authenticateClient") => {
            add("Authorization", "The access token.");
            add("Set-Cookie", "The access token in the cookie `Authorization`.");
        }
        ("200", "encryptPacket" | "decryptPacket") => add("Content-Length", "The number of bytes."),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        serde_json::from_str(&super::super::openapi_document()).unwrap()
    }

    fn operations(document: &Value) -> Vec<(&String, &String, &Value)> {
        let paths = document["paths"].as_object().unwrap();
        paths
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
            })
            .collect()
    }

    #[test]
    fn anonymous_operations_are_marked_and_are_anonymous() {
        use crate::api::access::PathClass;
        let document = document();
        for (path, method, operation) in operations(&document) {
            let method = method.to_uppercase().parse().unwrap();
            let path = path
                .replace("{application}", "A")
                .replace("{reference}", "B")
                .replace("{objectType}", "CSR")
                .replace("{client_id}", "C")
                .replace("{file}", "D.crl");
            let marked = operation["security"].as_array().unwrap().is_empty();
            assert_eq!(marked, PathClass::of(&method, &path).anonymous, "{path}");
        }
    }

    #[test]
    fn every_operation_that_is_not_anonymous_says_401_403_and_503() {
        let document = document();
        for (path, _, operation) in operations(&document) {
            if operation["security"].as_array().unwrap().is_empty() {
                continue;
            }
            for status in ["401", "403", "500", "503"] {
                assert!(operation["responses"].get(status).is_some(), "{path} {status}");
            }
            assert!(operation["x-roles"].as_array().is_some_and(|roles| !roles.is_empty()), "{path}");
        }
    }

    #[test]
    fn answers_are_strict() {
        let document = document();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for (name, schema) in
            schemas.iter().filter(|(name, _)| name.ends_with("Answer") || name.ends_with("AnswerEnvelope"))
        {
            let properties = schema["properties"].as_object().unwrap();
            assert_eq!(schema["required"].as_array().unwrap().len(), properties.len(), "{name}");
            assert_eq!(schema["additionalProperties"], json!(false), "{name}");
        }
        assert_eq!(schemas["KeyAnswer"]["properties"]["certificate"]["nullable"], json!(true));
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn every_code_is_an_example() {
        let text = super::super::openapi_document();
        for kind in ProblemKind::ALL {
            // Those of routing, and of the demo, which is not described.
            let undescribed = [
                ProblemKind::NotFound,
                ProblemKind::MethodNotAllowed,
                ProblemKind::UriTooLong,
                ProblemKind::InboxFull,
            ];
            assert!(undescribed.contains(kind) || text.contains(kind.code()), "{}", kind.code());
        }
        for code in OAuthErrorCode::ALL {
            assert!(text.contains(code.name()), "{}", code.name());
        }
    }
}
