//! Bytes that are no HTTP, or HTTP that nobody means well with.

use std::time::Duration;

use kunji_tests::raw::{Raw, exchange, head};

use crate::witness::{PLANTED, Witness};

#[tokio::test]
async fn what_is_no_http_ends_the_connection() {
    let witness = Witness::new().await;
    let anonymous = witness.anonymous();
    let many = format!("x: {PLANTED}\r\n").repeat(200);
    let requests: Vec<Vec<u8>> = vec![
        PLANTED.as_bytes().to_vec(),
        b"\r\n\r\n\r\n".to_vec(),
        b"\0\0\0\0\0\0\0\0\r\n\r\n".to_vec(),
        format!("{PLANTED}\r\n\r\n").into_bytes(),
        format!("GET {PLANTED}\r\n\r\n").into_bytes(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"GET / HTTP/2.0\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET /v1\0/clients HTTP/1.1\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nPl4nt3d\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nPl4nt3d : x\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nx: Pl4nt3d\0\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nx: a\r\n Pl4nt3d\r\n\r\n".to_vec(),
        format!("GET / HTTP/1.1\r\n{many}\r\n").into_bytes(),
        b"POST / HTTP/1.1\r\ncontent-length: Pl4nt3d\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\nx".to_vec(),
        b"POST / HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx".to_vec(),
        b"POST / HTTP/1.1\r\ncontent-length: 1, 2\r\n\r\nxx".to_vec(),
        b"POST / HTTP/1.1\r\ntransfer-encoding: identity\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n".to_vec(),
        // A TLS client hello.
        b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03\x00\x00\r\n\r\n".to_vec(),
    ];
    for request in requests {
        let mut connection = Raw::connect(&anonymous).await;
        connection.send(&request).await;
        connection.finish().await;
        let answer = connection.read_to_end().await;
        let shown = String::from_utf8_lossy(&request);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{shown:?}: {answer}");
        // One answer, and nothing that was sent.
        assert!(answer.matches("HTTP/1.1").count() <= 1, "{shown:?}: {answer}");
        assert!(!answer.contains(PLANTED), "{shown:?}: {answer}");
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn a_head_of_a_megabyte_is_not_taken() {
    let witness = Witness::new().await;
    let long = PLANTED.repeat(150_000);
    for request in [
        head(&witness.client, "GET", &format!("/{long}"), &[]),
        head(&witness.client, "GET", &format!("/healthz?{long}"), &[]),
        head(&witness.client, "GET", "/healthz", &[&format!("x: {long}")]),
        head(&witness.client, "GET", "/healthz", &[&format!("{long}: x")]),
        head(&witness.client, &long, "/healthz", &[]),
    ] {
        let mut connection = Raw::connect(&witness.client).await;
        let began = connection.age();
        connection.send(request).await;
        let answer = connection.read_to_end().await;
        assert!(
            answer.is_empty()
                || ["400", "414", "431"].iter().any(|code| answer.starts_with(&format!("HTTP/1.1 {code}"))),
            "{answer}"
        );
        assert!(!answer.contains(PLANTED), "{answer}");
        let limit = began + Duration::from_secs(5);
        assert!(connection.age() < limit, "it was ended by its size, not by time");
    }
    // A long path that still fits is only a path, and one that does not is told so.
    for (path, length, status, codes) in [
        ("/", 7_000, 404, ("KER-KMS-404", "request.not_found")),
        ("/v1/keymanager/", 7_000, 404, ("KER-KMS-404", "request.not_found")),
        ("/", 35_000, 414, ("KER-KMS-414", "request.uri_too_long")),
        ("/v1/keymanager/", 35_000, 414, ("KER-KMS-414", "request.uri_too_long")),
    ] {
        let target = format!("{path}{}", PLANTED.repeat(length / PLANTED.len()));
        let answer = exchange(&witness.client, head(&witness.client, "GET", &target, &[])).await.unwrap();
        if path == "/" {
            answer.problem(status, codes.1);
        } else {
            answer.envelope_error(status, codes.0);
        }
        answer.assert_hides(PLANTED);
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn one_request_is_never_read_as_two() {
    let witness = Witness::new().await;
    // Both lengths given: whoever stands in front may have taken the other one. The connection ends with the answer.
    let smuggled = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    for lengths in [
        ["content-length: 5", "transfer-encoding: chunked"],
        ["transfer-encoding: chunked", "content-length: 5"],
    ] {
        let request = format!(
            "POST /oauth2/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n{}\r\n{}\r\n\r\n0\r\n\r\n{smuggled}",
            lengths[0], lengths[1]
        );
        let mut connection = Raw::connect(&witness.client).await;
        connection.send(request).await;
        let answers = connection.read_to_end().await;
        assert!(!answers.contains("\"openapi\""), "{lengths:?}: {answers}");
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn broken_bodies_are_told_and_connections_that_vanish_are_forgotten() {
    let witness = Witness::new().await;
    let lines = |lengths: &'static str| ["content-type: application/json", lengths];
    let (sized, chunked) = (lines("content-length: 1000"), lines("transfer-encoding: chunked"));
    for path in ["/v1/keymanager/jwtSign", "/v1/keymanager/encrypt"] {
        for (lines, body) in [
            (sized, "{\"request\":{\"dataToSign\":\"Pl4nt3d"),
            (chunked, "5\r\n{\"req"),
            (chunked, "Pl4nt3d\r\n{}\r\n0\r\n\r\n"),
            (chunked, "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
            (chunked, "2\r\n{}Pl4nt3d\r\n0\r\n\r\n"),
        ] {
            let mut connection = Raw::connect(&witness.client).await;
            connection.send(head(&witness.client, "POST", path, &lines) + body).await;
            connection.finish().await;
            if let Some(answer) = connection.answer().await {
                answer.envelope_error(400, "KER-KMS-400");
                answer.assert_hides(PLANTED);
            }
        }
    }
    for path in ["/v1/packets/encrypt", "/v1/packets/decrypt"] {
        for body in ["", "Pl4nt3d"] {
            let lines = [
                "content-type: application/octet-stream",
                "content-length: 1000",
                "kunji-application: REGISTRATION",
                "kunji-reference: 99999_999999",
            ];
            let mut connection = Raw::connect(&witness.client).await;
            connection.send(head(&witness.client, "POST", path, &lines) + body).await;
            connection.finish().await;
            if let Some(answer) = connection.answer().await {
                answer.problem(400, "request.incomplete");
                answer.assert_hides(PLANTED);
            }
            // Gone without a word.
            let mut connection = Raw::connect(&witness.client).await;
            connection.send(head(&witness.client, "POST", path, &lines) + body).await;
            drop(connection);
        }
    }
    witness.assert_unchanged().await;
}
