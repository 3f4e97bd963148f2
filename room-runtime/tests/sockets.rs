//! `GET /ws` of a running server: who gets a socket, and what ends one.

#![expect(clippy::unwrap_used, reason = "a test says enough by failing")]

#[path = "harness/room.rs"]
mod room;

use std::time::Instant;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::room::{Room, SOON, closed, next, say};

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
