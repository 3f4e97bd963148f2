//! Random secrets and the hashes that are kept of them.

use std::fmt;
use std::hash::{Hash, Hasher};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The length of a [`Token`] as text: 256 bits in base64url without padding (RFC 4648, section 5).
pub const TOKEN_CHARS: usize = 43;

/// 256 random bits as text; whoever has them is let in, so they are never logged or stored.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// A new one from the system's random numbers.
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("a machine without random numbers keeps no secret");
        Self(SecretString::from(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The text itself, for the one who is to have it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.expose())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The SHA-256 of a secret; compared in constant time.
///
/// The secrets are random and long, so a plain hash is enough: there is nothing to guess.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of what a caller sent.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// A hash that was kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for storage.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_different_and_hidden() {
        let (one, two) = (Token::random(), Token::random());
        assert_eq!(one.expose().len(), TOKEN_CHARS);
        assert!(one.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
        assert_ne!(one.expose(), two.expose());
        assert_ne!(one.hash(), two.hash());
        assert_eq!(one.hash(), TokenHash::of(one.expose()));
        for debug in [format!("{one:?}"), format!("{:?}", one.hash())] {
            assert!(!debug.contains(one.expose()), "{debug}");
        }
    }
}
