//! Channels by name, and clients that read at different speeds.

mod frames;
mod hub;
mod model;
mod orders;
mod patience;

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use room_auth::{Identity, Role, Standing};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::server;
use crate::state::AppState;

fn caller(standing: Standing) -> Caller {
    Caller {
        identity: Identity::local_owner(),
        standing,
        session: "s".into(),
        device: "d".into(),
        expires_at: None,
        profile: None,
        token: None,
    }
}

#[test]
fn a_channel_is_heard_by_those_who_may() {
    let id = SessionId::random();
    let login = format!("provider-auth:{id}");
    let install = format!("provider-install:{id}");
    let people = Role::ALL.map(Standing::Person);
    for (standing, expected) in people.into_iter().zip([true, true, false, false]) {
        let caller = caller(standing);
        let audience = if expected { Audience::Managers } else { Audience::Readers };
        let channel = Channel::parse("providers", &caller);
        assert_eq!(channel, Some(Channel::Providers(audience)), "{standing:?}");
        let channel = Channel::parse(&login, &caller);
        assert_eq!(channel, expected.then_some(Channel::Login(id)), "{standing:?}");
        let channel = Channel::parse(&install, &caller);
        assert_eq!(channel, expected.then_some(Channel::Install(id)), "{standing:?}");
    }
    let service = caller(Standing::Service);
    assert_eq!(Channel::parse(&login, &service), None);
    assert_eq!(Channel::parse(&install, &service), None);
}

#[test]
fn other_names_are_nothing() {
    let owner = caller(Standing::Person(Role::Owner));
    let id = SessionId::random();
    for name in [
        "",
        "provider",
        "Providers",
        "providers:",
        "providers:x",
        "provider-auth",
        "*",
        "provider-auth:",
        "provider-auth:*",
        "activity:",
        "activity:x",
        "provider-install",
        "provider-install:",
        "provider-install:x",
        &format!("provider-install:{}", id.to_string().to_uppercase()),
        "\0",
        &format!("provider-auth:{}", id.to_string().to_uppercase()),
        &format!("provider-auth:{}", id.to_string().replace('-', "")),
        &format!("provider-auth:{{{id}}}"),
        &format!("provider-auth:{id}:x"),
    ] {
        assert_eq!(Channel::parse(name, &owner), None, "{name:?}");
    }
    for channel in [Channel::Login(id), Channel::Install(id)] {
        assert_eq!(Channel::parse(&channel.name(), &owner), Some(channel));
    }
}

const SOON: Duration = Duration::from_secs(20);

type Stream = WebSocketStream<TcpStream>;

/// A program's socket that hears `providers`, with a small buffer in the kernel.
async fn listener(app: &AppState) -> Stream {
    let token = app.sign_in.local.admit_for_test(Standing::Person(Role::Owner));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(([127, 0, 0, 1], app.port).into()).await.unwrap();
    let address = format!("ws://localhost:{}/ws", app.port);
    let mut request = address.into_client_request().unwrap();
    let bearer = format!("Bearer {}", token.expose());
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    let (mut stream, _) = client_async(request, stream).await.unwrap();
    let subscribe = json!({ "type": "subscribe", "channels": ["providers"] });
    stream.send(Message::text(subscribe.to_string())).await.unwrap();
    for expected in ["hello", "subscribed", "snapshot"] {
        assert_eq!(next(&mut stream).await["type"], expected);
    }
    stream
}

async fn next(stream: &mut Stream) -> Value {
    loop {
        let message = tokio::time::timeout(SOON, stream.next()).await.expect("news in time");
        if let Message::Text(text) = message.expect("the socket is open").unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_does_not_read_is_let_go_and_the_others_miss_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (app, server) = server::for_tests(directory.path()).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(server.run(stop.clone()));
    // The probes at the start are news, too.
    for row in app.manager.providers() {
        app.manager.verify(&row.id).await.unwrap();
    }
    let (mut deaf, mut reader) = (listener(&app).await, listener(&app).await);
    // It reads again as soon as it is let go, for it has not long to find out why.
    let world = app.clone();
    let deaf = tokio::spawn(async move {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let let_go = async {
            while world.sign_in.open_sockets() > 1 {
                look.tick().await;
            }
        };
        tokio::time::timeout(SOON, let_go).await.expect("the server lets go of it");
        let mut heard = 0;
        loop {
            match deaf.next().await {
                Some(Ok(Message::Close(frame))) => {
                    break (heard, frame.map(|frame| u16::from(frame.code)));
                }
                Some(Ok(_)) => heard += 1,
                Some(Err(_)) | None => break (heard, None),
            }
        }
    });
    let channel = Channel::Providers(Audience::Managers);
    let text = "x".repeat(4000);
    let mut seq = None;
    // Far more than the kernel and the queue hold together.
    for _ in 0..400 {
        app.hub.publish(channel, "providers:updated", &text, Timestamp::UNIX_EPOCH);
        let news = next(&mut reader).await;
        let this = news["seq"].as_u64();
        assert!(seq.is_none() || this == seq.map(|seq: u64| seq + 1), "{seq:?} {this:?}");
        seq = this;
    }
    let (heard, code) = deaf.await.unwrap();
    assert!(heard < 400 && code == Some(4408), "{heard} {code:?}");
    stop.cancel();
    running.await.unwrap();
}
