//! The sign-ins of this run of the server: bearer to caller, without asking the disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::identity::{Caller, Standing};
use crate::token::TokenHash;

/// One sign-in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who came in, and as what; shared, for every request of theirs holds it.
    pub caller: Arc<Caller>,
    /// When, by the timer clock.
    pub ends: Option<Instant>,
    /// When it was used last, for the list of devices.
    pub last_used: SystemTime,
}

/// The sign-ins of this run.
///
/// Bounded: past `capacity` the one not used for longest goes, which signs that device out.
#[derive(Debug)]
pub struct Sessions {
    capacity: usize,
    by_hash: HashMap<TokenHash, Session>,
}

impl Sessions {
    /// Room for `capacity` sign-ins.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), by_hash: HashMap::new() }
    }

    /// Lets a bearer in. Returns the sign-in that had to go, if there was no room.
    pub fn insert(&mut self, hash: TokenHash, session: Session) -> Option<Session> {
        self.by_hash.insert(hash, session);
        if self.by_hash.len() <= self.capacity {
            return None;
        }
        // What ends with the server (a program's token) stays: nobody could get it again.
        let candidates = self.by_hash.iter().filter(|(_, session)| session.ends.is_some());
        let oldest = candidates.min_by_key(|(_, session)| session.last_used).map(|(hash, _)| *hash);
        oldest.and_then(|hash| self.by_hash.remove(&hash))
    }

    /// The caller a bearer stands for.
    ///
    /// # Errors
    /// Unknown and expired are told apart, for a client must know when to sign in again.
    pub fn find(
        &mut self,
        bearer: &str,
        now: SystemTime,
        timer: Instant,
    ) -> Result<Found<'_>, Unproven> {
        let hash = TokenHash::of(bearer);
        let session = self.by_hash.get_mut(&hash).ok_or(Unproven::Unknown)?;
        // Either clock may end it: one of them stands still while a laptop sleeps, the other can be set.
        let late = session.ends.is_some_and(|ends| timer >= ends)
            || session.caller.expires_at.is_some_and(|at| now >= at);
        if late {
            return Err(Unproven::Expired);
        }
        let last_used = std::mem::replace(&mut session.last_used, now);
        Ok(Found { caller: &session.caller, last_used })
    }

    /// Ends a sign-in by its id. Whether there was one.
    pub fn end(&mut self, id: &str) -> bool {
        let before = self.by_hash.len();
        self.by_hash.retain(|_, session| session.caller.session != id);
        self.by_hash.len() < before
    }

    /// How many people and programs are signed in.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// What a caller of this sign-in may do now, or `None` when it is gone.
    pub fn standing(&self, id: &str) -> Option<Standing> {
        let found = self.by_hash.values().find(|session| session.caller.session == id);
        found.map(|session| session.caller.standing)
    }
}

/// A bearer that was good.
#[derive(Debug)]
pub struct Found<'a> {
    /// Who it is.
    pub caller: &'a Arc<Caller>,
    /// When it was used before this.
    pub last_used: SystemTime,
}

/// Why a bearer proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// Never issued in this run of the server, or ended.
    #[error("unknown bearer")]
    Unknown,
    /// Its time is over.
    #[error("expired bearer")]
    Expired,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identity::{Identity, Role};
    use crate::token::Token;

    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn session(id: &str, now: SystemTime, timer: Instant) -> Session {
        let caller = Caller {
            identity: Identity::local_owner(),
            standing: Standing::Person(Role::Owner),
            session: id.into(),
            device: "browser".into(),
            expires_at: Some(now + WEEK),
            profile: None,
            token: None,
        };
        Session { caller: Arc::new(caller), ends: Some(timer + WEEK), last_used: now }
    }

    #[test]
    fn a_bearer_is_good_until_it_ends_on_either_clock() {
        let (now, timer) = (SystemTime::now(), Instant::now());
        let mut sessions = Sessions::new(8);
        let token = Token::random();
        sessions.insert(token.hash(), session("a", now, timer));
        assert!(sessions.find(token.expose(), now, timer).is_ok());
        let late = sessions.find(token.expose(), now + WEEK, timer).map(|_| ());
        assert_eq!(late, Err(Unproven::Expired), "the laptop slept");
        let late = sessions.find(token.expose(), now, timer + WEEK).map(|_| ());
        assert_eq!(late, Err(Unproven::Expired), "the clock was set back");
        assert!(sessions.end("a") && !sessions.end("a"));
        assert_eq!(sessions.find(token.expose(), now, timer).map(|_| ()), Err(Unproven::Unknown));
    }

    #[test]
    fn the_least_used_goes_when_full_but_never_what_ends_with_the_server() {
        let (now, timer) = (SystemTime::now(), Instant::now());
        let mut sessions = Sessions::new(2);
        let mut program = session("program", now - WEEK, timer);
        program.ends = None;
        Arc::make_mut(&mut program.caller).expires_at = None;
        sessions.insert(TokenHash::of("program"), program);
        sessions.insert(TokenHash::of("old"), session("old", now - Duration::from_secs(9), timer));
        let gone = sessions.insert(TokenHash::of("new"), session("new", now, timer));
        assert_eq!(gone.map(|session| session.caller.session.clone()), Some("old".into()));
        assert_eq!(sessions.len(), 2);
        assert!(sessions.find("program", now, timer).is_ok());
    }
}
