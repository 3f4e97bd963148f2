//! A hosted Room: who comes in, on what, for how long, and how it ends.

use std::time::SystemTime;

use http::header::{COOKIE, LOCATION, SET_COOKIE};
use room_auth::issuer::{Grant, Issuer, IssuerKey};
use room_auth::jwks::KeyState;
use room_auth::{Algorithm, Clock as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const ISSUER: &str = "https://id.example";
const INSTANCE: &str = "instance-1";
const OURS: &str = "http://localhost:3700";

/// A hosted Room with an issuer whose keys it has.
pub(super) struct Hosted {
    pub(super) f: Fixture,
    issuer: Issuer,
    clock: Arc<ManualClock>,
}

/// What a request presents.
#[derive(Clone, Copy, Default)]
pub(super) struct With<'a> {
    bearer: Option<&'a str>,
    cookie: Option<&'a str>,
    origin: Option<&'a str>,
}

const PAGE: With<'static> = With { bearer: None, cookie: None, origin: Some(OURS) };

fn cookie(cookie: &str) -> With<'_> {
    With { cookie: Some(cookie), ..PAGE }
}

pub(super) fn bearer(bearer: &str) -> With<'_> {
    With { bearer: Some(bearer), ..With::default() }
}

pub(super) struct Answered {
    pub(super) status: u16,
    cookie: Option<String>,
    pub(super) body: Value,
}

impl Answered {
    fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or(""))
    }
}

impl Hosted {
    pub(super) async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(more: &[(&'static str, &str)]) -> Self {
        let key = IssuerKey::generate(Algorithm::EdDsa).unwrap();
        let issuer = Issuer::new(ISSUER, key);
        let url = serve(issuer.jwks()).await;
        let settings = [
            ("ROOM_MODE", "cloud"),
            ("ROOM_BIND", "127.0.0.1"),
            ("ROOM_PUBLIC_URL", OURS),
            ("ROOM_CLIENT_IP", "direct"),
            ("ROOM_ALLOW_ROOT", "1"),
            ("ROOM_ALLOW_LOOPBACK_JWKS", "1"),
            ("ROOM_INSTANCE_ID", INSTANCE),
            ("ROOM_JWT_ISSUER", ISSUER),
            ("ROOM_JWT_SERVICE", "1"),
            ("ROOM_STANDALONE", "1"),
            ("ROOM_JWKS_URL", &url),
        ];
        let settings: Vec<_> = settings.into_iter().chain(more.iter().copied()).collect();
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let (app, server) =
            server::for_tests_with(directory.path(), &settings, clock.clone()).await;
        let cloud = app.cloud.as_ref().unwrap();
        cloud.trust.run(&app.tasks, &app.stop);
        while cloud.trust.health().iter().any(|(_, health)| health.state != KeyState::Fresh) {
            tokio::task::yield_now().await;
        }
        let f = Fixture { app, _server: server, _directory: directory };
        Self { f, issuer, clock }
    }

    fn token(&self, grant: &Grant) -> String {
        self.issuer.mint(INSTANCE, grant, self.clock.now()).unwrap()
    }

    pub(super) fn person(&self, subject: &str, role: Role, id: &str) -> String {
        self.token(&Grant::person(subject, role).token_id(id))
    }

    async fn ask(&self, method: &Method, path: &str, with: With<'_>, body: Value) -> Answered {
        let mut request = self.f.request(method, path);
        let headers = request.headers_mut();
        headers.insert(HOST, "localhost:3700".parse().unwrap());
        if let Some(bearer) = with.bearer {
            headers.insert(AUTHORIZATION, format!("Bearer {bearer}").parse().unwrap());
        }
        if let Some(cookie) = with.cookie {
            headers.insert(COOKIE, format!("__Host-room={cookie}").parse().unwrap());
        }
        if let Some(origin) = with.origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        if !body.is_null() {
            headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
            *request.body_mut() = Body::from(body.to_string());
        }
        let response = self.f.send(request).await;
        let status = response.status().as_u16();
        let set = response.headers().get(SET_COOKIE).map(|set| set.to_str().unwrap().to_owned());
        let cookie = set.and_then(|set| {
            let (_, rest) = set.split_once("__Host-room=")?;
            Some(rest.split(';').next()?.to_owned()).filter(|value| !value.is_empty())
        });
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answered { status, cookie, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    pub(super) async fn get(&self, path: &str, with: With<'_>) -> Answered {
        self.ask(&Method::GET, path, with, Value::Null).await
    }

    async fn post(&self, path: &str, with: With<'_>, body: Value) -> Answered {
        self.ask(&Method::POST, path, with, body).await
    }

    async fn trade(&self, token: &str, old: Option<&str>) -> Answered {
        let with = With { bearer: Some(token), cookie: old, ..PAGE };
        self.post("/api/auth/session", with, json!({ "deviceName": "phone" })).await
    }

    async fn verify(&self, with: With<'_>) -> Answered {
        self.get("/api/auth/verify", with).await
    }

    pub(super) async fn sign_in(&self, subject: &str, role: Role) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let arrived = self.trade(&self.person(subject, role, &id), None).await;
        assert_eq!(arrived.status, 200, "{}", arrived.body);
        arrived.cookie.unwrap()
    }

    async fn pair(&self, with: With<'_>) -> Answered {
        let made = self.post("/api/auth/pair", with, Value::Null).await;
        assert_eq!(made.status, 200, "{}", made.body);
        self.redeem(made.body["code"].as_str().unwrap()).await
    }

    async fn redeem(&self, code: &str) -> Answered {
        let body = json!({ "code": code, "deviceName": "laptop" });
        self.post("/api/auth/pair/redeem", PAGE, body).await
    }
}

/// Answers every request with one document, for as long as the test runs.
async fn serve(document: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let length = document.len();
            let text = format!("{head}\r\nContent-Length: {length}\r\n\r\n{document}");
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn a_token_is_traded_once_for_a_device() {
    let room = Hosted::new().await;
    let token = room.person("ada", Role::Admin, "t-1");
    let arrived = room.trade(&token, None).await;
    assert_eq!(arrived.status, 200, "{}", arrived.body);
    assert_eq!(arrived.body["device"], "phone");
    let key = arrived.cookie.unwrap();
    let told = room.verify(cookie(&key)).await.body;
    assert_eq!((told["subject"].as_str(), told["role"].as_str()), (Some("ada"), Some("admin")));
    assert_eq!(told["deploymentMode"], "cloud");
    assert_eq!(room.trade(&token, None).await.code(), (401, "token_used"));
    let other_signature = room.person("ada", Role::Admin, "t-1");
    assert_eq!(room.trade(&other_signature, None).await.code(), (401, "token_used"));
    let late = room.person("ada", Role::Admin, "t-2");
    room.clock.advance(Duration::from_secs(601));
    assert_eq!(room.trade(&late, None).await.code(), (401, "token_too_old"));
}

#[tokio::test]
async fn only_our_own_page_gets_a_cookie() {
    let room = Hosted::with(&[("ROOM_ALLOWED_ORIGINS", "https://app.example")]).await;
    let token = room.person("ada", Role::Admin, "t-1");
    for origin in [None, Some("https://app.example"), Some("https://evil.example"), Some("null")] {
        let with = With { bearer: Some(&token), cookie: None, origin };
        let refused = room.post("/api/auth/session", with, Value::Null).await;
        assert_eq!((refused.status, refused.cookie), (403, None), "{origin:?}");
    }
    assert_eq!(room.trade(&token, None).await.status, 200, "nothing was used up");
}

#[tokio::test]
async fn a_cookie_changes_nothing_unless_our_own_page_asks() {
    let room = Hosted::with(&[("ROOM_ALLOWED_ORIGINS", "https://app.example")]).await;
    let key = room.sign_in("ada", Role::Owner).await;
    for origin in [None, Some("https://app.example")] {
        let with = With { origin, ..cookie(&key) };
        let refused = room.post("/api/auth/ws-ticket", with, Value::Null).await;
        assert_eq!(refused.code(), (403, "wrong_origin"), "{origin:?}");
    }
    let foreign = With { origin: Some("https://app.example"), ..cookie(&key) };
    assert_eq!(room.verify(foreign).await.status, 403, "nor is it read for one");
    let ours = room.post("/api/auth/ws-ticket", cookie(&key), Value::Null).await;
    assert_eq!(ours.status, 200);
}

#[tokio::test]
async fn two_credentials_are_one_too_many() {
    let room = Hosted::new().await;
    let key = room.sign_in("ada", Role::Owner).await;
    let token = room.person("ada", Role::Owner, "t-9");
    let both = With { bearer: Some(&token), ..cookie(&key) };
    assert_eq!(room.verify(both).await.code(), (400, "invalid_request"));
    assert_eq!(room.trade(&token, Some(&key)).await.status, 200, "here the bearer decides");
    assert_eq!(room.verify(cookie(&key)).await.status, 401, "the device has a new cookie");
}

#[tokio::test]
async fn a_person_keeps_their_devices_for_a_day_after_their_last_token() {
    let room = Hosted::new().await;
    let phone = room.sign_in("ada", Role::Member).await;
    let laptop = room.pair(cookie(&phone)).await.cookie.unwrap();
    room.clock.advance(Duration::from_hours(20));
    // The issuer has not said anything since; its keys are past their time and it cannot be asked.
    let renewed = room.trade(&room.person("ada", Role::Admin, "t-2"), Some(&laptop)).await;
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    room.clock.advance(Duration::from_hours(20));
    let told = room.verify(cookie(&phone)).await;
    assert_eq!((told.status, &told.body["role"]), (200, &json!("admin")), "on all devices");
    room.clock.advance(Duration::from_hours(5 * 24));
    assert_eq!(room.verify(cookie(&phone)).await.status, 401);
}

#[tokio::test]
async fn a_pairing_code_works_once_and_not_for_long() {
    let room = Hosted::new().await;
    let key = room.sign_in("ada", Role::Viewer).await;
    let made = room.post("/api/auth/pair", cookie(&key), Value::Null).await;
    let code = made.body["code"].as_str().unwrap().to_lowercase().replace('-', " ");
    let url = made.body["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{OURS}/#pair=")), "{url}");
    room.clock.advance(Duration::from_secs(1));
    let paired = room.redeem(&code).await;
    assert_eq!((paired.status, &paired.body["role"]), (200, &json!("viewer")));
    assert_eq!(room.redeem(&code).await.code(), (401, "code_used"));
    assert_eq!(room.redeem("AAAAA-AAAAA").await.code(), (401, "code_unknown"));
    let late = room.post("/api/auth/pair", cookie(&key), Value::Null).await;
    room.clock.advance(Duration::from_mins(3));
    assert_eq!(
        room.redeem(late.body["code"].as_str().unwrap()).await.code(),
        (401, "code_expired")
    );
    let list = room.get("/api/access/sessions", cookie(&key)).await.body;
    let devices: Vec<_> =
        list["sessions"].as_array().unwrap().iter().map(|one| one["device"].as_str()).collect();
    assert_eq!(devices, [Some("phone"), Some("laptop")]);
    assert_eq!(list["sessions"][1]["pairedFrom"], list["sessions"][0]["id"]);
    let token = room.person("ada", Role::Viewer, "t-7");
    let refused = room.post("/api/auth/pair", bearer(&token), Value::Null).await;
    assert_eq!(refused.code(), (409, "not_a_device"), "a bearer is no device");
}

#[tokio::test]
async fn wrong_pairing_codes_are_limited_and_a_right_one_never_is() {
    let room = Hosted::new().await;
    let key = room.sign_in("ada", Role::Owner).await;
    let made = room.post("/api/auth/pair", cookie(&key), Value::Null).await;
    for _ in 0..20 {
        assert_eq!(room.redeem("AAAAA-AAAAA").await.status, 401);
    }
    assert_eq!(room.redeem("AAAAA-AAAAA").await.code(), (429, "too_many_requests"));
    assert_eq!(room.redeem(made.body["code"].as_str().unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_room_that_nobody_uses_ends_by_itself_where_it_was_told_to() {
    use futures_util::FutureExt as _;
    let room = Hosted::with(&[("ROOM_IDLE_EXIT", "10")]).await;
    let app = &room.f.app;
    let is_over = || crate::idle::until_unused(app, crate::idle::LOOK).now_or_never().is_some();
    let minutes = |n| room.clock.advance(Duration::from_mins(n));
    let key = room.sign_in("ada", Role::Viewer).await;
    minutes(9);
    room.verify(cookie(&key)).await;
    minutes(9);
    // Neither strangers, nor who looks whether it is alive, nor a program of the control plane.
    room.get("/healthz", With::default()).await;
    assert_eq!(room.get("/api/status", With::default()).await.status, 401);
    let service = room.token(&Grant::service("control"));
    assert_eq!(room.get("/api/status", bearer(&service)).await.status, 200);
    assert!(!is_over(), "a person was there");
    minutes(1);
    let page = app.farewell.stay();
    assert!(!is_over(), "a page is open");
    drop(page);
    minutes(9);
    assert!(!is_over(), "it was open just now");
    minutes(1);
    assert!(is_over());
    let room = Hosted::new().await;
    room.clock.advance(Duration::from_hours(1000));
    let unused = crate::idle::until_unused(&room.f.app, crate::idle::LOOK);
    assert!(unused.now_or_never().is_none(), "without the setting it stays");
}

/// What is typed as it is goes to a program on the machine, as what its owner says.
#[tokio::test]
async fn only_an_owner_types_into_a_program() {
    let f = Hosted::new().await;
    let path = "/api/providers/sessions/0f8fad5b-d9cb-469f-a165-70867728950e/input";
    for (role, raw, expected) in [
        (Role::Admin, true, (403, "not_allowed")),
        (Role::Admin, false, (404, "not_found")),
        (Role::Owner, true, (404, "not_found")),
    ] {
        let device = f.sign_in(role.as_str(), role).await;
        let answer = f.post(path, cookie(&device), json!({ "text": "y", "raw": raw })).await;
        assert_eq!(answer.code(), expected, "{role:?} {raw}");
    }
}

#[tokio::test]
async fn a_control_plane_ends_what_it_names_and_nothing_else() {
    let room = Hosted::new().await;
    let ada = room.sign_in("ada", Role::Owner).await;
    let paired = room.pair(cookie(&ada)).await.cookie.unwrap();
    let grace = room.sign_in("grace", Role::Member).await;
    let token = room.person("ada", Role::Owner, "t-3");
    let service = room.token(&Grant::service("control"));
    let body = json!({ "subject": "ada" });
    let revoke = |with, body| room.post("/api/access/revoke", with, body);
    assert_eq!(revoke(cookie(&ada), body.clone()).await.status, 403, "owners have their own way");
    room.clock.advance(Duration::from_secs(2));
    assert_eq!(revoke(bearer(&service), body).await.status, 200);
    for gone in [&ada, &paired] {
        assert_eq!(room.verify(cookie(gone)).await.status, 401);
    }
    assert_eq!(room.verify(bearer(&token)).await.status, 401);
    assert_eq!(room.verify(cookie(&grace)).await.status, 200);
    for bad in [json!({}), json!({"subject": "a", "keyId": "b"}), json!({"subject": ""})] {
        assert_eq!(revoke(bearer(&service), bad).await.code(), (400, "bad_revocation"));
    }
    let later = json!({ "subject": "grace", "notBefore": "2099-01-01T00:00:00Z" });
    assert_eq!(revoke(bearer(&service), later).await.status, 400);
    room.clock.advance(Duration::from_secs(2));
    assert_eq!(room.trade(&room.person("ada", Role::Owner, "t-4"), None).await.status, 200);
}

#[tokio::test]
async fn a_service_gets_no_session_no_ticket_and_no_pairing() {
    let room = Hosted::new().await;
    let service = room.token(&Grant::service("control").token_id("s-1"));
    assert_eq!(room.verify(bearer(&service)).await.body["role"], "control");
    assert_eq!(room.trade(&service, None).await.status, 403);
    for path in ["/api/auth/ws-ticket", "/api/auth/pair"] {
        let refused = room.post(path, bearer(&service), Value::Null).await;
        assert_eq!(refused.status, 403, "{path}");
    }
}

#[tokio::test]
async fn nobody_ends_the_device_of_someone_above_them() {
    let room = Hosted::new().await;
    let mut keys = Vec::new();
    for (subject, role) in [("olga", Role::Owner), ("ada", Role::Admin), ("max", Role::Member)] {
        keys.push(room.sign_in(subject, role).await);
        room.clock.advance(Duration::from_secs(1));
    }
    let all = room.get("/api/access/sessions", cookie(&keys[0])).await.body;
    let ids: Vec<String> = all["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("/api/access/sessions/{}", one["id"].as_str().unwrap()))
        .collect();
    let own = room.get("/api/access/sessions", cookie(&keys[2])).await.body;
    assert_eq!(own["sessions"].as_array().unwrap().len(), 1, "members see their own");
    let end = |who: usize, whom: usize| {
        let (room, key, path) = (&room, &keys[who], &ids[whom]);
        async move { room.ask(&Method::DELETE, path, cookie(key), Value::Null).await.status }
    };
    assert_eq!(end(1, 0).await, 403, "an admin cannot end an owner");
    assert_eq!(end(2, 1).await, 403, "a member ends nobody else");
    assert_eq!(end(1, 2).await, 200);
    assert_eq!(end(1, 2).await, 404);
    assert_eq!(room.verify(cookie(&keys[2])).await.status, 401);
    assert_eq!(end(0, 1).await, 200);
    assert_eq!(end(0, 0).await, 200, "one's own");
    assert_eq!(room.verify(cookie(&keys[0])).await.status, 401);
}

#[tokio::test]
async fn local_ways_in_are_not_there_and_cloud_ones_not_in_local_mode() {
    let room = Hosted::new().await;
    let told = room.post("/api/auth/handshake", PAGE, json!({"code": "x"})).await;
    assert_eq!(told.status, 404);
    let mode = room.get("/api/bootstrap", With::default()).await.body;
    assert_eq!((&mode["mode"], &mode["auth"]), (&json!("cloud"), &json!(["token", "pair"])));
    let local = Fixture::new().await;
    for (method, path) in [
        (Method::POST, "/api/auth/session"),
        (Method::POST, "/api/auth/pair"),
        (Method::POST, "/api/auth/pair/redeem"),
        (Method::POST, "/api/auth/backchannel-logout"),
        (Method::GET, "/api/access/sessions"),
        (Method::POST, "/api/access/revoke"),
        (Method::POST, "/api/instance/wipe"),
    ] {
        let response = local.send(local.request(&method, path)).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method} {path}");
    }
}

#[tokio::test]
async fn a_listed_page_elsewhere_asks_by_bearer() {
    let room = Hosted::with(&[("ROOM_ALLOWED_ORIGINS", "https://app.example")]).await;
    let token = room.person("ada", Role::Owner, "t-1");
    for (origin, allowed) in [("https://app.example", true), ("https://evil.example", false)] {
        let mut request = room.f.request(&Method::OPTIONS, "/api/status");
        let headers = request.headers_mut();
        headers.insert(HOST, "localhost:3700".parse().unwrap());
        headers.insert(ORIGIN, origin.parse().unwrap());
        headers.insert("access-control-request-method", "GET".parse().unwrap());
        let answer = room.f.send(request).await;
        let named = answer.headers().get("access-control-allow-origin");
        assert_eq!(named.is_some_and(|named| named == origin), allowed, "{origin}");
        assert_eq!(answer.status().is_success(), allowed);
        assert!(answer.headers().get("access-control-allow-credentials").is_none());
        assert_eq!(answer.headers()["vary"], "origin");
        let with = With { origin: Some(origin), ..bearer(&token) };
        assert_eq!(room.verify(with).await.status == 200, allowed);
    }
}

#[tokio::test]
async fn an_old_link_becomes_a_fragment_only_where_that_is_allowed() {
    let old = [
        ("ROOM_JWT_SECRET", "0123456789abcdef0123456789abcdef"),
        ("ROOM_ALLOW_LEGACY_HMAC", "1"),
        ("ROOM_ALLOW_QUERY_TOKEN", "1"),
    ];
    let room = Hosted::with(&old).await;
    let mut request = room.f.request(&Method::GET, "/?token=a.b-c_d.e");
    request.headers_mut().insert(HOST, "localhost:3700".parse().unwrap());
    let answer = room.f.send(request).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[LOCATION], "/#token=a.b-c_d.e");
    for path in ["/?token=a%0d%0ab", "/?token=a&token=b", "/api/status?token=a.b.c"] {
        assert_eq!(room.get(path, With::default()).await.status, 400, "{path}");
    }
    let strict = Hosted::new().await;
    assert_eq!(strict.get("/?token=a.b.c", With::default()).await.status, 400);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let room = Hosted::new().await;
    let key = room.sign_in("ada", Role::Owner).await;
    let gone = room.sign_in("grace", Role::Member).await;
    room.clock.advance(Duration::from_secs(2));
    let service = room.token(&Grant::service("control"));
    let body = json!({ "subject": "grace" });
    assert_eq!(room.post("/api/access/revoke", bearer(&service), body).await.status, 200);
    // As after kill -9: nothing was closed.
    let rows = room.f.app.store.load_cloud(room.f.app.now()).await.unwrap();
    assert_eq!((rows.people.len(), rows.devices.len(), rows.revocations.len()), (1, 1, 1));
    assert_eq!(rows.devices[0].hash, room_auth::TokenHash::of(&key));
    assert_ne!(rows.devices[0].hash, room_auth::TokenHash::of(&gone));
    assert!(rows.revocations[0].not_before > SystemTime::UNIX_EPOCH);
}

#[tokio::test]
async fn the_log_says_who_came_in_and_how_many_did_not() {
    let room = Hosted::new().await;
    let ada = room.sign_in("ada", Role::Admin).await;
    let forged = format!("{}AAAA", room.person("eve", Role::Owner, "e"));
    for _ in 0..5 {
        assert_eq!(room.verify(bearer(&forged)).await.status, 401);
    }
    room.f.app.activity.flush().await;
    let told = room.get("/api/activity?kind=access", cookie(&ada)).await;
    let events = told.body["events"].as_array().unwrap();
    let [arrived, refused] = &events[..] else { panic!("{events:#?}") };
    assert_eq!((&arrived["action"], &arrived["outcome"]), (&json!("access.sign_in"), &json!("ok")));
    let actor = &arrived["actor"];
    assert_eq!((&actor["issuer"], &actor["subject"]), (&json!(ISSUER), &json!("ada")));
    assert_eq!((&actor["role"], &actor["address"]), (&json!("admin"), &json!("127.0.0.0/24")));
    assert_eq!(
        (&refused["action"], &refused["detail"]["count"]),
        (&json!("access.refused"), &json!(5))
    );
    assert!(!told.body.to_string().contains("eyJ"), "no token is in it");
    let viewer = room.sign_in("bob", Role::Viewer).await;
    assert_eq!(room.get("/api/activity", cookie(&viewer)).await.code(), (403, "not_allowed"));
}
