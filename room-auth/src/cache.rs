//! Tokens that were verified a moment ago.
//!
//! A hit skips parsing and the signature, nothing else: the caller of [`TokenCache::find`] still
//! asks whether the token's dates, its key set and the revocations are what they were. Entries are
//! found by the SHA-256 of the whole token and of where it came from, so no part of a token, and no
//! token in another place, can stand for it. Only successes are kept.
//!
//! The cache is a fixed table of slots that are swapped whole: neither readers nor writers lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{SHA256, digest};

use crate::principal::Principal;

/// How many tokens are kept: some 4 MiB at most.
pub(crate) const CAPACITY: usize = 4096;

/// How many slots one digest may use.
const WAYS: usize = 4;

/// How long an entry lives, also when its token lives longer.
pub(crate) const LIFE: Duration = Duration::from_mins(1);

/// Where a token came from; the same text elsewhere is another credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Bearer,
    Assertion,
}

/// What finds an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheKey {
    place: Place,
    hash: [u8; 32],
}

impl CacheKey {
    pub(crate) fn new(place: Place, token: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self { place, hash }
    }

    /// The first slot of the digest's set.
    fn first_slot(self) -> usize {
        let number = usize::from(self.hash[0]) << 8 | usize::from(self.hash[1]);
        number % (CAPACITY / WAYS) * WAYS
    }
}

/// A token that was good.
pub(crate) struct Entry {
    key: CacheKey,
    pub(crate) principal: Arc<Principal>,
    /// The generation of the key set then.
    pub(crate) generation: u64,
    /// The epoch of the revocations at which it was last asked about.
    epoch: AtomicU64,
    until: Instant,
}

impl Entry {
    pub(crate) fn new(
        key: CacheKey,
        principal: Arc<Principal>,
        generation: u64,
        epoch: u64,
        now: Instant,
    ) -> Self {
        Self { key, principal, generation, epoch: AtomicU64::new(epoch), until: now + LIFE }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The entry was found good at this epoch.
    pub(crate) fn set_epoch(&self, epoch: u64) {
        self.epoch.fetch_max(epoch, Ordering::Release);
    }
}

pub(crate) struct TokenCache {
    slots: Box<[ArcSwapOption<Entry>]>,
}

impl Default for TokenCache {
    fn default() -> Self {
        Self { slots: (0..CAPACITY).map(|_| ArcSwapOption::empty()).collect() }
    }
}

impl TokenCache {
    pub(crate) fn find(&self, key: CacheKey, now: Instant) -> Option<Arc<Entry>> {
        self.set(key).iter().find_map(|slot| {
            let guard = slot.load();
            let entry = guard.as_ref()?;
            (entry.key == key && now < entry.until).then(|| Arc::clone(entry))
        })
    }

    /// Keeps an entry in the slot of the same token, an expired or empty one, or else that of the
    /// entry that would go first anyway.
    pub(crate) fn insert(&self, entry: Entry, now: Instant) {
        let slots = self.set(entry.key);
        let rank = |slot: &&ArcSwapOption<Entry>| match slot.load().as_ref() {
            Some(held) if held.key == entry.key => None,
            Some(held) => Some(held.until),
            None => Some(now),
        };
        if let Some(slot) = slots.iter().min_by_key(rank) {
            slot.store(Some(Arc::new(entry)));
        }
    }

    /// Forgets a token.
    pub(crate) fn remove(&self, key: CacheKey) {
        for slot in self.set(key) {
            if slot.load().as_ref().is_some_and(|held| held.key == key) {
                slot.store(None);
            }
        }
    }

    fn set(&self, key: CacheKey) -> &[ArcSwapOption<Entry>] {
        let first = key.first_slot();
        &self.slots[first..first + WAYS]
    }
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Identity, Role, Standing};
    use crate::jwt::claims::Dates;
    use crate::principal::{Profile, SigningKey, Source};

    fn entry(key: CacheKey, now: Instant) -> Entry {
        let principal = Principal {
            identity: Identity { issuer: String::new(), subject: String::new() },
            standing: Standing::Person(Role::Viewer),
            instance: String::new(),
            profile: Profile::default(),
            token_id: None,
            session_id: None,
            key: SigningKey::CurrentSecret,
            key_id: None,
            dates: Dates { issued_at: None, not_before: None, expires_at: 0 },
            source: Source::Issuer(0),
        };
        Entry::new(key, Arc::new(principal), 0, 0, now)
    }

    /// Keys that share their slots.
    fn neighbours() -> [CacheKey; 5] {
        [1, 2, 3, 4, 5].map(|last| {
            let mut hash = [7; 32];
            hash[31] = last;
            CacheKey { place: Place::Bearer, hash }
        })
    }

    #[test]
    fn a_place_is_part_of_what_is_found() {
        let (cache, now) = (TokenCache::default(), Instant::now());
        let key = CacheKey::new(Place::Bearer, "a.b.c");
        cache.insert(entry(key, now), now);
        assert!(cache.find(key, now).is_some());
        assert!(cache.find(CacheKey::new(Place::Assertion, "a.b.c"), now).is_none());
        assert!(cache.find(CacheKey::new(Place::Bearer, "a.b.d"), now).is_none());
        cache.remove(key);
        assert!(cache.find(key, now).is_none());
    }

    #[test]
    fn an_entry_lives_a_minute() {
        let (cache, now) = (TokenCache::default(), Instant::now());
        let key = neighbours()[0];
        cache.insert(entry(key, now), now);
        assert!(cache.find(key, now + Duration::from_secs(59)).is_some());
        assert!(cache.find(key, now + LIFE).is_none());
    }

    #[test]
    fn the_entry_that_would_go_first_makes_room() {
        let (cache, now) = (TokenCache::default(), Instant::now());
        let [one, two, three, four, five] = neighbours();
        let at = |seconds| now + Duration::from_secs(seconds);
        for (key, seconds) in [(one, 3), (two, 1), (three, 2), (four, 4)] {
            cache.insert(entry(key, at(seconds)), at(4));
        }
        // The same token again takes its own slot, and nobody else's.
        for seconds in 5..8 {
            cache.insert(entry(four, at(seconds)), at(seconds));
        }
        for key in [one, two, three, four] {
            assert!(cache.find(key, at(8)).is_some());
        }
        cache.insert(entry(five, at(8)), at(8));
        let kept = [one, two, three, four, five].map(|key| cache.find(key, at(8)).is_some());
        assert_eq!(kept, [true, false, true, true, true]);
        cache.remove(one);
        let kept = [one, three, four, five].map(|key| cache.find(key, at(8)).is_some());
        assert_eq!(kept, [false, true, true, true]);
    }

    #[test]
    fn most_of_as_many_as_fit_are_kept() {
        let (cache, now) = (TokenCache::default(), Instant::now());
        let keys: Vec<_> =
            (0..3000).map(|n| CacheKey::new(Place::Bearer, &n.to_string())).collect();
        for &key in &keys {
            cache.insert(entry(key, now), now);
        }
        let kept = keys.iter().filter(|&&key| cache.find(key, now).is_some()).count();
        assert!(kept > 2600, "{kept}");
    }
}
