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
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(25))).expect("25 s is not zero");
    // A server that refuses early may close before all was written.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let waited = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!waited, "the connection was left open");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an answer that [`exchange`] gave; 0 when the connection was closed without one.
pub fn status(answer: &str) -> u16 {
    let word = answer.split(' ').nth(1).unwrap_or_default();
    word.parse().unwrap_or_default()
}
