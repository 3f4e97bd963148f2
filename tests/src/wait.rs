//! Waiting for something to become true, with a deadline, never by sleeping it out.

use std::time::{Duration, Instant};

/// How often is looked. Short beside anything a person would notice, long beside a look.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until there is a value, and gives it.
///
/// # Panics
///
/// When there is none within that time; the message names the caller's line.
#[track_caller]
pub fn eventually<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(start.elapsed() < within, "it did not happen within {within:?}");
        std::thread::sleep(PAUSE);
    }
}

/// [`eventually`] for asynchronous tests.
///
/// # Panics
///
/// As [`eventually`]; `what` is in the message, since a future does not know its caller.
pub async fn eventually_async<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = look().await {
            return value;
        }
        assert!(start.elapsed() < within, "it did not happen within {within:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
