//! Finds whatever was done to exports of logs: every edit, removal, insertion, change of order, missing end and
//! missing log. Needs the public keys and nothing else; reads once, line by line, in little memory: beside a few
//! hashes, the roots that checkpoints were signed over.

mod known;
mod section;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, sync::Arc};

use self::{
    known::{KnownRoots, Source},
    section::{Ended, Section},
};
use super::{
    export::{ExportHeader, without_leaf},
    statement::{Checkpoint, Roster, Signed, VerifyingKeys},
};
use crate::domain::merkle::Frontier;

/// Findings that are told; a file that is nonsense has one a line.
const MAX_FINDINGS: usize = 100;

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line in it, from 1; `None` when it is about the file, or all of them.
    pub line: Option<u64>,
    /// What is wrong, naming the entry.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.text),
            None if self.file.is_empty() => f.write_str(&self.text),
            None => write!(f, "{}: {}", self.file, self.text),
        }
    }
}

/// What was found to hold of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedLog {
    /// The log.
    pub log: String,
    /// The server that wrote it.
    pub server: String,
    /// The first event that was seen.
    pub first: u64,
    /// The last event that a checkpoint covers.
    pub last: u64,
    /// When that checkpoint was made; blank when there is none.
    pub time: String,
}

/// Anchors of a log with which nothing was compared, as the entries that they cover are not all there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncheckedAnchors {
    /// The log.
    pub log: String,
    /// How many there are.
    pub count: usize,
    /// The last event that any of them covers.
    pub last: u64,
}

/// The result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The logs that were seen.
    pub logs: Vec<VerifiedLog>,
    /// Anchors that show nothing here.
    pub unchecked: Vec<UncheckedAnchors>,
    /// What does not hold. Everything holds when there is nothing.
    pub findings: Vec<Finding>,
    /// Findings beyond those told.
    pub more: usize,
}

/// Verifies exports, given line by line.
pub struct Verifier {
    keys: VerifyingKeys,
    anchors: Vec<Checkpoint>,
    /// The event that the auditor knows to be the first one left.
    first: u64,
    rosters: Vec<Roster>,
    logs: BTreeMap<String, Seen>,
    /// Roots of logs, by the log.
    known: BTreeMap<String, KnownRoots>,
    section: Option<Section>,
    place: Place,
    findings: Findings,
}

/// What was seen of a log.
struct Seen {
    verified: VerifiedLog,
    /// The tree over it.
    tree: Frontier,
    /// The last entry, covered or not.
    last: u64,
    /// The file with that.
    file: String,
}

/// Where the verifier is.
#[derive(Default)]
struct Place {
    file: String,
    line: u64,
}

#[derive(Default)]
struct Findings {
    told: Vec<Finding>,
    more: usize,
}

impl Findings {
    fn add(&mut self, file: &str, line: Option<u64>, text: impl Into<String>) {
        if self.told.len() < MAX_FINDINGS {
            self.told.push(Finding { file: file.to_owned(), line, text: text.into() });
        } else {
            self.more += 1;
        }
    }
}

impl Verifier {
    /// Trusts these keys. `first` is the first event that each log must have: 1, unless earlier ones are known to
    /// have been archived.
    pub fn new(keys: VerifyingKeys, first: u64) -> Self {
        Self {
            keys,
            anchors: Vec::new(),
            first,
            rosters: Vec::new(),
            logs: BTreeMap::new(),
            known: BTreeMap::new(),
            section: None,
            place: Place::default(),
            findings: Findings::default(),
        }
    }

    /// Takes a line of what was anchored elsewhere: a checkpoint or a roster. An export that was kept elsewhere will do,
    /// of which these lines alone are taken. All anchors come before the exports.
    pub fn anchor(&mut self, file: &str, number: u64, line: &[u8]) {
        let read = if let Some(checkpoint) = Signed::<Checkpoint>::from_line(line) {
            checkpoint.verify(&self.keys).map(|()| self.keep_anchor(checkpoint))
        } else if let Some(roster) = Signed::<Roster>::from_line(line) {
            roster.verify(&self.keys).map(|()| self.rosters.push(roster.statement))
        } else {
            if without_leaf(line).is_none() && ExportHeader::from_line(line).is_none() {
                self.findings.add(file, Some(number), "the line is neither a checkpoint nor a roster");
            }
            return;
        };
        if let Err(fault) = read {
            self.findings.add(file, Some(number), format!("the anchor does not count: {fault}"));
        }
    }

    fn keep_anchor(&mut self, anchor: Signed<Checkpoint>) {
        // What cannot be read as a root was not taken for a checkpoint.
        if let Some(root) = anchor.statement.root_hash() {
            let Checkpoint { log, size, time, .. } = &anchor.statement;
            self.known.entry(log.clone()).or_default().add(*size, root, Source::Anchor(time.clone()));
        }
        self.anchors.push(anchor.statement);
    }

    /// The next lines are of this file.
    pub fn begin_file(&mut self, name: &str) {
        self.place = Place { file: name.to_owned(), line: 0 };
    }

    /// Takes the next line of the file, without its end.
    pub fn line(&mut self, line: &[u8]) {
        self.place.line += 1;
        if line.starts_with(b"{\"export\":") {
            self.end_section();
            self.begin_section(line);
        } else if line.starts_with(b"{\"roster\":") {
            self.take_roster(line);
        } else if let Some(section) = &mut self.section {
            if line.starts_with(b"{\"checkpoint\":") {
                section.checkpoint(line, &self.keys, &self.place, &mut self.findings);
            } else {
                section.event(line, &self.place, &mut self.findings);
            }
        } else if self.place.line == 1 {
            self.report(
                "the file does not begin as an export does: its first line is missing or was changed",
            );
        }
    }

    /// The file ends; `whole` says whether its last line did.
    pub fn end_file(&mut self, whole: bool) {
        if self.place.line == 0 {
            self.report("the file is empty");
        } else if !whole {
            self.report("the last line has no end: the file is cut off");
        }
        self.end_section();
    }

    /// What holds and what does not.
    pub fn finish(mut self) -> Verdict {
        self.check_ends();
        self.check_completeness();
        let unchecked = self.unchecked_anchors();
        let Findings { told, more } = self.findings;
        let logs = self.logs.into_values().map(|seen| seen.verified).collect();
        Verdict { logs, unchecked, findings: told, more }
    }

    fn report(&mut self, text: impl Into<String>) {
        let line = (self.place.line > 0).then_some(self.place.line);
        self.findings.add(&self.place.file, line, text);
    }

    fn begin_section(&mut self, line: &[u8]) {
        let Some(header) = ExportHeader::from_line(line) else {
            self.report("the line that begins the export was changed");
            return;
        };
        let Some(before) = header.before() else { return };
        match self.logs.get(&header.log) {
            // One that begins earlier is compared as far as both go.
            Some(seen) if header.first > seen.verified.last && seen.tree != before => {
                self.report(format!(
                    "entries of log {} behind {} are missing, or this part does not follow the earlier one",
                    header.log, seen.verified.last
                ));
            }
            None if header.first > self.first => {
                self.report(format!(
                    "entries {} to {} of log {} (server {}) are missing before this export; if they are known to be \
                     archived, give their export too, before this one, or say where the log begins",
                    self.first,
                    header.first - 1,
                    header.log,
                    header.server
                ));
            }
            _ => {}
        }
        let known = self.known.remove(&header.log).unwrap_or_default();
        self.section = Some(Section::new(header, before, known, &self.place, &mut self.findings));
    }

    fn take_roster(&mut self, line: &[u8]) {
        let Some(roster) = Signed::<Roster>::from_line(line) else {
            self.report("the roster was changed");
            return;
        };
        if let Err(fault) = roster.verify(&self.keys) {
            self.report(format!("the roster does not count: {fault}"));
            return;
        }
        let named = self.section.as_ref().and_then(|section| {
            let entry = roster.statement.logs.iter().find(|entry| entry.log == section.log())?;
            (entry.server != section.server()).then(|| entry.server.clone())
        });
        if let Some(server) = named {
            self.report(format!(
                "the line that begins the export was changed: the log is that of server {server}"
            ));
        }
        let misplaced = self.section.as_mut().is_none_or(|section| !section.take_roster());
        if misplaced {
            self.report("a roster stands where none belongs");
        }
        self.rosters.push(roster.statement);
    }

    fn end_section(&mut self) {
        let Some(section) = self.section.take() else { return };
        let earlier = self.logs.remove(section.log());
        let seen = earlier.as_ref().map_or(0, |seen| seen.verified.last);
        let Ended { verified, tree, last, mut known, proved } =
            section.end(seen, &self.place, &mut self.findings);
        let file: Arc<str> = self.place.file.as_str().into();
        for (size, root) in proved {
            known.add(size, root, Source::Export(Arc::clone(&file)));
        }
        let log = verified.log.clone();
        self.known.insert(log.clone(), known);
        let now = Seen { verified, tree, last, file: self.place.file.clone() };
        let first = earlier.as_ref().map_or(now.verified.first, |seen| seen.verified.first);
        let mut farther = match earlier {
            Some(earlier) if earlier.verified.last > now.verified.last => earlier,
            _ => now,
        };
        farther.verified.first = first.min(farther.verified.first);
        self.logs.insert(log, farther);
    }

    /// Whether every log goes as far as its newest anchor.
    fn check_ends(&mut self) {
        for (log, seen) in &self.logs {
            let newest =
                self.anchors.iter().filter(|anchor| anchor.log == *log).max_by_key(|anchor| anchor.size);
            if let Some(anchor) = newest.filter(|anchor| anchor.size > seen.last) {
                let text = format!(
                    "log {log} had {} entries when it was anchored at {}, and ends here after entry {}",
                    anchor.size, anchor.time, seen.last
                );
                self.findings.add(&seen.file, None, text);
            }
        }
    }

    /// The anchors of the logs that were seen with which nothing could be compared.
    fn unchecked_anchors(&self) -> Vec<UncheckedAnchors> {
        let logs = self.logs.iter().filter_map(|(log, seen)| {
            let anchors = self.known.get(log)?.anchors();
            let sizes = anchors.filter(|anchor| !anchor.is_checked && anchor.size <= seen.last);
            let (count, last) =
                sizes.fold((0, 0), |(count, last), anchor| (count + 1, anchor.size.max(last)));
            (count > 0).then(|| UncheckedAnchors { log: log.clone(), count, last })
        });
        logs.collect()
    }

    /// Whether every log that there is, by the newest roster and the anchors, was there.
    fn check_completeness(&mut self) {
        let newest = self.rosters.iter().max_by_key(|roster| roster.version).cloned();
        let Some(newest) = newest else {
            self.findings.add(
                "",
                None,
                "no roster that counts was there: whether logs are missing is not known",
            );
            return;
        };
        for roster in &self.rosters {
            if !newest.covers(roster) || (roster.version == newest.version && *roster != newest) {
                let text = format!("rosters {} and {} contradict each other", roster.version, newest.version);
                self.findings.add("", None, text);
            }
        }
        for entry in newest.logs.iter().filter(|entry| !self.logs.contains_key(&entry.log)) {
            let text = format!(
                "log {} of server {}, written since {}, is missing: its export must be given too",
                entry.log, entry.server, entry.since
            );
            self.findings.add("", None, text);
        }
        for log in self.logs.keys().filter(|log| !newest.names(log)) {
            self.findings.add(
                "",
                None,
                format!("log {log} is on no roster: it is none of this installation"),
            );
        }
        let anchored: BTreeMap<_, _> =
            self.anchors.iter().map(|anchor| (anchor.log.as_str(), anchor)).collect();
        for (log, anchor) in anchored {
            if !self.logs.contains_key(log) && !newest.names(log) {
                let text = format!("log {log} was anchored at {} and is missing", anchor.time);
                self.findings.add("", None, text);
            }
        }
    }
}
