//! The router as a whole: who gets where, and which rule wins.

mod cloud;
mod limits;

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use room_auth::{ManualClock, Role, Standing};
use serde_json::Value;
use tempfile::TempDir;

use super::{Endpoints, front, routes};
use crate::server::{self, Server};
use crate::state::{AppState, Connection};

struct Fixture {
    app: AppState,
    _server: Server,
    _directory: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (app, server) = server::for_tests(directory.path()).await;
        Self { app, _server: server, _directory: directory }
    }

    /// A request as a program on this machine sends it.
    fn request(&self, method: &Method, path: &str) -> Request {
        let host = format!("localhost:{}", self.app.port);
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method.clone();
        *request.uri_mut() = path.parse().unwrap();
        request.headers_mut().insert(HOST, host.parse().unwrap());
        let ours = ([127, 0, 0, 1], self.app.port).into();
        let peer = ([127, 0, 0, 1], 1).into();
        request.extensions_mut().insert(Connection { peer, ours });
        request
    }

    async fn send(&self, request: Request) -> Response {
        front(&self.app).answer(request).await
    }

    async fn get(&self, path: &str, headers: &[(&'static str, &str)]) -> Response {
        let mut request = self.request(&Method::GET, path);
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        self.send(request).await
    }
}

/// A path of a route with its parameters filled in.
fn filled(path: &str) -> String {
    path.replace("{provider}", "codex").replace("{id}", "0f8fad5b-d9cb-469f-a165-70867728950e")
}

async fn code(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    (status, body["code"].as_str().unwrap_or("").to_owned())
}

#[tokio::test]
async fn a_stranger_gets_past_no_guarded_route() {
    let f = Fixture::new().await;
    let mut guarded = 0;
    for (method, path, permission, _) in routes(&f.app).table {
        if permission.is_none() {
            continue;
        }
        guarded += 1;
        for bearer in [None, Some("Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] {
            let mut request = f.request(&method, &filled(path));
            if let Some(bearer) = bearer {
                request.headers_mut().insert(AUTHORIZATION, bearer.parse().unwrap());
            }
            // A body that could not be read: nobody may get as far as being told so.
            request.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap());
            *request.body_mut() = Body::from("not json");
            let response = f.send(request).await;
            let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
            let expected = match bearer {
                None => "Bearer realm=\"room\"",
                Some(_) => "Bearer realm=\"room\", error=\"invalid_token\"",
            };
            assert_eq!(challenge, expected, "{method} {path}");
            let answer = code(response).await;
            let refused = (StatusCode::UNAUTHORIZED, "sign_in_required".to_owned());
            assert_eq!(answer, refused, "{method} {path}");
        }
    }
    assert!(guarded >= 13, "the table has lost routes");
}

#[tokio::test]
async fn every_route_asks_for_its_one_permission() {
    // Here one person is all of them, and asks more than a person may.
    let directory = tempfile::tempdir().unwrap();
    let off = [("ROOM_AUTH_FAILURES_PER_MINUTE", "off")];
    let (app, server) =
        server::for_tests_with(directory.path(), &off, Arc::new(ManualClock::default())).await;
    let f = Fixture { app, _server: server, _directory: directory };
    let people = Role::ALL.map(Standing::Person);
    for standing in people.into_iter().chain([Standing::Service]) {
        for (method, path, permission, _) in routes(&f.app).table {
            let Some(permission) = permission else { continue };
            let token = f.app.sign_in.local.admit_for_test(standing);
            let mut request = f.request(&method, &filled(path));
            let bearer = format!("bearer {}", token.expose());
            request.headers_mut().insert(AUTHORIZATION, bearer.parse().unwrap());
            let (status, code) = code(f.send(request).await).await;
            let refused = status == StatusCode::FORBIDDEN && code == "not_allowed";
            let told = format!("{standing:?} {method} {path}: {status} {code}");
            assert_eq!(refused, !standing.may(permission), "{told}");
            assert!(![401, 405, 500].contains(&status.as_u16()), "{told}");
        }
    }
}

#[tokio::test]
async fn who_is_public_is_on_a_short_list() {
    let f = Fixture::new().await;
    let public = routes(&f.app).table.into_iter().filter(|row| row.2.is_none());
    let public: Vec<_> = public.map(|(method, path, ..)| format!("{method} {path}")).collect();
    let expected = [
        "GET /healthz",
        "GET /readyz",
        "GET /api/bootstrap",
        "POST /api/auth/handshake",
        "GET /ws",
    ];
    assert_eq!(public, expected);
    // The last one asks for itself.
    assert_eq!(code(f.get("/ws", &[]).await).await.0, StatusCode::UNAUTHORIZED);
    let two = [("authorization", "Bearer A"), ("sec-websocket-protocol", "room.v1, room.ticket.B")];
    assert_eq!(code(f.get("/ws", &two).await).await.0, StatusCode::BAD_REQUEST);
    let ticket = [("sec-websocket-protocol", "room.v1, room.ticket.B")];
    assert_eq!(code(f.get("/ws", &ticket).await).await.0, StatusCode::UNAUTHORIZED);
}

type Step<'a> = (&'a str, u16, Box<dyn Fn(&mut Request) + 'a>);

#[tokio::test]
async fn the_rules_win_in_their_order() {
    let f = Fixture::new().await;
    let viewer = f.app.sign_in.local.admit_for_test(Standing::Person(Role::Viewer));
    let owner = f.app.sign_in.local.admit_for_test(Standing::Person(Role::Owner));
    let path = "/api/providers/codex/connect";
    let mut request = f.request(&Method::POST, &format!("{path}?token=x"));
    let headers = request.headers_mut();
    headers.insert(CONTENT_LENGTH, "65537".parse().unwrap());
    headers.insert(HOST, "evil.example".parse().unwrap());
    headers.insert(ORIGIN, "http://evil.example".parse().unwrap());
    headers.insert("sec-fetch-site", "cross-site".parse().unwrap());
    headers.insert(CONTENT_TYPE, "text/plain".parse().unwrap());
    let ours = format!("http://localhost:{}", f.app.port);
    // Each step puts one thing right, and the next rule speaks.
    let set = |name: &'static str, value: String| -> Box<dyn Fn(&mut Request)> {
        Box::new(move |request| {
            request.headers_mut().insert(name, value.parse().unwrap());
        })
    };
    let steps: Vec<Step<'_>> = vec![
        ("too_large", 413, set("content-length", "8".into())),
        ("wrong_host", 421, set("host", ours.replace("http://", ""))),
        ("wrong_origin", 403, set("origin", ours.clone())),
        ("wrong_site", 403, set("sec-fetch-site", "same-origin".into())),
        ("invalid_request", 400, Box::new(|request| *request.uri_mut() = path.parse().unwrap())),
        ("sign_in_required", 401, set("authorization", format!("Bearer {}", viewer.expose()))),
        ("not_allowed", 403, set("authorization", format!("Bearer {}", owner.expose()))),
        ("not_json", 415, set("content-type", "application/json".into())),
        ("bad_json", 400, Box::new(|_| ())),
    ];
    for (expected, status, put_right) in steps {
        let mut copy = Request::new(Body::from("not json"));
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        let told = code(f.send(copy).await).await;
        assert_eq!((told.0.as_u16(), told.1.as_str()), (status, expected));
        put_right(&mut request);
    }
}

#[tokio::test]
async fn a_wrong_host_gets_nowhere_but_to_the_health_check() {
    let f = Fixture::new().await;
    for path in ["/", "/api/bootstrap", "/api/auth/verify", "/ws", "/assets/x.js", "/nothing"] {
        for host in ["evil.example", "localhost", "127.0.0.1.evil.example", "localhost:1", "["] {
            let told = code(f.get(path, &[("host", host)]).await).await;
            let refused = (StatusCode::MISDIRECTED_REQUEST, "wrong_host".to_owned());
            assert_eq!(told, refused, "{host} {path}");
        }
    }
    let healthy = f.get("/healthz", &[("host", "10.0.0.7:3700")]).await;
    assert_eq!(healthy.status(), StatusCode::OK);
    let ready = f.get("/readyz", &[("host", "10.0.0.7:3700")]).await;
    assert_eq!(ready.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_foreign_page_gets_nowhere() {
    let f = Fixture::new().await;
    let port = f.app.port;
    let other_port = format!("http://localhost:{}", port.wrapping_add(1));
    for origin in ["null", "http://evil.example", &other_port, "https://localhost"] {
        for path in ["/", "/api/bootstrap", "/ws", "/nothing"] {
            let told = code(f.get(path, &[("origin", origin)]).await).await;
            assert_eq!(told, (StatusCode::FORBIDDEN, "wrong_origin".to_owned()), "{origin} {path}");
        }
    }
    for site in ["cross-site", "same-site", "nonsense"] {
        let told = code(f.get("/api/bootstrap", &[("sec-fetch-site", site)]).await).await;
        assert_eq!(told, (StatusCode::FORBIDDEN, "wrong_site".to_owned()), "{site}");
    }
    for site in ["same-origin", "none"] {
        let response = f.get("/api/bootstrap", &[("sec-fetch-site", site)]).await;
        assert_eq!(response.status(), StatusCode::OK, "{site}");
    }
    // A link on another site may lead to the dashboard.
    let visit = f.get("/", &[("sec-fetch-site", "cross-site"), ("accept", "text/html")]).await;
    assert_ne!(visit.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn every_answer_is_locked_down() {
    let f = Fixture::new().await;
    let html = [("accept", "text/html")];
    let wrong_host = [("host", "evil.example")];
    for (path, headers, status) in [
        ("/", &html[..], 200),
        ("/healthz", &[], 200),
        ("/api/bootstrap", &[], 200),
        ("/api/nothing", &html, 404),
        ("/assets/nothing.js", &html, 404),
        ("/nothing.png", &html, 404),
        ("/api/auth/handshake", &[], 405),
        ("/api/auth/verify", &[], 401),
        ("/", &wrong_host, 421),
    ] {
        let response = f.get(path, headers).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        let headers = response.headers();
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' \
            data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; \
            form-action 'self'; base-uri 'none'; require-trusted-types-for 'script'; \
            trusted-types room-sw; frame-ancestors 'none'";
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("origin-agent-cluster", "?1"),
            ("content-security-policy", policy),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        assert!(headers.contains_key("permissions-policy") && headers.contains_key("x-request-id"));
        assert!(!headers.contains_key("server") && !headers.contains_key("set-cookie"), "{path}");
        assert_eq!(headers[CACHE_CONTROL], "no-store", "{path}");
    }
}

#[tokio::test]
async fn methods_are_told() {
    let f = Fixture::new().await;
    for (method, path, allow) in [
        (Method::GET, "/api/auth/handshake", "POST"),
        (Method::POST, "/api/bootstrap", "GET,HEAD"),
        (Method::PUT, "/api/auth/verify", "GET,HEAD"),
        (Method::POST, "/", "GET, HEAD"),
        (Method::DELETE, "/assets/x.js", "GET, HEAD"),
    ] {
        let response = f.send(f.request(&method, path)).await;
        assert_eq!(response.headers()[ALLOW], allow, "{method} {path}");
        let told = code(response).await;
        let refused = (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed".to_owned());
        assert_eq!(told, refused, "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_still_bounded() {
    let f = Fixture::new().await;
    let owner = f.app.sign_in.local.admit_for_test(Standing::Person(Role::Owner));
    let mut request = f.request(&Method::POST, "/api/providers/codex/connect");
    let bearer = format!("Bearer {}", owner.expose());
    request.headers_mut().insert(AUTHORIZATION, bearer.parse().unwrap());
    *request.body_mut() = Body::from(vec![b' '; super::guard::BODY_BYTES + 1]);
    assert_eq!(code(f.send(request).await).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn too_long_an_address_is_refused() {
    let f = Fixture::new().await;
    let told = code(f.get(&format!("/?{}", "a".repeat(9000)), &[]).await).await;
    assert_eq!(told, (StatusCode::URI_TOO_LONG, "uri_too_long".to_owned()));
}

#[tokio::test]
async fn a_malformed_credential_is_no_credential() {
    let f = Fixture::new().await;
    for bearer in ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Bearer \"a\"", "token"] {
        let told = code(f.get("/api/auth/verify", &[("authorization", bearer)]).await).await;
        let refused = (StatusCode::BAD_REQUEST, "invalid_request".to_owned());
        assert_eq!(told, refused, "{bearer:?}");
    }
    let mut twice = f.request(&Method::GET, "/api/auth/verify");
    for _ in 0..2 {
        twice.headers_mut().append(AUTHORIZATION, "Bearer a".parse().unwrap());
    }
    assert_eq!(code(f.send(twice).await).await.0, StatusCode::BAD_REQUEST);
}

/// Two ends of a connection that the kernel knows, and that is ours.
fn connected() -> (TcpStream, TcpStream, Connection) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = listener.local_addr().unwrap();
    let client = TcpStream::connect(ours).unwrap();
    let (server, peer) = listener.accept().unwrap();
    (client, server, Connection { peer, ours })
}

impl Fixture {
    /// A handshake as the page sends it.
    async fn handshake(&self, connection: Connection, body: &str) -> Response {
        let mut request = self.request(&Method::POST, "/api/auth/handshake");
        let ours = self.app.address();
        for (name, value) in [
            ("origin", ours.as_str()),
            ("sec-fetch-site", "same-origin"),
            ("x-room-handshake", "1"),
            ("content-type", "application/json"),
        ] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        *request.body_mut() = Body::from(body.to_owned());
        request.extensions_mut().insert(connection);
        self.send(request).await
    }

    fn fresh_code(&self) -> String {
        let link = self.app.launch_link();
        format!("{{\"code\":\"{}\"}}", link.split_once("#code=").unwrap().1)
    }
}

#[tokio::test]
async fn a_handshake_from_nowhere_is_refused() {
    let f = Fixture::new().await;
    let ours = ([127, 0, 0, 1], f.app.port).into();
    let from = |peer: &str| Connection { peer: peer.parse().unwrap(), ours };
    let body = f.fresh_code();
    let told = code(f.handshake(from("192.0.2.7:1234"), &body).await).await;
    assert_eq!(told, (StatusCode::FORBIDDEN, "not_this_computer".to_owned()));
    if cfg!(target_os = "linux") {
        // A connection the kernel knows nothing of is nobody's.
        let told = code(f.handshake(from("127.0.0.1:1"), &body).await).await;
        assert_eq!(told, (StatusCode::FORBIDDEN, "not_same_user".to_owned()));
    }
    let (_client, _server, connection) = connected();
    let answer = f.handshake(connection, &body).await;
    assert_eq!(answer.status(), StatusCode::OK, "the refusals have not used the code up");
}

#[tokio::test]
async fn a_code_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::default());
    let (app, server) = server::for_tests_with(directory.path(), &[], clock.clone()).await;
    let f = Fixture { app, _server: server, _directory: directory };
    let (_client, _server, connection) = connected();
    let (used, old) = (f.fresh_code(), f.fresh_code());
    assert_eq!(f.handshake(connection, &used).await.status(), StatusCode::OK);
    let unknown = format!("{{\"code\":\"{}\"}}", "A".repeat(43));
    clock.advance(Duration::from_mins(5));
    for (body, expected) in [
        (used.as_str(), (401, "code_used")),
        (&old, (401, "code_expired")),
        (&unknown, (401, "code_unknown")),
        ("{\"code\":\"\"}", (401, "code_unknown")),
        ("{}", (400, "code_missing")),
        ("", (400, "code_missing")),
        ("{\"code\":7}", (400, "bad_json")),
        ("{\"code\":\"x\",\"more\":1}", (400, "bad_json")),
    ] {
        let (status, code) = code(f.handshake(connection, body).await).await;
        assert_eq!((status.as_u16(), code.as_str()), expected, "{body}");
    }
}

#[tokio::test]
async fn wrong_codes_are_limited_and_the_right_one_never_is() {
    let f = Fixture::new().await;
    let (_client, _server, connection) = connected();
    let wrong = format!("{{\"code\":\"{}\"}}", "A".repeat(43));
    for _ in 0..20 {
        let (status, _) = code(f.handshake(connection, &wrong).await).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let limited = f.handshake(connection, &wrong).await;
    assert_eq!(limited.headers()[RETRY_AFTER], "6");
    let told = code(limited).await;
    assert_eq!(told, (StatusCode::TOO_MANY_REQUESTS, "too_many_requests".to_owned()));
    assert_eq!(f.handshake(connection, &f.fresh_code()).await.status(), StatusCode::OK);
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn the_same_user_needs_no_code_where_that_is_set() {
    let directory = tempfile::tempdir().unwrap();
    let more = [("ROOM_LOCAL_HANDSHAKE", "same-uid")];
    let clock = Arc::new(ManualClock::default());
    let (app, server) = server::for_tests_with(directory.path(), &more, clock).await;
    let f = Fixture { app, _server: server, _directory: directory };
    let (_client, _server, connection) = connected();
    assert_eq!(f.handshake(connection, "{}").await.status(), StatusCode::OK);
    let told = code(f.handshake(connection, "{\"code\":\"x\"}").await).await;
    assert_eq!(told.1, "code_unknown", "a code is still a code");
    let ours = ([127, 0, 0, 1], f.app.port).into();
    let stranger = Connection { peer: ([127, 0, 0, 1], 1).into(), ours };
    assert_eq!(code(f.handshake(stranger, "{}").await).await.1, "not_same_user");
}

async fn broken() -> &'static str {
    panic!("a fault of ours")
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let f = Fixture::new().await;
    let router = axum::Router::new().route("/api/broken", axum::routing::get(broken));
    let front = super::Front::new(&f.app, router, Endpoints::default(), Vec::new(), Vec::new());
    let response = front.answer(f.request(&Method::GET, "/api/broken")).await;
    assert_eq!(response.headers()["x-frame-options"], "DENY");
    let told = code(response).await;
    assert_eq!(told, (StatusCode::INTERNAL_SERVER_ERROR, "internal".to_owned()));
}

#[tokio::test]
async fn what_the_framework_refuses_is_a_problem_too() {
    let f = Fixture::new().await;
    let owner = f.app.sign_in.local.admit_for_test(Standing::Person(Role::Owner));
    let bearer = format!("Bearer {}", owner.expose());
    for path in ["/api/providers/%ff/session", "/api/status?parts=keys&parts=storage"] {
        let response = f.get(path, &[("authorization", &bearer)]).await;
        assert_eq!(code(response).await, (StatusCode::BAD_REQUEST, "bad_request".to_owned()));
    }
}

#[tokio::test]
async fn a_viewer_sees_state_and_no_account() {
    let f = Fixture::new().await;
    let viewer = f.app.sign_in.local.admit_for_test(Standing::Person(Role::Viewer));
    let bearer = format!("Bearer {}", viewer.expose());
    let response = f.get("/api/providers/status", &[("authorization", &bearer)]).await;
    assert_eq!(response.status(), StatusCode::OK);
    let response = f.get("/api/providers/status?refresh=1", &[("authorization", &bearer)]).await;
    assert_eq!(code(response).await, (StatusCode::FORBIDDEN, "not_allowed".to_owned()));
    let parts = f.get("/api/status?parts=storage,nonsense", &[("authorization", &bearer)]).await;
    assert_eq!(code(parts).await.1, "unknown_part");
}

#[tokio::test]
async fn only_listed_pages_may_show_ours_in_a_frame() {
    let directory = tempfile::tempdir().unwrap();
    let more = [("ROOM_FRAME_ANCESTORS", "https://app.example, https://two.example")];
    let clock = Arc::new(ManualClock::default());
    let (app, server) = server::for_tests_with(directory.path(), &more, clock).await;
    let f = Fixture { app, _server: server, _directory: directory };
    let response = f.get("/", &[]).await;
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.ends_with("; frame-ancestors https://app.example https://two.example"),
        "{policy}"
    );
    assert!(!response.headers().contains_key("x-frame-options"), "it knows no list");
}
