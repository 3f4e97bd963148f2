//! Sign-ins that end with the address a browser could not open, pasted.

use reqwest::StatusCode;
use room_tests::fake::Scenario;
use serde_json::{Value, json};
use url::Url;

use crate::room::{Room, asks_for_input, id, text};

/// Opens codex's browser flow and waits until it can be finished.
async fn opened(room: &Room) -> Value {
    let asked = json!({"method": "browser"});
    let answer = room.app.post("/api/providers/codex/connect", &asked).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let session = answer.body["session"].clone();
    room.app.session_until(id(&session), asks_for_input).await
}

/// Where the vendor's page sends the browser: the link's own address, with a code.
fn callback(session: &Value, more: &str) -> Url {
    let link = Url::parse(session["verificationUrl"].as_str().unwrap()).unwrap();
    let value = |name: &str| {
        let found = link.query_pairs().find(|(known, _)| known == name);
        found.unwrap().1.into_owned()
    };
    let query = format!("{more}&scope=openid+profile&state={}", value("state"));
    let mut url = Url::parse(&value("redirect_uri")).unwrap();
    url.set_query(Some(&query));
    url
}

#[tokio::test]
async fn a_pasted_callback_finishes_the_sign_in() {
    let room = Room::start().await;
    let session = opened(&room).await;
    assert_eq!(session["step"], "awaiting_input", "{session:#}");
    assert!(session["deviceCode"].is_null(), "{session:#}");
    let url = callback(&session, "code=ac_a-good.code");
    let answer = room.app.input(id(&session), url.as_str()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let session = room.app.session_until(id(&session), |view| view["status"] == "completed").await;
    assert!(!text(&session).contains("ac_a-good.code"), "{session:#}");
    let status = room.app.provider_status("codex").await;
    assert_eq!(status["connected"], true, "{status:#}");
    assert_eq!(room.app.descendants(), []);
    let log = room.app.log();
    assert!(!log.contains("ac_a-good.code") && !log.contains("id_token"), "{log}");
}

#[tokio::test]
async fn an_address_that_is_not_this_sign_ins_never_reaches_the_program() {
    let room = Room::start().await;
    let session = opened(&room).await;
    let good = callback(&session, "code=ac_a-good.code");
    let changed = |change: &dyn Fn(&mut Url)| {
        let mut url = good.clone();
        change(&mut url);
        url.to_string()
    };
    let of_another = "code=ac_x&state=cP-759sZ-KqLd1zZDbc0htKHVKdsjln_BCnvLR2o7bQ";
    for wrong in [
        changed(&|url| url.set_query(Some(of_another))),
        changed(&|url| url.set_port(Some(1)).unwrap()),
        changed(&|url| url.set_host(Some("192.168.1.1")).unwrap()),
        changed(&|url| url.set_path("/success")),
        session["verificationUrl"].as_str().unwrap().to_owned(),
    ] {
        let answer = room.app.input(id(&session), &wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {answer:?}");
        let now = room.app.session(id(&session)).await;
        assert_eq!(now["awaitingInput"], true, "{now:#}");
    }
    let answer = room.app.input(id(&session), good.as_str()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    room.app.session_until(id(&session), |view| view["status"] == "completed").await;
}

#[tokio::test]
async fn a_callback_that_stores_nothing_is_no_sign_in() {
    let room = Room::playing("codex", &Scenario::NoCredentials).await;
    let session = opened(&room).await;
    let url = callback(&session, "code=ac_a-good.code");
    room.app.input(id(&session), url.as_str()).await;
    let session = room.app.session_until(id(&session), |view| view["active"] == false).await;
    assert_eq!(session["status"], "failed", "{session:#}");
    assert_eq!(session["failure"]["code"], "not_signed_in", "{session:#}");
}
