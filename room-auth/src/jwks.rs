//! Public keys of an issuer: a JSON Web Key Set (RFC 7517), screened entry by entry.
//!
//! A set is read strictly and each key is checked once, when it arrives, so that verifying a token
//! is a look-up and one signature check. An entry that is of no use is left out on its own and
//! named in [`ParsedKeySet::left_out`]; a document without any usable key is an error and never
//! replaces a set that works.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use crate::jws::MAX_KID_BYTES;
use crate::jwt::json::{self, Value};

mod disk;
mod fetch;
mod health;
#[cfg(feature = "jwks-http")]
mod http;
mod key;
mod missing;
mod schedule;
mod snapshot;
mod store;

pub use disk::DiskCopy;
pub use fetch::{Fetch, FetchFault, FetchRequest, Fetched};
pub use health::{KeyHealth, KeyState};
#[cfg(feature = "jwks-http")]
pub use http::{HttpFetch, HttpFetchError, HttpFetchOptions, Looked};
pub use key::{Key, KeyFault, Thumbprint};
pub use schedule::{DEFAULT_TTL, TTL_RANGE};
pub(crate) use snapshot::{NoKeys, Now};
pub use store::{DEFAULT_STALE_BOUND, KeyStore, KeyStoreOptions, MAX_STALE_BOUND};

/// The largest key set document that is read, in bytes. Large providers publish under 20 KiB.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// The most entries a key set may have.
pub const MAX_KEYS: usize = 64;

/// Why a document is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetFault {
    /// Longer than [`MAX_DOCUMENT_BYTES`].
    #[error("key set is larger than {MAX_DOCUMENT_BYTES} bytes")]
    Oversized,
    /// Not one strict JSON object.
    #[error("key set is not a strict JSON object")]
    NotJson,
    /// Without a `keys` array.
    #[error("key set has no keys array")]
    NoKeysArray,
    /// More than [`MAX_KEYS`] entries.
    #[error("key set has more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// No entry can be used to verify a token.
    #[error("key set has no usable key")]
    NoUsableKey(Vec<LeftOut>),
}

/// An entry of a key set that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its position in the `keys` array, from 0.
    pub index: usize,
    /// Its `kid`, if it has a well-formed one.
    pub kid: Option<String>,
    /// Why it is not used.
    pub fault: KeyFault,
}

/// What a `kid` stands for in a set.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    Key(Arc<Key>),
    /// Several entries share the id; choosing one would be a guess.
    Ambiguous,
}

/// The usable keys of one issuer, by key id.
#[derive(Clone, Default)]
pub struct KeySet {
    by_kid: HashMap<Box<str>, Slot>,
}

/// A key set and what was left out of it.
#[derive(Debug, Clone)]
pub struct ParsedKeySet {
    /// The keys that can verify tokens; at least one.
    pub keys: KeySet,
    /// The entries that cannot, each with its reason. [`KeyFault::is_alarming`] tells which of them
    /// someone should hear about.
    pub left_out: Vec<LeftOut>,
}

impl KeySet {
    /// Reads a key set document.
    ///
    /// # Errors
    /// The document as a whole is no key set, or holds no usable key.
    pub fn parse(document: &[u8]) -> Result<ParsedKeySet, KeySetFault> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(KeySetFault::Oversized);
        }
        let object = json::parse_object(document).map_err(|_| KeySetFault::NotJson)?;
        let entries =
            object.get("keys").and_then(Value::as_array).ok_or(KeySetFault::NoKeysArray)?;
        if entries.len() > MAX_KEYS {
            return Err(KeySetFault::TooManyKeys);
        }
        let mut keys = Self::default();
        let mut left_out = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let read = Key::from_value(entry).and_then(|key| keys.insert(key));
            if let Err(fault) = read {
                left_out.push(LeftOut { index, kid: key_id(entry), fault });
            }
        }
        if keys.is_empty() {
            return Err(KeySetFault::NoUsableKey(left_out));
        }
        Ok(ParsedKeySet { keys, left_out })
    }

    /// Adds a key that has an id. A second key under a used id, were it the same one, makes that
    /// id ambiguous.
    ///
    /// # Errors
    /// The key has no id, or shares it with an earlier one.
    pub fn insert(&mut self, key: Key) -> Result<(), KeyFault> {
        let kid: Box<str> = key.kid().ok_or(KeyFault::NoKeyId)?.into();
        match self.by_kid.entry(kid) {
            Entry::Vacant(free) => {
                free.insert(Slot::Key(Arc::new(key)));
                Ok(())
            }
            Entry::Occupied(mut taken) => {
                taken.insert(Slot::Ambiguous);
                Err(KeyFault::DuplicateKeyId)
            }
        }
    }

    /// Whether no key can be used.
    pub fn is_empty(&self) -> bool {
        self.keys().next().is_none()
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.keys().count()
    }

    /// The keys that can be used, in no particular order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.by_kid.values().filter_map(|slot| match slot {
            Slot::Key(key) => Some(key.as_ref()),
            Slot::Ambiguous => None,
        })
    }

    /// Whether the set has a key of this thumbprint, under whatever id.
    pub fn has(&self, thumbprint: Thumbprint) -> bool {
        self.keys().any(|key| key.thumbprint() == thumbprint)
    }

    /// Whether both have the same keys under the same ids.
    pub(crate) fn has_same_keys(&self, other: &Self) -> bool {
        let is_in_other = |key: &Key| {
            let found = key.kid().and_then(|kid| other.find(kid));
            matches!(found, Some(Slot::Key(found)) if found.thumbprint() == key.thumbprint())
        };
        self.len() == other.len() && self.keys().all(is_in_other)
    }

    /// The thumbprints of keys that `other` no longer has.
    pub(crate) fn keys_missing_in(&self, other: &Self) -> Vec<Thumbprint> {
        self.keys().map(Key::thumbprint).filter(|&thumbprint| !other.has(thumbprint)).collect()
    }

    /// What a key id stands for, compared byte for byte.
    pub(crate) fn find(&self, kid: &str) -> Option<&Slot> {
        self.by_kid.get(kid)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_kid.keys()).finish()
    }
}

/// A well-formed `kid` of an entry, for the log.
fn key_id(entry: &Value<'_>) -> Option<String> {
    let kid = entry.as_object()?.get("kid")?.as_str()?;
    (!kid.is_empty() && kid.len() <= MAX_KID_BYTES).then(|| kid.to_owned())
}

#[cfg(test)]
mod tests;
