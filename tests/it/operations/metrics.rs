//! The numbers of a running Room: they move when something happens, and they are read where they
//! should be and nowhere else.

use reqwest::{Method, StatusCode};
use room_runtime::metrics::families;
use room_tests::app::{SOON, Setup, TestApp};
use room_tests::clis::fake_clis;
use room_tests::eventually_async;
use room_tests::issuer::ControlPlane;
use room_tests::metrics::alerts::rules;
use room_tests::metrics::{self, Samples};
use room_tests::socket::refused;

use crate::cloud::{INSTANCE, legacy};

/// By how much a number may differ that is a count.
const EXACT: f64 = 1e-9;

pub(super) async fn measured(setup: Setup) -> TestApp {
    setup.var("ROOM_METRICS_BIND", "127.0.0.1:0").start().await.unwrap()
}

#[track_caller]
fn grew(before: &Samples, after: &Samples, name: &str, labels: &[(&str, &str)], by: f64) {
    let more = after.sum(name, labels) - before.sum(name, labels);
    assert!((more - by).abs() < EXACT, "{name} {labels:?} grew by {more}, not {by}");
}

#[tokio::test]
async fn requests_sockets_and_refusals_are_counted() {
    let app = measured(Setup::new().unwrap()).await;
    let before = Samples::of(&app).await;
    for _ in 0..3 {
        assert_eq!(app.get("/api/auth/verify").await.status, StatusCode::OK);
    }
    app.anonymous(Method::GET, "/api/status").send().await.unwrap();
    app.anonymous(Method::GET, "/api/nothing/here").send().await.unwrap();
    app.anonymous(Method::DELETE, "/").send().await.unwrap();
    assert_eq!(refused(app.client().upgrade(Some("nobody"))).await, 401);
    let mut socket = app.socket().await;
    socket.subscribe(&["providers", "activity"]).await;
    let after = Samples::of(&app).await;

    let requests = "room_http_requests_total";
    let row = |route, method, status| [("route", route), ("method", method), ("status", status)];
    grew(&before, &after, requests, &row("/api/auth/verify", "GET", "200"), 3.0);
    grew(&before, &after, requests, &row("/api/status", "GET", "401"), 1.0);
    grew(&before, &after, requests, &row("none", "GET", "404"), 1.0);
    grew(&before, &after, requests, &row("page", "DELETE", "405"), 1.0);
    grew(&before, &after, requests, &row("/ws", "GET", "401"), 1.0);
    grew(&before, &after, requests, &row("/ws", "GET", "101"), 1.0);
    grew(&before, &after, "room_http_seconds_count", &[("route", "/api/auth/verify")], 3.0);
    grew(&before, &after, "room_auth_failures_total", &[("reason", "no_credential")], 1.0);
    grew(&before, &after, "room_auth_failures_total", &[("reason", "unknown_token")], 1.0);
    grew(&before, &after, "room_ws_connections", &[("state", "open")], 1.0);
    assert!(after.sum("room_ws_sent_total", &[]) >= 4.0, "hello, subscribed and two pictures");
    assert!(after.sum("room_connections", &[]) >= 1.0);
    assert!(after.has("room_build_info", &[("mode", "local")]));
    for (name, _, value) in after.all().filter(|(name, ..)| name.starts_with("process_")) {
        assert!(value > 0.0, "{name}");
    }
}

#[tokio::test]
async fn the_public_port_knows_nothing_of_it() {
    let app = measured(Setup::new().unwrap()).await;
    for path in ["/metrics", "/api/metrics", "/metrics/"] {
        for request in [app.request(Method::GET, path), app.anonymous(Method::GET, path)] {
            let answer = request.send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            assert!(!text.contains("room_build_info"), "{path}: {status} {text}");
        }
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let there = |path: &str| format!("http://{}{path}", metrics::address(&app));
    for path in ["/", "/api/status", "/healthz", "/ws", "/metrics/"] {
        let answer = client.get(there(path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let posted = client.post(there("/metrics")).send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    // A page whose name leads here.
    let rebound = client.get(there("/metrics")).header("host", "evil.example:9091");
    assert_eq!(rebound.send().await.unwrap().status(), StatusCode::MISDIRECTED_REQUEST);
}

/// The series in the table of `docs/operations.md`.
fn documented() -> Vec<&'static str> {
    let text = include_str!("../../../docs/operations.md");
    let (_, table) = text.split_once("| series | labels |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).unwrap()).collect()
}

#[test]
fn every_series_is_documented_and_no_other() {
    let known: Vec<_> = families::ALL.iter().map(|family| family.name).collect();
    assert_eq!(documented(), known);
    let alerts = include_str!("../../../docs/operations.md").split_once("## Alerts").unwrap().1;
    for rule in rules(include_str!("../../../docs/alerts.yml")) {
        assert!(alerts.contains(&format!("`{}`", rule.name)), "{}", rule.name);
    }
}

#[tokio::test]
async fn every_series_is_there_once_something_happened() {
    let plane = ControlPlane::start(INSTANCE).unwrap();
    let setup = legacy::setup().env(plane.settings()).var("ROOM_ALLOW_LEGACY_HMAC", "1");
    let clis = fake_clis().unwrap();
    let app = measured(setup.search(&format!("{}:/usr/bin:/bin", clis.path().display()))).await;
    eventually_async("the programs were asked", SOON, async || {
        let now = Samples::of(&app).await;
        let missing = families::ALL.iter().filter(|family| !now.kinds().contains_key(family.name));
        assert_eq!(missing.map(|family| family.name).collect::<Vec<_>>(), Vec::<&str>::new());
        let connected = now.has("room_provider_connected", &[("provider", "codex")]);
        let keys = now.has("room_jwks_age_seconds", &[]);
        (connected && keys).then_some(())
    })
    .await;
    let now = Samples::of(&app).await;
    for family in families::ALL {
        assert_eq!(now.kinds()[family.name], family.kind.as_str());
        let name = match family.kind {
            families::Kind::Histogram => format!("{}_count", family.name),
            families::Kind::Counter | families::Kind::Gauge => family.name.to_owned(),
        };
        // The last reading is the first request that is counted elsewhere than here.
        let anyone = family.name.starts_with("room_http") || now.has(&name, &[]);
        assert!(anyone, "{name}");
    }
}

#[tokio::test]
async fn the_build_is_named_alike_everywhere() {
    let app = measured(Setup::new().unwrap()).await;
    let output = app.command(&["--version"]).unwrap().output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let version = said.trim().strip_prefix("room ").unwrap();
    let now = Samples::of(&app).await;
    assert!(now.has("room_build_info", &[("version", version)]), "{version}");
    let status = app.get("/api/status?parts=").await.body;
    assert_eq!(status["version"], version);
    assert!(now.has("room_build_info", &[("build", status["build"].as_str().unwrap())]));
    let log = app.log();
    let started = log.lines().find(|line| line.contains("\"message\":\"started\"")).unwrap();
    assert!(started.contains(&format!("\"version\":\"{version}\"")), "{started}");
    for path in ["/healthz", "/readyz"] {
        let answer = app.anonymous(Method::GET, path).send().await.unwrap().text().await.unwrap();
        assert!(!answer.contains(version), "{path}: {answer}");
    }
}

#[tokio::test]
async fn without_the_setting_there_is_no_listener_and_a_public_address_does_not_start() {
    let app = Setup::new().unwrap().start().await.unwrap();
    assert!(!app.data().join("metrics.address").exists());
    drop(app);
    for (address, says) in [("0.0.0.0:9091", "internet"), ("203.0.113.7:9091", "internet")] {
        let setup = Setup::new().unwrap().cloud().var("ROOM_STANDALONE", "1");
        let setup = setup.var("ROOM_METRICS_BIND", address);
        let output = setup.command(&["serve", "--no-open"]).unwrap().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains("ROOM_METRICS_BIND") && said.contains(says), "{said}");
    }
}
