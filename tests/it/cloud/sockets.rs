//! Sockets of a hosted Room: by ticket, for as long as the token, and of the same person only.

use std::time::{Duration, Instant};

use reqwest::Method;
use room_auth::Role;
use room_tests::app::Answer;
use room_tests::client::Client;
use room_tests::issuer::person;
use room_tests::page::Page;
use room_tests::socket::{Socket, refused};
use serde_json::json;
use tokio_tungstenite::tungstenite::http::Request;

use super::Hosted;

/// The page on another origin that the contract allows.
const ELSEWHERE: &str = "https://app.test";

fn by_ticket(client: &Client, ticket: &str, origin: Option<&str>) -> Request<()> {
    let mut request = client.upgrade(None);
    let protocols = format!("room.v1, room.ticket.{ticket}").parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocols);
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    request
}

fn ticket(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["ticket"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_ticket_opens_one_socket_for_the_page_that_asked() {
    let room = Hosted::with(|setup| setup.var("ROOM_ALLOWED_ORIGINS", ELSEWHERE)).await;
    let client = room.app.client();
    let page = Page::signed_in(client, &room.plane.token(Role::Viewer), "desk").await;
    let own = ticket(&page.post("/api/auth/ws-ticket", &json!({})).await);
    for wrong in [None, Some(ELSEWHERE)] {
        let other = ticket(&page.post("/api/auth/ws-ticket", &json!({})).await);
        assert_eq!(refused(by_ticket(client, &other, wrong)).await, 401, "{wrong:?}");
    }
    let mut socket = Socket::by(by_ticket(client, &own, Some("https://room.test"))).await;
    socket.subscribe(&["providers"]).await;
    assert_eq!(refused(by_ticket(client, &own, Some("https://room.test"))).await, 401, "used");

    // A page elsewhere has a bearer in its memory and nothing else.
    let bearer = room.plane.token(Role::Viewer);
    let request = client.bearing(&bearer, Method::POST, "/api/auth/ws-ticket");
    let answer = Answer::of(request.header("origin", ELSEWHERE).json(&json!({}))).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some(ELSEWHERE), "{answer:?}");
    let elsewhere = ticket(&answer);
    let mut socket = Socket::by(by_ticket(client, &elsewhere, Some(ELSEWHERE))).await;
    socket.subscribe(&["providers"]).await;
    let both = {
        let mut request =
            by_ticket(client, &ticket(&page.post("/api/auth/ws-ticket", &json!({})).await), None);
        let bearer = format!("Bearer {bearer}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        request
    };
    assert_eq!(refused(both).await, 400);
}

#[tokio::test]
async fn a_ticket_of_someone_who_is_gone_opens_nothing() {
    let room = Hosted::start().await;
    let client = room.app.client();
    let page = Page::signed_in(client, &room.plane.token(Role::Viewer), "desk").await;
    let ticket = ticket(&page.post("/api/auth/ws-ticket", &json!({})).await);
    page.delete("/api/auth/session").await;
    assert_eq!(refused(by_ticket(client, &ticket, Some("https://room.test"))).await, 401);
}

#[tokio::test]
async fn a_socket_lasts_as_long_as_its_token_unless_another_is_sent() {
    let room = Hosted::start().await;
    let client = room.app.client();
    let life = Duration::from_secs(4);
    let start = Instant::now();
    let short = room.plane.mint(&person(Role::Member).lifetime(life));
    let mut stays = Socket::by(client.upgrade(Some(&short))).await;
    let ends = Socket::by(client.upgrade(Some(&short))).await;
    stays.until(|message| message["type"] == "auth_expiring").await;
    stays.send(&json!({ "type": "reauth", "token": room.plane.token(Role::Member) })).await;
    assert_eq!(ends.closed().await, Some(4401));
    let lasted = start.elapsed();
    // A token's times are whole seconds; a busy machine hears of it later.
    assert!(lasted < life + Duration::from_secs(5), "{lasted:?}");
    assert!(lasted + Duration::from_secs(2) > life, "{lasted:?}");
    let answer = stays.subscribe(&["providers"]).await;
    assert_eq!(answer["channels"], json!(["providers"]));
}

#[tokio::test]
async fn a_socket_stays_with_one_person() {
    let room = Hosted::start().await;
    let client = room.app.client();
    for (token, code) in [(room.plane.token(Role::Owner), 4403), ("e30.e30.AAAA".to_owned(), 4401)]
    {
        let mut socket = Socket::by(client.upgrade(Some(&room.plane.token(Role::Viewer)))).await;
        socket.send(&json!({ "type": "reauth", "token": token })).await;
        assert_eq!(socket.closed().await, Some(code));
    }
    let mut service = Socket::by(client.upgrade(Some(&room.plane.service_token()))).await;
    let answer = service.subscribe(&["providers", "activity", "access"]).await;
    assert_eq!(answer["channels"], json!(["providers"]), "{answer}");
}

#[tokio::test]
async fn a_person_has_sixteen_sockets_and_nobody_elses() {
    let room = Hosted::with(|setup| setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "10")).await;
    let client = room.app.client();
    let token = room.plane.token(Role::Member);
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(Socket::by(client.upgrade(Some(&token))).await);
    }
    let one_more = client.upgrade(Some(&room.plane.token(Role::Member)));
    let (stream, _) = tokio_tungstenite::connect_async(one_more).await.unwrap();
    assert_eq!(room_tests::socket::closed(stream).await, Some(4429));
    let mut other = Socket::by(client.upgrade(Some(&room.plane.token(Role::Viewer)))).await;
    other.subscribe(&["providers"]).await;
    drop(open);
}
