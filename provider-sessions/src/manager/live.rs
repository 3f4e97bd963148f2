//! One sign-in with its task.

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};

use super::sync::{Arc, Mutex, MutexGuard, PoisonError};
use crate::login::{Ending, Input, Login};
use crate::paste::Paste;
use crate::provider::Provider;
use crate::session::{SessionId, SessionView, Step};

/// What a person hands to the program.
#[derive(Debug)]
pub(crate) enum Handed {
    /// A pasted code or address, checked.
    Paste(Paste),
    /// A line as it was typed, for a program that Room does not understand.
    Line(SecretString),
}

/// One sign-in with its task; finished ones keep only the view.
pub(crate) struct Live {
    pub(crate) id: SessionId,
    login: Mutex<Login>,
    handed: mpsc::Sender<Handed>,
    ending: watch::Sender<Option<Ending>>,
    /// True when the task is over and nothing of the sign-in runs any more.
    done: watch::Sender<bool>,
}

impl Live {
    /// A sign-in that nobody runs yet, and what will be handed to it.
    pub(super) fn new(login: Login) -> (Arc<Self>, mpsc::Receiver<Handed>) {
        // Room for one: while it is full, the earlier one has not reached the program yet.
        let (handed, taken) = mpsc::channel(1);
        let live = Self {
            id: login.view().id,
            login: Mutex::new(login),
            handed,
            ending: watch::Sender::new(None),
            done: watch::Sender::new(false),
        };
        (Arc::new(live), taken)
    }

    /// Hands something to the one who types; false while an earlier one waits.
    pub(super) fn hand(&self, what: Handed) -> bool {
        self.handed.try_send(what).is_ok()
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

    /// A person wants it to end: it is shown as ending at once, unless what it stored is there already
    /// and only looked at.
    pub(super) fn cancel(&self, row: &Provider, now: Timestamp, tell: impl FnOnce(&SessionView)) {
        self.end(Ending::Cancelled);
        let mut login = self.login();
        let cancellable = login.view().step != Step::Verifying;
        if cancellable && login.apply(Input::Ending(Ending::Cancelled), row, now) {
            tell(login.view());
        }
    }

    /// Whether a person still waits for it.
    pub(crate) fn is_active(&self) -> bool {
        self.login().view().is_active()
    }

    /// Whether nothing of it runs any more.
    pub(super) fn is_done(&self) -> bool {
        *self.done.borrow()
    }

    /// Resolves when nothing of it runs any more.
    pub(super) async fn done(&self) {
        // The sender lives in `self`, so this only ends with the value.
        let _ = self.done.subscribe().wait_for(|done| *done).await;
    }

    pub(super) fn login(&self) -> MutexGuard<'_, Login> {
        self.login.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
