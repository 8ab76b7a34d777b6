//! Signatures a second through the server's link to the token, divided by those of a bare loop of `C_Sign` on the same
//! token, with the library in the server's process and in a process of its own.
//!
//! Bare loop: one session, one key handle, one thread of this process, `CKM_RSA_PKCS` with RSA-2048. Every round has the
//! bare loop and both links, one after the other, for each number of callers; a round's ratio is of measurements taken
//! within a second or two, and the median over the rounds is shown, with the lowest and the highest. The times are what
//! one caller among that many waits for one signature.
//!
//! `cargo build --release && cargo bench --profile release -p kunji-tests --bench token`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement of something that fails is none"
)]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::time::{Duration, Instant};

use cryptoki::{mechanism::Mechanism, object::ObjectClass};
use futures_util::future::join_all;
use kunji_server::{
    adapters::pkcs11::{Isolation, Pkcs11KeyStore, Pkcs11Settings},
    domain::key::TokenKeyId,
    ports::key_store::TokenSigner as _,
};
use kunji_shared::ModulusLength;
use kunji_tests::{
    contract::{key_store::fresh_id, pkcs11::only},
    measure::{Comparison, median, percentile},
    raw_token::RawToken,
    softhsm::{Token, isolated},
};

const SIGNATURES: usize = 1_000;
const ROUNDS: usize = 15;
const CALLERS: [usize; 3] = [1, 4, 50];

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

    let (mut bares, mut measured) = (vec![], CALLERS.map(|_| [Measured::default(), Measured::default()]));
    for _ in 0..ROUNDS {
        for (callers, stores) in CALLERS.into_iter().zip(&mut measured) {
            let bare = bare_rate(&raw, id);
            bares.push(bare);
            for (store, measured) in [&here, &child].into_iter().zip(stores) {
                measured.round(store, callers, id, bare).await;
            }
        }
    }

    println!("Signatures a second; median of {ROUNDS} rounds. Bare loop of C_Sign: {:.0}.\n", median(bares));
    println!(
        "| Library | Callers | By the link / bare loop | Lowest to highest | Signatures a second | Median | 99 % |"
    );
    println!("| --- | ---: | ---: | --- | ---: | ---: | ---: |");
    for (callers, [here, child]) in CALLERS.into_iter().zip(&measured) {
        here.row("in the server's process", callers);
        child.row("in a process of its own", callers);
    }
    println!("\n| Callers | In a process of its own / in the server's | Lowest to highest |");
    println!("| ---: | ---: | --- |");
    for (callers, [here, child]) in CALLERS.into_iter().zip(&measured) {
        let rounds: Vec<_> = child.rates.iter().copied().zip(here.rates.iter().copied()).collect();
        let Comparison { ratio, spread: (lowest, highest), .. } = Comparison::of(&rounds);
        println!("| {callers} | {ratio:.2} | {lowest:.2} to {highest:.2} |");
    }
    println!("\n| 50 callers / one | Ratio | Lowest to highest |");
    println!("| --- | ---: | --- |");
    let [one, _, fifty] = &measured;
    for (name, one, fifty) in
        [("in the server's process", &one[0], &fifty[0]), ("in a process of its own", &one[1], &fifty[1])]
    {
        let rounds: Vec<_> = fifty.rates.iter().copied().zip(one.rates.iter().copied()).collect();
        let Comparison { ratio, spread: (lowest, highest), .. } = Comparison::of(&rounds);
        println!("| {name} | {ratio:.2} | {lowest:.2} to {highest:.2} |");
    }
}

/// One store with so many callers, round by round.
#[derive(Default)]
struct Measured {
    rates: Vec<f64>,
    /// Of the bare loop just before.
    bares: Vec<f64>,
    times: Vec<Duration>,
}

impl Measured {
    async fn round(&mut self, store: &Pkcs11KeyStore, callers: usize, id: TokenKeyId, bare: f64) {
        let begun = Instant::now();
        let times = join_all((0..callers).map(|_| sign(store, id, SIGNATURES / callers))).await;
        self.rates.push((SIGNATURES / callers * callers) as f64 / begun.elapsed().as_secs_f64());
        self.bares.push(bare);
        self.times.extend(times.into_iter().flatten());
    }

    fn row(&self, name: &str, callers: usize) {
        let rounds: Vec<_> = self.rates.iter().copied().zip(self.bares.iter().copied()).collect();
        let Comparison { ratio, spread: (lowest, highest), ours, .. } = Comparison::of(&rounds);
        let time = |hundredths| percentile(self.times.clone(), hundredths).as_secs_f64() * 1e3;
        println!(
            "| {name} | {callers} | {ratio:.2} | {lowest:.2} to {highest:.2} | {ours:.0} | {:.2} ms | {:.2} ms |",
            time(50),
            time(99)
        );
    }
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
    let key = only(&raw.session, &id.0, ObjectClass::PRIVATE_KEY);
    let begun = Instant::now();
    for _ in 0..SIGNATURES {
        raw.session.sign(&Mechanism::RsaPkcs, key, &[7; 51]).unwrap();
    }
    SIGNATURES as f64 / begun.elapsed().as_secs_f64()
}
