//! Log and spool: what waits, what comes back, and what a start makes of the two.

use std::sync::atomic::AtomicBool;

use super::*;

/// A log with a spool, over a disk that fails while `broken` says so.
fn spooling(data: &TempDir, spool: &TempDir, limit: u64, broken: &Arc<AtomicBool>) -> AuditLog {
    let spool = Some((spool.path().join("spool"), limit));
    let settings = AuditLogSettings { segment_bytes: 500, spool, ..AuditLogSettings::default() };
    let broken = Arc::clone(broken);
    let wrap = |disk| Faulty {
        disk,
        fault: Box::new(move |operation| {
            let fails = operation != "cut" && broken.load(Ordering::Relaxed);
            fails.then_some(Fault::After)
        }),
    };
    AuditLog::start(&data.path().join("audit"), settings, wrap).unwrap()
}

#[tokio::test]
async fn events_wait_in_the_spool_in_order_and_come_back() {
    let (data, spool) = (data_dir(), data_dir());
    let broken = Arc::new(AtomicBool::new(false));
    let log = spooling(&data, &spool, 1 << 20, &broken);
    let mut names = Vec::new();
    for n in 0..60 {
        broken.store(n % 20 >= 10, Ordering::Relaxed);
        let name = n.to_string();
        log.record(event(&name)).await.unwrap();
        names.push(name);
        let waiting = if n % 20 >= 10 { n % 10 + 1 } else { 0 };
        assert_eq!(log.spooled(), waiting, "{n}");
        assert_eq!(log.head().size() + waiting, names.len() as u64);
    }
    broken.store(false, Ordering::Relaxed);
    log.record(event("last")).await.unwrap();
    names.push("last".to_owned());
    assert_eq!(recorded(&data), names);
    assert_tree(&data, &log);
}

#[tokio::test]
async fn what_waits_in_the_spool_survives_a_crash() {
    for tail in [&b""[..], b"{\"sequence\":6,\"ti"] {
        let (data, spool) = (data_dir(), data_dir());
        let broken = Arc::new(AtomicBool::new(false));
        let log = spooling(&data, &spool, 1 << 20, &broken);
        for name in ["a", "b"] {
            log.record(event(name)).await.unwrap();
        }
        broken.store(true, Ordering::Relaxed);
        for name in ["c", "d", "e"] {
            log.record(event(name)).await.unwrap();
        }
        drop(log);
        let file = spool.path().join("spool/audit-spool.ndjson");
        let mut text = fs::read(&file).unwrap();
        let waiting = text.clone();
        text.extend_from_slice(tail);
        fs::write(&file, text).unwrap();
        // Still broken, then well again.
        assert_eq!(spooling(&data, &spool, 1 << 20, &broken).spooled(), 3);
        broken.store(false, Ordering::Relaxed);
        let log = spooling(&data, &spool, 1 << 20, &broken);
        assert_eq!((log.spooled(), recorded(&data).len()), (0, 5));
        drop(log);
        // Killed after it was written and before the spool was cleared.
        fs::write(&file, waiting).unwrap();
        let log = spooling(&data, &spool, 1 << 20, &broken);
        log.record(event("f")).await.unwrap();
        assert_eq!(recorded(&data), ["a", "b", "c", "d", "e", "f"]);
        assert_tree(&data, &log);
    }
}

#[tokio::test]
async fn a_full_spool_refuses_and_one_of_another_log_stops_the_start() {
    let (data, spool) = (data_dir(), data_dir());
    let broken = Arc::new(AtomicBool::new(true));
    let log = spooling(&data, &spool, 600, &broken);
    let mut taken = 0;
    for n in 0..20 {
        taken += u64::from(log.record(event(&n.to_string())).await.is_ok());
    }
    assert!((1..20).contains(&taken) && log.spooled() == taken, "{taken}");
    broken.store(false, Ordering::Relaxed);
    log.record(event("after")).await.unwrap();
    assert_eq!(log.head().size(), taken + 1);
    drop(log);
    fs::write(spool.path().join("spool/audit-spool.ndjson"), "{\"sequence\":99}\n").unwrap();
    let spool = Some((spool.path().join("spool"), 600));
    let settings = AuditLogSettings { spool, ..AuditLogSettings::default() };
    let error = AuditLog::open_with(data.path(), settings).err().unwrap();
    assert!(matches!(error, OpenError::Gap { .. }), "{error}");
}

/// The files of a log of twenty events in several segments, and of its spool, with the lines of the log.
struct Kept {
    data: TempDir,
    spool: TempDir,
    lines: Vec<String>,
}

impl Kept {
    async fn new(segment_bytes: u64) -> Self {
        let (data, spool) = (data_dir(), data_dir());
        let log = open_with(data.path(), segment_bytes, |disk| disk);
        for n in 1..=20 {
            log.record(event(&n.to_string())).await.unwrap();
        }
        let lines = log.lines(1..21).unwrap().map(|line| String::from_utf8(line.unwrap()).unwrap());
        let lines = lines.collect();
        fs::create_dir(spool.path().join("spool")).unwrap();
        Self { data, spool, lines }
    }

    /// Signs the log over its first `size` lines, without saying so to anybody.
    fn sign(&self, size: u64) {
        let log = AuditLog::open(self.data.path()).unwrap();
        let mut tree = Frontier::default();
        for line in self.lines.iter().take(usize::try_from(size).unwrap()) {
            tree.push(leaf_hash(line.as_bytes()));
        }
        let mut signed = checkpoint(&log, 1);
        (signed.statement.size, signed.statement.root) = (size, encode_hex(&tree.root()));
        log.keep_checkpoint(&signed).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.spool.path().join("spool/audit-spool.ndjson")
    }

    fn spool(&self, lines: &[String]) {
        fs::write(self.file(), lines.concat()).unwrap();
    }

    /// The lines of events `first` to `last`, with their ends.
    fn part(&self, first: usize, last: usize) -> Vec<String> {
        self.lines[first - 1..last].iter().map(|line| format!("{line}\n")).collect()
    }

    /// Leaves the first `count` events in the log.
    fn cut(&self, count: usize) {
        let path = segments(&self.data).remove(0);
        fs::write(path, self.part(1, count).concat()).unwrap();
    }

    fn open(&self) -> Result<AuditLog, OpenError> {
        let spool = Some((self.spool.path().join("spool"), 1 << 20));
        AuditLog::open_with(self.data.path(), AuditLogSettings { spool, ..AuditLogSettings::default() })
    }

    /// What is on disk, by name.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut paths = segments(&self.data);
        paths.push(self.file());
        paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }
}

fn names(range: std::ops::RangeInclusive<u64>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[tokio::test]
async fn an_older_copy_of_the_spool_takes_nothing_from_the_log() {
    for (segment_bytes, signed) in [(500, true), (500, false), (1 << 20, true), (1 << 20, false)] {
        let kept = Kept::new(segment_bytes).await;
        if signed {
            kept.sign(20);
        }
        kept.spool(&kept.part(5, 8));
        let log = kept.open().unwrap();
        assert_eq!((log.head().size(), log.spooled()), (20, 0));
        log.record(event("21")).await.unwrap();
        assert_eq!(recorded(&kept.data), names(1..=21));
        assert_tree(&kept.data, &log);
        assert_eq!(fs::read(kept.file()).unwrap(), b"");
    }
}

#[tokio::test]
async fn a_spool_with_other_events_stops_the_start_and_changes_nothing() {
    for signed in [false, true] {
        let kept = Kept::new(1 << 20).await;
        if signed {
            kept.sign(20);
        }
        for (first, last, changed) in [(5, 8, 5), (5, 8, 8), (15, 20, 17), (20, 20, 20)] {
            let mut lines = kept.part(first, last);
            lines[changed - first] = lines[changed - first].replace("regproc", "another");
            // Behind the log's end, too.
            if last == 20 {
                lines.push("{\"sequence\":21}\n".to_owned());
            }
            kept.spool(&lines);
            let before = kept.files();
            let error = kept.open().err().unwrap();
            let OpenError::Contradiction { event, spool } = &error else { panic!("{error}") };
            assert_eq!((*event, spool), (changed as u64, &kept.file()));
            assert_eq!(kept.files(), before);
        }
        // Its events were moved away, so that nothing can be compared.
        kept.spool(&["{\"sequence\":0}\n".to_owned()]);
        assert!(matches!(kept.open().err(), Some(OpenError::Gap { end: 20, spool: 0 })));
    }
}

/// The log lost its end, which the spool has; both together are what was signed, or not.
#[tokio::test]
async fn what_was_signed_is_compared_with_log_and_spool_together() {
    for size in [3, 10, 12, 14] {
        let kept = Kept::new(1 << 20).await;
        kept.sign(size);
        kept.cut(10);
        let mut lines = kept.part(9, 14);
        kept.spool(&lines);
        let log = kept.open().unwrap();
        assert_eq!((log.head().size(), log.spooled()), (14, 0));
        assert_eq!(recorded(&kept.data), names(1..=14));
        drop(log);
        kept.cut(10);
        lines[3] = lines[3].replace("regproc", "another");
        kept.spool(&lines);
        let before = kept.files();
        if size < 12 {
            // Nobody has signed anything about it yet.
            assert_eq!(kept.open().unwrap().head().size(), 14);
            continue;
        }
        let error = kept.open().err().unwrap();
        assert!(matches!(error, OpenError::Differs { .. }), "{error}");
        assert_eq!(kept.files(), before);
    }
    let kept = Kept::new(1 << 20).await;
    kept.sign(15);
    kept.cut(10);
    kept.spool(&kept.part(9, 14));
    let before = kept.files();
    let error = kept.open().err().unwrap();
    assert!(matches!(error, OpenError::Shortened { end: 14, size: 15, .. }), "{error}");
    assert_eq!(kept.files(), before);
}

/// What was signed before the last segment began may be archived elsewhere; the last segment may not.
#[tokio::test]
async fn a_signed_state_of_archived_segments_is_not_compared() {
    let kept = Kept::new(500).await;
    kept.sign(2);
    let all = segments(&kept.data);
    for path in &all[..all.len() - 1] {
        fs::remove_file(path).unwrap();
    }
    drop(kept.open().unwrap());
    let first = disk::segment_first(all.last().unwrap().file_name().unwrap().to_str().unwrap()).unwrap();
    fs::remove_file(kept.data.path().join(format!("audit/tree-{first:020}.json"))).unwrap();
    assert!(matches!(kept.open().err(), Some(OpenError::Io { .. })));
}

/// The log keeps what it was given of events that were refused: the spool must not take their numbers.
#[tokio::test]
async fn the_spool_takes_no_numbers_of_refused_events() {
    let (data, spool) = (data_dir(), data_dir());
    let healed = Arc::new(AtomicBool::new(false));
    let open = |wrap: Box<dyn FnOnce(SegmentDirectory) -> Faulty>| {
        let spool = Some((spool.path().join("spool"), 600));
        let settings = AuditLogSettings { spool, ..AuditLogSettings::default() };
        AuditLog::start(&data.path().join("audit"), settings, wrap).unwrap()
    };
    let faulty = Arc::clone(&healed);
    let log = open(Box::new(move |disk| Faulty {
        disk,
        fault: Box::new(move |operation| match operation {
            _ if faulty.load(Ordering::Relaxed) => None,
            // All is written, nothing known to be durable, and nothing can be cut off again.
            "sync" => Some(Fault::After),
            "cut" => Some(Fault::Before),
            _ => None,
        }),
    }));
    // Longer than the spool.
    let oversize = "x".repeat(600);
    assert!(log.record(event(&oversize)).await.is_err());
    assert!(log.record(event("b")).await.is_err());
    assert_eq!((log.spooled(), recorded(&data)), (0, vec![oversize]));
    healed.store(true, Ordering::Relaxed);
    log.record(event("c")).await.unwrap();
    assert_eq!(recorded(&data), ["c"]);
    drop(log);
    let log = open(Box::new(|disk| Faulty { disk, fault: Box::new(|_| None) }));
    assert_eq!((log.head().size(), log.spooled()), (1, 0));
}
