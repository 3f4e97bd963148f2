//! The log: to standard error, a line an event, as JSON or for eyes.
//!
//! What may be in a line is a closed set of fields, each at most 1 KiB long; no address with its
//! query, no body and no terminal's text is among them. Behind that stands `scrub`, which takes
//! out whatever still looks like a secret. An event of a request carries the number we gave it,
//! which is in its answer too.

mod line;
mod scrub;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use self::line::Line;
use crate::config::{LogFormat, LogLevel};

/// Whose events are heard at the level that was asked for. Other people's crates are heard only when
/// they complain: their details are not ours to vouch for.
const OURS: [&str; 3] = ["room_runtime", "room_auth", "provider_sessions"];

/// The fields of our events, all there are; `message`, `request` and what every line begins with
/// come on top. Of others' events only the message is told.
pub const FIELDS: &[&str] = &[
    "about",
    "action",
    "address",
    "backwards_seconds",
    "build",
    "by",
    "code",
    "copy",
    "count",
    "device",
    "devices",
    "error",
    "failures",
    "fault",
    "forwards_seconds",
    "group",
    "index",
    "intent",
    "issuer",
    "kept",
    "keys",
    "kid",
    "killed",
    "left",
    "login",
    "method",
    "micros",
    "mode",
    "ok",
    "outcome",
    "owner",
    "path",
    "provider",
    "reason",
    "reused",
    "role",
    "route",
    "seq",
    "session",
    "source",
    "status",
    "subject",
    "thumbprint",
    "token_id",
    "version",
    "wait",
    "why",
];

/// The longest text of a field, in bytes; the rest is left out.
pub const FIELD_BYTES: usize = 1024;

tokio::task_local! {
    /// The request that is being answered.
    static REQUEST: RequestId;
}

/// Our own number of a request: this run of the server, and which of its requests. A client's is
/// never taken over.
#[derive(Clone, Copy, Debug)]
pub struct RequestId {
    run: [u8; 8],
    number: u64,
}

impl RequestId {
    /// The number of a request of the run that `boot` names.
    pub fn new(boot: &str, number: u64) -> Self {
        let mut run = [b'0'; 8];
        for (digit, letter) in run.iter_mut().zip(boot.bytes()) {
            *digit = letter;
        }
        Self { run, number }
    }

    /// The text of it, at the end of `room`: what every answer carries is not worth a formatter.
    pub fn write(self, room: &mut [u8; Self::BYTES]) -> &[u8] {
        let (mut start, mut rest) = (room.len(), self.number);
        loop {
            start -= 1;
            room[start] = b"0123456789"[(rest % 10) as usize];
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        room[start - 1] = b'-';
        start -= 1 + self.run.len();
        room[start..][..self.run.len()].copy_from_slice(&self.run);
        &room[start..]
    }

    /// The longest text: eight digits of the run, a hyphen, and a `u64`.
    pub const BYTES: usize = 8 + 1 + 20;

    /// What is logged by `work` carries this number.
    pub async fn over<T>(self, work: impl Future<Output = T>) -> T {
        REQUEST.scope(self, work).await
    }

    /// The same for work that waits for nothing.
    pub fn within<T>(self, work: impl FnOnce() -> T) -> T {
        REQUEST.sync_scope(self, work)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(self.write(&mut [0; Self::BYTES])).unwrap_or("0"))
    }
}

/// Starts the log. Called once; later calls change nothing.
pub fn start(level: LogLevel, format: Option<LogFormat>) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let looked_at = io::stderr().is_terminal();
    let by_itself = if looked_at { LogFormat::Pretty } else { LogFormat::Json };
    let format = format.unwrap_or(by_itself);
    // A second server in one process keeps the log of the first.
    let _second = tracing::subscriber::set_global_default(Log { level, format });
}

/// Hears events and writes them. It knows no spans: nothing of ours has any, and what a request's
/// events have in common is [`REQUEST`].
struct Log {
    level: LevelFilter,
    format: LogFormat,
}

impl Log {
    fn is_ours(target: &str) -> bool {
        OURS.contains(&target.split("::").next().unwrap_or(target))
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = if Self::is_ours(metadata.target()) {
            self.level
        } else {
            self.level.min(LevelFilter::WARN)
        };
        // A question (`tracing::enabled!`) is no event, and asks about one.
        !metadata.is_span() && *metadata.level() <= level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let request = REQUEST.try_with(|request| *request).ok();
        let mut line = Line::new(self.format, Self::is_ours(metadata.target()));
        event.record(&mut line);
        let text = line.finish(jiff::Timestamp::now(), metadata, request);
        // In one call, so that lines of several threads do not mix; nobody can be told if it fails.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
