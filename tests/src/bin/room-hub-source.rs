//! The real server with a tap: publishes what it is told on stdin straight into the channel
//! `providers`, so that the live link can be measured without a program that prints.
//!
//! ```text
//! → {"port":…,"token":"…","pid":…,"channel":"providers"}
//! burst N SIZE              ← N events of SIZE bytes, as fast as it goes
//! rate N SIZE SECONDS       ← N events of SIZE bytes a second
//! listeners                 ← {"listeners":…}
//! end
//! ```
//!
//! The first two answer `{"done":true,"seconds":…,"published":…}`. Each event carries the time it was
//! made at, as `room-load` reads it. Rates are not limited, and nobody's programs are found.

#![expect(clippy::print_stdout, reason = "it speaks to the program that measures")]

use std::io::{self, BufRead as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use room_runtime::channels::hub::Hub;
use room_runtime::channels::{Audience, Channel};
use room_runtime::config::Environment;
use room_runtime::{Config, Server};
use room_tests::load::micros_now;
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

const CHANNEL: Channel = Channel::Providers(Audience::Managers);

/// What an event has around its filling.
const AROUND: usize = 137;

#[derive(Serialize)]
struct Data<'a> {
    at: u64,
    x: &'a str,
}

fn main() -> ExitCode {
    provider_sessions::run_launcher_if_asked();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(serve()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{}", json!({ "error": error.to_string() }));
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> io::Result<()> {
    let temporary = tempfile::tempdir()?;
    let data = temporary.path().join("room");
    let flags = [
        ("ROOM_DATA_DIR", data.display().to_string()),
        ("ROOM_PROVIDER_HOME", temporary.path().join("home").display().to_string()),
        ("ROOM_PORT", "0".to_owned()),
        ("ROOM_AUTH_FAILURES_PER_MINUTE", "off".to_owned()),
    ];
    let environment = Environment::from([("PATH".to_owned(), "/nonexistent".to_owned())]);
    let config = Config::load(&flags.into_iter().collect(), &environment, None);
    let config = config.map_err(|faults| io::Error::other(faults.to_string()))?;
    let server = Server::bind(config, &environment).await.map_err(io::Error::other)?;
    let hub = server.hub();
    let port: u16 =
        std::fs::read_to_string(data.join("api.port"))?.trim().parse().map_err(io::Error::other)?;
    let token = std::fs::read_to_string(data.join("api.token"))?;
    let stop = CancellationToken::new();
    let running = tokio::spawn(server.run(stop.clone()));
    let first = json!({
        "port": port, "token": token.trim(), "pid": std::process::id(), "channel": "providers",
    });
    println!("{first}");
    tokio::task::spawn_blocking(move || obey(&hub)).await??;
    stop.cancel();
    running.await?;
    Ok(())
}

fn obey(hub: &Arc<Hub>) -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok());
        match (words.first().copied(), number(1), number(2), number(3)) {
            (Some("burst"), Some(events), Some(size), None) => publish(hub, events, size, None),
            (Some("rate"), Some(rate), Some(size), Some(seconds)) if rate > 0 => {
                publish(hub, rate * seconds, size, Some(Duration::from_secs(1) / rate));
            }
            (Some("listeners"), ..) => {
                println!("{}", json!({ "listeners": hub.listeners(CHANNEL) }));
            }
            (Some("end"), ..) => return Ok(()),
            _ => println!("{}", json!({ "error": "not a command" })),
        }
    }
    Ok(())
}

fn publish(hub: &Hub, events: u32, size: u32, each: Option<Duration>) {
    let filling = "x".repeat((size as usize).saturating_sub(AROUND));
    let start = Instant::now();
    for event in 0..events {
        if let Some(ahead) = each.and_then(|each| (each * event).checked_sub(start.elapsed())) {
            std::thread::sleep(ahead);
        }
        let data = Data { at: micros_now(), x: &filling };
        hub.publish(CHANNEL, "providers:updated", &data, jiff::Timestamp::now());
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{}", json!({ "done": true, "seconds": seconds, "published": events }));
}
