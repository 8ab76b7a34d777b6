//! Nanoseconds that one decision takes, with the shipped access policies alone and with 10 000 more.
//!
//! One thread, no cache between: every decision looks at the policies. The caller has four roles; of the 10 000, each
//! names one of 500 principals or roles, operations, and patterns of an application and references; the caller's own
//! principal and one of its roles are among them. The median over the rounds is shown.
//!
//! `cargo bench --profile release -p kunji-tests --bench access`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement of something that fails is none"
)]

use std::{hint::black_box, time::Instant};

use kunji_server::domain::{
    access::{Operation, Principal, Role},
    alias::KeyAlias,
    authorization::{AccessPolicy, AccessRequest, PolicySet, PolicyText, shipped_policies},
    time::Timestamp,
};
use kunji_tests::measure::median;

const ROUNDS: usize = 11;
const DECISIONS: u32 = 20_000;

fn main() {
    let shipped = || shipped_policies().into_iter().map(|text| AccessPolicy::parse(text).unwrap());
    let more = |one_subject: bool| (0..10_000).map(move |number| policy(number, one_subject));
    println!("| Policies | Nanoseconds a decision, median of {ROUNDS} rounds |\n| --- | ---: |");
    row("as shipped", &PolicySet::compile(shipped()));
    row("and 10 000 of 500 principals and roles", &PolicySet::compile(shipped().chain(more(false))));
    row("and 10 000 of the caller itself", &PolicySet::compile(shipped().chain(more(true))));
}

fn policy(number: usize, one_subject: bool) -> AccessPolicy {
    let subject = if one_subject { 0 } else { number % 500 };
    let names = |prefix: &str| vec![format!("{prefix}{subject}")];
    let (principals, roles) =
        if subject.is_multiple_of(2) { (names("principal-"), vec![]) } else { (vec![], names("ROLE_")) };
    let reference = match number % 3 {
        0 => format!("{number}_110011"),
        1 => format!("{number}_*"),
        _ => format!("{number:05}*"),
    };
    let text = PolicyText {
        name: format!("policy-{number}"),
        enabled: true,
        effect: if number % 100 == 7 { "deny" } else { "allow" }.to_owned(),
        principals,
        roles,
        operations: vec!["packet.*".to_owned()],
        keys: vec![format!("REGISTRATION/{reference}")],
        networks: if number.is_multiple_of(10) { vec!["10.0.0.0/8".to_owned()] } else { vec![] },
        ..PolicyText::default()
    };
    AccessPolicy::parse(text).unwrap()
}

fn row(name: &str, set: &PolicySet) {
    let roles = ["ROLE_1", "REGISTRATION_PROCESSOR", "offline_access", "uma_authorization"];
    let principal = Principal {
        name: "principal-0".to_owned(),
        roles: roles.iter().map(|name| Role::parse(name).unwrap()).collect(),
        issuer: None,
    };
    let alias = KeyAlias::parse("REGISTRATION", "500_110011").unwrap();
    let request = AccessRequest {
        principal: &principal,
        operation: Operation::Decrypt,
        alias: Some(&alias),
        address: Some([10, 1, 2, 3].into()),
        at: Timestamp::from_millis(1_767_607_872_000),
    };
    assert!(set.decide(&request).verdict.is_allowed());
    let rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..DECISIONS {
                black_box(set.decide(black_box(&request)));
            }
            began.elapsed().as_secs_f64() * 1e9 / f64::from(DECISIONS)
        })
        .collect();
    println!("| {name} | {:.0} |", median(rounds));
}
