//! Sockets: how many there are, what went over them, how they ended.

use super::{Counter, Gauge};
use crate::state::AppState;

/// How a socket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketState {
    /// Someone looks at the page, or it is a program's.
    Open,
    /// Nobody looks at the page.
    Hidden,
    /// Told why it ends, and not gone yet.
    Closing,
}

impl SocketState {
    pub(super) const ALL: [(Self, &'static str); 3] =
        [(Self::Open, "open"), (Self::Hidden, "hidden"), (Self::Closing, "closing")];
}

/// The codes sockets end with: those of ours, a goodbye of the client's, and a line that broke
/// without a word (RFC 6455, section 7.4.1).
pub(super) const CODES: [(u16, &str); 10] = [
    (1000, "1000"),
    (1001, "1001"),
    (1006, "1006"),
    (1012, "1012"),
    (4000, "4000"),
    (4400, "4400"),
    (4401, "4401"),
    (4403, "4403"),
    (4408, "4408"),
    (4429, "4429"),
];

/// The counts of all sockets.
#[derive(Debug, Default)]
pub struct Sockets {
    /// By [`SocketState`].
    states: [Gauge; 3],
    /// Messages handed to the clients' lines.
    pub sent: Counter,
    /// Messages that a client did not get, for its queue was full.
    pub dropped: Counter,
    closed: [Counter; CODES.len()],
}

impl Sockets {
    /// One ended with this code.
    pub fn closed(&self, code: u16) {
        if let Some(at) = CODES.iter().position(|(known, _)| *known == code) {
            self.closed[at].one();
        }
    }

    pub(super) fn states(&self) -> impl Iterator<Item = (&'static str, u64)> {
        SocketState::ALL
            .into_iter()
            .map(|(state, name)| (name, self.states[state as usize].count()))
    }

    pub(super) fn codes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CODES.iter().zip(&self.closed).map(|((_, name), count)| (*name, count.count()))
    }
}

/// One socket among those that are counted, until it is dropped.
pub struct Counted {
    app: AppState,
    state: SocketState,
}

impl Counted {
    /// One more is open.
    pub fn open(app: &AppState) -> Self {
        app.metrics.sockets.states[SocketState::Open as usize].up();
        Self { app: app.clone(), state: SocketState::Open }
    }

    /// It stands differently now.
    pub fn is(&mut self, state: SocketState) {
        let states = &self.app.metrics.sockets.states;
        states[state as usize].up();
        states[self.state as usize].down();
        self.state = state;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.app.metrics.sockets.states[self.state as usize].down();
    }
}
