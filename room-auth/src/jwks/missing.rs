//! What to do about key ids that nobody knows: a small budget of its own.
//!
//! A key that was just rolled is unknown until the next fetch, and waiting for the schedule would
//! refuse good tokens for minutes. But anybody can write any `kid`, so fetching for each one would
//! let strangers make the server flood its own issuer. Hence a bucket that is not the schedule's,
//! one fetch at a time, few waiters, and a memory of ids that a fetch did not bring.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

/// One fetch in this time…
const REFILL: Duration = Duration::from_secs(10);

/// …and this many at once after a quiet time.
const BURST: u32 = 2;

/// A fetch that is not over by then is given up for lost, so that another one can start.
const LOST_AFTER: Duration = Duration::from_secs(15);

/// How many requests may wait for one fetch; others are refused at once.
const MAX_WAITERS: usize = 64;

/// How many ids are remembered as unknown.
const MAX_ABSENT: usize = 1024;

/// For how long.
const ABSENT_FOR: Duration = Duration::from_secs(30);

/// What a request with an unknown key id should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Be refused: nothing new is to be had.
    Refuse,
    /// Start a fetch and wait for it.
    Fetch,
    /// Wait for the fetch that is under way.
    Join,
}

/// The budget, and what it has taught.
#[derive(Debug)]
pub(crate) struct Missing {
    hasher: RandomState,
    /// Hashes of ids, keyed at random, so that nobody outside can make two collide.
    absent: HashMap<u64, Instant>,
    tokens: u32,
    refilled: Instant,
    waiters: usize,
    fetching_since: Option<Instant>,
}

impl Missing {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            hasher: RandomState::new(),
            absent: HashMap::new(),
            tokens: BURST,
            refilled: now,
            waiters: 0,
            fetching_since: None,
        }
    }

    /// Someone presented an id that is in no set.
    pub(crate) fn ask(&mut self, kid: &str, now: Instant) -> Ask {
        let hash = self.hasher.hash_one(kid);
        if self.absent.get(&hash).is_some_and(|since| now.duration_since(*since) < ABSENT_FOR)
            || self.waiters >= MAX_WAITERS
        {
            return Ask::Refuse;
        }
        let is_under_way = |since: Instant| now.duration_since(since) < LOST_AFTER;
        if self.fetching_since.is_some_and(is_under_way) {
            self.waiters += 1;
            return Ask::Join;
        }
        self.refill(now);
        if self.tokens == 0 {
            return Ask::Refuse;
        }
        self.tokens -= 1;
        self.fetching_since = Some(now);
        self.waiters += 1;
        Ask::Fetch
    }

    /// A request no longer waits; `absent` if a whole fetch did not bring its id.
    pub(crate) fn left(&mut self, kid: &str, absent: bool, now: Instant) {
        self.waiters = self.waiters.saturating_sub(1);
        if !absent {
            return;
        }
        if self.absent.len() >= MAX_ABSENT {
            self.absent.retain(|_, since| now.duration_since(*since) < ABSENT_FOR);
        }
        if self.absent.len() < MAX_ABSENT {
            self.absent.insert(self.hasher.hash_one(kid), now);
        }
    }

    /// A fetch is over, asked for or scheduled.
    pub(crate) fn fetched(&mut self, is_new_set: bool) {
        self.fetching_since = None;
        if is_new_set {
            self.absent.clear();
        }
    }

    /// The time in which the bucket was full counts for nothing: the next fetch comes a whole
    /// period after the burst, not after whatever was left of one.
    fn refill(&mut self, now: Instant) {
        let waited = now.duration_since(self.refilled);
        let periods = u32::try_from(waited.as_nanos() / REFILL.as_nanos()).unwrap_or(BURST);
        self.tokens = self.tokens.saturating_add(periods).min(BURST);
        if periods > 0 || self.tokens == BURST {
            self.refilled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_quiet_time_is_no_credit_beyond_the_burst() {
        let start = Instant::now();
        for quiet in [0, 6, 9, 15, 3600] {
            let mut missing = Missing::new(start);
            let mut fetches = Vec::new();
            for second in quiet..quiet + 30 {
                if missing.ask(&second.to_string(), after(start, second)) == Ask::Fetch {
                    missing.fetched(false);
                    fetches.push(second - quiet);
                }
            }
            assert_eq!(fetches, [0, 1, 10, 20], "after {quiet} s");
        }
    }

    #[test]
    fn one_fetch_in_ten_seconds_after_a_burst_of_two() {
        let start = Instant::now();
        let mut missing = Missing::new(start);
        let mut fetches = 0;
        for second in 0..60 {
            for n in 0..100 {
                let kid = format!("{second}-{n}");
                let now = after(start, second);
                if missing.ask(&kid, now) == Ask::Fetch {
                    fetches += 1;
                    missing.fetched(false);
                    missing.left(&kid, true, now);
                }
            }
        }
        assert_eq!(fetches, 2 + 5);
    }

    #[test]
    fn waiters_share_one_fetch_and_are_few() {
        let now = Instant::now();
        let mut missing = Missing::new(now);
        assert_eq!(missing.ask("a", now), Ask::Fetch);
        for _ in 1..MAX_WAITERS {
            assert_eq!(missing.ask("a", now), Ask::Join);
        }
        assert_eq!(missing.ask("a", now), Ask::Refuse);
        missing.left("a", false, now);
        assert_eq!(missing.ask("b", now), Ask::Join);
    }

    #[test]
    fn an_id_that_a_fetch_did_not_bring_is_refused_for_a_while() {
        let start = Instant::now();
        let mut missing = Missing::new(start);
        assert_eq!(missing.ask("a", start), Ask::Fetch);
        missing.fetched(false);
        missing.left("a", true, start);
        assert_eq!(missing.ask("a", after(start, 29)), Ask::Refuse);
        assert_eq!(missing.ask("a", after(start, 30)), Ask::Fetch);
    }

    #[test]
    fn a_new_set_forgets_what_was_absent() {
        let now = Instant::now();
        let mut missing = Missing::new(now);
        assert_eq!(missing.ask("a", now), Ask::Fetch);
        missing.fetched(false);
        missing.left("a", true, now);
        missing.fetched(true);
        assert_eq!(missing.ask("a", now), Ask::Fetch);
    }

    #[test]
    fn the_memory_is_bounded() {
        let start = Instant::now();
        let mut missing = Missing::new(start);
        for n in 0..MAX_ABSENT * 3 {
            missing.left(&n.to_string(), true, start);
        }
        assert_eq!(missing.absent.len(), MAX_ABSENT);
        missing.left("late", true, after(start, 31));
        assert_eq!(missing.absent.len(), 1);
    }
}
