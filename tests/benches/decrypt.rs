//! Processor time that the server takes to decrypt a packet over HTTP, divided by that of the cryptography alone.
//!
//! The server is the real program with default settings: access check, audit trail and all. 16 connections stay
//! open and send requests as fast as they are answered. Numerator: user and system time of all its threads, by
//! request. Denominator: one RSA-2048 private operation (OAEP) of aws-lc-rs in this process; for large packets
//! AES-256-GCM of the same library and one copy. It runs on as many threads as there are processors, as in the server:
//! what processors share, they share in both. Both are measured alternately; a round's ratio is of two measurements
//! taken one after the other, and the median over the rounds is shown.
//!
//! `cargo build --release && cargo bench --profile release -p kunji-tests --bench decrypt`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement of something that fails is none"
)]

use std::hint::black_box;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rsa::{
        KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
        PrivateDecryptingKey,
    },
};
use kunji_tests::{
    cost::{CONNECTIONS, Measured, Work, print_head},
    http::{Http, b64},
    load::Request,
    measure::Process,
    peer,
    site::{Server, Site},
};
use serde_json::json;

const APPLICATION: &str = "REGISTRATION";
const REFERENCE: &str = "10001_110011";
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let site = Site::new();
    let server = site.start();
    let process = Process::new(server.pid());
    let idle = process.holdings();
    let client = client(&server).await;
    let certificate = client.certificate(APPLICATION, REFERENCE).await;

    print_head();
    let rsa = || -> Work { Box::new(rsa_private_operation()) };
    let small = Measured {
        server: &server,
        content_bytes: KIB,
        reference_name: "one RSA-2048 private operation",
        reference: &rsa,
    };
    let posts = json_posts(&client, || with_salt(&certificate, KIB));
    small.row("`POST /v1/keymanager/decrypt`, 1 KiB, salt and aad", &posts).await;
    let loaded = process.holdings();
    let posts = json_posts(&client, || self_contained(&certificate, KIB));
    small.row("`POST /v1/keymanager/decrypt`, 1 KiB, `VER_R2`", &posts).await;
    let posts = binary_posts(&client, || with_salt(&certificate, KIB));
    small.row("`POST /v1/packets/decrypt`, 1 KiB, salt and aad", &posts).await;
    let posts = binary_posts(&client, || self_contained(&certificate, KIB));
    small.row("`POST /v1/packets/decrypt`, 1 KiB, `VER_R2`", &posts).await;
    let gcm = || -> Work { Box::new(gcm_and_copy(4 * MIB)) };
    let large = Measured {
        server: &server,
        content_bytes: 4 * MIB,
        reference_name: "AES-256-GCM and one copy of 4 MiB",
        reference: &gcm,
    };
    let posts = binary_posts(&client, || self_contained(&certificate, 4 * MIB));
    large.row("`POST /v1/packets/decrypt`, 4 MiB, `VER_R2`", &posts).await;

    println!(
        "\nResident memory: {} MiB idle, {} MiB after the first row.",
        in_mib(idle.resident_bytes),
        in_mib(loaded.resident_bytes)
    );
}

async fn client(server: &Server) -> Http {
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    administrator.new_client(&["encryptor", "decryptor"]).await
}

fn in_mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

struct Packet {
    bytes: Vec<u8>,
    salt: Option<[u8; 12]>,
    aad: Option<[u8; 32]>,
}

fn with_salt(certificate: &str, content_bytes: usize) -> Packet {
    let (salt, aad) = (peer::random::<12>(), peer::random::<32>());
    let bytes = peer::seal_with_salt(certificate, &salt, &aad, &vec![0x5A; content_bytes]);
    Packet { bytes, salt: Some(salt), aad: Some(aad) }
}

fn self_contained(certificate: &str, content_bytes: usize) -> Packet {
    Packet {
        bytes: peer::seal_self_contained(certificate, &vec![0x5A; content_bytes]),
        salt: None,
        aad: None,
    }
}

fn json_posts(client: &Http, packet: impl Fn() -> Packet) -> Vec<Request> {
    posts(client, |token| {
        let packet = packet();
        let body = json!({
            "id": "string", "version": "string", "requesttime": "2026-01-05T10:11:12.123Z", "metadata": {},
            "request": {
                "applicationId": APPLICATION, "referenceId": REFERENCE, "timeStamp": "2026-01-05T10:11:12.123Z",
                "data": b64(packet.bytes), "salt": packet.salt.map(b64), "aad": packet.aad.map(b64),
                "prependThumbprint": true,
            },
        });
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        Request::post("/v1/keymanager/decrypt", token, &headers, body.to_string().as_bytes())
    })
}

fn binary_posts(client: &Http, packet: impl Fn() -> Packet) -> Vec<Request> {
    posts(client, |token| {
        let packet = packet();
        let (salt, aad) = (packet.salt.map(b64), packet.aad.map(b64));
        let mut headers = vec![
            ("content-type", "application/octet-stream"),
            ("kunji-application", APPLICATION),
            ("kunji-reference", REFERENCE),
        ];
        headers.extend(salt.as_deref().map(|salt| ("kunji-salt", salt)));
        headers.extend(aad.as_deref().map(|aad| ("kunji-aad", aad)));
        Request::post("/v1/packets/decrypt", token, &headers, &packet.bytes)
    })
}

/// One of its own for each connection.
fn posts(client: &Http, post: impl Fn(&str) -> Request) -> Vec<Request> {
    (0..CONNECTIONS).map(|_| post(client.token().unwrap())).collect()
}

fn rsa_private_operation() -> impl FnMut() + Send {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let public = OaepPublicEncryptingKey::new(key.public_key()).unwrap();
    let key = OaepPrivateDecryptingKey::new(key).unwrap();
    let mut wrapped = [0; 256];
    public.encrypt(&OAEP_SHA256_MGF1SHA256, &[7; 32], &mut wrapped, None).unwrap();
    move || {
        let mut room = [0; 256];
        let unwrapped = key.decrypt(&OAEP_SHA256_MGF1SHA256, black_box(&wrapped), &mut room, None).unwrap();
        black_box(unwrapped);
    }
}

fn gcm_and_copy(bytes: usize) -> impl FnMut() + Send {
    let key = || LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let nonce = || Nonce::assume_unique_for_key([9; 12]);
    let mut sealed = vec![0x5A; bytes];
    key().seal_in_place_append_tag(nonce(), Aad::from([1; 32]), &mut sealed).unwrap();
    let mut buffer = sealed.clone();
    move || {
        buffer.copy_from_slice(black_box(&sealed));
        black_box(key().open_in_place(nonce(), Aad::from([1; 32]), &mut buffer).unwrap());
    }
}
