//! Whole groups on a clock that stands still, with the answers a client gets.

use axum::response::IntoResponse as _;
use http::header::RETRY_AFTER;
use room_auth::ManualClock;

use super::*;

struct Fixture {
    limits: Limits,
    clock: Arc<ManualClock>,
}

impl Fixture {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { limits: Limits::new(clock.clone(), true), clock }
    }

    /// What a person is answered: nothing, or how many seconds to wait.
    fn person(&self, group: Group, subject: &str) -> Option<u64> {
        let identity = Identity { issuer: "i".into(), subject: subject.into() };
        seconds(self.limits.person(group, &identity))
    }

    fn address(&self, group: Group, address: &str) -> Option<u64> {
        seconds(self.limits.address(group, address.parse().unwrap()))
    }

    /// How many calls of a person pass in a while, tried 6000 times.
    fn passed(&self, group: Group, subject: &str, during: Duration) -> usize {
        let tries = (0..6000).map(|_| {
            self.clock.advance(during / 6000);
            usize::from(self.person(group, subject).is_none())
        });
        tries.sum()
    }

    fn keys(&self, group: Group) -> usize {
        lock(&self.limits.groups[group as usize]).due.len()
    }
}

fn seconds(answer: Result<(), ApiError>) -> Option<u64> {
    let response = answer.err()?.into_response();
    assert_eq!(response.status(), 429);
    Some(response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap())
}

#[test]
fn each_group_gives_what_it_says() {
    for (group, at_once, a_minute, wait) in [
        (Group::Health, 10, 600, 1),
        (Group::Public, 60, 1200, 1),
        (Group::Read, 60, 1200, 1),
        (Group::Write, 20, 120, 1),
        (Group::Connect, 6, 6, 10),
        (Group::Input, 10, 10, 6),
        (Group::Pair, 10, 10, 6),
        (Group::Socket, 30, 30, 2),
    ] {
        let f = Fixture::new();
        let passed = (0..1000).filter(|_| f.person(group, "ada").is_none()).count();
        assert_eq!(passed, at_once, "{group:?} at once");
        assert_eq!(f.person(group, "ada"), Some(wait), "{group:?}");
        assert_eq!(f.person(group, "bob"), None, "{group:?}: others are not touched");
        assert_eq!(f.passed(group, "ada", Duration::from_mins(1)), a_minute, "{group:?}");
    }
    let f = Fixture::new();
    assert!((0..1000).all(|_| f.person(Group::SignIn, "ada").is_none()));
}

#[test]
fn who_waits_as_long_as_told_is_let_in() {
    let f = Fixture::new();
    for group in Group::ALL {
        for _ in 0..200 {
            if let Some(wait) = f.person(group, "ada") {
                f.clock.advance(Duration::from_secs(wait));
                assert_eq!(f.person(group, "ada"), None, "{group:?} after {wait} s");
            }
        }
    }
}

#[test]
fn a_person_starts_thirty_sign_ins_an_hour() {
    let f = Fixture::new();
    let hour = f.passed(Group::Connect, "ada", Duration::from_hours(1));
    // All there was, and what came back meanwhile but for the last.
    assert_eq!(hour, 30 + 29);
    assert_eq!(f.passed(Group::Connect, "ada", Duration::from_hours(1)), 30);
    assert!((1..=120).contains(&f.person(Group::Connect, "ada").unwrap()));
}

#[test]
fn a_home_network_is_one_and_its_neighbour_another() {
    let f = Fixture::new();
    for n in 0..10 {
        assert_eq!(f.address(Group::Health, &format!("2001:db8:1:2::{n}")), None);
    }
    assert_eq!(f.address(Group::Health, "2001:db8:1:2:ffff::1"), Some(1));
    assert_eq!(f.address(Group::Health, "2001:db8:1:3::1"), None);
    for _ in 0..10 {
        assert_eq!(f.address(Group::Health, "192.0.2.1"), None);
    }
    assert_eq!(f.address(Group::Health, "::ffff:192.0.2.1"), Some(1), "the same one");
    assert_eq!(f.address(Group::Health, "192.0.2.2"), None);
}

#[test]
fn memory_is_bounded_and_given_back() {
    let f = Fixture::new();
    let address = |n: usize| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
    for n in 0..ALL_KEYS + 50_000 {
        // Each in a /16 of its own as far as there are so many.
        let n = n.rotate_left(16) | n >> 16;
        let _ = f.limits.address(Group::Health, address(n & 0xffff_ffff));
    }
    assert!((KEYS..=ALL_KEYS + 1).contains(&f.keys(Group::Health)), "{}", f.keys(Group::Health));
    f.limits.forget();
    assert!(f.keys(Group::Health) >= KEYS, "they are still counted");
    f.clock.advance(Duration::from_secs(2));
    f.limits.forget();
    assert_eq!(f.keys(Group::Health), 0);
    assert_eq!(f.address(Group::Health, "192.0.2.1"), None);
}

#[test]
fn when_there_are_too_many_a_larger_network_is_one() {
    let f = Fixture::new();
    for n in 0..KEYS {
        let address = IpAddr::from(u32::try_from(0x0a00_0000 + n).unwrap().to_be_bytes());
        f.limits.address(Group::Health, address).unwrap();
    }
    for n in 0..10 {
        assert_eq!(f.address(Group::Health, &format!("198.51.{n}.1")), None);
    }
    assert_eq!(f.address(Group::Health, "198.51.200.1"), Some(1));
    assert_eq!(f.address(Group::Health, "198.52.0.1"), None);
}

#[test]
fn the_limits_can_be_off() {
    let limits = Limits::new(Arc::new(ManualClock::default()), false);
    for _ in 0..1000 {
        assert!(limits.person(Group::Connect, &Identity::local_owner()).is_ok());
        assert!(limits.address(Group::Health, [192, 0, 2, 1].into()).is_ok());
    }
}

/// The best-known crate for this decides the same, for what it can do: one quota at a time.
#[test]
fn governor_agrees() {
    use governor::clock::FakeRelativeClock;
    use governor::{Quota, RateLimiter};
    let mut state = 1_u64;
    let mut random = |below: u32| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(state >> 33).unwrap() % below
    };
    for group in Group::ALL.into_iter().filter(|group| group.quotas().len() == 1) {
        let f = Fixture::new();
        let quota = group.quotas()[0];
        let clock = FakeRelativeClock::default();
        let theirs = Quota::with_period(quota.refill).unwrap();
        let theirs = theirs.allow_burst(quota.burst.try_into().unwrap());
        let theirs = RateLimiter::hashmap_with_clock(theirs, clock.clone());
        let mut refused = 0;
        for n in 0..3000 {
            let subject = ["ada", "bob", "eve"][random(3) as usize];
            let ours = f.person(group, subject).is_none();
            assert_eq!(ours, theirs.check_key(&subject).is_ok(), "{group:?} call {n}");
            refused += usize::from(!ours);
            let by = quota.refill * random(1000) / 2000;
            f.clock.advance(by);
            clock.advance(by);
        }
        assert!((100..2900).contains(&refused), "{group:?}: {refused} tell nothing");
    }
}
