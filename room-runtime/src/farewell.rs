//! How open sockets are told that the server stops: in groups, one after another, for the pages
//! behind them come back together as they were sent away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// How many groups there are.
const GROUPS: usize = 32;

/// How long one waits for the one before it: to tell all of them takes two seconds.
const PAUSE: Duration = Duration::from_millis(2000 / GROUPS as u64);

/// Every open socket, in groups of about the same size.
#[derive(Debug)]
pub struct Farewell {
    groups: [Group; GROUPS],
    next: AtomicUsize,
}

#[derive(Debug, Default)]
struct Group {
    told: CancellationToken,
    open: AtomicUsize,
}

impl Default for Farewell {
    fn default() -> Self {
        Self { groups: std::array::from_fn(|_| Group::default()), next: AtomicUsize::default() }
    }
}

impl Farewell {
    /// Counts one more socket, until what is given is dropped.
    pub fn stay(self: &Arc<Self>) -> Stay {
        let group = self.next.fetch_add(1, Ordering::Relaxed) % GROUPS;
        self.groups[group].open.fetch_add(1, Ordering::Relaxed);
        Stay { all: self.clone(), group }
    }

    /// How many sockets are open.
    pub fn open(&self) -> usize {
        self.groups.iter().map(Group::open).sum()
    }

    /// Tells everyone, now or when they come. A few sockets are told in a moment, more than
    /// the number of groups within two seconds.
    pub async fn tell(&self) {
        for group in 0..GROUPS {
            if self.tell_group(group) {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Whether a pause is due before the next one.
    fn tell_group(&self, at: usize) -> bool {
        let some = self.groups[at].open() > 0;
        self.groups[at].told.cancel();
        some && self.groups[at + 1..].iter().any(|later| later.open() > 0)
    }
}

impl Group {
    fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// One open socket.
#[derive(Debug)]
pub struct Stay {
    all: Arc<Farewell>,
    group: usize,
}

impl Stay {
    /// Waits until this one is told.
    pub fn over(&self) -> WaitForCancellationFuture<'_> {
        self.all.groups[self.group].told.cancelled()
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.all.groups[self.group].open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// How many sockets had been told at each pause.
    fn told(sockets: usize) -> Vec<usize> {
        let farewell = Arc::new(Farewell::default());
        let stays: Vec<_> = (0..sockets).map(|_| farewell.stay()).collect();
        assert_eq!(farewell.open(), sockets);
        let count = || stays.iter().filter(|stay| stay.over().now_or_never().is_some()).count();
        let mut told = Vec::new();
        for group in 0..GROUPS {
            if farewell.tell_group(group) {
                told.push(count());
            }
        }
        assert_eq!(count(), sockets, "all of them in the end");
        drop(stays);
        assert_eq!(farewell.open(), 0);
        assert!(farewell.stay().over().now_or_never().is_some(), "whoever comes late, too");
        told
    }

    #[test]
    fn one_socket_waits_for_nobody_and_a_thousand_are_told_in_turn() {
        assert_eq!(told(0), [0; 0]);
        assert_eq!(told(1), [0; 0]);
        assert_eq!(told(3), [1, 2]);
        let told = told(1000);
        assert_eq!(told.len(), GROUPS - 1);
        assert!(told.windows(2).all(|two| (31..=32).contains(&(two[1] - two[0]))), "{told:?}");
    }
}
