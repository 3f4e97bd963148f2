//! A server that is told to end: what it still does, what it tells, and by when it is gone.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use room_tests::app::SOON;
use room_tests::eventually;
use room_tests::fake::Scenario;
use rustix::process::Signal;
use serde_json::json;

use crate::room::{Room, id};

/// More than there are groups of sockets that are told one after another.
const SOCKETS: usize = 48;

/// What every platform is asked to wait before it kills.
const STOPS_WITHIN: Duration = Duration::from_secs(15);

fn refuses_connections(room: &Room) {
    let asked = || TcpStream::connect((Ipv4Addr::LOCALHOST, room.app.port()));
    eventually(SOON, || asked().is_err().then_some(()));
}

#[tokio::test]
async fn what_is_going_on_is_brought_to_its_end_and_everyone_is_told() {
    let mut room = Room::playing("codex", &Scenario::Stubborn).await;
    let session = room.app.connect("codex").await;
    let channel = session["sessionId"].as_str().unwrap().to_owned();
    let channel = format!("provider-auth:{channel}");
    eventually(SOON, || (!room.app.descendants().is_empty()).then_some(()));
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        let mut socket = room.app.socket().await;
        let heard = socket.subscribe(&[&channel]).await;
        assert_eq!(heard["denied"], json!([]), "{heard}");
        sockets.push(socket);
    }

    // A request whose body is still on its way.
    let body = json!({ "text": "a code that nobody asked for" }).to_string();
    let head = format!(
        "POST /api/providers/sessions/{}/input HTTP/1.1\r\nHost: localhost:{}\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        id(&session),
        room.app.port(),
        room.app.token(),
        body.len(),
    );
    let (first, rest) = body.split_at(9);
    let mut request = TcpStream::connect((Ipv4Addr::LOCALHOST, room.app.port())).unwrap();
    request.set_read_timeout(Some(SOON)).unwrap();
    request.write_all(format!("{head}{first}").as_bytes()).unwrap();
    // It has read the head and waits for the rest once it asks for it.
    let mut asked = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    request.read_exact(&mut asked).unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&asked));

    let start = Instant::now();
    room.app.signal(Signal::TERM);
    refuses_connections(&room);
    request.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    request.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "whole, and no broken line: {answer:?}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");

    let closing = sockets.into_iter().map(|mut socket| async move {
        // What becomes of the sign-in is seen before the socket is closed.
        let over = |message: &serde_json::Value| message["data"]["active"] == false;
        let told = socket.until(over).await;
        assert_eq!(told["data"]["status"], "failed", "{told}");
        assert_eq!(told["data"]["failure"]["code"], "server_restarted", "{told}");
        assert_eq!(socket.closed().await, Some(1012));
        Instant::now()
    });
    let closed = join_all(closing).await;
    let spread = closed.iter().max().unwrap().duration_since(*closed.iter().min().unwrap());
    assert!(spread > Duration::from_millis(500), "not all at once: {spread:?}");
    let status = room.app.wait();
    assert!(status.success(), "{status}: {}", room.app.log());
    assert!(start.elapsed() < STOPS_WITHIN, "{:?}: {}", start.elapsed(), room.app.log());
    assert_eq!(room.app.descendants(), []);
    assert!(!room.app.data().join("room.db-wal").exists(), "the log is in the database");

    room.app.start().await.unwrap();
    let log = room.app.get("/api/activity?limit=20").await.body.to_string();
    for part in ["\"instance.stop\"", "\"server_restarted\""] {
        assert!(log.contains(part), "{part} in {log}");
    }
    // Whoever looks again is told why, and that it was nobody's wish.
    let view = room.app.session(id(&session)).await;
    assert_eq!(view["status"], "failed", "{view:#}");
    assert_eq!(view["failure"]["code"], "server_restarted", "{view:#}");
}

#[tokio::test]
async fn a_second_signal_is_not_made_to_wait() {
    let mut room = Room::playing("codex", &Scenario::Stubborn).await;
    room.app.connect("codex").await;
    eventually(SOON, || (!room.app.descendants().is_empty()).then_some(()));
    room.app.signal(Signal::TERM);
    refuses_connections(&room);
    room.app.signal(Signal::TERM);
    let status = room.app.wait();
    assert_eq!(status.code(), Some(143), "{status}: {}", room.app.log());
    // Its launchers see that it is gone and end what they started.
    eventually(SOON, || room.app.descendants().is_empty().then_some(()));
}
