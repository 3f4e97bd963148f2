//! What every answer has in common.

use reqwest::{Method, StatusCode};
use room_tests::app::{Answer, Setup, TestApp};
use room_tests::raw;
use serde_json::json;

async fn start() -> TestApp {
    Setup::new().unwrap().start().await.unwrap()
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let app = start().await;
    for path in ["/", "/healthz", "/api/bootstrap", "/api/status", "/api/none", "/no-such-page.js"]
    {
        let answer = Answer::of(app.anonymous(Method::GET, path)).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "frame-ancestors 'none'"),
        ] {
            let found = answer.header(name).unwrap_or_default();
            assert!(found.contains(value), "{path}: {name}: {found}");
        }
        if path.starts_with("/api") {
            assert!(
                answer.header("cache-control").unwrap_or_default().contains("no-store"),
                "{path}"
            );
        }
        assert!(answer.header("access-control-allow-origin").is_none(), "{path}");
        assert!(answer.header("set-cookie").is_none(), "{path}");
    }
}

#[tokio::test]
async fn errors_are_problems_with_a_stable_code() {
    let app = start().await;
    let unknown = app.get("/api/none").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let stranger = Answer::of(app.anonymous(Method::GET, "/api/none")).await;
    assert_eq!(stranger.status, StatusCode::NOT_FOUND);
    for answer in [unknown, stranger, Answer::of(app.anonymous(Method::GET, "/api/status")).await] {
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
        let status = answer.status.as_u16();
        assert_eq!(answer.body["status"], status, "{answer:?}");
        assert!(!answer.code().is_empty(), "{answer:?}");
        assert_eq!(answer.body["error"], answer.body["detail"], "{answer:?}");
    }
}

#[tokio::test]
async fn methods_sizes_and_types_are_checked() {
    let app = start().await;
    let answer = Answer::of(app.request(Method::PUT, "/api/status")).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{answer:?}");
    assert!(answer.header("allow").is_some_and(|allow| allow.contains("GET")), "{answer:?}");

    let path = "/api/providers/codex/connect";
    // The length alone is enough: the body is not waited for.
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 70000\r\nConnection: close\r\n\r\n",
        app.port(),
        app.token()
    );
    assert_eq!(raw::status(&raw::exchange(app.port(), &head)), 413);
    let form = app.request(Method::POST, path).header("content-type", "text/plain").body("{}");
    assert_eq!(Answer::of(form).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let broken = app.request(Method::POST, path).header("content-type", "application/json");
    let answer = Answer::of(broken.body("{")).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
}

#[tokio::test]
async fn health_and_bootstrap_are_public() {
    let app = start().await;
    for path in ["/healthz", "/readyz"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n");
        assert_eq!(raw::status(&raw::exchange(app.port(), &head)), 200, "{path} has no Host rule");
    }
    let answer = Answer::of(app.anonymous(Method::GET, "/api/bootstrap")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["mode"], "local", "{answer:?}");
    assert_eq!(answer.body["auth"], json!(["code"]), "{answer:?}");
}

#[tokio::test]
async fn status_says_what_it_is_asked_for() {
    let app = start().await;
    let answer = app.get("/api/status").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    for name in ["version", "build", "uptime", "serverPlatform", "generatedAt", "storage"] {
        assert!(!answer.body[name].is_null(), "{name}: {answer:?}");
    }
    assert_eq!(answer.body["deploymentMode"], "local");
    let answer = app.get("/api/status?parts=resources").await;
    assert!(answer.body["storage"].is_null(), "{answer:?}");
    assert!(answer.body["resources"].is_object(), "{answer:?}");
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let app = start().await;
    let start = std::time::Instant::now();
    raw::exchange(app.port(), "GET /healthz HTTP/1.1\r\nHost: localho");
    // Ten seconds, and what a busy machine adds.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_page_is_served_with_a_strict_policy() {
    let app = start().await;
    let answer = app.anonymous(Method::GET, "/").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    for part in ["default-src 'none'", "require-trusted-types-for 'script'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{policy}");
    assert!(answer.text().await.unwrap().contains("<html"));
}
