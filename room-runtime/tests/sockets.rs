//! `GET /ws` of a running server: who gets a socket, and what ends one.

#![expect(clippy::unwrap_used, reason = "a test says enough by failing")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

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

const SOON: Duration = Duration::from_secs(20);

type Stream = WebSocketStream<TcpStream>;

struct Room {
    port: u16,
    program: String,
    stop: CancellationToken,
    running: JoinHandle<()>,
    directory: TempDir,
}

impl Room {
    /// A server with a `claude` that does nothing but fail.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for folder in ["bin", "home"] {
            fs::create_dir(path.join(folder)).unwrap();
        }
        let claude = path.join("bin/claude");
        fs::write(&claude, "#!/bin/sh\nexit 1\n").unwrap();
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

    /// An HTTP exchange on a connection of its own: status and JSON.
    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, Value) {
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

    async fn as_program(&self, method: &str, path: &str) -> (u16, Value) {
        let headers = format!("Authorization: Bearer {}\r\n", self.program);
        self.ask(method, path, &headers, "").await
    }

    /// Signs a page in, as a browser does.
    async fn page(&self) -> String {
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

    fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    async fn ticket(&self, token: &str, origin: &str) -> String {
        let headers = format!("Authorization: Bearer {token}\r\nOrigin: {origin}\r\n");
        let (status, answer) = self.ask("POST", "/api/auth/ws-ticket", &headers, "").await;
        assert_eq!(status, 200, "{answer}");
        answer["ticket"].as_str().unwrap().to_owned()
    }

    fn upgrade(&self, headers: &[(&'static str, &str)]) -> Request<()> {
        let address = format!("ws://localhost:{}/ws", self.port);
        let mut request = address.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    async fn try_open(&self, headers: &[(&'static str, &str)]) -> Result<Stream, u16> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        match client_async(self.upgrade(headers), stream).await {
            Ok((stream, _)) => Ok(stream),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// A program's socket, after hello.
    async fn open(&self, token: &str) -> Stream {
        let bearer = format!("Bearer {token}");
        let mut stream = self.try_open(&[("authorization", &bearer)]).await.unwrap();
        assert_eq!(next(&mut stream).await["type"], "hello");
        stream
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

async fn say(stream: &mut Stream, message: Value) {
    stream.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message; pings are answered on the way.
async fn next(stream: &mut Stream) -> Value {
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
async fn closed(stream: &mut Stream) -> u16 {
    loop {
        let message = tokio::time::timeout(SOON, stream.next()).await.expect("an end in time");
        match message {
            Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
            Some(Ok(_)) => {}
            other => panic!("no close: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_ticket_opens_one_socket_from_its_own_page() {
    let room = Room::new().await;
    let token = room.page().await;
    let origin = room.origin();
    let ticket = room.ticket(&token, &origin).await;
    let protocols = format!("room.v1, room.ticket.{ticket}");
    let elsewhere = format!("http://127.0.0.1:{}", room.port);
    for (headers, status) in [
        (vec![("sec-websocket-protocol", &*protocols), ("origin", "http://evil.example")], 403),
        (vec![("sec-websocket-protocol", "room.v1"), ("origin", &*origin)], 401),
    ] {
        assert_eq!(room.try_open(&headers).await.err(), Some(status));
    }
    let headers = [("sec-websocket-protocol", &*protocols), ("origin", &*origin)];
    let mut stream = room.try_open(&headers).await.unwrap();
    assert_eq!(next(&mut stream).await["mode"], "local");
    assert_eq!(room.try_open(&headers).await.err(), Some(401), "used");
    // One of our own addresses, but not the page that asked for it.
    let other = room.ticket(&token, &origin).await;
    let protocols = format!("room.v1, room.ticket.{other}");
    let headers = [("sec-websocket-protocol", &*protocols), ("origin", &*elsewhere)];
    assert_eq!(room.try_open(&headers).await.err(), Some(401));
    room.end().await;
}

#[tokio::test]
async fn signing_out_ends_the_pages_sockets_and_no_others() {
    let room = Room::new().await;
    let (one, two) = (room.page().await, room.page().await);
    let (mut first, mut second) = (room.open(&one).await, room.open(&two).await);
    let headers = format!("Authorization: Bearer {one}\r\n");
    assert_eq!(room.ask("DELETE", "/api/auth/session", &headers, "").await.0, 200);
    assert_eq!(closed(&mut first).await, 4401);
    assert_eq!(room.ask("GET", "/api/auth/verify", &headers, "").await.0, 401);
    say(&mut second, json!({ "type": "ping", "id": 1 })).await;
    assert_eq!(next(&mut second).await, json!({ "type": "pong", "id": 1 }));
    say(&mut second, json!({ "type": "reauth", "token": one })).await;
    assert_eq!(closed(&mut second).await, 4401, "a bearer that ended");
    room.end().await;
}

#[tokio::test]
async fn a_socket_says_hello_then_pictures_then_news() {
    let room = Room::new().await;
    let mut stream = room.open(&room.program).await;
    let channels = ["providers", "providers", "provider-auth:x", "access:x"];
    say(&mut stream, json!({ "type": "subscribe", "channels": channels })).await;
    let answer = next(&mut stream).await;
    assert_eq!(answer["channels"], json!(["providers"]));
    assert_eq!(answer["denied"], json!(["provider-auth:x", "access:x"]));
    let picture = next(&mut stream).await;
    assert_eq!((&picture["type"], &picture["channel"]), (&json!("snapshot"), &json!("providers")));
    assert!(picture["data"]["providers"]["codex"].is_object(), "{picture}");
    let (status, _) = room.as_program("POST", "/api/providers/claude/connect").await;
    assert_eq!(status, 200);
    let news = next(&mut stream).await;
    assert_eq!(news["type"], "providers:auth_status", "{news}");
    assert_eq!(news["seq"], json!(picture["seq"].as_u64().unwrap() + 1));
    say(&mut stream, json!({ "type": "unsubscribe", "channels": ["providers", "x"] })).await;
    loop {
        let message = next(&mut stream).await;
        if message["type"] == "unsubscribed" {
            assert_eq!(message["channels"], json!(["providers"]));
            break;
        }
    }
    room.end().await;
}

#[tokio::test]
async fn what_is_not_the_protocol_ends_the_socket() {
    let room = Room::new().await;
    let long = format!("{{\"type\":\"ping\",\"id\":\"{}\"}}", "x".repeat(17 * 1024));
    for (message, code) in [
        (Message::text("hello"), 4400),
        (Message::text("{}"), 4400),
        (Message::text(r#"{"type":"subscribe","channels":[7]}"#), 4400),
        (Message::binary(vec![1, 2, 3]), 4400),
        (Message::text(long), 4400),
    ] {
        let mut stream = room.open(&room.program).await;
        stream.send(message.clone()).await.unwrap();
        assert_eq!(closed(&mut stream).await, code, "{message:.40}");
    }
    let mut stream = room.open(&room.program).await;
    say(&mut stream, json!({ "type": "from_the_future" })).await;
    assert_eq!(next(&mut stream).await["code"], "unknown_type");
    room.end().await;
}

#[tokio::test]
async fn who_talks_too_much_is_shown_out() {
    let room = Room::new().await;
    let mut stream = room.open(&room.program).await;
    for _ in 0..200 {
        if stream.send(Message::text(r#"{"type":"ping"}"#)).await.is_err() {
            break;
        }
    }
    assert_eq!(closed(&mut stream).await, 4429);
    room.end().await;
}

#[tokio::test]
async fn a_person_has_sixteen_sockets() {
    let room = Room::new().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(room.open(&room.program).await);
    }
    let bearer = format!("Bearer {}", room.program);
    let mut one_more = room.try_open(&[("authorization", &bearer)]).await.unwrap();
    assert_eq!(closed(&mut one_more).await, 4429);
    let mut gone = open.pop().unwrap();
    gone.close(None).await.unwrap();
    while gone.next().await.is_some() {}
    let freed = Instant::now();
    loop {
        let mut again = room.try_open(&[("authorization", &bearer)]).await.unwrap();
        let first = tokio::time::timeout(SOON, again.next()).await.unwrap().unwrap().unwrap();
        if first.is_text() {
            break;
        }
        assert!(freed.elapsed() < SOON, "the place was not given back");
    }
    room.end().await;
}

#[tokio::test]
async fn a_stopping_server_says_so() {
    let room = Room::new().await;
    let mut stream = room.open(&room.program).await;
    room.stop.cancel();
    assert_eq!(closed(&mut stream).await, 1012);
    room.end().await;
}
