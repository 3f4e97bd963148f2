//! What waits for one client: bounded, filled by whoever publishes, emptied by the client's task.
//!
//! Pure like [`super::hub`]. Whoever fills it never waits, and wakes the task only if that sleeps.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use super::Channel;
use super::frames::Frame;
use super::sync::{Mutex, MutexGuard, PoisonError};

/// How much may wait for one client. Past either bound events are dropped for it, and it gets a
/// gap and the whole picture once it has drained.
pub const QUEUE_EVENTS: usize = 256;
/// The same, in bytes.
pub const QUEUE_BYTES: usize = 256 * 1024;

/// What waits for one client.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// By channel, the first event that was dropped for want of room.
    missed: Vec<(Channel, u64)>,
    /// How many events were dropped and not counted yet.
    dropped: u64,
    /// The client's task, while it sleeps.
    sleeper: Option<Waker>,
}

/// What a client's task is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Write what it was given.
    Write,
    /// Join this channel again: from that event on it missed something.
    Rejoin(Channel, u64),
}

impl Outbox {
    /// Queues an event, or notes that it was missed.
    pub(super) fn offer(&self, channel: Channel, seq: u64, frame: &Frame) {
        let mut waiting = self.waiting();
        if waiting.missed.iter().any(|(missed, _)| *missed == channel) {
            waiting.dropped += 1;
            return;
        }
        if waiting.frames.len() >= QUEUE_EVENTS || waiting.bytes + frame.len() > QUEUE_BYTES {
            waiting.missed.push((channel, seq));
            waiting.dropped += 1;
        } else {
            waiting.push(frame.clone());
        }
        wake(waiting);
    }

    /// Queues what a client gets on joining: bounded by the ring, or one picture.
    pub(super) fn reset(&self, channel: Channel, frames: impl Iterator<Item = Frame>) {
        let mut waiting = self.waiting();
        waiting.missed.retain(|(missed, _)| *missed != channel);
        frames.for_each(|frame| waiting.push(frame));
        wake(waiting);
    }

    /// Queues an answer of ours. Bounded by how often a client may ask, and that it is not heard
    /// while [`Self::is_full`].
    pub fn answer(&self, frame: Frame) {
        let mut waiting = self.waiting();
        waiting.push(frame);
        wake(waiting);
    }

    /// Moves the next frames into `into`, few enough for one write; what was missed comes to light
    /// once everything before it was taken. If there is nothing, the task is woken when there is.
    pub fn poll_next(
        &self,
        cx: &Context<'_>,
        into: &mut VecDeque<Frame>,
        most: usize,
        most_bytes: usize,
    ) -> Poll<Next> {
        let mut waiting = self.waiting();
        if waiting.take(into, most, most_bytes) {
            return Poll::Ready(Next::Write);
        }
        // It stays noted until the channel is joined anew, so that nothing is queued meanwhile.
        if let Some((channel, seq)) = waiting.missed.first() {
            return Poll::Ready(Next::Rejoin(*channel, *seq));
        }
        // A burst is over: an idle client should not keep its room.
        waiting.frames = VecDeque::new();
        match &mut waiting.sleeper {
            Some(sleeper) => sleeper.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Forgets that a channel missed something: it is not heard any more.
    pub fn forget(&self, channel: Channel) {
        self.waiting().missed.retain(|(missed, _)| *missed != channel);
    }

    /// Whether more waits than may; the client should read before it asks for more.
    pub fn is_full(&self) -> bool {
        let waiting = self.waiting();
        waiting.frames.len() >= QUEUE_EVENTS || waiting.bytes >= QUEUE_BYTES
    }

    /// How many bytes wait.
    pub(super) fn queued_bytes(&self) -> usize {
        self.waiting().bytes
    }

    /// How many events were dropped since this was asked last.
    pub fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.waiting().dropped)
    }

    /// How many frames wait, and how many bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let waiting = self.waiting();
        assert_eq!(waiting.bytes, waiting.frames.iter().map(Frame::len).sum::<usize>());
        (waiting.frames.len(), waiting.bytes)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, frame: Frame) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    fn take(&mut self, into: &mut VecDeque<Frame>, most: usize, most_bytes: usize) -> bool {
        let mut bytes = 0;
        let mut count = 0;
        while let Some(frame) = self.frames.front() {
            if count >= most || (count > 0 && bytes + frame.len() > most_bytes) {
                break;
            }
            bytes += frame.len();
            count += 1;
            into.extend(self.frames.pop_front());
        }
        self.bytes -= bytes;
        count > 0
    }
}

/// Wakes the client's task, if it sleeps, once nothing is locked here.
fn wake(mut waiting: MutexGuard<'_, Waiting>) {
    let sleeper = waiting.sleeper.take();
    drop(waiting);
    if let Some(sleeper) = sleeper {
        sleeper.wake();
    }
}
