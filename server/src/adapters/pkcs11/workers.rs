//! Threads that each own a session, fed by one bounded queue.

use std::{
    convert::Infallible,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::{recovery::Worker, token::Token};
use crate::ports::key_store::KeyStoreError;

/// How long the end waits for calls that are under way. What hangs longer is left behind.
const SHUTDOWN: Duration = Duration::from_secs(2);

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// A pool of workers. Dropping it refuses further work and waits, for a while, for what is under way.
pub(super) struct Workers {
    jobs: Option<SyncSender<Job>>,
    /// Disconnects when the last thread has ended.
    ended: Mutex<Receiver<Infallible>>,
}

impl Workers {
    /// Starts `threads` threads, named after `name`; `queue` jobs may wait for them.
    pub(super) fn start(name: &str, threads: usize, queue: usize, token: &Arc<Token>) -> io::Result<Self> {
        let (jobs, receiver) = sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let (alive, ended) = channel();
        for number in 0..threads {
            let (receiver, worker, alive) =
                (Arc::clone(&receiver), Worker::new(Arc::clone(token)), alive.clone());
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || serve(&receiver, worker, &alive))?;
        }
        Ok(Self { jobs: Some(jobs), ended: Mutex::new(ended) })
    }

    /// Has a worker do `work`, and waits for it no longer than `deadline`.
    ///
    /// # Errors
    /// What `work` says; [`KeyStoreError::Busy`] when the queue is full; [`KeyStoreError::Unavailable`] when the
    /// deadline has passed. Work that has begun then goes on, work that has not is left undone.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&mut Worker) -> Result<T, KeyStoreError> + Send + 'static,
    ) -> Result<T, KeyStoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |worker| {
            if !reply.is_closed() {
                // Nobody may be waiting any more; the result is then dropped, secrets overwritten.
                let _ = reply.send(work(worker));
            }
        });
        let ended = || KeyStoreError::Unavailable("its workers have ended".to_owned());
        self.jobs.as_ref().ok_or_else(ended)?.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => KeyStoreError::Busy,
            TrySendError::Disconnected(_) => ended(),
        })?;
        match timeout(deadline, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(KeyStoreError::Unavailable("the call failed within this process".to_owned())),
            Err(_) => Err(KeyStoreError::Unavailable("no answer within the deadline".to_owned())),
        }
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

fn serve(jobs: &Mutex<Receiver<Job>>, mut worker: Worker, _alive: &Sender<Infallible>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if catch_unwind(AssertUnwindSafe(|| job(&mut worker))).is_err() {
            worker.discard_session();
        }
    }
}
