//! What needs no token goes on, and the rest is refused in the form of its route.

use std::time::{Duration, Instant};

use kunji_tests::{fault_page::RETURN, token_faults::nowhere};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::service::{APPLICATION, Need, Outcome, Packet, RECORD, Service};
use kunji_tests::http::{Answer, b64};

/// How soon `/readyz` says it.
const NOTICE: Duration = Duration::from_secs(5);
/// At once, on a busy machine: the pair of a base key is made before the token is asked to certify it.
const AT_ONCE: Duration = Duration::from_secs(3);

async fn post_packet(service: &Service, path: &str, reference: &str, bytes: &[u8]) -> reqwest::Response {
    let request = service
        .client
        .request(Method::POST, path)
        .header("content-type", "application/octet-stream")
        .header("kunji-application", APPLICATION)
        .header("kunji-reference", reference);
    request.body(bytes.to_vec()).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_no_token_goes_on_and_the_rest_is_refused() {
    let service = Service::start(&[]).await;
    let signed = service.signed().await.response()["jwtSignedData"].as_str().unwrap().to_owned();
    let reference = service.at_hand.reference.clone();
    let certificates = [
        service.client.certificate(APPLICATION, &reference).await,
        service.client.certificate(APPLICATION, "").await,
    ];
    let unused = service.take_unused();

    service.module.set(nowhere());
    let noticed = service.away().await;
    assert!(noticed < NOTICE, "{noticed:?}");
    let (_, readiness) = service.readiness().await;
    let state = |part: &str| readiness["components"][part]["status"].clone();
    assert_eq!((state("token"), state("database")), (json!("unavailable"), json!("ready")));
    assert_eq!(service.server.http().get("/healthz").await.status, StatusCode::OK);
    let actuator = service.server.http().get("/v1/keymanager/actuator/health").await;
    assert_eq!((actuator.status, &actuator.body["status"]), (StatusCode::OK, &json!("UP")));

    // The access token was issued before, and is good.
    assert_eq!(service.client.certificate(APPLICATION, &reference).await, certificates[0]);
    assert_eq!(service.client.certificate(APPLICATION, "").await, certificates[1]);
    assert_eq!(service.open(&service.at_hand).await, Outcome::Right);
    assert!(service.verifies(&signed).await);
    let request = json!({
        "applicationId": APPLICATION, "referenceId": reference, "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": b64(RECORD),
    });
    let sealed = service.client.call("/encrypt", request).await;
    assert!(sealed.response()["data"].is_string());
    let sealed = post_packet(&service, "/v1/packets/encrypt", &reference, RECORD).await;
    let opened =
        post_packet(&service, "/v1/packets/decrypt", &reference, &sealed.bytes().await.unwrap()).await;
    assert_eq!((opened.status(), &*opened.bytes().await.unwrap()), (StatusCode::OK, RECORD));

    refuses(&service, &unused).await;

    service.module.clear();
    let back = service.back().await;
    assert!(back < RETURN, "{back:?}");
    assert_eq!(service.open(&unused).await, Outcome::Right);
    assert_eq!(service.lost().await, 0);
}

async fn refuses(service: &Service, unused: &Packet) {
    for need in Need::ALL {
        let begun = Instant::now();
        assert_eq!(service.ask(need).await, Outcome::Refused, "{need:?}");
        assert!(begun.elapsed() < AT_ONCE, "{need:?}: {:?}", begun.elapsed());
    }
    assert_eq!(service.open(unused).await, Outcome::Refused);
    let problem = post_packet(service, "/v1/packets/decrypt", &unused.reference, &unused.bytes).await;
    let problem = Answer::read(problem).await;
    problem.problem(503, "service.unavailable");
    assert!(problem.headers.contains_key("retry-after"));

    let form = json!({ "request": {
        "applicationId": "ADMIN_SERVICES", "referenceId": "", "force": false, "commonName": "", "country": "",
        "location": "", "organization": "", "organizationUnit": "", "state": "",
    }});
    let credentials = json!({ "request": {
        "clientId": service.id, "secretKey": service.secret, "appId": "admin",
    }});
    for (path, body) in [
        ("/v1/keymanager/generateMasterKey/CERTIFICATE", form),
        ("/v1/authmanager/authenticate/clientidsecretkey", credentials),
    ] {
        let answer = service.client.post(path, &body).await;
        answer.envelope_error(503, "KER-KMS-500");
        assert!(answer.headers.contains_key("retry-after"), "{path}");
    }
}
