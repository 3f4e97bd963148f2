//! A stand-in for GitHub, as far as `gh auth login` and `copilot login` speak to it: the device flow
//! (RFC 8628) and the question whose token it is. Behind [`crate::proxy::Proxy`].
//!
//! The test is the person at the page: it types the code ([`GitHub::approve`]) or declines. A code
//! that was never given out cannot be approved, and who asks sooner than told is told to slow down,
//! as by the true server.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Form, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::openai::NoSuchCode;
use crate::standin::{Background, Seen, random_43, random_text};

/// Who signs in here.
pub const LOGIN: &str = "ada-at-example";

/// The client identifiers of the real programs: `gh` and `copilot`.
const CLIENTS: [&str; 2] = ["178c6fc778ccc68e1d6a", "Ov23ctDVkRmgkPke0Mmm"];

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const CODE_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// How long who asks is to wait; the true server says 5 s.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pending,
    Approved,
    Declined,
    Expired,
}

#[derive(Debug)]
struct Device {
    user_code: String,
    verdict: Verdict,
    scope: String,
    asked: Option<Instant>,
}

#[derive(Debug)]
struct Book {
    /// How long a code is good, in seconds.
    lifetime: u32,
    /// By device code.
    devices: HashMap<String, Device>,
    user_codes: Vec<String>,
    /// With the scopes of each.
    tokens: Vec<(String, String)>,
    seen: Vec<Seen>,
    faults: Vec<String>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            lifetime: 899,
            devices: HashMap::new(),
            user_codes: Vec::new(),
            tokens: Vec::new(),
            seen: Vec::new(),
            faults: Vec::new(),
        }
    }
}

type Shared = Arc<Mutex<Book>>;

fn lock(book: &Shared) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running stand-in; dropping it ends it.
#[derive(Debug)]
pub struct GitHub {
    book: Shared,
    server: Background,
}

impl GitHub {
    /// The hosts that it answers for.
    pub const HOSTS: [&str; 2] = ["github.com", "api.github.com"];

    /// Starts it on a free loopback port.
    ///
    /// # Errors
    ///
    /// When the port or the thread cannot be had.
    pub fn start() -> io::Result<Self> {
        let book = Shared::default();
        let app = router(Arc::clone(&book));
        let server = Background::start("github", |listener| async move {
            axum::serve(listener, app).await.expect("serving on loopback does not end");
        })?;
        Ok(Self { book, server })
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    /// Codes given out from now on say that they are good for so many seconds.
    pub fn codes_last(&self, seconds: u32) {
        lock(&self.book).lifetime = seconds;
    }

    /// The code given out last.
    pub fn user_code(&self) -> Option<String> {
        lock(&self.book).user_codes.last().cloned()
    }

    /// The person types this code and agrees.
    ///
    /// # Errors
    ///
    /// When no pending sign-in has exactly this code.
    pub fn approve(&self, user_code: &str) -> Result<(), NoSuchCode> {
        self.decide(user_code, Verdict::Approved)
    }

    /// The person types this code and declines.
    ///
    /// # Errors
    ///
    /// As [`GitHub::approve`].
    pub fn decline(&self, user_code: &str) -> Result<(), NoSuchCode> {
        self.decide(user_code, Verdict::Declined)
    }

    /// The code lapses.
    ///
    /// # Errors
    ///
    /// As [`GitHub::approve`].
    pub fn expire(&self, user_code: &str) -> Result<(), NoSuchCode> {
        self.decide(user_code, Verdict::Expired)
    }

    fn decide(&self, user_code: &str, verdict: Verdict) -> Result<(), NoSuchCode> {
        let mut book = lock(&self.book);
        let device = book
            .devices
            .values_mut()
            .find(|device| device.user_code == user_code && device.verdict == Verdict::Pending)
            .ok_or(NoSuchCode)?;
        device.verdict = verdict;
        Ok(())
    }

    /// The tokens given out, in order.
    pub fn tokens(&self) -> Vec<String> {
        lock(&self.book).tokens.iter().map(|(token, _)| token.clone()).collect()
    }

    /// How many requests this path has had.
    pub fn count(&self, path: &str) -> usize {
        lock(&self.book).seen.iter().filter(|seen| seen.path == path).count()
    }

    /// What callers did that the true server would not have taken; empty when all is well.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.book).faults.clone()
    }
}

fn router(book: Shared) -> Router {
    Router::new()
        .route("/login/device/code", post(new_code))
        .route("/login/oauth/access_token", post(poll))
        .route("/", get(scopes))
        .route("/user", get(user))
        .route("/copilot_internal/user", get(copilot_user))
        .route("/graphql", post(graphql))
        .layer(from_fn_with_state(Arc::clone(&book), record))
        .with_state(book)
}

async fn record(State(book): State<Shared>, request: Request, next: Next) -> Response {
    lock(&book)
        .seen
        .push(Seen { method: request.method().to_string(), path: request.uri().path().to_owned() });
    next.run(request).await
}

/// In the form that was asked for: a form by default, as GitHub does.
fn answer(headers: &HeaderMap, body: &Value) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.contains("json")) {
        return Json(body).into_response();
    }
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in body.as_object().into_iter().flatten() {
        match value {
            Value::String(text) => form.append_pair(name, text),
            other => form.append_pair(name, &other.to_string()),
        };
    }
    ([(header::CONTENT_TYPE, "application/x-www-form-urlencoded")], form.finish()).into_response()
}

#[derive(Deserialize)]
struct NewCode {
    client_id: String,
    #[serde(default)]
    scope: String,
}

async fn new_code(
    State(book): State<Shared>,
    headers: HeaderMap,
    Form(body): Form<NewCode>,
) -> Response {
    let mut book = lock(&book);
    if !CLIENTS.contains(&body.client_id.as_str()) {
        book.faults.push(format!("unknown client {}", body.client_id));
        return StatusCode::NOT_FOUND.into_response();
    }
    let user_code = format!("{}-{}", random_text(CODE_ALPHABET, 4), random_text(CODE_ALPHABET, 4));
    let id = random_43();
    book.user_codes.push(user_code.clone());
    let device = Device {
        user_code: user_code.clone(),
        verdict: Verdict::Pending,
        scope: body.scope,
        asked: None,
    };
    book.devices.insert(id.clone(), device);
    let given = json!({
        "device_code": id,
        "user_code": user_code,
        "verification_uri": "https://github.com/login/device",
        "expires_in": book.lifetime,
        "interval": INTERVAL.as_secs(),
    });
    answer(&headers, &given)
}

#[derive(Deserialize)]
struct Poll {
    device_code: String,
    grant_type: String,
}

async fn poll(State(book): State<Shared>, headers: HeaderMap, Form(body): Form<Poll>) -> Response {
    let mut book = lock(&book);
    let refuse = |code: &str| answer(&headers, &json!({"error": code}));
    if body.grant_type != GRANT {
        book.faults.push(format!("grant type {}", body.grant_type));
        return refuse("unsupported_grant_type");
    }
    let now = Instant::now();
    let Some(device) = book.devices.get_mut(&body.device_code) else {
        book.faults.push("a poll for a device that was never given out".to_owned());
        return refuse("incorrect_device_code");
    };
    let early = device.asked.replace(now).is_some_and(|last| now - last < INTERVAL * 9 / 10);
    match device.verdict {
        Verdict::Pending if early => refuse("slow_down"),
        Verdict::Pending => refuse("authorization_pending"),
        Verdict::Declined => refuse("access_denied"),
        Verdict::Expired => refuse("expired_token"),
        Verdict::Approved => {
            device.verdict = Verdict::Expired;
            let (token, scope) = (format!("gho_{}", random_text(CODE_ALPHABET, 36)), &device.scope);
            let given = json!({
                "access_token": token,
                "token_type": "bearer",
                "scope": scope.replace(' ', ","),
            });
            let scope = scope.clone();
            book.tokens.push((token, scope));
            answer(&headers, &given)
        }
    }
}

/// The scopes of the caller's token, if it is one of ours.
fn granted(book: &Shared, headers: &HeaderMap) -> Option<String> {
    let sent = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let token = sent.rsplit_once(' ')?.1;
    let found = lock(book).tokens.iter().find(|(known, _)| known == token)?.1.clone();
    Some(found)
}

fn bad_credentials() -> Response {
    (StatusCode::UNAUTHORIZED, Json(json!({"message": "Bad credentials"}))).into_response()
}

async fn scopes(State(book): State<Shared>, headers: HeaderMap) -> Response {
    match granted(&book, &headers) {
        Some(scopes) => {
            ([("x-oauth-scopes", scopes.replace(' ', ", "))], Json(json!({}))).into_response()
        }
        None => bad_credentials(),
    }
}

async fn user(State(book): State<Shared>, headers: HeaderMap) -> Response {
    match granted(&book, &headers) {
        Some(_) => Json(json!({"login": LOGIN, "id": 1})).into_response(),
        None => bad_credentials(),
    }
}

async fn copilot_user(State(book): State<Shared>, headers: HeaderMap) -> Response {
    if granted(&book, &headers).is_none() {
        return bad_credentials();
    }
    Json(json!({
        "login": LOGIN,
        "copilot_plan": "individual",
        "access_type_sku": "monthly_subscriber",
        "chat_enabled": true,
        "is_mcp_enabled": true,
        "organization_list": [],
        "endpoints": {"api": "https://api.githubcopilot.com"},
    }))
    .into_response()
}

async fn graphql(State(book): State<Shared>, headers: HeaderMap) -> Response {
    match granted(&book, &headers) {
        Some(_) => Json(json!({"data": {"viewer": {"login": LOGIN}}})).into_response(),
        None => bad_credentials(),
    }
}
