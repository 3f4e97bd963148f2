//! Many light clients of a live link: `room-load listen|idle|deaf N --address A --path P [--token T]
//! [--channel C] [--receive-buffer BYTES] --seconds S`.
//!
//! Prints `{"ready":N}` once all are connected (and have their snapshot, if they hear a channel),
//! runs until the seconds are over or a line comes on stdin, and prints what they saw.

#![expect(clippy::print_stdout, reason = "it speaks to the program that measures")]

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use room_tests::load::{Mode, Options, connect};
use serde_json::json;

fn main() -> ExitCode {
    // One thread: what is measured has the other processors for itself.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(run())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{}", json!({ "error": error.to_string() }));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (options, seconds) =
        read(&words).ok_or_else(|| io::Error::other("see the program's page"))?;
    let crowd = connect(&options).await?;
    println!("{}", json!({ "ready": options.clients }));
    let (asked, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Only a line ends it: whoever starts it may have no input to give.
        if io::stdin().read_line(&mut String::new()).is_ok_and(|count| count > 0) {
            let _ = asked.send(());
        }
    });
    let asked = async {
        if ended.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(seconds), asked).await;
    println!("{}", json!(crowd.end().await));
    Ok(())
}

fn read(words: &[String]) -> Option<(Options, u64)> {
    let [mode, clients, rest @ ..] = words else { return None };
    let mode = match mode.as_str() {
        "listen" => Mode::Listen,
        "idle" => Mode::Idle,
        "deaf" => Mode::Deaf,
        _ => return None,
    };
    let value = |name: &str| {
        let mut pairs = rest.chunks_exact(2);
        pairs.find(|pair| pair[0] == name).map(|pair| pair[1].clone())
    };
    let receive_buffer = match value("--receive-buffer") {
        Some(bytes) => Some(bytes.parse().ok()?),
        None => None,
    };
    let options = Options {
        mode,
        clients: clients.parse().ok()?,
        address: value("--address")?.parse().ok()?,
        path: value("--path")?,
        token: value("--token"),
        channel: value("--channel"),
        receive_buffer,
    };
    Some((options, value("--seconds")?.parse().ok()?))
}
