//! What a key store says of itself, for readiness, status pages and metrics.

use std::time::{Duration, SystemTime};

use crate::jwks::{FetchFault, LeftOut};

/// How well the keys of an issuer are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// The last fetch is no older than the endpoint allows.
    Fresh,
    /// Fetches fail, the last good set is in use.
    Degraded,
    /// The last good set is past the stale bound: every token is answered 503.
    Stale,
    /// There never was a set: every token is answered 503.
    Empty,
}

impl KeyState {
    /// A stable name for status pages and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Degraded => "degraded",
            Self::Stale => "stale",
            Self::Empty => "none",
        }
    }
}

/// What is to be said about the keys of an issuer now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHealth {
    /// In one word.
    pub state: KeyState,
    /// How many keys can be used.
    pub keys: usize,
    /// Grows whenever the keys changed.
    pub generation: u64,
    /// How long ago the endpoint last confirmed the set.
    pub age: Option<Duration>,
    /// When that was, by the clock of then.
    pub fetched_at: Option<SystemTime>,
    /// Whether the set was read from disk and no fetch has succeeded since.
    pub is_from_disk: bool,
    /// How many fetches have failed in a row.
    pub failures: u32,
    /// Why the last fetch failed, if it did.
    pub last_fault: Option<FetchFault>,
    /// How long until the next scheduled fetch.
    pub next_fetch_in: Duration,
    /// The entries of the set that are not used.
    pub left_out: Vec<LeftOut>,
    /// Whether the last good set could not be written to disk.
    pub is_disk_failing: bool,
}
