//! What the clients of a load have seen together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

/// Times are told apart to a sixteenth.
const STEPS: u64 = 16;

/// Counts of all clients.
#[derive(Debug)]
pub struct Stats {
    frames: AtomicU64,
    bytes: AtomicU64,
    gaps: AtomicU64,
    /// How many messages took how long, by [`slot`].
    ways: Vec<AtomicU64>,
    times: Mutex<Times>,
}

#[derive(Debug)]
struct Times {
    begun: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    last_close: Option<Instant>,
    codes: BTreeMap<u16, u64>,
}

/// What they saw, for a line of JSON.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Whole messages.
    pub frames: u64,
    /// All bytes that were read.
    pub bytes: u64,
    /// Messages that told of a gap.
    pub gaps: u64,
    /// From the first to the last byte read.
    pub seconds: f64,
    /// How long half of the messages took at most, in microseconds.
    pub p50: u64,
    /// The same for all but a hundredth.
    pub p99: u64,
    /// The slowest.
    pub max: u64,
    /// Clients that the server closed.
    pub closed: u64,
    /// By code; 0 is a line that ended without one.
    pub codes: BTreeMap<u16, u64>,
    /// Seconds until the last of those.
    pub closed_within: Option<f64>,
}

impl Default for Stats {
    fn default() -> Self {
        let times = Times {
            begun: Instant::now(),
            first: None,
            last: None,
            last_close: None,
            codes: BTreeMap::new(),
        };
        Self {
            frames: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            ways: (0..64 * STEPS).map(|_| AtomicU64::new(0)).collect(),
            times: Mutex::new(times),
        }
    }
}

impl Stats {
    /// Whole messages so far.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self) {
        self.times().begun = Instant::now();
    }

    pub(super) fn read(&self, frames: u64, bytes: u64, now: Instant) {
        self.frames.fetch_add(frames, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut times = self.times();
        times.first.get_or_insert(now);
        times.last = Some(now);
    }

    pub(super) fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes how long a message took, if it says when it was sent.
    pub(super) fn arrived(&self, text: &[u8]) {
        let Some(sent) = sent_at(text) else { return };
        let took = micros_now().saturating_sub(sent);
        self.ways[slot(took)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self, code: Option<u16>) {
        let mut times = self.times();
        *times.codes.entry(code.unwrap_or(0)).or_default() += 1;
        times.last_close = Some(Instant::now());
    }

    pub(super) fn report(&self) -> Report {
        let ways: Vec<u64> = self.ways.iter().map(|way| way.load(Ordering::Relaxed)).collect();
        let all: u64 = ways.iter().sum();
        let reached = |share: u64| {
            let mut left = all * share / 1000;
            let found = ways.iter().position(|count| {
                let here = *count > 0 && *count >= left;
                left = left.saturating_sub(*count);
                here
            });
            found.map_or(0, upper)
        };
        let times = self.times();
        let between = |from: Instant, to: Instant| to.duration_since(from).as_secs_f64();
        Report {
            frames: self.frames(),
            bytes: self.bytes.load(Ordering::Relaxed),
            gaps: self.gaps.load(Ordering::Relaxed),
            seconds: times.first.zip(times.last).map_or(0.0, |(first, last)| between(first, last)),
            p50: reached(500),
            p99: reached(990),
            max: ways.iter().rposition(|count| *count > 0).map_or(0, upper),
            closed: times.codes.values().sum(),
            codes: times.codes.clone(),
            closed_within: times.last_close.map(|last| between(times.begun, last)),
        }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number after the first `"at":`, near the beginning.
fn sent_at(text: &[u8]) -> Option<u64> {
    let head = &text[..text.len().min(200)];
    let at = head.windows(5).position(|five| five == br#""at":"#)?;
    let digits = head[at + 5..].iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits
        .fold(0u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
    (number > 0).then_some(number)
}

/// Where a time is counted: short ones each by itself, others sixteen to a doubling.
fn slot(micros: u64) -> usize {
    let doublings = u64::from((micros | STEPS).ilog2() - STEPS.ilog2());
    usize::try_from(doublings * STEPS + (micros >> doublings)).unwrap_or(usize::MAX)
}

/// The longest time that is counted there.
fn upper(slot: usize) -> u64 {
    let slot = slot as u64;
    if slot < 2 * STEPS {
        return slot;
    }
    let doublings = slot / STEPS - 1;
    ((slot % STEPS + STEPS + 1) << doublings) - 1
}

/// The time since 1970, as messages carry it.
pub fn micros_now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(now.unwrap_or(Duration::ZERO).as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_message_is_found() {
        assert_eq!(
            sent_at(br#"{"type":"x","data":{"at":1790000000000001,"x":"y"}}"#),
            Some(1_790_000_000_000_001)
        );
        assert_eq!(sent_at(br#"{"at":}"#), None);
        assert_eq!(sent_at(b"{}"), None);
    }

    #[test]
    fn a_time_is_counted_near_what_it_was() {
        for micros in (0..5000).chain([20_000, 123_456, 7_000_000, 1 << 40]) {
            let upper = upper(slot(micros));
            assert!(upper >= micros && upper - micros <= micros / 16, "{micros} {upper}");
        }
    }

    #[test]
    fn a_report_has_the_middle_and_the_slowest() {
        let stats = Stats::default();
        for micros in 1..=1000 {
            stats.ways[slot(micros)].fetch_add(1, Ordering::Relaxed);
        }
        let report = stats.report();
        assert!((480..=530).contains(&report.p50), "{}", report.p50);
        assert!((960..=1023).contains(&report.p99), "{}", report.p99);
        assert!(report.max >= 1000);
    }
}
