//! Every class of fault, on what needs the token, while others use what does not.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use kunji_tests::{
    fault_page::{self, Row},
    measure::percentile,
    token_faults::{ALL, Class},
};
use tokio::time::{MissedTickBehavior, interval};

use super::service::{Need, Outcome, Service};

/// Callers who open packets whose keys are in memory.
const OTHERS: usize = 2;
/// How long a fault stands at least, and how often each of them asks at most.
const STANDS: Duration = Duration::from_millis(300);
const PACE: Duration = Duration::from_millis(2);

async fn rows() -> Vec<Row> {
    let service = Service::start(&[]).await;
    let mut rows = Vec::new();
    for class in &ALL {
        let row = strike(&service, class).await;
        println!("{row:?}");
        rows.push(row);
    }
    rows
}

async fn strike(service: &Service, class: &Class) -> Row {
    service.prepare().await;
    service.module.set((class.rules)());
    let over = AtomicBool::new(false);
    let asking = async {
        let outcomes = join_all(Need::ALL.map(|need| service.ask(need))).await;
        over.store(true, Ordering::Relaxed);
        outcomes
    };
    let (outcomes, calls) =
        tokio::join!(asking, join_all((0..OTHERS).map(|_| use_what_is_at_hand(service, &over))));
    service.module.clear();
    let back = service.back().await;
    let calls = calls.concat();
    let outcomes = outcomes.iter().map(|outcome| (outcome, *outcome != Outcome::Refused));
    // Nothing is refused that does not need the token.
    let wrong = outcomes.chain(calls.iter().map(|(_, outcome)| (outcome, true)));
    let wrong: Vec<_> = wrong.filter(|(outcome, counts)| *counts && **outcome != Outcome::Right).collect();
    if !wrong.is_empty() {
        println!("{}: {wrong:?}", class.name);
    }
    Row {
        class: class.name.to_owned(),
        back,
        wrong: wrong.len(),
        lost: service.lost().await,
        others: percentile(calls.iter().map(|(time, _)| *time).collect(), 99),
    }
}

async fn use_what_is_at_hand(service: &Service, over: &AtomicBool) -> Vec<(Duration, Outcome)> {
    let begun = Instant::now();
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut calls = Vec::new();
    while begun.elapsed() < STANDS || !over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let asked = Instant::now();
        let outcome = service.open(&service.at_hand).await;
        calls.push((asked.elapsed(), outcome));
    }
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_class_of_faults_ends_well_for_callers() {
    let bad: Vec<_> = rows().await.into_iter().filter(|row| !row.is_good()).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    fault_page::check("server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and writes docs/faults.md"]
async fn soak_classes_of_faults_over_http_make_the_page() {
    fault_page::write("server", &rows().await);
    fault_page::check("server");
}
