//! What a process holds: what must be flat, however long and however badly it is used.

use std::fs;
use std::time::Duration;

use crate::wait::eventually;

/// What a process holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vitals {
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
    /// Resident memory.
    pub resident_kib: u64,
    /// Children, the dead that nobody waited for among them.
    pub children: usize,
}

impl Vitals {
    /// Those of a process.
    ///
    /// # Panics
    ///
    /// When there is none of that number.
    pub fn of(pid: u32) -> Self {
        let count = |folder: &str| {
            let entries = fs::read_dir(format!("/proc/{pid}/{folder}"));
            entries.expect("the process is there").count()
        };
        let status = fs::read_to_string(format!("/proc/{pid}/status"));
        let status = status.expect("the process is there");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|text| text.split_whitespace().next()?.parse().ok());
        Self {
            descriptors: count("fd"),
            threads: count("task"),
            resident_kib: resident.expect("a live process has memory"),
            children: children(pid),
        }
    }

    /// Waits until a process holds no more than this, memory apart.
    ///
    /// # Panics
    ///
    /// When it does not within that time; the message has both.
    #[track_caller]
    #[must_use]
    pub fn come_back(self, pid: u32, within: Duration) -> Self {
        let mut now = Self::of(pid);
        let come = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(within, || {
                now = Self::of(pid);
                let back = now.descriptors <= self.descriptors
                    && now.threads <= self.threads
                    && now.children <= self.children;
                back.then_some(())
            });
        }));
        assert!(come.is_ok(), "before {self:?}, now {now:?}");
        now
    }
}

fn children(pid: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.map(|list| list.split_whitespace().count()).sum()
}
