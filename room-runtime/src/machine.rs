//! What the machine has left: processors, memory, load, disk. Unknown is unknown, not zero.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// What the machine and this process use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resources {
    /// Cores this process may use.
    pub cores: usize,
    /// Runnable tasks, averaged over one minute.
    pub load: Option<f64>,
    /// What the processors did since the machine started.
    pub processors: Option<Processors>,
    /// All memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// What could still be used.
    pub available_bytes: Option<u64>,
    /// What this process holds in memory.
    pub resident_bytes: Option<u64>,
}

/// The time of all processors together, in the kernel's ticks: who looks twice knows how busy they
/// were in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processors {
    /// Since the machine started.
    pub ticks: u64,
    /// Of those, not spent waiting for work or for a disk.
    pub busy_ticks: u64,
}

/// Looks at the machine.
pub fn resources() -> Resources {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = fs::read_to_string("/proc/stat").unwrap_or_default();
    Resources {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        load: load.split(' ').next().and_then(|load| load.parse().ok()),
        processors: ticks(&processors),
        memory_bytes: kilobytes(&memory, "MemTotal:"),
        available_bytes: kilobytes(&memory, "MemAvailable:"),
        resident_bytes: kilobytes(&own, "VmRSS:"),
    }
}

/// `cpu  USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL …` (proc(5)); what comes after is in USER.
fn ticks(table: &str) -> Option<Processors> {
    let line = table.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let numbers = line.split_whitespace().take(8).map(str::parse);
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
    let [user, nice, system, idle, iowait, rest @ ..] = numbers.as_slice() else { return None };
    let busy_ticks = [user, nice, system].into_iter().chain(rest).sum();
    Some(Processors { ticks: idle + iowait + busy_ticks, busy_ticks })
}

/// `MemTotal:       16384 kB`
fn kilobytes(table: &str, name: &str) -> Option<u64> {
    let value = table.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// How long the machine has run, sleep included.
pub fn uptime() -> Option<Duration> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split(' ').next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The disk under a directory, and what our files take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Storage {
    /// The size of the disk, in bytes.
    pub total_bytes: Option<u64>,
    /// What we may still write.
    pub free_bytes: Option<u64>,
    /// What the named files take.
    pub used_bytes: u64,
}

/// Looks at the disk.
pub fn storage(directory: &Path, files: &[&str]) -> Storage {
    let disk = rustix::fs::statvfs(directory).ok();
    let size = |file: &&str| fs::metadata(directory.join(file)).map_or(0, |found| found.len());
    Storage {
        total_bytes: disk.as_ref().map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize)),
        free_bytes: disk.as_ref().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        used_bytes: files.iter().map(size).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let table = "MemTotal:       16384 kB\nMemAvailable:   8192 kB\n";
        assert_eq!(kilobytes(table, "MemTotal:"), Some(16_777_216));
        assert_eq!(kilobytes(table, "MemFree:"), None);
        assert_eq!(kilobytes("MemTotal: many kB", "MemTotal:"), None);
        let table = "cpu  10 1 4 80 3 0 2 0 9 9\ncpu0 10 1 4 80 3 0 2 0 9 9\nintr 1\n";
        assert_eq!(ticks(table), Some(Processors { ticks: 100, busy_ticks: 17 }));
        assert_eq!([ticks("cpu  1 2\n"), ticks("cpu  a b c d e\n"), ticks("")], [None; 3]);
        let found = storage(Path::new("/"), &["no such file"]);
        assert!(found.total_bytes > Some(0) && found.used_bytes == 0);
    }
}
