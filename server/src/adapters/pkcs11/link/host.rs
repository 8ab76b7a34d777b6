//! Where an engine runs.

use std::sync::Arc;

use tokio::{
    sync::{Mutex, oneshot},
    task::JoinHandle,
    time::timeout,
};

use super::{
    super::{
        Isolation, OpenError,
        child::Process,
        engine::{Capabilities, Engine, EngineSettings},
        protocol::{Answer, Fault, Order},
    },
    GivenPin,
};

/// An engine that is open. Dropping one of this process blocks until its calls under way have ended, for a few
/// seconds at most: left to a thread, its sessions would be closed while the process ends, which crashes SoftHSM.
pub(super) enum Host {
    /// On threads of this process.
    Here(Engine, Arc<GivenPin>),
    /// In a child process.
    Child(Process),
}

impl Host {
    /// Carries out the order, within its patience.
    pub(super) async fn perform(&self, order: Order) -> Result<Answer, Fault> {
        match self {
            Self::Here(engine, _) => perform(engine, order).await,
            Self::Child(process) => process.perform(order).await,
        }
    }

    /// Waits until no login has its answer due. Calls of threads go on after their end anyway.
    pub(super) async fn login_answered(&self) {
        if let Self::Child(process) = self {
            process.login_answered().await;
        }
    }

    /// Whether [`Host::kill`] ends what is under way.
    pub(super) fn can_be_killed(&self) -> bool {
        matches!(self, Self::Child(_))
    }

    /// Ends it without regard to what is under way.
    pub(super) fn kill(&self) {
        match self {
            Self::Child(process) => process.kill(),
            Self::Here(_, pin) => pin.abandon(),
        }
    }
}

async fn perform(engine: &Engine, order: Order) -> Result<Answer, Fault> {
    let patience = order.patience;
    let (reply, answer) = oneshot::channel();
    engine.submit(
        order,
        // Nobody may be waiting any more; the result is then dropped, secrets overwritten.
        Box::new(move |outcome| drop(reply.send(outcome))),
    );
    match timeout(patience, answer).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Fault::Failed("the call failed within this process".to_owned())),
        Err(_) => Err(Fault::Expired),
    }
}

/// Opens engines, one after the other.
pub(super) struct Opener {
    isolation: Isolation,
    /// An opening on a thread of this process that has outlasted its caller. Another beside it would hang as well.
    pending: Mutex<Option<JoinHandle<Opened>>>,
}

type Opened = Result<(Host, Capabilities), OpenError>;

impl Opener {
    pub(super) fn new(isolation: Isolation) -> Self {
        Self { isolation, pending: Mutex::new(None) }
    }

    /// Opens one. Dropped before its end, it leaves at most one thread behind, and no process.
    pub(super) async fn open(&self, settings: EngineSettings, pin: Arc<GivenPin>) -> Opened {
        match &self.isolation {
            Isolation::Process(program) => {
                let (process, capabilities) = Process::open(program, settings, pin).await?;
                Ok((Host::Child(process), capabilities))
            }
            Isolation::None => {
                let mut pending = self.pending.lock().await;
                let opening = pending
                    .get_or_insert_with(|| tokio::task::spawn_blocking(move || open_here(&settings, &pin)));
                let opened = opening.await;
                *pending = None;
                opened.unwrap_or_else(|_| {
                    Err(OpenError::Unavailable("opening it failed within this process".to_owned()))
                })
            }
        }
    }
}

fn open_here(settings: &EngineSettings, pin: &Arc<GivenPin>) -> Opened {
    let witness = Arc::clone(pin);
    let engine = Engine::open(settings, pin.secret().clone(), Box::new(move |login| witness.note(login)))?;
    let capabilities = engine.capabilities();
    Ok((Host::Here(engine, Arc::clone(pin)), capabilities))
}
