//! Keys given instead of a sign-in: what is known of one, and who keeps it.

#[cfg(feature = "http")]
pub(crate) mod check;

use std::fmt;
use std::pin::Pin;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

/// How much of a key a person sees again.
const SHOWN_CHARS: usize = 4;

/// A key that this crate hands to the processes it starts.
#[derive(Clone)]
pub struct HeldKey {
    /// Which of the provider's kinds it is.
    pub kind: String,
    /// The key.
    pub secret: SecretString,
    /// When it was given.
    pub stored_at: Timestamp,
}

impl fmt::Debug for HeldKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// On the disk, sealed.
    Sealed,
    /// In memory only: gone with the server.
    Memory,
    /// In the program's own credential file.
    Program,
}

/// Who gave a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A person.
    Person,
    /// The settings of the server: it comes back at each start.
    Settings,
}

/// What may be said of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyStatus {
    /// Which of the provider's kinds it is.
    pub kind: String,
    /// Its last four characters.
    pub last4: String,
    /// When it was given, as far as it is known.
    pub stored_at: Option<Timestamp>,
    /// Where it is.
    pub storage: Storage,
    /// Who gave it.
    pub source: Source,
    /// When the vendor was last asked about it.
    pub checked_at: Option<Timestamp>,
    /// What the vendor said; nothing if it gave no answer.
    pub valid: Option<bool>,
}

/// What the vendor said of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChecked {
    /// Whether it accepts the key; nothing if it gave no answer.
    pub valid: Option<bool>,
    /// The same for a person.
    pub detail: String,
}

/// Something that ends later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps keys over a restart. [`InMemory`] does not.
pub trait KeyKeeper: fmt::Debug + Send + Sync + 'static {
    /// Keeps a provider's key in the place of an earlier one; it is there when this ends well.
    ///
    /// The error is a fragment for a person.
    fn keep<'a>(
        &'a self,
        provider: &'a str,
        key: &'a HeldKey,
    ) -> Later<'a, Result<Storage, String>>;

    /// Forgets it. Nothing to forget is fine.
    ///
    /// The error is a fragment for a person.
    fn forget<'a>(&'a self, provider: &'a str) -> Later<'a, Result<(), String>>;
}

/// Keeps nothing: a key is gone with the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct InMemory;

impl KeyKeeper for InMemory {
    fn keep<'a>(&'a self, _: &'a str, _: &'a HeldKey) -> Later<'a, Result<Storage, String>> {
        Box::pin(std::future::ready(Ok(Storage::Memory)))
    }

    fn forget<'a>(&'a self, _: &'a str) -> Later<'a, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A key as a person pasted it, without the blanks and invisible characters that came along.
pub(crate) fn clean(text: &SecretString) -> SecretString {
    let seen = |character: &char| {
        !character.is_whitespace()
            && !character.is_control()
            && !crate::screen::misleads(*character)
    };
    text.expose_secret().chars().filter(seen).collect::<String>().into()
}

/// The end of a key that is long enough to have one.
pub(crate) fn last4(key: &str) -> String {
    let count = key.chars().count();
    // Of a short one, four characters would be too much.
    let shown = if count >= 4 * SHOWN_CHARS { SHOWN_CHARS } else { 0 };
    key.chars().skip(count - shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let secret = SecretString::from("sk-ant-api03-verysecretverysecret");
        let held = HeldKey { kind: "api_key".into(), secret, stored_at: Timestamp::UNIX_EPOCH };
        assert_eq!(format!("{held:?}"), "HeldKey { kind: \"api_key\", .. }");
        assert_eq!(last4("sk-ant-api03-verysecret1234"), "1234");
        assert_eq!(last4("sk-short"), "");
        assert_eq!(last4(""), "");
    }

    #[test]
    fn what_came_along_with_a_pasted_key_is_dropped() {
        let pasted = SecretString::from(" sk-a\u{200b}bc\r\n def\t");
        assert_eq!(clean(&pasted).expose_secret(), "sk-abcdef");
    }
}
