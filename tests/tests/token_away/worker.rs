//! The process that the PKCS#11 library runs in.

use std::{
    fs,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Output, Stdio},
};

use kunji_tests::{
    measure::{Process, soon},
    site::{self, Site, program},
};

const ARGUMENTS: [&str; 5] = ["hsm-worker", "--log-format", "text", "--log-filter", "warn"];

fn started_by_hand(command: &mut Command, input: impl Into<Stdio>) -> Output {
    command.stdin(input).output().unwrap()
}

#[test]
fn it_works_for_nobody_but_the_server_that_started_it() {
    let (_ours, theirs) = UnixStream::pair().unwrap();
    // The other end is not that of its parent, which is the shell.
    let mut by_another = Command::new("sh");
    by_another.args(["-c", "\"$0\" \"$@\"; exit $?"]).arg(program()).args(ARGUMENTS);
    for output in [
        started_by_hand(Command::new(program()).args(ARGUMENTS), Stdio::null()),
        started_by_hand(&mut by_another, OwnedFd::from(theirs)),
    ] {
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("is started by `kunji serve`"), "{said}");
    }
}

#[tokio::test]
async fn it_ends_with_its_server_and_shows_nobody_the_pin() {
    let site = Site::new().with("KUNJI_PKCS11_PIN", site::PIN);
    let mut command = site.command();
    command.env_remove("KUNJI_PKCS11_PIN_FILE");
    let server = site.start_command(command);
    let [worker] = Process::new(server.pid()).children()[..] else { panic!("one worker") };
    let place = worker.path();
    assert!(fs::read_to_string(place.join("cmdline")).unwrap().contains("hsm-worker"));
    for shown in ["cmdline", "environ"] {
        // Another user than root may not even look.
        let text = fs::read(place.join(shown)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&text).contains(site::PIN), "{shown}");
    }
    server.kill();
    assert!(soon(|| !place.exists()).await, "the worker goes on without its server");
}
