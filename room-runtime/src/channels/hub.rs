//! Channels with a short past, and who listens to them. Pure: no task, no clock, no socket.
//!
//! An event is encoded once, whoever listens. Joining replays what was missed, or gives the whole
//! picture, under the lock that publishing takes: nothing falls in between. Each channel has a lock
//! of its own, so that a flood on one does not hold up the others.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;

use super::frames::Frame;
use super::outbox::Outbox;
use super::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use super::{Channel, protocol};

/// How much of a channel's past is kept for those who come back: a whole sign-in prints under
/// 10 KB. Past either bound the oldest goes, and who asks for it is told of the gap.
pub const RING_EVENTS: usize = 500;
/// The same, in bytes.
pub const RING_BYTES: usize = 256 * 1024;

/// How many channels keep a past. Those nobody listens to go first.
pub(super) const TOPICS: usize = 64;

/// From where a client wants to hear a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The whole picture, then what follows.
    Fresh,
    /// Everything after this event.
    After(u64),
    /// It was too slow and missed this event and perhaps more.
    Missed(u64),
}

/// Every channel that someone listens to, or did a short while ago.
#[derive(Debug, Default)]
pub struct Hub {
    topics: RwLock<Topics>,
}

#[derive(Debug, Default)]
struct Topics {
    by_channel: HashMap<Channel, Arc<Topic>>,
    /// Higher than any number of a channel whose past is gone: should it come back, a position of
    /// its earlier life is not taken for one of its new.
    floor: u64,
}

#[derive(Debug)]
struct Topic(Mutex<Past>);

#[derive(Debug, Default)]
struct Past {
    /// The channel's name, as the events have it.
    name: String,
    /// The last event's number; the first is 1.
    seq: u64,
    ring: VecDeque<Frame>,
    ring_bytes: usize,
    listeners: Vec<Arc<Outbox>>,
}

impl Hub {
    /// Tells everyone who listens to a channel. A channel nobody ever joined has no past to keep,
    /// for whoever joins it later gets the whole picture.
    pub fn publish<T: Serialize>(
        &self,
        channel: Channel,
        kind: &'static str,
        data: &T,
        now: Timestamp,
    ) {
        let Some(topic) = self.topics().by_channel.get(&channel).cloned() else { return };
        let mut past = topic.past();
        let seq = past.seq + 1;
        // About as long as the one before.
        let size = past.ring.back().map_or(0, Frame::len);
        let Some(frame) = protocol::event(kind, &past.name, seq, data, now, size) else { return };
        past.push(seq, frame.clone());
        for listener in &past.listeners {
            listener.offer(channel, seq, &frame);
        }
    }

    /// Adds a listener, with what it must be told first.
    ///
    /// To be called while the channel's source cannot publish, so that `picture` is of this very
    /// moment.
    pub fn join<T: Serialize>(
        &self,
        channel: Channel,
        listener: &Arc<Outbox>,
        start: Start,
        now: Timestamp,
        picture: impl FnOnce() -> T,
    ) {
        let topic = self.topic(channel);
        let mut past = topic.past();
        let joined = past.listeners.iter().any(|other| Arc::ptr_eq(other, listener));
        if joined && matches!(start, Start::After(_)) {
            // It hears everything already; a replay would come on top of what is queued.
            return;
        }
        let oldest = past.seq + 1 - past.ring.len() as u64;
        let replay = match start {
            Start::After(seq) if seq <= past.seq && seq + 1 >= oldest => {
                let skip = usize::try_from(seq + 1 - oldest).unwrap_or(usize::MAX);
                listener.reset(channel, past.ring.iter().skip(skip).cloned());
                true
            }
            _ => false,
        };
        if !replay {
            let gap = match start {
                Start::After(seq) if seq < past.seq => Some(seq + 1),
                Start::Missed(seq) => Some(seq),
                // A position we never gave counts as none.
                Start::After(_) | Start::Fresh => None,
            };
            let gap = gap.and_then(|from| protocol::gap(&past.name, from, past.seq));
            let picture = protocol::event("snapshot", &past.name, past.seq, &picture(), now, 0);
            listener.reset(channel, gap.into_iter().chain(picture));
        }
        if !joined {
            past.listeners.push(listener.clone());
        }
    }

    /// Removes a listener from a channel.
    pub fn leave(&self, channel: Channel, listener: &Arc<Outbox>) {
        let Some(topic) = self.topics().by_channel.get(&channel).cloned() else { return };
        let mut past = topic.past();
        if let Some(at) = past.listeners.iter().position(|other| Arc::ptr_eq(other, listener)) {
            past.listeners.swap_remove(at);
        }
        if past.listeners.is_empty() {
            past.listeners = Vec::new();
        }
    }

    /// How many listen to a channel.
    pub fn listeners(&self, channel: Channel) -> usize {
        let topic = self.topics().by_channel.get(&channel).cloned();
        topic.map_or(0, |topic| topic.past().listeners.len())
    }

    /// How many bytes wait for all listeners together. A listener of several channels counts once.
    pub fn queued_bytes(&self) -> usize {
        let topics: Vec<_> = self.topics().by_channel.values().cloned().collect();
        let mut queues: Vec<(usize, usize)> = Vec::new();
        for topic in topics {
            let past = topic.past();
            let queue = |one: &Arc<Outbox>| (Arc::as_ptr(one).addr(), one.queued_bytes());
            queues.extend(past.listeners.iter().map(queue));
        }
        queues.sort_unstable();
        queues.dedup_by_key(|(address, _)| *address);
        queues.iter().map(|(_, bytes)| bytes).sum()
    }

    /// The channel's topic, made if there is none.
    fn topic(&self, channel: Channel) -> Arc<Topic> {
        if let Some(topic) = self.topics().by_channel.get(&channel) {
            return topic.clone();
        }
        let mut topics = self.topics_to_change();
        if topics.by_channel.len() >= TOPICS && !topics.by_channel.contains_key(&channel) {
            topics.make_room();
        }
        let floor = topics.floor;
        let new = || {
            let past = Past { name: channel.name(), seq: floor, ..Past::default() };
            Arc::new(Topic(Mutex::new(past)))
        };
        topics.by_channel.entry(channel).or_insert_with(new).clone()
    }

    fn topics(&self) -> RwLockReadGuard<'_, Topics> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn topics_to_change(&self) -> RwLockWriteGuard<'_, Topics> {
        self.topics.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many channels have a past, and how many bytes the longest is.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let topics = self.topics();
        let bytes = |topic: &Arc<Topic>| topic.past().ring.iter().map(Frame::len).sum();
        (topics.by_channel.len(), topics.by_channel.values().map(bytes).max().unwrap_or(0))
    }
}

impl Topics {
    /// Forgets the channels nobody listens to.
    fn make_room(&mut self) {
        let floor = &mut self.floor;
        self.by_channel.retain(|_, topic| {
            // Someone who has it in hand may be about to join; nobody can take it up now.
            if Arc::strong_count(topic) > 1 {
                return true;
            }
            let past = topic.past();
            if past.listeners.is_empty() {
                *floor = (*floor).max(past.seq + 1);
            }
            !past.listeners.is_empty()
        });
    }
}

impl Topic {
    fn past(&self) -> MutexGuard<'_, Past> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Past {
    fn push(&mut self, seq: u64, frame: Frame) {
        self.seq = seq;
        self.ring_bytes += frame.len();
        self.ring.push_back(frame);
        while self.ring.len() > RING_EVENTS || self.ring_bytes > RING_BYTES {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_bytes -= oldest.len();
        }
    }
}
