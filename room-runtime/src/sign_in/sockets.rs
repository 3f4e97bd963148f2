//! How many sockets a person has open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use room_auth::Identity;

use super::lock;

/// How many sockets a person may have open.
const SOCKETS_EACH: usize = 16;

/// The open sockets of everyone.
#[derive(Clone, Debug, Default)]
pub struct Sockets(Arc<Mutex<HashMap<Identity, usize>>>);

impl Sockets {
    /// A place for one more socket of a person, given back when dropped. `None` if all are taken.
    pub fn place(&self, identity: &Identity, limited: bool) -> Option<SocketPlace> {
        let mut sockets = lock(&self.0);
        let open = sockets.entry(identity.clone()).or_default();
        if *open >= SOCKETS_EACH && limited {
            return None;
        }
        *open += 1;
        Some(SocketPlace { identity: identity.clone(), sockets: self.clone() })
    }

    /// How many are open.
    #[cfg(test)]
    pub(crate) fn open(&self) -> usize {
        lock(&self.0).values().sum()
    }
}

/// One open socket of a person.
#[derive(Debug)]
pub struct SocketPlace {
    identity: Identity,
    sockets: Sockets,
}

impl Drop for SocketPlace {
    fn drop(&mut self) {
        let mut sockets = lock(&self.sockets.0);
        if let Some(open) = sockets.get_mut(&self.identity) {
            *open -= 1;
            if *open == 0 {
                sockets.remove(&self.identity);
            }
        }
    }
}
