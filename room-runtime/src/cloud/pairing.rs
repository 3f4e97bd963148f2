//! Codes that sign one more device in: ten characters to type, or 128 bits and more in a link and
//! its QR code. Each works once, for three minutes; only hashes are kept.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use room_auth::onetime::Refused;
use room_auth::{Token, TokenHash};
use secrecy::{ExposeSecret as _, SecretString};

/// How long a code works.
pub const LIFE: Duration = Duration::from_mins(3);

/// How many codes are remembered, used and expired ones too.
const CODES: usize = 256;

/// How many unused codes one device may have out.
const CODES_EACH: usize = 4;

/// Crockford's base 32: no I, L, O or U, for they look like others or make words.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many characters a person types.
const CHARACTERS: usize = 10;

/// A code as it is shown, and the secret of the link that does the same.
pub struct PairingCode {
    /// `ABCDE-FGHJK`.
    pub typed: SecretString,
    /// For the link.
    pub link: Token,
}

/// The codes that are out. `T` is what a code stands for.
#[derive(Debug)]
pub struct Pairings<T> {
    entries: VecDeque<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    typed: TokenHash,
    link: TokenHash,
    issued: Instant,
    stands_for: Option<T>,
}

impl<T> Default for Pairings<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new() }
    }
}

impl<T> Pairings<T> {
    /// Makes a code; `None` if whoever asks has enough of them out.
    pub fn issue(
        &mut self,
        stands_for: T,
        now: Instant,
        same_owner: impl Fn(&T) -> bool,
    ) -> Option<PairingCode> {
        let out = self.entries.iter().filter(|entry| now < entry.issued + LIFE);
        let theirs = out.filter(|entry| entry.stands_for.as_ref().is_some_and(&same_owner));
        if theirs.count() >= CODES_EACH {
            return None;
        }
        while self.entries.len() >= CODES {
            self.entries.pop_front();
        }
        let code = PairingCode { typed: random_code(), link: Token::random() };
        let typed = TokenHash::of(&normal(code.typed.expose_secret()).unwrap_or_default());
        let link = code.link.hash();
        self.entries.push_back(Entry { typed, link, issued: now, stands_for: Some(stands_for) });
        Some(code)
    }

    /// Takes a code in either form; it never works again.
    ///
    /// # Errors
    /// Says whether it was unknown, used or too old.
    pub fn redeem(&mut self, text: &str, now: Instant) -> Result<T, Refused> {
        let typed = normal(text).map(|code| TokenHash::of(&code));
        let link = TokenHash::of(text.trim());
        // Every entry is compared: how long a refusal takes says nothing.
        let mut found = None;
        for (index, entry) in self.entries.iter().enumerate() {
            let is_typed = typed.as_ref().is_some_and(|hash| *hash == entry.typed);
            let is_link = link == entry.link;
            if is_typed || is_link {
                found = Some(index);
            }
        }
        let entry = found.and_then(|index| self.entries.get_mut(index)).ok_or(Refused::Unknown)?;
        let expired = now.saturating_duration_since(entry.issued) >= LIFE;
        match entry.stands_for.take_if(|_| !expired) {
            Some(stands_for) => Ok(stands_for),
            None if entry.stands_for.is_some() => Err(Refused::Expired),
            None => Err(Refused::Used),
        }
    }
}

/// 50 random bits, in two groups of five.
fn random_code() -> SecretString {
    let token = Token::random();
    let hash = token.hash();
    let characters: String = hash
        .as_bytes()
        .iter()
        .take(CHARACTERS)
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect();
    let (one, two) = characters.split_at(CHARACTERS / 2);
    SecretString::from(format!("{one}-{two}"))
}

/// What a person meant: case, hyphens and spaces do not matter, and letters that look like a digit
/// are that digit.
fn normal(text: &str) -> Option<String> {
    if text.len() > 64 {
        return None;
    }
    let plain = text.chars().filter(|c| !matches!(c, '-' | ' ' | '\u{a0}' | '\u{2013}'));
    let code: Option<String> = plain
        .map(|c| match c.to_ascii_uppercase() {
            'O' => Some('0'),
            'I' | 'L' => Some('1'),
            upper if ALPHABET.iter().any(|known| char::from(*known) == upper) => Some(upper),
            _ => None,
        })
        .collect();
    code.filter(|code| code.len() == CHARACTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_form_works_once() {
        let now = Instant::now();
        let mut codes = Pairings::default();
        let one = codes.issue('a', now, |_| true).unwrap();
        assert_eq!(codes.redeem(one.typed.expose_secret(), now), Ok('a'));
        assert_eq!(
            codes.redeem(one.link.expose(), now),
            Err(Refused::Used),
            "the link is spent too"
        );
        let two = codes.issue('b', now, |_| true).unwrap();
        assert_eq!(codes.redeem(two.link.expose(), now), Ok('b'));
        assert_eq!(codes.redeem(two.typed.expose_secret(), now), Err(Refused::Used));
    }

    #[test]
    fn a_code_is_taken_as_people_type_it() {
        let now = Instant::now();
        for (typed, meant) in [
            ("abcde-fghjk", Some("ABCDEFGHJK")),
            ("ABCDE FGHJK", Some("ABCDEFGHJK")),
            ("oil0O-12345", Some("0110012345")),
            ("ABCDE\u{2013}FGHJK", Some("ABCDEFGHJK")),
            ("ABCDEFGHJ", None),
            ("ABCDEFGHJKM", None),
            ("UBCDEFGHJK", None),
            ("", None),
        ] {
            assert_eq!(normal(typed).as_deref(), meant, "{typed:?}");
        }
        let mut codes = Pairings::default();
        let code = codes.issue((), now, |()| true).unwrap();
        let sloppy = code.typed.expose_secret().to_lowercase().replace('-', " ");
        assert_eq!(codes.redeem(&sloppy, now), Ok(()));
    }

    #[test]
    fn a_code_works_for_its_life_and_not_a_moment_longer() {
        let now = Instant::now();
        let mut codes = Pairings::default();
        let (one, two) = (codes.issue((), now, |()| true), codes.issue((), now, |()| true));
        let (one, two) = (one.unwrap(), two.unwrap());
        let almost = now + LIFE.mul_f64(0.999);
        assert_eq!(codes.redeem(one.link.expose(), almost), Ok(()));
        assert_eq!(codes.redeem(two.link.expose(), now + LIFE), Err(Refused::Expired));
    }

    #[test]
    fn nobody_has_many_codes_out() {
        let now = Instant::now();
        let mut codes = Pairings::default();
        for _ in 0..CODES_EACH {
            assert!(codes.issue('a', now, |who| *who == 'a').is_some());
        }
        assert!(codes.issue('a', now, |who| *who == 'a').is_none());
        assert!(codes.issue('b', now, |who| *who == 'b').is_some(), "another's do not count");
        assert!(codes.issue('a', now + LIFE, |who| *who == 'a').is_some(), "old ones do not count");
    }
}
