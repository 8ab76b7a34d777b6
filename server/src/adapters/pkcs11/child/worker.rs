//! The child's side: one engine, asked through the socket that is its standard input.

use std::{
    convert::Infallible,
    io::{self, Read, Write},
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc::channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::{
    sys::{
        prctl,
        signal::{Signal, kill},
        socket::{getsockopt, sockopt::PeerCredentials},
    },
    unistd::{Pid, getppid, getuid},
};
use secrecy::SecretString;

use super::super::{
    OpenError,
    engine::{Engine, EngineSettings},
    protocol::{Inbox, Report, Request, Secret, decode, encode},
};

/// How long sessions have to be closed once the server is gone.
const FAREWELL: Duration = Duration::from_secs(3);

/// Why there is nothing to work for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// Standard input is no socket, or one of another process.
    #[error("this command is started by `kunji serve`, and is of no use by itself")]
    NotStartedByServer,
    /// The operating system refused.
    #[error("the worker cannot be set up: {0}")]
    System(#[from] io::Error),
}

/// Works for the process that started this one, until it closes the socket or ends; then ends this process.
///
/// # Errors
/// [`WorkerError`], before any work.
pub fn serve_parent() -> Result<(), WorkerError> {
    let socket = parent_socket()?;
    // No other process of this user may look into this one, and no core is written: it holds the PIN.
    prctl::set_dumpable(false).map_err(io::Error::from)?;
    let work = Arc::new(Work {
        socket: Mutex::new(socket.try_clone()?),
        engine: OnceLock::new(),
        opening: Mutex::new(None),
    });
    listen(socket, &work);
    end(&work)
}

struct Work {
    /// For reports. One at a time.
    socket: Mutex<UnixStream>,
    engine: OnceLock<Mutex<Option<Engine>>>,
    opening: Mutex<Option<JoinHandle<()>>>,
}

impl Work {
    fn report(&self, report: &Report) {
        let Ok(frame) = encode(report) else { return };
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if socket.write_all(&frame).is_err() {
            // Half a frame makes the rest senseless; the end of the socket ends this process.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn open(self: &Arc<Self>, settings: &EngineSettings, pin: &Secret) {
        let work = Arc::clone(self);
        let witness = Box::new(move |login| work.report(&Report::Login(login)));
        let opened = text(pin).and_then(|pin| Engine::open(settings, pin, witness)).map(|engine| {
            let capabilities = engine.capabilities();
            let _ = self.engine.set(Mutex::new(Some(engine)));
            capabilities
        });
        self.report(&Report::Opened(opened));
    }
}

fn text(pin: &Secret) -> Result<SecretString, OpenError> {
    std::str::from_utf8(pin.expose())
        .map(SecretString::from)
        .map_err(|_| OpenError::PinRefused("it is no text".to_owned()))
}

/// Reads until the server has no more to say. Nothing here enters the library, so nothing hangs here.
fn listen(mut socket: UnixStream, work: &Arc<Work>) {
    let mut inbox = Inbox::new();
    loop {
        match inbox.next().map(|message| message.map(decode::<Request>)) {
            Ok(Some(Ok(request))) => obey(request, work),
            Ok(None) => match socket.read(inbox.space()) {
                Ok(0) => return,
                Ok(bytes) => inbox.arrived(bytes),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            },
            _ => return,
        }
    }
}

fn obey(request: Request, work: &Arc<Work>) {
    match request {
        Request::Open { settings, pin } => {
            let opening = thread::spawn({
                let work = Arc::clone(work);
                move || work.open(&settings, &pin)
            });
            *work.opening.lock().unwrap_or_else(PoisonError::into_inner) = Some(opening);
        }
        Request::Perform { number, order } => {
            let Some(engine) = work.engine.get() else { return };
            let work = Arc::clone(work);
            let reply = Box::new(move |outcome| work.report(&Report::Performed { number, outcome }));
            if let Some(engine) = &*engine.lock().unwrap_or_else(PoisonError::into_inner) {
                engine.submit(order, reply);
            }
        }
    }
}

/// Closes the sessions, if the library lets us, and ends without the exit handlers of libraries, which are known to
/// crash. Not while it logs in: SoftHSM then writes its token anew, and loses it by that.
fn end(work: &Work) -> ! {
    let (_unsent, never) = channel::<Infallible>();
    thread::spawn(move || {
        let _ = never.recv_timeout(FAREWELL);
        die()
    });
    if let Some(opening) = work.opening.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = opening.join();
    }
    if let Some(engine) = work.engine.get() {
        drop(engine.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
    die()
}

fn die() -> ! {
    let _ = kill(Pid::this(), Signal::SIGKILL);
    std::process::abort()
}

/// Standard input, if it is one end of a socket pair that the parent process has made.
fn parent_socket() -> Result<UnixStream, WorkerError> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let peer = getsockopt(&input, PeerCredentials).map_err(|_| WorkerError::NotStartedByServer)?;
    if peer.pid() != getppid().as_raw() || peer.uid() != getuid().as_raw() {
        return Err(WorkerError::NotStartedByServer);
    }
    Ok(UnixStream::from(input))
}
