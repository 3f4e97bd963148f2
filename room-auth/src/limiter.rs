//! The limit on failed attempts, by the address they come from.
//!
//! It is asked only after a credential was refused, so a valid one passes however many others have
//! failed at the same address; verifying costs some 15 µs, which is no more than telling apart
//! would.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::attempts::Attempts;
use crate::error::AuthError;

/// How many failures a minute an address has unless set.
pub const DEFAULT_FAILURES_PER_MINUTE: u32 = 10;

/// How many it has at once.
pub const DEFAULT_BURST: u32 = 20;

/// Turns refusals into 429 once an address has failed too often.
#[derive(Debug)]
pub struct FailureLimiter(Option<Mutex<Attempts>>);

impl Default for FailureLimiter {
    fn default() -> Self {
        Self::new(DEFAULT_FAILURES_PER_MINUTE, DEFAULT_BURST)
    }
}

impl FailureLimiter {
    /// So many failures a minute, and so many at once.
    pub fn new(per_minute: u32, burst: u32) -> Self {
        Self(Some(Mutex::new(Attempts::new(per_minute, burst))))
    }

    /// No limit: for a server that only its own machine can reach.
    pub fn off() -> Self {
        Self(None)
    }

    /// What a refused caller is told: why, or that there were too many. Faults that are nobody's
    /// guess ([`AuthError::is_failed_attempt`]) do not count.
    pub fn judge(&self, error: AuthError, address: IpAddr, now: Instant) -> AuthError {
        let Some(attempts) = self.0.as_ref().filter(|_| error.is_failed_attempt()) else {
            return error;
        };
        let mut attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
        match attempts.failed(address, now) {
            Ok(()) => error,
            Err(retry_after) => AuthError::Limited { retry_after },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::{Detail, Reason};

    fn refusal() -> AuthError {
        AuthError::Invalid(Detail::of(Reason::Signature))
    }

    #[test]
    fn failures_of_an_address_are_limited() {
        let (limiter, now) = (FailureLimiter::default(), Instant::now());
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        for _ in 0..DEFAULT_BURST {
            assert_eq!(limiter.judge(refusal(), one, now), refusal());
        }
        let refused = limiter.judge(refusal(), one, now);
        assert_eq!(refused.status().as_u16(), 429);
        assert_eq!(refused.retry_after_seconds(), Some(6));
        assert_eq!(limiter.judge(refusal(), other, now), refusal());
        let later = now + Duration::from_secs(7);
        assert_eq!(limiter.judge(refusal(), one, later), refusal());
    }

    #[test]
    fn only_guesses_count() {
        let (limiter, now) = (FailureLimiter::new(1, 1), Instant::now());
        let address = "192.0.2.1".parse().unwrap();
        let detail = || Detail::of(Reason::Expired);
        for _ in 0..10 {
            for error in [
                AuthError::Missing,
                AuthError::Expired(detail()),
                AuthError::Forbidden(detail()),
                AuthError::Unavailable { detail: detail(), retry_after: Duration::ZERO },
            ] {
                assert_eq!(limiter.judge(error.clone(), address, now), error);
            }
        }
        assert_eq!(limiter.judge(refusal(), address, now), refusal());
    }

    #[test]
    fn the_limit_can_be_off() {
        let (limiter, now) = (FailureLimiter::off(), Instant::now());
        let address = "192.0.2.1".parse().unwrap();
        for _ in 0..1000 {
            assert_eq!(limiter.judge(refusal(), address, now), refusal());
        }
    }
}
