//! PDFs, read by hayro in a process of their own: one for each document, which has no secrets but the document's password,
//! and no more memory and time than a document may take.

use std::{ffi::OsString, io, path::PathBuf, process::Stdio, time::Duration};

use async_trait::async_trait;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::ports::pdf::{PdfError, PdfPlacement, PdfSigning, PreparedPdf};

mod appearance;
mod encryption;
mod file;
mod form;
mod prepare;
mod protocol;
#[cfg(test)]
mod tests;
mod trailer;
mod worker;
mod writer;

pub use worker::serve_parent;

use protocol::{Reply, Request, decode, encode};

/// Longest document, in bytes.
const DOCUMENT_MAX_BYTES: usize = 32 * 1024 * 1024;
/// Longest result: what is compressed in object streams is written plainly when a document is encrypted.
const RESULT_MAX_BYTES: usize = 3 * DOCUMENT_MAX_BYTES;
/// Documents that are read at the same time, and that wait for it.
const AT_ONCE: usize = 2;
const WAITING_MAX: usize = 32;
/// How long a process may take: twice the time that it may spend on a processor.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the program's libraries are, if not where the system has them.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// How a process that reads documents is started.
#[derive(Clone, Debug)]
pub struct PdfWorkerProgram {
    /// The program.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// [`PdfSigning`] by processes.
pub struct PdfWorkers {
    program: PdfWorkerProgram,
    admitted: Semaphore,
    running: Semaphore,
}

impl PdfWorkers {
    /// Nothing is started before there is a document.
    pub fn new(program: PdfWorkerProgram) -> Self {
        Self { program, admitted: Semaphore::new(AT_ONCE + WAITING_MAX), running: Semaphore::new(AT_ONCE) }
    }

    async fn turn(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), PdfError> {
        let admitted = self.admitted.try_acquire().map_err(|_| PdfError::Busy)?;
        let running = self.running.acquire().await.map_err(|_| PdfError::Busy)?;
        Ok((admitted, running))
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program.path)
            .args(&self.program.arguments)
            // What reads hostile documents knows nothing of the server.
            .env_clear()
            .envs(std::env::var_os(LIBRARIES).map(|path| (LIBRARIES, path)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What a library says when it breaks is of the document's making.
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

#[async_trait]
impl PdfSigning for PdfWorkers {
    async fn prepare(&self, placement: PdfPlacement, document: Vec<u8>) -> Result<PreparedPdf, PdfError> {
        if document.len() > DOCUMENT_MAX_BYTES {
            return Err(PdfError::TooLong(DOCUMENT_MAX_BYTES));
        }
        let header =
            encode(&Request::from(&placement)).ok_or_else(|| unavailable("the request is too long"))?;
        let _turn = self.turn().await?;
        let mut child = self.start().map_err(|error| unavailable(&error.to_string()))?;
        let Ok(answer) = timeout(PATIENCE, exchange(&mut child, &header, &document)).await else {
            tracing::warn!("a PDF took too long to read, and its process was ended");
            return Err(PdfError::Complex);
        };
        let mut answer = answer.map_err(|error| unavailable(&error.to_string()))?;
        let reply = decode::<Reply>(&answer).map(|(reply, document)| (reply, document.len()));
        let Some((reply, length)) = reply else {
            tracing::warn!("a process that read a PDF has ended without an answer");
            return Err(PdfError::Complex);
        };
        let made = reply?;
        if made.length != length {
            tracing::warn!("a process that read a PDF has ended amidst its answer");
            return Err(PdfError::Complex);
        }
        answer.drain(..answer.len() - length);
        Ok(PreparedPdf { document: answer, contents: made.contents.0..made.contents.1 })
    }
}

/// Gives the process its document, and takes what it answers.
async fn exchange(child: &mut Child, header: &[u8], document: &[u8]) -> io::Result<Vec<u8>> {
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("it has no streams"));
    };
    let give = async {
        // It may end before it has read everything.
        let _ = async {
            input.write_all(header).await?;
            input.write_all(document).await?;
            input.shutdown().await
        }
        .await;
        drop(input);
    };
    let mut answer = Vec::new();
    let mut output = output.take(RESULT_MAX_BYTES as u64);
    let (read, ()) = tokio::join!(output.read_to_end(&mut answer), give);
    read?;
    // Whatever it still has to say is not heard.
    child.kill().await?;
    Ok(answer)
}

fn unavailable(cause: &str) -> PdfError {
    PdfError::Unavailable(cause.to_owned())
}
