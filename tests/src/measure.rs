//! What the operating system says of a process, and how measurements are summed up.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

/// A process, as `/proc` shows it (proc(5)).
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// Memory in RAM, in bytes.
    pub resident_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

impl Process {
    /// The process of this id.
    pub fn new(pid: u32) -> Self {
        Self(pid)
    }

    /// The calling process.
    pub fn current() -> Self {
        Self(std::process::id())
    }

    /// Processor time of all its threads so far, in user mode and in the kernel; counted in ticks of 10 ms on
    /// most systems.
    pub fn processor_time(self) -> Duration {
        const UTIME: usize = 14;
        const STIME: usize = 15;
        let stat = self.read("stat");
        // The name of the program, in parentheses, may hold blanks: fields are counted from behind it.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = |field: usize| fields[field - 3].parse::<u64>().unwrap();
        Duration::from_nanos((ticks(UTIME) + ticks(STIME)) * nanoseconds_of_a_tick())
    }

    /// What it holds now.
    pub fn holdings(self) -> Holdings {
        Holdings {
            resident_bytes: self.status("VmRSS:") * 1024,
            threads: self.status("Threads:"),
            descriptors: fs::read_dir(self.file("fd")).unwrap().count() as u64,
        }
    }

    /// The most memory it had in RAM since it began or [`Process::forget_peak`], in bytes.
    pub fn peak_resident_bytes(self) -> u64 {
        self.status("VmHWM:") * 1024
    }

    /// Lets [`Process::peak_resident_bytes`] begin again with what is in RAM now.
    pub fn forget_peak(self) {
        const PEAK_RESIDENT: &str = "5";
        fs::write(self.file("clear_refs"), PEAK_RESIDENT).unwrap();
    }

    /// The processes that it has started and that run.
    pub fn children(self) -> Vec<Self> {
        let tasks =
            fs::read_dir(self.file("task")).unwrap().map(|task| task.unwrap().path().join("children"));
        // A thread may end meanwhile; its children then belong to another.
        let texts = tasks.filter_map(|children| fs::read_to_string(children).ok()).collect::<String>();
        texts.split_whitespace().map(|pid| Self(pid.parse().unwrap())).collect()
    }

    /// Disk space of files that have no name any more but are still open, in bytes.
    pub fn unnamed_file_bytes(self) -> u64 {
        let descriptors = fs::read_dir(self.file("fd")).unwrap().map(|entry| entry.unwrap().path());
        descriptors
            .filter(|path| {
                fs::read_link(path).is_ok_and(|target| target.to_string_lossy().ends_with(" (deleted)"))
            })
            .filter_map(|path| Some(fs::metadata(path).ok()?.len()))
            .sum()
    }

    fn status(self, name: &str) -> u64 {
        let status = self.read("status");
        let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        value.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Its directory there, while it runs.
    pub fn path(self) -> PathBuf {
        format!("/proc/{}", self.0).into()
    }

    fn file(self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn read(self, file: &str) -> String {
        fs::read_to_string(self.file(file)).unwrap()
    }
}

fn nanoseconds_of_a_tick() -> u64 {
    static NANOSECONDS: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *NANOSECONDS.get_or_init(|| {
        let output = Command::new("getconf").arg("CLK_TCK").output().unwrap();
        1_000_000_000 / String::from_utf8(output.stdout).unwrap().trim().parse::<u64>().unwrap()
    })
}

/// Whether something comes to hold within five seconds: a server closes and frees a moment after its last answer.
pub async fn soon(holds: impl Fn() -> bool) -> bool {
    let patience = Instant::now() + Duration::from_secs(5);
    while !holds() {
        if Instant::now() > patience {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

/// The value in the middle; of an even number, the upper one of the two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value that so many hundredths of the values do not exceed; zero if there are none.
pub fn percentile(mut values: Vec<Duration>, hundredths: usize) -> Duration {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    values.get((values.len() * hundredths / 100).min(last)).copied().unwrap_or_default()
}

/// What two measurements say of each other.
pub struct Comparison {
    /// Median over the rounds of `ours / reference`, each of one round.
    pub ratio: f64,
    /// The lowest and the highest of them.
    pub spread: (f64, f64),
    /// Median of ours, in seconds.
    pub ours: f64,
    /// Median of the reference, in seconds.
    pub reference: f64,
}

impl Comparison {
    /// Sums up rounds of (ours, reference), each pair measured one after the other.
    pub fn of(rounds: &[(f64, f64)]) -> Self {
        let ratios: Vec<f64> = rounds.iter().map(|(ours, reference)| ours / reference).collect();
        Self {
            spread: (
                ratios.iter().copied().fold(f64::INFINITY, f64::min),
                ratios.iter().copied().fold(0.0, f64::max),
            ),
            ratio: median(ratios),
            ours: median(rounds.iter().map(|round| round.0).collect()),
            reference: median(rounds.iter().map(|round| round.1).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_processor_time() {
        let process = Process::current();
        let before = process.processor_time();
        let mut state = 1_u64;
        while process.processor_time() < before + Duration::from_millis(30) {
            for _ in 0..100_000 {
                state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005) + 1);
            }
        }
    }

    #[test]
    fn memory_and_unnamed_files_are_seen() {
        let process = Process::current();
        let before = process.holdings();
        let memory = std::hint::black_box(vec![1_u8; 64 << 20]);
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        let after = process.holdings();
        assert!(after.resident_bytes >= before.resident_bytes + (32 << 20), "{before:?} {after:?}");
        assert!(process.peak_resident_bytes() >= after.resident_bytes);
        assert!(process.unnamed_file_bytes() >= 4096);
        assert!(after.threads > 0 && after.descriptors > 0);
        drop(memory);
        process.forget_peak();
        assert!(process.peak_resident_bytes() < after.resident_bytes);
    }

    #[test]
    fn children_are_seen_while_they_run() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let number = child.id();
        let is_seen = || Process::current().children().iter().any(|process| process.0 == number);
        assert!(is_seen());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_seen());
    }

    #[test]
    fn percentiles_are_values() {
        let values = || (1..=200).rev().map(Duration::from_millis).collect::<Vec<_>>();
        assert_eq!(percentile(values(), 99), Duration::from_millis(199));
        assert_eq!(percentile(values(), 50), Duration::from_millis(101));
        assert_eq!(percentile(vec![Duration::from_secs(1)], 99), Duration::from_secs(1));
        assert_eq!(percentile(vec![], 99), Duration::ZERO);
    }

    #[test]
    fn medians_and_ratios() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        let comparison = Comparison::of(&[(2.0, 1.0), (9.0, 3.0), (4.0, 1.0)]);
        assert!((comparison.ratio - 3.0).abs() < f64::EPSILON);
        assert!((comparison.spread.0 - 2.0).abs() < f64::EPSILON);
        assert!((comparison.spread.1 - 4.0).abs() < f64::EPSILON);
    }
}
