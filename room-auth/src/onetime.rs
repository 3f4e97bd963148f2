//! Secrets that work once and only for a while: launch codes, socket tickets.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use subtle::ConstantTimeEq as _;

use crate::token::{Token, TokenHash};

/// Why a one-time secret was not taken. The words are for the page that explains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was never issued here, or so long ago that it is forgotten.
    #[error("never issued by this server")]
    Unknown,
    /// Someone has used it.
    #[error("already used")]
    Used,
    /// Its time is over.
    #[error("too old")]
    Expired,
}

/// A bounded set of one-time secrets, each with what it stands for.
///
/// Only hashes are kept. Spent and expired ones are remembered as long as there is room, so that a
/// refusal can say which it was; when the set is full the oldest goes first.
#[derive(Debug)]
pub struct OneTime<T> {
    life: Duration,
    capacity: usize,
    entries: VecDeque<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    hash: TokenHash,
    issued: Instant,
    /// `None` once it was used.
    stands_for: Option<T>,
}

impl<T> OneTime<T> {
    /// A set whose secrets live for `life`, at most `capacity` of them.
    pub fn new(life: Duration, capacity: usize) -> Self {
        Self { life, capacity: capacity.max(1), entries: VecDeque::new() }
    }

    /// How long a secret works.
    pub fn life(&self) -> Duration {
        self.life
    }

    /// Makes a secret that stands for something.
    pub fn issue(&mut self, stands_for: T, now: Instant) -> Token {
        while self.entries.len() >= self.capacity {
            self.entries.pop_front();
        }
        let token = Token::random();
        let entry = Entry { hash: token.hash(), issued: now, stands_for: Some(stands_for) };
        self.entries.push_back(entry);
        token
    }

    /// Takes a secret; it never works again.
    ///
    /// # Errors
    /// Says whether it was unknown, used or too old.
    pub fn redeem(&mut self, text: &str, now: Instant) -> Result<T, Refused> {
        let hash = TokenHash::of(text);
        // Every entry is compared, and each in constant time: how long a refusal takes says nothing.
        let mut found = None;
        for (index, entry) in self.entries.iter().enumerate() {
            if bool::from(entry.hash.as_bytes().ct_eq(hash.as_bytes())) {
                found = Some(index);
            }
        }
        let entry = found.and_then(|index| self.entries.get_mut(index)).ok_or(Refused::Unknown)?;
        let expired = now.saturating_duration_since(entry.issued) >= self.life;
        match entry.stands_for.take_if(|_| !expired) {
            Some(stands_for) => Ok(stands_for),
            None if entry.stands_for.is_some() => Err(Refused::Expired),
            None => Err(Refused::Used),
        }
    }

    /// How many secrets could still be used that stand for something of a kind.
    pub fn outstanding(&self, now: Instant, of_kind: impl Fn(&T) -> bool) -> usize {
        self.entries
            .iter()
            .filter(|entry| now.saturating_duration_since(entry.issued) < self.life)
            .filter(|entry| entry.stands_for.as_ref().is_some_and(&of_kind))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_mins(5);

    #[test]
    fn a_secret_works_once() {
        let now = Instant::now();
        let mut set = OneTime::new(LIFE, 4);
        let token = set.issue("a", now);
        assert_eq!(set.outstanding(now, |_| true), 1);
        assert_eq!(set.redeem(token.expose(), now), Ok("a"));
        assert_eq!(set.redeem(token.expose(), now), Err(Refused::Used));
        assert_eq!(set.outstanding(now, |_| true), 0);
    }

    #[test]
    fn a_secret_works_for_its_life_and_not_a_moment_longer() {
        let now = Instant::now();
        let mut set = OneTime::new(LIFE, 4);
        let (early, late) = (set.issue((), now), set.issue((), now));
        assert_eq!(set.redeem(early.expose(), now + LIFE.mul_f64(0.999)), Ok(()));
        assert_eq!(set.redeem(late.expose(), now + LIFE), Err(Refused::Expired));
        assert_eq!(set.redeem(late.expose(), now + LIFE), Err(Refused::Expired));
    }

    #[test]
    fn the_oldest_goes_first_when_full() {
        let now = Instant::now();
        let mut set = OneTime::new(LIFE, 2);
        let tokens = [set.issue(1, now), set.issue(2, now), set.issue(3, now)];
        assert_eq!(set.redeem(tokens[0].expose(), now), Err(Refused::Unknown));
        assert_eq!(set.redeem(tokens[1].expose(), now), Ok(2));
        assert_eq!(set.redeem(tokens[2].expose(), now), Ok(3));
    }

    #[test]
    fn guesses_change_nothing() {
        let now = Instant::now();
        let mut set = OneTime::new(LIFE, 2);
        let token = set.issue((), now);
        let almost = format!("{}x", &token.expose()[..42]);
        for guess in ["", "x", "\0", &almost, &format!("{} ", token.expose()), &"A".repeat(9000)] {
            assert_eq!(set.redeem(guess, now), Err(Refused::Unknown), "{guess:.50}");
        }
        assert_eq!(set.redeem(token.expose(), now), Ok(()));
    }
}
