//! What is said on a socket: JSON texts, one message each.

use std::collections::HashMap;

use jiff::Timestamp;
use provider_sessions::{Line, SessionView};
use serde::{Deserialize, Serialize};

use super::frames::Frame;
use crate::http::wire::{self, time};

/// The subprotocol.
pub const PROTOCOL: &str = "room.v1";

/// How a one-time ticket is sent: as a second subprotocol, the one header a page may set.
pub const TICKET_PREFIX: &str = "room.ticket.";

/// Why we close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The server stops, and is expected back.
    Restarting = 1012,
    /// Nothing was heard for too long.
    GoingAway = 1001,
    /// Nobody looks at the page, and a hosted machine may sleep.
    Idle = 4000,
    /// What was sent is not the protocol.
    BadProtocol = 4400,
    /// The sign-in ended.
    SignInAgain = 4401,
    /// Someone ended the sign-in, or it is another person's token.
    NotAllowed = 4403,
    /// It does not read.
    TooSlow = 4408,
    /// Too many messages or sockets.
    TooMany = 4429,
}

impl Close {
    /// A word for those who debug.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Restarting => "restarting",
            Self::GoingAway => "silent for too long",
            Self::Idle => "idle",
            Self::BadProtocol => "bad protocol",
            Self::SignInAgain => "sign in again",
            Self::NotAllowed => "not allowed",
            Self::TooSlow => "too slow",
            Self::TooMany => "too many",
        }
    }
}

/// What a client says.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Said {
    /// Wants to hear channels.
    Subscribe {
        /// Their names.
        channels: Vec<String>,
        /// By name, the last event it has.
        #[serde(default)]
        after: HashMap<String, u64>,
        /// The run of the server those numbers are of.
        #[serde(default)]
        boot: Option<String>,
    },
    /// Wants to hear them no more.
    Unsubscribe {
        /// Their names.
        channels: Vec<String>,
    },
    /// Are you there?
    Ping {
        /// Comes back with the answer.
        #[serde(default)]
        id: Option<PingId>,
    },
    /// Whether a person looks at the page.
    Visible {
        /// They do.
        value: bool,
    },
    /// A new bearer of the same person, before the old one ends.
    Reauth {
        /// The bearer.
        token: String,
    },
    /// Something of a newer client.
    #[serde(other)]
    Unknown,
}

/// A text or a number.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PingId {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// What we answer.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Answer {
    /// First of all.
    Hello {
        /// The dashboard's build.
        build: &'static str,
        /// This run of the server.
        boot: String,
        /// The mode.
        mode: &'static str,
        /// Our time.
        now: String,
        /// How often we ask whether the client is there.
        heartbeat_ms: u64,
    },
    /// What is heard now, and what cannot be.
    Subscribed {
        /// Heard.
        channels: Vec<String>,
        /// Unknown or forbidden.
        denied: Vec<String>,
    },
    /// What is heard no more.
    Unsubscribed {
        /// The names.
        channels: Vec<String>,
    },
    /// I am.
    Pong {
        /// From the ping.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<PingId>,
    },
    /// The sign-in ends soon.
    AuthExpiring {
        /// When.
        at: String,
    },
    /// Something was wrong.
    Error {
        /// A stable word.
        code: &'static str,
        /// For people.
        message: &'static str,
    },
}

impl Answer {
    /// As it is sent.
    pub fn frame(&self) -> Frame {
        let frame = Frame::text(128, |bytes| serde_json::to_writer(bytes, self));
        frame.expect("answers are plain data")
    }
}

/// `{type, channel, seq, data, timestamp}`; `None` if the data cannot be JSON. `size_bytes` is a
/// guess at its length.
pub fn event<T: Serialize>(
    kind: &str,
    channel: &str,
    seq: u64,
    data: &T,
    now: Timestamp,
    size_bytes: usize,
) -> Option<Frame> {
    #[derive(Serialize)]
    struct Event<'a, T> {
        r#type: &'a str,
        channel: &'a str,
        seq: u64,
        data: &'a T,
        timestamp: String,
    }
    let event = Event { r#type: kind, channel, seq, data, timestamp: time(now) };
    Frame::text(size_bytes, |bytes| serde_json::to_writer(bytes, &event)).ok()
}

/// `{type: "gap", channel, from, to}`.
pub fn gap(channel: &str, from: u64, to: u64) -> Option<Frame> {
    let gap = serde_json::json!({ "type": "gap", "channel": channel, "from": from, "to": to });
    Frame::text(96, |bytes| serde_json::to_writer(bytes, &gap)).ok()
}

/// `provider_auth:line`.
///
/// Ids rise; where they jump, lines were left out of a flood, and what a listener has kept from before
/// is no more part of the end that the server keeps. At most one message in 20 ms in the long run, of
/// about 16 KiB, and one in 200 ms for `currentLine` alone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinesData {
    session_id: String,
    lines: Vec<wire::Line>,
    /// The line that the program is writing after these; null if there is none. Each message's takes
    /// the place of the one before.
    current_line: Option<String>,
    device_code: Option<String>,
    verification_url: Option<String>,
}

impl LinesData {
    /// New lines, with what they have brought.
    pub fn new(view: &SessionView, new: &[Line]) -> Self {
        Self {
            session_id: view.id.to_string(),
            lines: new.iter().map(Into::into).collect(),
            current_line: view.current_line.clone(),
            device_code: view.device_code.clone(),
            verification_url: view.verification_url.clone(),
        }
    }
}

/// `providers:auth_status`.
#[derive(Serialize)]
pub struct ProviderData {
    /// Which provider.
    pub provider: String,
    /// How it stands now.
    #[serde(flatten)]
    pub status: wire::ProviderStatus,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Said> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn messages_are_read() {
        let subscribe = parse(
            r#"{"type":"subscribe","channels":["providers"],"after":{"providers":4},"boot":"b"}"#,
        );
        let expected = Said::Subscribe {
            channels: vec!["providers".into()],
            after: HashMap::from([("providers".into(), 4)]),
            boot: Some("b".into()),
        };
        assert_eq!(subscribe, Some(expected));
        let ping = |id| Some(Said::Ping { id });
        assert_eq!(parse(r#"{"type":"ping","id":"7"}"#), ping(Some(PingId::Text("7".into()))));
        assert_eq!(parse(r#"{"type":"ping","id":7}"#), ping(Some(PingId::Number(7))));
        assert_eq!(parse(r#"{"type":"ping"}"#), ping(None));
        assert_eq!(parse(r#"{"type":"dance","with":1}"#), Some(Said::Unknown));
        for bad in [
            "",
            "{}",
            "[]",
            "null",
            "1",
            "{\"type\":1}",
            r#"{"type":"subscribe"}"#,
            r#"{"type":"subscribe","channels":"providers"}"#,
            r#"{"type":"subscribe","channels":[1]}"#,
            r#"{"type":"subscribe","channels":[],"after":{"a":-1}}"#,
            r#"{"type":"ping","id":{}}"#,
            r#"{"type":"reauth"}"#,
            "{\"type\":\"ping\"",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
