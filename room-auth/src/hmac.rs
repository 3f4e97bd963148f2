//! The legacy issuer: tokens signed with a secret that the server shares (HS256).
//!
//! Whoever can verify such a token can also make one, so it is off unless configured, never beside
//! a key set without a word, and each use is counted, so that someone notices when the last
//! user is gone.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretString};

use crate::principal::SigningKey;

/// The shortest secret, in bytes: as long as the hash (RFC 7518, section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// The secret is shorter than [`MIN_SECRET_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a legacy secret needs at least {MIN_SECRET_BYTES} bytes")]
pub struct SecretTooShort;

/// One secret, or two while it is being rolled.
pub struct LegacySecrets {
    current: hmac::Key,
    previous: Option<hmac::Key>,
    sunset: Option<SystemTime>,
    current_uses: AtomicU64,
    previous_uses: AtomicU64,
}

/// How often each secret has let someone in since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LegacyUses {
    /// By the secret in use.
    pub current: u64,
    /// By the one being replaced; when it stays, the roll is done.
    pub previous: u64,
}

impl LegacySecrets {
    /// The secret in use.
    ///
    /// # Errors
    /// It is too short.
    pub fn new(secret: &SecretString) -> Result<Self, SecretTooShort> {
        Ok(Self {
            current: key(secret)?,
            previous: None,
            sunset: None,
            current_uses: AtomicU64::new(0),
            previous_uses: AtomicU64::new(0),
        })
    }

    /// Also takes tokens made with the secret before this one.
    ///
    /// # Errors
    /// It is too short.
    pub fn with_previous(mut self, secret: &SecretString) -> Result<Self, SecretTooShort> {
        self.previous = Some(key(secret)?);
        Ok(self)
    }

    /// Refuses every token from this moment on.
    #[must_use]
    pub fn with_sunset(mut self, sunset: SystemTime) -> Self {
        self.sunset = Some(sunset);
        self
    }

    /// How often each secret was used.
    pub fn uses(&self) -> LegacyUses {
        LegacyUses {
            current: self.current_uses.load(Ordering::Relaxed),
            previous: self.previous_uses.load(Ordering::Relaxed),
        }
    }

    /// Whether the legacy issuer is over.
    pub(crate) fn is_past_sunset(&self, now: SystemTime) -> bool {
        self.sunset.is_some_and(|sunset| now >= sunset)
    }

    /// Which secret made this signature, compared in constant time.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Option<SigningKey> {
        if hmac::verify(&self.current, message, signature).is_ok() {
            return Some(SigningKey::CurrentSecret);
        }
        let previous = self.previous.as_ref()?;
        hmac::verify(previous, message, signature).ok().map(|()| SigningKey::PreviousSecret)
    }

    /// Counts a token that was accepted.
    pub(crate) fn count(&self, key: SigningKey) {
        match key {
            SigningKey::CurrentSecret => self.current_uses.fetch_add(1, Ordering::Relaxed),
            SigningKey::PreviousSecret => self.previous_uses.fetch_add(1, Ordering::Relaxed),
            SigningKey::Public(_) => return,
        };
    }
}

impl fmt::Debug for LegacySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LegacySecrets")
            .field("previous", &self.previous.is_some())
            .field("sunset", &self.sunset)
            .field("uses", &self.uses())
            .finish_non_exhaustive()
    }
}

fn key(secret: &SecretString) -> Result<hmac::Key, SecretTooShort> {
    let bytes = secret.expose_secret().as_bytes();
    if bytes.len() < MIN_SECRET_BYTES {
        return Err(SecretTooShort);
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, bytes))
}
