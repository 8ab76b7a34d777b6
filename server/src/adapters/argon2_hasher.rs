//! Hashes of client secrets: Argon2id.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _,
    Version,
    password_hash::phc::{Output, ParamsString, Salt},
};
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::ports::{
    entropy::Entropy,
    secret_hasher::{SecretHashError, SecretHasher},
};

/// [`SecretHasher`] by Argon2id version 19 (RFC 9106), tags of 32 bytes, salts of 16.
///
/// New hashes take 19 MiB of memory, 2 passes and 1 lane: the least that OWASP's password storage guide
/// advises. RFC 9106's second choice (64 MiB, 3 passes, 4 lanes) is made for passwords that people choose;
/// the secrets here are random as a rule, and every token request pays, in memory and in time that
/// decryption could use. The memory is not wiped after use: the second pass overwrites what the first made of
/// the secret, so that what is left is no quicker way to test guesses than the hash itself.
///
/// A hash that is checked says itself what it costs; one that asks for more than [`MAX_MEMORY_KIB`],
/// [`MAX_PASSES`] or [`MAX_LANES`] is refused, so that a tampered row cannot exhaust the machine.
pub struct Argon2Hasher {
    entropy: Arc<dyn Entropy>,
    /// A hash that no secret is behind.
    decoy: Arc<str>,
    /// What the threads that compute hashes take their work from.
    work: mpsc::Sender<Work>,
    /// One permit for each hash that is computed or waited for.
    admitted: Arc<Semaphore>,
}

type Work = Box<dyn FnOnce() + Send>;

impl Argon2Hasher {
    /// A hasher that computes up to `concurrency` hashes at once (at least one), each on a thread of its own that
    /// stays: an allocator keeps the 19 MiB of a hash with the thread that freed them, so that ever new threads
    /// would take ever more memory.
    ///
    /// # Errors
    /// [`SecretHashError::Failed`] when `entropy` gives nothing or no thread can be started.
    pub fn new(entropy: Arc<dyn Entropy>, concurrency: usize) -> Result<Self, SecretHashError> {
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS - MAX_WAITING);
        let (work, waiting) = mpsc::channel::<Work>();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..concurrency {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new()
                .name(format!("argon2-{number}"))
                .spawn(move || compute(&waiting))
                .map_err(|_| SecretHashError::Failed)?;
        }
        Ok(Self {
            decoy: decoy(entropy.as_ref())?.into(),
            entropy,
            work,
            admitted: Arc::new(Semaphore::new(concurrency + MAX_WAITING)),
        })
    }

    /// Runs `work` off the async threads when its turn comes. The permit goes with the work: dropping the
    /// future frees no room before the work has ended.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, SecretHashError> + Send + 'static,
    ) -> Result<T, SecretHashError> {
        let admitted: OwnedSemaphorePermit =
            Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| SecretHashError::Busy)?;
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move || {
            let result = work();
            drop(admitted);
            // Nobody may be waiting any more.
            let _ = answer.send(result);
        });
        self.work.send(work).map_err(|_| SecretHashError::Failed)?;
        answered.await.map_err(|_| SecretHashError::Failed)?
    }
}

#[async_trait]
impl SecretHasher for Argon2Hasher {
    async fn hash(&self, secret: SecretString) -> Result<String, SecretHashError> {
        let salt = random::<SALT_BYTES>(self.entropy.as_ref())?;
        self.run(move || {
            let secret = secret.expose_secret().as_bytes();
            argon2(PARAMS)
                .hash_password_with_salt(secret, &salt)
                .map(|hash| hash.to_string())
                .map_err(|_| SecretHashError::Failed)
        })
        .await
    }

    async fn verify(&self, secret: SecretString, hash: Option<String>) -> Result<bool, SecretHashError> {
        let decoy = Arc::clone(&self.decoy);
        self.run(move || {
            let secret = secret.expose_secret().as_bytes();
            // No short cut: the decoy is computed in full even though the answer is known.
            let fits = verify(secret, hash.as_deref().unwrap_or(&decoy))?;
            Ok(fits && hash.is_some())
        })
        .await
    }
}

/// What each thread does until the hasher is gone.
fn compute(waiting: &Mutex<mpsc::Receiver<Work>>) {
    loop {
        // The lock is held only while waiting, never while computing.
        let work = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match work {
            Ok(work) => work(),
            Err(mpsc::RecvError) => return,
        }
    }
}

/// Most memory that a hash may ask for, in KiB: RFC 9106's second choice.
pub const MAX_MEMORY_KIB: u32 = 64 * 1024;
/// Most passes that a hash may ask for.
pub const MAX_PASSES: u32 = 8;
/// Most lanes that a hash may ask for.
pub const MAX_LANES: u32 = 4;

/// Callers that may wait before more are refused.
const MAX_WAITING: usize = 64;
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 32;
const PARAMS: Params = Params::DEFAULT;
// The crate's defaults are the choice argued above; this fails to compile should they ever change.
const _: () = assert!(PARAMS.m_cost() == 19 * 1024 && PARAMS.t_cost() == 2 && PARAMS.p_cost() == 1);

fn argon2(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Whether `secret` is behind the PHC string `hash`; compared in constant time.
fn verify(secret: &[u8], hash: &str) -> Result<bool, SecretHashError> {
    let hash = PasswordHash::new(hash).map_err(|_| SecretHashError::Failed)?;
    let params = Params::try_from(&hash).map_err(|_| SecretHashError::Failed)?;
    let bounded = hash.algorithm == ARGON2ID_IDENT
        && params.m_cost() <= MAX_MEMORY_KIB
        && params.t_cost() <= MAX_PASSES
        && params.p_cost() <= MAX_LANES;
    if !bounded {
        return Err(SecretHashError::Failed);
    }
    match argon2(params).verify_password(secret, &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(SecretHashError::Failed),
    }
}

/// A PHC string of the same cost as a new hash, with a random tag.
fn decoy(entropy: &dyn Entropy) -> Result<String, SecretHashError> {
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&PARAMS).map_err(|_| SecretHashError::Failed)?,
        salt: Some(Salt::new(&random::<SALT_BYTES>(entropy)?).map_err(|_| SecretHashError::Failed)?),
        hash: Some(Output::new(&random::<TAG_BYTES>(entropy)?).map_err(|_| SecretHashError::Failed)?),
    };
    Ok(hash.to_string())
}

fn random<const BYTES: usize>(entropy: &dyn Entropy) -> Result<[u8; BYTES], SecretHashError> {
    let mut bytes = [0; BYTES];
    entropy.fill(&mut bytes).map_err(|_| SecretHashError::Failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::{adapters::system_entropy::SystemEntropy, ports::entropy::EntropyError};

    struct NoEntropy;

    impl Entropy for NoEntropy {
        fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError)
        }
    }

    fn hasher(concurrency: usize) -> Argon2Hasher {
        Argon2Hasher::new(Arc::new(SystemEntropy), concurrency).unwrap()
    }

    #[tokio::test]
    async fn secret_verifies_against_its_own_hash_only() {
        let hasher = hasher(2);
        let hash = hasher.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("wrong horse".into(), Some(hash.clone())).await.unwrap());
        assert_ne!(hasher.hash("correct horse".into()).await.unwrap(), hash);
    }

    /// From the tests of the reference implementation (`phc-winner-argon2`, `src/test.c`).
    #[tokio::test]
    async fn hashes_made_elsewhere_at_other_costs_verify() {
        for hash in [
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        ] {
            assert!(hasher(1).verify("password".into(), Some(hash.to_owned())).await.unwrap());
        }
    }

    #[tokio::test]
    async fn unknown_client_costs_a_computation_and_never_verifies() {
        let hasher = hasher(1);
        assert!(!hasher.verify("anything".into(), None).await.unwrap());
        let decoy = PasswordHash::new(&hasher.decoy).unwrap();
        assert_eq!(Params::try_from(&decoy).unwrap().m_cost(), PARAMS.m_cost());
        assert_eq!(decoy.hash.unwrap().len(), TAG_BYTES);
    }

    #[tokio::test]
    async fn tampered_hash_cannot_ask_for_the_machine() {
        let hasher = hasher(1);
        let hash = hasher.hash("secret".into()).await.unwrap();
        for (from, to) in [
            ("m=19456", "m=65537"),
            ("m=19456", "m=4294967295"),
            ("t=2", "t=9"),
            ("p=1", "p=5"),
            ("argon2id", "argon2i"),
            ("argon2id", "scrypt"),
            ("$argon2id", ""),
        ] {
            let tampered = hash.replace(from, to);
            assert_ne!(tampered, hash);
            let result = hasher.verify("secret".into(), Some(tampered)).await;
            assert!(matches!(result, Err(SecretHashError::Failed)), "{to}");
        }
    }

    #[tokio::test]
    async fn one_runs_the_allowed_number_waits_and_the_next_is_refused() {
        let hasher = hasher(1);
        let (release, released) = mpsc::channel::<()>();
        let mut runs = vec![
            hasher
                .run(move || {
                    released.recv().ok();
                    Ok(())
                })
                .boxed(),
        ];
        assert!(runs[0].as_mut().now_or_never().is_none());
        for _ in 0..MAX_WAITING {
            let mut waiting = hasher.run(|| Ok(())).boxed();
            assert!(waiting.as_mut().now_or_never().is_none());
            runs.push(waiting);
        }
        assert!(matches!(hasher.verify("s".into(), None).await, Err(SecretHashError::Busy)));
        release.send(()).unwrap();
        for result in futures_util::future::join_all(runs).await {
            result.unwrap();
        }
        assert!(!hasher.verify("s".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn no_randomness_no_hash() {
        assert!(matches!(Argon2Hasher::new(Arc::new(NoEntropy), 1), Err(SecretHashError::Failed)));
    }
}
