//! Limits as a client meets them.

use super::cloud::{Hosted, bearer};
use super::*;
use crate::limits::Group;

struct Limited {
    f: Fixture,
    clock: Arc<ManualClock>,
    bearer: String,
}

impl Limited {
    async fn new() -> Self {
        let (directory, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::default()));
        let (app, server) = server::for_tests_with(directory.path(), &[], clock.clone()).await;
        let owner = app.sign_in.local.admit_for_test(Standing::Person(Role::Owner));
        let bearer = format!("Bearer {}", owner.expose());
        Self { f: Fixture { app, _server: server, _directory: directory }, clock, bearer }
    }

    async fn ask(&self, method: Method, path: &str) -> Response {
        let mut request = self.f.request(&method, path);
        request.headers_mut().insert(AUTHORIZATION, self.bearer.parse().unwrap());
        self.f.send(request).await
    }

    /// Asks as often as is allowed, and one time more.
    async fn exhaust(&self, method: Method, path: &str, allowed: usize, wait: &str) {
        for n in 0..allowed {
            let status = self.ask(method.clone(), path).await.status();
            assert_ne!(status, StatusCode::TOO_MANY_REQUESTS, "{path}, call {n}");
        }
        let answer = self.ask(method, path).await;
        assert_eq!(answer.headers()[RETRY_AFTER], wait, "{path}");
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json", "{path}");
        let told = code(answer).await;
        let refused = (StatusCode::TOO_MANY_REQUESTS, "too_many_requests".to_owned());
        assert_eq!(told, refused, "{path}");
    }
}

#[tokio::test]
async fn a_person_has_so_many_calls_of_each_group() {
    let room = Limited::new().await;
    let session = filled("/api/providers/sessions/{id}");
    room.exhaust(Method::POST, "/api/providers/codex/connect", 6, "10").await;
    room.exhaust(Method::POST, &format!("{session}/input"), 10, "6").await;
    room.exhaust(Method::POST, &format!("{session}/cancel"), 20, "1").await;
    room.exhaust(Method::GET, "/api/auth/verify", 60, "1").await;
    room.exhaust(Method::GET, "/ws", 30, "2").await;
    room.clock.advance(Duration::from_secs(10));
    let answer = room.ask(Method::POST, "/api/providers/codex/connect").await;
    assert_eq!(answer.status(), StatusCode::CONFLICT, "after the wait it is answered");
}

#[tokio::test]
async fn who_asks_too_often_reaches_nothing_behind_it() {
    let room = Limited::new().await;
    room.exhaust(Method::POST, "/api/providers/codex/connect", 6, "10").await;
    room.f.app.activity.flush().await;
    let noted = room.f.app.store.activity(crate::store::Range::Newest, None, 100).await.unwrap();
    assert_eq!(noted.len(), 6, "the seventh was not begun");
}

#[tokio::test]
async fn health_checks_are_counted_by_network() {
    let room = Limited::new().await;
    let from = async |peer: [u8; 4]| {
        let mut request = room.f.request(&Method::GET, "/healthz");
        let ours = ([127, 0, 0, 1], room.f.app.port).into();
        request.extensions_mut().insert(Connection { peer: (peer, 1).into(), ours });
        room.f.send(request).await.status().as_u16()
    };
    for _ in 0..10 {
        assert_eq!(from([192, 0, 2, 1]).await, 200);
    }
    assert_eq!(from([192, 0, 2, 1]).await, 429);
    assert_eq!(from([192, 0, 2, 2]).await, 200);
    room.clock.advance(Duration::from_secs(1));
    assert_eq!(from([192, 0, 2, 1]).await, 200);
}

#[tokio::test]
async fn calls_of_strangers_cost_nobody_anything() {
    let room = Limited::new().await;
    for _ in 0..200 {
        let path = "/api/auth/verify";
        room.f.get(path, &[("authorization", "Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]).await;
        room.f.get("/api/bootstrap", &[]).await;
    }
    assert_eq!(room.ask(Method::GET, "/api/auth/verify").await.status(), StatusCode::OK);
    assert_eq!(room.f.get("/api/bootstrap", &[]).await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_page_that_starts_is_far_from_any_limit() {
    let room = Limited::new().await;
    for _ in 0..10 {
        for path in [
            "/api/auth/verify",
            "/api/providers",
            "/api/providers/status",
            "/api/status",
            "/api/activity",
        ] {
            assert_eq!(room.ask(Method::GET, path).await.status(), StatusCode::OK, "{path}");
        }
        let bootstrap = room.f.get("/api/bootstrap", &[]).await;
        assert_eq!(bootstrap.status(), StatusCode::OK);
        let ticket = room.ask(Method::POST, "/api/auth/ws-ticket").await;
        assert_eq!(ticket.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn what_changes_something_does_not_count_as_reading() {
    let f = Fixture::new().await;
    for (method, path, permission, group) in routes(&f.app).table {
        let reads = matches!(group, Group::Read | Group::Public | Group::Health);
        let socket = group == Group::Socket;
        assert_eq!(reads || socket, method == Method::GET, "{method} {path}");
        // Without a person there is only the address to count by.
        let by_person = !matches!(group, Group::SignIn | Group::Public | Group::Health);
        assert_eq!(by_person, permission.is_some() || socket, "{method} {path}");
    }
}

#[tokio::test]
async fn people_behind_one_address_are_counted_apart() {
    let room = Hosted::new().await;
    let [ada, again, eve] = [("ada", "1"), ("ada", "2"), ("eve", "3")]
        .map(|(subject, id)| room.person(subject, Role::Viewer, id));
    let path = "/api/auth/verify";
    for _ in 0..60 {
        assert_eq!(room.get(path, bearer(&ada)).await.status, 200);
    }
    assert_eq!(room.get(path, bearer(&ada)).await.status, 429);
    assert_eq!(room.get(path, bearer(&again)).await.status, 429, "another token, the same person");
    assert_eq!(room.get(path, bearer(&eve)).await.status, 200);
    let forged = format!("{}AAAA", &eve[..eve.len() - 4]);
    assert_eq!(room.get(path, bearer(&forged)).await.status, 401, "a stranger is told nothing");
}
