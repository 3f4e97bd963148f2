//! The live link: what a page hears while a person signs in.

mod frames;
mod network;
mod slow;

use reqwest::StatusCode;
use room_tests::app::Setup;
use room_tests::socket::{Socket, refused, upgrade};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::room::{Room, id};

#[tokio::test]
async fn a_sign_in_is_heard_from_its_first_line_to_its_end() {
    let room = Room::start().await;
    let mut socket = room.app.socket().await;
    assert_eq!(socket.hello()["mode"], "local", "{}", socket.hello());
    for name in ["build", "boot", "now", "heartbeatMs"] {
        assert!(!socket.hello()[name].is_null(), "{name}");
    }
    let session = room.app.connect("codex").await;
    let channel = format!("provider-auth:{}", id(&session));
    let answer = socket.subscribe(&[&channel]).await;
    assert_eq!(answer["channels"], json!([channel]), "{answer}");
    let snapshot = socket.until(|message| message["channel"] == channel.as_str()).await;
    assert_eq!(snapshot["type"], "snapshot", "{snapshot}");
    assert!(snapshot["timestamp"].is_string(), "{snapshot}");

    room.app.session_until(id(&session), |view| view["deviceCode"].is_string()).await;
    room.control.approve();
    let mut text = snapshot["data"].to_string();
    let mut statuses = Vec::new();
    loop {
        let event = socket.next().await;
        match event["type"].as_str() {
            Some("provider_auth:line") => text += &event["data"].to_string(),
            Some("provider_auth:status") => {
                assert!(event["data"]["lines"].is_null(), "without lines: {event}");
                statuses.push(event["data"]["status"].clone());
                if event["data"]["active"] == false {
                    break;
                }
            }
            _ => {}
        }
    }
    assert_eq!(statuses.last(), Some(&json!("completed")), "{statuses:?}");
    assert!(text.contains("one-time code"), "{text}");
    assert!(text.contains("Successfully logged in"), "{text}");
}

#[tokio::test]
async fn who_comes_late_gets_the_view_and_what_follows() {
    let room = Room::start().await;
    let session = room.codex_code().await;
    let channel = format!("provider-auth:{}", id(&session));
    let mut socket = room.app.socket().await;
    socket.subscribe(&[&channel]).await;
    let snapshot = socket.until(|message| message["type"] == "snapshot").await;
    let view = snapshot["data"].get("session").unwrap_or(&snapshot["data"]);
    assert_eq!(view["deviceCode"], session["deviceCode"], "{snapshot}");
    assert!(view["lines"].as_array().is_some_and(|lines| !lines.is_empty()), "{snapshot}");
    assert_eq!(room.app.cancel(id(&session)).await.status, StatusCode::OK);
    let ended = |message: &Value| {
        message["type"] == "provider_auth:status" && message["data"]["status"] == "canceled"
    };
    socket.until(ended).await;
}

#[tokio::test]
async fn what_was_missed_is_sent_after_a_position() {
    let room = Room::start().await;
    let session = room.codex_code().await;
    let channel = format!("provider-auth:{}", id(&session));
    let mut first = room.app.socket().await;
    first.subscribe(&[&channel]).await;
    let snapshot = first.until(|message| message["type"] == "snapshot").await;
    let (seq, boot) = (snapshot["seq"].clone(), first.hello()["boot"].clone());
    drop(first);
    assert_eq!(room.app.cancel(id(&session)).await.status, StatusCode::OK);
    let mut second = room.app.socket().await;
    assert_eq!(second.hello()["boot"], boot);
    second
        .send(&json!({
            "type": "subscribe", "channels": [channel], "after": {&channel: seq}, "boot": boot
        }))
        .await;
    let event = second.until(|message| message["channel"] == channel.as_str()).await;
    assert_eq!(event["seq"].as_u64(), seq.as_u64().map(|seq| seq + 1), "{event}");
    assert_ne!(event["type"], "snapshot", "{event}");
}

#[tokio::test]
async fn names_that_do_not_exist_are_denied() {
    let room = Room::start().await;
    let mut socket = room.app.socket().await;
    let names = ["no-such", "provider-auth:00000000-0000-4000-8000-000000000000", "providers"];
    let answer = socket.subscribe(&names).await;
    assert_eq!(answer["channels"], json!(["providers"]), "{answer}");
    assert_eq!(answer["denied"], json!(names[..2]), "{answer}");
    socket.send(&json!({"type": "ping", "id": 7})).await;
    let pong = socket.until(|message| message["type"] == "pong").await;
    assert_eq!(pong["id"], 7);
}

#[tokio::test]
async fn a_change_of_state_is_heard_on_providers() {
    let room = Room::start().await;
    let mut socket = room.app.socket().await;
    socket.subscribe(&["providers"]).await;
    room.sign_in_codex().await;
    let event = |message: &Value| {
        message["channel"] == "providers"
            && message["type"] == "providers:auth_status"
            && message["data"]["provider"] == "codex"
            && message["data"]["connected"] == true
    };
    socket.until(event).await;
}

#[tokio::test]
async fn a_message_that_is_not_known_is_answered_and_one_that_is_none_ends_the_socket() {
    let room = Room::start().await;
    let mut socket = room.app.socket().await;
    socket.send(&json!({"type": "of-a-newer-client"})).await;
    let answer = socket.until(|message| message["type"] == "error").await;
    assert!(answer["code"].is_string() && answer["message"].is_string(), "{answer}");
    for text in ["{", "[]", "{\"type\": \"subscribe\"}"] {
        let mut socket = room.app.socket().await;
        socket.send_text(text).await;
        assert_eq!(socket.closed().await, Some(4400), "{text}");
    }
    let mut socket = room.app.socket().await;
    socket.send_text(&"x".repeat(20_000)).await;
    assert!(matches!(socket.closed().await, Some(1009 | 4400)), "a message of 20 kB");
}

#[tokio::test]
async fn a_restart_is_told_to_those_who_listen() {
    let mut room = Room::start().await;
    let socket = room.app.socket().await;
    room.app.signal(Signal::TERM);
    assert_eq!(socket.closed().await, Some(1012));
    room.app.wait();
}

#[tokio::test]
async fn sockets_ask_for_a_credential_and_our_origin() {
    let app = Setup::new().unwrap().start().await.unwrap();
    assert_eq!(refused(upgrade(app.port(), None)).await, 401);
    assert_eq!(refused(upgrade(app.port(), Some("not-the-token"))).await, 401);
    for origin in ["http://evil.example", "null", "http://localhost:1"] {
        let mut request = upgrade(app.port(), Some(app.token()));
        request.headers_mut().insert("origin", origin.parse().unwrap());
        assert_eq!(refused(request).await, 403, "{origin}");
    }
    let mut request = upgrade(app.port(), Some(app.token()));
    request.headers_mut().insert("host", "evil.example".parse().unwrap());
    assert_eq!(refused(request).await, 421);
    let mut socket = Socket::open(app.port(), app.token()).await;
    let answer = socket.subscribe(&["providers"]).await;
    assert_eq!(answer["channels"], json!(["providers"]), "{answer}");
}

#[tokio::test]
async fn a_ticket_opens_one_socket() {
    let app = Setup::new().unwrap().start().await.unwrap();
    let answer = app.post("/api/auth/ws-ticket", &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let ticket = answer.body["ticket"].as_str().unwrap().to_owned();
    let request = || {
        let mut request = upgrade(app.port(), None);
        let protocols = format!("room.v1, room.ticket.{ticket}").parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocols);
        request
    };
    let (stream, answer) = tokio_tungstenite::connect_async(request()).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "room.v1");
    drop(stream);
    assert_eq!(refused(request()).await, 401, "a used ticket");
}
