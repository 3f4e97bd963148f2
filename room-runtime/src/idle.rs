//! When a Room that its platform starts on demand may end by itself (`ROOM_IDLE_EXIT`).
//!
//! A platform that stops machines looks at their connections alone, and would cut a sign-in whose
//! page sleeps on a phone. Room knows better: it ends once nobody has used it for a while, no page
//! is open and no sign-in or install runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::state::App;

/// How often it looks.
pub const LOOK: Duration = Duration::from_secs(15);

/// When the server was last used.
#[derive(Debug)]
pub struct Idle {
    after: Option<Duration>,
    start: Instant,
    /// Milliseconds after the start.
    used: AtomicU64,
}

impl Idle {
    /// Used just now; it never ends by itself without a time after which.
    pub fn new(after: Option<Duration>, now: Instant) -> Self {
        Self { after, start: now, used: AtomicU64::new(0) }
    }

    /// Someone who may has used it.
    pub fn touch(&self, now: impl FnOnce() -> Instant) {
        if self.after.is_some() {
            let since = now().saturating_duration_since(self.start);
            let since = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
            self.used.fetch_max(since, Ordering::Relaxed);
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        let used = self.start + Duration::from_millis(self.used.load(Ordering::Relaxed));
        self.after.is_some_and(|after| now.saturating_duration_since(used) >= after)
    }
}

/// Waits until nobody has used the server for as long as it was told; for ever if it was not.
pub async fn until_unused(app: &App, look: Duration) {
    if app.idle.after.is_none() {
        return std::future::pending().await;
    }
    loop {
        if app.farewell.open() > 0 || app.publisher.has_live() {
            app.idle.touch(|| app.clock.monotonic());
        }
        if app.idle.is_over(app.clock.monotonic()) {
            return;
        }
        tokio::time::sleep(look).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_mins(10);

    #[test]
    fn it_is_over_after_a_while_without_use() {
        let start = Instant::now();
        let idle = Idle::new(Some(AFTER), start);
        assert!(!idle.is_over(start + AFTER / 2));
        assert!(idle.is_over(start + AFTER));
        idle.touch(|| start + AFTER / 2);
        // An earlier use that is noted late takes nothing back.
        idle.touch(|| start + AFTER / 4);
        assert!(!idle.is_over(start + AFTER));
        assert!(idle.is_over(start + AFTER / 2 + AFTER));
    }

    #[test]
    fn without_a_time_it_is_never_over() {
        let start = Instant::now();
        let idle = Idle::new(None, start);
        idle.touch(|| unreachable!("the clock is not asked for nothing"));
        assert!(!idle.is_over(start + AFTER * 1000));
    }
}
