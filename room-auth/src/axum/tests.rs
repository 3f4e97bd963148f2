//! The layer as a client sees it.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::clock::ManualClock;
use crate::identity::Role;
use crate::issuer::{Grant, Issuer, IssuerKey};
use crate::issuers::IssuerPolicy;
use crate::jwks::{KeyStore, KeyStoreOptions};
use crate::jws::Algorithm;

mod refusals;

struct Bench {
    issuer: Issuer,
    clock: Arc<ManualClock>,
    app: Router,
}

async fn hello(caller: Caller) -> Result<String, AuthRejection> {
    caller.require(Permission::StatusRead)?;
    Ok(caller.identity().subject.clone())
}

async fn manage(caller: Caller) -> Result<(), AuthRejection> {
    caller.require(Permission::ProvidersManage)
}

fn bench(change: impl FnOnce(AuthLayer) -> AuthLayer) -> Bench {
    let issuer = Issuer::new("https://id.example", IssuerKey::generate(Algorithm::EdDsa).unwrap());
    let clock = Arc::new(ManualClock::default());
    let policy = IssuerPolicy::static_keys(issuer.name(), issuer.key_set().unwrap());
    let verifier = Verifier::builder("inst-1").issuer(policy).clock(clock.clone()).build().unwrap();
    let layer = change(AuthLayer::new(Arc::new(verifier)).clock(clock.clone()));
    let metadata = ResourceMetadata::new("https://room.example", ["https://id.example".into()]);
    let app = Router::new()
        .route("/hello", get(hello))
        .route("/manage", get(manage))
        .layer(layer)
        .merge(metadata.router());
    Bench { issuer, clock, app }
}

/// What a client gets to see.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Bench {
    fn mint(&self, role: Role) -> String {
        let grant = Grant::person("user-1", role);
        self.issuer.mint("inst-1", &grant, self.clock.now()).unwrap()
    }

    async fn get(&self, target: &str, lines: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().uri(target);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let peer = SocketAddr::from(([192, 0, 2, 1], 5000));
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 65_536).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn with(&self, token: &str) -> Answer {
        self.get("/hello", &[("authorization", &format!("Bearer {token}"))]).await
    }
}

#[tokio::test]
async fn a_caller_comes_through_and_a_stranger_does_not() {
    let bench = bench(|layer| layer);
    let answer = bench.with(&bench.mint(Role::Viewer)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "user-1"));
    let answer = bench.get("/hello", &[]).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="room""#));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["status"], 401);
    assert_eq!(body["code"], "unauthorized");
    assert_eq!(body["error"], body["detail"]);
}

#[tokio::test]
async fn a_refusal_tells_no_more_than_the_client_needs() {
    let bench = bench(|layer| layer);
    let good = bench.mint(Role::Viewer);
    let stranger =
        Issuer::new("https://id.example", IssuerKey::generate(Algorithm::EdDsa).unwrap());
    let grant = Grant::person("user-1", Role::Viewer);
    let foreign = stranger.mint("inst-1", &grant, bench.clock.now()).unwrap();
    let elsewhere = bench.issuer.mint("inst-2", &grant, bench.clock.now()).unwrap();
    let invalid = r#"Bearer realm="room", error="invalid_token""#;
    let mut bodies = Vec::new();
    for token in [&foreign, &elsewhere] {
        let answer = bench.with(token).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(invalid)));
        bodies.push(answer.body);
    }
    bench.clock.advance(Duration::from_mins(11));
    let answer = bench.with(&good).await;
    let expired = format!(r#"{invalid}, error_description="expired""#);
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(expired.as_str())));
    bodies.push(answer.body);
    bodies.push(bench.get("/hello", &[]).await.body);
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

#[tokio::test]
async fn a_malformed_request_is_400() {
    let bench = bench(|layer| layer);
    let token = bench.mint(Role::Owner);
    let bearer = format!("Bearer {token}");
    for (target, lines) in [
        ("/hello", vec![("authorization", "Bearer x")]),
        ("/hello", vec![("authorization", bearer.as_str()), ("authorization", &bearer)]),
        ("/hello?token=x", vec![("authorization", &bearer)]),
    ] {
        let answer = bench.get(target, &lines).await;
        assert_eq!(answer.status, 400, "{target} {lines:?}");
        let challenge = r#"Bearer realm="room", error="invalid_request""#;
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
    }
}

#[tokio::test]
async fn a_role_without_the_permission_is_403() {
    let bench = bench(|layer| layer);
    let request = async |role| {
        let bearer = format!("Bearer {}", bench.mint(role));
        bench.get("/manage", &[("authorization", bearer.as_str())]).await
    };
    assert_eq!(request(Role::Admin).await.status, 200);
    let answer = request(Role::Member).await;
    assert_eq!(answer.status, 403);
    let challenge = r#"Bearer realm="room", error="insufficient_scope""#;
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
}

#[tokio::test]
async fn others_failures_never_keep_a_valid_caller_out() {
    let bench = bench(|layer| layer.limiter(Arc::new(FailureLimiter::new(1, 3))));
    let good = bench.mint(Role::Viewer);
    let bad = format!("{}x", &good[..good.len() - 1]);
    for _ in 0..3 {
        assert_eq!(bench.with("a.b.c").await.status, 400);
    }
    let answer = bench.with(&bad).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("www-authenticate"), None);
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(bench.with(&good).await.status, 200);
    assert_eq!(bench.get("/hello", &[]).await.status, 401);
}

#[tokio::test]
async fn failures_are_counted_where_they_come_from() {
    let bench = bench(|layer| {
        let limiter = Arc::new(FailureLimiter::new(1, 1));
        layer.limiter(limiter).client_address(ClientAddress::Fly)
    });
    let from = async |address: &str| {
        let lines = [("authorization", "Bearer a.b.c"), ("fly-client-ip", address)];
        bench.get("/hello", &lines).await.status
    };
    assert_eq!(from("198.51.100.1").await, 400);
    assert_eq!(from("198.51.100.1").await, 429);
    assert_eq!(from("198.51.100.2").await, 400);
    assert_eq!(from("2001:db8:1:2::1").await, 400);
    assert_eq!(from("2001:db8:1:2::2").await, 429, "one home network");
    assert_eq!(from("nonsense").await, 400);
}

#[tokio::test]
async fn without_keys_the_answer_is_503() {
    let store = Arc::new(KeyStore::new("https://id.example/jwks", KeyStoreOptions::default()));
    let policy = IssuerPolicy::jwks("https://id.example", store);
    let verifier = Verifier::builder("inst-1").issuer(policy).build().unwrap();
    let bench = Bench {
        app: Router::new().route("/hello", get(hello)).layer(AuthLayer::new(Arc::new(verifier))),
        ..bench(|layer| layer)
    };
    let answer = bench.with(&bench.mint(Role::Viewer)).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn the_metadata_is_public_and_named() {
    let url = format!("https://room.example{}", ResourceMetadata::PATH);
    let bench = bench(|layer| layer.resource_metadata(url.clone()));
    let answer = bench.get(ResourceMetadata::PATH, &[]).await;
    assert_eq!(answer.status, 200);
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(document["resource"], "https://room.example");
    assert_eq!(document["authorization_servers"], json!(["https://id.example"]));
    let challenge = bench.get("/hello", &[]).await;
    let challenge = challenge.header("www-authenticate").unwrap().to_owned();
    assert_eq!(challenge, format!(r#"Bearer realm="room", resource_metadata="{url}""#));
}

#[tokio::test]
async fn an_old_clients_query_is_taken_if_asked_for() {
    let bench = bench(|layer| layer.query_token(QueryToken::Legacy));
    let target = format!("/hello?token={}", bench.mint(Role::Viewer));
    assert_eq!(bench.get(&target, &[]).await.status, 200);
}

#[tokio::test]
async fn a_handler_outside_the_layer_has_no_caller() {
    let app: Router = Router::new().route("/hello", get(hello));
    let bench = Bench { app, ..bench(|layer| layer) };
    assert_eq!(bench.with(&bench.mint(Role::Owner)).await.status, 401);
}
