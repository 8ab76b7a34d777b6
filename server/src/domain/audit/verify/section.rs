//! One log in an export, from its header to its last checkpoint.

use super::{
    Findings, Place, VerifiedLog,
    known::{KnownRoots, Source},
};
use crate::domain::{
    audit::{
        export::{ExportHeader, sequence_of, without_leaf},
        statement::{Checkpoint, Signed, VerifyingKeys},
    },
    merkle::{Frontier, Hash, leaf_hash},
};

/// Gaps that are remembered at once.
const MAX_GAPS: usize = 1_000;

/// What is known of the section so far.
pub(super) struct Section {
    header: ExportHeader,
    /// What is known of the log from elsewhere.
    known: KnownRoots,
    /// The entry up to which an earlier export has the same.
    agreed: u64,
    before: Frontier,
    tree: Frontier,
    /// Number of the next event.
    expected: u64,
    /// Numbers that were left out: first and last.
    gaps: Vec<(u64, u64)>,
    /// Lines since the last good one that are no entries as they stand.
    bad: Vec<u64>,
    /// Whether entries were found to be changed, so that roots cannot fit.
    broken: bool,
    /// Whether a root was found not to fit.
    unproved: bool,
    has_roster: bool,
    /// Number of the next checkpoint.
    next_checkpoint: u64,
    covered: Option<Checkpoint>,
    /// Sizes and roots that checkpoints in here were signed over.
    proved: Vec<(u64, Hash)>,
}

/// What a section has shown.
pub(super) struct Ended {
    pub(super) verified: VerifiedLog,
    /// The tree over all of it.
    pub(super) tree: Frontier,
    /// Its last entry, covered or not.
    pub(super) last: u64,
    /// What was known, and what was compared with it.
    pub(super) known: KnownRoots,
    /// Sizes and roots that are signed.
    pub(super) proved: Vec<(u64, Hash)>,
}

impl Section {
    /// A section that begins behind the entries of `before`, which is compared at once with what is known.
    pub(super) fn new(
        header: ExportHeader,
        before: Frontier,
        mut known: KnownRoots,
        place: &Place,
        findings: &mut Findings,
    ) -> Self {
        known.begin(before.size());
        let mut section = Self {
            expected: header.first,
            next_checkpoint: header.checkpoint,
            header,
            known,
            agreed: 0,
            tree: before.clone(),
            before,
            gaps: Vec::new(),
            bad: Vec::new(),
            broken: false,
            unproved: false,
            has_roster: false,
            covered: None,
            proved: Vec::new(),
        };
        section.compare_with_known(place, findings);
        section
    }

    /// The log, as the header says.
    pub(super) fn log(&self) -> &str {
        &self.header.log
    }

    /// The server, as the header says.
    pub(super) fn server(&self) -> &str {
        &self.header.server
    }

    /// Notes the roster; `false` when it stands where none belongs.
    pub(super) fn take_roster(&mut self) -> bool {
        !std::mem::replace(&mut self.has_roster, true) && self.expected == self.header.first
    }

    /// Takes a line that should be an event.
    pub(super) fn event(&mut self, line: &[u8], place: &Place, findings: &mut Findings) {
        let entry = without_leaf(line)
            .filter(|(line, leaf)| leaf_hash(line) == *leaf)
            .and_then(|(line, leaf)| Some((sequence_of(&line)?, leaf)));
        let Some((sequence, leaf)) = entry else {
            self.bad.push(place.line);
            self.broken = true;
            return;
        };
        self.tree.push(leaf);
        if sequence < self.expected {
            self.broken = true;
            let text = if self.fill_gap(sequence) {
                format!("entry {sequence} stands here out of its order")
            } else {
                format!("entry {sequence} is here a second time: the line was inserted")
            };
            findings.add(&place.file, Some(place.line), text);
            return;
        }
        self.settle(Some(sequence), place, findings);
        self.expected = sequence.saturating_add(1);
        self.compare_with_known(place, findings);
    }

    /// Takes a line that should be a checkpoint.
    pub(super) fn checkpoint(
        &mut self,
        line: &[u8],
        keys: &VerifyingKeys,
        place: &Place,
        findings: &mut Findings,
    ) {
        let mut report = |text: String| findings.add(&place.file, Some(place.line), text);
        let Some(signed) = Signed::<Checkpoint>::from_line(line) else {
            return report(
                "the checkpoint was changed: it is not in the form that checkpoints have".to_owned(),
            );
        };
        let checkpoint = &signed.statement;
        if let Err(fault) = signed.verify(keys) {
            return report(format!("checkpoint {} does not count: {fault}", checkpoint.number));
        }
        if checkpoint.log != self.header.log {
            return report(format!(
                "checkpoint {} is of log {}, and this is log {}: logs were swapped",
                checkpoint.number, checkpoint.log, self.header.log
            ));
        }
        if checkpoint.number < self.next_checkpoint {
            return report(format!(
                "checkpoint {} is here a second time, or out of its order",
                checkpoint.number
            ));
        }
        if checkpoint.number > self.next_checkpoint {
            report(format!("checkpoints {} to {} are missing", self.next_checkpoint, checkpoint.number - 1));
        }
        self.next_checkpoint = checkpoint.number.saturating_add(1);
        let next = checkpoint.size.saturating_add(1);
        if next < self.expected {
            report(format!(
                "checkpoint {} covers {} entries and stands behind entry {}: it was moved, or entries were inserted",
                checkpoint.number,
                checkpoint.size,
                self.expected - 1
            ));
            self.broken = true;
            return;
        }
        self.settle(Some(next), place, findings);
        self.expected = next;
        if !self.broken && !self.unproved {
            let root = self.tree.root();
            if checkpoint.root_hash() == Some(root) {
                self.proved.push((checkpoint.size, root));
            } else {
                self.unproved = true;
                let first = self.covered.as_ref().map_or(self.header.first, |covered| covered.size + 1);
                let text = format!(
                    "an entry from {first} to {} was changed, and its hash with it: checkpoint {} was signed over \
                     others",
                    checkpoint.size, checkpoint.number
                );
                findings.add(&place.file, Some(place.line), text);
            }
        }
        if !self.unproved {
            self.covered = Some(signed.statement);
        }
    }

    /// Ends the section: its last line must have been a checkpoint over all that it says it has. What it has up to
    /// entry `seen`, an earlier export has too.
    pub(super) fn end(mut self, seen: u64, place: &Place, findings: &mut Findings) -> Ended {
        self.settle(None, place, findings);
        for (first, last) in &self.gaps {
            findings.add(&place.file, None, removed(*first, *last));
        }
        let last = self.header.last;
        if self.expected <= last {
            let text = format!(
                "the end is cut off: entries {} to {last} of log {} are missing",
                self.expected, self.header.log
            );
            findings.add(&place.file, Some(place.line), text);
        } else if self.covered.as_ref().is_none_or(|covered| covered.size + 1 != self.expected) {
            let first = self.covered.as_ref().map_or(self.header.first, |covered| covered.size + 1);
            if !self.unproved || first > last {
                let text = format!(
                    "entries {first} to {} are covered by no checkpoint that counts: the end is cut off, or was added",
                    self.expected - 1
                );
                findings.add(&place.file, Some(place.line), text);
            }
        }
        if !self.has_roster {
            findings.add(
                &place.file,
                None,
                "the roster, which should be the export's second line, is missing",
            );
        }
        let both = seen.min(self.expected - 1);
        if self.header.first <= both && self.agreed < both && !self.broken && !self.unproved {
            let text = format!(
                "entries {} to {both} of log {} are in an earlier export too, which has no checkpoint behind entry \
                 {both} to compare them by: give the exports in the order in which they were made",
                self.header.first.max(self.agreed + 1),
                self.header.log
            );
            findings.add(&place.file, None, text);
        }
        let verified = VerifiedLog {
            first: self.header.first,
            last: self.covered.as_ref().map_or(self.header.first - 1, |covered| covered.size),
            time: self.covered.as_ref().map(|covered| covered.time.clone()).unwrap_or_default(),
            log: self.header.log,
            server: self.header.server,
        };
        if self.covered.is_some() && self.before.size() > 0 {
            self.proved.push((self.before.size(), self.before.root()));
        }
        Ended { verified, tree: self.tree, last: self.expected - 1, known: self.known, proved: self.proved }
    }

    /// Explains what the bad lines were, now that a good one says which number is next; `None`: nothing follows.
    fn settle(&mut self, next: Option<u64>, place: &Place, findings: &mut Findings) {
        for line in std::mem::take(&mut self.bad) {
            let entry = self.expected;
            let text = match next {
                Some(next) if entry < next => {
                    self.expected += 1;
                    format!("entry {entry} was changed")
                }
                Some(_) => "the line is no entry of the log: it was inserted".to_owned(),
                None => {
                    format!("the line is no entry of the log: it was inserted, or entry {entry} was changed")
                }
            };
            findings.add(&place.file, Some(line), text);
        }
        let Some(next) = next else { return };
        if self.expected < next {
            self.broken = true;
            let gap = (self.expected, next - 1);
            if self.gaps.len() < MAX_GAPS {
                self.gaps.push(gap);
            } else {
                findings.add(&place.file, Some(place.line), removed(gap.0, gap.1));
            }
        }
    }

    /// Takes a number out of the gaps; `false` when it is in none.
    fn fill_gap(&mut self, sequence: u64) -> bool {
        let Some(at) = self.gaps.iter().position(|(first, last)| (*first..=*last).contains(&sequence)) else {
            return false;
        };
        let (first, last) = self.gaps.swap_remove(at);
        if first < sequence {
            self.gaps.push((first, sequence - 1));
        }
        if sequence < last {
            self.gaps.push((sequence + 1, last));
        }
        true
    }

    fn compare_with_known(&mut self, place: &Place, findings: &mut Findings) {
        if self.broken || self.unproved {
            return;
        }
        let size = self.tree.size();
        while let Some(known) = self.known.next_up_to(size) {
            if known.size != size {
                continue;
            }
            known.is_checked = true;
            let is_same = known.root == self.tree.root();
            if is_same && matches!(known.source, Source::Export(_)) {
                self.agreed = size;
            }
            if is_same || std::mem::replace(&mut self.unproved, true) {
                continue;
            }
            let log = &self.header.log;
            let text = match &known.source {
                Source::Anchor(time) => {
                    format!(
                        "the first {size} entries of log {log} are not those that were anchored at {time}"
                    )
                }
                Source::Export(file) => format!(
                    "the first {size} entries of log {log} are not those of {file}: the exports contradict each other"
                ),
            };
            findings.add(&place.file, Some(place.line), text);
        }
    }
}

fn removed(first: u64, last: u64) -> String {
    if first == last {
        format!("entry {first} was removed")
    } else {
        format!("entries {first} to {last} were removed")
    }
}
