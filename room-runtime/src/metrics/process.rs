//! What the system says of this process, of those below it, and of its memory.

use std::collections::HashMap;
use std::fs;

use crate::machine;

/// How many clock ticks the kernel counts in a second: a constant of its interface (`sysconf(3)`,
/// `_SC_CLK_TCK`) on every platform Room runs on.
const TICKS: f64 = 100.0;

/// This process.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) threads: Option<u64>,
    pub(super) files: Option<u64>,
    pub(super) most_files: Option<u64>,
}

impl Process {
    pub(super) fn look() -> Self {
        use rustix::process::{Resource, getrlimit};
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = fields(&stat);
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        #[expect(clippy::cast_precision_loss, reason = "ticks of a hundredth of a second")]
        let cpu = number(11).zip(number(12)).map(|(user, system)| (user + system) as f64 / TICKS);
        let listed = fs::read_dir("/proc/self/fd").ok();
        Self {
            cpu_seconds: cpu,
            virtual_bytes: number(20),
            resident_bytes: machine::resources().resident_bytes,
            threads: number(17),
            // Without the one that lists them.
            files: listed.map(|all| (all.count() as u64).saturating_sub(1)),
            most_files: getrlimit(Resource::Nofile).current,
        }
    }
}

/// The fields of `/proc/PID/stat` after the name, which may itself hold blanks and brackets
/// (`proc_pid_stat(5)`): the state is the first of them.
fn fields(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')').map_or(Vec::new(), |(_, rest)| rest.split_ascii_whitespace().collect())
}

/// How many processes are below this one.
pub(super) fn below() -> Option<u64> {
    let own = std::process::id();
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(parent) = fields(&stat).get(1).and_then(|parent| parent.parse().ok()) {
            parents.insert(pid, parent);
        }
    }
    let is_below = |pid: &u32| {
        let mut pid = *pid;
        // No line of parents is longer than there are processes.
        for _ in 0..parents.len() {
            match parents.get(&pid) {
                Some(parent) if *parent == own => return true,
                Some(parent) => pid = *parent,
                None => return false,
            }
        }
        false
    };
    Some(parents.keys().filter(|pid| is_below(pid)).count() as u64)
}

/// How much memory there is for us, and how much of it is not in use: the container's, where it has
/// a bound of its own, else the machine's.
pub(super) fn memory() -> (Option<u64>, Option<u64>) {
    let machine = machine::resources();
    match own_group() {
        Some((limit, used)) if machine.memory_bytes.is_none_or(|all| limit < all) => {
            (Some(limit), Some(limit.saturating_sub(used)))
        }
        _ => (machine.memory_bytes, machine.available_bytes),
    }
}
/// Where control groups are and what their files are called (`cgroups(7)`), by version.
const GROUPS: [(&str, &str, [&str; 2], &str); 2] = [
    ("0::", "/sys/fs/cgroup", ["memory.max", "memory.current"], "inactive_file "),
    (
        "memory:",
        "/sys/fs/cgroup/memory",
        ["memory.limit_in_bytes", "memory.usage_in_bytes"],
        "total_inactive_file ",
    ),
];

/// The bound of our control group, and what its processes use of it; without what only caches
/// files, which is given back when it is needed.
fn own_group() -> Option<(u64, u64)> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    for (name, mount, [limit, used], cached) in GROUPS {
        let own = groups.lines().find_map(|line| {
            let named = line.strip_prefix(name);
            named.or_else(|| line.split_once(':').and_then(|(_, rest)| rest.strip_prefix(name)))
        });
        // A container sees its own group as the root of all.
        for folder in [own.unwrap_or("/"), "/"] {
            let folder = format!("{mount}{}", folder.trim_end_matches('/'));
            let text = |file: &str| fs::read_to_string(format!("{folder}/{file}")).ok();
            let number = |file: &str| text(file)?.trim().parse::<u64>().ok();
            if let Some((limit, used)) = number(limit).zip(number(used)) {
                let stat = text("memory.stat").unwrap_or_default();
                let cached = stat.lines().find_map(|line| line.strip_prefix(cached));
                let cached = cached.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0);
                return Some((limit, used.saturating_sub(cached)));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_this_process() {
        let process = Process::look();
        assert!(
            process.resident_bytes > Some(0) && process.virtual_bytes >= process.resident_bytes
        );
        assert!(process.threads >= Some(1) && process.files >= Some(3));
        assert!(process.cpu_seconds.is_some() && process.most_files > process.files);
        let (limit, available) = memory();
        assert!(limit >= available && available > Some(0));
    }

    #[test]
    fn a_child_is_below() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(below() >= Some(1));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
