//! How long keys are, and when those of one purpose get their successors.

use kunji_shared::Certificate;
use kunji_tests::{
    cli::Operator,
    http::{Http, b64, unb64},
    peer,
    site::Site,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::send;

/// Opens with a base key of REGISTRATION.
fn crypto(reference: &str, data: &[u8]) -> Value {
    json!({
        "applicationId": "REGISTRATION", "referenceId": reference, "data": b64(data),
        "timeStamp": "2026-01-05T10:11:12.123Z",
    })
}

fn bits(pem: &str) -> usize {
    Certificate::from_pem(pem).unwrap().public_key().unwrap().modulus_length().bits()
}

async fn put(keeper: &Http, application: &str, policy: &Value) {
    let stored = send(keeper, Method::PUT, application, &[("if-match", "*")], policy).await;
    assert_eq!(stored.status, 200, "{stored:?}");
}

fn base_of(key_bits: &Value) -> Value {
    json!({ "validityDays": 730, "preExpireDays": 30, "keyBits": key_bits })
}

#[tokio::test]
async fn keys_are_as_their_policy_says() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let keeper = administrator.new_client(&["key-administrator"]).await;
    let crypter = administrator.new_client(&["encryptor", "decryptor"]).await;
    base_keys_follow_base(&keeper, &crypter).await;
    keys_on_the_token_follow_their_own(&keeper).await;
    what_is_said_of_purposes_is_obeyed(&keeper).await;
    keks_wrap_as_often_as_is_said(&keeper, &crypter).await;
    refusals_name_the_member(&keeper).await;

    // What is shown can be stored again, and the table has it.
    let made = json!({ "clientId": "keeper", "roles": ["key-administrator"] });
    let made = administrator.post("/v1/clients", &made).await;
    let operator = Operator::client(&server, "keeper", made.body["clientSecret"].as_str().unwrap());
    let shown = operator.run(&["policy", "show", "SIZED"]);
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("policy.json");
    std::fs::write(&file, &shown.stdout).unwrap();
    let stored = operator.json(&["policy", "put", "SIZED", file.to_str().unwrap()]);
    assert_eq!((&stored["keyBits"], &stored["preExpire"]), (&json!(3072), &json!({ "signing": 60 })));
    let table = operator.run(&["policy", "list"]).stdout;
    let row = table.lines().find(|row| row.starts_with("SIZED ")).unwrap();
    assert!(row.contains(" 3072 ") && row.contains(" signing=60 "), "{row}");
}

/// What is made from then on is as long as is said, and what is there stays. All of it seals and opens.
async fn base_keys_follow_base(keeper: &Http, crypter: &Http) {
    let before = keeper.certificate("REGISTRATION", "1").await;
    assert_eq!(bits(&before), 2048);
    let mut packets = vec![("1", before.clone())];
    for (reference, length) in [("2", 3072), ("3", 4096)] {
        put(keeper, "BASE", &base_of(&json!(length))).await;
        let certificate = keeper.certificate("REGISTRATION", reference).await;
        assert_eq!(bits(&certificate), length);
        packets.push((reference, certificate));
    }
    // A document of the time before it could say so.
    put(keeper, "BASE", &json!({ "validityDays": 730, "preExpireDays": 30 })).await;
    let read = keeper.get("/v1/policies/BASE").await.body;
    assert_eq!((&read["keyBits"], &read["preExpire"]), (&Value::Null, &json!({})));
    assert_eq!(bits(&keeper.certificate("REGISTRATION", "4").await), 2048);
    for (reference, certificate) in packets {
        assert_eq!(keeper.certificate("REGISTRATION", reference).await, certificate, "it stays");
        let sealed = crypter.call("/encrypt", crypto(reference, b"content")).await;
        let sealed = unb64(&sealed.response()["data"]);
        for packet in [sealed, peer::seal_self_contained(&certificate, b"content")] {
            let opened = crypter.call("/decrypt", crypto(reference, &packet)).await;
            assert_eq!(unb64(&opened.response()["data"]), b"content", "{reference}");
        }
    }
}

async fn keys_on_the_token_follow_their_own(keeper: &Http) {
    let policy = json!({ "validityDays": 1000, "preExpireDays": 50, "keyBits": 3072 });
    let created = send(keeper, Method::PUT, "SIZED", &[("if-none-match", "*")], &policy).await;
    assert_eq!((created.status.as_u16(), &created.body["keyBits"]), (201, &json!(3072)));
    let master = json!({ "applicationId": "SIZED", "referenceId": "" });
    keeper.call("/generateMasterKey/CERTIFICATE", master).await.response();
    assert_eq!(bits(&keeper.certificate("SIZED", "").await), 3072);
    // Base keys follow BASE, which says nothing.
    assert_eq!(bits(&keeper.certificate("SIZED", "1").await), 2048);
}

async fn what_is_said_of_purposes_is_obeyed(keeper: &Http) {
    let policy = json!({
        "validityDays": 1000, "preExpireDays": 50, "keyBits": 3072, "preExpire": { "signing": 60 },
    });
    put(keeper, "SIZED", &policy).await;
    assert_eq!(keeper.get("/v1/policies/SIZED").await.body["preExpire"], json!({ "signing": 60 }));
    let before = keeper.certificate("REGISTRATION", "1").await;
    // Longer than what is left of it.
    let mut base = base_of(&Value::Null);
    base["validityDays"] = json!(740);
    base["preExpire"] = json!({ "encryption": 735 });
    send(keeper, Method::PUT, "BASE", &[("if-match", "*")], &base).await.problem(422, "policy.invalid");
    base["preExpire"] = json!({ "encryption": 200 });
    put(keeper, "BASE", &base).await;
    assert_eq!(keeper.certificate("REGISTRATION", "1").await, before, "730 days are left of it");
    let plan = keeper.get("/v1/rotation/plan?days=540").await.body;
    let steps = plan["steps"].as_array().unwrap();
    let of_base = steps.iter().find(|step| step["reference"] == "1").unwrap();
    assert_eq!(of_base["event"], "renewed", "after 530 days");
    put(keeper, "BASE", &base_of(&Value::Null)).await;
    let plan = keeper.get("/v1/rotation/plan?days=540").await.body;
    assert!(plan["steps"].as_array().unwrap().iter().all(|step| step["reference"] != "1"), "{plan}");
}

async fn keks_wrap_as_often_as_is_said(keeper: &Http, crypter: &Http) {
    let policy = |most: u64| json!({ "validityDays": 1000, "preExpireDays": 50, "maxWraps": most });
    let created = send(keeper, Method::PUT, "LIMITED", &[("if-none-match", "*")], &policy(2)).await;
    assert_eq!((created.status.as_u16(), &created.body["maxWraps"]), (201, &json!(2)));
    let master = json!({ "applicationId": "LIMITED", "referenceId": "" });
    keeper.call("/generateMasterKey/CERTIFICATE", master).await.response();
    let state = async || {
        let keks = keeper.get("/v1/keks/LIMITED").await.body;
        (keks["keks"].as_array().unwrap().len(), keeper.certificate("LIMITED", "").await)
    };
    let (_, first) = state().await;
    let mut certificates = Vec::new();
    let steps = [
        // Two under each KEK, then more under the last.
        [(1, 1, 2), (2, 1, 2), (3, 2, 2), (4, 2, 2), (5, 3, 2)],
        // So many that the server has some at hand, which do not count once the limit is lower.
        [(6, 3, 4), (7, 3, 4), (8, 3, 4_000), (9, 3, 4_000), (10, 4, 5)],
    ];
    for (number, keks, most) in steps.into_iter().flatten() {
        put(keeper, "LIMITED", &policy(most)).await;
        let reference = number.to_string();
        certificates.push((reference.clone(), keeper.certificate("LIMITED", &reference).await));
        let (count, own) = state().await;
        assert_eq!((count, own == first), (keks, keks == 1), "{number}");
    }
    // Nine are under older KEKs. The last has room for four of them.
    assert_eq!(keeper.post("/v1/rewrap", &json!({})).await.status, 200);
    let run = loop {
        let run = keeper.get("/v1/rewrap").await.body;
        if run["state"] == "ended" {
            break run;
        }
    };
    assert_eq!((&run["moved"], &run["failed"]), (&json!(9), &json!(0)), "{run}");
    assert_eq!(state().await.0, 5);
    for (reference, certificate) in certificates {
        assert_eq!(keeper.certificate("LIMITED", &reference).await, certificate, "it stays");
        let packet = peer::seal_self_contained(&certificate, b"content");
        let mut request = crypto(&reference, &packet);
        request["applicationId"] = json!("LIMITED");
        assert_eq!(unb64(&crypter.call("/decrypt", request).await.response()["data"]), b"content");
    }
}

async fn refusals_name_the_member(keeper: &Http) {
    let before = keeper.get("/v1/policies").await.body;
    for (application, member, value, named) in [
        ("SIZED", "keyBits", json!(1024), "keyBits"),
        ("SIZED", "keyBits", json!(2047), "keyBits"),
        ("SIZED", "keyBits", json!(4_294_967_295_u32), "keyBits"),
        ("SIZED", "maxWraps", json!(0), "maxWraps"),
        ("SIZED", "maxWraps", json!(4_294_967_297_u64), "maxWraps"),
        ("KERNEL", "maxWraps", json!(5), "maxWraps"),
        ("SIZED", "preExpire", json!({ "signing": 1000 }), "preExpire.signing"),
        ("SIZED", "preExpire", json!({ "issuing": 1000 }), "preExpire.issuing"),
        ("SIZED", "preExpire", json!({ "encryption": 30 }), "preExpire.encryption"),
        ("BASE", "preExpire", json!({ "encryption": 1000 }), "preExpire.encryption"),
        ("BASE", "preExpire", json!({ "issuing": 30 }), "preExpire.issuing"),
        ("SIZED", "preExpire", json!({ "sealing": 30 }), "preExpire must name"),
    ] {
        let mut body = json!({ "validityDays": 1000, "preExpireDays": 50 });
        body[member] = value;
        let answer = send(keeper, Method::PUT, application, &[("if-match", "*")], &body).await;
        answer.problem(422, "policy.invalid");
        assert!(answer.body["detail"].as_str().unwrap().contains(named), "{named}: {answer:?}");
    }
    for (member, text) in [
        ("keyBits", r#""2048""#),
        ("keyBits", "-1"),
        ("preExpire", "30"),
        ("preExpire", r#"{"signing":null}"#),
        ("preExpire", r#"{"signing":1,"signing":2}"#),
    ] {
        let body = format!(r#"{{"validityDays":1000,"preExpireDays":50,"{member}":{text}}}"#);
        let request = keeper.request(Method::PUT, "/v1/policies/SIZED").header("if-match", "*");
        let request = request.header("content-type", "application/json").body(body);
        let answer = kunji_tests::http::Answer::read(request.send().await.unwrap()).await;
        answer.problem(400, "request.invalid");
    }
    assert_eq!(keeper.get("/v1/policies").await.body, before);
}
