//! The one task that writes the log: whatever waits goes to the disk in one commit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use room_auth::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{Action, Actor, Detail, Entry, Event, Outcome, Shared, Unwritable, lock, publish};
use crate::channels::hub::Hub;
use crate::store::{Store, StoreError};

/// The most new rows of one commit.
const BATCH: usize = 64;

/// How many rows are kept for a disk that does not take them; past that the oldest go.
const BACKLOG: usize = 1000;

/// How often those are tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How soon counted refusals become rows, at first and when they never end.
const COUNT_SOON: Duration = Duration::from_secs(10);
const COUNT_SELDOM: Duration = Duration::from_hours(1);

/// What the writer is told.
pub(super) enum Message {
    /// A row.
    Row { entry: Box<Entry>, row: Row, done: Option<Done> },
    /// There are refusals to be written in a while.
    Counted,
    /// Write everything now.
    Flush(oneshot::Sender<()>),
}

/// What a row is to those who bring it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    /// What will not be done if this cannot be written.
    Intent,
    /// What is being done, written or not.
    Attempt,
    /// What has happened: kept until the disk takes it.
    Fact,
}

/// Hears the number of a row.
pub(super) type Done = oneshot::Sender<Result<i64, Unwritable>>;

pub(super) struct Writer {
    store: Store,
    hub: Arc<Hub>,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Message>,
    /// Rows that the disk did not take, oldest first.
    backlog: VecDeque<Entry>,
    retry_at: Option<Instant>,
    counts_at: Option<Instant>,
    count_every: Duration,
    counted_at: Option<Instant>,
}

type Waiting = (Entry, Row, Option<Done>);

impl Writer {
    pub(super) fn new(
        store: Store,
        hub: Arc<Hub>,
        clock: Arc<dyn Clock>,
        shared: Arc<Shared>,
        inbox: mpsc::Receiver<Message>,
    ) -> Self {
        Self {
            store,
            hub,
            clock,
            shared,
            inbox,
            backlog: VecDeque::new(),
            retry_at: None,
            counts_at: None,
            count_every: COUNT_SOON,
            counted_at: None,
        }
    }

    /// Until nobody is left to write anything.
    pub(super) async fn run(mut self) {
        let mut messages = Vec::with_capacity(BATCH);
        loop {
            let alarm = [self.retry_at, self.counts_at].into_iter().flatten().min();
            tokio::select! {
                count = self.inbox.recv_many(&mut messages, BATCH) => {
                    if count == 0 {
                        return;
                    }
                }
                () = until(alarm) => {}
            }
            let (mut rows, mut flushed) = (Vec::new(), Vec::new());
            for message in messages.drain(..) {
                match message {
                    // Nobody begins what nobody waited for.
                    Message::Row { row: Row::Intent | Row::Attempt, done: Some(done), .. }
                        if done.is_closed() => {}
                    Message::Row { entry, row, done } => rows.push((*entry, row, done)),
                    Message::Counted => self.expect_counts(),
                    Message::Flush(done) => flushed.push(done),
                }
            }
            let now = Instant::now();
            if !flushed.is_empty() || self.counts_at.is_some_and(|at| at <= now) {
                rows.extend(self.counts(now));
            }
            if !rows.is_empty() || !self.backlog.is_empty() {
                self.commit(rows).await;
            }
            for done in flushed {
                let _ = done.send(());
            }
        }
    }

    /// Writes the backlog and these rows, all or none.
    async fn commit(&mut self, rows: Vec<Waiting>) {
        let late = self.backlog.len();
        let entries: Vec<Entry> =
            self.backlog.iter().chain(rows.iter().map(|(entry, ..)| entry)).cloned().collect();
        let begun = Instant::now();
        match self.store.add_activity(&entries).await {
            Ok(numbers) => {
                self.shared.commits.seconds.took(begun.elapsed());
                self.backlog.clear();
                self.retry_at = None;
                for (seq, entry) in numbers.iter().zip(entries) {
                    tell(&entry, Some(*seq));
                    publish(&self.shared, &self.hub, Event { seq: *seq, entry });
                }
                for ((entry, row, done), seq) in rows.into_iter().zip(numbers.iter().skip(late)) {
                    self.answer(entry, row, done, *seq);
                }
            }
            Err(error) => self.refuse(rows, error),
        }
    }

    /// An intent whose caller has gone meanwhile was not carried out, and the log says so.
    fn answer(&mut self, entry: Entry, row: Row, done: Option<Done>, seq: i64) {
        let gone = done.is_some_and(|done| done.send(Ok(seq)).is_err());
        if gone && row == Row::Intent {
            let detail = entry.detail.and(Detail::none().reason("not_begun"));
            let at = self.now();
            let outcome = Outcome::Failed;
            self.backlog.push_back(Entry { at, outcome, intent: Some(seq), detail, ..entry });
            self.retry_at = Some(Instant::now());
        }
    }

    fn refuse(&mut self, rows: Vec<Waiting>, error: StoreError) {
        self.shared.commits.failures.one();
        tracing::error!(%error, "the activity log cannot be written");
        let error = Arc::new(error);
        for (entry, row, done) in rows {
            // What has happened is told at least here.
            if row == Row::Fact {
                tell(&entry, None);
                self.backlog.push_back(entry);
            }
            if let Some(done) = done {
                let _ = done.send(Err(Unwritable::Disk(error.clone())));
            }
        }
        while self.backlog.len() > BACKLOG {
            self.backlog.pop_front();
        }
        self.retry_at = (!self.backlog.is_empty()).then(|| Instant::now() + RETRY);
    }

    /// Rows of refusals come soon after a quiet time, and ever more seldom while they go on.
    fn expect_counts(&mut self) {
        let quiet = self.counted_at.is_none_or(|at| at.elapsed() > 2 * self.count_every);
        self.count_every =
            if quiet { COUNT_SOON } else { (2 * self.count_every).min(COUNT_SELDOM) };
        self.counts_at = Some(Instant::now() + self.count_every);
    }

    fn counts(&mut self, now: Instant) -> Vec<Waiting> {
        self.counts_at = None;
        let refusals = std::mem::take(&mut *lock(&self.shared.refusals));
        if !refusals.is_empty() {
            self.counted_at = Some(now);
        }
        let at = self.now();
        let row = |((network, reason), count): ((Option<String>, &'static str), u64)| Entry {
            at,
            action: Action::AccessRefused.as_str().into(),
            outcome: Outcome::Refused,
            intent: None,
            actor: network.map(|address| Actor { address: Some(address), ..Actor::default() }),
            target: None,
            detail: Detail::none().reason(reason).count(count),
        };
        refusals.into_iter().map(|refusal| (row(refusal), Row::Fact, None)).collect()
    }

    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.clock.now()).unwrap_or_default()
    }
}

/// The same row for the process's log: the second place where it can be read.
pub(super) fn tell(entry: &Entry, seq: Option<i64>) {
    let actor = entry.actor.as_ref();
    tracing::info!(
        target: "room_runtime::activity",
        seq,
        action = &*entry.action,
        outcome = entry.outcome.as_str(),
        intent = entry.intent,
        subject = actor.and_then(|actor| actor.subject.as_deref()),
        role = actor.and_then(|actor| actor.role.as_deref()),
        about = entry.target.as_deref(),
        "activity"
    );
}

async fn until(alarm: Option<Instant>) {
    match alarm {
        Some(alarm) => tokio::time::sleep_until(alarm).await,
        None => std::future::pending().await,
    }
}
