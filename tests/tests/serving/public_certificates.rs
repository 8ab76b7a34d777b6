//! `GET /v1/certificates/{application}/{reference}`: what a form on the open web relies on, and what nobody gets.

use kunji_tests::{
    http::{Answer, Http},
    site::{Server, Site},
};
use reqwest::Method;

const PATH: &str = "/v1/certificates/REGISTRATION/10001_110011";
const FORM: &str = "https://forms.example";

fn site() -> Site {
    Site::new()
        .with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION")
        .with("KUNJI_PUBLIC_CERTIFICATES", "REGISTRATION/1*")
        .with("KUNJI_CORS_ORIGINS", FORM)
}

async fn send(client: &Http, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.unwrap()).await
}

/// Makes the keys of these references and returns the first certificate.
async fn made(site: &Site, server: &Server, references: &[&str]) -> String {
    let administrator = server.http().sign_in("administrator", &site.administrator_secret()).await;
    let client = administrator.new_client(&["encryptor"]).await;
    for reference in references {
        client.certificate("REGISTRATION", reference).await;
    }
    client.certificate("REGISTRATION", references[0]).await
}

#[tokio::test]
async fn a_public_certificate_is_read_kept_and_asked_for_again() {
    let site = site();
    let server = site.start();
    let anyone = server.http();
    // Public by its name, and not made by reading it here.
    anyone.get(PATH).await.problem(404, "certificate.not_found");
    let certificate = made(&site, &server, &["10001_110011", "20001_110011"]).await;

    let pem = anyone.get(PATH).await;
    assert_eq!(pem.status, 200, "{pem:?}");
    assert_eq!(pem.headers["content-type"], "application/pem-certificate-chain");
    assert!(pem.text.starts_with(certificate.trim_end()) && !pem.text.contains('\r'), "{pem:?}");
    assert_eq!(pem.text.matches("BEGIN CERTIFICATE").count(), 3);
    let json = send(&anyone, Method::GET, PATH, &[("accept", "application/json")]).await;
    assert_eq!(json.headers["content-type"], "application/json");
    assert_eq!(json.body["certificate"].as_str().unwrap().trim_end(), certificate.trim_end());
    assert_eq!(json.body["chain"].as_array().unwrap().len(), 2);
    for answer in [&pem, &json] {
        assert_eq!(answer.headers["cache-control"], "max-age=3600, must-revalidate");
        assert_eq!(answer.headers["vary"], "Accept");
        assert!(answer.headers.contains_key("date") && !answer.headers.contains_key("set-cookie"));
    }
    let (tag, other) = (&pem.headers["etag"], &json.headers["etag"]);
    assert_ne!(tag, other, "each form has a tag of its own");
    for tags in [tag.to_str().unwrap(), "*", &format!("\"x\", W/{}", tag.to_str().unwrap())] {
        let again = send(&anyone, Method::GET, PATH, &[("if-none-match", tags)]).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{tags}");
        assert_eq!(&again.headers["etag"], tag);
        assert_eq!(again.headers["cache-control"], "max-age=3600, must-revalidate");
    }
    let again = send(&anyone, Method::GET, PATH, &[("if-none-match", other.to_str().unwrap())]).await;
    assert_eq!(again.status, 200);

    // What the setting does not name is like what does not exist, also to those who have a token.
    let hidden = "/v1/certificates/REGISTRATION/20001_110011";
    let absent = anyone.get("/v1/certificates/REGISTRATION/20001_999999").await;
    let detail = absent.problem(404, "certificate.not_found").to_owned();
    assert_eq!(anyone.get(hidden).await.problem(404, "certificate.not_found"), detail);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        send(&anyone, method, PATH, &[]).await.problem(401, "access.unauthenticated");
    }
    assert!(server.stop().success());
}

#[tokio::test]
async fn pages_of_listed_origins_may_read_it_and_no_others() {
    let site = site();
    let server = site.start();
    made(&site, &server, &["10001_110011"]).await;
    let anyone = server.http();
    for (path, status) in [(PATH, 200), ("/v1/certificates/REGISTRATION/10001_999999", 404)] {
        let answer = send(&anyone, Method::GET, path, &[("origin", FORM)]).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers["access-control-allow-origin"], FORM);
        assert_eq!(answer.headers["access-control-expose-headers"], "ETag, Date");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        assert!(vary.contains(&&"Origin".parse().unwrap()), "{vary:?}");
    }
    let preflight = [("origin", FORM), ("access-control-request-method", "GET")];
    let answer = send(&anyone, Method::OPTIONS, PATH, &preflight).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.headers["access-control-allow-origin"], FORM);
    assert_eq!(answer.headers["access-control-allow-methods"], "GET, HEAD, OPTIONS");
    for origin in ["https://forms.example.evil", "http://forms.example", "https://forms.example:8443", "null"]
    {
        for method in [Method::GET, Method::OPTIONS] {
            let answer = send(&anyone, method, PATH, &[("origin", origin)]).await;
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
        }
    }
    // Nothing else is for pages of other sites.
    for path in ["/healthz", "/openapi.json", "/v1/keymanager/actuator/health", "/.well-known/jwks.json"] {
        let answer = send(&anyone, Method::GET, path, &[("origin", FORM)]).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{path}");
    }
    let preflight = [
        ("origin", FORM),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x"),
    ];
    let answer = send(&anyone, Method::OPTIONS, "/v1/keymanager/decrypt", &preflight).await;
    answer.envelope_error(401, "KER-ATH-401");
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    assert!(server.stop().success());
}

#[tokio::test]
async fn an_address_that_reads_too_often_is_told_when_to_come_again() {
    let site = site().with("KUNJI_PUBLIC_CERTIFICATES_PER_MINUTE", "2");
    let server = site.start();
    made(&site, &server, &["10001_110011"]).await;
    let anyone = server.http();
    // Whether there is one or not.
    assert_eq!(anyone.get(PATH).await.status, 200);
    anyone.get("/v1/certificates/REGISTRATION/20001_110011").await.problem(404, "certificate.not_found");
    for origin in [FORM, "https://evil.example"] {
        // Pretending to be behind a proxy makes nobody another.
        let headers = [("origin", origin), ("x-forwarded-for", "192.0.2.9"), ("forwarded", "for=192.0.2.9")];
        let answer = send(&anyone, Method::GET, PATH, &headers).await;
        answer.problem(429, "request.rate_exceeded");
        let seconds: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        // The page can tell why.
        assert_eq!(answer.headers.contains_key("access-control-allow-origin"), origin == FORM);
    }
    assert_eq!(anyone.get("/healthz").await.status, 200);
    assert!(server.stop().success());
}
