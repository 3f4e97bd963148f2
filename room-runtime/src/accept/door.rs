//! How many connections there may be, of all and of one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use room_auth::client_address::ClientAddress;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::network;
use crate::metrics::Gauge;
use crate::state::{App, AppState};

/// How many connections are open at once; more wait in the kernel.
pub const CONNECTIONS: usize = 12_000;

/// How many of them may be one address's: several pages in several browsers behind one router.
const OF_ONE_ADDRESS: usize = 64;

/// Counts those who are in.
pub struct Door {
    /// One permit a connection.
    pub(super) places: Arc<Semaphore>,
    app: AppState,
    crowd: Option<Arc<Crowd>>,
}

impl Door {
    /// Nobody is in yet. Addresses are counted where they are the clients' own: on a person's own
    /// machine all are the same, and before a proxy all are the proxy's.
    pub fn new(app: &AppState) -> Self {
        let counts = |app: &App| {
            let cloud = app.cloud.as_ref()?;
            let limited = app.config.auth_failures_per_minute.is_some();
            (limited && cloud.settings.client_ip == ClientAddress::Direct).then(Arc::default)
        };
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        Self { places, app: app.clone(), crowd: counts(app) }
    }

    /// A place for a connection from there; `None` if that address has too many.
    pub(super) fn admit(&self, permit: OwnedSemaphorePermit, peer: IpAddr) -> Option<Place> {
        let seat = match &self.crowd {
            None => None,
            Some(crowd) => Some(crowd.seat(peer).or_else(|| {
                self.app.metrics.crowded.one();
                None
            })?),
        };
        let open = self.app.metrics.connections.clone();
        open.up();
        Some(Place(Arc::new(Held { _permit: permit, _seat: seat, open })))
    }
}

/// One of the connections that may be open; a socket holds on to it after its request is done.
#[derive(Clone, Debug)]
pub struct Place(#[expect(dead_code, reason = "held, and given back by its drop")] Arc<Held>);

#[derive(Debug)]
struct Held {
    _permit: OwnedSemaphorePermit,
    _seat: Option<Seat>,
    open: Arc<Gauge>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.open.down();
    }
}

/// How many connections each address has; as many rows as there are connections at most.
#[derive(Debug, Default)]
struct Crowd(Mutex<HashMap<IpAddr, usize>>);

impl Crowd {
    fn seat(self: &Arc<Self>, peer: IpAddr) -> Option<Seat> {
        let address = network(peer, 32, 64);
        let mut all = self.all();
        let count = all.entry(address).or_default();
        if *count >= OF_ONE_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Seat { address, crowd: self.clone() })
    }

    fn all(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Seat {
    address: IpAddr,
    crowd: Arc<Crowd>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.crowd.all();
        if let Some(count) = all.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_no_more_than_its_share() {
        let crowd = Arc::new(Crowd::default());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let seats: Vec<_> =
            (0..OF_ONE_ADDRESS).map(|_| crowd.seat(ip("192.0.2.1")).unwrap()).collect();
        assert!(crowd.seat(ip("192.0.2.1")).is_none());
        // The same host by its mapped address is no other; a neighbour is.
        assert!(crowd.seat(ip("::ffff:192.0.2.1")).is_none());
        assert!(crowd.seat(ip("192.0.2.2")).is_some());
        drop(seats);
        assert!(crowd.seat(ip("192.0.2.1")).is_some());
        assert!(crowd.all().is_empty(), "nothing is kept of those who left");
        // A home has a /64.
        let home: Vec<_> =
            (0..OF_ONE_ADDRESS).map(|n| crowd.seat(ip(&format!("2001:db8::{n:x}")))).collect();
        assert!(home.iter().all(Option::is_some) && crowd.seat(ip("2001:db8::ffff")).is_none());
    }
}
