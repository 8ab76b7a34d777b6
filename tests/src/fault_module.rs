//! A PKCS#11 module that fails as a test tells it: the driver of `tests/fault-module`, whose README says what each
//! fault does.
//!
//! A [`FaultModule`] is a copy of the module of its own, in front of a real one. Give its [`FaultModule::path`] to
//! whatever loads a PKCS#11 module, in this process or, by [`FaultModule::envs`], in a child, then change its rules
//! while that runs.

use std::{
    collections::{BTreeMap, VecDeque},
    env, fmt,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use cryptoki_sys::CK_RV;
use tempfile::TempDir;

use crate::softhsm;

/// Where the built module is, if not beside the tests.
pub const MODULE_VARIABLE: &str = "KUNJI_TEST_FAULT_MODULE";

const FILE_NAME: &str = "libkunji_fault_module.so";
/// Old versions of the control file that are kept, so that no later version gets the inode of one that a process may
/// have seen last.
const KEPT_VERSIONS: usize = 16;

/// A copy of the module, with rules of its own.
#[derive(Debug)]
pub struct FaultModule {
    dir: TempDir,
    versions: Mutex<VecDeque<File>>,
}

impl FaultModule {
    /// A module in front of SoftHSM, without faults.
    pub fn new() -> Self {
        Self::over(&softhsm::module())
    }

    /// A module in front of `real`, without faults.
    pub fn over(real: &Path) -> Self {
        let module = Self { dir: TempDir::new().unwrap(), versions: Mutex::default() };
        fs::create_dir(module.counters_directory()).unwrap();
        fs::copy(built(), module.path()).unwrap();
        let mut settings = module.path().into_os_string();
        settings.push(".env");
        fs::write(
            settings,
            format!(
                "KUNJI_TEST_FAULT_MODULE_REAL={}\nKUNJI_TEST_FAULT_MODULE_CONTROL={}\n\
                 KUNJI_TEST_FAULT_MODULE_COUNTERS={}\n",
                real.display(),
                module.control().display(),
                module.counters_directory().display()
            ),
        )
        .unwrap();
        module
    }

    /// The module to load.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join(FILE_NAME)
    }

    /// What lets a `kunji` that is started with it load this module.
    pub fn envs(&self) -> [(&'static str, PathBuf); 1] {
        [("KUNJI_PKCS11_MODULE", self.path())]
    }

    /// Sets the rules, instead of those before. Every process counts calls anew.
    pub fn set(&self, rules: impl IntoIterator<Item = Rule>) {
        let lines: Vec<String> = rules.into_iter().map(|rule| rule.to_string()).collect();
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let draft = self.dir.path().join("control.new");
        fs::write(&draft, lines.join("\n")).unwrap();
        versions.push_back(File::open(&draft).unwrap());
        fs::rename(draft, self.control()).unwrap();
        if versions.len() > KEPT_VERSIONS {
            versions.pop_front();
        }
    }

    /// Ends all faults that end with their rule.
    pub fn clear(&self) {
        self.set([]);
    }

    /// What has been called until now, by all processes that have loaded the module.
    pub fn counters(&self) -> Counters {
        let mut counters = Counters::default();
        for entry in fs::read_dir(self.counters_directory()).unwrap() {
            let path = entry.unwrap().path();
            // A file that is still being made has another name.
            if path.extension().is_none() {
                counters.add(&path);
            }
        }
        counters
    }

    fn control(&self) -> PathBuf {
        self.dir.path().join("control")
    }

    fn counters_directory(&self) -> PathBuf {
        self.dir.path().join("counters")
    }
}

impl Default for FaultModule {
    fn default() -> Self {
        Self::new()
    }
}

/// Calls of all processes together, and sessions of those that still run.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    calls: BTreeMap<String, u64>,
    /// Processes that have loaded the module.
    pub processes: usize,
    /// Those of them that run.
    pub running: Vec<u32>,
    /// Sessions open now, in processes that run.
    pub sessions: u64,
}

impl Counters {
    /// Calls of a function, whatever they gave. Zero if no process has loaded the module.
    pub fn calls(&self, function: &str) -> u64 {
        self.calls.get(function).copied().unwrap_or_else(|| {
            assert!(self.calls.is_empty(), "{function} is no function of PKCS#11 2.40");
            0
        })
    }

    fn add(&mut self, file: &Path) {
        let process: u32 = file.file_name().unwrap().to_string_lossy().parse().unwrap();
        let runs = Path::new("/proc").join(process.to_string()).exists();
        self.processes += 1;
        self.running.extend(runs.then_some(process));
        for line in fs::read_to_string(file).unwrap().lines() {
            let (name, value) = line.split_once(' ').unwrap();
            let value: u64 = value.trim().parse().unwrap();
            match name {
                "sessions" if runs => self.sessions += value,
                "sessions" => (),
                _ => *self.calls.entry(name.to_owned()).or_default() += value,
            }
        }
    }
}

/// Which calls fail, and how.
#[derive(Clone, Debug)]
pub struct Rule {
    functions: String,
    when: When,
    fault: Fault,
}

impl Rule {
    /// On every call of `functions`: a name (`C_Sign`), the beginning of names (`C_FindObjects*`), or all (`*`).
    pub fn always(functions: &str, fault: Fault) -> Self {
        Self::new(functions, When::Always, fault)
    }

    /// On every `number`th call.
    pub fn every(number: u64, functions: &str, fault: Fault) -> Self {
        Self::new(functions, When::Every(number), fault)
    }

    /// On the first `number` calls after it has been set.
    pub fn first(number: u64, functions: &str, fault: Fault) -> Self {
        Self::new(functions, When::First(number), fault)
    }

    /// On the `number`th call after it has been set, and no other.
    pub fn nth(number: u64, functions: &str, fault: Fault) -> Self {
        Self::new(functions, When::Nth(number), fault)
    }

    fn new(functions: &str, when: When, fault: Fault) -> Self {
        Self { functions: functions.to_owned(), when, fault }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.functions, self.when, self.fault)
    }
}

#[derive(Clone, Copy, Debug)]
enum When {
    Always,
    Every(u64),
    First(u64),
    Nth(u64),
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Every(number) => write!(f, "every {number}"),
            Self::First(number) => write!(f, "first {number}"),
            Self::Nth(number) => write!(f, "nth {number}"),
        }
    }
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A bit of the output is flipped.
    Corrupt,
    /// The process aborts.
    Crash,
    /// The call takes longer.
    Delay(Duration),
    /// All sessions are closed, which also logs out; the call goes on.
    DropSessions,
    /// The output has no bytes.
    Empty,
    /// The object handles given out so far are invalid.
    ForgetObjects,
    /// The session handles given out so far are invalid; the sessions stay open, and the user logged in.
    ForgetSessions,
    /// The call goes on when its rule has gone.
    Hang,
    /// The call never comes back.
    HangForever,
    /// The process is killed before the real module sees the call.
    Kill,
    /// The process is killed when the real module has answered.
    KillAfter,
    /// `C_OpenSession` gives `CKR_SESSION_COUNT` while so many sessions are open.
    LimitSessions(usize),
    /// The user is logged out; the call goes on.
    LogOut,
    /// Object handles are invalid, and no object is found until `C_Finalize` and `C_Initialize`.
    LoseObjects,
    /// `C_FindObjects` gives none.
    NoObjects,
    /// The token is pulled.
    NoToken,
    /// Every slot has another id from now on.
    RenumberSlots,
    /// The call gives this, and the real module does not see it.
    Return(CK_RV),
    /// The output is one byte shorter.
    Shorten,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt => f.write_str("corrupt"),
            Self::Crash => f.write_str("crash"),
            Self::Delay(time) => write!(f, "delay {}ms", time.as_millis()),
            Self::DropSessions => f.write_str("drop-sessions"),
            Self::Empty => f.write_str("empty"),
            Self::ForgetObjects => f.write_str("forget-objects"),
            Self::ForgetSessions => f.write_str("forget-sessions"),
            Self::Hang => f.write_str("hang"),
            Self::HangForever => f.write_str("hang forever"),
            Self::Kill => f.write_str("kill"),
            Self::KillAfter => f.write_str("kill-after"),
            Self::LimitSessions(most) => write!(f, "limit-sessions {most}"),
            Self::LogOut => f.write_str("log-out"),
            Self::LoseObjects => f.write_str("lose-objects"),
            Self::NoObjects => f.write_str("no-objects"),
            Self::NoToken => f.write_str("no-token"),
            Self::RenumberSlots => f.write_str("renumber-slots"),
            Self::Return(code) => write!(f, "return {code:#x}"),
            Self::Shorten => f.write_str("shorten"),
        }
    }
}

/// The built module: where [`MODULE_VARIABLE`] says, or beside the tests.
fn built() -> PathBuf {
    let module = env::var_os(MODULE_VARIABLE).map_or_else(
        || env::current_exe().unwrap().parent().and_then(Path::parent).unwrap().join(FILE_NAME),
        PathBuf::from,
    );
    assert!(
        module.exists(),
        "{} is missing: run `cargo build --release --locked -p kunji-server -p kunji-fault-module` first",
        module.display()
    );
    module
}
