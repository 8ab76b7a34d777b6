//! The process that reads one document, and ends.

use std::io::{self, Read as _, Write as _};

use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
};

use super::{
    prepare::prepare,
    protocol::{Made, Reply, Request, decode, encode},
};
use crate::ports::{entropy::Entropy, pdf::PreparedPdf};

/// Most memory, the program itself included, in bytes.
const MEMORY_BYTES: u64 = 1 << 30;
/// Most time on a processor, in seconds.
const PROCESSOR_SECONDS: u64 = 15;

/// Reads a request and a document from standard input, and writes the answer to standard output.
///
/// # Errors
/// When the request is not one of a server, or a limit cannot be set.
pub fn serve_parent(entropy: &dyn Entropy) -> io::Result<()> {
    limit()?;
    let mut stream = Vec::new();
    io::stdin().lock().read_to_end(&mut stream)?;
    let (request, document) = decode::<Request>(&stream).ok_or_else(|| {
        io::Error::other("this command is started by `kunji serve`, and is of no use by itself")
    })?;
    let prepared = prepare(&request.into(), document, entropy);
    let reply: Reply = match &prepared {
        Ok(PreparedPdf { document, contents }) => {
            Ok(Made { contents: (contents.start, contents.end), length: document.len() })
        }
        Err(error) => Err(error.clone()),
    };
    let mut output = io::stdout().lock();
    output.write_all(&encode(&reply).ok_or_else(|| io::Error::other("the answer is too long"))?)?;
    if let Ok(prepared) = prepared {
        output.write_all(&prepared.document)?;
    }
    output.flush()
}

/// Whatever a document makes this process do, it ends soon, writes no file, and no other process of this user looks into
/// it.
fn limit() -> io::Result<()> {
    prctl::set_dumpable(false)?;
    let limits = [
        (Resource::RLIMIT_AS, MEMORY_BYTES),
        (Resource::RLIMIT_CPU, PROCESSOR_SECONDS),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
    ];
    for (resource, most) in limits {
        setrlimit(resource, most, most)?;
    }
    Ok(())
}
