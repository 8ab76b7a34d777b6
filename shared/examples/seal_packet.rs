//! Seals standard input for the holder of a certificate, the way a client does it:
//!
//! `seal_packet CERT.pem [--anchor ROOT.pem] < plaintext > packet`
//!
//! The first certificate in `CERT.pem` is the recipient's, others are its chain. With `--anchor`,
//! the chain must lead to one of the certificates in `ROOT.pem`; without it, the recipient's
//! certificate itself is trusted, so it must come from where it could not be replaced.

use std::{
    env,
    error::Error,
    fs,
    io::{self, Read as _, Write as _},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use getrandom::SysRng;
use kunji_shared::{
    Certificate, Recipient, RecipientPolicy, RustCipher, Shape, Splitter, UnixTime,
    certificate::RecipientError, packet::seal,
};

const USAGE: &str = "usage: seal_packet CERT.pem [--anchor ROOT.pem] < plaintext > packet";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seal_packet: {error}");
            if let Some(reason) = error.downcast_ref::<RecipientError>() {
                eprintln!("hint: {}", reason.hint());
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (certificate_path, anchor_path) = match arguments.as_slice() {
        [certificate] => (certificate, None),
        [certificate, flag, anchor] if flag == "--anchor" => (certificate, Some(anchor)),
        _ => return Err(USAGE.into()),
    };
    let chain = Certificate::chain_from_pem(&fs::read_to_string(certificate_path)?)?;
    let leaf = chain.first().ok_or(USAGE)?;
    let anchors = match anchor_path {
        Some(path) => Certificate::chain_from_pem(&fs::read_to_string(path)?)?,
        None => vec![leaf.clone()],
    };
    let recipient = Recipient::check(leaf, &chain, &anchors, now()?, &RecipientPolicy::default())?;

    let mut content = Vec::new();
    io::stdin().read_to_end(&mut content)?;
    let packet = seal(
        &content,
        recipient.key(),
        Shape::SelfContained,
        &Splitter::default(),
        &mut SysRng,
        &RustCipher,
    )?;
    io::stdout().write_all(&packet)?;
    eprintln!("sealed {} bytes for {}", content.len(), recipient.certificate().subject());
    Ok(())
}

fn now() -> Result<UnixTime, Box<dyn Error>> {
    #[expect(clippy::disallowed_methods, reason = "a program of its own; it has no clock port")]
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(UnixTime::from_seconds(i64::try_from(since_epoch.as_secs())?))
}
