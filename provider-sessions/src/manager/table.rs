//! Which sessions there are, and who may begin one: the decisions that race with each other, each
//! taken under one lock. It starts nothing itself, and has no clock.
//!
//! The lock is taken before that of any session.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::live::Live;
use super::sync::{Arc, Mutex, MutexGuard, PoisonError};
use crate::login::Ending;
use crate::session::{Kind, SessionId};

/// Finished sessions kept at most, the oldest go first.
const MAX_FINISHED: usize = 32;

/// Why none may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The server is stopping.
    Stopping,
    /// The provider's program is being installed where it should sign in, or the other way round.
    Other,
}

/// The sessions of all providers, by their places in the list of rows.
pub(super) struct Table {
    state: Mutex<State>,
    /// How long a finished one can still be read.
    keep: Duration,
}

struct State {
    stopping: bool,
    places: Vec<Place>,
    sessions: HashMap<SessionId, Arc<Live>>,
}

/// A provider's latest sessions.
#[derive(Clone, Default)]
struct Place {
    sign_in: Option<Arc<Live>>,
    install: Option<Arc<Live>>,
}

impl Place {
    fn of(&mut self, kind: Kind) -> (&mut Option<Arc<Live>>, &mut Option<Arc<Live>>) {
        match kind {
            Kind::SignIn => (&mut self.sign_in, &mut self.install),
            Kind::Install => (&mut self.install, &mut self.sign_in),
        }
    }
}

impl Table {
    pub(super) fn new(providers: usize, keep: Duration) -> Self {
        let places = vec![Place::default(); providers];
        let state = State { stopping: false, places, sessions: HashMap::new() };
        Self { state: Mutex::new(state), keep }
    }

    /// The provider's live session of that kind, to be joined; none once nothing of an earlier one
    /// goes on, and another may begin.
    pub(super) async fn way(
        &self,
        provider: usize,
        kind: Kind,
    ) -> Result<Option<Arc<Live>>, Refusal> {
        loop {
            let Some(going) = self.state().going(provider, kind)? else { return Ok(None) };
            if going.is_active() {
                return Ok(Some(going));
            }
            // Over for the person, but its processes may still be going.
            going.done().await;
        }
    }

    /// Lets a session begin, unless another one goes on by now, which is given. `start` is called
    /// while nothing can end it yet: whatever stops all sessions ends it, or it does not begin.
    pub(super) fn begin(
        &self,
        provider: usize,
        kind: Kind,
        live: &Arc<Live>,
        now: Timestamp,
        start: impl FnOnce(),
    ) -> Result<Option<Arc<Live>>, Refusal> {
        let mut state = self.state();
        if let Some(going) = state.going(provider, kind)? {
            let joins = going.login().view().kind == kind;
            return joins.then_some(Some(going)).ok_or(Refusal::Other);
        }
        *state.places[provider].of(kind).0 = Some(Arc::clone(live));
        state.forget(now, self.keep);
        state.sessions.insert(live.id, Arc::clone(live));
        start();
        Ok(None)
    }

    /// No session begins any more, and those there are end.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stopping = true;
        for live in state.sessions.values() {
            live.end(Ending::Shutdown);
        }
    }

    /// The session of that id, while it can be read.
    pub(super) fn session(&self, id: SessionId) -> Option<Arc<Live>> {
        self.state().sessions.get(&id).cloned()
    }

    /// The provider's latest session of that kind, however long it is over.
    pub(super) fn latest(&self, provider: usize, kind: Kind) -> Option<Arc<Live>> {
        self.state().places[provider].of(kind).0.clone()
    }

    /// The same while it can be read.
    pub(super) fn readable(&self, provider: usize, kind: Kind) -> Option<Arc<Live>> {
        let latest = self.latest(provider, kind)?;
        self.session(latest.id)
    }

    /// Whether none may begin any more.
    pub(super) fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The session that is not wholly over: the one of that kind, or one of the other kind that is only
    /// over for the person.
    fn going(&mut self, provider: usize, kind: Kind) -> Result<Option<Arc<Live>>, Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        let (own, other) = self.places[provider].of(kind);
        let other = other.as_ref().filter(|other| !other.is_done());
        if other.is_some_and(|other| other.is_active()) {
            return Err(Refusal::Other);
        }
        Ok(own.as_ref().filter(|own| !own.is_done()).or(other).cloned())
    }

    /// Drops those that have been over for long, and the oldest where they are many.
    fn forget(&mut self, now: Timestamp, keep: Duration) {
        let mut finished: Vec<(Timestamp, SessionId)> = Vec::new();
        self.sessions.retain(|id, other| match other.login().view().ended_at {
            None => true,
            Some(ended) => {
                let age = Duration::try_from(now.duration_since(ended)).unwrap_or_default();
                finished.push((ended, *id));
                age < keep
            }
        });
        finished.sort_unstable_by_key(|(ended, _)| *ended);
        let surplus = finished.len().saturating_sub(MAX_FINISHED);
        for (_, id) in &finished[..surplus] {
            self.sessions.remove(id);
        }
    }
}
