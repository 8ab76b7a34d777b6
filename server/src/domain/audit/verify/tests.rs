//! Whatever is done to an export is found, and the entry named.

use super::*;
use crate::domain::{
    audit::{
        export::with_leaf,
        statement::{
            RosterEntry,
            tests::{LOG, TIME, TestKey},
        },
    },
    merkle::leaf_hash,
};

const OTHER: &str = "1b6f1f0e-2b9a-4c55-8a55-2f6f0f3f9a11";

/// A log as its server has it.
struct Log {
    id: String,
    lines: Vec<String>,
}

impl Log {
    fn new(id: &str, entries: u64) -> Self {
        let line = |n| {
            format!(
                "{{\"sequence\":{n},\"time\":\"{TIME}\",\"operation\":\"packet.decrypt\",\"key\":\"{id}-{n}\"}}"
            )
        };
        Self { id: id.to_owned(), lines: (1..=entries).map(line).collect() }
    }

    fn tree(&self, size: u64) -> Frontier {
        let mut tree = Frontier::default();
        for line in self.lines.iter().take(usize::try_from(size).unwrap()) {
            tree.push(leaf_hash(line.as_bytes()));
        }
        tree
    }

    fn checkpoint(&self, key: &TestKey, number: u64, size: u64) -> Signed<Checkpoint> {
        key.sign(Checkpoint {
            log: self.id.clone(),
            number,
            size,
            root: kunji_shared::encoding::encode_hex(&self.tree(size).root()),
            time: TIME.to_owned(),
            key: key.name(),
        })
    }

    /// The export of the entries behind `first - 1`, with a checkpoint behind each of these sizes.
    fn export(&self, key: &TestKey, roster: &[&str], first: u64, sizes: &[u64]) -> Vec<String> {
        let last = *sizes.last().unwrap();
        let server = if self.id == LOG { "one" } else { "two" };
        let header = ExportHeader::new(self.id.clone(), server.to_owned(), &self.tree(first - 1), last, 1);
        let mut lines = vec![header.to_line(), self::roster(key, 1, roster).to_line()];
        let mut number = 0;
        for (n, line) in (1..).zip(&self.lines).filter(|(n, _)| (first..=last).contains(n)) {
            lines.push(String::from_utf8(with_leaf(line.as_bytes())).unwrap());
            if sizes.contains(&n) {
                number += 1;
                lines.push(self.checkpoint(key, number, n).to_line());
            }
        }
        lines
    }
}

fn roster(key: &TestKey, version: u64, logs: &[&str]) -> Signed<Roster> {
    let entry = |log: &&str| RosterEntry {
        log: (*log).to_owned(),
        server: if *log == LOG { "one" } else { "two" }.to_owned(),
        since: TIME.to_owned(),
    };
    let logs = logs.iter().map(entry).collect();
    key.sign(Roster { version, time: TIME.to_owned(), key: key.name(), logs })
}

fn verify_from(key: &TestKey, first: u64, anchors: &[String], files: &[&[String]]) -> Verdict {
    let mut verifier = Verifier::new(key.public(), first);
    for (number, anchor) in (1..).zip(anchors) {
        verifier.anchor("anchors", number, anchor.as_bytes());
    }
    for (number, lines) in files.iter().enumerate() {
        verifier.begin_file(&format!("file{number}"));
        for line in *lines {
            verifier.line(line.as_bytes());
        }
        verifier.end_file(true);
    }
    verifier.finish()
}

fn findings(key: &TestKey, lines: &[String]) -> Vec<String> {
    let verdict = verify_from(key, 1, &[], &[lines]);
    verdict.findings.iter().map(ToString::to_string).collect()
}

/// The only finding.
#[track_caller]
fn only(key: &TestKey, lines: &[String]) -> String {
    let found = findings(key, lines);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

fn sound(key: &TestKey) -> Vec<String> {
    Log::new(LOG, 20).export(key, &[LOG], 1, &[7, 15, 20])
}

/// The line of an entry in [`sound`]: behind header and roster, and the checkpoints before it.
fn line_of(entry: usize) -> usize {
    entry + 1 + usize::from(entry > 7) + usize::from(entry > 15)
}

#[test]
fn what_was_not_touched_holds() {
    let key = TestKey::new();
    let verdict = verify_from(&key, 1, &[], &[&sound(&key)]);
    assert_eq!(verdict.findings, []);
    assert_eq!((verdict.logs.len(), verdict.logs[0].first, verdict.logs[0].last), (1, 1, 20));
}

#[test]
fn an_edited_entry_is_named() {
    let key = TestKey::new();
    for entry in 1..=20 {
        let mut lines = sound(&key);
        let at = line_of(entry);
        lines[at] = lines[at].replace("packet.decrypt", "packet.encrypt");
        assert_eq!(only(&key, &lines), format!("file0:{}: entry {entry} was changed", at + 1));
        // The number itself, and a line that is no JSON any more.
        let mut lines = sound(&key);
        lines[at] = lines[at].replacen(&format!(":{entry},"), ":99,", 1);
        assert_eq!(only(&key, &lines), format!("file0:{}: entry {entry} was changed", at + 1));
        lines[at] = "{".to_owned();
        assert_eq!(only(&key, &lines), format!("file0:{}: entry {entry} was changed", at + 1));
    }
}

/// With its hash made to fit, only the signed roots tell: between which two checkpoints.
#[test]
fn an_entry_edited_with_its_hash_is_narrowed_down() {
    let key = TestKey::new();
    for (entry, (first, last)) in [(3, (1, 7)), (8, (8, 15)), (15, (8, 15)), (20, (16, 20))] {
        let mut lines = sound(&key);
        let other = Log::new(OTHER, 20).lines[entry - 1].clone();
        lines[line_of(entry)] = String::from_utf8(with_leaf(other.as_bytes())).unwrap();
        let found = only(&key, &lines);
        assert!(found.contains(&format!("an entry from {first} to {last} was changed")), "{found}");
    }
}

#[test]
fn every_byte_counts() {
    let key = TestKey::new();
    let lines = sound(&key);
    for (at, line) in lines.iter().enumerate() {
        for byte in 0..line.len() {
            let mut changed = line.clone().into_bytes();
            changed[byte] = if changed[byte] == b'7' { b'8' } else { b'7' };
            let mut verifier = Verifier::new(key.public(), 1);
            verifier.begin_file("x");
            for (number, line) in lines.iter().enumerate() {
                verifier.line(if number == at { &changed } else { line.as_bytes() });
            }
            verifier.end_file(true);
            assert_ne!(verifier.finish().findings, [], "byte {byte} of {line}");
        }
    }
}

#[test]
fn a_removed_entry_is_named() {
    let key = TestKey::new();
    for entry in 1..=20 {
        let mut lines = sound(&key);
        lines.remove(line_of(entry));
        assert_eq!(only(&key, &lines), format!("file0: entry {entry} was removed"));
    }
    let mut lines = sound(&key);
    lines.drain(line_of(9)..=line_of(12));
    assert_eq!(only(&key, &lines), "file0: entries 9 to 12 were removed");
}

/// Those behind the removed one are numbered anew, so that there is no gap.
#[test]
fn a_removal_with_new_numbers_is_found() {
    let key = TestKey::new();
    let mut log = Log::new(LOG, 20);
    let honest = sound(&key);
    log.lines.remove(9);
    for (n, line) in log.lines.iter_mut().enumerate().skip(9) {
        *line = line.replacen(&format!(":{},", n + 2), &format!(":{},", n + 1), 1);
    }
    let mut lines = log.export(&key, &[LOG], 1, &[7, 15, 19]);
    for (line, honest) in lines
        .iter_mut()
        .filter(|line| line.starts_with("{\"checkpoint\""))
        .zip(honest.iter().filter(|line| line.starts_with("{\"checkpoint\"")))
    {
        line.clone_from(honest);
    }
    lines[0].clone_from(&honest[0]);
    let found = findings(&key, &lines);
    assert!(found.iter().any(|text| text.contains("an entry from 8 to 15 was changed")), "{found:#?}");
}

#[test]
fn an_inserted_entry_is_named() {
    let key = TestKey::new();
    for entry in 1..=20 {
        let (mut lines, at) = (sound(&key), line_of(entry));
        lines.insert(at + 1, lines[at].clone());
        let found = only(&key, &lines);
        assert_eq!(
            found,
            format!("file0:{}: entry {entry} is here a second time: the line was inserted", at + 2)
        );
        lines[at + 1] = "{\"sequence\":5}".to_owned();
        let found = only(&key, &lines);
        assert_eq!(found, format!("file0:{}: the line is no entry of the log: it was inserted", at + 2));
    }
}

#[test]
fn a_change_of_order_is_named() {
    let key = TestKey::new();
    let mut lines = sound(&key);
    lines.swap(line_of(3), line_of(4));
    assert_eq!(only(&key, &lines), format!("file0:{}: entry 3 stands here out of its order", line_of(4) + 1));
    let mut lines = sound(&key);
    lines.swap(line_of(3), line_of(6));
    let found = findings(&key, &lines);
    assert!(found.iter().any(|text| text.contains("entry 3 stands here out of its order")), "{found:#?}");
    let mut lines = sound(&key);
    let moved = lines.remove(line_of(2));
    lines.insert(line_of(11), moved);
    let found = findings(&key, &lines);
    assert!(found.iter().any(|text| text.contains("entry 2 stands here out of its order")), "{found:#?}");
}

#[test]
fn a_missing_end_is_found() {
    let key = TestKey::new();
    let lines = sound(&key);
    for length in 0..lines.len() {
        let found = findings(&key, &lines[..length]);
        assert_ne!(found, [""; 0], "{length} lines");
        if length > 2 {
            let cut = found.iter().any(|text| text.contains("cut off"));
            assert!(cut, "{length} lines: {found:#?}");
        }
    }
    // Behind the last checkpoint.
    let found = findings(&key, &lines[..=line_of(18)]);
    assert!(found[0].contains("the end is cut off: entries 19 to 20"), "{found:#?}");
    // The last line without its end.
    let mut verifier = Verifier::new(key.public(), 1);
    verifier.begin_file("x");
    for line in &lines {
        verifier.line(line.as_bytes());
    }
    verifier.end_file(false);
    assert!(verifier.finish().findings[0].text.contains("the file is cut off"));
}

#[test]
fn entries_behind_the_last_checkpoint_do_not_count() {
    let key = TestKey::new();
    let mut lines = sound(&key);
    let added = Log::new(LOG, 21).lines[20].clone();
    lines.push(String::from_utf8(with_leaf(added.as_bytes())).unwrap());
    assert!(only(&key, &lines).contains("entries 21 to 21 are covered by no checkpoint that counts"));
}

#[test]
fn a_missing_beginning_is_found() {
    let key = TestKey::new();
    let log = Log::new(LOG, 20);
    let part = log.export(&key, &[LOG], 9, &[15, 20]);
    assert!(only(&key, &part).contains("entries 1 to 8 of log"));
    assert_eq!(verify_from(&key, 9, &[], &[&part]).findings, []);
    // Its own export before it, and none with a hole between them.
    let whole = log.export(&key, &[LOG], 1, &[5, 8]);
    let verdict = verify_from(&key, 1, &[], &[&whole, &part]);
    assert_eq!((verdict.findings, verdict.logs[0].first, verdict.logs[0].last), (vec![], 1, 20));
    let short = log.export(&key, &[LOG], 1, &[5, 7]);
    assert_ne!(verify_from(&key, 1, &[], &[&short, &part]).findings, []);
    assert_ne!(verify_from(&key, 1, &[], &[&part, &whole]).findings, []);
    // The first lines taken away.
    for lines in [&part[1..], &part[2..], &[&part[..1], &part[2..]].concat()] {
        assert_ne!(verify_from(&key, 9, &[], &[lines]).findings, []);
    }
}

#[test]
fn missing_and_swapped_checkpoints_are_found() {
    let key = TestKey::new();
    let mut lines = sound(&key);
    lines.remove(line_of(7) + 1);
    assert!(only(&key, &lines).contains("checkpoints 1 to 1 are missing"));
    let mut lines = sound(&key);
    lines.swap(line_of(7) + 1, line_of(15) + 1);
    assert_ne!(findings(&key, &lines), [""; 0]);
    let mut lines = sound(&key);
    lines.insert(line_of(15) + 2, lines[line_of(15) + 1].clone());
    assert!(only(&key, &lines).contains("checkpoint 2 is here a second time"));
}

#[test]
fn a_forged_checkpoint_and_one_of_another_key_do_not_count() {
    let key = TestKey::new();
    let log = Log::new(LOG, 20);
    let last = sound(&key).len() - 1;
    // Another's signature under our key's name, a signature by another key, ours over something else.
    let forged = Signed { signature: vec![7; 256], ..log.checkpoint(&key, 3, 20) };
    let of_another_key = log.checkpoint(&TestKey::new(), 3, 20);
    let of_less = Signed { statement: log.checkpoint(&key, 3, 20).statement, ..log.checkpoint(&key, 3, 19) };
    for (checkpoint, text) in [
        (forged, "it is forged or was changed"),
        (of_another_key, "signed by a key that is not trusted"),
        (of_less, "it is forged or was changed"),
    ] {
        let mut lines = sound(&key);
        lines[last] = checkpoint.to_line();
        let found = findings(&key, &lines);
        assert!(found[0].contains(text), "{found:#?}");
        assert!(found[1].contains("entries 16 to 20 are covered by no checkpoint"), "{found:#?}");
    }
    // A whole export by another key.
    let stranger = TestKey::new();
    assert_ne!(findings(&key, &log.export(&stranger, &[LOG], 1, &[20])), [""; 0]);
}

#[test]
fn swapped_and_missing_logs_are_found() {
    let key = TestKey::new();
    let (one, two) = (Log::new(LOG, 20), Log::new(OTHER, 20));
    let both = [LOG, OTHER];
    let (first, second) = (one.export(&key, &both, 1, &[20]), two.export(&key, &both, 1, &[20]));
    assert_eq!(verify_from(&key, 1, &[], &[&first, &second]).findings, []);
    assert_eq!(verify_from(&key, 1, &[], &[&[&second[..], &first[..]].concat()]).findings, []);
    let found = only(&key, &first);
    assert!(
        found.contains(OTHER) && found.contains("of server two") && found.contains("is missing"),
        "{found}"
    );
    // The entries of one under the name of the other.
    let swapped = [&first[..2], &second[2..]].concat();
    let found = findings(&key, &swapped);
    assert!(found.iter().any(|text| text.contains("logs were swapped")), "{found:#?}");
    // A log that belongs elsewhere, and a roster without it.
    assert_ne!(findings(&key, &one.export(&key, &[OTHER], 1, &[20])), [""; 0]);
    // The same export twice.
    assert_eq!(verify_from(&key, 1, &[], &[&first, &first, &second]).findings, []);
    // A newer roster on which a log is missing.
    let newer = [first[0].clone(), roster(&key, 2, &[LOG]).to_line()];
    let found = verify_from(&key, 1, &[], &[&[&newer, &first[2..]].concat(), &second]).findings;
    assert!(found.iter().any(|finding| finding.text.contains("contradict")), "{found:#?}");
}

#[test]
fn anchors_tell_of_an_older_and_of_another_log() {
    let key = TestKey::new();
    let log = Log::new(LOG, 20);
    let anchor = |log: &Log, size| vec![log.checkpoint(&key, size, size).to_line()];
    assert_eq!(verify_from(&key, 1, &anchor(&log, 11), &[&sound(&key)]).findings, []);
    assert_eq!(verify_from(&key, 1, &anchor(&log, 20), &[&sound(&key)]).findings, []);
    // Everything is signed, but it is the state of an earlier day.
    let older = log.export(&key, &[LOG], 1, &[7, 15]);
    assert_eq!(findings(&key, &older), [""; 0]);
    let found = verify_from(&key, 1, &anchor(&log, 18), &[&older]).findings;
    assert!(
        found[0].text.contains("had 18 entries") && found[0].text.contains("after entry 15"),
        "{found:#?}"
    );
    // Signed by the right key over other entries: what an intruder with the token's session makes.
    let mut rewritten = Log::new(LOG, 20);
    rewritten.lines[4] = rewritten.lines[4].replace("decrypt", "encrypt");
    let forged = rewritten.export(&key, &[LOG], 1, &[7, 15, 20]);
    assert_eq!(findings(&key, &forged), [""; 0]);
    let found = verify_from(&key, 1, &anchor(&log, 11), &[&forged]).findings;
    assert!(
        found[0].text.contains("the first 11 entries") && found[0].text.contains("anchored"),
        "{found:#?}"
    );
    // An anchored roster knows of a log that the export's does not.
    let anchored = vec![roster(&key, 2, &[LOG, OTHER]).to_line()];
    let found = verify_from(&key, 1, &anchored, &[&sound(&key)]).findings;
    assert!(found[0].text.contains(OTHER), "{found:#?}");
    assert_ne!(verify_from(&key, 1, &["nonsense".to_owned()], &[&sound(&key)]).findings, []);
}

/// The exports of one log that an auditor keeps, with anchors: each is checked by the part that has its entry.
#[test]
fn anchors_are_checked_over_all_parts() {
    let key = TestKey::new();
    let log = Log::new(LOG, 20);
    let parts = [log.export(&key, &[LOG], 1, &[5, 10]), log.export(&key, &[LOG], 11, &[15, 20])];
    let parts = [&parts[0][..], &parts[1][..]];
    for size in 1..=20 {
        let anchor = [log.checkpoint(&key, size, size).to_line()];
        let verdict = verify_from(&key, 1, &anchor, &parts);
        assert_eq!((verdict.findings, verdict.unchecked), (vec![], vec![]), "{size}");
        // Of entries that are not these.
        let mut other = Log::new(LOG, 20);
        other.lines[0] = other.lines[0].replace("decrypt", "encrypt");
        let anchor = [other.checkpoint(&key, size, size).to_line()];
        let found = verify_from(&key, 1, &anchor, &parts).findings;
        assert!(found[0].text.contains("are not those that were anchored"), "{size}: {found:#?}");
    }
    let all: Vec<_> = (1..=20).map(|size| log.checkpoint(&key, size, size).to_line()).collect();
    let verdict = verify_from(&key, 1, &all, &parts);
    assert_eq!((verdict.findings, verdict.unchecked), (vec![], vec![]));
    // Behind the last part.
    let found = verify_from(&key, 1, &all, &[parts[0]]).findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].text.contains("had 20 entries") && found[0].text.contains("after entry 10"));
    assert_eq!(found[0].file, "file0");
}

#[test]
fn anchors_before_the_first_entry_are_compared_or_said_not_to_be() {
    let key = TestKey::new();
    let log = Log::new(LOG, 20);
    let part = log.export(&key, &[LOG], 11, &[15, 20]);
    let anchors = |log: &Log, sizes: &[u64]| -> Vec<_> {
        sizes.iter().map(|size| log.checkpoint(&key, *size, *size).to_line()).collect()
    };
    let verdict = verify_from(&key, 11, &anchors(&log, &[10, 12]), &[&part]);
    assert_eq!((verdict.findings, verdict.unchecked), (vec![], vec![]));
    let verdict = verify_from(&key, 11, &anchors(&log, &[3, 9, 9, 10, 12]), &[&part]);
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.unchecked, [UncheckedAnchors { log: LOG.to_owned(), count: 2, last: 9 }]);
    // Written anew from the beginning on: its frontier is not that of the anchor.
    let mut rewritten = Log::new(LOG, 20);
    rewritten.lines[4] = rewritten.lines[4].replace("decrypt", "encrypt");
    let forged = rewritten.export(&key, &[LOG], 11, &[15, 20]);
    let found = verify_from(&key, 11, &anchors(&log, &[10]), &[&forged]).findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].text.contains("the first 10 entries") && found[0].text.contains("anchored"));
}

#[test]
fn exports_that_overlap_must_agree() {
    let key = TestKey::new();
    let log = Log::new(LOG, 20);
    let export = |log: &Log, first, sizes: &[u64]| log.export(&key, &[LOG], first, sizes);
    let (early, late) = (export(&log, 1, &[5, 12]), export(&log, 1, &[5, 12, 15, 20]));
    let (middle, end) = (export(&log, 7, &[12, 15]), export(&log, 12, &[15, 20]));
    let accepted: [(&[&[String]], u64); 5] = [
        (&[&early, &late], 20),
        // The later one has a checkpoint where the earlier one ends.
        (&[&late, &early], 20),
        (&[&early, &middle], 15),
        (&[&early, &middle, &end], 20),
        (&[&early, &late, &middle, &end, &early], 20),
    ];
    for (files, last) in accepted {
        let verdict = verify_from(&key, 1, &[log.checkpoint(&key, 9, 9).to_line()], files);
        assert_eq!((verdict.findings, verdict.unchecked), (vec![], vec![]));
        assert_eq!((verdict.logs[0].first, verdict.logs[0].last), (1, last));
    }
    // Both are signed, and an entry that both have, or that comes before the second, is another one.
    for entry in [2, 9, 12] {
        let mut other = Log::new(LOG, 20);
        other.lines[entry - 1] = other.lines[entry - 1].replace("decrypt", "encrypt");
        for (one, two) in [
            (&early, export(&other, 7, &[12, 15])),
            (&early, export(&other, 1, &[20])),
            (&late, export(&other, 1, &[5, 12])),
        ] {
            let found = verify_from(&key, 1, &[], &[one, &two]).findings;
            let contradicts = |finding: &Finding| {
                finding.file == "file1" && finding.text.contains("are not those of file0")
            };
            assert!(found.iter().any(contradicts), "entry {entry}: {found:#?}");
        }
    }
    // Nothing is signed of the first where the second ends.
    let found = verify_from(&key, 1, &[], &[&late, &export(&log, 1, &[5, 11])]).findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].text.contains("entries 6 to 11") && found[0].text.contains("in the order"),
        "{found:#?}"
    );
}

/// An export that the auditor kept is an anchor for a later one.
#[test]
fn an_export_will_do_as_anchors() {
    let key = TestKey::new();
    let log = Log::new(LOG, 20);
    let kept = log.export(&key, &[LOG], 1, &[5, 12]);
    let later = log.export(&key, &[LOG], 1, &[20]);
    assert_eq!(verify_from(&key, 1, &kept, &[&later]).findings, []);
    let older = log.export(&key, &[LOG], 1, &[11]);
    let found = verify_from(&key, 1, &kept, &[&older]).findings;
    assert!(found[0].text.contains("had 12 entries"), "{found:#?}");
    let mut damaged = kept;
    damaged[3] = damaged[3].replace("\"}", "\"");
    let found = verify_from(&key, 1, &damaged, &[&later]).findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].file.as_str(), found[0].line), ("anchors", Some(4)));
}

#[test]
fn nonsense_is_told_briefly() {
    let key = TestKey::new();
    let mut lines = sound(&key);
    lines.extend((0..500).map(|_| "nonsense".to_owned()));
    let verdict = verify_from(&key, 1, &[], &[&lines]);
    assert_eq!((verdict.findings.len(), verdict.more > 0), (MAX_FINDINGS, true));
    for lines in [&[][..], &[String::new()], &["nonsense".to_owned()]] {
        assert_ne!(findings(&key, lines), [""; 0]);
    }
}
