//! Sign-ins and installs: how they ended, and how long they took.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use provider_sessions::{Kind, SessionView};

use super::Histogram;
use crate::store::status_name;

/// Seconds for a program that answers at once, minutes for a person with a phone.
const ENDS: [Duration; 8] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(3),
    Duration::from_mins(5),
    Duration::from_mins(15),
];

/// What ended, by provider, kind and outcome: as many rows as there are of those. They end a few
/// times a day, so a lock does no harm.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<Ended>);

#[derive(Debug)]
pub(super) struct Ended {
    /// By provider, kind and outcome.
    pub(super) outcomes: BTreeMap<(String, Kind, &'static str), u64>,
    pub(super) seconds: Histogram,
}

impl Default for Ended {
    fn default() -> Self {
        Self { outcomes: BTreeMap::new(), seconds: Histogram::new(&ENDS) }
    }
}

impl Sessions {
    /// One is over.
    pub fn ended(&self, view: &SessionView) {
        let took = view.ended_at.unwrap_or(view.updated_at).duration_since(view.started_at);
        self.read(|ended| {
            let key = (view.provider.clone(), view.kind, status_name(view.status));
            *ended.outcomes.entry(key).or_default() += 1;
            ended.seconds.took(took.unsigned_abs());
        });
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&mut Ended) -> R) -> R {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What there is to count, and its word.
pub(super) const KINDS: [(Kind, &str); 2] = [(Kind::SignIn, "sign_in"), (Kind::Install, "install")];

/// How it may end.
pub(super) const OUTCOMES: [&str; 4] = ["completed", "failed", "canceled", "timeout"];

#[cfg(test)]
mod tests {
    use provider_sessions::Status;

    use super::*;

    #[test]
    fn every_end_has_its_word() {
        let ends = [Status::Completed, Status::Failed, Status::Canceled, Status::TimedOut];
        assert_eq!(ends.map(status_name), OUTCOMES);
    }
}
