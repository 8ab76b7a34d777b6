//! Bodies that are no JSON object of the right form.

use serde_json::json;

use crate::{
    operations::operations,
    witness::{PLANTED, Witness},
};

/// Texts that are no JSON object.
fn malformed() -> Vec<Vec<u8>> {
    let deep = |open: &str, close: &str| [open.repeat(1_000), close.repeat(1_000)].concat();
    let texts = [
        String::new(),
        " \r\n\t".to_owned(),
        "{".to_owned(),
        "}".to_owned(),
        PLANTED.to_owned(),
        format!("\"{PLANTED}\""),
        "null".to_owned(),
        "true".to_owned(),
        "12".to_owned(),
        format!("[{{\"request\":{{\"applicationId\":\"{PLANTED}\"}}}}]"),
        format!("{{\"request\":{{\"applicationId\":\"{PLANTED}"),
        format!("{{\"request\":{{\"applicationId\":\"{PLANTED}\"}}"),
        format!("{{\"request\":{{\"applicationId\":\"{PLANTED}\"}}}}}}"),
        format!("{{\"request\":{{\"applicationId\":\"{PLANTED}\"}}}}{{}}"),
        format!("{{\"request\":{{\"applicationId\":\"{PLANTED}\",}}}}"),
        format!("{{\"request\":{{'applicationId':'{PLANTED}'}}}}"),
        format!("{{\"request\":{{applicationId:\"{PLANTED}\"}}}}"),
        format!("{{\"request\":{{\"applicationId\":{PLANTED}}}}}"),
        format!("{{\"request\":{{\"applicationId\" \"{PLANTED}\"}}}}"),
        format!("{{\"request\":{{\"applicationId\":\"{PLANTED}\u{0}\"}}}}"),
        format!("{{\"request\":{{\"applicationId\":\"{PLANTED}\n\"}}}}"),
        format!("{{\"request\":{{\"applicationId\":\"{PLANTED}\\x\"}}}}"),
        format!("{{\"request\":{{\"applicationId\":\"{PLANTED}\\ud800\"}}}}"),
        format!("{{\"request\":{{\"applicationId\":NaN,\"{PLANTED}\":1}}}}"),
        format!("/* {PLANTED} */{{\"request\":{{}}}}"),
        format!("\u{feff}{{\"request\":{{\"applicationId\":\"{PLANTED}\"}}}}"),
        format!("applicationId={PLANTED}&referenceId={PLANTED}"),
        format!("<request><applicationId>{PLANTED}</applicationId></request>"),
        deep("[", "]"),
        deep("{\"request\":", "}"),
    ];
    let mut bodies: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    bodies.push([b"{\"request\":{\"applicationId\":\"", PLANTED.as_bytes(), b"\xff\"}}"].concat());
    bodies.push("{\"request\":{}}".encode_utf16().flat_map(u16::to_le_bytes).collect());
    bodies.push(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    bodies
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match bytes.windows(from.len()).position(|window| window == from) {
        Some(at) => [&bytes[..at], to, &bytes[at + from.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

#[tokio::test]
async fn what_is_no_json_object_is_not_read() {
    let witness = Witness::new().await;
    for body in malformed() {
        for operation in operations() {
            // Where the member is known, so that its value is looked at.
            let known = operation.members.iter().any(|member| member.name == "applicationId");
            let other = operation.members[0].name.as_bytes();
            let body = if known { body.clone() } else { replaced(&body, b"applicationId", other) };
            let answer = witness.client.post_text(operation.path, body).await;
            let text = answer.envelope_error(200, "KER-KMS-005");
            assert!(text.starts_with("the request was not read: "), "{text}");
            answer.assert_hides(PLANTED);
        }
        let answer = witness.administrator.post_text("/v1/clients", body).await;
        let text = answer.problem(400, "request.invalid");
        assert!(text.starts_with("the request body was not read: "), "{text}");
        answer.assert_hides(PLANTED);
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn nesting_is_harmless_where_it_is_skipped_and_refused_where_it_is_read() {
    const DEPTH: usize = 100_000;
    let witness = Witness::new().await;
    let (open, close) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
    let (open_object, close_object) = (format!("{{\"{PLANTED}\":").repeat(DEPTH), "}".repeat(DEPTH));
    let good = "\"dataToSign\":\"YQ\"";
    // Members that mean nothing may hold anything.
    for body in [
        format!("{{\"unknown\":{open}{close},\"request\":{{{good}}}}}"),
        format!("{{\"unknown\":{open_object}0{close_object},\"request\":{{{good}}}}}"),
        format!("{{\"metadata\":{open}{close},\"request\":{{{good}}}}}"),
        format!("{{\"id\":{open}{close},\"version\":{open_object}0{close_object},\"request\":{{{good}}}}}"),
        format!("{{\"request\":{{{good},\"unknown\":{open}{close}}}}}"),
    ] {
        let answer = witness.client.post_text("/v1/keymanager/jwtSign", body).await;
        assert!(answer.response()["jwtSignedData"].is_string());
        assert_eq!((&answer.body["id"], &answer.body["version"]), (&json!(null), &json!(null)));
    }
    for (body, code) in [
        (format!("{{\"request\":{open}{close}}}"), "KER-KMS-005"),
        (format!("{{\"request\":{open_object}0{close_object}}}"), "KER-KMS-005"),
        (format!("{{\"request\":{{\"dataToSign\":{open}{close}}}}}"), "KER-KMS-005"),
        (format!("{{\"requesttime\":{open}{close},\"request\":{{{good}}}}}"), "KER-KMS-006"),
        (format!("{{\"requesttime\":{open_object}0{close_object},\"request\":{{{good}}}}}"), "KER-KMS-006"),
        // Not closed.
        (format!("{{\"request\":{{{good}}},\"unknown\":{open}"), "KER-KMS-005"),
    ] {
        let answer = witness.client.post_text("/v1/keymanager/jwtSign", body).await;
        let text = answer.envelope_error(200, code);
        assert!(text.len() < 300, "{text}");
        answer.assert_hides(PLANTED);
    }
    let roles = format!("{{\"clientId\":\"a\",\"roles\":{open}{close}}}");
    let answer = witness.administrator.post_text("/v1/clients", roles).await;
    answer.problem(400, "request.invalid");
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn forms_and_basic_credentials_are_read_strictly() {
    let witness = Witness::new().await;
    let anonymous = witness.anonymous();
    let send = |body: &str, authorization: Option<&str>| {
        let mut request = anonymous
            .request(reqwest::Method::POST, "/oauth2/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned());
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        async { kunji_tests::http::Answer::read(request.send().await.unwrap()).await }
    };
    let grant = "grant_type=client_credentials";
    let twice = format!("{grant}&client_id={PLANTED}&client_id={PLANTED}&client_secret={PLANTED}");
    let both = format!("{grant}&client_secret={PLANTED}");
    let unknown = format!("{grant}&client_id={PLANTED}&client_secret={PLANTED}");
    // Basic of "Pl4nt3d:Pl4nt3d".
    let basic = "Basic UGw0bnQzZDpQbDRudDNk";
    for (body, authorization, status, error) in [
        ("", None, 400, "invalid_request"),
        (grant, None, 400, "invalid_request"),
        ("grant_type=", None, 400, "unsupported_grant_type"),
        ("grant_type=password&username=Pl4nt3d&password=Pl4nt3d", None, 400, "unsupported_grant_type"),
        ("%zz=Pl4nt3d", None, 400, "invalid_request"),
        ("{\"grant_type\":\"Pl4nt3d\"}", None, 400, "invalid_request"),
        (twice.as_str(), None, 400, "invalid_request"),
        (both.as_str(), Some(basic), 400, "invalid_request"),
        (grant, Some("Basic *Pl4nt3d*"), 400, "invalid_request"),
        (grant, Some("Basic UGw0bnQzZA"), 400, "invalid_request"),
        (grant, Some("Bearer Pl4nt3d"), 400, "invalid_request"),
        (grant, Some(basic), 401, "invalid_client"),
        (unknown.as_str(), None, 401, "invalid_client"),
    ] {
        let answer = send(body, authorization).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert_eq!(kunji_tests::refusals::names(&answer.body), ["error", "error_description"], "{answer:?}");
        assert_eq!(answer.body["error"], error, "{body}: {answer:?}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        answer.assert_hides(PLANTED);
        answer.assert_hides("UGw0bnQzZDpQbDRudDNk");
    }
    witness.assert_unchanged().await;
}
