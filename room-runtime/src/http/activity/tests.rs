//! The log over HTTP.

use axum::extract::Request;
use http::header::{AUTHORIZATION, HOST};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use room_auth::{Role, Standing};
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::activity::Action;
use crate::http::front;
use crate::server::{self, Server};

struct Fixture {
    app: AppState,
    bearer: String,
    _server: Server,
    _directory: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (app, server) = server::for_tests(directory.path()).await;
        let bearer =
            app.sign_in.local.admit_for_test(Standing::Person(Role::Admin)).expose().to_owned();
        Self { app, bearer, _server: server, _directory: directory }
    }

    async fn send(&self, method: Method, path: &str) -> (StatusCode, String) {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        let host = format!("localhost:{}", self.app.port);
        request.headers_mut().insert(HOST, host.parse().unwrap());
        let bearer = format!("Bearer {}", self.bearer);
        request.headers_mut().insert(AUTHORIZATION, bearer.parse().unwrap());
        let peer = ([127, 0, 0, 1], 1).into();
        request.extensions_mut().insert(Connection { peer, ours: peer });
        let answer = front(&self.app).answer(request).await;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, text) = self.send(Method::GET, path).await;
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    async fn seqs(&self, query: &str) -> (Vec<i64>, bool) {
        let (status, answer) = self.get(&format!("/api/activity{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query}: {answer}");
        let events = answer["events"].as_array().unwrap();
        let seqs = events.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
        (seqs, answer["more"].as_bool().unwrap())
    }

    async fn note(&self, action: Action) {
        self.app.activity.note(None, action, Outcome::Ok, None, Detail::none()).await;
    }
}

#[tokio::test]
async fn pages_go_both_ways_and_by_kind() {
    let f = Fixture::new().await;
    for n in 0..60 {
        f.note(if n % 20 == 0 { Action::Verify } else { Action::SignOut }).await;
    }
    let check = async |query: &str, expected: Vec<i64>, more: bool| {
        assert_eq!(f.seqs(query).await, (expected, more), "{query}");
    };
    check("", (11..=60).collect(), true).await;
    check("?limit=200", (1..=60).collect(), false).await;
    check("?limit=60", (1..=60).collect(), false).await;
    check("?limit=59", (2..=60).collect(), true).await;
    check("?before=11", (1..=10).collect(), false).await;
    check("?before=11&limit=3", vec![8, 9, 10], true).await;
    check("?after=57", vec![58, 59, 60], false).await;
    check("?after=0&limit=2", vec![1, 2], true).await;
    check("?after=60", vec![], false).await;
    check("?kind=provider", vec![1, 21, 41], false).await;
    check("?kind=provider&limit=2", vec![21, 41], true).await;
    check("?kind=provider&before=41&limit=1", vec![21], true).await;
    check("?kind=provider&after=1&limit=1", vec![21], true).await;
    check("?kind=instance", vec![], false).await;
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_said() {
    let f = Fixture::new().await;
    for (query, code) in [
        ("limit=0", "bad_limit"),
        ("limit=201", "bad_limit"),
        ("limit=-1", "bad_limit"),
        ("limit=%2B5", "bad_limit"),
        ("limit=", "bad_limit"),
        ("limit=4294967297", "bad_limit"),
        ("after=x", "bad_position"),
        ("after=-1", "bad_position"),
        ("before=1.0", "bad_position"),
        ("before=", "bad_position"),
        ("after=9223372036854775808", "bad_position"),
        ("after=1&before=9", "bad_position"),
        ("kind=", "unknown_kind"),
        ("kind=Access", "unknown_kind"),
        ("kind=access.sign_in", "unknown_kind"),
        ("kind=%25", "unknown_kind"),
        ("limit=1&limit=2", "bad_request"),
        ("order=desc", "bad_request"),
    ] {
        let (status, answer) = f.get(&format!("/api/activity?{query}")).await;
        assert_eq!((status.as_u16(), answer["code"].as_str()), (400, Some(code)), "{query}");
    }
}

#[tokio::test]
async fn only_managers_read_it() {
    let mut f = Fixture::new().await;
    let others = [Role::Member, Role::Viewer].map(Standing::Person);
    for standing in others.into_iter().chain([Standing::Service]) {
        f.bearer = f.app.sign_in.local.admit_for_test(standing).expose().to_owned();
        for path in ["/api/activity", "/api/activity.ndjson", "/api/activity?limit=x"] {
            let (status, answer) = f.get(path).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{standing:?} {path}");
            assert_eq!(answer["code"], "not_allowed");
        }
    }
}

#[tokio::test]
async fn the_whole_log_is_a_line_each() {
    let f = Fixture::new().await;
    let intent = f.app.activity.intent(Actor::owner("x"), Action::Wipe, None, Detail::none());
    intent.await.unwrap().ok().await;
    let many = ROWS_AT_ONCE as usize + 5;
    let notes = (0..many).map(|_| f.note(Action::Verify));
    futures_util::future::join_all(notes).await;
    let (status, text) = f.send(Method::GET, "/api/activity.ndjson").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.ends_with("}\n"));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), many + 2);
    for (seq, line) in (1..).zip(&lines) {
        assert_eq!(line["seq"], seq);
    }
    assert_eq!((&lines[0]["outcome"], &lines[1]["outcome"]), (&"intent".into(), &"ok".into()));
    assert_eq!(lines[1]["intent"], 1);
}

#[tokio::test]
async fn a_disk_that_refuses_stops_what_changes_something_and_nothing_else() {
    let f = Fixture::new().await;
    f.app.store.refuse_writes(true).await;
    let (status, text) = f.send(Method::POST, "/api/providers/codex/connect").await;
    assert!(
        status == StatusCode::SERVICE_UNAVAILABLE && text.contains("audit_unavailable"),
        "{text}"
    );
    assert_eq!(f.app.manager.latest("codex").unwrap(), None);
    for (method, path, status) in [
        // There is no program to sign out here.
        (Method::POST, "/api/providers/codex/disconnect", 409),
        (Method::POST, "/api/providers/codex/verify", 200),
        (Method::GET, "/api/activity", 200),
        (Method::GET, "/api/activity.ndjson", 200),
        (Method::DELETE, "/api/auth/session", 200),
    ] {
        assert_eq!(f.send(method, path).await.0.as_u16(), status, "{path}");
    }
    assert_eq!(f.get("/api/auth/verify").await.0, StatusCode::UNAUTHORIZED);
    f.app.store.refuse_writes(false).await;
    f.note(Action::Verify).await;
    let kept = f.app.store.activity(Range::Newest, None, 9).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|event| &*event.entry.action).collect();
    let expected = ["provider.disconnect", "provider.verify", "access.sign_out", "provider.verify"];
    assert_eq!(kept, expected);
}
