//! How often an address may fail to sign in.
//!
//! Ask [`Attempts::failed`] only about attempts that *did* fail: a good credential is never refused
//! because of failures, one's own or anyone else's.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many addresses are kept apart; when all are in use, further ones share one allowance.
const ADDRESSES: usize = 10_000;

/// Counts failures by address: a token bucket each.
#[derive(Debug)]
pub struct Attempts {
    per_minute: u32,
    burst: u32,
    buckets: HashMap<Option<IpAddr>, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Attempts {
    /// `per_minute` failures an address, `burst` at once.
    pub fn new(per_minute: u32, burst: u32) -> Self {
        Self { per_minute: per_minute.max(1), burst: burst.max(1), buckets: HashMap::new() }
    }

    /// Counts a failure.
    ///
    /// # Errors
    /// The address has failed too often: how long until it may fail again, at least a second.
    pub fn failed(&mut self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut key = Some(network(address));
        if !self.buckets.contains_key(&key) && self.buckets.len() >= ADDRESSES {
            self.forget_the_recovered(now);
            if self.buckets.len() >= ADDRESSES {
                key = None;
            }
        }
        let (per_second, burst) = (f64::from(self.per_minute) / 60.0, f64::from(self.burst));
        let bucket = self.buckets.entry(key).or_insert(Bucket { left: burst, at: now });
        let waited = now.saturating_duration_since(bucket.at).as_secs_f64();
        *bucket = Bucket { left: (bucket.left + waited * per_second).min(burst), at: now };
        if bucket.left < 1.0 {
            let wait = Duration::from_secs_f64((1.0 - bucket.left) / per_second);
            return Err(wait.max(Duration::from_secs(1)));
        }
        bucket.left -= 1.0;
        Ok(())
    }

    fn forget_the_recovered(&mut self, now: Instant) {
        let whole = Duration::from_mins(1) * self.burst / self.per_minute;
        self.buckets.retain(|_, bucket| now.saturating_duration_since(bucket.at) < whole);
        self.buckets.shrink_to_fit();
    }
}

/// A home gets a /64 of IPv6 and could use a fresh address for each try, so the network counts.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ten_a_minute_with_an_honest_wait() {
        let now = Instant::now();
        let mut attempts = Attempts::new(10, 20);
        for _ in 0..20 {
            assert_eq!(attempts.failed(address("192.0.2.1"), now), Ok(()));
        }
        let wait = attempts.failed(address("192.0.2.1"), now).unwrap_err();
        assert!((5.9..6.1).contains(&wait.as_secs_f64()), "{wait:?}");
        assert_eq!(attempts.failed(address("192.0.2.2"), now), Ok(()), "others are not touched");
        assert_eq!(attempts.failed(address("192.0.2.1"), now + wait), Ok(()));
        assert!(attempts.failed(address("192.0.2.1"), now + wait).is_err());
    }

    #[test]
    fn a_home_network_counts_once() {
        let now = Instant::now();
        let mut attempts = Attempts::new(1, 1);
        assert!(attempts.failed(address("2001:db8:1:2::1"), now).is_ok());
        assert!(attempts.failed(address("2001:db8:1:2:ffff::9"), now).is_err());
        assert!(attempts.failed(address("2001:db8:1:3::1"), now).is_ok());
        assert!(attempts.failed(address("::ffff:192.0.2.1"), now).is_ok());
        assert!(attempts.failed(address("192.0.2.1"), now).is_err());
    }

    #[test]
    fn the_machine_itself_is_no_home_network() {
        let now = Instant::now();
        let mut attempts = Attempts::new(1, 1);
        assert!(attempts.failed(address("::1"), now).is_ok());
        assert!(attempts.failed(address("::2"), now).is_ok());
        assert!(attempts.failed(address("::1"), now).is_err());
    }

    #[test]
    fn who_is_counted_already_keeps_a_count_of_their_own() {
        let now = Instant::now();
        let mut attempts = Attempts::new(2, 4);
        let one = |n: u32| IpAddr::V4(n.into());
        let all = u32::try_from(ADDRESSES).unwrap();
        for n in 0..all {
            assert!(attempts.failed(one(n), now).is_ok());
        }
        // Further ones share what is left.
        for n in 0..4 {
            assert!(attempts.failed(one(all + n), now).is_ok());
        }
        assert!(attempts.failed(one(all + 9), now).is_err());
        assert!(attempts.failed(one(0), now).is_ok());
        // It takes two minutes to get four failures back, and only then is a count forgotten.
        let nearly = now + Duration::from_secs(119);
        assert!(attempts.failed(one(all + 9), nearly).is_ok());
        assert_eq!(attempts.buckets.len(), ADDRESSES + 1);
        assert!(attempts.failed(one(all + 9), now + Duration::from_mins(2)).is_ok());
        assert_eq!(attempts.buckets.len(), 2, "the shared one, and the one that just came");
    }

    #[test]
    fn memory_is_bounded() {
        let now = Instant::now();
        let mut attempts = Attempts::new(10, 1);
        for n in 0..u32::try_from(ADDRESSES + 500).unwrap() {
            let _ = attempts.failed(IpAddr::V4(n.into()), now);
        }
        assert!(attempts.buckets.len() <= ADDRESSES + 1);
        let much_later = now + Duration::from_hours(1);
        assert_eq!(attempts.failed(address("198.51.100.7"), much_later), Ok(()));
        assert!(attempts.buckets.len() < 10);
    }
}
