//! The hub beside a plain list of everything that was ever published: whatever clients do, what
//! they hear is that list, or a gap that names what is missing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;
use proptest::prelude::*;
use provider_sessions::SessionId;
use serde_json::{Value, json};

use crate::channels::Channel;
use crate::channels::hub::{Hub, RING_BYTES, RING_EVENTS, Start};
use crate::channels::outbox::{Next, Outbox, QUEUE_BYTES, QUEUE_EVENTS};

const CHANNELS: usize = 2;
const CLIENTS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// So many events of so many bytes.
    Publish { channel: usize, events: usize, size_bytes: usize },
    /// Joins, if it does not hear it yet, from where it left or anew.
    Join { client: usize, channel: usize, fresh: bool },
    /// Stops hearing.
    Leave { client: usize, channel: usize },
    /// Takes up to so many frames.
    Read { client: usize, frames: usize },
    /// Its line breaks, with all that was on the way; it comes back where it was.
    Reconnect { client: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (channel, client) = (0..CHANNELS, 0..CLIENTS);
    let events = prop_oneof![4 => 1..5usize, 1 => 100..600usize];
    let sizes = prop_oneof![6 => 0..200usize, 1 => 20_000..90_000usize];
    let step = prop_oneof![
        4 => (channel.clone(), events, sizes)
            .prop_map(|(channel, events, size_bytes)| Step::Publish { channel, events, size_bytes }),
        2 => (client.clone(), channel.clone(), any::<bool>())
            .prop_map(|(client, channel, fresh)| Step::Join { client, channel, fresh }),
        1 => (client.clone(), channel).prop_map(|(client, channel)| Step::Leave { client, channel }),
        4 => (client.clone(), 1..300usize)
            .prop_map(|(client, frames)| Step::Read { client, frames }),
        2 => client.prop_map(|client| Step::Reconnect { client }),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Default)]
struct Listener {
    outbox: Arc<Outbox>,
    /// By channel, the last number it has; kept over a leave, as a page does.
    last: [Option<u64>; CHANNELS],
    hears: [bool; CHANNELS],
    /// Whether a picture is due: it was asked for, or a gap was told.
    picture_due: [bool; CHANNELS],
}

struct World {
    hub: Hub,
    channels: [Channel; CHANNELS],
    /// How often was published, by channel.
    published: [u64; CHANNELS],
    /// How often before anyone ever joined: those have no number.
    unheard: [Option<u64>; CHANNELS],
    clients: [Listener; CLIENTS],
}

impl World {
    fn new() -> Self {
        Self {
            hub: Hub::default(),
            channels: std::array::from_fn(|_| Channel::Login(SessionId::random())),
            published: [0; CHANNELS],
            unheard: [None; CHANNELS],
            clients: std::array::from_fn(|_| Listener::default()),
        }
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Publish { channel, events, size_bytes } => {
                let filling = "x".repeat(size_bytes);
                for _ in 0..events {
                    self.published[channel] += 1;
                    let data = json!({ "count": self.published[channel], "filling": filling });
                    let now = Timestamp::UNIX_EPOCH;
                    self.hub.publish(self.channels[channel], "x", &data, now);
                }
            }
            Step::Join { client, channel, fresh } => {
                if !self.clients[client].hears[channel] {
                    let last = self.clients[client].last[channel].filter(|_| !fresh);
                    self.join(client, channel, last.map_or(Start::Fresh, Start::After));
                    self.clients[client].hears[channel] = true;
                }
            }
            Step::Leave { client, channel } => {
                // What is on the way still arrives; a page waits for the answer.
                self.read(client, usize::MAX);
                let listener = &mut self.clients[client];
                self.hub.leave(self.channels[channel], &listener.outbox);
                listener.outbox.forget(self.channels[channel]);
                listener.hears[channel] = false;
            }
            Step::Read { client, frames } => self.read(client, frames),
            Step::Reconnect { client } => {
                let broken = std::mem::take(&mut self.clients[client].outbox);
                self.clients[client].picture_due = [false; CHANNELS];
                for channel in 0..CHANNELS {
                    self.hub.leave(self.channels[channel], &broken);
                    if self.clients[client].hears[channel] {
                        let last = self.clients[client].last[channel];
                        self.join(client, channel, last.map_or(Start::Fresh, Start::After));
                    }
                }
            }
        }
        self.is_bounded();
    }

    fn join(&mut self, client: usize, channel: usize, start: Start) {
        self.unheard[channel].get_or_insert(self.published[channel]);
        let listener = &mut self.clients[client];
        listener.picture_due[channel] |= start == Start::Fresh;
        let picture = || json!({ "count": self.published[channel] });
        let now = Timestamp::UNIX_EPOCH;
        self.hub.join(self.channels[channel], &listener.outbox, start, now, picture);
    }

    /// Takes up to so many frames, as a client's task does.
    fn read(&mut self, client: usize, most: usize) {
        let mut left = most;
        while left > 0 {
            let mut frames = VecDeque::new();
            let cx = Context::from_waker(Waker::noop());
            let outbox = self.clients[client].outbox.clone();
            match outbox.poll_next(&cx, &mut frames, left, usize::MAX) {
                Poll::Pending => return,
                Poll::Ready(Next::Write) => {}
                Poll::Ready(Next::Rejoin(channel, seq)) => {
                    let channel = self.channels.iter().position(|known| *known == channel);
                    self.join(client, channel.unwrap(), Start::Missed(seq));
                }
            }
            left -= frames.len();
            for frame in frames {
                self.hear(client, &serde_json::from_str(frame.as_text()).unwrap());
            }
        }
    }

    fn hear(&mut self, client: usize, event: &Value) {
        let name = event["channel"].as_str().unwrap();
        let channel = self.channels.iter().position(|channel| channel.name() == name).unwrap();
        let unheard = self.unheard[channel].unwrap();
        let listener = &mut self.clients[client];
        let last = &mut listener.last[channel];
        let (seq, count) = (event["seq"].as_u64(), event["data"]["count"].as_u64());
        match event["type"].as_str().unwrap() {
            "gap" => {
                assert_eq!(event["from"].as_u64(), last.map(|last| last + 1), "{event}");
                assert!(event["to"].as_u64() > *last, "{event}");
                listener.picture_due[channel] = true;
            }
            "snapshot" => {
                let due = std::mem::take(&mut listener.picture_due[channel]);
                assert!(due, "nothing is skipped unsaid: {event}");
                assert_eq!(count, seq.map(|seq| seq + unheard), "the picture of its moment");
                *last = seq;
            }
            _ => {
                assert!(!listener.picture_due[channel], "the picture comes first: {event}");
                assert_eq!(seq, last.map(|last| last + 1), "in order, none twice, none left out");
                assert_eq!(count, seq.map(|seq| seq + unheard), "the event of that number");
                *last = seq;
            }
        }
    }

    fn is_bounded(&self) {
        assert!(self.hub.held().1 <= RING_BYTES);
        for client in &self.clients {
            // A replay comes on top of what waits, a picture for each channel too.
            let (frames, bytes) = client.outbox.held();
            assert!(frames <= QUEUE_EVENTS + CHANNELS * (RING_EVENTS + 2), "{frames}");
            assert!(bytes <= QUEUE_BYTES + CHANNELS * (RING_BYTES + 1000), "{bytes}");
        }
    }

    /// Whoever listens ends up to date.
    fn settle(&mut self) {
        for client in 0..CLIENTS {
            self.read(client, usize::MAX);
            for channel in 0..CHANNELS {
                if self.clients[client].hears[channel] {
                    let known = self.published[channel] - self.unheard[channel].unwrap();
                    assert_eq!(self.clients[client].last[channel], Some(known));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_clients_do_they_hear_everything_or_of_the_gap(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.play(step);
        }
        world.settle();
    }
}
