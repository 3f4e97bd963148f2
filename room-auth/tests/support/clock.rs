//! A clock that shows what it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use room_auth::Clock;

#[derive(Debug)]
pub(crate) struct SetClock {
    start: Instant,
    unix_seconds: AtomicU64,
}

impl SetClock {
    pub(crate) fn at(unix_seconds: u64) -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), unix_seconds: AtomicU64::new(unix_seconds) })
    }

    pub(crate) fn set(&self, unix_seconds: u64) {
        self.unix_seconds.store(unix_seconds, Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.unix_seconds.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Instant {
        self.start
    }
}
