//! News that credentials have ended, for whoever keeps something open on them: sockets, streams,
//! sessions.
//!
//! News is a hint to look again, not the truth itself: a listener asks
//! [`Verifier::recheck`](crate::Verifier::recheck) about each caller it serves. So a listener that
//! was too slow and lost some loses nothing but time: it is told [`Ended::Everything`].

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::jwks::Thumbprint;
use crate::revocation::Revocation;

/// How much news a slow listener may be behind before it is told to look at everything.
const BACKLOG: usize = 64;

/// What has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// What a revocation names.
    Revoked(Revocation),
    /// What was signed with keys that their issuer no longer publishes.
    KeysWithdrawn {
        /// The key endpoint they came from.
        source: Arc<str>,
        /// The keys.
        keys: Vec<Thumbprint>,
    },
    /// Anything may have: news was lost.
    Everything,
}

/// The board that news is put on. Clones are the same board.
#[derive(Debug, Clone)]
pub struct Endings(broadcast::Sender<Ended>);

impl Default for Endings {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Endings {
    /// Hears all news from now on.
    pub fn subscribe(&self) -> EndingsReader {
        EndingsReader(self.0.subscribe())
    }

    /// Puts up news; nobody has to listen.
    pub fn announce(&self, ended: Ended) {
        let _listeners = self.0.send(ended);
    }
}

/// One listener.
#[derive(Debug)]
pub struct EndingsReader(broadcast::Receiver<Ended>);

impl EndingsReader {
    /// Waits for the next news; `None` when the board is gone. Can be dropped while it waits.
    pub async fn next(&mut self) -> Option<Ended> {
        match self.0.recv().await {
            Ok(ended) => Some(ended),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Ended::Everything),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next news if there is some now.
    pub fn try_next(&mut self) -> Option<Ended> {
        match self.0.try_recv() {
            Ok(ended) => Some(ended),
            Err(broadcast::error::TryRecvError::Lagged(_)) => Some(Ended::Everything),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withdrawn(byte: u8) -> Ended {
        let keys = vec![Thumbprint::from_bytes([byte; 32])];
        Ended::KeysWithdrawn { source: "s".into(), keys }
    }

    #[test]
    fn every_listener_hears_all_in_order() {
        let board = Endings::default();
        board.announce(withdrawn(0));
        let (mut one, mut two) = (board.subscribe(), board.clone().subscribe());
        board.announce(withdrawn(1));
        board.announce(withdrawn(2));
        for listener in [&mut one, &mut two] {
            assert_eq!(listener.try_next(), Some(withdrawn(1)));
            assert_eq!(listener.try_next(), Some(withdrawn(2)));
            assert_eq!(listener.try_next(), None);
        }
    }

    #[test]
    fn who_is_too_slow_is_told_to_look_at_everything() {
        let board = Endings::default();
        let mut slow = board.subscribe();
        for _ in 0..=BACKLOG {
            board.announce(withdrawn(1));
        }
        assert_eq!(slow.try_next(), Some(Ended::Everything));
        assert_eq!(slow.try_next(), Some(withdrawn(1)));
    }
}
