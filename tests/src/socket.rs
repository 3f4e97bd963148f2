//! A client of the live link (`GET /ws`, subprotocol `room.v1`).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const WITHIN: Duration = Duration::from_secs(25);

/// An open socket. Each event it hears is checked: sequence numbers rise by one in a channel.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    hello: Value,
    last: HashMap<String, u64>,
}

/// An upgrade request as a program on this machine sends it; tests add what browsers add.
///
/// # Panics
///
/// When the token cannot stand in a header.
pub fn upgrade(port: u16, token: Option<&str>) -> Request<()> {
    let address = format!("ws://127.0.0.1:{port}/ws");
    let mut request = address.into_client_request().expect("an address of our own");
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", HeaderValue::from_static("room.v1"));
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a plain token");
        headers.insert("authorization", value);
    }
    request
}

/// Sends an upgrade that is to be refused, and gives the status of the refusal.
///
/// # Panics
///
/// When it is not refused.
pub async fn refused(request: Request<()>) -> u16 {
    match connect_async(request).await {
        Ok(_) => panic!("the upgrade was accepted"),
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(other) => panic!("no answer: {other}"),
    }
}

/// [`Socket::closed`] for one that was never greeted.
///
/// # Panics
///
/// As there.
pub async fn closed(mut stream: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Option<u16> {
    let close = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    tokio::time::timeout(WITHIN, close).await.expect("the socket is closed in time")
}

impl Socket {
    /// Opens one and hears `hello`.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub async fn open(port: u16, token: &str) -> Self {
        Self::by(upgrade(port, Some(token))).await
    }

    /// Opens one by this upgrade and hears `hello`.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub async fn by(request: Request<()>) -> Self {
        let (stream, answer) = connect_async(request).await.expect("the upgrade is accepted");
        let protocol = answer.headers().get("sec-websocket-protocol");
        assert_eq!(protocol.and_then(|value| value.to_str().ok()), Some("room.v1"));
        let mut socket = Self { stream, hello: Value::Null, last: HashMap::new() };
        socket.hello = socket.next().await;
        assert_eq!(socket.hello["type"], "hello", "{}", socket.hello);
        socket
    }

    /// What the server said first.
    pub fn hello(&self) -> &Value {
        &self.hello
    }

    /// Sends a message.
    ///
    /// # Panics
    ///
    /// When the socket is closed.
    pub async fn send(&mut self, message: &Value) {
        self.stream.send(Message::text(message.to_string())).await.expect("the socket is open");
    }

    /// Subscribes, and gives the answer.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn subscribe(&mut self, channels: &[&str]) -> Value {
        self.send(&json!({"type": "subscribe", "channels": channels})).await;
        self.until(|message| message["type"] == "subscribed").await
    }

    /// The next message.
    ///
    /// # Panics
    ///
    /// When the socket closes, nothing comes in time, or a channel's numbers have a hole.
    pub async fn next(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(WITHIN, self.stream.next()).await;
            let message = message.expect("a message comes in time");
            match message.expect("the socket is open").expect("the socket works") {
                Message::Text(text) => {
                    let value: Value = serde_json::from_str(&text).expect("messages are JSON");
                    self.check_order(&value);
                    return value;
                }
                Message::Close(frame) => panic!("closed: {frame:?}"),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Messages until one satisfies `wanted`, which is given.
    ///
    /// # Panics
    ///
    /// As [`Socket::next`], and when none does in time; the message has those that did not.
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        let mut others = Vec::new();
        loop {
            let message = self.next().await;
            if wanted(&message) {
                return message;
            }
            others.push(message);
            assert!(start.elapsed() < WITHIN, "only {others:#?}");
        }
    }

    /// Reads until a message has this text in it, without a look at anything else: for floods.
    ///
    /// # Panics
    ///
    /// When the socket closes, or it does not come in time.
    pub async fn until_text(&mut self, wanted: &str) {
        let read = async {
            loop {
                let message = self.stream.next().await.expect("the socket is open");
                match message.expect("the socket works") {
                    Message::Text(text) if text.contains(wanted) => return,
                    Message::Close(frame) => panic!("closed: {frame:?}"),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(WITHIN, read).await.expect("it comes in time");
    }

    /// Waits for the server to close, and gives its code.
    ///
    /// # Panics
    ///
    /// When it does not in time.
    pub async fn closed(self) -> Option<u16> {
        closed(self.stream).await
    }

    /// Sends a text that need not be a message.
    ///
    /// # Panics
    ///
    /// When the socket is closed.
    pub async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.expect("the socket is open");
    }

    fn check_order(&mut self, message: &Value) {
        let (Some(channel), Some(seq)) = (message["channel"].as_str(), message["seq"].as_u64())
        else {
            return;
        };
        // A snapshot says where the channel stands; what follows it continues from there.
        if message["type"] != "snapshot" {
            let last = self.last.get(channel);
            assert!(last.is_none_or(|last| seq == last + 1), "{last:?} then {message}");
        }
        self.last.insert(channel.to_owned(), seq);
    }
}
