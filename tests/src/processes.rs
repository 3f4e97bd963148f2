//! Which processes a test has left behind.

use std::fs;
use std::time::{Duration, Instant};

/// How long a process may be on its way to its program; it needs microseconds and its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks at such a process.
const PAUSE: Duration = Duration::from_millis(1);

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
    let (command, environment) = settled(pid);
    let has = |bytes: &[u8]| bytes.windows(marker.len()).any(|part| part == marker.as_bytes());
    (has(&command) || has(&environment)).then(|| Process {
        pid,
        command: String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " "),
    })
}

/// The arguments and the environment of a process that is not in the middle of an `exec`.
///
/// A process that was just started has neither for a moment, although who started it was told
/// already that it runs: the kernel says so before it fills them in. On a busy machine that moment
/// is as long as the process has to wait for its turn. A process that is seen across that moment
/// would have the arguments of one program and the environment of another.
fn settled(pid: u32) -> (Vec<u8>, Vec<u8>) {
    let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    // Kernel threads and the dying have no memory, whose size comes first in this line.
    let has_memory = || read("statm").first().is_some_and(|first| *first != b'0');
    let start = Instant::now();
    let mut seen_empty = false;
    loop {
        let (command, environment) = (read("cmdline"), read("environ"));
        // The arguments come first; no environment is believed when it is seen twice.
        let starting = command.is_empty() || (environment.is_empty() && !seen_empty);
        let settled = !starting && read("cmdline") == command;
        if settled || !has_memory() || start.elapsed() > PATIENCE {
            return (command, environment);
        }
        seen_empty = !command.is_empty() && environment.is_empty();
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_process_is_found_as_soon_as_it_was_started() {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // A busy machine: the processes have to wait for their turn.
            let _ended = Ended(&over);
            for _ in 0..8 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            for round in 0..100 {
                check(round);
            }
        });
    }

    struct Ended<'a>(&'a AtomicBool);

    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[track_caller]
    fn check(round: u32) {
        let marker = format!("room-processes-{}-{round}", std::process::id());
        let mut sleep = Command::new("/bin/sleep");
        sleep.arg("20").env_clear().env("MARKER", &marker).stdin(Stdio::null());
        let mut child = sleep.spawn().unwrap();
        let found = marked(child.id(), &marker);
        child.kill().unwrap();
        child.wait().unwrap();
        let expected = Process { pid: child.id(), command: "/bin/sleep 20".to_owned() };
        assert_eq!(found, Some(expected), "round {round}");
        assert_eq!(marked(child.id(), &marker), None, "round {round}");
    }
}
