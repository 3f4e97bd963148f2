//! `room-soak MINUTES`: the server under load for so long. Prints a sample as JSON every ten seconds
//! and what came of it at the end; fails if something grew or an event was lost.

#![expect(clippy::print_stdout, reason = "it speaks to whoever started it")]

use std::process::ExitCode;
use std::time::Duration;

use room_tests::soak::soak;
use serde_json::json;

fn main() -> ExitCode {
    let minutes = std::env::args().nth(1).and_then(|minutes| minutes.parse().ok());
    let Some(minutes) = minutes.map(Duration::from_mins) else {
        println!("{}", json!({ "error": "room-soak MINUTES" }));
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    let outcome = runtime.block_on(soak(minutes, |sample| println!("{}", json!(sample))));
    println!("{}", json!(outcome));
    if outcome.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
