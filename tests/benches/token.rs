//! Signatures a second through the server's link to the token, divided by those of a bare loop of `C_Sign` on the same
//! token, with the library in the server's process and in a process of its own.
//!
//! Bare loop: one session, one key handle, one thread of this process, `CKM_RSA_PKCS` with RSA-2048. Rounds alternate
//! between bare loop and link; a round's ratio is of two measurements taken one after the other, and the median over
//! the rounds is shown. Latency is what one caller among that many waits for one signature.
//!
//! `cargo build --release && cargo bench --profile release -p kunji-tests --bench token`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement of something that fails is none"
)]
#![expect(clippy::cast_precision_loss, clippy::indexing_slicing, reason = "figures for people")]

use std::time::{Duration, Instant};

use cryptoki::{
    mechanism::Mechanism,
    object::{Attribute, ObjectClass},
};
use futures_util::future::join_all;
use kunji_server::{
    adapters::pkcs11::{Isolation, Pkcs11KeyStore, Pkcs11Settings},
    domain::key::TokenKeyId,
    ports::key_store::TokenSigner as _,
};
use kunji_shared::ModulusLength;
use kunji_tests::{
    contract::key_store::fresh_id,
    measure::median,
    raw_token::RawToken,
    softhsm::{Token, isolated},
};

const SIGNATURES: usize = 2_000;
const ROUNDS: usize = 9;

#[tokio::main]
async fn main() {
    let token = Token::create("bench");
    let here = Pkcs11KeyStore::open(token.settings()).await.unwrap();
    let child =
        Pkcs11KeyStore::open(Pkcs11Settings { isolation: isolated(), ..token.settings() }).await.unwrap();
    assert!(matches!(token.settings().isolation, Isolation::None), "the first is measured in this process");
    let id = fresh_id();
    here.generate_signing_pair(id, "bench", ModulusLength::Rsa2048).await.unwrap();
    let raw = token.raw(&here);

    println!("Signatures a second by the link / by a bare loop of C_Sign; median of {ROUNDS} rounds.\n");
    println!(
        "| Library | Callers | Ratio | Lowest to highest | By the link | Bare loop | Latency, median | 99 % |"
    );
    println!("| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |");
    for (name, store) in [("in the server's process", &here), ("in a process of its own", &child)] {
        for callers in [1, 4, 50] {
            row(name, store, callers, &raw, id).await;
        }
    }
}

async fn row(name: &str, store: &Pkcs11KeyStore, callers: usize, raw: &RawToken, id: TokenKeyId) {
    let (mut ratios, mut rates, mut bares, mut latencies) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let bare = bare_rate(raw, id);
        let begun = Instant::now();
        for latency in join_all((0..callers).map(|_| sign(store, id, SIGNATURES / callers))).await {
            latencies.extend(latency.into_iter().map(|latency| latency.as_secs_f64()));
        }
        let rate = (SIGNATURES / callers * callers) as f64 / begun.elapsed().as_secs_f64();
        ratios.push(rate / bare);
        rates.push(rate);
        bares.push(bare);
    }
    ratios.sort_by(f64::total_cmp);
    latencies.sort_by(f64::total_cmp);
    let late = latencies[latencies.len() * 99 / 100];
    println!(
        "| {name} | {callers} | {:.2} | {:.2} to {:.2} | {:.0} | {:.0} | {:.2} ms | {:.2} ms |",
        median(ratios.clone()),
        ratios[0],
        ratios[ROUNDS - 1],
        median(rates),
        median(bares),
        median(latencies) * 1e3,
        late * 1e3,
    );
}

async fn sign(store: &Pkcs11KeyStore, id: TokenKeyId, signatures: usize) -> Vec<Duration> {
    let mut latencies = Vec::with_capacity(signatures);
    for _ in 0..signatures {
        let begun = Instant::now();
        store.sign_digest(id, [7; 32]).await.unwrap();
        latencies.push(begun.elapsed());
    }
    latencies
}

fn bare_rate(raw: &RawToken, id: TokenKeyId) -> f64 {
    let template = [Attribute::Id(id.0.to_vec()), Attribute::Class(ObjectClass::PRIVATE_KEY)];
    let key = raw.session.find_objects(&template).unwrap()[0];
    let begun = Instant::now();
    for _ in 0..SIGNATURES {
        raw.session.sign(&Mechanism::RsaPkcs, key, &[7; 51]).unwrap();
    }
    SIGNATURES as f64 / begun.elapsed().as_secs_f64()
}
