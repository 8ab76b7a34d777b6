//! PKCS#11 itself: one token of one library, by blocking calls on threads of its own.
//!
//! What one must know of PKCS#11 to read this:
//! - A library is initialised once a process ([`library`]) and never finalised: others may use it too.
//! - A token is chosen by its label ([`token`]); slot numbers are not stable.
//! - Login belongs to the token, not to the session, and ends with the last session. One session, the anchor,
//!   stays open and logged in; *already logged in* is success; a refused PIN is never tried again.
//! - A session serves one thread at a time: each worker ([`workers`]) owns one, discards it after any error and
//!   opens another ([`recovery`]). Opening costs next to nothing, logging in does.
//! - Object handles are volatile: they are cached for one login ([`handles`]) and found again in the next.
//! - Tokens keep neither ids nor labels unique: a lookup that finds several objects uses none.
//! - The same return value means different things from different functions: [`return_values`] is the only place
//!   that interprets them.
//!
//! The engine mends what can be mended inside a library that works: sessions, login, handles. For the rest it says
//! [`Fault::Gone`], and whoever opened it opens another.

use std::{path::PathBuf, sync::Arc, time::Instant};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    OpenError,
    protocol::{Answer, Fault, KeyName, Login, Operation, Order, Secret},
};
use crate::domain::key::TokenKeyId;

mod capabilities;
mod curve_key;
mod generation;
mod handles;
mod kek;
mod key_wrap;
mod library;
mod listing;
mod public_key;
mod recovery;
mod retries;
mod return_values;
mod signing;
mod templates;
mod token;
mod workers;

pub(super) use capabilities::Capabilities;
pub use key_wrap::WrappingRoute;
pub(super) use key_wrap::check_length as check_wrapped_length;
use recovery::{Repeat, Worker};
use token::Token;
use workers::{Job, Workers};

/// Which token, and how to use it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct EngineSettings {
    /// What the token is called in logs.
    pub(super) name: String,
    /// The PKCS#11 library.
    pub(super) module: PathBuf,
    /// What it is given in `pReserved` of `C_Initialize`.
    pub(super) initialize_argument: Option<String>,
    /// Label of the token; exactly one token must have it, and this serial number if one is given.
    pub(super) token_label: String,
    /// Serial number of the token, where the label is not enough.
    pub(super) token_serial: Option<String>,
    /// Threads that each own a session, at least 1.
    pub(super) workers: usize,
    /// How new keys are wrapped; `None` takes the best way the token can.
    pub(super) wrapping: Option<WrappingRoute>,
    /// What an earlier engine found the token to be able to do; `None` tries it out.
    pub(super) tried_out: Option<Capabilities>,
    /// Keys that were seen on this token: unless it shows one of them, it is not opened.
    pub(super) known: Vec<KeyName>,
    /// Whether this PIN was given before and the answer is not known: it is then not given to a token that says that
    /// it has been given a wrong one.
    pub(super) is_pin_doubtful: bool,
}

/// Keys on one PKCS#11 token.
///
/// Dropping it blocks until the calls under way have ended, but not longer than a few seconds.
pub(super) struct Engine {
    // Dropped in this order: no more work, then the sessions, then the login.
    workers: Arc<Workers>,
    health: Workers,
    capabilities: Capabilities,
}

/// Is told of each login, before the token is given the PIN and after.
pub(super) type LoginWitness = Box<dyn Fn(Login) + Send + Sync>;

/// Takes an operation's outcome, on a thread of the engine.
pub(super) type Reply = Box<dyn FnOnce(Result<Answer, Fault>) + Send>;

impl Engine {
    /// Loads the library, finds the token, logs in, looks for the known keys, and tries out, with keys that live as
    /// long as a session, what the token can do. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) fn open(
        settings: &EngineSettings,
        pin: SecretString,
        witness: LoginWitness,
    ) -> Result<Self, OpenError> {
        let token = Arc::new(Token::open(settings, pin, witness)?);
        let known: Vec<_> = settings.known.iter().copied().map(TokenKeyId::from).collect();
        Worker::new(Arc::clone(&token)).check_health(&known).map_err(unusable)?;
        let capabilities = match settings.tried_out {
            Some(capabilities) => capabilities,
            None => capabilities::find(&token, settings.wrapping)?,
        };
        let start = |name, threads| {
            Workers::start(name, threads, &token)
                .map_err(|error| OpenError::Unavailable(format!("its threads cannot be started: {error}")))
        };
        Ok(Self {
            workers: Arc::new(start("kunji-token", settings.workers.max(1))?),
            health: start("kunji-health", 1)?,
            capabilities,
        })
    }

    /// What the token can do.
    pub(super) fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Has a worker carry out the order. Health checks go to a thread apart from the others' queue.
    pub(super) fn submit(&self, Order { operation, patience }: Order, reply: Reply) {
        let until = Instant::now() + patience;
        if let Operation::CheckHealth { known } = operation {
            let workers = Arc::clone(&self.workers);
            self.health.submit(Job {
                until,
                work: Box::new(move |worker| {
                    reply(worker.and_then(|worker| examine(worker, &workers, &known)));
                }),
            });
        } else {
            let capabilities = self.capabilities;
            self.workers.submit(Job {
                until,
                work: Box::new(move |worker| {
                    reply(worker.and_then(|worker| perform(worker, capabilities, operation)));
                }),
            });
        }
    }
}

fn examine(worker: &mut Worker, workers: &Workers, known: &[KeyName]) -> Result<Answer, Fault> {
    let known: Vec<_> = known.iter().copied().map(TokenKeyId::from).collect();
    worker.check_health(&known)?;
    Ok(Answer::Health { stuck: workers.stuck(Instant::now()) })
}

fn perform(worker: &mut Worker, capabilities: Capabilities, operation: Operation) -> Result<Answer, Fault> {
    let route = capabilities.wrapping;
    match operation {
        Operation::CheckHealth { .. } => Ok(Answer::Done),
        Operation::FindSigningPair { id } => {
            worker.perform(Repeat::Freely, |call| signing::find_pair(call, id.into())).map(Answer::PublicKey)
        }
        Operation::GenerateSigningPair { id, label, modulus_bits } => worker
            .perform(Repeat::OnlyIfNotDone, |call| {
                signing::generate_pair(call, capabilities, id.into(), &label, modulus_bits)
            })
            .map(|key| Answer::PublicKey(Some(key))),
        Operation::GenerateCurvePair { id, label, curve } => worker
            .perform(Repeat::OnlyIfNotDone, |call| {
                signing::generate_curve_pair(call, capabilities, id.into(), &label, curve)
            })
            .map(|key| Answer::PublicKey(Some(key))),
        Operation::Sign { id, algorithm, input } => worker
            .perform(Repeat::Freely, |call| signing::sign(call, id.into(), algorithm, &input))
            .map(Answer::Bytes),
        Operation::GenerateKek { id, label } => worker
            .perform(Repeat::OnlyIfNotDone, |call| kek::generate(call, capabilities, id.into(), &label))
            .map(|()| Answer::Done),
        Operation::HasKek { id } => {
            worker.perform(Repeat::Freely, |call| kek::exists(call, route, id.into())).map(Answer::Flag)
        }
        Operation::Wrap { kek, context, secret } => worker
            .perform(Repeat::Freely, |call| {
                key_wrap::wrap(call, route, kek.into(), &context, secret.expose())
            })
            .map(Answer::Bytes),
        Operation::Unwrap { kek, context, wrapped } => worker
            .perform(Repeat::Freely, |call| key_wrap::unwrap(call, kek.into(), &context, &wrapped))
            .map(|secret: Zeroizing<Vec<u8>>| Answer::Secret(Secret::new(secret))),
        Operation::WasMadeAs { id, label } => worker
            .perform(Repeat::Freely, |call| generation::was_made_as(call, id.into(), &label))
            .map(Answer::Flag),
        Operation::ListObjects { after } => {
            worker.perform(Repeat::Freely, |call| listing::list(call, route, after.map(TokenKeyId::from)))
        }
        Operation::Destroy { id, labels } => worker
            .perform(Repeat::Freely, |call| generation::destroy_made(call, id.into(), &labels))
            .map(|()| Answer::Done),
    }
}

/// What a token that fails its first health check is to whoever opens it.
fn unusable(fault: Fault) -> OpenError {
    match fault {
        Fault::PinRefused(answer) => OpenError::PinRefused(answer),
        Fault::Gone(cause) | Fault::Failed(cause) | Fault::Unsupported(cause) => {
            OpenError::Unavailable(cause)
        }
        other => OpenError::Unavailable(format!("{other:?}")),
    }
}
