//! The server's side of a child.

use std::{
    collections::HashMap,
    io,
    os::{fd::OwnedFd, unix::net::UnixStream as StdStream},
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, Command},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use zeroize::Zeroizing;

use super::super::{
    OpenError, WorkerProgram,
    engine::{Capabilities, EngineSettings},
    link::GivenPin,
    protocol::{Answer, Broken, Fault, Inbox, Order, Report, Request, Secret, decode, encode},
};

type Outcome = Result<Answer, Fault>;
type Frame = Zeroizing<Vec<u8>>;

/// An engine in a child process. Dropping it closes the socket, upon which the child ends by itself.
pub(crate) struct Process {
    child: Mutex<Child>,
    frames: mpsc::UnboundedSender<Frame>,
    waiting: Arc<Waiting>,
    numbers: AtomicU64,
    pin: Arc<GivenPin>,
    reading: JoinHandle<()>,
}

impl Process {
    /// Starts a child and has it open the token.
    ///
    /// # Errors
    /// [`OpenError`]. Dropped before its end, it leaves no child behind.
    pub(crate) async fn open(
        program: &WorkerProgram,
        settings: EngineSettings,
        pin: Arc<GivenPin>,
    ) -> Result<(Self, Capabilities), OpenError> {
        let (ours, theirs) = StdStream::pair().map_err(|error| unstarted(&error))?;
        let child = Unopened(Some(start(program, theirs).map_err(|error| unstarted(&error))?));
        let opened = async {
            ours.set_nonblocking(true)?;
            let (mut reader, mut writer) = UnixStream::from_std(ours)?.into_split();
            let secret = Secret::new(Zeroizing::new(pin.secret().expose_secret().as_bytes().to_vec()));
            let request = Request::Open { settings, pin: secret };
            writer.write_all(&encode(&request).map_err(io::Error::other)?).await?;
            let mut inbox = Inbox::new();
            loop {
                match receive(&mut reader, &mut inbox).await {
                    Some(Report::Login(login)) => pin.note(login),
                    Some(Report::Opened(opened)) => break Ok((reader, writer, inbox, opened)),
                    _ => break Err(io::Error::other("its process ended while it opened the token")),
                }
            }
        };
        let (reader, writer, inbox, opened) =
            opened.await.map_err(|error| OpenError::Unavailable(error.to_string()))?;
        let capabilities = opened?;
        let child = child.opened().ok_or_else(|| OpenError::Unavailable("its process is gone".to_owned()))?;
        Ok((Self::with(child, reader, writer, inbox, pin), capabilities))
    }

    fn with(
        child: Child,
        reader: OwnedReadHalf,
        writer: OwnedWriteHalf,
        inbox: Inbox,
        pin: Arc<GivenPin>,
    ) -> Self {
        let waiting = Arc::new(Waiting(Mutex::new(Some(HashMap::new()))));
        let (frames, queue) = mpsc::unbounded_channel();
        tokio::spawn(write(writer, queue));
        let reading = tokio::spawn(read(reader, inbox, Arc::clone(&waiting), Arc::clone(&pin)));
        Self { child: Mutex::new(child), frames, waiting, numbers: AtomicU64::new(0), pin, reading }
    }

    /// Has the child carry out the order.
    pub(crate) async fn perform(&self, order: Order) -> Outcome {
        let patience = order.patience;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let _place = self.waiting.enter(number, reply).ok_or_else(ended)?;
        let frame = encode(&Request::Perform { number, order })
            .map_err(|Broken| Fault::Unsupported("input of this size".to_owned()))?;
        self.frames.send(frame).map_err(|_| ended())?;
        match timeout(patience, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(ended()),
            Err(_) => Err(Fault::Expired),
        }
    }

    /// Waits until no login of the child has its answer due.
    pub(crate) async fn login_answered(&self) {
        self.pin.answered().await;
    }

    /// Kills the child; what is under way ends with [`Fault::Gone`].
    pub(crate) fn kill(&self) {
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).start_kill();
        self.waiting.close();
        self.pin.abandon();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// A child that has not opened the token yet, and is killed if that comes to nothing.
struct Unopened(Option<Child>);

impl Unopened {
    fn opened(mut self) -> Option<Child> {
        self.0.take()
    }
}

impl Drop for Unopened {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.start_kill();
        }
    }
}

/// Who waits for which number; `None` once the child has ended.
struct Waiting(Mutex<Option<HashMap<u64, oneshot::Sender<Outcome>>>>);

impl Waiting {
    /// A place that is given up when it is dropped.
    fn enter(&self, number: u64, reply: oneshot::Sender<Outcome>) -> Option<Place<'_>> {
        self.with(|places| places.insert(number, reply)).map(|_| Place { waiting: self, number })
    }

    fn answer(&self, number: u64, outcome: Outcome) {
        if let Some(Some(reply)) = self.with(|places| places.remove(&number)) {
            // Nobody may be waiting any more; the result is then dropped, secrets overwritten.
            let _ = reply.send(outcome);
        }
    }

    fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<u64, oneshot::Sender<Outcome>>) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(act)
    }
}

struct Place<'a> {
    waiting: &'a Waiting,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.with(|places| places.remove(&self.number));
    }
}

fn ended() -> Fault {
    Fault::Gone("its process has ended".to_owned())
}

fn unstarted(error: &io::Error) -> OpenError {
    OpenError::Unavailable(format!("its process cannot be started: {error}"))
}

fn start(program: &WorkerProgram, socket: StdStream) -> io::Result<Child> {
    Command::new(&program.path)
        .args(&program.arguments)
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        // It gets the PIN through the socket. An environment can be read by others of this user.
        .env_remove("KUNJI_PKCS11_PIN")
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        // An interrupt at the terminal is for the server, which lets requests under way end first.
        .process_group(0)
        .kill_on_drop(false)
        .spawn()
}

async fn receive(reader: &mut OwnedReadHalf, inbox: &mut Inbox) -> Option<Report> {
    loop {
        match inbox.next() {
            Ok(Some(message)) => return decode(message).ok(),
            Ok(None) => match reader.read(inbox.space()).await {
                Ok(0) | Err(_) => return None,
                Ok(bytes) => inbox.arrived(bytes),
            },
            Err(Broken) => return None,
        }
    }
}

async fn read(mut reader: OwnedReadHalf, mut inbox: Inbox, waiting: Arc<Waiting>, pin: Arc<GivenPin>) {
    loop {
        match receive(&mut reader, &mut inbox).await {
            Some(Report::Performed { number, outcome }) => waiting.answer(number, outcome),
            Some(Report::Login(login)) => pin.note(login),
            _ => break,
        }
    }
    waiting.close();
    pin.abandon();
}

async fn write(mut writer: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<Frame>) {
    while let Some(frame) = frames.recv().await {
        if writer.write_all(&frame).await.is_err() {
            return;
        }
    }
}
