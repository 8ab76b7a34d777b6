//! Paths, methods and content types that no client sends.

use kunji_tests::{
    http::{Answer, Http},
    raw::{exchange, head},
};
use reqwest::Method;
use serde_json::json;

use crate::witness::{PLANTED, Witness};

/// Other ways to write a path that needs a token, or no way to write any. `true`: its failures are envelopes.
const TRICKS: [(&str, bool); 38] = [
    ("/v1/keymanager/../keymanager/decrypt", true),
    ("/v1/keymanager/./decrypt", true),
    ("/v1/keymanager//decrypt", true),
    ("/v1//keymanager/decrypt", false),
    ("//v1/keymanager/decrypt", false),
    ("/./v1/keymanager/decrypt", false),
    ("/v1/keymanager/%2e%2e/keymanager/decrypt", true),
    ("/v1/keymanager/%2E%2E%2Fkeymanager/decrypt", true),
    ("/v1/keymanager/actuator/../decrypt", true),
    ("/v1/keymanager/actuator/health/../../decrypt", true),
    ("/v1/keymanager/actuator/health/", true),
    ("/v1/keymanager/actuator/health%2f", true),
    ("/v1/keymanager/actuator/health;x=1", true),
    ("/v1/keymanager/actuator/HEALTH", true),
    ("/v1/keymanager/decrypt/", true),
    ("/v1/keymanager/decrypt//", true),
    ("/v1/keymanager/DECRYPT", true),
    ("/V1/KEYMANAGER/DECRYPT", false),
    ("/v1/Keymanager/decrypt", false),
    ("/v1/keymanager;x=1/decrypt", false),
    ("/v1/keymanager/decrypt%00", true),
    ("/v1/keymanager/decrypt%20", true),
    ("/v1/keymanager/decrypt%3f", true),
    ("/v1/keymanager%2fdecrypt", false),
    ("/v1/keymanager", true),
    ("/v1/keymanager/", true),
    ("/v1/keymanager/Pl4nt3d", true),
    ("/healthz/../v1/keymanager/decrypt", false),
    ("/docs/../v1/clients", false),
    ("/docs/%2e%2e/v1/clients", false),
    ("/demo/../v1/clients", false),
    ("/demo/%2e%2e/v1/clients", false),
    ("/.well-known/../v1/clients", false),
    ("/.well-known/%2e%2e/v1/clients", false),
    ("/crl/../v1/clients", false),
    ("/v1/certificates/../clients", false),
    ("/Pl4nt3d", false),
    ("/", false),
];

#[track_caller]
fn check(answer: &Answer, envelope: bool, status: u16, codes: (&str, &str), target: &str) {
    if envelope {
        answer.envelope_error(status, codes.0);
    } else {
        answer.problem(status, codes.1);
    }
    assert_eq!(answer.status, status, "{target}");
    answer.assert_hides(PLANTED);
}

async fn send(client: &Http, method: &str, target: &str) -> Answer {
    let request =
        head(client, method, target, &["content-type: application/json", "content-length: 2"]) + "{}";
    exchange(client, request).await.unwrap_or_else(|| panic!("{target}: no answer"))
}

#[tokio::test]
async fn no_spelling_of_a_path_goes_around_the_token() {
    let witness = Witness::new().await;
    let anonymous = witness.anonymous();
    let nobody = witness.administrator.new_client(&["signer"]).await;
    for (target, envelope) in TRICKS {
        for method in ["POST", "GET", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "Pl4nt3d"] {
            let answer = send(&anonymous, method, target).await;
            assert_eq!(answer.status, 401, "{method} {target}: {answer:?}");
            if method != "HEAD" {
                check(&answer, envelope, 401, ("KER-ATH-401", "access.unauthenticated"), target);
            }
        }
        // With a token there is nothing there, or nothing that this caller may do.
        let answer = send(&nobody, "POST", target).await;
        assert!([403, 404, 405].contains(&answer.status.as_u16()), "{target}: {answer:?}");
        answer.assert_hides(PLANTED);
        let answer = send(&witness.client, "POST", target).await;
        if target == "/v1/certificates/../clients" {
            // Read as the certificate of an application "..", which takes no POST.
            check(&answer, envelope, 405, ("KER-KMS-405", "request.method_not_allowed"), target);
        } else {
            check(&answer, envelope, 404, ("KER-KMS-404", "request.not_found"), target);
        }
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn targets_that_are_no_paths_need_a_token_too() {
    let witness = Witness::new().await;
    let anonymous = witness.anonymous();
    for (method, target) in [
        ("OPTIONS", "*"),
        ("CONNECT", "example.org:443"),
        ("GET", "http://example.org/v1/keymanager/getCertificate?applicationId=ROOT"),
        ("GET", "http://example.org"),
        ("POST", "http://example.org/v1/clients"),
    ] {
        let answer = send(&anonymous, method, target).await;
        assert_eq!(answer.status, 401, "{method} {target}: {answer:?}");
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn tokens_count_nowhere_but_where_they_belong() {
    let witness = Witness::new().await;
    let anonymous = witness.anonymous();
    let token = witness.client.token().unwrap();
    let get = |name: &'static str, value: String| {
        let request = anonymous
            .request(Method::GET, "/v1/keymanager/getCertificate?applicationId=REGISTRATION")
            .header(name, value);
        async { Answer::read(request.send().await.unwrap()).await }
    };
    let target = format!("/v1/keymanager/getCertificate?applicationId=REGISTRATION&access_token={token}");
    anonymous.get(&target).await.envelope_error(401, "KER-ATH-401");
    for (name, value) in [
        ("authorization", token.to_owned()),
        ("authorization", format!("Basic {token}")),
        ("authorization", format!("Token {token}")),
        ("authorization", format!("Bearer:{token}")),
        ("authorization", format!("Bearer {token} {token}")),
        ("authorization", format!("Bearer {token}, Bearer {token}")),
        ("x-authorization", format!("Bearer {token}")),
        ("proxy-authorization", format!("Bearer {token}")),
        ("cookie", format!("token={token}")),
    ] {
        get(name, value).await.envelope_error(401, "KER-ATH-401");
    }
    // Two headers contradict each other.
    let line = format!("authorization: Bearer {token}");
    let target = "/v1/keymanager/getCertificate?applicationId=REGISTRATION";
    let twice = exchange(&anonymous, head(&anonymous, "GET", target, &[&line, &line])).await.unwrap();
    twice.envelope_error(401, "KER-ATH-401");
    let once = exchange(&anonymous, head(&anonymous, "GET", target, &[&line])).await.unwrap();
    assert_eq!(once.status, 200, "{once:?}");
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn methods_that_a_path_does_not_take_are_refused_with_those_that_it_takes() {
    let witness = Witness::new().await;
    for (path, allowed) in [
        ("/v1/keymanager/encrypt", "POST"),
        ("/v1/keymanager/decrypt", "POST"),
        ("/v1/keymanager/jwtSign", "POST"),
        ("/v1/keymanager/jwtVerify", "POST"),
        ("/v1/keymanager/generateMasterKey/CERTIFICATE", "POST"),
        ("/v1/keymanager/generateCSR", "POST"),
        ("/v1/keymanager/generateSymmetricKey", "POST"),
        ("/v1/keymanager/uploadCertificate", "POST"),
        ("/v1/keymanager/uploadOtherDomainCertificate", "POST"),
        ("/v1/keymanager/getCertificate", "GET, HEAD"),
        ("/v1/keymanager/getCertificateChain", "GET, HEAD"),
        ("/v1/keymanager/getAllCertificates", "GET, HEAD"),
        ("/v1/keymanager/actuator/health", "GET, HEAD"),
        ("/v1/authmanager/authenticate/clientidsecretkey", "POST"),
        ("/v1/packets/encrypt", "POST"),
        ("/v1/packets/decrypt", "POST"),
        ("/v1/clients", "POST, GET, HEAD"),
        ("/v1/clients/nobody", "GET, HEAD, DELETE"),
        ("/v1/clients/nobody/roles", "PUT"),
        ("/v1/clients/nobody/disable", "POST"),
        ("/oauth2/token", "POST"),
        ("/healthz", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
        ("/docs", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/.well-known/jwks.json", "GET, HEAD"),
    ] {
        let envelope = path.contains("manager/");
        let wrong = ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"].into_iter();
        for method in wrong.filter(|method| !allowed.split(", ").any(|known| known == *method)) {
            let answer = send(&witness.client, method, path).await;
            assert_eq!(answer.headers["allow"], allowed, "{method} {path}");
            if path == "/oauth2/token" {
                assert_eq!((answer.status.as_u16(), &answer.body["error"]), (405, &json!("invalid_request")));
            } else {
                check(&answer, envelope, 405, ("KER-KMS-405", "request.method_not_allowed"), path);
            }
        }
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn content_of_another_type_is_not_read() {
    let witness = Witness::new().await;
    let types = [
        None,
        Some("text/plain"),
        Some("text/plain; x=application/json"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=Pl4nt3d"),
        Some("application/xml"),
        Some("application/json5"),
        Some("application/Pl4nt3d"),
        Some("Pl4nt3d"),
        Some(""),
    ];
    for content_type in types {
        let send = |path: &'static str, client: &Http| {
            let mut request =
                client.request(Method::POST, path).body("{\"request\":{\"dataToSign\":\"YQ\"}}");
            if let Some(content_type) = content_type {
                request = request.header("content-type", content_type);
            }
            if path.starts_with("/v1/packets") {
                request = request.header("kunji-application", "REGISTRATION");
            }
            async { Answer::read(request.send().await.unwrap()).await }
        };
        for path in [
            "/v1/keymanager/jwtSign",
            "/v1/keymanager/decrypt",
            "/v1/authmanager/authenticate/clientidsecretkey",
        ] {
            let answer = send(path, &witness.client).await;
            let text = answer.envelope_error(415, "KER-KMS-415");
            assert!(text.contains("application/json"), "{text}");
            answer.assert_hides(PLANTED);
        }
        let answer = send("/v1/clients", &witness.administrator).await;
        assert!(answer.problem(415, "request.media_type").contains("application/json"));
        answer.assert_hides(PLANTED);
        for path in ["/v1/packets/encrypt", "/v1/packets/decrypt"] {
            let answer = send(path, &witness.client).await;
            assert!(answer.problem(415, "request.media_type").contains("application/octet-stream"));
            answer.assert_hides(PLANTED);
        }
        if content_type != Some("application/x-www-form-urlencoded") {
            let answer = send("/oauth2/token", &witness.client).await;
            assert_eq!((answer.status.as_u16(), &answer.body["error"]), (415, &json!("invalid_request")));
            answer.assert_hides(PLANTED);
        }
    }
    for content_type in ["application/json;charset=UTF-8", "Application/JSON ; charset=utf-8"] {
        let request = witness.client.request(Method::POST, "/v1/keymanager/jwtSign");
        let request =
            request.header("content-type", content_type).body("{\"request\":{\"dataToSign\":\"YQ\"}}");
        let answer = Answer::read(request.send().await.unwrap()).await;
        assert!(answer.response()["jwtSignedData"].is_string());
    }
    witness.assert_unchanged().await;
}

/// A filter that is misspelt would show everything.
#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let witness = Witness::new().await;
    for target in [
        "/v1/keys?applicationId=REGISTRATION",
        "/v1/keys?limit=1&Pl4nt3d",
        "/v1/keys?%6cimit=1",
        "/v1/clients?limit=1&Limit=2",
        "/v1/audit/events?principle=x",
    ] {
        let answer = witness.administrator.get(target).await;
        check(&answer, false, 400, ("", "request.invalid"), target);
        assert!(
            answer.body["detail"].as_str().unwrap().contains("limit"),
            "it says what is taken: {answer:?}"
        );
    }
    for target in ["/v1/clients?limit=1", "/v1/clients?", "/v1/clients?&limit=1&"] {
        assert_eq!(witness.administrator.get(target).await.status, 200, "{target}");
    }
    // Callers of the reference system's routes may send what they like.
    let target = "/v1/keymanager/getCertificate?applicationId=ROOT&referenceId=&version=1";
    assert_eq!(witness.client.get(target).await.status, 200);
}
