//! The kernel's table of processes (Linux: `/proc`), read at one moment, and signals that reach
//! the process that was meant and no later one with its number.

use std::collections::HashSet;

use rustix::process::{Pid, PidfdFlags, Signal};

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    /// The session's id: the pid of the process that called `setsid`.
    pub(crate) session: i32,
    /// Ticks since boot; with the pid it names a process for ever.
    started: u64,
    /// It ended and waits to be reaped: nothing can be done to it.
    pub(crate) zombie: bool,
}

/// All processes this one can see, in no order; what ends meanwhile is left out.
pub(crate) fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .collect()
}

/// The processes below `roots` in the tree of parents, the roots themselves left out.
pub(crate) fn descendants(table: &[Process], roots: &HashSet<i32>) -> Vec<Process> {
    let mut known = roots.clone();
    let mut found = Vec::new();
    loop {
        let before = found.len();
        for process in table {
            if known.contains(&process.parent) && known.insert(process.pid) {
                found.push(*process);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

fn read(pid: i32) -> Option<Process> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads one line of `/proc/PID/stat`, `proc_pid_stat(5)`. The second field is the program's name
/// in brackets and may itself hold blanks and brackets, so the line is cut at the last one.
fn parse(line: &str) -> Option<Process> {
    let (head, tail) = line.rsplit_once(')')?;
    let pid = head.split_once(' ')?.0.parse().ok()?;
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    Some(Process {
        pid,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

impl Process {
    /// Sends `signal`, unless the process is gone; its number may have a new owner by now, which
    /// is left alone.
    ///
    /// Says whether the signal was sent.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else { return false };
        // The descriptor first, the check second: from then on the number cannot change hands.
        match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => {
                self.is_still_there()
                    && rustix::process::pidfd_send_signal(&descriptor, signal).is_ok()
            }
            Err(rustix::io::Errno::SRCH) => false,
            // A sandbox without pidfds: the check is all there is.
            Err(_) => self.is_still_there() && rustix::process::kill_process(pid, signal).is_ok(),
        }
    }

    fn is_still_there(&self) -> bool {
        read(self.pid).is_some_and(|now| now.started == self.started && !now.zombie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_is_no_obstacle() {
        let line = "42 (a) R 1 (b) S 7 42 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 991 10 11";
        assert_eq!(
            parse(line),
            Some(Process { pid: 42, parent: 7, session: 40, started: 991, zombie: false })
        );
        assert!(parse(&line.replace(" S 7", " Z 7")).unwrap().zombie);
        for cut in 0..40 {
            assert_eq!(parse(&line[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn descendants_are_found_in_any_order() {
        let row = |pid, parent| Process { pid, parent, session: 0, started: 0, zombie: false };
        let table = [row(5, 4), row(4, 3), row(3, 2), row(9, 1), row(2, 1)];
        let mut found: Vec<i32> =
            descendants(&table, &HashSet::from([3])).iter().map(|row| row.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [4, 5]);
    }

    #[test]
    fn this_process_is_in_the_table() {
        let own = i32::try_from(std::process::id()).unwrap();
        let found = processes().into_iter().find(|process| process.pid == own).unwrap();
        assert!(found.is_still_there());
        assert!(!Process { started: found.started + 1, ..found }.is_still_there());
    }
}
