//! Credentials that ended before they expired.
//!
//! Entries belong to an issuer: one issuer can never end what another has granted. They live in
//! memory, where a look-up takes no lock, and what a [`RevocationStore`] keeps of them is handed
//! back at start. An entry goes when every token it could name has expired.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
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

/// Not-before moments in seconds, by what they name.
#[derive(Debug, Clone, Default)]
struct OfIssuer {
    tokens: HashMap<Box<str>, u64>,
    subjects: HashMap<Box<str>, u64>,
    sessions: HashMap<Box<str>, u64>,
    keys: HashMap<Box<str>, u64>,
    everything: u64,
}

impl OfIssuer {
    fn insert(&mut self, target: &Target, not_before: u64) {
        let (map, name) = match target {
            Target::Token(name) => (&mut self.tokens, name),
            Target::Subject(name) => (&mut self.subjects, name),
            Target::Session(name) => (&mut self.sessions, name),
            Target::Key(name) => (&mut self.keys, name),
            Target::Instance => {
                self.everything = self.everything.max(not_before);
                return;
            }
        };
        let entry = map.entry(name.as_str().into()).or_default();
        *entry = not_before.max(*entry);
    }

    fn len(&self) -> usize {
        self.tokens.len() + self.subjects.len() + self.sessions.len() + self.keys.len()
    }

    fn forget(&mut self, dead: u64) {
        self.tokens.retain(|_, not_before| *not_before > dead);
        self.subjects.retain(|_, not_before| *not_before > dead);
        self.sessions.retain(|_, not_before| *not_before > dead);
    }
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
    by_issuer: ArcSwap<HashMap<Box<str>, Arc<OfIssuer>>>,
    epoch: AtomicU64,
    /// Held while an entry is added, so that none is lost between two writers.
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
            by_issuer: ArcSwap::default(),
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
        for revocation in kept {
            if revocation.expires_at().is_none_or(|end| end > now) {
                revocations.insert(&revocation, now)?;
            }
        }
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
        self.by_issuer.load().values().map(|of_issuer| of_issuer.len()).sum()
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
        let by_issuer = self.by_issuer.load();
        let Some(of_issuer) = by_issuer.get(asked.issuer) else { return false };
        let is_before =
            |not_before: u64| asked.issued_at.is_none_or(|issued_at| issued_at < not_before);
        let named = |map: &HashMap<Box<str>, u64>, name: Option<&str>| {
            name.and_then(|name| map.get(name)).is_some_and(|&not_before| is_before(not_before))
        };
        let names_key = |id: &str| of_issuer.keys.contains_key(id);
        // Revoked keys are rare, and the text of a thumbprint is not made for nothing.
        let is_key_revoked = !of_issuer.keys.is_empty()
            && (asked.key_id.is_some_and(names_key)
                || asked.thumbprint.is_some_and(|thumbprint| names_key(&thumbprint.to_string())));
        (of_issuer.everything > 0 && is_before(of_issuer.everything))
            || asked.token_id.is_some_and(|id| of_issuer.tokens.contains_key(id))
            || named(&of_issuer.subjects, Some(asked.subject))
            || named(&of_issuer.sessions, asked.session_id)
            || is_key_revoked
    }

    fn insert(&self, revocation: &Revocation, now: SystemTime) -> Result<(), RevocationError> {
        let _writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut by_issuer = HashMap::clone(&self.by_issuer.load());
        if self.len() >= MAX_REVOCATIONS && revocation.target != Target::Instance {
            let dead = unix_seconds(now).saturating_sub(LONGEST_TOKEN.as_secs());
            for of_issuer in by_issuer.values_mut() {
                Arc::make_mut(of_issuer).forget(dead);
            }
            let left: usize = by_issuer.values().map(|of_issuer| of_issuer.len()).sum();
            if left >= MAX_REVOCATIONS {
                return Err(RevocationError::Full);
            }
        }
        let of_issuer = by_issuer.entry(revocation.issuer.as_str().into()).or_default();
        let not_before = unix_seconds_up(revocation.not_before);
        Arc::make_mut(of_issuer).insert(&revocation.target, not_before);
        self.by_issuer.store(Arc::new(by_issuer));
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
