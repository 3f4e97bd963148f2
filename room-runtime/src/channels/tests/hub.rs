//! Joining, publishing, falling behind.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;
use provider_sessions::SessionId;
use serde_json::{Value, json};

use crate::channels::Channel;
use crate::channels::frames::Frame;
use crate::channels::hub::{Hub, RING_BYTES, RING_EVENTS, Start, TOPICS};
use crate::channels::outbox::{Next, Outbox, QUEUE_BYTES, QUEUE_EVENTS};

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

/// What a client's task would do next.
fn next(client: &Outbox, into: &mut VecDeque<Frame>) -> Option<Next> {
    let cx = Context::from_waker(Waker::noop());
    match client.poll_next(&cx, into, usize::MAX, usize::MAX) {
        Poll::Ready(next) => Some(next),
        Poll::Pending => None,
    }
}

/// The channel that missed something, when nothing else waits.
fn missed(client: &Outbox) -> Option<(Channel, u64)> {
    match next(client, &mut VecDeque::new()) {
        Some(Next::Rejoin(channel, seq)) => Some((channel, seq)),
        Some(Next::Write) => panic!("first what is queued"),
        None => None,
    }
}

/// What a client was told: `type` and `seq`, or the bounds of a gap.
fn told(client: &Outbox) -> Vec<String> {
    let mut frames = VecDeque::new();
    next(client, &mut frames);
    let short = |frame: &Frame| {
        let frame: Value = serde_json::from_str(frame.as_text()).unwrap();
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
    let (_, bytes) = f.hub.held();
    assert!(bytes <= RING_BYTES && bytes > RING_BYTES / 2, "{bytes}");
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
    assert_eq!(slow.held().0, QUEUE_EVENTS);
    assert_eq!(told(&slow).len(), QUEUE_EVENTS);
    f.publish("while it catches up");
    let (channel, seq) = missed(&slow).unwrap();
    assert_eq!((channel, seq), (f.channel, 256));
    f.join(&slow, Start::Missed(seq));
    f.publish("y");
    assert_eq!(told(&slow), ["gap 256-307", "snapshot 307", "line 308"]);
    assert_eq!(missed(&slow), None);
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
    assert!(missed(&slow).is_some());
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
    assert!(hub.held().0 <= TOPICS);
    hub.publish(kept, "x", &0, Timestamp::UNIX_EPOCH);
    assert_eq!(told(&stays), ["snapshot 0", "x 1"]);
}

#[test]
fn a_position_of_a_forgotten_past_is_none_of_the_new_one() {
    let f = Fixture::new();
    let first = client();
    f.join(&first, Start::Fresh);
    for text in ["a", "b", "c"] {
        f.publish(text);
    }
    f.hub.leave(f.channel, &first);
    for _ in 0..TOPICS {
        let channel = Channel::Login(SessionId::random());
        f.hub.join(channel, &client(), Start::Fresh, Timestamp::UNIX_EPOCH, || 0);
    }
    // The channel comes back and goes further than before; what lies between is not skipped.
    let other = client();
    f.join(&other, Start::Fresh);
    for _ in 0..10 {
        f.publish("new");
    }
    let back = client();
    f.join(&back, Start::After(3));
    assert_eq!(told(&back), ["gap 4-14", "snapshot 14"]);
}
