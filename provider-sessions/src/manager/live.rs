//! One sign-in with its task.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{mpsc, watch};

use super::lock;
use crate::login::{Ending, Login};
use crate::session::SessionId;

/// One sign-in with its task; finished ones keep only the view.
pub(crate) struct Live {
    pub(crate) id: SessionId,
    login: Mutex<Login>,
    pastes: mpsc::Sender<String>,
    ending: watch::Sender<Option<Ending>>,
    /// True when the task is over and nothing of the sign-in runs any more.
    done: watch::Sender<bool>,
}

impl Live {
    /// A sign-in that nobody runs yet, and what will be pasted into it.
    pub(super) fn new(login: Login) -> (Arc<Self>, mpsc::Receiver<String>) {
        // Room for one: while it is full, the earlier code has not been typed yet.
        let (pastes, typed) = mpsc::channel(1);
        let live = Self {
            id: login.view().id,
            login: Mutex::new(login),
            pastes,
            ending: watch::Sender::new(None),
            done: watch::Sender::new(false),
        };
        (Arc::new(live), typed)
    }

    /// Hands a cleaned code to the one who types; false while an earlier one waits.
    pub(super) fn paste(&self, code: String) -> bool {
        self.pastes.try_send(code).is_ok()
    }

    /// Nothing of it runs any more.
    pub(super) fn finish(&self) {
        self.done.send_replace(true);
    }

    /// Asks for the end; the first reason stands.
    pub(crate) fn end(&self, why: Ending) {
        self.ending.send_if_modified(|ending| {
            let first = ending.is_none();
            ending.get_or_insert(why);
            first
        });
    }

    /// Resolves when the end is asked for.
    pub(crate) async fn ending(&self) -> Ending {
        let mut ending = self.ending.subscribe();
        let asked = ending.wait_for(Option::is_some).await;
        asked.ok().and_then(|why| *why).unwrap_or(Ending::Shutdown)
    }

    pub(crate) fn is_active(&self) -> bool {
        self.login().view().is_active()
    }

    pub(super) async fn done(&self) {
        // The sender lives in `self`, so this only ends with the value.
        let _ = self.done.subscribe().wait_for(|done| *done).await;
    }

    pub(super) fn login(&self) -> MutexGuard<'_, Login> {
        lock(&self.login)
    }
}
