//! When to fetch a key set: pure arithmetic on durations.

use std::time::Duration;

/// The shortest and longest time a fetched set counts as fresh, whatever `max-age` says.
pub const TTL_RANGE: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(15));

/// How long a set counts as fresh when the endpoint does not say.
pub const DEFAULT_TTL: Duration = Duration::from_mins(5);

/// The first and the longest pause after a failure.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// How long a set fetched with this `max-age` is fresh.
pub(crate) fn ttl(max_age: Option<Duration>) -> Duration {
    max_age.unwrap_or(DEFAULT_TTL).clamp(TTL_RANGE.0, TTL_RANGE.1)
}

/// The pause before the next fetch of a fresh set: 80 % of its time, more or less a tenth, so that
/// the servers of a fleet do not ask at the same moment. `random` lies between 0 and 1.
pub(crate) fn after_success(ttl: Duration, random: f64) -> Duration {
    ttl.mul_f64(0.8 * (0.9 + 0.2 * random.clamp(0.0, 1.0)))
}

/// The pause after the `failures`th failure in a row, the first being 1: it doubles from a second
/// to a minute, and between half of it and all of it is waited.
pub(crate) fn after_failure(failures: u32, random: f64) -> Duration {
    let doubled = BACK_OFF.0.saturating_mul(1 << failures.saturating_sub(1).min(6));
    doubled.min(BACK_OFF.1).mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_kept_within_reason() {
        let seconds = |max_age| ttl(Some(Duration::from_secs(max_age))).as_secs();
        assert_eq!((seconds(0), seconds(59), seconds(61)), (60, 60, 61));
        assert_eq!((seconds(900), seconds(901), seconds(u64::MAX)), (900, 900, 900));
        assert_eq!(ttl(None), DEFAULT_TTL);
    }

    #[test]
    fn a_fresh_set_is_fetched_before_it_is_old() {
        let ttl = Duration::from_secs(100);
        assert_eq!(after_success(ttl, 0.0), Duration::from_secs(72));
        assert_eq!(after_success(ttl, 0.5), Duration::from_secs(80));
        assert_eq!(after_success(ttl, 1.0), Duration::from_secs(88));
    }

    #[test]
    fn failures_wait_longer_and_longer() {
        let longest: Vec<_> = (1..=9).map(|n| after_failure(n, 1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(after_failure(1, 0.0), Duration::from_millis(500));
        assert_eq!(after_failure(u32::MAX, 0.0), Duration::from_secs(30));
    }
}
