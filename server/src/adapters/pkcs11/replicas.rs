//! Several tokens with the same keys.
//!
//! - An operation that changes nothing goes to the first token, in the order of the settings, that is there, has the
//!   key, and has not been lost lately; when it is not available there, to the next. A token that is away costs
//!   nothing: its link knows.
//! - Keys are made on the primary alone, and copied by the vendor's means. Nothing here copies a key.
//! - Each token is asked for the keys that the records name before it is used, and again whenever they are said; see
//!   [`super::link`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use super::{
    OpenError, Pkcs11Settings,
    link::{Expected, Link, RETURN_PATIENCE},
    protocol::{Answer, KeyName, Operation},
};
use crate::{
    domain::key::{KnownKey, TokenKeyId},
    ports::key_store::{KeyStoreError, TokenCondition, TokenState, TokenView},
};

/// Longest time that the state of one token may take to find out.
const EXAMINATION_PATIENCE: Duration = Duration::from_millis(2500);
/// How long a new key may take to appear on a clone before its maker is told to wait, and how often it is looked for:
/// some clone by themselves, within a moment.
const CLONING_PATIENCE: Duration = Duration::from_secs(2);
const CLONING_PAUSE: Duration = Duration::from_millis(100);

/// One token or more, the primary first.
pub(super) struct Replicas {
    primary: Replica,
    /// After the primary, in the order in which they are preferred.
    others: Vec<Replica>,
    expected: Arc<Expected>,
    /// Which token was preferred last, for the log.
    preferred: AtomicUsize,
}

struct Replica {
    name: String,
    link: Link,
}

impl Replica {
    fn watch(settings: Pkcs11Settings, expected: &Arc<Expected>) -> Self {
        Self { name: settings.name.clone(), link: Link::watch(settings, Arc::clone(expected)) }
    }
}

impl Replicas {
    /// One token.
    ///
    /// # Errors
    /// [`OpenError`] when it cannot be opened.
    pub(super) async fn one(settings: Pkcs11Settings) -> Result<Self, OpenError> {
        let expected = Arc::new(Expected::new());
        let name = settings.name.clone();
        let link = Link::open(settings, Arc::clone(&expected)).await?;
        Ok(Self::with(Replica { name, link }, Vec::new(), expected))
    }

    /// A primary and others.
    ///
    /// # Errors
    /// [`OpenError`] when none can be opened at the first attempt.
    pub(super) async fn several(
        primary: Pkcs11Settings,
        others: Vec<Pkcs11Settings>,
    ) -> Result<Self, OpenError> {
        let expected = Arc::new(Expected::new());
        let primary = Replica::watch(primary, &expected);
        let others = others.into_iter().map(|settings| Replica::watch(settings, &expected)).collect();
        let replicas = Self::with(primary, others, expected);
        let openings: Vec<_> = replicas
            .all()
            .map(async |Replica { name, link }| {
                link.first_opening().await.map_err(|cause| format!("{name}: {cause}"))
            })
            .collect();
        let causes: Vec<_> = join_all(openings).await.into_iter().filter_map(Result::err).collect();
        if replicas.all().any(|replica| replica.link.is_there()) {
            Ok(replicas)
        } else {
            Err(OpenError::Unavailable(causes.join("; ")))
        }
    }

    fn with(primary: Replica, others: Vec<Replica>, expected: Arc<Expected>) -> Self {
        Self { primary, others, expected, preferred: AtomicUsize::new(0) }
    }

    fn all(&self) -> impl Iterator<Item = &Replica> {
        [&self.primary].into_iter().chain(&self.others)
    }

    /// What the tokens are called.
    pub(super) fn names(&self) -> Vec<&str> {
        self.all().map(|replica| replica.name.as_str()).collect()
    }

    /// Has a token carry out an operation that changes nothing and needs this key.
    ///
    /// # Errors
    /// Of the token that was asked first, when none has done it.
    pub(super) async fn perform(
        &self,
        key: KeyName,
        make: impl Fn() -> Operation,
    ) -> Result<Answer, KeyStoreError> {
        if self.others.is_empty() {
            return self.perform_on_primary(make).await;
        }
        let order = self.order(key);
        let mut failure = None;
        for (place, replica) in order.iter().enumerate() {
            // Only the last has nobody to take over from it while it recovers.
            let patience = if place + 1 == order.len() { RETURN_PATIENCE } else { Duration::ZERO };
            match replica.link.perform(&make, patience).await {
                Err(error) if calls_for_another(&error) => failure.get_or_insert(error),
                answer => return answer,
            };
        }
        Err(failure.unwrap_or_else(|| self.none_serves()))
    }

    /// Has the primary carry out an operation.
    ///
    /// # Errors
    /// As [`Link::perform`].
    pub(super) async fn perform_on_primary(
        &self,
        make: impl Fn() -> Operation,
    ) -> Result<Answer, KeyStoreError> {
        self.primary.link.perform(make, RETURN_PATIENCE).await
    }

    /// The tokens to ask, one after the other: those that have been there for a while first.
    fn order(&self, key: KeyName) -> Vec<&Replica> {
        let mut order: Vec<_> = self
            .all()
            .enumerate()
            .filter(|(_, replica)| replica.link.is_there())
            .map(|(place, replica)| (!replica.link.is_settled(), place, replica))
            .collect();
        order.sort_by_key(|(is_unsettled, place, _)| (*is_unsettled, *place));
        if let Some((_, place, replica)) = order.first()
            && self.preferred.swap(*place, Ordering::Relaxed) != *place
        {
            tracing::warn!(token = replica.name, "operations go to another token now");
        }
        order.into_iter().map(|(_, _, replica)| replica).filter(|replica| replica.link.serves(key)).collect()
    }

    fn none_serves(&self) -> KeyStoreError {
        let states = self.all().map(|replica| format!("{}: {:?}", replica.name, replica.link.condition()));
        KeyStoreError::Unavailable(format!(
            "no token has the key ({})",
            states.collect::<Vec<_>>().join(", ")
        ))
    }

    /// Has each token examined now.
    pub(super) async fn examine(&self) -> Vec<TokenState> {
        let states = self.all().map(async |Replica { name, link }| {
            let answers = matches!(timeout(EXAMINATION_PATIENCE, link.check_health()).await, Ok(Ok(())));
            let condition = match link.condition() {
                // It may have come back since, or just not answered in time.
                TokenCondition::Ready | TokenCondition::Incomplete if !answers => TokenCondition::Unavailable,
                known => known,
            };
            TokenState { name: name.clone(), condition }
        });
        join_all(states.collect::<Vec<_>>()).await
    }

    /// Has each token examined now.
    ///
    /// # Errors
    /// [`KeyStoreError::Unavailable`] when none is there.
    pub(super) async fn check_health(&self) -> Result<(), KeyStoreError> {
        let checks: Vec<_> = self.all().map(|replica| replica.link.check_health()).collect();
        let mut failure = Ok(());
        for outcome in join_all(checks).await {
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) => failure = failure.and(Err(error)),
            }
        }
        failure
    }

    /// Has every token that is there show these keys. Each that is opened from now on does so first.
    ///
    /// # Errors
    /// [`KeyStoreError::Foreign`] when none has shown them and one has others;
    /// [`KeyStoreError::Unavailable`] when none could be asked.
    pub(super) async fn recognise(&self, keys: Vec<KnownKey>) -> Result<(), KeyStoreError> {
        self.expected.replace(keys);
        let recognitions: Vec<_> = self.all().map(|replica| replica.link.recognise()).collect();
        let outcomes = join_all(recognitions).await;
        if outcomes.iter().any(Result::is_ok) {
            return Ok(());
        }
        let (mut foreign, mut causes) = (false, Vec::new());
        for (replica, error) in self.all().zip(outcomes.into_iter().filter_map(Result::err)) {
            foreign |= matches!(error, KeyStoreError::Foreign(_));
            let (KeyStoreError::Foreign(cause) | KeyStoreError::Unavailable(cause)) = error else { continue };
            causes.push(format!("{}: {cause}", replica.name));
        }
        let causes = causes.join("; ");
        Err(if foreign { KeyStoreError::Foreign(causes) } else { KeyStoreError::Unavailable(causes) })
    }

    /// What each token has under the ids of these keys now, the primary first.
    pub(super) async fn show(&self, keys: &[KnownKey]) -> Vec<TokenView> {
        let views = self.all().map(async |Replica { name, link }| TokenView {
            name: name.clone(),
            keys: match link.condition() {
                TokenCondition::Refused => Err("its keys are not ours".to_owned()),
                _ => link.view(keys).await,
            },
        });
        join_all(views.collect::<Vec<_>>()).await
    }

    /// Waits a moment until every token has this key, which is expected of them from then on.
    ///
    /// # Errors
    /// [`KeyStoreError::Incomplete`] names those that have it not.
    pub(super) async fn confirm(&self, key: KnownKey) -> Result<(), KeyStoreError> {
        let begun = Instant::now();
        loop {
            let shown = self.all().map(async |Replica { name, link }| {
                link.shows(&key).await.map_err(|cause| format!("{name}: {cause}"))
            });
            let shown = join_all(shown.collect::<Vec<_>>()).await;
            let lacking: Vec<_> = shown.into_iter().filter_map(Result::err).collect();
            if lacking.is_empty() {
                self.expected.add(key);
                return Ok(());
            }
            if begun.elapsed() >= CLONING_PATIENCE {
                return Err(KeyStoreError::Incomplete(format!("{}: {}", key.label, lacking.join("; "))));
            }
            sleep(CLONING_PAUSE).await;
        }
    }

    /// Has every token destroy a key, which is expected of none from then on.
    ///
    /// # Errors
    /// [`KeyStoreError::Ambiguous`]; [`KeyStoreError::Lasting`] names the tokens that may still have it.
    pub(super) async fn destroy(
        &self,
        key: TokenKeyId,
        make: impl Fn() -> Operation,
    ) -> Result<(), KeyStoreError> {
        self.expected.forget(key);
        let mut lasting = Vec::new();
        for Replica { name, link } in self.all() {
            link.forget(key.into());
            match link.perform(&make, RETURN_PATIENCE).await {
                Ok(_) => {}
                Err(KeyStoreError::Ambiguous) => return Err(KeyStoreError::Ambiguous),
                Err(error) => lasting.push(format!("{name}: {error}")),
            }
        }
        if lasting.is_empty() { Ok(()) } else { Err(KeyStoreError::Lasting(lasting.join("; "))) }
    }
}

/// Whether another token may do what this one has not. A key that this one lacks, the other may have.
fn calls_for_another(error: &KeyStoreError) -> bool {
    matches!(error, KeyStoreError::Unavailable(_) | KeyStoreError::Busy | KeyStoreError::NotFound)
}
