//! Events on standard output, for collectors that read it.

use std::{
    io::{self, Write as _},
    sync::mpsc,
    thread,
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::ports::event_outlet::EventOutlet;

/// Longest time that the reader of standard output may take nothing.
const DEADLINE: Duration = Duration::from_secs(5);

type Batch = (Vec<u8>, oneshot::Sender<io::Result<()>>);

/// [`EventOutlet`] on standard output, one event a line. A thread of its own writes, which no shutdown waits for:
/// whoever reads the output may have stopped.
pub struct EventStdout(mpsc::SyncSender<Batch>);

impl EventStdout {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new() -> io::Result<Self> {
        let (sender, batches) = mpsc::sync_channel::<Batch>(1);
        thread::Builder::new().name("events".to_owned()).spawn(move || {
            for (text, written) in batches {
                let mut output = io::stdout().lock();
                let result = output.write_all(&text).and_then(|()| output.flush());
                drop(output);
                let _ = written.send(result);
            }
        })?;
        Ok(Self(sender))
    }
}

#[async_trait]
impl EventOutlet for EventStdout {
    fn name(&self) -> &'static str {
        "stdout"
    }

    async fn send(&self, lines: &[Vec<u8>]) -> io::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        let (sender, written) = oneshot::channel();
        self.0.try_send((text, sender)).map_err(|_| io::Error::from(io::ErrorKind::WouldBlock))?;
        match tokio::time::timeout(DEADLINE, written).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
