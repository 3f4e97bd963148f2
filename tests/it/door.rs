//! Who gets in, in local mode: Host, Origin, the one-time link and its code.

use reqwest::{Method, StatusCode};
use room_tests::app::{Answer, SOON, Setup, TestApp};
use room_tests::{eventually, raw};
use serde_json::{Value, json};

async fn start() -> TestApp {
    Setup::new().unwrap().start().await.unwrap()
}

/// The code in the link that the server prints as it starts.
fn printed_code(app: &TestApp) -> String {
    eventually(SOON, || {
        let log = app.log();
        let (_, rest) = log.split_once("#code=")?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))?;
        Some(rest[..end].to_owned())
    })
}

/// The handshake as the page sends it; tests change one thing.
struct Handshake {
    method: &'static str,
    host: Option<String>,
    headers: Vec<(&'static str, String)>,
    code: String,
}

impl Handshake {
    fn of_page(app: &TestApp, code: &str) -> Self {
        let host = format!("localhost:{}", app.port());
        let headers = vec![
            ("Origin", format!("http://{host}")),
            ("Sec-Fetch-Site", "same-origin".to_owned()),
            ("Content-Type", "application/json".to_owned()),
            ("X-Room-Handshake", "1".to_owned()),
        ];
        Self { method: "POST", host: Some(host), headers, code: code.to_owned() }
    }

    /// With this header in place of the one of that name; without it, if the value is empty.
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        if !value.is_empty() {
            self.headers.push((name, value.to_owned()));
        }
        self
    }

    fn host(mut self, host: Option<&str>) -> Self {
        self.host = host.map(str::to_owned);
        self
    }

    fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    fn send(&self, app: &TestApp) -> String {
        let body = json!({"code": self.code}).to_string();
        let host = self.host.iter().map(|host| format!("Host: {host}\r\n"));
        let others = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let headers = host.chain(others).collect::<Vec<_>>().concat();
        let request = format!(
            "{} /api/auth/handshake HTTP/1.1\r\n{headers}Content-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            self.method,
            body.len()
        );
        raw::exchange(app.port(), &request)
    }
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or(Value::Null)
}

#[tokio::test]
async fn the_printed_code_lets_the_page_in_once() {
    let app = start().await;
    let code = printed_code(&app);
    assert!(code.len() >= 43, "256 bits: {code}");
    let answer = Handshake::of_page(&app, &code).send(&app);
    assert_eq!(raw::status(&answer), 200, "{answer}");
    let answer = body(&answer);
    let token = answer["token"].as_str().unwrap().to_owned();
    assert!(answer["expiresAt"].is_string(), "{answer}");

    let again = Handshake::of_page(&app, &code).send(&app);
    assert!(matches!(raw::status(&again), 401 | 403), "a used code: {again}");

    let verify = || Answer::of(app.anonymous(Method::GET, "/api/auth/verify").bearer_auth(&token));
    let answer = verify().await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.body["role"], "owner", "{answer:?}");
    assert_eq!(answer.body["deploymentMode"], "local", "{answer:?}");

    let leave = app.anonymous(Method::DELETE, "/api/auth/session").bearer_auth(&token);
    assert!(Answer::of(leave).await.status.is_success());
    assert_eq!(verify().await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_pages_token_ends_with_the_server() {
    let mut app = start().await;
    let answer = Handshake::of_page(&app, &printed_code(&app)).send(&app);
    let token = body(&answer)["token"].as_str().unwrap().to_owned();
    let program = app.token().to_owned();
    app.signal(rustix::process::Signal::TERM);
    app.wait();
    app.start().await.unwrap();
    assert_ne!(program, app.token(), "new at each start");
    for old in [token, program] {
        let answer =
            Answer::of(app.anonymous(Method::GET, "/api/auth/verify").bearer_auth(old)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_not_our_pages_is_refused_and_costs_nothing() {
    let app = start().await;
    let code = printed_code(&app);
    let own = app.port();
    let page = || Handshake::of_page(&app, &code);
    let other_port = format!("http://localhost:{}", own.wrapping_add(1));
    let foreign = "http://evil.example".to_owned();
    let cases: Vec<(&str, Handshake, &[u16])> = vec![
        ("foreign Host", page().host(Some("evil.example")), &[421]),
        ("foreign Host with our port", page().host(Some(&format!("evil.example:{own}"))), &[421]),
        ("prefix Host", page().host(Some(&format!("127.0.0.1.evil.example:{own}"))), &[421]),
        ("Host without port", page().host(Some("localhost")), &[421]),
        ("Host with a dot", page().host(Some(&format!("localhost.:{own}"))), &[421]),
        ("Host with userinfo", page().host(Some(&format!("a@localhost:{own}"))), &[400, 421]),
        ("no Host", page().host(None), &[400, 421]),
        ("bracket Host", page().host(Some("[")), &[400, 421]),
        ("foreign Origin", page().with("Origin", &foreign), &[403]),
        ("other port's Origin", page().with("Origin", &other_port), &[403]),
        ("https Origin", page().with("Origin", &format!("https://localhost:{own}")), &[403]),
        ("null Origin", page().with("Origin", "null"), &[403]),
        ("cross-site", page().with("Sec-Fetch-Site", "cross-site"), &[403]),
        ("same-site", page().with("Sec-Fetch-Site", "same-site"), &[403]),
        ("X-Forwarded-For", page().with("X-Forwarded-For", "127.0.0.1"), &[403]),
        ("X-Forwarded-Host", page().with("X-Forwarded-Host", "localhost"), &[403]),
        ("Forwarded", page().with("Forwarded", "for=127.0.0.1"), &[403]),
        ("CF-Connecting-IP", page().with("CF-Connecting-IP", "127.0.0.1"), &[403]),
        ("Fly-Client-IP", page().with("Fly-Client-IP", "127.0.0.1"), &[403]),
        ("no handshake header", page().with("X-Room-Handshake", ""), &[403]),
        ("GET", page().method("GET"), &[405]),
        ("a form", page().with("Content-Type", "text/plain"), &[415]),
    ];
    for (name, handshake, expected) in cases {
        let answer = handshake.send(&app);
        let status = raw::status(&answer);
        // Refusals may be limited, an address; that is a refusal too.
        assert!(expected.contains(&status) || status == 429, "{name}: {answer}");
        assert!(!answer.contains("\"token\""), "{name}: {answer}");
        assert!(!answer.contains(&code), "{name}: {answer}");
        assert!(!answer.to_lowercase().contains("access-control-allow"), "{name}: {answer}");
    }
    let log = app.log();
    assert_eq!(log.matches(&code).count(), 1, "in the link alone: {log}");
    assert!(!log.contains(app.token()), "{log}");
}

#[tokio::test]
async fn a_wrong_code_is_refused_and_the_right_one_still_works() {
    let app = start().await;
    let code = printed_code(&app);
    let wrong = "A".repeat(code.len());
    let answer = Handshake::of_page(&app, &wrong).send(&app);
    assert!(matches!(raw::status(&answer), 401 | 403), "{answer}");
    let answer = Handshake::of_page(&app, &code).send(&app);
    assert_eq!(raw::status(&answer), 200, "{answer}");
}

#[tokio::test]
async fn every_address_of_the_loopback_is_ours_and_no_other_name() {
    let app = start().await;
    let port = app.port();
    let ask = |host: &str| {
        let head =
            format!("GET /api/bootstrap HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        raw::status(&raw::exchange(port, &head))
    };
    for host in ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"] {
        assert_eq!(ask(&format!("{host}:{port}")), 200, "{host}");
    }
    for host in ["example.com", "127.0.0.2", "[::2]", "0.0.0.0", "127.1", "localhost.example.com"] {
        assert_eq!(ask(&format!("{host}:{port}")), 421, "{host}");
    }
    for path in ["/", "/api/status", "/no-such-page"] {
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        assert_eq!(raw::status(&raw::exchange(port, &head)), 421, "{path}");
    }
    let twice = format!(
        "GET /api/bootstrap HTTP/1.1\r\nHost: localhost:{port}\r\nHost: evil.example\r\n\
         Connection: close\r\n\r\n"
    );
    assert!(matches!(raw::status(&raw::exchange(port, &twice)), 400 | 421));
    let absolute = format!(
        "GET http://evil.example/api/bootstrap HTTP/1.1\r\nHost: localhost:{port}\r\n\
         Connection: close\r\n\r\n"
    );
    assert!(matches!(raw::status(&raw::exchange(port, &absolute)), 400 | 421));
}

#[tokio::test]
async fn odd_targets_are_answered() {
    let app = start().await;
    for target in ["//", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "/%00", "*"] {
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
            app.port()
        );
        let answer = raw::exchange(app.port(), &head);
        let status = raw::status(&answer);
        assert!((200..500).contains(&status), "{target}: {answer}");
        assert!(!answer.contains("root:"), "{target}: {answer}");
    }
}

#[tokio::test]
async fn a_bearer_from_a_foreign_page_is_refused() {
    let app = start().await;
    let origins =
        ["http://evil.example".to_owned(), "null".to_owned(), "http://localhost:1".to_owned()];
    for origin in origins {
        let request = app.request(Method::POST, "/api/providers/codex/connect");
        let answer = Answer::of(request.header("origin", &origin).json(&json!({}))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin}: {answer:?}");
    }
    let request = app.request(Method::GET, "/api/status?token=abc");
    assert_eq!(Answer::of(request).await.status, StatusCode::BAD_REQUEST);
}
