//! Credentials that ended before they expired.
//!
//! Entries belong to an issuer: one issuer can never end what another has granted. They live in
//! memory, where a look-up takes no lock, and what a [`RevocationStore`] keeps of them is handed
//! back at start. An entry goes when every token it could name has expired.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;

use crate::endings::{Ended, Endings};
use crate::issuers::{MAX_LEEWAY, MAX_LIFETIME};
use crate::jwks::Thumbprint;

/// How many entries are kept. At the bound further ones are refused with an error that says so:
/// to forget an old one would let someone in again.
pub const MAX_REVOCATIONS: usize = 50_000;

/// How long an entry can still name a token: the longest life, and the leeway on both ends.
const LONGEST_TOKEN: Duration = MAX_LIFETIME.saturating_add(MAX_LEEWAY).saturating_add(MAX_LEEWAY);

/// What a revocation ends, within one issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// One token, by its `jti`. Its dates do not count.
    Token(String),
    /// Everything of a subject.
    Subject(String),
    /// Everything of one session at the issuer (`sid`).
    Session(String),
    /// Everything signed with a key, by its `kid` or its RFC 7638 thumbprint. Its dates do not
    /// count: whoever has the key writes any date.
    Key(String),
    /// Everything of the issuer.
    Instance,
}

/// An order to end something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Whose tokens.
    pub issuer: String,
    /// Which of them.
    pub target: Target,
    /// Those issued before this moment; later ones are good again. Tokens say to the second when
    /// they were issued, and one without a date counts as issued before.
    pub not_before: SystemTime,
}

impl Revocation {
    /// Ends what exists now. The current second is part of it.
    pub fn now(issuer: impl Into<String>, target: Target, now: SystemTime) -> Self {
        let not_before = from_unix(unix_seconds(now) + 1);
        Self { issuer: issuer.into(), target, not_before }
    }

    /// When the entry can be forgotten; never for a key.
    pub fn expires_at(&self) -> Option<SystemTime> {
        match self.target {
            Target::Key(_) => None,
            Target::Token(_) | Target::Subject(_) | Target::Session(_) | Target::Instance => {
                Some(self.not_before + LONGEST_TOKEN)
            }
        }
    }
}

/// Keeps revocations over a restart.
///
/// An embedder with a database of its own may as well write there first and then call
/// [`Revocations::apply`] on a set without a store.
pub trait RevocationStore: Send + Sync + 'static {
    /// Writes an entry for good.
    ///
    /// # Errors
    /// Whatever kept it from being written.
    fn save(&self, revocation: &Revocation) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Reads all entries.
    ///
    /// # Errors
    /// Whatever kept them from being read; a verifier that does not know who was locked out must
    /// not start.
    fn load(&self) -> Result<Vec<Revocation>, Box<dyn Error + Send + Sync>>;
}

/// A revocation could not be made, or not kept.
#[derive(Debug, thiserror::Error)]
pub enum RevocationError {
    /// [`MAX_REVOCATIONS`] are kept already. Raise the epoch of the whole issuer instead
    /// ([`Target::Instance`]), which is always taken.
    #[error("too many revocations are kept")]
    Full,
    /// It is in effect, but would be forgotten by a restart.
    #[error("revocation is in effect but could not be stored")]
    Store(#[source] Box<dyn Error + Send + Sync>),
    /// The stored ones could not be read.
    #[error("stored revocations could not be read")]
    Load(#[source] Box<dyn Error + Send + Sync>),
}

/// The kinds of [`Target`], as the table counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Token,
    Subject,
    Session,
    Key,
    Instance,
}

const KINDS: usize = 5;

/// How many parts the table has: a new entry copies one of them.
const SHARDS: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: Kind,
    not_before: u64,
}

type Shard = HashMap<u128, Entry>;

/// Entries by a hash of what they name.
///
/// The hash has 128 bits under keys of this process, so it stands for the name; were two ever
/// alike, the second would be refused and not let in. Readers take no lock; a writer, under the
/// lock of [`Revocations`], replaces a part as a whole.
struct Table {
    shards: Box<[ArcSwap<Shard>]>,
    counts: [AtomicUsize; KINDS],
    hashers: [RandomState; 2],
}

impl Default for Table {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| ArcSwap::default()).collect(),
            counts: Default::default(),
            hashers: [RandomState::new(), RandomState::new()],
        }
    }
}

impl Table {
    fn get(&self, kind: Kind, issuer: &str, name: &str) -> Option<u64> {
        if self.counts[kind as usize].load(Ordering::Acquire) == 0 {
            return None;
        }
        let key = self.key(kind, issuer, name);
        self.shard(key).load().get(&key).map(|entry| entry.not_before)
    }

    /// How many entries there are, those for whole issuers apart.
    fn len(&self) -> usize {
        let named = &self.counts[..Kind::Instance as usize];
        named.iter().map(|count| count.load(Ordering::Acquire)).sum()
    }

    fn insert(&self, revocation: &Revocation) {
        let (key, entry) = self.entry(revocation);
        let shard = self.shard(key);
        let mut entries = Shard::clone(&shard.load());
        self.put(&mut entries, key, entry);
        shard.store(Arc::new(entries));
    }

    /// The same for many: each part is copied once.
    fn extend<'r>(&self, revocations: impl Iterator<Item = &'r Revocation>) {
        let mut parts: Vec<Shard> =
            self.shards.iter().map(|shard| Shard::clone(&shard.load())).collect();
        for revocation in revocations {
            let (key, entry) = self.entry(revocation);
            self.put(&mut parts[shard_index(key)], key, entry);
        }
        for (shard, part) in self.shards.iter().zip(parts) {
            shard.store(Arc::new(part));
        }
    }

    /// Forgets what names no living token.
    fn forget(&self, dead: u64) {
        for shard in &self.shards {
            let mut entries = Shard::clone(&shard.load());
            entries.retain(|_, entry| {
                let stays = entry.kind == Kind::Key || entry.not_before > dead;
                if !stays {
                    self.counts[entry.kind as usize].fetch_sub(1, Ordering::Release);
                }
                stays
            });
            shard.store(Arc::new(entries));
        }
    }

    fn put(&self, entries: &mut Shard, key: u128, entry: Entry) {
        if let Some(held) = entries.get_mut(&key) {
            held.not_before = held.not_before.max(entry.not_before);
        } else {
            entries.insert(key, entry);
            self.counts[entry.kind as usize].fetch_add(1, Ordering::Release);
        }
    }

    fn entry(&self, revocation: &Revocation) -> (u128, Entry) {
        let (kind, name) = match &revocation.target {
            Target::Token(name) => (Kind::Token, name.as_str()),
            Target::Subject(name) => (Kind::Subject, name.as_str()),
            Target::Session(name) => (Kind::Session, name.as_str()),
            Target::Key(name) => (Kind::Key, name.as_str()),
            Target::Instance => (Kind::Instance, ""),
        };
        let not_before = unix_seconds_up(revocation.not_before);
        (self.key(kind, &revocation.issuer, name), Entry { kind, not_before })
    }

    fn key(&self, kind: Kind, issuer: &str, name: &str) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|state| state.hash_one((kind, issuer, name)));
        u128::from(high) << 64 | u128::from(low)
    }

    fn shard(&self, key: u128) -> &ArcSwap<Shard> {
        &self.shards[shard_index(key)]
    }
}

fn shard_index(key: u128) -> usize {
    (key % SHARDS as u128) as usize
}

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subjects<'s> {
    pub(crate) issuer: &'s str,
    pub(crate) subject: &'s str,
    pub(crate) token_id: Option<&'s str>,
    pub(crate) session_id: Option<&'s str>,
    pub(crate) key_id: Option<&'s str>,
    pub(crate) thumbprint: Option<Thumbprint>,
    pub(crate) issued_at: Option<u64>,
}

/// All revocations in effect.
pub struct Revocations {
    table: Table,
    epoch: AtomicU64,
    /// Held while entries are added, so that none is lost between two writers.
    writer: Mutex<()>,
    store: Option<Box<dyn RevocationStore>>,
    endings: Endings,
}

impl Default for Revocations {
    fn default() -> Self {
        Self::in_memory(Endings::default())
    }
}

impl Revocations {
    /// Nothing is revoked, and a restart forgets what will be.
    pub fn in_memory(endings: Endings) -> Self {
        Self {
            table: Table::default(),
            epoch: AtomicU64::new(0),
            writer: Mutex::new(()),
            store: None,
            endings,
        }
    }

    /// What a store has kept; new ones are written to it.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn stored(
        store: impl RevocationStore,
        endings: Endings,
        now: SystemTime,
    ) -> Result<Self, RevocationError> {
        let kept = store.load().map_err(RevocationError::Load)?;
        let revocations = Self { store: Some(Box::new(store)), ..Self::in_memory(endings) };
        let is_living =
            |kept: &&Revocation| kept.expires_at().is_none_or(|expires_at| expires_at > now);
        // However many there are: what someone has ended stays ended.
        revocations.table.extend(kept.iter().filter(is_living));
        Ok(revocations)
    }

    /// Ends what a revocation names, at once, and tells everyone who listens.
    ///
    /// Naming the same thing again moves its moment forward, never back.
    ///
    /// # Errors
    /// [`RevocationError::Full`]: nothing was done. [`RevocationError::Store`]: it is in effect
    /// until a restart.
    pub fn apply(
        &self,
        mut revocation: Revocation,
        now: SystemTime,
    ) -> Result<(), RevocationError> {
        if let Target::Token(_) | Target::Key(_) = revocation.target {
            // Only says from when on the entry is old; it must not be forgotten early.
            revocation.not_before = revocation.not_before.max(now);
        }
        self.insert(&revocation, now)?;
        self.epoch.fetch_add(1, Ordering::Release);
        let stored = self.store.as_ref().map_or(Ok(()), |store| store.save(&revocation));
        self.endings.announce(Ended::Revoked(revocation));
        stored.map_err(RevocationError::Store)
    }

    /// How many entries are in effect, whole-issuer ones apart.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nothing is named by itself.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the news of an entry is put up.
    pub fn endings(&self) -> &Endings {
        &self.endings
    }

    /// Grows with each entry; what was asked at one epoch holds for as long as it stays.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(crate) fn covers(&self, asked: &Subjects<'_>) -> bool {
        let find = |kind, name: &str| self.table.get(kind, asked.issuer, name);
        let is_named =
            |kind, name: Option<&str>| name.is_some_and(|name| find(kind, name).is_some());
        let is_before = |kind, name: Option<&str>| {
            name.and_then(|name| find(kind, name)).is_some_and(|not_before| {
                asked.issued_at.is_none_or(|issued_at| issued_at < not_before)
            })
        };
        is_before(Kind::Instance, Some(""))
            || is_before(Kind::Subject, Some(asked.subject))
            || is_before(Kind::Session, asked.session_id)
            || is_named(Kind::Token, asked.token_id)
            || is_named(Kind::Key, asked.key_id)
            || self.is_thumbprint_revoked(asked)
    }

    /// Asked last, for the text of a thumbprint has to be made.
    fn is_thumbprint_revoked(&self, asked: &Subjects<'_>) -> bool {
        self.table.counts[Kind::Key as usize].load(Ordering::Acquire) > 0
            && asked.thumbprint.is_some_and(|thumbprint| {
                self.table.get(Kind::Key, asked.issuer, &thumbprint.to_string()).is_some()
            })
    }

    fn insert(&self, revocation: &Revocation, now: SystemTime) -> Result<(), RevocationError> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if self.len() >= MAX_REVOCATIONS && revocation.target != Target::Instance {
            self.table.forget(unix_seconds(now).saturating_sub(LONGEST_TOKEN.as_secs()));
            if self.len() >= MAX_REVOCATIONS {
                return Err(RevocationError::Full);
            }
        }
        self.table.insert(revocation);
        Ok(())
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("entries", &self.len())
            .field("stored", &self.store.is_some())
            .finish_non_exhaustive()
    }
}

pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// Rounded up, so that a token of the same second is from before.
fn unix_seconds_up(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_secs() + u64::from(since.subsec_nanos() > 0)
}

pub(crate) fn from_unix(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
