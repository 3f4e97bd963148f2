//! How often someone may ask: by person once it is known who asks, by address before that.
//!
//! Which route counts in which [`Group`] is a column of the table in [`crate::http`]. Here is what
//! the groups are, and that nothing in them grows without a bound. Failed sign-ins are counted
//! elsewhere and after the fact ([`room_auth::attempts`]): nobody's failures, and no number of good
//! calls of others, keep a valid code out.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use room_auth::{Clock, Identity};
use tokio_util::sync::CancellationToken;

use crate::http::ApiError;
use crate::metrics::Counter;

/// How often those who have not asked for a while are forgotten.
const REAP_EVERY: Duration = Duration::from_secs(30);

/// How many people or networks are told apart in a group. Past that new ones are counted by larger
/// units (an IPv4 /16, an IPv6 /32, an issuer).
const KEYS: usize = 100_000;

/// How many keys there are at most. Past that all new ones share one.
const ALL_KEYS: usize = 150_000;

/// The key of all who have none of their own.
const REST: u64 = 0;

/// What the group is called whose failures are counted with the sign-ins.
pub const SIGN_IN: &str = "sign_in";

/// What a route counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Not counted before it is answered: a sign-in, of which failures are counted.
    SignIn,
    /// Is the server alive: 10 a second.
    Health,
    /// What anyone may read, counted apart from people: 20 a second, 60 at once.
    Public,
    /// 20 a second, 60 at once.
    Read,
    /// 2 a second, 20 at once.
    Write,
    /// Starting a provider's sign-in: 6 a minute and 30 an hour.
    Connect,
    /// A pasted code: 10 a minute.
    Input,
    /// A code for one more device: 10 a minute.
    Pair,
    /// A socket: 30 a minute.
    Socket,
}

impl Group {
    /// Its name in the metrics.
    fn name(self) -> &'static str {
        match self {
            Self::SignIn => SIGN_IN,
            Self::Health => "health",
            Self::Public => "public",
            Self::Read => "read",
            Self::Write => "write",
            Self::Connect => "connect",
            Self::Input => "input",
            Self::Pair => "pair",
            Self::Socket => "socket",
        }
    }

    const ALL: [Self; 9] = [
        Self::SignIn,
        Self::Health,
        Self::Public,
        Self::Read,
        Self::Write,
        Self::Connect,
        Self::Input,
        Self::Pair,
        Self::Socket,
    ];

    /// What is allowed; all must allow it.
    fn quotas(self) -> &'static [Quota] {
        const HEALTH: [Quota; 1] = [Quota::new(10, 100)];
        const READ: [Quota; 1] = [Quota::new(60, 50)];
        const WRITE: [Quota; 1] = [Quota::new(20, 500)];
        const CONNECT: [Quota; 2] = [Quota::new(6, 10_000), Quota::new(30, 120_000)];
        const CODE: [Quota; 1] = [Quota::new(10, 6_000)];
        const SOCKET: [Quota; 1] = [Quota::new(30, 2_000)];
        match self {
            Self::SignIn => &[],
            Self::Health => &HEALTH,
            Self::Public | Self::Read => &READ,
            Self::Write => &WRITE,
            Self::Connect => &CONNECT,
            Self::Input | Self::Pair => &CODE,
            Self::Socket => &SOCKET,
        }
    }
}

/// The most quotas a group has.
const QUOTAS: usize = 2;

/// So many at once, and one more each time this has passed.
#[derive(Clone, Copy)]
struct Quota {
    burst: u32,
    refill: Duration,
}

impl Quota {
    const fn new(burst: u32, refill_millis: u64) -> Self {
        Self { burst, refill: Duration::from_millis(refill_millis) }
    }

    /// How much sooner than evenly a call may come.
    fn tolerance(self) -> Duration {
        self.refill * (self.burst - 1)
    }
}

/// The counts of a running server.
pub struct Limits {
    on: bool,
    clock: Arc<dyn Clock>,
    /// Times are counted from here.
    start: Instant,
    /// Those who ask are kept as a hash that nobody outside can foresee: no memory of theirs, and no
    /// allocation a call.
    hasher: RandomState,
    /// By [`Group`], in the order of [`Group::ALL`].
    groups: [Mutex<Counts>; 9],
    /// Refused calls, in the same order.
    refused: [Counter; 9],
}

impl Limits {
    /// Nobody has asked yet. `on` is false where only this machine can ask and its owner said so.
    pub fn new(clock: Arc<dyn Clock>, on: bool) -> Self {
        let groups = Group::ALL.map(|group| Mutex::new(Counts::new(group.quotas())));
        Self {
            on,
            start: clock.monotonic(),
            clock,
            hasher: RandomState::new(),
            groups,
            refused: Default::default(),
        }
    }

    /// Counts a call of a person.
    ///
    /// # Errors
    /// Too many: 429, with how long to wait.
    pub fn person(&self, group: Group, identity: &Identity) -> Result<(), ApiError> {
        self.count(group, identity, || self.hasher.hash_one(&identity.issuer))
    }

    /// Counts a call of nobody in particular.
    ///
    /// # Errors
    /// As [`Self::person`].
    pub fn address(&self, group: Group, address: IpAddr) -> Result<(), ApiError> {
        let coarse = || self.hasher.hash_one(network(address, 16, 32));
        self.count(group, network(address, 32, 64), coarse)
    }

    fn count(
        &self,
        group: Group,
        key: impl Hash,
        coarse: impl Fn() -> u64,
    ) -> Result<(), ApiError> {
        if !self.on || group.quotas().is_empty() {
            return Ok(());
        }
        let (fine, now) = (self.hasher.hash_one(key), self.now());
        let taken = lock(&self.groups[group as usize]).take(fine, coarse, now);
        taken.map_err(|wait| {
            self.refused[group as usize].one();
            tracing::debug!(?group, ?wait, "too many calls");
            ApiError::too_many("Too many requests; wait a moment.", wait)
        })
    }

    /// How many calls each group has refused that are counted here.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counted = Group::ALL.iter().zip(&self.refused);
        let counted = counted.filter(|(group, _)| **group != Group::SignIn);
        counted.map(|(group, count)| (group.name(), count.count()))
    }

    fn now(&self) -> Duration {
        self.clock.monotonic().saturating_duration_since(self.start)
    }

    /// Forgets, now and then, those who may ask as much as anyone again; until told to stop.
    pub async fn reap(&self, stop: &CancellationToken) {
        let mut tick = tokio::time::interval(REAP_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => self.forget(),
            }
        }
    }

    fn forget(&self) {
        let now = self.now();
        for counts in &self.groups {
            lock(counts).forget(now);
        }
    }
}

/// The counts of one group: the generic cell rate algorithm (ITU-T I.371), which needs one time a
/// quota and key.
struct Counts {
    quotas: &'static [Quota],
    /// For each quota, when the next call would be due if calls came evenly.
    due: HashMap<u64, [Duration; QUOTAS]>,
}

impl Counts {
    fn new(quotas: &'static [Quota]) -> Self {
        Self { quotas, due: HashMap::new() }
    }

    /// Takes one of each quota, or none and says how long until all have one.
    fn take(&mut self, fine: u64, coarse: impl Fn() -> u64, now: Duration) -> Result<(), Duration> {
        let key = match self.due.len() {
            ..KEYS => fine,
            _ if self.due.contains_key(&fine) => fine,
            KEYS..ALL_KEYS => coarse(),
            _ => REST,
        };
        let due = self.due.entry(key).or_default();
        let waits = self.quotas.iter().zip(&*due);
        let waits = waits.map(|(quota, due)| due.saturating_sub(now + quota.tolerance()));
        let wait = waits.max().unwrap_or_default();
        if wait > Duration::ZERO {
            return Err(wait);
        }
        for (quota, due) in self.quotas.iter().zip(due) {
            *due = now.max(*due) + quota.refill;
        }
        Ok(())
    }

    /// A key that is due in no quota any more is as good as one that was never there.
    fn forget(&mut self, now: Duration) {
        self.due.retain(|_, due| due.iter().any(|due| *due > now));
        self.due.shrink_to_fit();
    }
}

/// Nothing panics with one of these held.
fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The network of an address: so many bits of it. A home has a /64 of IPv6 and could use a fresh
/// address for each call.
pub(crate) fn network(address: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => (v4.to_bits() & (u32::MAX << (32 - v4_bits))).to_be_bytes().into(),
        IpAddr::V6(v6) => (v6.to_bits() & (u128::MAX << (128 - v6_bits))).to_be_bytes().into(),
    }
}
