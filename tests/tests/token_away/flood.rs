//! Corrupted packets at full rate: they cost what good ones cost, and nobody takes them for a broken token.

use std::time::{Duration, Instant};

use kunji_tests::{
    http::b64,
    load::{Expected, Load, Request},
    measure::{Comparison, percentile},
    peer,
};
use serde_json::json;

use super::service::{APPLICATION, RECORD, Service};

/// Connections of the flood, and of those who want nothing but their share.
const FLOOD: usize = 12;
const CALLERS: usize = 4;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(600);

/// Packets and posts, of which no two are alike.
fn posts(service: &Service, certificate: &str, bend: impl Fn(usize, &mut [u8])) -> Vec<Request> {
    let post = |number| {
        let mut packet = peer::seal_self_contained(certificate, RECORD);
        bend(number, &mut packet);
        let body = json!({ "request": {
            "applicationId": APPLICATION, "referenceId": service.at_hand.reference,
            "timeStamp": "2026-01-05T10:11:12.123Z", "data": b64(packet),
        }});
        let headers = [("content-type", "application/json")];
        let token = service.client.token().unwrap();
        Request::post("/v1/keymanager/decrypt", token, &headers, body.to_string().as_bytes())
    };
    (0..32).map(post).collect()
}

/// Damage that public bytes do not show: to the wrapped key, to the content, or to the tag.
fn corrupt(number: usize, packet: &mut [u8]) {
    const WRAPPED_KEY: usize = 6 + 32 + 100;
    let end = packet.len() - 1;
    let place = [WRAPPED_KEY, end - 20, end][number % 3];
    packet[place] ^= 1;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_corrupted_packets_reconnects_nothing_and_leaves_others_their_share() {
    // Each packet asks the token for its key.
    let service = Service::start(&[("KUNJI_KEY_CACHE_SECONDS", "0"), ("KUNJI_LOG_FILTER", "error")]).await;
    let certificate = service.client.certificate(APPLICATION, &service.at_hand.reference).await;
    let good = posts(&service, &certificate, |_, _| ());
    let corrupted = posts(&service, &certificate, corrupt);
    let mut flood = Load::connect(&service.server.base, FLOOD).await;
    let mut callers = Load::connect(&service.server.base, CALLERS).await;
    let expected = Expected::Content(RECORD.len());
    let refusal = Expected::Text("KER-FSE-004");
    flood.run_for(&good, ROUND, expected).await;

    let (begun, before) = (Instant::now(), service.module.counters());
    let (mut shares, mut times, mut sent) = (vec![], vec![], 0);
    for _ in 0..ROUNDS {
        let mut round = async |posts: &[Request], expected_of_flood: Expected<'_>| {
            let (flood, callers) = tokio::join!(
                flood.run_for(posts, ROUND, expected_of_flood),
                callers.run_for(&good, ROUND, expected)
            );
            let count = |number: usize| f64::from(u32::try_from(number).unwrap());
            let share = count(callers.len()) / count(callers.len() + flood.len());
            (flood.len(), share, percentile(callers, 99).as_secs_f64())
        };
        let (_, reference, reference_time) = round(&good, expected).await;
        let (flood, share, time) = round(&corrupted, refusal).await;
        sent += flood;
        shares.push((share, reference));
        times.push((time, reference_time));
    }
    let after = service.module.counters();
    let (shares, times) = (Comparison::of(&shares), Comparison::of(&times));
    println!(
        "{sent} corrupted packets. Others had {:.3} of what was answered, and {:.3} beside a flood of good ones: {:.2} \
         times as much ({:.2} to {:.2}), after {:.2} times the time of 99 % ({:.2} to {:.2}; {:.1} ms)",
        shares.ours,
        shares.reference,
        shares.ratio,
        shares.spread.0,
        shares.spread.1,
        times.ratio,
        times.spread.0,
        times.spread.1,
        times.ours * 1e3
    );
    for function in ["C_Initialize", "C_Login", "C_Finalize"] {
        assert_eq!(after.calls(function), before.calls(function), "{function}");
    }
    // An examination a second opens one, and no packet does.
    let examinations = begun.elapsed().as_secs() + 2;
    let opened = after.calls("C_OpenSession") - before.calls("C_OpenSession");
    assert!(opened <= examinations, "{opened} sessions in {examinations} examinations");
    assert!(after.sessions <= before.sessions, "{before:?} {after:?}");
    assert!(sent > 100, "{sent}");
    assert!(shares.ratio > 0.9, "good callers keep their share");
    assert!(times.ratio < 2.0, "good callers do not wait longer");
}
