//! Channels with a short past, and the queues of those who listen. Pure: no task, no clock, no
//! socket.
//!
//! An event is encoded once, whoever listens. Joining replays what was missed, or gives the whole
//! picture, under the lock that publishing takes: nothing falls in between.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Notify;

use super::Channel;
use super::protocol;

/// How much of a channel's past is kept for those who come back: a whole sign-in prints under
/// 10 KB. Past either bound the oldest goes, and who asks for it is told of the gap.
pub const RING_EVENTS: usize = 500;
/// The same, in bytes.
pub const RING_BYTES: usize = 256 * 1024;

/// How much may wait for one client. Past either bound events are dropped for it, and it gets a
/// gap and the whole picture once it has drained.
pub const QUEUE_EVENTS: usize = 256;
/// The same, in bytes.
pub const QUEUE_BYTES: usize = 256 * 1024;

/// How many channels keep a past. Those nobody listens to go first.
const TOPICS: usize = 64;

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
    topics: Mutex<HashMap<Channel, Topic>>,
}

#[derive(Debug, Default)]
struct Topic {
    /// The last event's number; the first is 1.
    seq: u64,
    ring: VecDeque<Utf8Bytes>,
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
        let mut topics = self.topics();
        let Some(topic) = topics.get_mut(&channel) else { return };
        let seq = topic.seq + 1;
        let Some(frame) = protocol::event(kind, &channel.name(), seq, data, now) else { return };
        topic.seq = seq;
        topic.ring_bytes += frame.len();
        topic.ring.push_back(frame.clone());
        while topic.ring.len() > RING_EVENTS || topic.ring_bytes > RING_BYTES {
            let Some(oldest) = topic.ring.pop_front() else { break };
            topic.ring_bytes -= oldest.len();
        }
        for listener in &topic.listeners {
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
        let mut topics = self.topics();
        if !topics.contains_key(&channel) && topics.len() >= TOPICS {
            topics.retain(|_, topic| !topic.listeners.is_empty());
        }
        let topic = topics.entry(channel).or_default();
        let name = channel.name();
        let joined = topic.listeners.iter().any(|other| Arc::ptr_eq(other, listener));
        if joined && matches!(start, Start::After(_)) {
            // It hears everything already; a replay would come on top of what is queued.
            return;
        }
        let oldest = topic.seq + 1 - topic.ring.len() as u64;
        let replay = match start {
            Start::After(seq) if seq <= topic.seq && seq + 1 >= oldest => {
                let skip = usize::try_from(seq + 1 - oldest).unwrap_or(usize::MAX);
                listener.reset(channel, topic.ring.iter().skip(skip).cloned());
                true
            }
            _ => false,
        };
        if !replay {
            let gap = match start {
                Start::After(seq) if seq < topic.seq => Some(seq + 1),
                Start::Missed(seq) => Some(seq),
                // A position we never gave counts as none.
                Start::After(_) | Start::Fresh => None,
            };
            let gap = gap.and_then(|from| protocol::gap(&name, from, topic.seq));
            let picture = protocol::event("snapshot", &name, topic.seq, &picture(), now);
            listener.reset(channel, gap.into_iter().chain(picture));
        }
        if !joined {
            topic.listeners.push(listener.clone());
        }
    }

    /// Removes a listener from a channel.
    pub fn leave(&self, channel: Channel, listener: &Arc<Outbox>) {
        if let Some(topic) = self.topics().get_mut(&channel) {
            topic.listeners.retain(|other| !Arc::ptr_eq(other, listener));
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Channel, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits for one client.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Utf8Bytes>,
    bytes: usize,
    /// By channel, the first event that was dropped for want of room.
    missed: Vec<(Channel, u64)>,
}

impl Outbox {
    /// Queues an event, or notes that it was missed.
    fn offer(&self, channel: Channel, seq: u64, frame: &Utf8Bytes) {
        let mut waiting = self.waiting();
        let full =
            waiting.frames.len() >= QUEUE_EVENTS || waiting.bytes + frame.len() > QUEUE_BYTES;
        if waiting.missed.iter().any(|(missed, _)| *missed == channel) {
            return;
        }
        if full {
            waiting.missed.push((channel, seq));
        } else {
            waiting.bytes += frame.len();
            waiting.frames.push_back(frame.clone());
        }
        drop(waiting);
        self.more.notify_one();
    }

    /// Queues what a client gets on joining: bounded by the ring, or one picture.
    fn reset(&self, channel: Channel, frames: impl Iterator<Item = Utf8Bytes>) {
        let mut waiting = self.waiting();
        waiting.missed.retain(|(missed, _)| *missed != channel);
        for frame in frames {
            waiting.bytes += frame.len();
            waiting.frames.push_back(frame);
        }
        drop(waiting);
        self.more.notify_one();
    }

    /// Queues an answer of ours. Bounded by how often a client may ask.
    pub fn answer(&self, frame: Utf8Bytes) {
        let mut waiting = self.waiting();
        waiting.bytes += frame.len();
        waiting.frames.push_back(frame);
        drop(waiting);
        self.more.notify_one();
    }

    /// The next frames, few enough for one write.
    pub fn take(&self, most: usize, most_bytes: usize) -> Vec<Utf8Bytes> {
        let mut waiting = self.waiting();
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(frame) = waiting.frames.front() {
            if taken.len() >= most || (!taken.is_empty() && bytes + frame.len() > most_bytes) {
                break;
            }
            bytes += frame.len();
            taken.extend(waiting.frames.pop_front());
        }
        waiting.bytes -= bytes;
        taken
    }

    /// A channel that missed something, once everything before that was taken.
    pub fn take_missed(&self) -> Option<(Channel, u64)> {
        let mut waiting = self.waiting();
        if !waiting.frames.is_empty() {
            return None;
        }
        // It stays noted until the channel is joined anew, so that nothing is queued meanwhile.
        let missed = waiting.missed.first().copied();
        if missed.is_none() && waiting.frames.capacity() > QUEUE_EVENTS / 4 {
            // A burst is over: an idle client should not keep its room.
            waiting.frames = VecDeque::new();
        }
        missed
    }

    /// Forgets that a channel missed something: it is not heard any more.
    pub fn forget(&self, channel: Channel) {
        self.waiting().missed.retain(|(missed, _)| *missed != channel);
    }

    /// Whether anything waits.
    pub fn is_empty(&self) -> bool {
        let waiting = self.waiting();
        waiting.frames.is_empty() && waiting.missed.is_empty()
    }

    /// Resolves when there may be something to take.
    pub async fn ready(&self) {
        self.more.notified().await;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use provider_sessions::SessionId;
    use serde_json::{Value, json};

    use super::*;

    struct Fixture {
        hub: Hub,
        channel: Channel,
    }

    impl Fixture {
        fn new() -> Self {
            Self { hub: Hub::default(), channel: Channel::Login(SessionId::random()) }
        }

        fn publish(&self, text: &str) {
            let now = Timestamp::UNIX_EPOCH;
            self.hub.publish(self.channel, "provider_auth:line", &json!({ "text": text }), now);
        }

        fn join(&self, client: &Arc<Outbox>, start: Start) {
            let now = Timestamp::UNIX_EPOCH;
            self.hub.join(self.channel, client, start, now, || json!({ "view": true }));
        }
    }

    fn client() -> Arc<Outbox> {
        Arc::default()
    }

    /// What a client was told: `type` and `seq`, or the bounds of a gap.
    fn told(client: &Outbox) -> Vec<String> {
        let frames = client.take(usize::MAX, usize::MAX);
        let short = |frame: &Utf8Bytes| {
            let frame: Value = serde_json::from_str(frame).unwrap();
            let kind = frame["type"].as_str().unwrap();
            match kind {
                "gap" => format!("gap {}-{}", frame["from"], frame["to"]),
                _ => format!("{} {}", kind.rsplit(':').next().unwrap(), frame["seq"]),
            }
        };
        frames.iter().map(short).collect()
    }

    #[test]
    fn a_new_listener_gets_the_picture_and_then_every_event() {
        let f = Fixture::new();
        f.publish("before anyone listens");
        let (early, late) = (client(), client());
        f.join(&early, Start::Fresh);
        f.publish("a");
        f.join(&late, Start::Fresh);
        f.publish("b");
        assert_eq!(told(&early), ["snapshot 0", "line 1", "line 2"]);
        assert_eq!(told(&late), ["snapshot 1", "line 2"]);
    }

    #[test]
    fn who_comes_back_gets_what_was_missed_and_nothing_twice() {
        let f = Fixture::new();
        let first = client();
        f.join(&first, Start::Fresh);
        for text in ["a", "b", "c"] {
            f.publish(text);
        }
        let back = client();
        f.join(&back, Start::After(1));
        f.publish("d");
        assert_eq!(told(&back), ["line 2", "line 3", "line 4"]);
        let same = client();
        f.join(&same, Start::After(4));
        assert_eq!(told(&same), [""; 0]);
        let from_the_future = client();
        f.join(&from_the_future, Start::After(99));
        assert_eq!(told(&from_the_future), ["snapshot 4"]);
    }

    #[test]
    fn what_is_gone_is_a_gap_and_a_picture() {
        let f = Fixture::new();
        let first = client();
        f.join(&first, Start::Fresh);
        for _ in 0..RING_EVENTS + 10 {
            f.publish("x");
            told(&first);
        }
        let (late, just_in_time) = (client(), client());
        f.join(&late, Start::After(9));
        assert_eq!(told(&late), ["gap 10-510", "snapshot 510"]);
        f.join(&just_in_time, Start::After(10));
        assert_eq!(told(&just_in_time).len(), RING_EVENTS);
    }

    #[test]
    fn the_past_is_bounded_in_bytes() {
        let f = Fixture::new();
        let first = client();
        f.join(&first, Start::Fresh);
        let long = "x".repeat(RING_BYTES / 4);
        for _ in 0..8 {
            f.publish(&long);
            told(&first);
        }
        let topics = f.hub.topics();
        let topic = &topics[&f.channel];
        assert!(topic.ring_bytes <= RING_BYTES && topic.ring.len() == 3, "{}", topic.ring.len());
    }

    #[test]
    fn a_slow_listener_misses_events_is_told_so_and_touches_nobody_else() {
        let f = Fixture::new();
        let (slow, fast) = (client(), client());
        f.join(&slow, Start::Fresh);
        f.join(&fast, Start::Fresh);
        told(&fast);
        for _ in 0..QUEUE_EVENTS + 50 {
            f.publish("x");
            assert_eq!(told(&fast).len(), 1);
        }
        assert_eq!(slow.take_missed(), None, "first what is queued");
        assert_eq!(told(&slow).len(), QUEUE_EVENTS);
        f.publish("while it catches up");
        let (channel, seq) = slow.take_missed().unwrap();
        assert_eq!((channel, seq), (f.channel, 256));
        f.join(&slow, Start::Missed(seq));
        f.publish("y");
        assert_eq!(told(&slow), ["gap 256-307", "snapshot 307", "line 308"]);
        assert_eq!(slow.take_missed(), None);
    }

    #[test]
    fn a_queue_is_bounded_in_bytes() {
        let f = Fixture::new();
        let slow = client();
        f.join(&slow, Start::Fresh);
        let long = "x".repeat(QUEUE_BYTES / 3);
        for _ in 0..20 {
            f.publish(&long);
        }
        assert_eq!(told(&slow), ["snapshot 0", "line 1", "line 2"]);
        assert!(slow.take_missed().is_some());
    }

    #[test]
    fn who_left_hears_nothing() {
        let f = Fixture::new();
        let gone = client();
        f.join(&gone, Start::Fresh);
        f.join(&gone, Start::Fresh);
        f.join(&gone, Start::After(0));
        assert_eq!(told(&gone), ["snapshot 0", "snapshot 0"]);
        f.publish("once, though joined twice");
        assert_eq!(told(&gone), ["line 1"]);
        f.hub.leave(f.channel, &gone);
        f.publish("x");
        assert_eq!(told(&gone), [""; 0]);
    }

    #[test]
    fn channels_nobody_hears_make_room() {
        let hub = Hub::default();
        let stays = client();
        let kept = Channel::Login(SessionId::random());
        hub.join(kept, &stays, Start::Fresh, Timestamp::UNIX_EPOCH, || 0);
        for _ in 0..TOPICS * 3 {
            let (channel, passer_by) = (Channel::Login(SessionId::random()), client());
            hub.join(channel, &passer_by, Start::Fresh, Timestamp::UNIX_EPOCH, || 0);
            hub.leave(channel, &passer_by);
        }
        assert!(hub.topics().len() <= TOPICS && hub.topics().contains_key(&kept));
    }
}
