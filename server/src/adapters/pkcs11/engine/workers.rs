//! Threads that each own a session, fed by one queue.

use std::{
    convert::Infallible,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{super::protocol::Fault, recovery::Worker, token::Token};

/// How long the end waits for calls that are under way. What hangs longer is left behind.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// Work for a worker.
pub(super) struct Job {
    /// When nobody waits for it any more.
    pub(super) until: Instant,
    /// Does it and tells whoever asked.
    pub(super) work: Work,
}

/// Is given a worker, or why it gets none.
pub(super) type Work = Box<dyn FnOnce(Result<&mut Worker, Fault>) + Send>;

/// Until when each worker's present job has time; `None` for a worker without one.
type Desks = Arc<Mutex<Vec<Option<Instant>>>>;

/// A pool of workers. Dropping it refuses further work and waits, for a while, for what is under way.
///
/// The queue itself has no bound: who submits bounds how much is under way.
pub(super) struct Workers {
    jobs: Option<Sender<Job>>,
    desks: Desks,
    /// Disconnects when the last thread has ended.
    ended: Mutex<Receiver<Infallible>>,
}

impl Workers {
    /// Starts `threads` threads, named after `name`.
    pub(super) fn start(name: &str, threads: usize, token: &Arc<Token>) -> io::Result<Self> {
        let (jobs, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let desks = Desks::new(Mutex::new(vec![None; threads]));
        let (alive, ended) = channel();
        for number in 0..threads {
            let (receiver, worker, desks, alive) =
                (Arc::clone(&receiver), Worker::new(Arc::clone(token)), Arc::clone(&desks), alive.clone());
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || serve(&receiver, worker, |until| note(&desks, number, until), &alive))?;
        }
        Ok(Self { jobs: Some(jobs), desks, ended: Mutex::new(ended) })
    }

    /// Puts a job into the queue.
    pub(super) fn submit(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The workers end only with this value, so somebody takes it.
            let _ = jobs.send(job);
        }
    }

    /// Workers that are still at a job whose time is over.
    pub(super) fn stuck(&self, now: Instant) -> usize {
        let desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        desks.iter().flatten().filter(|until| **until < now).count()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.jobs = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(SHUTDOWN) {
            tracing::warn!("a token call still hangs; its thread is left behind");
        }
    }
}

fn note(desks: &Desks, number: usize, until: Option<Instant>) {
    if let Some(desk) = desks.lock().unwrap_or_else(PoisonError::into_inner).get_mut(number) {
        *desk = until;
    }
}

fn serve(
    jobs: &Mutex<Receiver<Job>>,
    mut worker: Worker,
    note: impl Fn(Option<Instant>),
    _alive: &Sender<Infallible>,
) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { until, work }) = next else { return };
        if until < Instant::now() {
            work(Err(Fault::Expired));
            continue;
        }
        note(Some(until));
        if catch_unwind(AssertUnwindSafe(|| work(Ok(&mut worker)))).is_err() {
            worker.discard_session();
        }
        note(None);
    }
}
