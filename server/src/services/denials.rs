//! Who was turned away at the door: recorded, however many they are, in bounded room.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;

use super::auditor::Auditor;
use crate::domain::{
    audit::{AuditEvent, Outcome},
    network::network,
    time::Timestamp,
};

/// Time over which refusals of one kind are counted together, in seconds.
const WINDOW_SECONDS: i64 = 60;
/// Kinds that are told apart at once; all others of a code are counted as one. A flood from everywhere thus makes at
/// most two events for each of them a minute.
const MAX_KINDS: usize = 100;

/// A request that was refused before anything was tried.
#[derive(Clone, Debug)]
pub struct Denial {
    /// What was asked for; `access` when that was not looked at.
    pub operation: &'static str,
    /// Who, if known.
    pub principal: Option<String>,
    /// The peer's address.
    pub address: Option<IpAddr>,
    /// The request.
    pub request_id: Arc<str>,
    /// Why.
    pub code: &'static str,
}

#[derive(PartialEq, Eq, Hash, Clone)]
pub(super) struct Kind {
    operation: &'static str,
    code: &'static str,
    principal: Option<String>,
    network: Option<IpAddr>,
}

pub(super) struct Window {
    began: Timestamp,
    /// Those behind the first.
    count: u64,
    address: Option<IpAddr>,
}

/// Counts refusals: the first of a kind is told at once, those that follow within a minute as one event with their
/// number.
///
/// The kind is the operation, the code, and the principal, or else the network.
#[derive(Default)]
pub(super) struct Windows(Mutex<HashMap<Kind, Window>>);

impl Windows {
    /// The event of a refusal that is the first of its kind; the others are counted.
    pub(super) fn note(&self, denial: Denial, now: Timestamp) -> Option<AuditEvent> {
        let network = if denial.principal.is_some() { None } else { denial.address.map(network) };
        let principal = denial.principal.clone();
        let mut kind = Kind { operation: denial.operation, code: denial.code, principal, network };
        let mut address = denial.address;
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !windows.contains_key(&kind) && windows.len() >= MAX_KINDS {
            kind = Kind { operation: "access", code: denial.code, principal: None, network: None };
            address = None;
        }
        if let Some(window) = windows.get_mut(&kind) {
            window.count = window.count.saturating_add(1);
            return None;
        }
        windows.insert(kind, Window { began: now, count: 0, address });
        Some(AuditEvent {
            principal: denial.principal,
            address: denial.address,
            request_id: Some(denial.request_id),
            outcome: Outcome::Refused(denial.code),
            ..AuditEvent::own(now, denial.operation)
        })
    }

    /// The events of the windows that have ended; of all of them when `all`.
    pub(super) fn ended(&self, now: Timestamp, all: bool) -> Vec<AuditEvent> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows
            .extract_if(|_, window| all || !is_open(window.began, now))
            .filter(|(_, window)| window.count > 0)
            .map(|(kind, window)| AuditEvent {
                principal: kind.principal,
                address: window.address,
                outcome: Outcome::Refused(kind.code),
                details: Some(json!({ "count": window.count, "since": window.began.to_text() })),
                ..AuditEvent::own(now, kind.operation)
            })
            .collect()
    }
}

/// Tells the first of a kind in a minute from those that follow, where nothing is counted. For kinds of which there are
/// few.
#[derive(Debug)]
pub(super) struct Firsts<K>(Mutex<HashMap<K, Timestamp>>);

impl<K> Default for Firsts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Firsts<K> {
    /// Whether this is the first.
    pub(super) fn is_first(&self, kind: K, now: Timestamp) -> bool {
        let mut began = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = began.get(&kind).is_some_and(|began| is_open(*began, now));
        if !is_open {
            began.insert(kind, now);
        }
        !is_open
    }
}

/// Whether a window that began then goes on. A clock that went back ends it too.
fn is_open(began: Timestamp, now: Timestamp) -> bool {
    (began..began.plus_seconds(WINDOW_SECONDS)).contains(&now)
}

/// Records who was turned away before a use case was reached.
pub struct Denials {
    auditor: Arc<Auditor>,
}

impl Denials {
    pub(crate) fn new(auditor: Arc<Auditor>) -> Self {
        Self { auditor }
    }

    /// Records a refusal; says whether it is the first of its kind in a minute, which is an event of its own. One that
    /// cannot be recorded is still a refusal; the log says so.
    pub async fn record(&self, denial: Denial) -> bool {
        self.auditor.refused(denial).await
    }

    /// Records the numbers of what was counted; of all kinds when `all`, else of those whose minute is over.
    pub(crate) async fn flush(&self, all: bool) {
        self.auditor.flush_refused(all).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        sync::atomic::{AtomicI64, Ordering},
    };

    use async_trait::async_trait;

    use super::*;
    use crate::{
        ports::{
            audit_sink::{AuditError, AuditSink},
            clock::Clock,
        },
        services::pseudonyms::Pseudonyms,
    };

    #[derive(Default)]
    struct Trail(Mutex<Vec<AuditEvent>>);

    #[async_trait]
    impl AuditSink for Trail {
        async fn record(&self, event: AuditEvent) -> Result<(), AuditError> {
            self.0.lock().unwrap().push(event);
            Ok(())
        }
    }

    #[derive(Default)]
    struct TestClock(AtomicI64);

    impl Clock for TestClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    fn denials() -> (Arc<Trail>, Arc<TestClock>, Denials) {
        let (trail, clock) = (Arc::new(Trail::default()), Arc::new(TestClock::default()));
        let sink: Arc<dyn AuditSink> = Arc::<Trail>::clone(&trail);
        let auditor = Auditor::new(Arc::<TestClock>::clone(&clock), sink, Pseudonyms::new(Vec::new()));
        (trail, clock, Denials::new(Arc::new(auditor)))
    }

    fn denial(address: u32, principal: Option<&str>) -> Denial {
        let address = Some(Ipv4Addr::from_bits(address).into());
        Denial {
            operation: "access",
            principal: principal.map(str::to_owned),
            address,
            request_id: "r".into(),
            code: "access.unauthenticated",
        }
    }

    #[tokio::test]
    async fn the_first_is_told_at_once_and_the_others_by_their_number() {
        let (trail, clock, denials) = denials();
        for n in 0..1000 {
            assert_eq!(denials.record(denial(1, None)).await, n == 0);
        }
        assert!(denials.record(denial(2, None)).await);
        assert!(denials.record(denial(2, Some("clerk"))).await);
        denials.flush(false).await;
        assert_eq!(trail.0.lock().unwrap().len(), 3);
        clock.0.store(60_000, Ordering::Relaxed);
        denials.flush(false).await;
        {
            let events = trail.0.lock().unwrap();
            assert_eq!(events.len(), 4);
            assert_eq!(events[3].details.as_ref().unwrap()["count"], 999);
            assert_eq!(events[3].outcome, Outcome::Refused("access.unauthenticated"));
        }
        denials.record(denial(1, None)).await;
        denials.record(denial(1, None)).await;
        denials.flush(true).await;
        assert_eq!(trail.0.lock().unwrap().len(), 6);
    }

    #[test]
    fn the_first_of_a_kind_is_told_once_a_minute() {
        let firsts = Firsts::default();
        let at = Timestamp::from_seconds;
        for (kind, second, first) in [
            ("a", 100, true),
            ("a", 100, false),
            ("b", 100, true),
            ("a", 159, false),
            ("a", 160, true),
            ("a", 161, false),
            ("a", 30, true),
        ] {
            assert_eq!(firsts.is_first(kind, at(second)), first, "{kind} {second}");
        }
    }

    #[tokio::test]
    async fn a_flood_from_everywhere_makes_few_events_and_loses_no_count() {
        let (trail, _, denials) = denials();
        for address in 0..100_000 {
            denials.record(denial(address, None)).await;
        }
        denials.flush(true).await;
        let events = trail.0.lock().unwrap();
        assert!(events.len() <= 2 * (MAX_KINDS + 1), "{}", events.len());
        let more: u64 = events.iter().filter_map(|event| event.details.as_ref()?["count"].as_u64()).sum();
        let told = events.iter().filter(|event| event.details.is_none()).count() as u64;
        assert_eq!(told + more, 100_000);
    }
}
