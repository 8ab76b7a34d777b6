//! Signatures over HTTP: what the server adds to the token's own work and to that of a verification, and what many at
//! once save.
//!
//! `jwtSign`: requests a second by 16 connections, divided by the signatures a second of `C_Sign` alone (`CKM_RSA_PKCS`,
//! RSA-2048) from as many threads of this process, each with a session of its own, on a token of the same library.
//! `jwtVerify`: processor time of the server by request, divided by that of the RSA verification alone. Batches: the time
//! of 1000 signatures in one call, divided by that of 1000 calls by 16 connections. Rounds alternate.
//!
//! `cargo build --release && cargo bench --profile release -p kunji-tests --bench signatures`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement of something that fails is none"
)]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::{hint::black_box, thread, time::Instant};

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use cryptoki::{mechanism::Mechanism, object::ObjectClass};
use kunji_server::{domain::key::TokenKeyId, ports::key_store::TokenSigner as _};
use kunji_shared::ModulusLength;
use kunji_tests::{
    contract::{key_store::fresh_id, pkcs11::only},
    cost::{CONNECTIONS, Measured, Work, print_head},
    http::{Http, b64, unb64},
    load::{Load, Request},
    measure::Comparison,
    raw_token::RawToken,
    site::{Server, Site},
    softhsm::Token,
};
use openssl::x509::X509;
use serde_json::{Value, json};

const ROUNDS: usize = 11;
/// Signatures of each half of a round.
const SIGNATURES: usize = 1_600;
const VOUCHERS: usize = 1_000;
const KIB: usize = 1024;
const HEADERS: [(&str, &str); 2] = [("content-type", "application/json"), ("accept", "application/json")];

#[tokio::main]
async fn main() {
    let site = Site::new();
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let client = administrator.new_client(&["signer", "encryptor"]).await;

    print_head();
    verifications(&server, &client).await;
    println!("\n| By {CONNECTIONS} connections or threads | Ratio | Lowest to highest | Ours | Reference |");
    println!("| --- | ---: | --- | ---: | ---: |");
    signatures(&server, &client).await;
    batches(&server, &client).await;
}

fn post(client: &Http, path: &str, body: &Value) -> Request {
    Request::post(path, client.token().unwrap(), &HEADERS, body.to_string().as_bytes())
}

fn envelope(request: &Value) -> Value {
    json!({ "id": "string", "version": "string", "requesttime": "2026-01-05T10:11:12.123Z", "metadata": {},
        "request": request })
}

async fn verifications(server: &Server, client: &Http) {
    for with_certificate in [true, false] {
        let sign = json!({ "dataToSign": b64([0x5A; KIB]), "applicationId": "ID_REPO", "referenceId": "",
            "includePayload": true, "includeCertificate": with_certificate });
        let signed = client.call("/jwtSign", sign).await;
        let token = signed.response()["jwtSignedData"].as_str().unwrap().to_owned();
        let verify = json!({ "jwtSignatureData": token, "applicationId": "ID_REPO", "referenceId": "" });
        let posts = [post(client, "/v1/keymanager/jwtVerify", &envelope(&verify))];
        let certificate = X509::from_pem(client.certificate("ID_REPO", "").await.as_bytes()).unwrap();
        let key = certificate.public_key().unwrap().public_key_to_der().unwrap();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let (input, signature) = (input.as_bytes().to_vec(), unb64(&signature.into()));
        let reference = || -> Work {
            let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key).unwrap();
            let (input, signature) = (input.clone(), signature.clone());
            Box::new(move || key.verify_sig(black_box(&input), black_box(&signature)).unwrap())
        };
        let measured = Measured {
            server,
            content_bytes: 1,
            reference_name: "one RSA-2048 verification",
            reference: &reference,
        };
        let whose = if with_certificate { "certificate in the header" } else { "key of the server" };
        measured.row(&format!("`POST /v1/keymanager/jwtVerify`, 1 KiB, {whose}"), &posts).await;
    }
}

async fn signatures(server: &Server, client: &Http) {
    let token = Token::create("bench");
    let store = token.open().await.unwrap();
    let id = fresh_id();
    store.generate_signing_pair(id, "bench", ModulusLength::Rsa2048).await.unwrap();
    let raw = token.raw(&store);
    let sign = json!({ "dataToSign": b64([0x5A; KIB]), "applicationId": "ID_REPO", "referenceId": "",
        "includePayload": true });
    let posts = [post(client, "/v1/keymanager/jwtSign", &envelope(&sign))];
    let mut load = Load::connect(&server.base, CONNECTIONS).await;
    load.run(&posts, 4, 1).await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let bare = bare_rate(&raw, id);
        let begun = Instant::now();
        load.run(&posts, SIGNATURES / CONNECTIONS, 1).await;
        rounds.push((SIGNATURES as f64 / begun.elapsed().as_secs_f64(), bare));
    }
    let Comparison { ratio, spread: (lowest, highest), ours, reference } = Comparison::of(&rounds);
    println!(
        "| `jwtSign` RS256 of 1 KiB, signatures a second / bare `C_Sign` | {ratio:.2} | {lowest:.2} to {highest:.2} | \
         {ours:.0} | {reference:.0} |"
    );
}

fn bare_rate(raw: &RawToken, id: TokenKeyId) -> f64 {
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            // Logged in with the others.
            let session = raw.library.open_ro_session(raw.slot).unwrap();
            scope.spawn(move || {
                let key = only(&session, &id.0, ObjectClass::PRIVATE_KEY);
                for _ in 0..SIGNATURES / CONNECTIONS {
                    session.sign(&Mechanism::RsaPkcs, key, &[7; 51]).unwrap();
                }
            });
        }
    });
    SIGNATURES as f64 / begun.elapsed().as_secs_f64()
}

async fn batches(server: &Server, client: &Http) {
    let item = json!({ "applicationId": "ID_REPO", "data": b64([0x5A; 256]), "algorithm": "RS256" });
    let of = |count| [post(client, "/v1/signatures", &json!({ "items": vec![item.clone(); count] }))];
    let (one, all) = (of(1), of(VOUCHERS));
    let mut single = Load::connect(&server.base, 1).await;
    let mut many = Load::connect(&server.base, CONNECTIONS).await;
    let calls = VOUCHERS.div_ceil(CONNECTIONS);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        single.run(&all, 1, VOUCHERS).await;
        let batch = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        many.run(&one, calls, 1).await;
        let by_one = begun.elapsed().as_secs_f64() * VOUCHERS as f64 / (calls * CONNECTIONS) as f64;
        rounds.push((batch, by_one));
    }
    let Comparison { ratio, spread: (lowest, highest), ours, reference } = Comparison::of(&rounds);
    println!(
        "| `POST /v1/signatures` with {VOUCHERS} vouchers / as many calls with one | {ratio:.2} | {lowest:.2} to \
         {highest:.2} | {ours:.2} s | {reference:.2} s |"
    );
}
