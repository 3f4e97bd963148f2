//! Where the keys of an issuer come from, and what is asked of them.

use std::sync::Arc;

use crate::hmac::LegacySecrets;
use crate::jwks::{KeySet, KeyStore, NoKeys, Now, Slot};
use crate::jws::{self, Compact, Header, JwsFault};
use crate::principal::SigningKey;

/// Where the keys of an issuer come from.
#[derive(Debug)]
pub(crate) enum PolicyKeys {
    /// A fixed set: tests, and machines that cannot reach the issuer.
    Static(Arc<KeySet>),
    /// A set that is fetched.
    Remote(Arc<KeyStore>),
    /// The shared secrets of the legacy issuer.
    Legacy(Arc<LegacySecrets>),
}

/// Why a signature was not verified.
#[derive(Debug)]
pub(crate) enum KeyRefusal {
    Token(JwsFault),
    NoKeys(NoKeys),
}

impl From<JwsFault> for KeyRefusal {
    fn from(fault: JwsFault) -> Self {
        Self::Token(fault)
    }
}

impl PolicyKeys {
    /// The generation of the keys, if there are any to verify with.
    pub(crate) fn generation(&self, now: &Now) -> Result<u64, KeyRefusal> {
        match self {
            Self::Remote(store) => {
                store.current(now).map(|set| set.generation).map_err(KeyRefusal::NoKeys)
            }
            Self::Legacy(secrets) if secrets.is_past_sunset(now.wall) => {
                Err(JwsFault::Algorithm.into())
            }
            Self::Static(_) | Self::Legacy(_) => Ok(0),
        }
    }

    /// Which key signed a token, and the generation of the set it belongs to.
    pub(crate) fn verify(
        &self,
        compact: &Compact<'_>,
        header: &Header<'_>,
        now: &Now,
    ) -> Result<(SigningKey, u64), KeyRefusal> {
        match self {
            Self::Static(keys) => Ok((verify_by_kid(keys, compact, header)?, 0)),
            Self::Remote(store) => {
                let set = store.current(now).map_err(KeyRefusal::NoKeys)?;
                let keys = set.keys().ok_or(KeyRefusal::NoKeys(NoKeys::NeverFetched))?;
                Ok((verify_by_kid(keys, compact, header)?, set.generation))
            }
            Self::Legacy(secrets) => {
                let generation = self.generation(now)?;
                let key = secrets.verify(compact.signing_input(), &compact.signature);
                Ok((key.ok_or(JwsFault::Signature)?, generation))
            }
        }
    }

    /// Whether a key is still one of the issuer's.
    pub(crate) fn has(&self, key: SigningKey, now: &Now) -> Result<bool, KeyRefusal> {
        match (self, key) {
            (Self::Static(keys), SigningKey::Public(thumbprint)) => Ok(keys.has(thumbprint)),
            (Self::Remote(store), SigningKey::Public(thumbprint)) => {
                let set = store.current(now).map_err(KeyRefusal::NoKeys)?;
                Ok(set.keys().is_some_and(|keys| keys.has(thumbprint)))
            }
            (Self::Legacy(_), SigningKey::CurrentSecret | SigningKey::PreviousSecret) => {
                Ok(self.generation(now).is_ok())
            }
            _ => Ok(false),
        }
    }

    /// The store that may yet learn of a key.
    pub(crate) fn store(&self) -> Option<&Arc<KeyStore>> {
        match self {
            Self::Remote(store) => Some(store),
            Self::Static(_) | Self::Legacy(_) => None,
        }
    }
}

fn verify_by_kid(
    keys: &KeySet,
    compact: &Compact<'_>,
    header: &Header<'_>,
) -> Result<SigningKey, JwsFault> {
    let kid = header.kid.as_deref().ok_or(JwsFault::KeyId)?;
    match keys.find(kid) {
        None => Err(JwsFault::UnknownKey),
        Some(Slot::Ambiguous) => Err(JwsFault::AmbiguousKey),
        Some(Slot::Key(key)) => {
            jws::check(compact, header, key)?;
            Ok(SigningKey::Public(key.thumbprint()))
        }
    }
}
