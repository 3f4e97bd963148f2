//! Which processes a test has left behind.

use std::fs;

/// A live process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its command line, separated by blanks.
    pub command: String,
}

/// The live processes, this one apart, that have `marker` in their arguments or environment.
///
/// A process keeps both however often it forks and whoever adopts it, so a marker that is a
/// test's alone (the path of its home) finds what that test started.
pub fn processes_with_marker(marker: &str) -> Vec<Process> {
    let own = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own);
    pids.filter_map(|pid| marked(pid, marker)).collect()
}

/// What ended in the meantime, a zombie, and what belongs to others reads as empty: not ours.
fn marked(pid: u32, marker: &str) -> Option<Process> {
    let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let (command, environment) = (read("cmdline"), read("environ"));
    let has = |bytes: &[u8]| bytes.windows(marker.len()).any(|part| part == marker.as_bytes());
    (has(&command) || has(&environment)).then(|| Process {
        pid,
        command: String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " "),
    })
}
