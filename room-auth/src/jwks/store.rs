//! The keys of one issuer as they are now, kept fresh in the background.
//!
//! Requests only ever read a snapshot: they take no lock and wait for no scheduled fetch. One
//! task, [`KeyStore::run`], does all the fetching. What goes wrong there is counted, waited out
//! and shown in [`KeyStore::health`]; the last good set stays in use until the stale bound.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{Notify, watch};

use crate::clock::{Clock, SystemClock};
use crate::endings::{Ended, Endings};
use crate::jwks::disk::{DiskCopy, SavedSet};
use crate::jwks::missing::{Ask, Missing};
use crate::jwks::schedule::{self, DEFAULT_TTL};
use crate::jwks::snapshot::{Held, NoKeys, Now, Snapshot};
use crate::jwks::{
    Fetch, FetchFault, FetchRequest, Fetched, KeyHealth, KeySet, KeyState, LeftOut, ParsedKeySet,
};

/// How long keys are used after the last good fetch, unless set.
pub const DEFAULT_STALE_BOUND: Duration = Duration::from_hours(24);

/// The longest stale bound that can be set.
pub const MAX_STALE_BOUND: Duration = Duration::from_hours(7 * 24);

/// How long a request with an unknown key id waits for a fetch.
const WAIT_FOR_KEY: Duration = Duration::from_secs(2);

/// The task looks at the clock at least this often: timers stand still while a machine sleeps.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// An unchanged set is written to disk again only after this time; a restart then takes it for a
/// little older than it is.
const SAVE_AGAIN_AFTER: Duration = Duration::from_mins(10);

/// A difference between the two clocks that is worth a line in the log.
const CLOCK_STEP: Duration = Duration::from_secs(30);

/// Settings of a [`KeyStore`].
#[derive(Clone)]
pub struct KeyStoreOptions {
    stale_bound: Duration,
    clock: Arc<dyn Clock>,
    endings: Endings,
    disk: Option<DiskCopy>,
}

impl Default for KeyStoreOptions {
    fn default() -> Self {
        Self {
            stale_bound: DEFAULT_STALE_BOUND,
            clock: Arc::new(SystemClock),
            endings: Endings::default(),
            disk: None,
        }
    }
}

impl fmt::Debug for KeyStoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStoreOptions")
            .field("stale_bound", &self.stale_bound)
            .field("disk", &self.disk)
            .finish_non_exhaustive()
    }
}

impl KeyStoreOptions {
    /// How long keys are used after the last good fetch: from nothing to [`MAX_STALE_BOUND`]. Less
    /// than the time a set counts as fresh means that time.
    #[must_use]
    pub fn stale_bound(mut self, bound: Duration) -> Self {
        self.stale_bound = bound.min(MAX_STALE_BOUND);
        self
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where withdrawn keys are announced.
    #[must_use]
    pub fn endings(mut self, endings: Endings) -> Self {
        self.endings = endings;
        self
    }

    /// Keeps the last good set in a file, so that a restart during an outage finds it.
    #[must_use]
    pub fn disk(mut self, disk: DiskCopy) -> Self {
        self.disk = Some(disk);
        self
    }
}

/// What only the fetching task and the rare request with an unknown id touch.
struct Control {
    missing: Missing,
    etag: Option<String>,
    ttl: Duration,
    due: (Now, Duration),
    asked: bool,
    failures: u32,
    last_fault: Option<FetchFault>,
    fetched_at: Option<SystemTime>,
    left_out: Vec<LeftOut>,
    is_from_disk: bool,
    is_disk_failing: bool,
    /// The document that is held, to be saved again with a later date.
    document: Vec<u8>,
    saved: Option<Now>,
    last_look: Now,
}

/// How many fetches are over, and how many of them were good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    over: u64,
    good: u64,
}

/// The keys of one issuer, fetched from one endpoint.
pub struct KeyStore {
    source: Arc<str>,
    snapshot: ArcSwap<Snapshot>,
    control: Mutex<Control>,
    wake: Notify,
    tally: watch::Sender<Tally>,
    stale_bound: Duration,
    clock: Arc<dyn Clock>,
    endings: Endings,
    disk: Option<DiskCopy>,
}

impl KeyStore {
    /// A store for the endpoint that `source` names in logs, with what the disk has kept of it.
    ///
    /// Nothing is fetched until [`KeyStore::run`] or [`KeyStore::refresh`].
    pub fn new(source: impl Into<Arc<str>>, options: KeyStoreOptions) -> Self {
        let source = source.into();
        let KeyStoreOptions { stale_bound, clock, endings, disk } = options;
        let now = Now::read(clock.as_ref());
        let mut control = Control {
            missing: Missing::new(now.mono),
            etag: None,
            ttl: DEFAULT_TTL,
            due: (now, Duration::ZERO),
            asked: false,
            failures: 0,
            last_fault: None,
            fetched_at: None,
            left_out: Vec::new(),
            is_from_disk: false,
            is_disk_failing: false,
            document: Vec::new(),
            saved: None,
            last_look: now,
        };
        let held = disk.as_ref().and_then(|disk| from_disk(disk, &source, &mut control)).map(
            |(keys, age_then)| {
                let usable_for = stale_bound.max(control.ttl);
                Held { keys, usable_for, confirmed: now, age_then }
            },
        );
        Self {
            source,
            snapshot: ArcSwap::from_pointee(Snapshot {
                generation: u64::from(held.is_some()),
                held,
            }),
            control: Mutex::new(control),
            wake: Notify::new(),
            tally: watch::Sender::default(),
            stale_bound,
            clock,
            endings,
            disk,
        }
    }

    /// The endpoint.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Keeps the set fresh for as long as it is polled: at once, then on schedule, and when a
    /// request brings an unknown key id. Dropping it stops the fetching and nothing else.
    pub async fn run(&self, fetch: impl Fetch) {
        loop {
            let due_in = self.due_in();
            if due_in.is_zero() {
                self.refresh(&fetch).await;
                continue;
            }
            // Both a nap over and a wake-up only mean: look again.
            let _nap = tokio::time::timeout(due_in.min(LONGEST_SLEEP), self.wake.notified()).await;
        }
    }

    /// Fetches once, whether it is due or not.
    pub async fn refresh(&self, fetch: &impl Fetch) {
        let request = {
            let mut control = self.control();
            let no_cache = std::mem::take(&mut control.asked);
            FetchRequest { etag: control.etag.clone(), no_cache }
        };
        let outcome = fetch.fetch(request).await;
        let save = self.apply(outcome);
        if let (Some(disk), Some(save)) = (self.disk.clone(), save) {
            let source = Arc::clone(&self.source);
            let written = tokio::task::spawn_blocking(move || disk.save(&source, &save)).await;
            let is_written = matches!(written, Ok(Ok(())));
            if !is_written {
                tracing::warn!(source = %self.source, "the key set could not be written to disk");
            }
            let mut control = self.control();
            control.is_disk_failing = !is_written;
            control.saved = is_written.then(|| Now::read(self.clock.as_ref()));
        }
    }

    /// How long until the next fetch is due; nothing if one is due or was asked for.
    pub fn due_in(&self) -> Duration {
        let now = Now::read(self.clock.as_ref());
        let mut control = self.control();
        Self::note_clock_step(&mut control, now);
        if control.asked {
            return Duration::ZERO;
        }
        let (from, pause) = control.due;
        pause.saturating_sub(now.since(&from))
    }

    /// What is to be said about the keys now.
    pub fn health(&self) -> KeyHealth {
        let due_in = self.due_in();
        let now = Now::read(self.clock.as_ref());
        let snapshot = self.snapshot.load();
        let control = self.control();
        let age = snapshot.held.as_ref().map(|held| held.age(&now));
        let state = match age {
            None => KeyState::Empty,
            Some(_) if snapshot.is_stale(&now) => KeyState::Stale,
            Some(age) if age > control.ttl => KeyState::Degraded,
            Some(_) => KeyState::Fresh,
        };
        KeyHealth {
            state,
            keys: snapshot.keys().map_or(0, KeySet::len),
            generation: snapshot.generation,
            age,
            fetched_at: control.fetched_at,
            is_from_disk: control.is_from_disk,
            failures: control.failures,
            last_fault: control.last_fault.clone(),
            next_fetch_in: due_in,
            left_out: control.left_out.clone(),
            is_disk_failing: control.is_disk_failing,
        }
    }

    /// The keys to verify with, without a lock.
    pub(crate) fn current(&self, now: &Now) -> Result<Guard<Arc<Snapshot>>, NoKeys> {
        let snapshot = self.snapshot.load();
        if snapshot.held.is_none() {
            return Err(NoKeys::NeverFetched);
        }
        if snapshot.is_stale(now) {
            // A machine that slept for days must not wait for its timer.
            self.wake.notify_one();
            return Err(NoKeys::Stale);
        }
        Ok(snapshot)
    }

    /// Returns once the first fetch since the start is over, well or not: a server that starts
    /// because someone knocks does not send them away for keys that are on their way.
    pub async fn first_fetch(&self) {
        let mut tally = self.tally.subscribe();
        let _gone = tally.wait_for(|tally| tally.over > 0).await;
    }

    /// Waits until the keys may have changed on behalf of an unknown key id. `false` means that
    /// there is nothing to wait for.
    pub(crate) async fn wait_for(&self, kid: &str) -> bool {
        let (mut tally, before) = {
            let mut control = self.control();
            let ask = control.missing.ask(kid, self.clock.monotonic());
            match ask {
                Ask::Refuse => return false,
                Ask::Fetch => control.asked = true,
                Ask::Join => {}
            }
            // Under the lock, so that the fetch that was asked for cannot be over already.
            let mut tally = self.tally.subscribe();
            let before = *tally.borrow_and_update();
            if ask == Ask::Fetch {
                self.wake.notify_one();
            }
            (tally, before)
        };
        let _waiter = Waiter { store: self, kid, before };
        let _late = tokio::time::timeout(WAIT_FOR_KEY, tally.changed()).await;
        true
    }

    /// Takes in the outcome of a fetch. Returns what is to be written to disk.
    fn apply(&self, outcome: Result<Fetched, FetchFault>) -> Option<SavedSet> {
        let now = Now::read(self.clock.as_ref());
        let mut control = self.control();
        let taken = outcome.and_then(|fetched| self.take(fetched, now, &mut control));
        let is_good = taken.is_ok();
        let saved = match taken {
            Ok(is_changed) => {
                control.failures = 0;
                control.last_fault = None;
                control.is_from_disk = false;
                control.fetched_at = Some(now.wall);
                control.due = (now, schedule::after_success(control.ttl, random()));
                self.to_save(is_changed, now, &control)
            }
            Err(fault) => {
                control.failures = control.failures.saturating_add(1);
                tracing::warn!(
                    source = %self.source, failures = control.failures, %fault,
                    "the key set could not be fetched"
                );
                control.last_fault = Some(fault);
                control.due = (now, schedule::after_failure(control.failures, random()));
                control.missing.fetched(false);
                None
            }
        };
        // Still under the lock: who asks from here on waits for the next fetch.
        self.tally.send_modify(|tally| {
            tally.over += 1;
            tally.good += u64::from(is_good);
        });
        saved
    }

    /// Puts a fetched set in place. Returns whether the keys are other ones than before.
    fn take(&self, fetched: Fetched, now: Now, control: &mut Control) -> Result<bool, FetchFault> {
        let before = self.snapshot.load_full();
        let (keys, max_age) = match fetched {
            Fetched::NotModified { max_age } => {
                let held = before.held.as_ref().ok_or(FetchFault::UnaskedNotModified)?;
                (Arc::clone(&held.keys), max_age)
            }
            Fetched::Document { body, etag, max_age } => {
                let ParsedKeySet { keys, left_out } = KeySet::parse(&body)?;
                self.warn_of(&left_out);
                control.left_out = left_out;
                control.etag = etag;
                control.document = body;
                (Arc::new(keys), max_age)
            }
        };
        control.ttl = schedule::ttl(max_age);
        let is_changed = before.keys().is_none_or(|old| !old.has_same_keys(&keys));
        let withdrawn = before.keys().map_or_else(Vec::new, |old| old.keys_missing_in(&keys));
        self.snapshot.store(Arc::new(Snapshot {
            generation: before.generation + u64::from(is_changed),
            held: Some(Held {
                keys,
                usable_for: self.stale_bound.max(control.ttl),
                confirmed: now,
                age_then: Duration::ZERO,
            }),
        }));
        control.missing.fetched(is_changed);
        if !withdrawn.is_empty() {
            tracing::info!(source = %self.source, keys = withdrawn.len(), "keys were withdrawn");
            let source = Arc::clone(&self.source);
            self.endings.announce(Ended::KeysWithdrawn { source, keys: withdrawn });
        }
        Ok(is_changed)
    }

    fn warn_of(&self, left_out: &[LeftOut]) {
        for entry in left_out.iter().filter(|entry| entry.fault.is_alarming()) {
            tracing::error!(
                source = %self.source, index = entry.index, fault = %entry.fault,
                "the issuer publishes a key that must not be used"
            );
        }
    }

    /// What should be on disk: new keys at once, and now and then the same ones with a later date.
    fn to_save(&self, is_changed: bool, now: Now, control: &Control) -> Option<SavedSet> {
        let is_old = control.saved.is_none_or(|saved| now.since(&saved) > SAVE_AGAIN_AFTER);
        (self.disk.is_some() && (is_changed || is_old)).then(|| SavedSet {
            fetched_at: now.wall,
            etag: control.etag.clone(),
            document: control.document.clone(),
        })
    }

    fn note_clock_step(control: &mut Control, now: Now) {
        let before = std::mem::replace(&mut control.last_look, now);
        let mono = now.mono.saturating_duration_since(before.mono);
        let wall = now.wall.duration_since(before.wall).unwrap_or(Duration::ZERO);
        let backwards = before.wall.duration_since(now.wall).unwrap_or(Duration::ZERO);
        if wall.abs_diff(mono) > CLOCK_STEP && backwards.is_zero() || backwards > CLOCK_STEP {
            tracing::warn!(
                forwards_seconds = wall.saturating_sub(mono).as_secs(),
                backwards_seconds = backwards.as_secs(),
                "the clock was set, or the machine slept"
            );
        }
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStore").field("source", &self.source).finish_non_exhaustive()
    }
}

/// A request that waits for a fetch, also when it is given up.
struct Waiter<'w> {
    store: &'w KeyStore,
    kid: &'w str,
    before: Tally,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let is_fetched = self.store.tally.borrow().good > self.before.good;
        let snapshot = self.store.snapshot.load();
        let is_known = snapshot.keys().is_some_and(|keys| keys.find(self.kid).is_some());
        let now = self.store.clock.monotonic();
        self.store.control().missing.left(self.kid, is_fetched && !is_known, now);
    }
}

/// The set on disk and how old it is, if it is still of use.
fn from_disk(
    disk: &DiskCopy,
    source: &str,
    control: &mut Control,
) -> Option<(Arc<KeySet>, Duration)> {
    let saved = match disk.load(source) {
        Ok(saved) => saved?,
        Err(fault) => {
            tracing::warn!(source, %fault, "the saved key set is not used");
            return None;
        }
    };
    let ParsedKeySet { keys, left_out } = match KeySet::parse(&saved.document) {
        Ok(parsed) => parsed,
        Err(fault) => {
            tracing::warn!(source, %fault, "the saved key set is not used");
            return None;
        }
    };
    let now = control.last_look.wall;
    // A date in the future is a clock that was set since: the bound then counts from now.
    let age = now.duration_since(saved.fetched_at).unwrap_or(Duration::ZERO);
    control.left_out = left_out;
    control.etag = saved.etag;
    control.document = saved.document;
    control.fetched_at = Some(saved.fetched_at);
    control.is_from_disk = true;
    Some((Arc::new(keys), age))
}

/// Between 0 and 1.
fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without random numbers there is no jitter, and nothing else is lost.
    let _filled = aws_lc_rs::rand::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
