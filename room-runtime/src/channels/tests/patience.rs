//! How long a client keeps its socket that says nothing, is hidden, or says too much.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use jiff::Timestamp;
use room_auth::{Role, Standing};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role as Side;

use super::{Audience, Channel, SOON, Stream, caller};
use crate::channels::connection::Connection;
use crate::channels::frames::Frame;
use crate::channels::socket::{Client, Patience, serve_with};
use crate::server;
use crate::state::AppState;

/// Long enough for a busy machine, far shorter than in earnest.
const SHORT: Duration = Duration::from_millis(300);

const CALM: Patience =
    Patience { ask: Duration::from_hours(1), silence: Duration::from_hours(2), hidden: None };

struct World {
    app: AppState,
    _server: server::Server,
    _directory: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (app, server) = server::for_tests(directory.path()).await;
        Self { app, _server: server, _directory: directory }
    }

    /// A client of a server with that patience, past `hello`.
    async fn client(&self, patience: Patience) -> (Stream, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (ours, _) = listener.accept().await.unwrap();
        let caller = Arc::new(caller(Standing::Person(Role::Owner)));
        let client = Client {
            watch: self.app.sign_in.ends.watch(&caller.session, None),
            place: self.app.sign_in.socket_place(&caller),
            caller,
        };
        let connection = Connection::new(ours, &[]);
        let served = tokio::spawn(serve_with(patience, connection, self.app.clone(), client));
        let mut stream = WebSocketStream::from_raw_socket(theirs, Side::Client, None).await;
        assert!(matches!(stream.next().await, Some(Ok(Message::Text(_)))), "hello");
        (stream, served)
    }
}

/// Reads, which answers pings, until the server closes; how long that took, and the code.
async fn lasts(stream: &mut Stream) -> (Duration, Option<u16>) {
    let start = Instant::now();
    let code = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Close(frame))) => break frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break None,
            }
        }
    };
    let code = tokio::time::timeout(SOON, code).await.expect("it ends");
    (start.elapsed(), code)
}

async fn visible(stream: &mut Stream, value: bool) {
    let message = json!({ "type": "visible", "value": value });
    stream.send(Message::text(message.to_string())).await.unwrap();
}

/// What tells the publisher that a provider is being signed in, or no more.
fn sign_in(app: &AppState, status: provider_sessions::Status) {
    use provider_sessions::Observer as _;
    let view = provider_sessions::SessionView { status, ..crate::http::wire::golden::view() };
    app.publisher.status(&view);
}

/// The server stops in the very moment in which a sign-in ends: a page hears of both, in this order.
#[tokio::test]
async fn what_was_said_before_the_server_stops_is_heard() {
    const EVENTS: u32 = 200;
    let world = World::new().await;
    let (mut stream, served) = world.client(CALM).await;
    let subscribe = json!({ "type": "subscribe", "channels": ["providers"] });
    stream.send(Message::text(subscribe.to_string())).await.unwrap();
    for expected in ["subscribed", "snapshot"] {
        assert_eq!(super::next(&mut stream).await["type"], expected);
    }
    // Nobody else has a turn until both are done: this test has one thread.
    for number in 1..=EVENTS {
        let channel = Channel::Providers(Audience::Managers);
        world.app.hub.publish(channel, "providers:updated", &number, Timestamp::now());
    }
    world.app.farewell.tell().await;
    for number in 1..=EVENTS {
        assert_eq!(super::next(&mut stream).await["data"], number);
    }
    assert_eq!(lasts(&mut stream).await.1, Some(1012));
    served.await.unwrap();
}

#[tokio::test]
async fn a_page_that_nobody_looks_at_is_closed_and_one_that_is_seen_stays() {
    let world = World::new().await;
    let patience = Patience { hidden: Some(SHORT), ..CALM };
    let (mut hidden, _) = world.client(patience).await;
    let (mut seen, _) = world.client(patience).await;
    let (mut looked_at_again, _) = world.client(patience).await;
    for stream in [&mut hidden, &mut looked_at_again] {
        visible(stream, false).await;
    }
    visible(&mut looked_at_again, true).await;
    let (lasted, code) = lasts(&mut hidden).await;
    assert_eq!(code, Some(4000));
    assert!(lasted >= SHORT * 9 / 10, "{lasted:?}");
    for stream in [&mut seen, &mut looked_at_again] {
        let more = tokio::time::timeout(SHORT, lasts(stream)).await;
        assert!(more.is_err(), "{more:?}");
    }
}

#[tokio::test]
async fn a_sign_in_keeps_a_hidden_page_until_it_is_over() {
    let world = World::new().await;
    let (mut stream, _) = world.client(Patience { hidden: Some(SHORT), ..CALM }).await;
    sign_in(&world.app, provider_sessions::Status::Running);
    visible(&mut stream, false).await;
    let more = tokio::time::timeout(SHORT * 3, lasts(&mut stream)).await;
    assert!(more.is_err(), "{more:?}");
    sign_in(&world.app, provider_sessions::Status::Canceled);
    assert_eq!(lasts(&mut stream).await.1, Some(4000));
}

#[tokio::test]
async fn a_silent_client_is_asked_and_gone_when_it_does_not_answer() {
    let world = World::new().await;
    let patience = Patience { ask: SHORT / 3, silence: SHORT, hidden: None };
    let (silent, gone) = world.client(patience).await;
    let (mut answers, stays) = world.client(patience).await;
    let start = Instant::now();
    // The one is not read, so that nothing answers for it.
    let ended = async {
        tokio::select! {
            ended = gone => ended.unwrap(),
            end = lasts(&mut answers) => panic!("it answered: {end:?}"),
        }
    };
    tokio::time::timeout(SOON, ended).await.expect("it is let go");
    assert!(start.elapsed() >= SHORT * 9 / 10, "{:?}", start.elapsed());
    let more = tokio::time::timeout(SHORT * 3, lasts(&mut answers)).await;
    assert!(more.is_err() && !stays.is_finished(), "{more:?}");
    // Read without answering pings, which nobody takes any more.
    let mut left = Vec::new();
    silent.into_inner().read_to_end(&mut left).await.unwrap();
    let goodbye = Frame::close(1001, "silent for too long");
    assert!(left.ends_with(goodbye.bytes()), "{left:?}");
}

#[tokio::test]
async fn a_client_that_says_too_much_is_closed() {
    let world = World::new().await;
    for message in [Message::text(r#"{"type":"ping"}"#), Message::Ping("x".into())] {
        let (mut stream, _) = world.client(CALM).await;
        for _ in 0..200 {
            // It may be closed already.
            let _ = stream.send(message.clone()).await;
        }
        assert_eq!(lasts(&mut stream).await.1, Some(4429), "{message}");
        let (mut stream, _) = world.client(CALM).await;
        for _ in 0..50 {
            stream.send(message.clone()).await.unwrap();
        }
        let more = tokio::time::timeout(SHORT, lasts(&mut stream)).await;
        assert!(more.is_err(), "{more:?}");
    }
}
