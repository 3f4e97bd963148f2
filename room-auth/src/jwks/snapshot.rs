//! The keys as requests read them: a set, how old it is, and how long it may be used.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::clock::Clock;
use crate::jwks::KeySet;

/// A moment by both clocks. Each misses something: the wall clock can be set, the monotonic one
/// stands still while a machine sleeps. The older answer counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall: SystemTime,
    pub(crate) mono: Instant,
}

impl Now {
    pub(crate) fn read(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), mono: clock.monotonic() }
    }

    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let wall = self.wall.duration_since(earlier.wall).unwrap_or(Duration::ZERO);
        self.mono.saturating_duration_since(earlier.mono).max(wall)
    }
}

/// A set that was good when it was fetched.
pub(crate) struct Held {
    pub(crate) keys: Arc<KeySet>,
    /// How long from its confirmation it may be used.
    pub(crate) usable_for: Duration,
    pub(crate) confirmed: Now,
    /// How old it was then: more than nothing only for a set from disk.
    pub(crate) age_then: Duration,
}

impl Held {
    pub(crate) fn age(&self, now: &Now) -> Duration {
        now.since(&self.confirmed).saturating_add(self.age_then)
    }
}

/// What requests read.
pub(crate) struct Snapshot {
    pub(crate) generation: u64,
    pub(crate) held: Option<Held>,
}

impl Snapshot {
    pub(crate) fn is_stale(&self, now: &Now) -> bool {
        self.held.as_ref().is_some_and(|held| held.age(now) > held.usable_for)
    }

    /// The keys; a snapshot from [`KeyStore::current`](crate::jwks::KeyStore::current) has some.
    pub(crate) fn keys(&self) -> Option<&KeySet> {
        self.held.as_ref().map(|held| held.keys.as_ref())
    }
}

/// There are no keys to verify anything with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKeys {
    NeverFetched,
    Stale,
}
