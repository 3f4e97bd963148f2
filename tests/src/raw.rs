//! Requests that no proper client would send.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// Sends these bytes and gives all that comes back until the server closes.
///
/// # Panics
///
/// When there is no connection, or the server keeps it for 25 s.
pub fn exchange(port: u16, request: &str) -> String {
    String::from_utf8_lossy(&exchange_bytes(port, request.as_bytes())).into_owned()
}

/// [`exchange`] of bytes that need not be text.
///
/// # Panics
///
/// As there.
pub fn exchange_bytes(port: u16, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(25))).expect("25 s is not zero");
    // A server that refuses early may close before all was written.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let waited = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!waited, "the connection was left open");
    answer
}

/// The status of an answer that [`exchange`] gave; 0 when the connection was closed without one.
pub fn status(answer: &str) -> u16 {
    let word = answer.split(' ').nth(1).unwrap_or_default();
    word.parse().unwrap_or_default()
}

/// One of the answers that came over a connection.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// What came with it.
    pub body: String,
}

impl Reply {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }

    /// All headers of that name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let own = lines.filter(|(own, _)| own.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.trim()).collect()
    }

    /// The stable code of a problem.
    pub fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// The answers among what [`exchange_bytes`] gave, each as long as it says itself. One that is cut
/// short, and what is no answer, is one of status 0.
pub fn replies(mut bytes: &[u8]) -> Vec<Reply> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, rest) = end.map_or((bytes, &[][..]), |end| (&bytes[..end], &bytes[end + 4..]));
        let head = String::from_utf8_lossy(head).into_owned();
        let status = if head.starts_with("HTTP/1.") { status(&head) } else { 0 };
        let mut reply = Reply { status, head, body: String::new() };
        let has_none = matches!(status, 100..200 | 204 | 304);
        let length = reply.header("content-length").and_then(|text| text.parse().ok());
        let length = if has_none { 0 } else { length.unwrap_or(rest.len()) };
        if length > rest.len() {
            reply.status = 0;
        }
        let (body, next) = rest.split_at(length.min(rest.len()));
        reply.body = String::from_utf8_lossy(body).into_owned();
        bytes = next;
        all.push(reply);
    }
    all
}
