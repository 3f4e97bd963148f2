//! The log: to standard error, one JSON object a line, or for eyes when a person looks.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogFormat, LogLevel};

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
    // Other people's crates are heard only when they complain: their details are not ours to vouch
    // for.
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("room_runtime", level)
        .with_target("room_auth", level)
        .with_target("provider_sessions", level);
    let pretty = match format {
        Some(LogFormat::Pretty) => true,
        Some(LogFormat::Json) => false,
        None => std::io::stderr().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let started = if pretty {
        // No colours: an escape in a log line is one more thing to trust.
        let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
        registry.with(layer.with_ansi(false)).try_init()
    } else {
        let layer = fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
        registry.with(layer).try_init()
    };
    // A second server in one process keeps the log of the first.
    drop(started);
}
