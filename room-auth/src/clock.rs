//! The time, handed in, so that tests need not wait for it.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

/// Tells the time twice: for people and tokens (wall), and for timers (monotonic).
pub trait Clock: Send + Sync + 'static {
    /// The time of day; it may step when the machine's clock is set.
    fn now(&self) -> SystemTime;
    /// A time that only ever moves forward.
    fn monotonic(&self) -> Instant;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock {
    start: (SystemTime, Instant),
    moved: Mutex<Duration>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self { start: (SystemTime::now(), Instant::now()), moved: Mutex::default() }
    }
}

impl ManualClock {
    /// Moves both times forward.
    pub fn advance(&self, by: Duration) {
        *self.moved.lock().expect("no one panics while moving the clock") += by;
    }

    fn moved(&self) -> Duration {
        *self.moved.lock().expect("no one panics while reading the clock")
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.start.0 + self.moved()
    }

    fn monotonic(&self) -> Instant {
        self.start.1 + self.moved()
    }
}
