//! Which channels a client hears: what it asks for, and what it may.

use std::collections::HashMap;
use std::sync::Arc;

use room_auth::Caller;

use super::Session;
use crate::channels::hub::Start;
use crate::channels::protocol::Answer;
use crate::channels::{Channel, has_session, join};

/// Channels a socket may hear.
const CHANNELS: usize = 64;

impl Session {
    /// Joins what the client may hear of these, and says what that is. Who has a position hears what
    /// followed it.
    pub(super) fn subscribe(&mut self, names: Vec<String>, after: &HashMap<String, u64>) {
        let mut wanted = Vec::new();
        let (mut channels, mut denied) = (Vec::new(), Vec::new());
        for name in names {
            let channel = Channel::parse(&name, &self.caller);
            let room = self.channels.len() + wanted.len() < CHANNELS;
            match channel {
                Some(channel) if wanted.iter().any(|(other, _)| *other == channel) => {}
                Some(channel) if self.channels.contains(&channel) || room => {
                    wanted.push((channel, after.get(&name).copied()));
                }
                // Long names are not repeated: nobody asked for them in good faith.
                _ => denied.push(name.chars().take(100).collect()),
            }
        }
        // The answer first, then what each channel has to tell; both under the client's eyes in
        // that order.
        let mut joins = Vec::new();
        for (channel, position) in wanted {
            let start = position.map_or(Start::Fresh, Start::After);
            if self.exists(channel) {
                channels.push(channel.name());
                joins.push((channel, start));
            } else {
                denied.push(channel.name());
            }
        }
        self.say(&Answer::Subscribed { channels, denied });
        for (channel, start) in joins {
            let heard = self.channels.contains(&channel);
            if join(&self.app, channel, &self.outbox, start) && !heard {
                self.channels.push(channel);
            }
        }
    }

    /// Leaves those of these that it hears, and says which.
    pub(super) fn unsubscribe(&mut self, names: Vec<String>) {
        let mut channels = Vec::new();
        for name in names {
            let Some(channel) = Channel::parse(&name, &self.caller) else { continue };
            let Some(at) = self.channels.iter().position(|heard| *heard == channel) else {
                continue;
            };
            self.channels.swap_remove(at);
            self.leave(channel);
            channels.push(name);
        }
        self.say(&Answer::Unsubscribed { channels });
    }

    /// Goes on as this caller. Channels they may not hear any more are left, and one that looks
    /// different to them now is joined anew.
    pub(super) fn stand_as(&mut self, caller: Arc<Caller>) {
        let another = caller.standing != self.caller.standing;
        (self.caller, self.warned) = (caller, false);
        if !another {
            return;
        }
        let mut left = Vec::new();
        for channel in std::mem::take(&mut self.channels) {
            let name = channel.name();
            match Channel::parse(&name, &self.caller) {
                Some(same) if same == channel => self.channels.push(channel),
                other => {
                    self.leave(channel);
                    match other {
                        Some(other) if join(&self.app, other, &self.outbox, Start::Fresh) => {
                            self.channels.push(other);
                        }
                        _ => left.push(name),
                    }
                }
            }
        }
        if !left.is_empty() {
            self.say(&Answer::Unsubscribed { channels: left });
        }
    }

    fn exists(&self, channel: Channel) -> bool {
        match channel {
            Channel::Providers(_) | Channel::Activity => true,
            Channel::Access => self.app.cloud.is_some(),
            Channel::Login(id) | Channel::Install(id) => has_session(&self.app, channel, id),
        }
    }

    fn leave(&self, channel: Channel) {
        self.app.hub.leave(channel, &self.outbox);
        self.outbox.forget(channel);
    }
}
