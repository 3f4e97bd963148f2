//! The activity log: who, from which device, did what, and how it went.
//!
//! A change of state is written down before it happens ([`Activity::intent`]) and does not happen
//! if that fails; its outcome is a row of its own. What must always work (cancelling, signing out,
//! stopping) is written down if it can be. Every row goes to the process's log as well, so that a
//! full disk does not leave nothing.
//!
//! Rows are numbered and told to the channel `activity` in the order in which they were committed.

mod record;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use room_auth::Clock;
use tokio::sync::{mpsc, oneshot};

pub use self::record::{Action, Actor, Detail, Entry, Event, Outcome, hides};
use self::writer::{Done, Message, Row, Writer};
use crate::channels::hub::{Hub, Start};
use crate::channels::outbox::Outbox;
use crate::channels::{self, Channel};
use crate::http::wire;
use crate::metrics::{Counter, Histogram};
use crate::store::{Range, Store, StoreError};

/// How many rows may wait to be written; those who bring more wait themselves.
const WAITING: usize = 1024;

/// How many events a page gets at once, and the channel's first picture holds.
pub const PAGE: u32 = 50;

/// How many of the newest are at hand: a page, and some that outcomes will replace.
const RECENT: usize = 64;

/// How long a caller waits for the disk before being told that it does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long something that happens anyway waits for its row.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

/// A good disk takes a commit in a millisecond or two.
const COMMIT_ENDS: [Duration; 8] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Networks whose refusals are counted apart until the next row; the rest share one count.
const NETWORKS: usize = 3;

/// The row could not be written, so what it says must not happen.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// The disk.
    #[error("the activity log cannot be written")]
    Disk(#[source] Arc<StoreError>),
    /// The disk does not answer.
    #[error("the activity log does not answer")]
    Slow,
}

/// The log of a running server.
pub struct Activity {
    log: Log,
    shared: Arc<Shared>,
}

/// What can be handed on: a way to add rows.
#[derive(Clone)]
struct Log {
    rows: mpsc::Sender<Message>,
    clock: Arc<dyn Clock>,
}

/// What the writer and those who ask share.
#[derive(Default)]
struct Shared {
    recent: Mutex<Recent>,
    refusals: Mutex<BTreeMap<(Option<String>, &'static str), u64>>,
    commits: Commits,
}

/// How the disk takes the rows.
#[derive(Debug)]
pub struct Commits {
    /// How long a commit took that worked.
    pub seconds: Histogram,
    /// Those that did not.
    pub failures: Counter,
}

impl Default for Commits {
    fn default() -> Self {
        Self { seconds: Histogram::new(&COMMIT_ENDS), failures: Counter::default() }
    }
}

/// The newest events, for whoever joins the channel.
#[derive(Default)]
struct Recent {
    events: VecDeque<Event>,
    /// Whether there are older ones.
    more: bool,
}

impl Activity {
    /// Opens the log: says of the intents that a killed server left that nobody knows how they
    /// went, and starts the one task that writes. It ends with the last of its users.
    ///
    /// # Errors
    /// The disk.
    pub async fn start(
        store: Store,
        hub: Arc<Hub>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let now = Timestamp::try_from(clock.now()).unwrap_or_default();
        let lost: Vec<Entry> = store
            .open_activity()
            .await?
            .into_iter()
            .map(|Event { seq, entry }| Entry {
                at: now,
                outcome: Outcome::Unknown,
                intent: Some(seq),
                ..entry
            })
            .collect();
        if !lost.is_empty() {
            store.add_activity(&lost).await?;
            tracing::warn!(count = lost.len(), "what was begun when the server ended is unknown");
        }
        let newest = store.activity(Range::Newest, None, PAGE + 1).await?;
        let mut recent = Recent { more: newest.len() > PAGE as usize, events: newest.into() };
        recent.trim();
        let shared = Arc::new(Shared { recent: Mutex::new(recent), ..Shared::default() });
        let (rows, inbox) = mpsc::channel(WAITING);
        let log = Log { rows, clock: clock.clone() };
        tokio::spawn(Writer::new(store, hub, clock, shared.clone(), inbox).run());
        Ok(Self { log, shared })
    }

    /// Writes down what is about to be done; it is on the disk when this returns.
    ///
    /// # Errors
    /// It could not be written: it must not be done (503 `audit_unavailable`).
    pub async fn intent(
        &self,
        actor: impl Into<Actor>,
        action: Action,
        target: Option<&str>,
        detail: Detail,
    ) -> Result<Intent, Unwritable> {
        let entry = self.entry(Some(actor.into()), action, Outcome::Intent, target, detail);
        let seq = self.log.write(entry.clone(), PATIENCE, Row::Intent).await?;
        Ok(Intent { log: self.log.clone(), entry: Some(entry), seq: Some(seq), late: None })
    }

    /// The same for what the server does by itself.
    ///
    /// # Errors
    /// As [`Activity::intent`].
    pub async fn own_intent(&self, action: Action) -> Result<Intent, Unwritable> {
        let entry = self.entry(None, action, Outcome::Intent, None, Detail::none());
        let seq = self.log.write(entry.clone(), PATIENCE, Row::Intent).await?;
        Ok(Intent { log: self.log.clone(), entry: Some(entry), seq: Some(seq), late: None })
    }

    /// The same for what must always work: it goes on, whether or not this could be written.
    pub async fn intent_if_possible(
        &self,
        actor: impl Into<Actor>,
        action: Action,
        target: Option<&str>,
        detail: Detail,
    ) -> Intent {
        let entry = self.entry(Some(actor.into()), action, Outcome::Intent, target, detail);
        let (done, mut written) = oneshot::channel();
        let asked = async {
            self.log.send(entry.clone(), Row::Attempt, Some(done)).await.ok()?;
            (&mut written).await.ok()?.ok()
        };
        let seq = tokio::time::timeout(SHORT_PATIENCE, asked).await.ok().flatten();
        let late = seq.is_none().then_some(written);
        Intent { log: self.log.clone(), entry: Some(entry), seq, late }
    }

    /// Writes down what happened. If the disk does not take it now, it is kept for when it does.
    pub async fn note(
        &self,
        actor: Option<Actor>,
        action: Action,
        outcome: Outcome,
        target: Option<&str>,
        detail: Detail,
    ) {
        let entry = self.entry(actor, action, outcome, target, detail);
        let _ = self.log.write(entry, SHORT_PATIENCE, Row::Fact).await;
    }

    /// The same without waiting for the disk.
    pub fn post(
        &self,
        actor: Option<Actor>,
        action: Action,
        outcome: Outcome,
        target: Option<&str>,
        detail: Detail,
    ) {
        self.log.post(self.entry(actor, action, outcome, target, detail));
    }

    /// Counts a refused sign-in or credential. Rows of the sums are written now and then, ever more
    /// seldom while it goes on: nobody can fill the log from outside.
    pub fn refused(&self, address: IpAddr, reason: &'static str) {
        let mut refusals = lock(&self.shared.refusals);
        let network = Actor::stranger(address).address;
        let apart = |key: &Option<String>| key.is_some() && *key != network;
        let others = refusals.keys().filter(|(key, _)| apart(key)).count();
        let network = network.filter(|_| others < NETWORKS);
        let first = refusals.is_empty();
        *refusals.entry((network, reason)).or_default() += 1;
        drop(refusals);
        if first {
            // If it is full, the writer is awake and looks anyway.
            let _ = self.log.rows.try_send(Message::Counted);
        }
    }

    /// Returns when everything noted so far is on the disk, or cannot be.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        let asked = async {
            if self.log.rows.send(Message::Flush(done)).await.is_ok() {
                let _ = written.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, asked).await;
    }

    /// Adds a listener to the channel `activity`, with the newest events first.
    pub fn join(&self, hub: &Hub, client: &Arc<Outbox>, start: Start, now: Timestamp) {
        // Nothing is published while this is held.
        let recent = lock(&self.shared.recent);
        hub.join(Channel::Activity, client, start, now, || {
            let skip = recent.events.len().saturating_sub(PAGE as usize);
            wire::Activity {
                events: recent.events.iter().skip(skip).map(Into::into).collect(),
                more: recent.more || skip > 0,
            }
        });
    }

    /// How the disk takes the rows.
    pub fn commits(&self) -> &Commits {
        &self.shared.commits
    }

    fn entry(
        &self,
        actor: Option<Actor>,
        action: Action,
        outcome: Outcome,
        target: Option<&str>,
        detail: Detail,
    ) -> Entry {
        Entry {
            at: self.log.now(),
            action: action.as_str().into(),
            outcome,
            intent: None,
            actor,
            target: target.map(record::clipped),
            detail,
        }
    }
}

impl Log {
    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.clock.now()).unwrap_or_default()
    }

    /// Adds a row and waits until it is on the disk.
    async fn write(&self, entry: Entry, patience: Duration, row: Row) -> Result<i64, Unwritable> {
        let (done, written) = oneshot::channel();
        let asked = async {
            self.send(entry, row, Some(done)).await?;
            written.await.map_err(|_| Unwritable::Slow)?
        };
        tokio::time::timeout(patience, asked).await.map_err(|_| Unwritable::Slow)?
    }

    async fn send(&self, entry: Entry, row: Row, done: Option<Done>) -> Result<(), Unwritable> {
        let message = Message::Row { entry: entry.into(), row, done };
        self.rows.send(message).await.map_err(|_| Unwritable::Slow)
    }

    /// Adds a row without waiting.
    fn post(&self, entry: Entry) {
        let row = Message::Row { entry: entry.into(), row: Row::Fact, done: None };
        if let Err(error) = self.rows.try_send(row) {
            let (mpsc::error::TrySendError::Full(row) | mpsc::error::TrySendError::Closed(row)) =
                error;
            if let Message::Row { entry, .. } = row {
                writer::tell(&entry, None);
            }
        }
    }
}

/// Something that was written down and is being done. Its outcome is said once; dropped without
/// one, it is unknown.
#[must_use = "the outcome belongs in the log"]
pub struct Intent {
    log: Log,
    entry: Option<Entry>,
    seq: Option<i64>,
    /// Says the number when the disk was slow, and it went on meanwhile.
    late: Option<oneshot::Receiver<Result<i64, Unwritable>>>,
}

impl Intent {
    /// Done.
    pub async fn ok(self) {
        self.end(Outcome::Ok, Detail::none()).await;
    }

    /// Done, with more to say.
    pub async fn ok_with(self, detail: Detail) {
        self.end(Outcome::Ok, detail).await;
    }

    /// Not done, for a reason that is the caller's.
    pub async fn refused(self, detail: Detail) {
        self.end(Outcome::Refused, detail).await;
    }

    /// Tried, and it did not work.
    pub async fn failed(self, detail: Detail) {
        self.end(Outcome::Failed, detail).await;
    }

    /// Says how it went; on the disk when this returns, or kept for when the disk takes it.
    pub async fn end(mut self, outcome: Outcome, detail: Detail) {
        if let Some(entry) = self.outcome(outcome, detail) {
            let _ = self.log.write(entry, PATIENCE, Row::Fact).await;
        }
    }

    fn outcome(&mut self, outcome: Outcome, detail: Detail) -> Option<Entry> {
        let entry = self.entry.take()?;
        if let Some(Ok(Ok(seq))) = self.late.as_mut().map(oneshot::Receiver::try_recv) {
            self.seq = Some(seq);
        }
        let detail = entry.detail.and(detail);
        Some(Entry { at: self.log.now(), outcome, intent: self.seq, detail, ..entry })
    }
}

impl Drop for Intent {
    fn drop(&mut self) {
        if let Some(entry) = self.outcome(Outcome::Unknown, Detail::none()) {
            self.log.post(entry);
        }
    }
}

impl Recent {
    /// Takes an event in; an outcome replaces its intent.
    fn push(&mut self, event: Event) {
        if let Some(intent) = event.entry.intent {
            self.events.retain(|other| other.seq != intent);
        }
        self.events.push_back(event);
        self.trim();
    }

    fn trim(&mut self) {
        while self.events.len() > RECENT {
            self.events.pop_front();
            self.more = true;
        }
    }
}

/// Tells whoever listens, in the order of the numbers.
fn publish(shared: &Shared, hub: &Hub, event: Event) {
    let mut recent = lock(&shared.recent);
    let data = wire::ActivityEvent::from(&event);
    hub.publish(Channel::Activity, channels::ACTIVITY_EVENT, &data, Timestamp::now());
    recent.push(event);
}

/// Nothing panics with one of these held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
