//! What this run of the server has done and holds, as numbers for Prometheus.
//!
//! Whoever does something counts it here, with one relaxed addition to a plain atomic; whoever reads
//! ([`render`]) puts the text together from those and from what the parts say of themselves. Labels
//! come from closed sets: routes by their pattern, words of ours, providers and issuers of the
//! settings. Nothing a caller sends becomes one.
//!
//! Requests are counted only where `ROOM_METRICS_BIND` is set, and read on that address alone
//! ([`listener`]).

pub mod families;
mod gather;
pub mod listener;
mod process;
pub mod refusals;
mod requests;
mod sessions;
mod sockets;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use self::gather::render;
pub use self::refusals::{Refusal, Refusals};
pub use self::requests::{METHODS, Requests, method};
pub use self::sessions::Sessions;
pub use self::sockets::{Counted, SocketState, Sockets};

/// The counts of a running server that no part of it keeps for itself.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests; none where nobody may read them.
    pub requests: OnceLock<Requests>,
    /// Open TCP connections.
    pub connections: Arc<Gauge>,
    /// Connections of addresses that had too many.
    pub crowded: Counter,
    /// Sockets.
    pub sockets: Sockets,
    /// Refused credentials.
    pub auth_failures: Refusals,
}

/// Something that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn one(&self) {
        self.more(1);
    }

    /// So many more.
    pub fn more(&self, many: u64) {
        self.0.fetch_add(many, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many there are now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// One more.
    pub fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long things took.
#[derive(Debug)]
pub struct Histogram {
    /// The upper ends of the buckets, rising.
    ends: &'static [Duration],
    /// One a bucket, and one for what took longer than all of them.
    counts: Box<[Counter]>,
    micros: Counter,
}

impl Histogram {
    /// Nothing was measured yet.
    pub fn new(ends: &'static [Duration]) -> Self {
        let counts = (0..=ends.len()).map(|_| Counter::default()).collect();
        Self { ends, counts, micros: Counter::default() }
    }

    /// Something took that long.
    pub fn took(&self, time: Duration) {
        let bucket = self.ends.partition_point(|end| *end < time);
        self.counts[bucket].one();
        self.micros.more(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// The ends of the buckets with how many took no longer, how many there were, and how long all
    /// of them took.
    fn read(&self) -> (Vec<(Duration, u64)>, u64, Duration) {
        let mut sum = 0;
        let mut buckets = Vec::with_capacity(self.ends.len());
        for (end, count) in self.ends.iter().zip(&self.counts) {
            sum += count.count();
            buckets.push((*end, sum));
        }
        let all = sum + self.counts.last().map_or(0, Counter::count);
        (buckets, all, Duration::from_micros(self.micros.count()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_took_no_longer_than_its_end() {
        const ENDS: [Duration; 2] = [Duration::from_millis(1), Duration::from_secs(1)];
        let histogram = Histogram::new(&ENDS);
        for micros in [0, 1_000, 1_001, 1_000_000, 1_000_001] {
            histogram.took(Duration::from_micros(micros));
        }
        let (buckets, all, sum) = histogram.read();
        assert_eq!(buckets, [(ENDS[0], 2), (ENDS[1], 4)]);
        assert_eq!((all, sum), (5, Duration::from_micros(2_002_002)));
    }
}
