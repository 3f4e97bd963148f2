//! The machine: user, data directory, disk, port, files, clock.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Resource, getrlimit};

use super::{Finding, Seen};
use crate::config::Config;
use crate::control::told;
use crate::data_dir::{DataDirError, Inspected, fit};
use crate::listen::listen;
use crate::{backup, machine, store};

/// Below this, `/readyz` says so.
const LOW_DISK_BYTES: u64 = 64 * 1024 * 1024;

/// Below this, nothing more may fit.
const NO_DISK_BYTES: u64 = 8 * 1024 * 1024;

/// Pages, sign-ins and the rest of one busy Room.
const FEW_FILES: u64 = 2048;

/// Hardly more than one sign-in and a page.
const TOO_FEW_FILES: u64 = 256;

/// A hosted Room as root gives the whole machine to what it starts.
pub(super) fn user(config: Option<&Config>) -> Option<Finding> {
    let cloud = config?.cloud.as_ref()?;
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let (what, advice) = ("hosted, and this is root", "run it as another user");
    Some(if cloud.allow_root {
        Finding::warn("user", format!("{what} (ROOM_ALLOW_ROOT)"), advice)
    } else {
        Finding::fail("user", format!("{what}: it will not start"), advice)
    })
}

pub(super) fn directory(path: &Path) -> Finding {
    match fit(path) {
        Ok(true) => Finding::ok("data directory", format!("{}, ours alone", path.display())),
        Ok(false) => Finding::ok("data directory", format!("{} is not there yet", path.display())),
        Err(error) => {
            let advice = match &error {
                DataDirError::TooOpen { path, .. } => {
                    format!("run `chmod 700 {}`", path.display())
                }
                DataDirError::ForeignOwner { .. } => "run `room` as its owner".to_owned(),
                _ => "mend it, or name another in ROOM_DATA_DIR".to_owned(),
            };
            Finding::fail("data directory", told(&error), advice)
        }
    }
}

/// The files in it that others may read or that are not ours.
pub(super) fn modes(data_dir: &Path) -> Vec<Finding> {
    let us = rustix::process::geteuid().as_raw();
    let folders = [data_dir.to_owned(), data_dir.join(backup::DIRECTORY)];
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut wrong = Vec::new();
    for entry in entries {
        let (path, Ok(found)) = (entry.path(), entry.metadata()) else { continue };
        let shown = path.display();
        if found.uid() != us {
            let what = format!("{shown} belongs to user {}", found.uid());
            let advice = format!("run `chown {us} {shown}`");
            wrong.push(Finding::fail("files", what, advice));
        } else if found.is_file() && found.mode() & 0o077 != 0 {
            let what = format!("{shown} is open to others (mode {:04o})", found.mode() & 0o7777);
            wrong.push(Finding::fail("files", what, format!("run `chmod 600 {shown}`")));
        }
    }
    if wrong.is_empty() {
        wrong.push(Finding::ok("files", "ours alone"));
    }
    wrong
}

pub(super) fn disk(data_dir: &Path) -> Finding {
    let there = data_dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let used = machine::storage(data_dir, &store::FILES).used_bytes;
    let Some(free) = machine::storage(there, &[]).free_bytes else {
        return Finding::warn("disk", "nobody can tell what is free", "look with `df`");
    };
    let what = format!("{} free, the database takes {}", megabytes(free), megabytes(used));
    let advice = "make room";
    if free < NO_DISK_BYTES {
        Finding::fail("disk", what, advice)
    } else if free < LOW_DISK_BYTES.max(2 * used) {
        Finding::warn("disk", format!("{what}: too little for a backup"), advice)
    } else {
        Finding::ok("disk", what)
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1024 * 1024))
}

/// Whether the port could be taken; only asked where no server has it.
pub(super) fn port(config: &Config) -> Finding {
    match listen(&config.bind, &config.addresses(), config.port) {
        Ok(_) if config.port == 0 => Finding::ok("port", "any that is free"),
        Ok(_) => Finding::ok("port", format!("{} is free", config.port)),
        Err(error) => {
            Finding::fail("port", told(&error), "end what has it, or choose another (ROOM_PORT)")
        }
    }
}

/// Who holds the directory, if anyone does.
pub(super) fn holder(data_dir: &Path) -> Option<String> {
    match Inspected::look(data_dir) {
        Err(DataDirError::InUse { pid: Some(pid), .. }) => Some(format!("process {pid}")),
        Err(DataDirError::InUse { pid: None, .. }) => Some("a process".to_owned()),
        _ => None,
    }
}

/// How many files this process has open, and may have.
pub(super) fn files() -> (u64, u64) {
    let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as u64;
    (open, getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

/// The server raises its limit to what it may, so that is what counts.
pub(super) fn open_files(seen: Option<&Seen>) -> Finding {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let (limit, what) = match seen {
        Some(Seen { files: (open, limit), .. }) => (*limit, format!("{open} open of {limit}")),
        None => (limit, format!("{limit} may be open")),
    };
    let advice = "raise the limit (`ulimit -n`, or LimitNOFILE of its unit)";
    let crowded = seen.is_some_and(|seen| seen.files.0 > limit / 10 * 9);
    if limit < TOO_FEW_FILES || crowded {
        Finding::fail("open files", what, advice)
    } else if limit < FEW_FILES {
        Finding::warn("open files", what, advice)
    } else {
        Finding::ok("open files", what)
    }
}

/// By how many milliseconds the clock was set since a moment: what the time of day says more than
/// the machine has run. A machine that slept has run on, by this count.
pub(super) fn step(since: Timestamp, uptime: Option<Duration>, now: Timestamp) -> i64 {
    let (Some(then), Some(up)) = (uptime, machine::uptime()) else { return 0 };
    let ran = i64::try_from(up.saturating_sub(then).as_millis()).unwrap_or(i64::MAX);
    (now.as_millisecond() - since.as_millisecond()).saturating_sub(ran)
}
