//! The observer of a program that has one sign-in to show.

use std::sync::Arc;

use tokio::sync::watch;

use super::Observer;
use crate::session::{Line, SessionView};
use crate::status::ProviderStatus;

/// Keeps the latest view of the session that changed last. Whoever looks seldom misses what came
/// between, never where it stands.
#[derive(Debug)]
pub struct Latest(watch::Sender<Option<SessionView>>);

impl Latest {
    /// The observer, and where its views arrive.
    pub fn channel() -> (Arc<Self>, watch::Receiver<Option<SessionView>>) {
        let (views, receiver) = watch::channel(None);
        (Arc::new(Self(views)), receiver)
    }
}

impl Observer for Latest {
    fn status(&self, view: &SessionView) {
        self.0.send_replace(Some(view.clone()));
    }
    fn lines(&self, view: &SessionView, _: &[Line]) {
        self.0.send_replace(Some(view.clone()));
    }
    fn provider(&self, _: &ProviderStatus) {}
}
