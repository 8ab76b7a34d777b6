//! The rules of a control file: which calls they fire on, and what they do then.
//!
//! ```text
//! rule     = functions when ":" fault
//! functions = "*" / name / beginning-of-a-name "*"
//! when     = "always" / "nth" N / "first" N / "every" N
//! ```

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use cryptoki_sys::CK_RV;

use crate::{functions::Function, return_values};

/// The rules of one version of the control file.
#[derive(Debug, Default)]
pub(crate) struct Script {
    rules: Vec<Rule>,
}

impl Script {
    /// One rule a line; empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// What is wrong with which line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).enumerate();
        let rules =
            lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(number, line)| {
                Rule::parse(line).map_err(|fault| format!("line {}: {fault}: {line}", number + 1))
            });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// The rules in their order.
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether a rule stands there with these words.
    pub(crate) fn has(&self, words: &str) -> bool {
        self.rules.iter().any(|rule| rule.words == words)
    }
}

/// A rule, and how many calls it has seen.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The line it was read from.
    pub(crate) words: String,
    functions: Functions,
    when: When,
    fault: Fault,
    calls: AtomicU64,
}

impl Rule {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let (head, fault) = line.split_once(':').ok_or("no colon before the fault")?;
        let (functions, when) = head.trim().split_once(' ').ok_or("no time after the function")?;
        Ok(Self {
            words: line.to_owned(),
            functions: Functions::parse(functions).ok_or("no such function")?,
            when: When::parse(when.trim()).ok_or("no such time")?,
            fault: Fault::parse(fault.trim()).ok_or("no such fault")?,
            calls: AtomicU64::new(0),
        })
    }

    /// The fault, if it is due on this call, which is counted if it could be. `has_output`: the call asks for bytes,
    /// and not for their number only.
    pub(crate) fn fires(&self, function: Function, has_output: bool) -> Option<&Fault> {
        if !self.functions.contain(function) || (self.fault.bends_output() && !has_output) {
            return None;
        }
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        self.when.is_due(call).then_some(&self.fault)
    }
}

/// A set of functions, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Functions(u128);

impl Functions {
    fn parse(text: &str) -> Option<Self> {
        let is_meant = |name: &str| match text.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == text,
        };
        let meant = Function::ALL.iter().filter(|function| is_meant(function.name()));
        let set = meant.fold(0, |set, function| set | Self::bit(*function));
        (set != 0).then_some(Self(set))
    }

    fn contain(self, function: Function) -> bool {
        self.0 & Self::bit(function) != 0
    }

    const fn bit(function: Function) -> u128 {
        1 << function as u32
    }
}

/// On which of the calls that a rule is about, counted from 1 since the process has seen this version of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    Every(u64),
    First(u64),
    Nth(u64),
}

impl When {
    fn parse(text: &str) -> Option<Self> {
        if text == "always" {
            return Some(Self::Always);
        }
        let (word, number) = text.split_once(' ')?;
        let number = number.trim().parse().ok().filter(|number| *number > 0)?;
        match word {
            "every" => Some(Self::Every(number)),
            "first" => Some(Self::First(number)),
            "nth" => Some(Self::Nth(number)),
            _ => None,
        }
    }

    fn is_due(self, call: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Every(number) => call.is_multiple_of(number),
            Self::First(number) => call <= number,
            Self::Nth(number) => call == number,
        }
    }
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call ends here with this answer.
    Return(CK_RV),
    /// The call takes longer.
    Delay(Duration),
    /// The call goes on when the rule has gone.
    Hang,
    /// The call never comes back.
    HangForever,
    /// The process aborts.
    Crash,
    /// The process is killed before the real module sees the call.
    Kill,
    /// The process is killed when the real module has answered, before the caller sees it.
    KillAfter,
    /// All sessions are closed, which also logs out.
    DropSessions,
    /// The session handles given out so far are invalid; the sessions stay open, and the user logged in.
    ForgetSessions,
    /// The object handles given out so far are invalid.
    ForgetObjects,
    /// As the former, and no object is found until the library is initialised anew.
    LoseObjects,
    /// The user is logged out.
    LogOut,
    /// Every slot has another id from now on.
    RenumberSlots,
    /// The token has been pulled.
    NoToken,
    /// The search finds nothing.
    NoObjects,
    /// There are never more open sessions than this.
    LimitSessions(usize),
    /// A bit in the middle of the output is flipped.
    Corrupt,
    /// The output is one byte shorter.
    Shorten,
    /// The output has no bytes.
    Empty,
}

impl Fault {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "hang" => Self::Hang,
            "hang forever" => Self::HangForever,
            "crash" => Self::Crash,
            "kill" => Self::Kill,
            "kill-after" => Self::KillAfter,
            "drop-sessions" => Self::DropSessions,
            "forget-sessions" => Self::ForgetSessions,
            "forget-objects" => Self::ForgetObjects,
            "lose-objects" => Self::LoseObjects,
            "log-out" => Self::LogOut,
            "renumber-slots" => Self::RenumberSlots,
            "no-token" => Self::NoToken,
            "no-objects" => Self::NoObjects,
            "corrupt" => Self::Corrupt,
            "shorten" => Self::Shorten,
            "empty" => Self::Empty,
            _ => {
                let (word, value) = text.split_once(' ')?;
                let value = value.trim();
                match word {
                    "return" => Self::Return(return_values::parse(value)?),
                    "delay" => Self::Delay(Duration::from_millis(value.strip_suffix("ms")?.parse().ok()?)),
                    "limit-sessions" => Self::LimitSessions(value.parse().ok()?),
                    _ => return None,
                }
            }
        })
    }

    fn bends_output(&self) -> bool {
        matches!(self, Self::Corrupt | Self::Shorten | Self::Empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGN: Function = Function::C_Sign;

    fn fired(line: &str, calls: u64) -> Vec<u64> {
        let rule = Rule::parse(line).unwrap();
        (1..=calls).filter(|_| rule.fires(SIGN, true).is_some()).collect()
    }

    #[test]
    fn a_rule_fires_when_it_says() {
        assert_eq!(fired("C_Sign always: crash", 3), [1, 2, 3]);
        assert_eq!(fired("C_Sign nth 2: crash", 4), [2]);
        assert_eq!(fired("C_Sign first 2: crash", 4), [1, 2]);
        assert_eq!(fired("C_Sign every 2: crash", 5), [2, 4]);
    }

    #[test]
    fn a_rule_fires_on_its_functions() {
        let names = |text: &str| {
            let set = Functions::parse(text).unwrap();
            let meant = Function::ALL.iter().filter(|function| set.contain(**function));
            meant.map(|function| function.name()).collect::<Vec<_>>()
        };
        assert_eq!(names("C_Sign"), ["C_Sign"]);
        assert_eq!(names("C_FindObjects*"), ["C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal"]);
        assert_eq!(names("*").len(), 67);
    }

    #[test]
    fn rules_about_output_see_only_calls_that_give_some() {
        let rule = Rule::parse("C_Sign nth 1: corrupt").unwrap();
        assert_eq!(rule.fires(SIGN, false), None);
        assert_eq!(rule.fires(SIGN, true), Some(&Fault::Corrupt));
    }

    #[test]
    fn values_are_read() {
        let fault = |line: &str| Rule::parse(line).unwrap().fault;
        assert_eq!(fault("* always: return CKR_DEVICE_ERROR"), Fault::Return(0x30));
        assert_eq!(fault("* always:  delay 250ms"), Fault::Delay(Duration::from_millis(250)));
        assert_eq!(fault("*  always : limit-sessions 4"), Fault::LimitSessions(4));
    }

    #[test]
    fn wrong_lines_are_named() {
        for line in [
            "C_Sign",
            "C_Sign: crash",
            "C_Sing always: crash",
            "C_GetFunctionList always: crash",
            "C_Sign sometimes: crash",
            "C_Sign nth: crash",
            "C_Sign nth 0: crash",
            "C_Sign always 3: crash",
            "C_Sign always: explode",
            "C_Sign always: return CKR_NONE",
            "C_Sign always: delay 5",
            "C_Sign always: limit-sessions",
        ] {
            let fault = Script::parse(&format!("\n# good\n{line}\n")).unwrap_err();
            assert!(fault.starts_with("line 3: ") && fault.ends_with(line), "{fault}");
        }
    }

    #[test]
    fn a_script_knows_its_rules_by_their_words() {
        let script = Script::parse(" C_Sign always: hang\n# C_Login always: hang\n\n").unwrap();
        assert_eq!(script.rules().len(), 1);
        assert!(script.has("C_Sign always: hang"));
        assert!(!script.has("C_Login always: hang"));
    }

    #[test]
    fn every_example_of_the_readme_is_a_rule() {
        let readme = include_str!("../README.md");
        let blocks: Vec<_> = readme.split("```rules\n").skip(1).collect();
        assert!(!blocks.is_empty());
        for block in blocks {
            let (rules, _) = block.split_once("```").unwrap();
            assert!(!Script::parse(rules).unwrap().rules().is_empty(), "{rules}");
        }
    }
}
