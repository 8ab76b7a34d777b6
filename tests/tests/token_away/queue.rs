//! More than the token can do at once.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use kunji_tests::{
    fault_module::{Fault, Rule},
    fault_page::RETURN,
};

use super::service::{Need, Outcome, Service};

const CALLERS: usize = 40;
/// One at work, two that wait.
const PLACES: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_no_place_is_refused_and_does_not_pile_up() {
    let service = Service::start(&[("KUNJI_PKCS11_WORKERS", "1"), ("KUNJI_PKCS11_QUEUE", "2")]).await;
    service.module.set([Rule::always("C_Sign", Fault::Delay(Duration::from_millis(200)))]);
    let begun = Instant::now();
    let (answers, at_hand) = tokio::join!(
        join_all((0..CALLERS).map(|_| async { (service.ask(Need::Sign).await, begun.elapsed()) })),
        service.open(&service.at_hand)
    );
    assert_eq!(at_hand, Outcome::Right);
    let served = answers.iter().filter(|(outcome, _)| *outcome == Outcome::Right).count();
    let refused: Vec<_> = answers.iter().filter(|(outcome, _)| *outcome == Outcome::Refused).collect();
    assert_eq!(served + refused.len(), CALLERS, "{answers:?}");
    assert!((1..=PLACES + 1).contains(&served), "{served}");
    // Nobody waits for a place.
    let slowest = answers.iter().map(|(_, time)| *time).max().unwrap();
    assert!(refused.iter().filter(|(_, time)| *time < slowest).count() >= refused.len() / 2, "{answers:?}");
    service.module.clear();
    assert!(service.back().await < RETURN);
}
