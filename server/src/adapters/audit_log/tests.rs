//! The log as a whole: order, durability, faults, crashes.

mod spool;

use std::{
    collections::HashSet,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::MetadataExt as _,
    process::{Command, Stdio},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
};

use futures_util::{FutureExt as _, future::join_all};
use kunji_shared::encoding::encode_hex;
use serde_json::Value;
use tempfile::TempDir;

use super::{recovery::LogEnd, *};
use crate::domain::{audit::Outcome, merkle::leaf_hash, time::Timestamp};

/// An event that can be told from others.
fn event(name: &str) -> AuditEvent {
    AuditEvent {
        operation: "packet.decrypt",
        principal: Some("regproc".to_owned()),
        address: Some([192, 0, 2, 7].into()),
        request_id: Some(name.into()),
        outcome: Outcome::Succeeded,
        ..AuditEvent::own(Timestamp::from_millis(1_767_607_872_007), "")
    }
}

fn data_dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn segments(data: &TempDir) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(data.path().join("audit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| disk::segment_first(path.file_name().unwrap().to_str().unwrap()).is_some())
        .collect();
    paths.sort();
    paths
}

/// The request ids of all events, after checking that the numbers have no gaps and begin where names say.
fn recorded(data: &TempDir) -> Vec<String> {
    let mut names = Vec::new();
    for path in segments(data) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(disk::segment_first(&name), Some(names.len() as u64 + 1));
        let text = fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            names.push(line["requestId"].as_str().unwrap().to_owned());
            assert_eq!(line["sequence"], names.len());
        }
    }
    names
}

fn torn(data: &TempDir) -> Vec<Vec<u8>> {
    fs::read_dir(data.path().join("audit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "torn"))
        .map(|path| fs::read(path).unwrap())
        .collect()
}

/// The log with segments of `segment_bytes`, over a disk that `wrap` may meddle with.
fn open_with<D: Disk>(data: &Path, segment_bytes: u64, wrap: impl FnOnce(SegmentDirectory) -> D) -> AuditLog {
    let settings = AuditLogSettings { segment_bytes, ..AuditLogSettings::default() };
    AuditLog::start(&data.join("audit"), settings, wrap).unwrap()
}

/// Checks that the tree in memory is the one over the lines on disk.
#[track_caller]
fn assert_tree(data: &TempDir, log: &AuditLog) {
    let mut tree = Frontier::default();
    for path in segments(data) {
        let text = fs::read_to_string(path).unwrap();
        for line in text.lines() {
            tree.push(leaf_hash(line.as_bytes()));
        }
    }
    assert_eq!(log.head(), tree);
}

fn checkpoint(log: &AuditLog, number: u64) -> Signed<Checkpoint> {
    let tree = log.head();
    let statement = Checkpoint {
        log: log.log().to_owned(),
        number,
        size: tree.size(),
        root: encode_hex(&tree.root()),
        time: "2026-01-05T10:11:12.007Z".to_owned(),
        key: "ab".repeat(32),
    };
    Signed { statement, signature: vec![7; 256] }
}

#[tokio::test]
async fn events_are_lines_in_the_order_in_which_they_were_recorded() {
    let data = data_dir();
    let log = AuditLog::open(data.path()).unwrap();
    for name in ["a", "b", "c"] {
        log.record(event(name)).await.unwrap();
    }
    assert_eq!(recorded(&data), ["a", "b", "c"]);
    assert_eq!(fs::metadata(data.path().join("audit")).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(&segments(&data)[0]).unwrap().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_lose_nothing_and_each_keeps_its_order() {
    let data = data_dir();
    let log = Arc::new(open_with(data.path(), 100_000, |disk| disk));
    let callers = (0..64).map(|caller| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            for turn in 0..100 {
                log.record(event(&format!("{caller:02}-{turn:03}"))).await.unwrap();
            }
        })
    });
    join_all(callers).await.into_iter().for_each(|caller| caller.unwrap());
    let names = recorded(&data);
    assert_eq!(names.len(), 6_400);
    for caller in 0..64 {
        let prefix = format!("{caller:02}-");
        let mut own: Vec<_> = names.iter().filter(|name| name.starts_with(&prefix)).collect();
        assert_eq!(own.len(), 100);
        assert!(own.is_sorted());
        own.dedup();
        assert_eq!(own.len(), 100);
    }
}

#[tokio::test]
async fn announced_events_that_never_come_hold_nobody_up_for_long() {
    let data = data_dir();
    let log = AuditLog::open(data.path()).unwrap();
    let _endless = log.announce();
    let withdrawn = log.announce();
    for name in ["a", "b", "c"] {
        log.record(event(name)).await.unwrap();
    }
    drop(withdrawn);
    log.record(event("d")).await.unwrap();
    assert_eq!(recorded(&data), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn reopened_log_goes_on() {
    let data = data_dir();
    for name in ["a", "b", "c"] {
        AuditLog::open(data.path()).unwrap().record(event(name)).await.unwrap();
    }
    assert_eq!(recorded(&data), ["a", "b", "c"]);
    assert_eq!(segments(&data).len(), 1);
}

#[tokio::test]
async fn full_segment_is_followed_by_the_next() {
    let data = data_dir();
    for name in ["a", "b", "c", "d", "e"] {
        let log = open_with(data.path(), 1, |disk| disk);
        log.record(event(name)).await.unwrap();
    }
    assert_eq!(recorded(&data), ["a", "b", "c", "d", "e"]);
    assert_eq!(segments(&data).len(), 5);
    assert!(segments(&data)[4].ends_with("events-00000000000000000005.ndjson"));
}

#[tokio::test]
async fn second_server_in_the_same_directory_is_refused() {
    let data = data_dir();
    let first = AuditLog::open(data.path()).unwrap();
    let error = AuditLog::open(data.path()).err().unwrap();
    assert!(matches!(error, OpenError::InUse(_)));
    assert!(error.to_string().contains("in use by another server"), "{error}");
    drop(first);
    AuditLog::open(data.path()).unwrap();
}

#[tokio::test]
async fn unfinished_line_is_set_aside() {
    let data = data_dir();
    AuditLog::open(data.path()).unwrap().record(event("a")).await.unwrap();
    let append = |bytes: &[u8]| {
        fs::OpenOptions::new().append(true).open(&segments(&data)[0]).unwrap().write_all(bytes).unwrap();
    };
    append(b"{\"sequence\":2,\"ti");
    AuditLog::open(data.path()).unwrap();
    append(b"\0\0\0");
    AuditLog::open(data.path()).unwrap().record(event("b")).await.unwrap();
    assert_eq!(recorded(&data), ["a", "b"]);
    let mut torn = torn(&data);
    torn.sort();
    assert_eq!(torn, [b"\0\0\0".to_vec(), b"{\"sequence\":2,\"ti".to_vec()]);
}

#[tokio::test]
async fn crash_between_two_segments_is_no_damage() {
    let data = data_dir();
    AuditLog::open(data.path()).unwrap().record(event("a")).await.unwrap();
    fs::write(data.path().join("audit").join(disk::segment_name(2)), "").unwrap();
    AuditLog::open(data.path()).unwrap().record(event("b")).await.unwrap();
    assert_eq!(recorded(&data), ["a", "b"]);
    assert_eq!(segments(&data).len(), 2);
}

#[tokio::test]
async fn damage_stops_the_start_and_changes_nothing() {
    let data = data_dir();
    AuditLog::open(data.path()).unwrap().record(event("a")).await.unwrap();
    let path = &segments(&data)[0];
    let mut bytes = fs::read(path).unwrap();
    bytes.extend(vec![b'x'; 3 << 20]);
    fs::write(path, &bytes).unwrap();
    let error = AuditLog::open(data.path()).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert!(torn(&data).is_empty());
}

#[tokio::test]
async fn event_too_long_to_be_one_is_refused_alone() {
    let data = data_dir();
    let log = AuditLog::open(data.path()).unwrap();
    assert!(log.record(event(&"x".repeat(line::MAX_LINE_BYTES))).await.is_err());
    log.record(event("a")).await.unwrap();
    assert_eq!(recorded(&data), ["a"]);
}

/// A disk that asks before each operation whether it should fail.
struct Faulty {
    disk: SegmentDirectory,
    fault: Box<dyn FnMut(&'static str) -> Option<Fault> + Send>,
}

enum Fault {
    /// Fails without doing anything.
    Before,
    /// Writes half, or does the whole, and then fails.
    After,
}

impl Faulty {
    fn run(
        &mut self,
        operation: &'static str,
        action: impl FnOnce(&mut SegmentDirectory) -> io::Result<()>,
    ) -> io::Result<()> {
        let fault = (self.fault)(operation);
        if !matches!(fault, Some(Fault::Before)) {
            action(&mut self.disk)?;
        }
        fault.map_or(Ok(()), |_| Err(io::Error::from_raw_os_error(ENOSPC)))
    }
}

const ENOSPC: i32 = 28;

impl Disk for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fault = (self.fault)("write");
        let written = if fault.is_some() { &bytes[..bytes.len() / 2] } else { bytes };
        if !matches!(fault, Some(Fault::Before)) {
            self.disk.write(written)?;
        }
        fault.map_or(Ok(()), |_| Err(io::Error::from_raw_os_error(ENOSPC)))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.run("sync", SegmentDirectory::sync)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.run("cut", |disk| disk.cut(length))
    }

    fn begin_segment(&mut self, tree: &Frontier) -> io::Result<()> {
        self.run("begin", |disk| disk.begin_segment(tree))
    }
}

/// Fails the `n`th of all operations, whichever it is, `times` times in a row.
fn failing_at(n: usize, times: usize, fault: fn() -> Fault) -> impl FnMut(&'static str) -> Option<Fault> {
    let mut operations = 0;
    move |_| {
        operations += 1;
        (n..n + times).contains(&operations).then(fault)
    }
}

/// Whatever fails, and however much of it was done: what was acknowledged is there, in sequence, what was
/// refused is not, and the log works again as soon as the disk does.
#[tokio::test]
async fn acknowledged_events_and_no_others_survive_every_fault() {
    for fault in [|| Fault::Before, || Fault::After] {
        for n in 1..30 {
            for times in [1, 3] {
                let data = data_dir();
                let log = open_with(data.path(), 500, |disk| Faulty {
                    disk,
                    fault: Box::new(failing_at(n, times, fault)),
                });
                let mut acknowledged = Vec::new();
                let mut refused = 0;
                for turn in 0..16 {
                    let name = format!("{turn}");
                    match log.record(event(&name)).await {
                        Ok(()) => acknowledged.push(name),
                        Err(AuditError(error)) => {
                            assert_eq!(error.raw_os_error(), Some(ENOSPC));
                            refused += 1;
                        }
                    }
                }
                assert!(refused <= times, "fault {n}: {refused} refused");
                assert!(refused > 0, "fault {n} hit nothing");
                assert_eq!(acknowledged.last().map(String::as_str), Some("15"));
                assert_eq!(recorded(&data), acknowledged, "fault {n}");
                assert_tree(&data, &log);
                drop(log);
                let log = AuditLog::open(data.path()).unwrap();
                assert_tree(&data, &log);
                log.record(event("after")).await.unwrap();
                acknowledged.push("after".to_owned());
                assert_eq!(recorded(&data), acknowledged, "fault {n}");
                assert_tree(&data, &log);
            }
        }
    }
}

#[tokio::test]
async fn every_caller_of_a_failed_piece_is_told() {
    let data = data_dir();
    let (reached, gate) = gated(&data);
    let log = &gate.log;
    let first = log.record(event("first"));
    let mut first = std::pin::pin!(first);
    assert!(first.as_mut().now_or_never().is_none());
    reached.recv().unwrap();
    // These wait while the first is being synced, and make one piece.
    let mut rest: Vec<_> = (0..10).map(|n| log.record(event(&n.to_string())).boxed()).collect();
    assert!(rest.iter_mut().all(|record| record.as_mut().now_or_never().is_none()));
    gate.answer.send(true).unwrap();
    first.await.unwrap();
    reached.recv().unwrap();
    gate.answer.send(false).unwrap();
    assert!(join_all(rest).await.into_iter().all(|result| result.is_err()));

    let last = log.record(event("last")).boxed();
    let release = async {
        gate.answer.send(true).unwrap();
    };
    let (last, ()) = futures_util::join!(last, release);
    last.unwrap();
    assert_eq!(recorded(&data), ["first", "last"]);
}

/// A log whose every sync says when it is reached and waits to be told whether it succeeds.
struct Gated {
    log: AuditLog,
    answer: Sender<bool>,
}

fn gated(data: &TempDir) -> (Receiver<()>, Gated) {
    let (reach, reached) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    let log = open_with(data.path(), SEGMENT_BYTES, |disk| Faulty {
        disk,
        fault: Box::new(move |operation| {
            if operation != "sync" {
                return None;
            }
            let _ = reach.send(());
            (!answers.recv().unwrap_or(true)).then_some(Fault::After)
        }),
    });
    (reached, Gated { log, answer })
}

#[tokio::test]
async fn nobody_is_told_before_the_sync_has_ended() {
    let data = data_dir();
    let (reached, gate) = gated(&data);
    let mut record = gate.log.record(event("a")).boxed();
    assert!(record.as_mut().now_or_never().is_none());
    reached.recv().unwrap();
    // Written, not yet synced.
    assert_eq!(recorded(&data), ["a"]);
    assert!(record.as_mut().now_or_never().is_none());
    gate.answer.send(true).unwrap();
    record.await.unwrap();
}

#[tokio::test]
async fn full_queue_makes_callers_wait() {
    let data = data_dir();
    let (reached, gate) = gated(&data);
    let mut records = vec![gate.log.record(event("0")).boxed()];
    assert!(records[0].as_mut().now_or_never().is_none());
    reached.recv().unwrap();
    for n in 1..=2 * QUEUE_EVENTS {
        let mut record = gate.log.record(event(&n.to_string())).boxed();
        assert!(record.as_mut().now_or_never().is_none());
        records.push(record);
    }
    drop(reached);
    drop(gate.answer);
    assert!(join_all(records).await.into_iter().all(|result| result.is_ok()));
    assert_eq!(recorded(&data).len(), 2 * QUEUE_EVENTS + 1);
}

#[tokio::test]
async fn event_of_a_caller_who_went_away_is_written() {
    let data = data_dir();
    let log = AuditLog::open(data.path()).unwrap();
    assert!(log.record(event("abandoned")).now_or_never().is_none());
    log.record(event("kept")).await.unwrap();
    assert_eq!(recorded(&data), ["abandoned", "kept"]);
}

#[tokio::test]
async fn long_queue_is_written_in_pieces() {
    let data = data_dir();
    let (reached, gate) = gated(&data);
    let name = |n: usize| format!("{n}-{}", "x".repeat(8_000));
    let mut records = vec![gate.log.record(event("0")).boxed()];
    assert!(records[0].as_mut().now_or_never().is_none());
    reached.recv().unwrap();
    for n in 1..=300 {
        let mut record = gate.log.record(event(&name(n))).boxed();
        assert!(record.as_mut().now_or_never().is_none());
        records.push(record);
    }
    drop(gate.answer);
    assert!(join_all(records).await.into_iter().all(|result| result.is_ok()));
    // 2.4 MB in pieces of at most 1 MiB and a line.
    assert_eq!(reached.try_iter().count(), 3);
    assert_eq!(recorded(&data).len(), 301);
}

#[test]
fn end_survives_any_cut_of_the_file() {
    let data = data_dir();
    let log = AuditLog::open(data.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for name in ["a", "b"] {
        runtime.block_on(log.record(event(name))).unwrap();
    }
    drop(log);
    let path = segments(&data).remove(0);
    let bytes = fs::read(&path).unwrap();
    let line = bytes.len() as u64 / 2;
    for length in 0..=bytes.len() as u64 {
        fs::write(&path, &bytes[..usize::try_from(length).unwrap()]).unwrap();
        let directory = data.path().join("audit");
        let end = SegmentDirectory::open(&directory, &Segments::new(&directory, None)).unwrap().end;
        let whole = length / line;
        assert_eq!(end, LogEnd { next_sequence: whole + 1, segment_length: whole * line });
        assert_eq!(fs::metadata(&path).unwrap().len(), whole * line);
    }
}

#[tokio::test]
async fn lines_are_read_in_both_directions_over_all_segments() {
    let data = data_dir();
    let log = open_with(data.path(), 500, |disk| disk);
    for n in 1..=20 {
        log.record(event(&n.to_string())).await.unwrap();
    }
    assert!(segments(&data).len() > 3);
    let text = segments(&data).iter().map(|path| fs::read_to_string(path).unwrap()).collect::<String>();
    let lines: Vec<_> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
    for (from, to) in [(1, 21), (5, 12), (20, 21), (7, 7)] {
        let read: Vec<_> = log.lines(from..to).unwrap().map(|line| line.unwrap()).collect();
        let range = usize::try_from(from - 1).unwrap()..usize::try_from(to - 1).unwrap();
        assert_eq!(read, lines[range]);
    }
    for below in [21, 12, 2, 1] {
        let read: Vec<_> = log.backwards(below).unwrap().map(|line| line.unwrap()).collect();
        let expected = (1..below).rev().map(|n| (n, lines[usize::try_from(n - 1).unwrap()].clone()));
        assert_eq!(read, expected.collect::<Vec<_>>());
    }
    assert!(log.lines(20..23).unwrap().any(|line| line.is_err()));
    for first in 1..=21 {
        let mut tree = Frontier::default();
        for line in lines.iter().take(usize::try_from(first - 1).unwrap()) {
            tree.push(leaf_hash(line));
        }
        assert_eq!(log.tree_before(first).unwrap(), tree);
    }
}

#[tokio::test]
async fn archived_segments_are_read_where_they_are() {
    let (data, archive) = (data_dir(), data_dir());
    let directory = data.path().join("audit");
    let settings = |archive| AuditLogSettings { archive, segment_bytes: 500, spool: None };
    let place = archive.path().join("archive");
    let log = AuditLog::start(&directory, settings(Some(place.clone())), |disk| disk).unwrap();
    for n in 1..=20 {
        log.record(event(&n.to_string())).await.unwrap();
    }
    let all: Vec<_> = log.lines(1..21).unwrap().map(|line| line.unwrap()).collect();
    let finished = log.finished_segments().unwrap();
    assert_eq!(finished.len() + 1, segments(&data).len());
    for segment in &finished {
        log.archive(segment.start).unwrap();
    }
    assert_eq!(
        (segments(&data).len(), log.finished_segments().unwrap().len(), log.first().unwrap()),
        (1, 0, 1)
    );
    assert_eq!(log.lines(1..21).unwrap().map(|line| line.unwrap()).collect::<Vec<_>>(), all);
    let tree = log.head();
    drop(log);
    // Started without its archive, the log goes on, and says what it has.
    let log = AuditLog::start(&directory, settings(None), |disk| disk).unwrap();
    assert_eq!((log.head(), log.first().unwrap()), (tree, finished.last().unwrap().end));
    assert!(log.lines(1..2).unwrap().any(|line| line.is_err()));
    assert!(log.archive(1).is_err());
    log.record(event("21")).await.unwrap();
    drop(log);
    let log = AuditLog::start(&directory, settings(Some(place)), |disk| disk).unwrap();
    assert_eq!(log.lines(1..22).unwrap().count(), 21);
}

#[tokio::test]
async fn a_tail_reads_what_comes_and_nothing_twice() {
    let data = data_dir();
    let log = AuditLog::open(data.path()).unwrap();
    for n in 1..=5 {
        log.record(event(&n.to_string())).await.unwrap();
    }
    let lines = |from, to| -> Vec<_> { log.lines(from..to).unwrap().map(|line| line.unwrap()).collect() };
    let mut tail = log.tail(4).unwrap();
    assert_eq!((tail.next(), tail.read(6, usize::MAX).unwrap()), (4, lines(4, 6)));
    assert_eq!((tail.next(), tail.read(6, usize::MAX).unwrap()), (6, vec![]));
    let mut late = log.tail(6).unwrap();
    log.record(event("6")).await.unwrap();
    log.record(event("7")).await.unwrap();
    let expected = lines(6, 8);
    // What came before is not looked at again.
    let path = segments(&data).remove(0);
    let length = fs::metadata(&path).unwrap().len() - expected.concat().len() as u64 - 2;
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all(&vec![b'x'; usize::try_from(length).unwrap()]).unwrap();
    for tail in [&mut tail, &mut late] {
        // A line at a time.
        assert_eq!(tail.read(8, 1).unwrap(), expected[..1]);
        assert_eq!(tail.read(8, 1).unwrap(), expected[1..]);
    }
    assert!(tail.read(9, 1).is_err());
    assert!(log.tail(100).is_err());
}

#[tokio::test]
async fn a_tail_goes_on_in_the_next_segment_and_in_the_archive() {
    let (data, archive) = (data_dir(), data_dir());
    let archive = Some(archive.path().join("archive"));
    let settings = AuditLogSettings { archive, segment_bytes: 500, spool: None };
    let log = AuditLog::start(&data.path().join("audit"), settings, |disk| disk).unwrap();
    let mut tail = log.tail(1).unwrap();
    let mut read = Vec::new();
    for n in 1..=40_u64 {
        log.record(event(&n.to_string())).await.unwrap();
        if n % 7 == 0 {
            for segment in log.finished_segments().unwrap() {
                log.archive(segment.start).unwrap();
            }
        }
        while n % 3 == 0 && tail.next() <= n {
            read.extend(tail.read(n + 1, 600).unwrap());
        }
    }
    assert_eq!(read, log.lines(1..40).unwrap().map(|line| line.unwrap()).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_tree_of_a_trail_that_had_none_is_computed() {
    let data = data_dir();
    let log = open_with(data.path(), 500, |disk| disk);
    for n in 1..=20 {
        log.record(event(&n.to_string())).await.unwrap();
    }
    let tree = log.head();
    drop(log);
    for entry in fs::read_dir(data.path().join("audit")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(AuditLog::open(data.path()).unwrap().head(), tree);
}

#[tokio::test]
async fn a_log_that_is_not_what_was_signed_is_refused() {
    let data = data_dir();
    let log = AuditLog::open(data.path()).unwrap();
    for n in 1..=5 {
        log.record(event(&n.to_string())).await.unwrap();
    }
    log.keep_checkpoint(&checkpoint(&log, 1)).unwrap();
    log.record(event("6")).await.unwrap();
    let last = checkpoint(&log, 2);
    log.keep_checkpoint(&last).unwrap();
    assert_eq!(log.last_checkpoint().unwrap().as_ref(), Some(&last));
    assert_eq!(log.checkpoints(2).unwrap().map(|read| read.unwrap()).collect::<Vec<_>>(), [last]);
    drop(log);
    let path = segments(&data).remove(0);
    let text = fs::read_to_string(&path).unwrap();
    for (changed, shortened) in [
        (text.replacen("\"2\"", "\"X\"", 1), false),
        (text.split_inclusive('\n').take(5).collect(), true),
        (String::new(), true),
    ] {
        fs::write(&path, &changed).unwrap();
        let error = AuditLog::open(data.path()).err().unwrap();
        assert_eq!(matches!(error, OpenError::Shortened { .. }), shortened, "{error}");
        assert_eq!(matches!(error, OpenError::Differs { .. }), !shortened, "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), changed);
    }
    fs::write(&path, &text).unwrap();
    let notes = data.path().join("audit/checkpoints.ndjson");
    let mut torn = fs::read(&notes).unwrap();
    torn.extend_from_slice(b"{\"check");
    fs::write(&notes, torn).unwrap();
    let log = AuditLog::open(data.path()).unwrap();
    assert_eq!(log.last_checkpoint().unwrap().unwrap().statement.number, 2);
    assert!(fs::read(&notes).unwrap().ends_with(b"\n"));
}

const CHILD_DIRECTORY: &str = "KUNJI_TEST_AUDIT_CHILD";
const CHILD: &str = "adapters::audit_log::tests::child_that_is_killed";

/// Records without end and says on its standard output what was acknowledged.
#[test]
#[ignore = "the process that kill_loses_no_acknowledged_event starts and kills"]
fn child_that_is_killed() {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY) else { return };
    let log = Arc::new(open_with(Path::new(&directory), 10_000, |disk| disk));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let process = std::process::id();
    let callers = (0..16).map(|caller| {
        let log = Arc::clone(&log);
        runtime.spawn(async move {
            for turn in 0.. {
                let name = format!("{process}-{caller}-{turn}");
                log.record(event(&name)).await.unwrap();
                writeln!(io::stdout().lock(), "acknowledged {name}").unwrap();
            }
        })
    });
    runtime.block_on(join_all(callers));
}

#[test]
fn kill_loses_no_acknowledged_event() {
    let data = data_dir();
    let mut acknowledged = Vec::new();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", CHILD, "--ignored", "--nocapture"])
            .env(CHILD_DIRECTORY, data.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| Some(line.split_once("acknowledged ")?.1.to_owned()));
        acknowledged.extend(lines.by_ref().take(150));
        child.kill().unwrap();
        // What it had said before it died counts as well.
        acknowledged.extend(lines);
        child.wait().unwrap();

        let log = AuditLog::open(data.path()).unwrap();
        assert_tree(&data, &log);
        drop(log);
        let recorded = recorded(&data);
        let distinct: HashSet<_> = recorded.iter().collect();
        assert_eq!(distinct.len(), recorded.len());
        assert!(acknowledged.len() >= round * 150);
        for name in &acknowledged {
            assert!(distinct.contains(name), "{name} is lost");
        }
    }
    assert!(segments(&data).len() > 5);
}

/// A file system that is really full. Run as root:
/// `cargo test --release -p kunji-server full_file_system -- --ignored`.
#[test]
#[ignore = "mounts a file system"]
fn full_file_system_refuses_and_recovers() {
    let data = data_dir();
    let run = |program: &str, arguments: &[&str]| {
        assert!(Command::new(program).args(arguments).status().unwrap().success());
    };
    let mount = data.path().to_str().unwrap();
    run("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs", mount]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let result = std::panic::catch_unwind(|| {
        fs::write(data.path().join("ballast"), vec![0; 100_000]).unwrap();
        let log = AuditLog::open(data.path()).unwrap();
        let mut acknowledged = Vec::new();
        let refused = (0..100_000).map(|n: u32| n.to_string()).find(|name| {
            let result = runtime.block_on(log.record(event(name)));
            acknowledged.extend(result.is_ok().then(|| name.clone()));
            result.is_err()
        });
        assert!(refused.is_some());
        assert!(runtime.block_on(log.record(event("refused"))).is_err());
        fs::remove_file(data.path().join("ballast")).unwrap();
        runtime.block_on(log.record(event("again"))).unwrap();
        acknowledged.push("again".to_owned());
        assert_eq!(recorded(&data), acknowledged);
    });
    run("umount", &[mount]);
    result.unwrap();
}
