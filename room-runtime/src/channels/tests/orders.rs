//! The hub in every order that its threads may run in, as far as some thousand random schedules
//! show: the same sources once more, with locks that yield at each step. Where nobody could go on,
//! a wake-up was lost, and the schedule fails.

#![expect(unreachable_pub, dead_code, reason = "the sources are those of public modules")]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use jiff::Timestamp;
use provider_sessions::SessionId;
use serde_json::{Value, json};
use shuttle::thread;

use self::hub::{Hub, Start, TOPICS};
use self::outbox::{Next, Outbox, QUEUE_BYTES};
use self::sync::{Arc, Mutex};
use crate::channels::{Channel, frames, protocol};

#[expect(clippy::duplicate_mod, reason = "with other locks it is another module")]
#[path = "../hub.rs"]
mod hub;
#[expect(clippy::duplicate_mod, reason = "as above")]
#[path = "../outbox.rs"]
mod outbox;

/// What the sources lock with.
mod sync {
    pub(super) use std::sync::PoisonError;

    pub(super) use shuttle::sync::{
        Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    };
}

/// How many schedules each test tries.
const SCHEDULES: usize = 10_000;

/// A source of events as the real ones are: it publishes and is looked at under one lock.
struct Source {
    hub: Hub,
    channel: Channel,
    published: Mutex<u64>,
    filling: String,
}

impl Source {
    /// `size_bytes` is the length of an event.
    fn new(size_bytes: usize) -> Arc<Self> {
        let channel = Channel::Login(SessionId::random());
        let filling = "x".repeat(size_bytes);
        Arc::new(Self { hub: Hub::default(), channel, published: Mutex::new(0), filling })
    }

    fn publish(&self) {
        let mut published = self.published.lock().unwrap();
        *published += 1;
        let data = json!({ "count": *published, "filling": self.filling });
        self.hub.publish(self.channel, "x", &data, Timestamp::UNIX_EPOCH);
    }

    fn join(&self, client: &Arc<Outbox>, start: Start) {
        let published = self.published.lock().unwrap();
        let picture = || json!({ "count": *published });
        self.hub.join(self.channel, client, start, Timestamp::UNIX_EPOCH, picture);
    }
}

/// One that listens: what it has heard must be whole.
struct Listener {
    source: Arc<Source>,
    outbox: Arc<Outbox>,
    seq: Option<u64>,
    count: u64,
    snapshots: usize,
}

impl Listener {
    fn new(source: &Arc<Source>) -> Self {
        let (source, outbox) = (source.clone(), Arc::new(Outbox::default()));
        Self { source, outbox, seq: None, count: 0, snapshots: 0 }
    }

    /// As a client's task does it, until it knows of that many.
    fn hear(&mut self, count: u64) {
        while self.count < count {
            let mut frames = VecDeque::new();
            let outbox = self.outbox.clone();
            let next = shuttle::future::block_on(poll_fn(|cx| {
                outbox.poll_next(cx, &mut frames, 2, usize::MAX)
            }));
            if let Next::Rejoin(_, seq) = next {
                self.source.join(&outbox, Start::Missed(seq));
            }
            for frame in frames {
                self.take(&serde_json::from_str(frame.as_text()).unwrap());
            }
        }
        assert_eq!(self.count, count, "more than there was");
    }

    fn take(&mut self, event: &Value) {
        let (seq, count) = (event["seq"].as_u64(), event["data"]["count"].as_u64());
        match event["type"].as_str().unwrap() {
            "gap" => {
                let from = event["from"].as_u64();
                assert_eq!(from, self.seq.map(|seq| seq + 1), "a gap begins where hearing ended");
            }
            "snapshot" => {
                self.snapshots += 1;
                (self.seq, self.count) = (seq, count.unwrap());
            }
            _ => {
                assert_eq!(seq, self.seq.map(|seq| seq + 1), "in order, none twice, none left out");
                assert_eq!(count, Some(self.count + 1), "the picture was of its moment");
                (self.seq, self.count) = (seq, count.unwrap());
            }
        }
    }
}

#[test]
fn who_joins_while_it_is_told_misses_nothing_and_is_woken() {
    let test = || {
        let source = Source::new(0);
        let publishing = source.clone();
        let publisher = thread::spawn(move || (0..4).for_each(|_| publishing.publish()));
        let listeners: Vec<_> = (0..2)
            .map(|_| {
                let mut listener = Listener::new(&source);
                thread::spawn(move || {
                    listener.source.join(&listener.outbox, Start::Fresh);
                    listener.hear(4);
                    assert_eq!(listener.snapshots, 1);
                })
            })
            .collect();
        publisher.join().unwrap();
        for listener in listeners {
            listener.join().unwrap();
        }
    };
    shuttle::check_random(test, SCHEDULES);
}

#[test]
fn who_is_about_to_sleep_is_woken_by_the_one_event_there_is() {
    let test = || {
        let source = Source::new(0);
        let mut listener = Listener::new(&source);
        source.join(&listener.outbox, Start::Fresh);
        let publisher = thread::spawn(move || source.publish());
        listener.hear(1);
        publisher.join().unwrap();
    };
    shuttle::check_random(test, SCHEDULES);
}

#[test]
fn who_is_too_slow_is_told_of_the_gap_and_ends_up_to_date() {
    let test = || {
        // Two of them fill a queue.
        let source = Source::new(QUEUE_BYTES / 2 - 500);
        let mut listener = Listener::new(&source);
        listener.source.join(&listener.outbox, Start::Fresh);
        let publisher = thread::spawn(move || (0..5).for_each(|_| source.publish()));
        listener.hear(5);
        publisher.join().unwrap();
    };
    shuttle::check_random(test, SCHEDULES);
}

#[test]
fn who_comes_back_by_a_position_while_another_leaves_misses_nothing() {
    let test = || {
        let source = Source::new(0);
        let mut first = Listener::new(&source);
        first.source.join(&first.outbox, Start::Fresh);
        source.publish();
        first.hear(1);
        let publishing = source.clone();
        let publisher = thread::spawn(move || (0..3).for_each(|_| publishing.publish()));
        let back = thread::spawn(move || {
            let mut again = Listener::new(&first.source);
            (again.seq, again.count) = (first.seq, first.count);
            again.source.join(&again.outbox, Start::After(again.seq.unwrap()));
            first.source.hub.leave(first.source.channel, &first.outbox);
            again.hear(4);
            assert_eq!(again.snapshots, 0, "all of it was still there");
        });
        publisher.join().unwrap();
        back.join().unwrap();
        assert_eq!(source.hub.listeners(source.channel), 1);
    };
    shuttle::check_random(test, SCHEDULES);
}

#[test]
fn a_channel_that_makes_room_for_others_is_not_lost_to_who_joins_it() {
    let test = || {
        let source = Source::new(0);
        let passer_by = Arc::new(Outbox::default());
        let join = |hub: &Hub, channel, outbox: &Arc<Outbox>| {
            hub.join(channel, outbox, Start::Fresh, Timestamp::UNIX_EPOCH, || 0);
        };
        source.join(&passer_by, Start::Fresh);
        source.hub.leave(source.channel, &passer_by);
        for _ in 1..TOPICS {
            let channel = Channel::Login(SessionId::random());
            join(&source.hub, channel, &passer_by);
            source.hub.leave(channel, &passer_by);
        }
        let (crowding, mut listener) = (source.clone(), Listener::new(&source));
        let crowd = thread::spawn(move || {
            join(&crowding.hub, Channel::Login(SessionId::random()), &passer_by);
        });
        let hearing = thread::spawn(move || {
            listener.source.join(&listener.outbox, Start::Fresh);
            listener.hear(2);
        });
        source.publish();
        source.publish();
        crowd.join().unwrap();
        hearing.join().unwrap();
    };
    shuttle::check_random(test, SCHEDULES / 10);
}

/// That the schedules are not all the same: somewhere the listener must have been first, and
/// somewhere last.
#[test]
fn schedules_differ() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let noted = seen.clone();
    let test = move || {
        let source = Source::new(0);
        let publishing = source.clone();
        let publisher = thread::spawn(move || publishing.publish());
        let listener = Listener::new(&source);
        source.join(&listener.outbox, Start::Fresh);
        publisher.join().unwrap();
        let mut frames = VecDeque::new();
        let cx = std::task::Context::from_waker(std::task::Waker::noop());
        let next = listener.outbox.poll_next(&cx, &mut frames, 9, usize::MAX);
        assert_eq!(next, Poll::Ready(Next::Write));
        noted.lock().unwrap().insert(frames.len());
    };
    shuttle::check_random(test, 200);
    assert_eq!(*seen.lock().unwrap(), [1, 2].into());
}
