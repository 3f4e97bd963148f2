//! Everything that came of the program, and how it is ended.

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

/// What one look at the children found.
pub(super) enum Reaped {
    /// A child ended or was stopped.
    One(Pid, WaitStatus),
    /// There are children, and nothing to say of them.
    NothingYet,
    /// There are none: with a subreaper that means the whole tree is gone.
    NoneLeft,
}

/// Looks at the children once, without waiting. Orphans of the tree are children too.
pub(super) fn reap() -> Reaped {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            Ok(Some((pid, status))) => return Reaped::One(pid, status),
            Ok(None) => return Reaped::NothingYet,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Reaped::NoneLeft,
        }
    }
}

/// Signals every process below the launcher, each once; whatever group or session it moved to.
#[cfg(target_os = "linux")]
pub(super) fn signal_all(_group: Option<Pid>, signal: Signal) {
    use std::collections::HashSet;

    use crate::process::table;

    let own = HashSet::from([rustix::process::getpid().as_raw_nonzero().get()]);
    for process in table::descendants(&table::processes(), &own) {
        process.signal(signal);
    }
}

/// Signals the program's group; absent when the program was reaped, since the group's number may
/// belong to someone else from then on.
#[cfg(not(target_os = "linux"))]
pub(super) fn signal_all(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}
