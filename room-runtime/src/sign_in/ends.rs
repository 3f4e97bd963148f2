//! What hangs on a sign-in and hears when it ends or changes: sockets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use room_auth::Principal;
use tokio::sync::watch;

use super::lock;

/// How a sign-in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time or its key is over, or its owner ended it: they may sign in again.
    SignedOut,
    /// Someone ended it.
    Revoked,
}

/// What is told of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It stands; the number grows with each change of what it allows or how long it lives.
    Stands(u64),
    /// It is over.
    Ended(End),
}

/// Hears about one sign-in.
pub type Watch = watch::Receiver<News>;

/// Who listens, by sign-in. Bounded by the open sockets: an entry that nobody hears any more goes
/// with the next sweep.
#[derive(Debug, Default)]
pub struct Ends(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<String, Entry>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry {
    news: watch::Sender<News>,
    token: Option<Arc<Principal>>,
}

/// The least number of entries worth a sweep.
const SWEEP: usize = 64;

impl Ends {
    /// Hears about a sign-in from now on; `token` is what it stands on, where that can be withdrawn.
    /// Whoever calls this asks afterwards whether the sign-in still stands.
    pub fn watch(&self, id: &str, token: Option<&Arc<Principal>>) -> Watch {
        let mut table = lock(&self.0);
        if table.entries.len() >= table.sweep_at.max(SWEEP) {
            table.entries.retain(|_, entry| entry.news.receiver_count() > 0);
            table.sweep_at = table.entries.len() * 2;
        }
        let entry = table.entries.entry(id.to_owned()).or_insert_with(|| Entry {
            news: watch::Sender::new(News::Stands(0)),
            token: token.cloned(),
        });
        entry.news.subscribe()
    }

    /// Tells everyone who hangs on a sign-in that it is over.
    pub fn end(&self, id: &str, how: End) {
        if let Some(entry) = lock(&self.0).entries.remove(id) {
            entry.news.send_replace(News::Ended(how));
        }
    }

    /// Tells them to look again at what they may.
    pub fn changed(&self, id: &str) {
        if let Some(entry) = lock(&self.0).entries.get(id) {
            entry.news.send_modify(|news| {
                if let News::Stands(times) = news {
                    *times += 1;
                }
            });
        }
    }

    /// Ends those whose token does not stand any more.
    pub fn end_tokens(&self, over: impl Fn(&Principal) -> Option<End>) {
        let mut table = lock(&self.0);
        table.entries.retain(|_, entry| {
            let how = entry.token.as_ref().and_then(|token| over(token));
            if let Some(how) = how {
                entry.news.send_replace(News::Ended(how));
            }
            how.is_none()
        });
    }

    /// Ends all of them.
    pub fn end_all(&self, how: End) {
        for (_, entry) in lock(&self.0).entries.drain() {
            entry.news.send_replace(News::Ended(how));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_hang_on_it_hear_how_it_ended() {
        let ends = Ends::default();
        let (one, two, other) =
            (ends.watch("a", None), ends.watch("a", None), ends.watch("b", None));
        ends.changed("a");
        assert_eq!(*one.borrow(), News::Stands(1));
        ends.end("a", End::Revoked);
        assert_eq!(*one.borrow(), News::Ended(End::Revoked));
        assert_eq!(*two.borrow(), News::Ended(End::Revoked));
        assert_eq!(*other.borrow(), News::Stands(0));
        assert_eq!(*ends.watch("a", None).borrow(), News::Stands(0), "a new one starts anew");
    }

    #[test]
    fn what_nobody_hears_goes() {
        let ends = Ends::default();
        let kept = ends.watch("kept", None);
        for number in 0..1000 {
            drop(ends.watch(&number.to_string(), None));
        }
        assert!(lock(&ends.0).entries.len() <= SWEEP + 1);
        ends.end("kept", End::SignedOut);
        assert_eq!(*kept.borrow(), News::Ended(End::SignedOut));
    }
}
