//! Finds whatever was done to exports of logs: every edit, removal, insertion, change of order, missing end and
//! missing log. Needs the public keys and nothing else; reads once, line by line, in little memory.

mod section;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use self::section::Section;
use super::{
    export::ExportHeader,
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

/// The result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The logs that were seen.
    pub logs: Vec<VerifiedLog>,
    /// What does not hold. Everything holds when there is nothing.
    pub findings: Vec<Finding>,
    /// Findings beyond those told.
    pub more: usize,
}

/// Verifies exports, given line by line.
pub struct Verifier {
    keys: VerifyingKeys,
    anchors: Vec<Signed<Checkpoint>>,
    /// The event that the auditor knows to be the first one left.
    first: u64,
    rosters: Vec<Roster>,
    logs: BTreeMap<String, (VerifiedLog, Frontier)>,
    section: Option<Section>,
    place: Place,
    findings: Findings,
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
            section: None,
            place: Place::default(),
            findings: Findings::default(),
        }
    }

    /// Takes a line of what was anchored elsewhere: a checkpoint or a roster. All anchors come before the exports.
    pub fn anchor(&mut self, file: &str, number: u64, line: &[u8]) {
        let read = if let Some(checkpoint) = Signed::<Checkpoint>::from_line(line) {
            checkpoint.verify(&self.keys).map(|()| self.anchors.push(checkpoint))
        } else if let Some(roster) = Signed::<Roster>::from_line(line) {
            roster.verify(&self.keys).map(|()| self.rosters.push(roster.statement))
        } else {
            self.findings.add(file, Some(number), "the line is neither a checkpoint nor a roster");
            return;
        };
        if let Err(fault) = read {
            self.findings.add(file, Some(number), format!("the anchor does not count: {fault}"));
        }
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
        self.check_completeness();
        let Findings { told, more } = self.findings;
        Verdict { logs: self.logs.into_values().map(|(log, _)| log).collect(), findings: told, more }
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
            Some((seen, _)) if header.first <= seen.last => {
                self.report(format!(
                    "log {} is there a second time from entry {} on; up to {} it was there before",
                    header.log, header.first, seen.last
                ));
            }
            Some((seen, frontier)) if *frontier != before => {
                self.report(format!(
                    "entries of log {} behind {} are missing, or this part does not follow the earlier one",
                    header.log, seen.last
                ));
            }
            None if header.first > self.first => {
                self.report(format!(
                    "entries {} to {} of log {} (server {}) are missing before this export; if they are known to be \
                     archived, give their export too, or say where the log begins",
                    self.first,
                    header.first - 1,
                    header.log,
                    header.server
                ));
            }
            _ => {}
        }
        let anchors = self.anchors.iter().filter(|anchor| anchor.statement.log == header.log);
        let anchors = anchors.map(|anchor| anchor.statement.clone()).collect();
        self.section = Some(Section::new(header, before, anchors));
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
        let (verified, frontier) = section.end(&self.place, &mut self.findings);
        let first = self.logs.get(&verified.log).map_or(verified.first, |(earlier, _)| earlier.first);
        self.logs.insert(verified.log.clone(), (VerifiedLog { first, ..verified }, frontier));
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
            self.anchors.iter().map(|anchor| (anchor.statement.log.as_str(), &anchor.statement)).collect();
        for (log, anchor) in anchored {
            if !self.logs.contains_key(log) && !newest.names(log) {
                let text = format!("log {log} was anchored at {} and is missing", anchor.time);
                self.findings.add("", None, text);
            }
        }
    }
}
