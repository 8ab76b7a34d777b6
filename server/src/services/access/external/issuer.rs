//! An external issuer and the keys that it publishes.

use std::sync::{
    Arc, RwLock,
    atomic::{AtomicU64, Ordering},
};

use serde::Deserialize;

use super::{ExternalIssuerSettings, key_set::KeySet, unpoisoned};
use crate::{
    domain::{time::Timestamp, web::readable_url},
    ports::{
        clock::Clock,
        document_fetcher::{DocumentFetcher, FetchError},
    },
};

/// Age at which keys are read again without need.
const FRESH_SECONDS: i64 = 300;
/// Shortest time between two readings, whatever is asked for.
const PAUSE_SECONDS: i64 = 10;
/// Age up to which keys are used when they cannot be read again.
const USABLE_SECONDS: i64 = 86_400;

/// An external issuer.
pub(super) struct Issuer {
    pub(super) settings: ExternalIssuerSettings,
    clock: Arc<dyn Clock>,
    fetcher: Arc<dyn DocumentFetcher>,
    state: RwLock<State>,
    /// The generation of the keys in there, to be looked at without waiting for anybody.
    generation: AtomicU64,
    /// Held while the keys are read.
    reading: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    keys: Option<Keys>,
    read_at: Timestamp,
    tried_at: Option<Timestamp>,
}

/// The keys at one time.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) set: Arc<KeySet>,
    /// Another one whenever a key went.
    pub(super) generation: u64,
}

/// Why the keys are not known.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the metadata are no document of OpenID Connect Discovery")]
    Metadata,
    #[error("the metadata are of another issuer")]
    OtherIssuer,
    #[error("the metadata send to another origin for the keys; if that is right, set key_set_url")]
    OtherOrigin,
    #[error("the document has no key that verifies signatures")]
    NoKeys,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    pub(super) fn new(
        settings: ExternalIssuerSettings,
        clock: Arc<dyn Clock>,
        fetcher: Arc<dyn DocumentFetcher>,
    ) -> Self {
        let (state, generation) = (RwLock::default(), AtomicU64::new(0));
        Self { settings, clock, fetcher, state, generation, reading: Arc::default() }
    }

    /// Whether what the keys of this generation verified still counts.
    pub(super) fn is_current(&self, generation: u64, now: Timestamp) -> bool {
        self.usable(now).is_some_and(|keys| keys.generation == generation)
    }

    /// Whether no key went since this generation.
    pub(super) fn is_of(&self, generation: u64) -> bool {
        self.generation.load(Ordering::Acquire) == generation
    }

    fn usable(&self, now: Timestamp) -> Option<Keys> {
        let state = unpoisoned(self.state.read());
        let usable = now < state.read_at.plus_seconds(USABLE_SECONDS);
        state.keys.clone().filter(|_| usable)
    }

    /// The keys; read again when there is none of this id, but not too often.
    pub(super) async fn keys_for(self: &Arc<Self>, kid: Option<&str>, now: Timestamp) -> Option<Keys> {
        let known = self.usable(now);
        let missing = known.as_ref().is_none_or(|keys| kid.is_some_and(|kid| !keys.set.has(kid)));
        if missing {
            // In a task of its own: a caller that hangs up must not leave it undone.
            let issuer = Arc::clone(self);
            let reading = tokio::spawn(async move { issuer.refresh(PAUSE_SECONDS).await });
            let _ = reading.await;
        }
        self.usable(self.clock.now())
    }

    /// Begins to read the keys, if they are not fresh; nobody waits for it.
    pub(super) fn refresh_if_due(self: &Arc<Self>) {
        let now = self.clock.now();
        let (fresh, tried) = {
            let state = unpoisoned(self.state.read());
            let fresh = state.keys.is_some() && is_within(state.read_at, FRESH_SECONDS, now);
            (fresh, state.tried_at.is_some_and(|at| is_within(at, PAUSE_SECONDS, now)))
        };
        if !fresh && !tried && self.reading.try_lock().is_ok() {
            let issuer = Arc::clone(self);
            tokio::spawn(async move { issuer.refresh(PAUSE_SECONDS).await });
        }
    }

    /// Reads the keys, unless that was tried within the last `pause` seconds. One task at a time reads; those that
    /// wait find what it read.
    async fn refresh(&self, pause: i64) {
        let _reading = self.reading.lock().await;
        let now = self.clock.now();
        {
            let mut state = unpoisoned(self.state.write());
            if state.tried_at.is_some_and(|at| is_within(at, pause, now)) {
                return;
            }
            state.tried_at = Some(now);
        }
        match self.read().await {
            Ok(set) => self.keep(set, now),
            Err(error) => {
                let issuer = &self.settings.name;
                if self.usable(now).is_some() {
                    tracing::warn!(%issuer, %error, "the issuer's keys could not be read again; those known are used on");
                } else {
                    tracing::error!(%issuer, %error, "the issuer's keys could not be read; its tokens are refused");
                }
            }
        }
    }

    fn keep(&self, set: KeySet, now: Timestamp) {
        let mut state = unpoisoned(self.state.write());
        let before = state.keys.as_ref();
        if before.is_none_or(|keys| *keys.set != set) {
            let generation = match before {
                None => 1,
                Some(keys) if set.has_all_of(&keys.set) => keys.generation,
                Some(keys) => keys.generation.wrapping_add(1),
            };
            state.keys = Some(Keys { set: Arc::new(set), generation });
            self.generation.store(generation, Ordering::Release);
            tracing::info!(issuer = %self.settings.name, "the issuer has new keys");
        }
        state.read_at = now;
    }

    async fn read(&self) -> Result<KeySet, ReadError> {
        let url = match &self.settings.key_set_url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        KeySet::parse(&self.fetcher.fetch(&url).await?).ok_or(ReadError::NoKeys)
    }

    /// Where the keys are (OpenID Connect Discovery 1.0, 4).
    async fn discover(&self) -> Result<String, ReadError> {
        let issuer = &self.settings.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let metadata: Metadata =
            serde_json::from_slice(&self.fetcher.fetch(&url).await?).map_err(|_| ReadError::Metadata)?;
        if metadata.issuer != *issuer {
            return Err(ReadError::OtherIssuer);
        }
        let origin = |text: &str| readable_url(text).map(|url| url.origin());
        match (origin(&metadata.jwks_uri), origin(issuer)) {
            (Some(found), Some(own)) if found == own => Ok(metadata.jwks_uri),
            _ => Err(ReadError::OtherOrigin),
        }
    }
}

/// Whether `at` is at most `seconds` before `now`; not when it is after it, as it is once the clock was set back.
fn is_within(at: Timestamp, seconds: i64, now: Timestamp) -> bool {
    at <= now && now < at.plus_seconds(seconds)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::{
            Mutex,
            atomic::{AtomicI64, Ordering},
        },
    };

    use async_trait::async_trait;

    use super::*;

    const ISSUER: &str = "https://id.example/realms/r";
    const METADATA: &str = "https://id.example/realms/r/.well-known/openid-configuration";
    const KEYS: &str = "https://id.example/keys";

    /// Documents by their address, and how often each was asked for.
    #[derive(Default)]
    struct Web {
        documents: Mutex<HashMap<String, String>>,
        asked: Mutex<HashMap<String, u32>>,
    }

    impl Web {
        fn put(&self, url: &str, document: impl Into<String>) {
            self.documents.lock().unwrap().insert(url.to_owned(), document.into());
        }

        fn asked(&self, url: &str) -> u32 {
            self.asked.lock().unwrap().get(url).copied().unwrap_or_default()
        }
    }

    #[async_trait]
    impl DocumentFetcher for Web {
        async fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError> {
            *self.asked.lock().unwrap().entry(url.to_owned()).or_default() += 1;
            let documents = self.documents.lock().unwrap();
            documents.get(url).map(|text| text.clone().into_bytes()).ok_or(FetchError::Status(404))
        }
    }

    struct Time(AtomicI64);

    impl Clock for Time {
        fn now(&self) -> Timestamp {
            Timestamp::from_seconds(self.0.load(Ordering::SeqCst))
        }
    }

    fn key_set(kids: &[&str]) -> String {
        let key = |kid: &&str| {
            format!(
                "{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"{kid}\",\
                 \"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}}"
            )
        };
        format!("{{\"keys\":[{}]}}", kids.iter().map(key).collect::<Vec<_>>().join(","))
    }

    fn metadata(issuer: &str, keys: &str) -> String {
        format!("{{\"issuer\":\"{issuer}\",\"jwks_uri\":\"{keys}\",\"other\":[]}}")
    }

    fn issuer(key_set_url: Option<&str>) -> (Arc<Issuer>, Arc<Web>, Arc<Time>) {
        let (web, time) = (Arc::new(Web::default()), Arc::new(Time(AtomicI64::new(1_000_000))));
        let settings = ExternalIssuerSettings {
            name: "keycloak".into(),
            issuer: ISSUER.to_owned(),
            key_set_url: key_set_url.map(str::to_owned),
            audiences: vec![],
            algorithms: vec![],
            role_claims: vec![],
            roles: std::collections::BTreeMap::new(),
            name_claim: String::new(),
            name_prefix: String::new(),
            leeway_seconds: 0,
        };
        let (clock, fetcher) = (Arc::<Time>::clone(&time), Arc::<Web>::clone(&web));
        (Arc::new(Issuer::new(settings, clock, fetcher)), web, time)
    }

    async fn has(issuer: &Arc<Issuer>, kid: &str) -> bool {
        let keys = issuer.keys_for(Some(kid), issuer.clock.now()).await;
        keys.is_some_and(|keys| keys.set.has(kid))
    }

    #[tokio::test]
    async fn keys_are_found_through_the_metadata_of_the_issuer_itself() {
        let (issuer, web, time) = issuer(None);
        assert!(!has(&issuer, "a").await);
        let later = || time.0.fetch_add(PAUSE_SECONDS, Ordering::SeqCst);
        web.put(KEYS, key_set(&["a"]));
        for document in [
            "no JSON".to_owned(),
            metadata("https://id.example/realms/other", KEYS),
            metadata(ISSUER, "https://evil.example/keys"),
            metadata(ISSUER, "http://id.example/keys"),
            metadata(ISSUER, "https://id.example:444/keys"),
            metadata(ISSUER, "file:///keys"),
        ] {
            web.put(METADATA, document);
            later();
            assert!(!has(&issuer, "a").await);
        }
        assert_eq!(web.asked(KEYS), 0, "keys were looked for elsewhere");
        web.put(METADATA, metadata(ISSUER, KEYS));
        later();
        assert!(has(&issuer, "a").await);
    }

    #[tokio::test]
    async fn an_unknown_key_is_looked_for_but_not_too_often() {
        let (issuer, web, time) = issuer(Some(KEYS));
        web.put(KEYS, key_set(&["a"]));
        assert!(has(&issuer, "a").await);
        web.put(KEYS, key_set(&["a", "b"]));
        for _ in 0..100 {
            assert!(!has(&issuer, "b").await);
        }
        assert_eq!(web.asked(KEYS), 1);
        time.0.fetch_add(PAUSE_SECONDS, Ordering::SeqCst);
        assert!(has(&issuer, "b").await);
        assert_eq!((web.asked(KEYS), web.asked(METADATA)), (2, 0));
    }

    #[tokio::test]
    async fn known_keys_are_used_through_an_outage_of_a_day() {
        let (issuer, web, time) = issuer(Some(KEYS));
        web.put(KEYS, key_set(&["a"]));
        assert!(has(&issuer, "a").await);
        let generation = issuer.usable(issuer.clock.now()).unwrap().generation;
        web.documents.lock().unwrap().clear();
        time.0.fetch_add(USABLE_SECONDS - 1, Ordering::SeqCst);
        assert!(has(&issuer, "a").await && issuer.is_current(generation, issuer.clock.now()));
        time.0.fetch_add(1, Ordering::SeqCst);
        assert!(!has(&issuer, "a").await && !issuer.is_current(generation, issuer.clock.now()));
        web.put(KEYS, key_set(&["a"]));
        time.0.fetch_add(PAUSE_SECONDS, Ordering::SeqCst);
        assert!(has(&issuer, "a").await);
    }

    #[tokio::test]
    async fn a_key_that_is_withdrawn_ends_what_it_verified() {
        let (issuer, web, time) = issuer(Some(KEYS));
        web.put(KEYS, key_set(&["a", "b"]));
        assert!(has(&issuer, "a").await);
        let now = || issuer.clock.now();
        let generation = issuer.usable(now()).unwrap().generation;
        time.0.fetch_add(FRESH_SECONDS, Ordering::SeqCst);
        issuer.refresh(PAUSE_SECONDS).await;
        assert!(issuer.is_current(generation, now()), "nothing changed");
        web.put(KEYS, key_set(&["b"]));
        time.0.fetch_add(FRESH_SECONDS, Ordering::SeqCst);
        issuer.refresh(PAUSE_SECONDS).await;
        assert!(!issuer.is_current(generation, now()) && !has(&issuer, "a").await);
        assert!(!issuer.is_of(generation));
        // One that comes ends nothing.
        let generation = issuer.usable(now()).unwrap().generation;
        web.put(KEYS, key_set(&["c", "b"]));
        time.0.fetch_add(FRESH_SECONDS, Ordering::SeqCst);
        issuer.refresh(PAUSE_SECONDS).await;
        assert!(has(&issuer, "c").await && issuer.is_current(generation, now()) && issuer.is_of(generation));
    }
}
