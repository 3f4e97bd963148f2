//! Every route and every channel, as everyone who might knock.
//!
//! What is expected is written here from the contract, row by row; the server's own table only says
//! which routes there are. A route that is not in both fails the test.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Method;
use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, WWW_AUTHENTICATE};
use room_auth::issuer::Grant;
use room_auth::{Role, SystemClock};
use room_tests::client::{Answer, Client};
use room_tests::issuer::{ControlPlane, person};
use room_tests::page::Page;
use room_tests::socket::{Socket, refused};
use serde_json::{Value, json};

use super::INSTANCE;
use super::embedded::Embedded;

/// Who may use a route, in the contract's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Nothing,
    StatusRead,
    Own,
    ProvidersManage,
    ActivityRead,
    AccessRevoke,
    InstanceManage,
    InstanceWipe,
}

use Asks::{
    AccessRevoke, ActivityRead, InstanceManage, InstanceWipe, Nothing, Own, ProvidersManage,
    StatusRead,
};

/// The contract, section 3, in cloud mode.
const CONTRACT: &[(&str, Asks)] = &[
    ("GET /healthz", Nothing),
    ("GET /readyz", Nothing),
    ("GET /api/bootstrap", Nothing),
    ("POST /api/auth/session", Nothing),
    ("POST /api/auth/pair/redeem", Nothing),
    ("POST /api/auth/backchannel-logout", Nothing),
    // `self` or service: everyone who gets in at all.
    ("GET /api/auth/verify", StatusRead),
    ("DELETE /api/auth/session", Own),
    ("POST /api/auth/pair", Own),
    ("POST /api/auth/ws-ticket", Own),
    ("GET /api/access/sessions", Own),
    ("DELETE /api/access/sessions/{id}", Own),
    ("POST /api/access/revoke", AccessRevoke),
    ("GET /api/status", StatusRead),
    ("GET /api/providers", StatusRead),
    ("GET /api/providers/status", StatusRead),
    ("POST /api/providers/{provider}/connect", ProvidersManage),
    ("GET /api/providers/{provider}/session", ProvidersManage),
    ("POST /api/providers/{provider}/disconnect", ProvidersManage),
    ("POST /api/providers/{provider}/verify", ProvidersManage),
    ("PUT /api/providers/{provider}/api-key", ProvidersManage),
    ("DELETE /api/providers/{provider}/api-key", ProvidersManage),
    ("POST /api/providers/{provider}/install", ProvidersManage),
    ("GET /api/providers/{provider}/install", ProvidersManage),
    ("GET /api/providers/sessions/{id}", ProvidersManage),
    ("POST /api/providers/sessions/{id}/input", ProvidersManage),
    ("POST /api/providers/sessions/{id}/cancel", ProvidersManage),
    ("GET /api/activity", ActivityRead),
    ("GET /api/activity.ndjson", ActivityRead),
    ("POST /api/instance/backup", InstanceManage),
    ("POST /api/instance/wipe", InstanceWipe),
    // Has its own sign-in and its own walk below.
    ("GET /ws", Nothing),
];

/// As what someone comes, past the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    Person(Role),
    Service,
}

const EVERYONE: [As; 5] = [
    As::Person(Role::Owner),
    As::Person(Role::Admin),
    As::Person(Role::Member),
    As::Person(Role::Viewer),
    As::Service,
];

impl As {
    /// The table of the contract, section 2.
    fn may(self, asks: Asks) -> bool {
        let row = match asks {
            Nothing | StatusRead => [true, true, true, true, true],
            Own => [true, true, true, true, false],
            ProvidersManage | ActivityRead => [true, true, false, false, false],
            AccessRevoke => [false, false, false, false, true],
            InstanceManage => [true, false, false, false, false],
            InstanceWipe => [true, false, false, false, true],
        };
        let column = EVERYONE.iter().position(|one| *one == self);
        row[column.expect("everyone is in the list")]
    }

    fn token(self, plane: &ControlPlane) -> String {
        match self {
            Self::Person(role) => plane.token(role),
            Self::Service => plane.service_token(),
        }
    }
}

struct Walk {
    plane: ControlPlane,
    room: Embedded,
}

impl Walk {
    async fn start() -> Self {
        let plane = ControlPlane::start(INSTANCE).unwrap();
        let room = Embedded::start(Arc::new(SystemClock), &plane.settings(), None).await;
        Self { plane, room: room.with_keys().await }
    }

    fn client(&self) -> &Client {
        &self.room.client
    }

    /// The guarded routes, and what they ask for.
    fn guarded(&self) -> Vec<(Method, String, Asks)> {
        let asks = |row: &str| CONTRACT.iter().find(|(name, _)| *name == row).map(|row| row.1);
        let routes = self.room.routes.iter();
        let all = routes.map(|(method, path, _)| {
            let asks = asks(&format!("{method} {path}"));
            (method.clone(), filled(path), asks.expect("the contract has every route"))
        });
        all.filter(|(_, _, asks)| *asks != Nothing).collect()
    }

    async fn end(self) {
        self.room.end().await;
    }
}

/// A path with its parameters filled in: a provider there is, and a session there is not.
fn filled(path: &str) -> String {
    path.replace("{provider}", "codex").replace("{id}", "0f8fad5b-d9cb-469f-a165-70867728950e")
}

/// A body that would tell whoever gets it read that it was read.
fn with_bad_body(request: RequestBuilder, method: &Method) -> RequestBuilder {
    if *method == Method::GET {
        return request;
    }
    request.header(CONTENT_TYPE, "application/json").body("not json")
}

fn challenge(answer: &Answer) -> &str {
    answer.header(WWW_AUTHENTICATE.as_str()).unwrap_or_default()
}

#[tokio::test]
async fn the_server_has_the_routes_of_the_contract_and_no_others() {
    let walk = Walk::start().await;
    let there: BTreeSet<String> =
        walk.room.routes.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let written: BTreeSet<String> = CONTRACT.iter().map(|(row, _)| (*row).to_owned()).collect();
    assert_eq!(there, written);
    for (method, path, permission) in &walk.room.routes {
        let row = CONTRACT.iter().find(|(name, _)| *name == format!("{method} {path}")).unwrap();
        let name = permission.map_or("", |permission| permission.as_str());
        let expected = match row.1 {
            Nothing => "",
            StatusRead => "status.read",
            Own => "self",
            ProvidersManage => "providers.manage",
            ActivityRead => "activity.read",
            AccessRevoke => "access.revoke",
            InstanceManage => "instance.manage",
            InstanceWipe => "instance.wipe",
        };
        assert_eq!(name, expected, "{method} {path}");
    }
    walk.end().await;
}

/// Nobody gets as far as having a body read, and the one thing that is told apart is a token that
/// has expired.
#[tokio::test]
async fn who_proves_nothing_gets_past_no_guarded_route() {
    let walk = Walk::start().await;
    let plane = &walk.plane;
    let owner = person(Role::Owner);
    let expired = plane.mint_at(&owner, SystemTime::now() - Duration::from_hours(2));
    let elsewhere = plane.mint_for("inst-2", &owner);
    let no_role = plane.mint(&person(Role::Owner).claim("role", "superuser"));
    let gone = Grant::person("gone", Role::Owner);
    let revoked = plane.mint(&gone);
    let before = Answer::of(walk.client().bearing(&revoked, Method::GET, "/api/status")).await;
    assert_eq!(before.status, 200, "{before:?}");
    let revoke = walk.client().bearing(&plane.service_token(), Method::POST, "/api/access/revoke");
    let done = Answer::of(revoke.json(&json!({ "subject": "gone" }))).await;
    assert_eq!(done.status, 200, "{done:?}");

    let bearer = "Bearer realm=\"room\"";
    let invalid = format!("{bearer}, error=\"invalid_token\"");
    let lapsed = format!("{invalid}, error_description=\"expired\"");
    let malformed = format!("{bearer}, error=\"invalid_request\"");
    let forbidden = format!("{bearer}, error=\"insufficient_scope\"");
    let strangers = [
        ("stranger", None, 401, bearer),
        ("no token at all", Some("x".to_owned()), 401, invalid.as_str()),
        ("malformed", Some("e30.e30".to_owned()), 400, malformed.as_str()),
        ("unsigned", Some("e30.e30.".to_owned()), 401, invalid.as_str()),
        ("expired", Some(expired), 401, lapsed.as_str()),
        ("wrong instance", Some(elsewhere), 401, invalid.as_str()),
        ("unknown role", Some(no_role), 403, forbidden.as_str()),
        ("revoked", Some(revoked), 401, invalid.as_str()),
    ];
    let guarded = walk.guarded();
    assert!(guarded.len() >= 20, "{}", guarded.len());
    for (who, token, status, told) in &strangers {
        for (method, path, _) in &guarded {
            let request = match token {
                Some(token) => walk.client().bearing(token, method.clone(), path),
                None => walk.client().anonymous(method.clone(), path),
            };
            let answer = Answer::of(with_bad_body(request, method)).await;
            assert_eq!(answer.status.as_u16(), *status, "{who}: {method} {path}: {answer:?}");
            assert_eq!(challenge(&answer), *told, "{who}: {method} {path}");
        }
        let request = walk.client().upgrade(token.as_deref());
        assert_eq!(refused(request).await, *status, "{who}: GET /ws");
    }
    walk.end().await;
}

#[tokio::test]
async fn each_role_gets_exactly_as_far_as_the_table_says_by_bearer() {
    let walk = Walk::start().await;
    for who in EVERYONE {
        for (method, path, asks) in walk.guarded() {
            // Some of them end what they stand on, so each gets its own.
            let token = who.token(&walk.plane);
            let request = walk.client().bearing(&token, method.clone(), &path);
            let request = if method == Method::GET { request } else { request.json(&json!({})) };
            let may = who.may(asks) && !is_anothers(who, &path);
            check(&format!("{who:?} {method} {path}"), &Answer::of(request).await, may);
            if !who.may(asks) {
                let request = walk.client().bearing(&token, method.clone(), &path);
                let answer = Answer::of(with_bad_body(request, &method)).await;
                assert_eq!(answer.status, 403, "{who:?} {method} {path}: {answer:?}");
            }
        }
    }
    walk.end().await;
}

#[tokio::test]
async fn each_role_gets_exactly_as_far_as_the_table_says_by_cookie() {
    let walk = Walk::start().await;
    for role in Role::ALL {
        let who = As::Person(role);
        for (method, path, asks) in walk.guarded() {
            let page = Page::signed_in(walk.client(), &walk.plane.token(role), "walk").await;
            let request = page.request(method.clone(), &path);
            let request = if method == Method::GET { request } else { request.json(&json!({})) };
            let may = who.may(asks) && !is_anothers(who, &path);
            check(&format!("{who:?} {method} {path}"), &Answer::of(request).await, may);
        }
    }
    walk.end().await;
}

/// A device that is not one's own is a manager's business, and whether there is one too.
fn is_anothers(who: As, path: &str) -> bool {
    let manager = matches!(who, As::Person(Role::Owner | Role::Admin));
    path.starts_with("/api/access/sessions/") && !manager
}

#[track_caller]
fn check(what: &str, answer: &Answer, may: bool) {
    let status = answer.status.as_u16();
    if may {
        assert!(![401, 403, 405, 500].contains(&status), "{what}: {answer:?}");
        let problem = answer.code();
        assert!(status != 404 || problem == "not_found", "{what}: {answer:?}");
    } else {
        assert_eq!(status, 403, "{what}: {answer:?}");
        assert_eq!(answer.code(), "not_allowed", "{what}");
    }
}

/// A service brings no session about, whatever it asks for.
#[tokio::test]
async fn a_service_gets_no_session_no_ticket_and_no_code() {
    let walk = Walk::start().await;
    let mut page = Page::open(walk.client());
    let answer = page.sign_in(&walk.plane.service_token(), "robot").await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(page.cookie(), None);
    walk.end().await;
}

#[tokio::test]
async fn a_cookie_and_a_bearer_together_are_400_but_where_a_token_is_traded() {
    let walk = Walk::start().await;
    let token = walk.plane.token(Role::Owner);
    let mut page = Page::signed_in(walk.client(), &token, "both").await;
    for (method, path, _) in walk.guarded() {
        let request =
            page.request(method.clone(), &path).bearer_auth(walk.plane.token(Role::Owner));
        let answer = Answer::of(with_bad_body(request, &method)).await;
        assert_eq!(answer.status, 400, "{method} {path}: {answer:?}");
        assert_eq!(answer.code(), "invalid_request", "{method} {path}");
    }
    let mut upgrade = walk.client().upgrade(Some(&walk.plane.token(Role::Owner)));
    upgrade.headers_mut().insert("cookie", page.cookie().unwrap().parse().unwrap());
    upgrade.headers_mut().insert("origin", "https://room.test".parse().unwrap());
    assert_eq!(refused(upgrade).await, 400);
    // The bearer decides, and the cookie is another one from then on.
    let before = page.cookie();
    let answer = page.sign_in(&walk.plane.token(Role::Viewer), "both").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["role"]),
        (200, &json!("viewer")),
        "{answer:?}"
    );
    assert_ne!(page.cookie(), before);
    walk.end().await;
}

/// What rests on a cookie and changes something is asked by our own page, in JSON.
#[tokio::test]
async fn a_cookie_alone_changes_nothing_for_another_page() {
    let walk = Walk::start().await;
    let page = Page::signed_in(walk.client(), &walk.plane.token(Role::Owner), "mine").await;
    let cookie = page.cookie().unwrap();
    for (method, path, asks) in walk.guarded() {
        if method == Method::GET {
            continue;
        }
        let origins = [None, Some("https://evil.test"), Some("null"), Some("http://room.test")];
        for origin in origins {
            let mut request = walk.client().anonymous(method.clone(), &path);
            request = request.header(COOKIE, &cookie).json(&json!({}));
            if let Some(origin) = origin {
                request = request.header(ORIGIN, origin);
            }
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 403, "{origin:?} {method} {path}: {answer:?}");
        }
        let form =
            page.request(method.clone(), &path).header(CONTENT_TYPE, "text/plain").body("{}");
        let answer = Answer::of(form).await;
        let expected = if As::Person(Role::Owner).may(asks) { 415 } else { 403 };
        assert_eq!(answer.status, expected, "{method} {path}: {answer:?}");
    }
    // Nothing of that ended it.
    assert_eq!(page.get("/api/auth/verify").await.status, 200);
    for origin in [None, Some("https://evil.test"), Some("null")] {
        let mut upgrade = walk.client().upgrade(None);
        upgrade.headers_mut().insert("cookie", cookie.parse().unwrap());
        if let Some(origin) = origin {
            upgrade.headers_mut().insert("origin", origin.parse().unwrap());
        }
        assert_eq!(refused(upgrade).await, 403, "{origin:?} GET /ws");
    }
    walk.end().await;
}

/// The contract, section 4: which channel asks for what.
#[tokio::test]
async fn each_role_hears_exactly_the_channels_of_the_table() {
    let walk = Walk::start().await;
    let session = "provider-auth:0f8fad5b-d9cb-469f-a165-70867728950e";
    let channels = ["providers", "activity", "access", session, "provider-auth:nonsense", "rooms"];
    for role in Role::ALL {
        let manager = matches!(role, Role::Owner | Role::Admin);
        let page = Page::signed_in(walk.client(), &walk.plane.token(role), "ears").await;
        let by_bearer = walk.client().upgrade(Some(&walk.plane.token(role)));
        for mut socket in [page.socket().await, Socket::by(by_bearer).await] {
            assert_eq!(socket.hello()["mode"], "cloud");
            let answer = socket.subscribe(&channels).await;
            let names = |list: &Value| -> BTreeSet<String> {
                let list = list.as_array().unwrap().iter();
                list.map(|name| name.as_str().unwrap().to_owned()).collect()
            };
            let heard = if manager { &channels[..3] } else { &channels[..1] };
            let expected: BTreeSet<String> = heard.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(names(&answer["channels"]), expected, "{role:?}: {answer}");
            assert_eq!(names(&answer["denied"]).len(), channels.len() - heard.len(), "{role:?}");
        }
    }
    walk.end().await;
}
