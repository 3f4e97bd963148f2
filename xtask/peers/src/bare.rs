//! Servers of a few lines that do what is asked and nothing else: what a row costs at least.

use std::path::PathBuf;

use anyhow::Context as _;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header;
use axum::routing::get;
use tokio::io::AsyncReadExt as _;
use tokio::sync::broadcast;

use crate::program::now_micros;
use crate::serve;

/// Answers every request with the contents of a file, as JSON.
pub(crate) fn file(path: &str) -> anyhow::Result<()> {
    let body = axum::body::Bytes::from(std::fs::read(path).context("read what to answer")?);
    let answer = async move || ([(header::CONTENT_TYPE, "application/json")], body.clone());
    serve::run(async move { Ok(Router::new().fallback(get(answer))) })
}

/// Runs a program in a terminal and hands whatever it prints, as it comes, to whoever listens.
pub(crate) fn terminal(program: PathBuf) -> anyhow::Result<()> {
    serve::run(async move {
        let (printed, _) = broadcast::channel::<String>(1024);
        let (mut pty, pts) = pty_process::open()?;
        let command = pty_process::Command::new(program).arg("login").kill_on_drop(true);
        let mut child = command.spawn(pts)?;
        let told = printed.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(length @ 1..) = pty.read(&mut buffer).await {
                _ = told.send(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
            child.wait().await
        });
        Ok(Router::new().route(
            "/",
            get(async move |upgrade: WebSocketUpgrade| {
                let heard = printed.subscribe();
                upgrade.on_upgrade(move |socket| pass_on(socket, heard))
            }),
        ))
    })
}

async fn pass_on(mut socket: WebSocket, mut heard: broadcast::Receiver<String>) {
    while let Ok(text) = heard.recv().await {
        if socket.send(Message::text(text)).await.is_err() {
            break;
        }
    }
}

/// Sends events to whoever listens: `burst COUNT SIZE` on its standard input starts them.
pub(crate) fn broadcast() -> anyhow::Result<()> {
    serve::run(async move {
        let (told, _) = broadcast::channel::<axum::extract::ws::Utf8Bytes>(4096);
        let sender = told.clone();
        std::thread::spawn(move || {
            for order in std::io::stdin().lines().map_while(Result::ok) {
                let words: Vec<&str> = order.split_whitespace().collect();
                let ["burst", count, size] = words[..] else { continue };
                let (Ok(count), Ok(size)) = (count.parse::<u32>(), size.parse()) else { continue };
                for _ in 0..count {
                    // Publishing is held back, or receivers that lag would skip what they owe.
                    while sender.len() > 2048 {
                        std::thread::yield_now();
                    }
                    _ = sender.send(event(size).into());
                }
            }
        });
        Ok(Router::new().fallback(get(async move |upgrade: WebSocketUpgrade| {
            let heard = told.subscribe();
            upgrade.protocols(["room.v1"]).on_upgrade(move |socket| repeat(socket, heard))
        })))
    })
}

async fn repeat(
    mut socket: WebSocket,
    mut heard: broadcast::Receiver<axum::extract::ws::Utf8Bytes>,
) {
    while let Ok(text) = heard.recv().await {
        if socket.send(Message::Text(text)).await.is_err() {
            break;
        }
    }
}

/// An event of so many bytes that says when it was sent.
fn event(size: usize) -> String {
    let head = format!("{{\"at\":{},\"text\":\"", now_micros());
    let rest = size.saturating_sub(head.len() + 2);
    format!("{head}{}\"}}", "x".repeat(rest))
}
