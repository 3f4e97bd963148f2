//! Finds the processes of a login by the marker in their environment and kills them: the second
//! net, below the launcher's own. It is for what is left when a launcher was itself killed, and
//! for what a killed server left behind.
//!
//! The marker names the data directory and the session, so another Room's logins live. Linux only:
//! elsewhere there is no `/proc` to read and nothing is found.

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::SessionId;

/// The variable that carries the marker.
pub const MARKER_VARIABLE: &str = "ROOM_SESSION";

/// Names a data directory: 16 hexadecimal digits of the hash of its canonical path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryMark(String);

impl fmt::Display for DirectoryMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl DirectoryMark {
    /// The mark of that directory. A path that cannot be resolved stands for itself.
    pub fn of(directory: &Path) -> Self {
        let path = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
        let first = hash.iter().take(8).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        Self(format!("{first:016x}"))
    }
}

/// Names the processes of one session of one data directory, in the variable `ROOM_SESSION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    directory: DirectoryMark,
    session: SessionId,
}

impl Marker {
    /// The marker of that session.
    pub fn new(directory: &DirectoryMark, session: SessionId) -> Self {
        Self { directory: directory.clone(), session }
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.directory, self.session)
    }
}

/// Whose processes a sweep ends.
#[derive(Clone, Debug)]
pub enum MarkerScope {
    /// One session's.
    Session(Marker),
    /// All that this data directory's servers ever started.
    Directory(DirectoryMark),
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Processes that were killed.
    pub killed: usize,
    /// Processes that were still there at the end; not 0 only when the kernel would not let go.
    pub left: usize,
}

/// Kills (`SIGKILL`) every process of our own user that carries the marker, and everything below
/// such a process, until two rounds find none; at most 4 seconds. Never this process itself.
///
/// It reads all of `/proc` several times and waits for the dying: call it where blocking is
/// allowed.
pub fn sweep(scope: &MarkerScope) -> Swept {
    #[cfg(target_os = "linux")]
    return linux::sweep(scope, None);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = scope;
        Swept::default()
    }
}

/// As [`sweep`] for a session whose launcher was killed and is not reaped yet: what lives in the
/// launcher's terminal session is found too. A program may have made its environment unreadable
/// (`PR_SET_DUMPABLE`, which codex does), and is an orphan then.
#[cfg(target_os = "linux")]
pub(crate) fn sweep_after(marker: Marker, launcher: i32) -> Swept {
    linux::sweep(&MarkerScope::Session(marker), Some(launcher))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::os::unix::fs::MetadataExt;
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec};
    use rustix::process::{Pid, PidfdFlags, Signal};

    use super::{MARKER_VARIABLE, MarkerScope, Swept};
    use crate::process::table::{self, Process};

    /// A killed process needs microseconds to be gone, one in a system call that cannot be
    /// interrupted may need for ever.
    const BOUND: Duration = Duration::from_secs(4);

    /// The pause before an empty round is believed: what forks all the time may have been between
    /// two processes.
    const DOUBT: Duration = Duration::from_millis(10);

    /// How long a process may be in the middle of its `exec`, where it has no environment to be
    /// read: microseconds, and its turn on a busy machine.
    const STARTING: Duration = Duration::from_secs(1);

    pub(super) fn sweep(scope: &MarkerScope, session: Option<i32>) -> Swept {
        let wanted = Wanted::new(scope);
        let deadline = Instant::now() + BOUND;
        let mut killed = HashSet::new();
        let mut doubted = false;
        loop {
            let found = find(&wanted, session);
            if Instant::now() >= deadline || (found.is_empty() && doubted) {
                return Swept { killed: killed.len(), left: found.len() };
            }
            doubted = found.is_empty();
            if doubted {
                std::thread::sleep(DOUBT);
                continue;
            }
            let dying: Vec<_> = found
                .iter()
                .filter_map(|process| {
                    let pid = Pid::from_raw(process.pid)?;
                    let descriptor = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok();
                    if process.signal(Signal::KILL) {
                        killed.insert(process.pid);
                    }
                    descriptor
                })
                .collect();
            for descriptor in &dying {
                // Readable when the process is gone.
                let mut ended = [PollFd::new(descriptor, PollFlags::IN)];
                let left = deadline.saturating_duration_since(Instant::now());
                let limit = Timespec::try_from(left.min(Duration::from_millis(500)));
                let _ = rustix::event::poll(&mut ended, limit.ok().as_ref());
            }
        }
    }

    fn find(wanted: &Wanted, session: Option<i32>) -> Vec<Process> {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let user = rustix::process::getuid().as_raw();
        let table = table::processes();
        let alive = || table.iter().filter(|process| process.pid != own && !process.zombie);
        let mut marked: HashSet<i32> = alive()
            .filter(|process| session == Some(process.session) || wanted.marks(process.pid))
            .map(|process| process.pid)
            .collect();
        // A marked process that leads a session called `setsid` itself: who is in that session
        // came from it.
        let led: Vec<i32> = alive()
            .filter(|process| marked.contains(&process.session))
            .map(|process| process.pid)
            .collect();
        marked.extend(led);
        let below = table::descendants(&table, &marked);
        table
            .iter()
            .filter(|process| marked.contains(&process.pid))
            .chain(&below)
            .filter(|process| process.pid != own && !process.zombie)
            .filter(|process| owner(process.pid) == Some(user))
            .copied()
            .collect()
    }

    /// The environment of a process that is not in the middle of an `exec`.
    ///
    /// Who starts a process is told that it runs before the kernel has filled in its arguments and,
    /// a moment later, its environment: both read as empty until it gets its turn.
    fn environment(pid: i32) -> Option<Vec<u8>> {
        let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).ok();
        // Kernel threads and the dying have no memory, whose size comes first in this line.
        let has_memory = || read("statm").is_some_and(|sizes| !sizes.starts_with(b"0 "));
        let start = Instant::now();
        while read("cmdline")?.is_empty() && has_memory() && start.elapsed() < STARTING {
            std::thread::sleep(Duration::from_millis(1));
        }
        let environment = read("environ")?;
        if !environment.is_empty() || !has_memory() {
            return Some(environment);
        }
        // Few processes have none, so a second look costs little.
        std::thread::sleep(Duration::from_millis(1));
        read("environ")
    }

    /// The user a process runs as. `/proc/PID` itself belongs to root when the process is not
    /// dumpable, the user's own `status` line does not lie.
    fn owner(pid: i32) -> Option<u32> {
        let folder = std::fs::metadata(format!("/proc/{pid}")).ok()?;
        if folder.uid() != 0 {
            return Some(folder.uid());
        }
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    }

    /// What an entry of the environment has to be.
    struct Wanted {
        text: Vec<u8>,
        whole: bool,
    }

    impl Wanted {
        fn new(scope: &MarkerScope) -> Self {
            let (text, whole) = match scope {
                MarkerScope::Session(marker) => (format!("{MARKER_VARIABLE}={marker}"), true),
                MarkerScope::Directory(mark) => (format!("{MARKER_VARIABLE}={}/", mark.0), false),
            };
            Self { text: text.into_bytes(), whole }
        }

        fn marks(&self, pid: i32) -> bool {
            environment(pid).is_some_and(|all| self.is_in(&all))
        }

        fn is_in(&self, environment: &[u8]) -> bool {
            environment.split(|byte| *byte == 0).any(|entry| {
                if self.whole { entry == self.text } else { entry.starts_with(&self.text) }
            })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::SessionId;
        use crate::sweep::{DirectoryMark, Marker};

        #[test]
        fn a_scope_matches_whole_entries_of_its_own_directory_only() {
            let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
            let [ours, theirs] = folders.each_ref().map(|folder| DirectoryMark::of(folder.path()));
            let (one, other) = (SessionId::random(), SessionId::random());
            let environment = |marker: &Marker| format!("A=1\0ROOM_SESSION={marker}\0B=2\0");
            let whole = Wanted::new(&MarkerScope::Directory(ours.clone()));
            let single = Wanted::new(&MarkerScope::Session(Marker::new(&ours, one)));
            for (directory, session, in_directory, in_session) in [
                (&ours, one, true, true),
                (&ours, other, true, false),
                (&theirs, one, false, false),
            ] {
                let text = environment(&Marker::new(directory, session));
                assert_eq!(whole.is_in(text.as_bytes()), in_directory, "{text:?}");
                assert_eq!(single.is_in(text.as_bytes()), in_session, "{text:?}");
            }
            let quoted = format!("NOTE=ROOM_SESSION={}\0", Marker::new(&ours, one));
            assert!(!whole.is_in(quoted.as_bytes()), "a value that quotes the marker is no marker");
        }

        #[test]
        fn a_process_is_known_as_soon_as_it_was_started() {
            let folder = tempfile::tempdir().unwrap();
            let marker = Marker::new(&DirectoryMark::of(folder.path()), SessionId::random());
            let wanted = Wanted::new(&MarkerScope::Session(marker.clone()));
            for round in 0..200 {
                let mut sleep = std::process::Command::new("/bin/sleep");
                let mut child =
                    sleep.arg("20").env(MARKER_VARIABLE, marker.to_string()).spawn().unwrap();
                let known = wanted.marks(child.id().cast_signed());
                child.kill().unwrap();
                child.wait().unwrap();
                assert!(known, "round {round}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_mark_whatever_way_leads_there() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        let mark = DirectoryMark::of(folder.path());
        assert_eq!(DirectoryMark::of(&link), mark);
        assert_ne!(DirectoryMark::of(&folder.path().join("missing")), mark);
        let session = SessionId::random();
        let text = Marker::new(&mark, session).to_string();
        let (directory, id) = text.split_once('/').unwrap();
        assert_eq!((directory.len(), id), (16, session.to_string().as_str()));
        assert!(directory.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
