//! How access ends: for a person, a token, a key, a device, everyone.

use std::fs;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use room_auth::Role;
use room_auth::issuer::Grant;
use room_tests::app::{Answer, SOON, files_with};
use room_tests::eventually_async;
use room_tests::issuer::{FORM, form, person, subject};
use room_tests::page::Page;
use room_tests::socket::Socket;
use serde_json::{Value, json};

use super::Hosted;

/// A key by its looks, of nobody.
const PLANTED_KEY: &str = "sk-ant-api03-PlantedPlantedPlantedPlantedPlantedPlantedPlantedPlantedPlantedPlantedPlantedPlantedPlanted-AA";

/// The contract's own word is within a second; a busy machine is given some more.
const AT_ONCE: Duration = Duration::from_secs(4);

impl Hosted {
    pub(crate) async fn revoke(&self, what: &Value) -> Answer {
        let token = self.plane.service_token();
        let request = self.app.client().bearing(&token, Method::POST, "/api/access/revoke");
        Answer::of(request.json(what)).await
    }

    pub(crate) async fn status_of(&self, token: &str) -> u16 {
        let request = self.app.client().bearing(token, Method::GET, "/api/auth/verify");
        Answer::of(request).await.status.as_u16()
    }

    async fn log_out(&self, logout_token: &str) -> Answer {
        let client = self.app.client();
        let request = client.anonymous(Method::POST, "/api/auth/backchannel-logout");
        Answer::of(request.header(CONTENT_TYPE, FORM).body(form(logout_token))).await
    }
}

/// The socket is closed with this code, at once.
async fn closes(socket: Socket, code: u16) {
    let start = Instant::now();
    assert_eq!(socket.closed().await, Some(code));
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_revoked_person_is_out_on_every_device_within_a_second() {
    let room = Hosted::start().await;
    let member = room.plane.token(Role::Member);
    let phone = Page::signed_in(room.app.client(), &member, "phone").await;
    let desk = Page::signed_in(room.app.client(), &room.plane.token(Role::Member), "desk").await;
    let other = Page::signed_in(room.app.client(), &room.plane.token(Role::Viewer), "other").await;
    let program = room.plane.token(Role::Member);
    let sockets = [
        phone.socket().await,
        desk.socket().await,
        Socket::by(room.app.client().upgrade(Some(&program))).await,
    ];
    let mut others = other.socket().await;
    let done = room.revoke(&json!({ "subject": subject(Role::Member) })).await;
    assert_eq!(done.status, 200, "{done:?}");
    for socket in sockets {
        closes(socket, 4403).await;
    }
    for page in [&phone, &desk] {
        let answer = page.get("/api/auth/verify").await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    assert_eq!(room.status_of(&program).await, 401);
    let mut again = Page::open(room.app.client());
    assert_eq!(again.sign_in(&program, "again").await.status, 401);
    // Nobody else noticed.
    others.subscribe(&["providers"]).await;
    assert_eq!(other.get("/api/auth/verify").await.status, 200);
}

/// A person may come back: what was revoked is what was made before.
#[tokio::test]
async fn a_revoked_person_comes_back_with_a_later_token() {
    let room = Hosted::start().await;
    let done = room.revoke(&json!({ "subject": subject(Role::Member) })).await;
    assert_eq!(done.status, 200, "{done:?}");
    let later = std::time::SystemTime::now() + Duration::from_secs(2);
    let token = room.plane.mint_at(&person(Role::Member), later);
    let page = Page::signed_in(room.app.client(), &token, "phone").await;
    assert_eq!(page.get("/api/auth/verify").await.body["role"], "member");
}

#[tokio::test]
async fn a_revocation_holds_after_a_restart() {
    let mut room = Hosted::start().await;
    let page = Page::signed_in(room.app.client(), &room.plane.token(Role::Member), "phone").await;
    let cookie = page.cookie().unwrap();
    let stays = Page::signed_in(room.app.client(), &room.plane.token(Role::Viewer), "desk").await;
    let stays = stays.cookie().unwrap();
    let token = room.plane.token(Role::Member);
    room.revoke(&json!({ "subject": subject(Role::Member) })).await;
    room.app.signal(rustix::process::Signal::KILL);
    room.app.wait();
    room.app.start().await.unwrap();
    super::embedded::keys_are_there(room.app.client()).await;
    let with = |cookie: &str| {
        let request = room.app.anonymous(Method::GET, "/api/auth/verify");
        Answer::of(request.header("cookie", cookie))
    };
    assert_eq!(with(&cookie).await.status, 401);
    assert_eq!(room.status_of(&token).await, 401);
    // A device's session outlives the server.
    assert_eq!(with(&stays).await.status, 200);
}

#[tokio::test]
async fn one_token_or_one_key_can_be_revoked_alone() {
    let room = Hosted::start().await;
    let one = room.plane.mint(&person(Role::Member).token_id("the-one"));
    let other = room.plane.token(Role::Member);
    let page = Page::signed_in(room.app.client(), &one, "of the one").await;
    let socket = page.socket().await;
    let done = room.revoke(&json!({ "tokenId": "the-one" })).await;
    assert_eq!(done.status, 200, "{done:?}");
    closes(socket, 4403).await;
    assert_eq!(room.status_of(&one).await, 401);
    assert_eq!(room.status_of(&other).await, 200);

    let by_old_key = Page::signed_in(room.app.client(), &other, "of the key").await;
    let socket = by_old_key.socket().await;
    let old = room.plane.key_id();
    room.plane.rotate();
    let new = room.plane.token(Role::Member);
    assert_eq!(room.status_of(&new).await, 200);
    let done = room.revoke(&json!({ "keyId": old })).await;
    assert_eq!(done.status, 200, "{done:?}");
    closes(socket, 4403).await;
    assert_eq!(room.status_of(&new).await, 200);
    assert_eq!(by_old_key.get("/api/auth/verify").await.status, 401);
}

#[tokio::test]
async fn only_a_service_revokes_and_only_what_makes_sense() {
    let room = Hosted::start().await;
    for (body, status) in [
        (json!({}), 400),
        (json!({ "subject": "a", "keyId": "b" }), 400),
        (json!({ "subject": "" }), 400),
        (json!({ "subject": "a\u{1}" }), 400),
        (json!({ "subject": "x".repeat(256) }), 400),
        (json!({ "subject": "a", "notBefore": "tomorrow" }), 400),
        (json!({ "subject": "a", "notBefore": "2999-01-01T00:00:00Z" }), 400),
        (json!({ "everyone": true }), 400),
        (json!({ "subject": "nobody-we-know" }), 200),
    ] {
        let answer = room.revoke(&body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {answer:?}");
    }
    let owner = room.plane.token(Role::Owner);
    let request = room.app.client().bearing(&owner, Method::POST, "/api/access/revoke");
    let answer = Answer::of(request.json(&json!({ "subject": "a" }))).await;
    assert_eq!(answer.status, 403, "{answer:?}");
}

#[tokio::test]
async fn a_logout_token_of_the_issuer_signs_a_person_out_everywhere() {
    let room = Hosted::start().await;
    let page = Page::signed_in(room.app.client(), &room.plane.token(Role::Admin), "phone").await;
    let socket = page.socket().await;
    let logout = room.plane.logout_token(&subject(Role::Admin));
    let answer = room.log_out(&logout).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    closes(socket, 4403).await;
    assert_eq!(page.get("/api/auth/verify").await.status, 401);
    // Good once; and a token to come in with is none to go out with, nor the other way round.
    assert_eq!(room.log_out(&logout).await.status, 400);
    assert_eq!(room.log_out(&room.plane.token(Role::Owner)).await.status, 400);
    assert_eq!(room.status_of(&room.plane.logout_token("anyone")).await, 401);
    let json = room.app.anonymous(Method::POST, "/api/auth/backchannel-logout");
    let answer = Answer::of(json.json(&json!({ "logout_token": "x" }))).await;
    assert_eq!(answer.status, 415, "{answer:?}");
}

#[tokio::test]
async fn signing_out_ends_this_device_and_no_other() {
    let room = Hosted::start().await;
    let here = Page::signed_in(room.app.client(), &room.plane.token(Role::Viewer), "here").await;
    let there = Page::signed_in(room.app.client(), &room.plane.token(Role::Viewer), "there").await;
    let socket = here.socket().await;
    let answer = here.delete("/api/auth/session").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    closes(socket, 4401).await;
    assert_eq!(here.get("/api/auth/verify").await.status, 401);
    assert_eq!(there.get("/api/auth/verify").await.status, 200);
}

/// A manager signs out whom they are not below; a member only themselves.
#[tokio::test]
async fn nobody_signs_out_someone_above_them() {
    let room = Hosted::start().await;
    let client = room.app.client();
    let mut ids = Vec::new();
    let mut pages = Vec::new();
    for role in Role::ALL {
        let page = Page::signed_in(client, &room.plane.token(role), role.as_str()).await;
        let list = page.get("/api/access/sessions").await;
        let own =
            list.body["sessions"].as_array().unwrap().iter().find(|one| one["current"] == true);
        ids.push(own.unwrap()["id"].as_str().unwrap().to_owned());
        pages.push(page);
    }
    let [owner, admin, member, viewer] = &pages[..] else { panic!("four roles") };
    let path = |index: usize| format!("/api/access/sessions/{}", ids[index]);
    assert_eq!(
        member.get("/api/access/sessions").await.body["sessions"].as_array().unwrap().len(),
        1
    );
    assert_eq!(
        admin.get("/api/access/sessions").await.body["sessions"].as_array().unwrap().len(),
        4
    );
    assert_eq!(admin.delete(&path(0)).await.status, 403, "an admin and an owner");
    assert_eq!(member.delete(&path(3)).await.status, 403, "a member and a viewer");
    let socket = viewer.socket().await;
    assert_eq!(admin.delete(&path(3)).await.status, 200, "an admin and a viewer");
    closes(socket, 4403).await;
    assert_eq!(owner.delete(&path(1)).await.status, 200, "an owner and an admin");
    assert_eq!(admin.get("/api/auth/verify").await.status, 401);
    assert_eq!(owner.delete(&path(1)).await.status, 404, "nobody any more");
    assert_eq!(member.delete(&path(2)).await.status, 200, "a member and themselves");
}

#[tokio::test]
async fn who_manages_sees_devices_come_and_go_as_it_happens() {
    let room = Hosted::start().await;
    let owner = Page::signed_in(room.app.client(), &room.plane.token(Role::Owner), "desk").await;
    let mut socket = owner.socket().await;
    socket.subscribe(&["access"]).await;
    let names = |message: &Value| -> Vec<String> {
        let sessions = message["data"]["sessions"].as_array().cloned().unwrap_or_default();
        sessions.iter().map(|one| one["device"].as_str().unwrap().to_owned()).collect()
    };
    socket.until(|message| names(message) == ["desk"]).await;
    let token = room.plane.token(Role::Viewer);
    let viewer = Page::signed_in(room.app.client(), &token, "the phone").await;
    socket.until(|message| names(message).contains(&"the phone".to_owned())).await;
    viewer.delete("/api/auth/session").await;
    socket.until(|message| names(message) == ["desk"]).await;
}

#[tokio::test]
async fn a_wipe_signs_everyone_out_and_says_so_truly() {
    let key = "a secret of thirty-two bytes or more";
    let room = Hosted::with(|setup| setup.var("ROOM_ENCRYPTION_KEY", key)).await;
    let page = Page::signed_in(room.app.client(), &room.plane.token(Role::Viewer), "phone").await;
    let socket = page.socket().await;
    let service = Grant::service("control-plane");
    let wipe = |body: Value| {
        let token = room.plane.mint(&service);
        let request = room.app.client().bearing(&token, Method::POST, "/api/instance/wipe");
        Answer::of(request.json(&body))
    };
    for body in [json!({}), json!({ "confirm": "inst-2" }), json!({ "confirm": true })] {
        let answer = wipe(body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
    assert_eq!(page.get("/api/auth/verify").await.status, 200);
    // Whatever a hosted Room keeps of anyone: a program's bearer, a key, copies, a home.
    let bearer = room.app.command(&["token"]).unwrap().output().unwrap();
    let bearer = String::from_utf8(bearer.stdout).unwrap().trim().to_owned();
    assert_eq!(room.status_of(&bearer).await, 200);
    let data = room.app.data();
    let key = room.app.client().bearing(&bearer, Method::PUT, "/api/providers/claude/api-key");
    let key = Answer::of(key.json(&json!({ "key": PLANTED_KEY }))).await;
    assert_eq!(key.status, 200, "{key:?}");
    for file in [
        "backups/room-20261101T000000Z.db",
        "backups/replaced-20261101T000000Z.db",
        "room.db.damaged-20261101T000000Z",
        "home/.codex/auth.json",
        "home/.claude/.credentials.json",
        "home/.claude/projects/x/talk.jsonl",
    ] {
        let file = data.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "planted").unwrap();
    }
    let answer = wipe(json!({ "confirm": super::INSTANCE })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["ok"], true, "{answer:?}");
    for left in ["devices", "sessions", "keys", "credentials", "backups"] {
        assert_eq!(answer.body[left], 0, "{left}: {answer:?}");
    }
    assert_eq!(room.status_of(&bearer).await, 401);
    let left = files_with(data, &["planted", PLANTED_KEY], &[]);
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(fs::read_dir(data.join("home")).unwrap().count(), 0);
    assert_eq!(socket.closed().await, Some(4403));
    assert_eq!(page.get("/api/auth/verify").await.status, 401);
    eventually_async("nobody is left", SOON, async || {
        let owner = room.plane.token(Role::Owner);
        let request = room.app.client().bearing(&owner, Method::GET, "/api/access/sessions");
        let answer = Answer::of(request).await;
        (answer.body["sessions"].as_array()?.is_empty()).then_some(())
    })
    .await;
}
