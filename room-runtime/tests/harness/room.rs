//! A running server with a `claude` of the test's, and clients that speak to it over TCP.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use provider_sessions::Launcher;
use room_auth::SystemClock;
use room_runtime::config::{Environment, Flags};
use room_runtime::{Config, Server};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) type Stream = WebSocketStream<TcpStream>;

pub(crate) struct Room {
    pub(crate) port: u16,
    pub(crate) program: String,
    pub(crate) stop: CancellationToken,
    pub(crate) running: JoinHandle<()>,
    pub(crate) directory: TempDir,
}

impl Room {
    /// A server with a `claude` that does nothing but fail.
    pub(crate) async fn new() -> Self {
        Self::with_claude("exit 1").await
    }

    /// A server with a `claude` that is this shell script.
    pub(crate) async fn with_claude(script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for folder in ["bin", "home"] {
            fs::create_dir(path.join(folder)).unwrap();
        }
        let claude = path.join("bin/claude");
        fs::write(&claude, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&claude, fs::Permissions::from_mode(0o755)).unwrap();
        let text = |name: &str| path.join(name).display().to_string();
        let flags = Flags::from([
            ("ROOM_DATA_DIR", text("data")),
            ("ROOM_PROVIDER_HOME", text("home")),
            ("ROOM_PORT", "0".into()),
        ]);
        let search = format!("{}:/usr/bin:/bin", text("bin"));
        let environment = Environment::from([("PATH".into(), search)]);
        let config = Config::load(&flags, &environment, None).unwrap();
        let program = env!("CARGO_BIN_EXE_room").into();
        let launcher = Launcher { program, args: vec!["__child".into()] };
        let clock = std::sync::Arc::new(SystemClock);
        let server = Server::bind_with(config, &environment, launcher, clock).await.unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.run(stop.clone()));
        let port = fs::read_to_string(path.join("data/api.port")).unwrap().parse().unwrap();
        let program = fs::read_to_string(path.join("data/api.token")).unwrap();
        Self { port, program, stop, running, directory }
    }

    /// The database, for a look from outside.
    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("data/room.db")
    }

    /// An HTTP exchange on a connection of its own: status and JSON.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, Value) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\n{headers}Content-Type: \
             application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer[9..12].parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    pub(crate) async fn as_program(&self, method: &str, path: &str) -> (u16, Value) {
        let headers = format!("Authorization: Bearer {}\r\n", self.program);
        self.ask(method, path, &headers, "").await
    }

    /// Signs a page in, as a browser does.
    pub(crate) async fn page(&self) -> String {
        let data = self.directory.path().join("data");
        let asked = tokio::task::spawn_blocking(move || {
            room_runtime::control::ask(&data, &room_runtime::control::Ask::Open)
        });
        let room_runtime::control::Answer::Link { url } = asked.await.unwrap().unwrap() else {
            panic!("no link");
        };
        let code = url.split_once("#code=").unwrap().1;
        let headers = format!(
            "Origin: {}\r\nSec-Fetch-Site: same-origin\r\nX-Room-Handshake: 1\r\n",
            self.origin()
        );
        let body = json!({ "code": code }).to_string();
        let (status, answer) = self.ask("POST", "/api/auth/handshake", &headers, &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    pub(crate) async fn ticket(&self, token: &str, origin: &str) -> String {
        let headers = format!("Authorization: Bearer {token}\r\nOrigin: {origin}\r\n");
        let (status, answer) = self.ask("POST", "/api/auth/ws-ticket", &headers, "").await;
        assert_eq!(status, 200, "{answer}");
        answer["ticket"].as_str().unwrap().to_owned()
    }

    pub(crate) fn upgrade(&self, headers: &[(&'static str, &str)]) -> Request<()> {
        let address = format!("ws://localhost:{}/ws", self.port);
        let mut request = address.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    pub(crate) async fn try_open(&self, headers: &[(&'static str, &str)]) -> Result<Stream, u16> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        match client_async(self.upgrade(headers), stream).await {
            Ok((stream, _)) => Ok(stream),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// A program's socket, after hello.
    pub(crate) async fn open(&self, token: &str) -> Stream {
        let bearer = format!("Bearer {token}");
        let mut stream = self.try_open(&[("authorization", &bearer)]).await.unwrap();
        assert_eq!(next(&mut stream).await["type"], "hello");
        stream
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

pub(crate) async fn say(stream: &mut Stream, message: Value) {
    stream.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message; pings are answered on the way.
pub(crate) async fn next(stream: &mut Stream) -> Value {
    loop {
        let message = tokio::time::timeout(SOON, stream.next()).await.expect("a message in time");
        match message.expect("the socket is open").unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The code the server closes with, whatever it says before.
pub(crate) async fn closed(stream: &mut Stream) -> u16 {
    loop {
        let message = tokio::time::timeout(SOON, stream.next()).await.expect("an end in time");
        match message {
            Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
            Some(Ok(_)) => {}
            other => panic!("no close: {other:?}"),
        }
    }
}
