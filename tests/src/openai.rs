//! A stand-in for the issuer that `codex login` talks to, with a device code and without.
//!
//! Authorization, token exchange, revocation and a look at keys, as far as the program and Room use
//! them. The test
//! is the person at the browser: it types the code ([`OpenAi::approve`]), declines, or lets the
//! code lapse. A code that this issuer never gave out cannot be approved, so a code cut short or
//! misread on its way to the person fails the test.

mod browser;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Form, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::browser::BadAddress;
use crate::standin::{Background, Seen, random_43, random_text, s256, unsigned_jwt};

/// The client identifier of the real program.
pub const CODEX_CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";

/// Who signs in here.
pub const EMAIL: &str = "ada@example.com";

const CODE_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// How a request for a new code is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CodeAnswer {
    /// A code is given out.
    #[default]
    Given,
    /// 404: this server does not offer device sign-in.
    NotEnabled,
    /// 403 with a web page, as a protection in front of the server answers.
    Blocked,
    /// 429.
    RateLimited,
}

/// How an approved code is traded for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExchangeAnswer {
    /// Tokens are given out.
    #[default]
    Given,
    /// 400 `invalid_grant`.
    Refused,
}

/// There is no such pending code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pending,
    Approved,
    Refused(StatusCode),
}

#[derive(Debug)]
struct Device {
    user_code: String,
    verdict: Verdict,
    /// Given out at approval, good once: the code and the challenge of its verifier.
    grant: Option<(String, String)>,
}

#[derive(Debug, Default)]
struct Book {
    code_answer: CodeAnswer,
    exchange_answer: ExchangeAnswer,
    /// By device identifier.
    devices: HashMap<String, Device>,
    /// What people agreed to on the page, by code, each good once.
    browser_grants: HashMap<String, browser::Grant>,
    good_keys: Vec<String>,
    /// In the order they were given out.
    user_codes: Vec<String>,
    revoked: Vec<String>,
    refresh_tokens: Vec<String>,
    seen: Vec<Seen>,
    faults: Vec<String>,
}

type Shared = Arc<Mutex<Book>>;

fn lock(book: &Shared) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running stand-in; dropping it ends it.
#[derive(Debug)]
pub struct OpenAi {
    book: Shared,
    server: Background,
}

impl OpenAi {
    /// Starts it on a free loopback port.
    ///
    /// # Errors
    ///
    /// When the port or the thread cannot be had.
    pub fn start() -> io::Result<Self> {
        let book = Shared::default();
        let app = router(Arc::clone(&book));
        let server = Background::start("openai", |listener| async move {
            axum::serve(listener, app).await.expect("serving on loopback does not end");
        })?;
        Ok(Self { book, server })
    }

    /// The issuer's address without TLS, for `--experimental_issuer`.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.server.address())
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    /// Answers requests for a new code so from now on.
    pub fn answer_codes(&self, answer: CodeAnswer) {
        lock(&self.book).code_answer = answer;
    }

    /// Answers exchanges of approved codes so from now on.
    pub fn answer_exchanges(&self, answer: ExchangeAnswer) {
        lock(&self.book).exchange_answer = answer;
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

    /// The person types this code and declines; polls are answered 400.
    ///
    /// # Errors
    ///
    /// When no pending sign-in has exactly this code.
    pub fn decline(&self, user_code: &str) -> Result<(), NoSuchCode> {
        self.decide(user_code, Verdict::Refused(StatusCode::BAD_REQUEST))
    }

    /// The code lapses; polls are answered 410.
    ///
    /// # Errors
    ///
    /// When no pending sign-in has exactly this code.
    pub fn expire(&self, user_code: &str) -> Result<(), NoSuchCode> {
        self.decide(user_code, Verdict::Refused(StatusCode::GONE))
    }

    /// The polls for this code are answered with that status, for a reason of the server's own.
    ///
    /// # Errors
    ///
    /// When no pending sign-in has exactly this code.
    ///
    /// # Panics
    ///
    /// When there is no such status.
    pub fn answer_poll(&self, user_code: &str, status: u16) -> Result<(), NoSuchCode> {
        let status = StatusCode::from_u16(status).expect("a status of HTTP");
        self.decide(user_code, Verdict::Refused(status))
    }

    /// The person opens the address of a sign-in without a device code and agrees. Gives the address
    /// that their browser is sent to in the end.
    ///
    /// # Errors
    ///
    /// When the true page would not have taken the address; the message says what is wrong.
    pub fn agree(&self, address: &str) -> Result<String, BadAddress> {
        browser::agree(&self.book, address)
    }

    /// The same, but the person says no.
    ///
    /// # Errors
    ///
    /// As [`OpenAi::agree`].
    pub fn say_no(&self, address: &str) -> Result<String, BadAddress> {
        browser::decline(address)
    }

    /// From now on this API key is a good one.
    pub fn accept_key(&self, key: &str) {
        lock(&self.book).good_keys.push(key.to_owned());
    }

    /// The refresh tokens that were revoked, in order.
    pub fn revoked(&self) -> Vec<String> {
        lock(&self.book).revoked.clone()
    }

    /// The refresh tokens given out, in order.
    pub fn refresh_tokens(&self) -> Vec<String> {
        lock(&self.book).refresh_tokens.clone()
    }

    /// Every request so far, in order.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.book).seen.clone()
    }

    /// How many requests this path has had.
    pub fn count(&self, path: &str) -> usize {
        lock(&self.book).seen.iter().filter(|seen| seen.path == path).count()
    }

    /// What callers did that the true server would not have taken; empty when all is well.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.book).faults.clone()
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
}

fn router(book: Shared) -> Router {
    Router::new()
        .route("/api/accounts/deviceauth/usercode", post(new_code))
        .route("/api/accounts/deviceauth/token", post(poll))
        .route("/oauth/token", post(exchange))
        .route("/oauth/revoke", post(revoke))
        .route("/v1/models", get(browser::models))
        .layer(from_fn_with_state(Arc::clone(&book), record))
        .with_state(book)
}

async fn record(State(book): State<Shared>, request: Request, next: Next) -> Response {
    lock(&book)
        .seen
        .push(Seen { method: request.method().to_string(), path: request.uri().path().to_owned() });
    next.run(request).await
}

#[derive(Deserialize)]
struct NewCode {
    client_id: String,
}

async fn new_code(State(book): State<Shared>, Json(body): Json<NewCode>) -> Response {
    let mut book = lock(&book);
    match book.code_answer {
        CodeAnswer::Given => {}
        CodeAnswer::NotEnabled => return StatusCode::NOT_FOUND.into_response(),
        CodeAnswer::Blocked => {
            let page = Html("<!doctype html><title>Just a moment...</title>");
            return (StatusCode::FORBIDDEN, page).into_response();
        }
        CodeAnswer::RateLimited => return StatusCode::TOO_MANY_REQUESTS.into_response(),
    }
    if body.client_id != CODEX_CLIENT_ID {
        book.faults.push(format!("unknown client {}", body.client_id));
        return StatusCode::BAD_REQUEST.into_response();
    }
    let user_code = format!("{}-{}", random_text(CODE_ALPHABET, 4), random_text(CODE_ALPHABET, 5));
    let id = random_43();
    book.user_codes.push(user_code.clone());
    let device = Device { user_code: user_code.clone(), verdict: Verdict::Pending, grant: None };
    book.devices.insert(id.clone(), device);
    // The true server says "5"; the program wants a string, and waits as long as it says.
    Json(json!({"device_auth_id": id, "user_code": user_code, "interval": "1"})).into_response()
}

#[derive(Deserialize)]
struct Poll {
    device_auth_id: String,
    user_code: String,
}

async fn poll(State(book): State<Shared>, Json(body): Json<Poll>) -> Response {
    let mut book = lock(&book);
    let Some(device) = book.devices.get_mut(&body.device_auth_id) else {
        book.faults.push("a poll for a device that was never given out".to_owned());
        return StatusCode::BAD_REQUEST.into_response();
    };
    if device.user_code != body.user_code {
        book.faults.push("a poll with another device's code".to_owned());
        return StatusCode::BAD_REQUEST.into_response();
    }
    match device.verdict {
        Verdict::Pending => StatusCode::FORBIDDEN.into_response(),
        Verdict::Refused(status) => {
            (status, Json(json!({"error": "access_denied"}))).into_response()
        }
        Verdict::Approved => {
            let (code, verifier) = (random_43(), random_43());
            let challenge = s256(&verifier);
            device.grant = Some((code.clone(), challenge.clone()));
            Json(json!({
                "authorization_code": code,
                "code_challenge": challenge,
                "code_verifier": verifier,
            }))
            .into_response()
        }
    }
}

#[derive(Deserialize)]
struct Exchange {
    grant_type: String,
    client_id: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
}

impl Exchange {
    /// What is wrong with it apart from the code, as the true server would see it.
    fn fault(&self, redirect_uri: Option<&str>) -> Option<String> {
        if self.grant_type != "authorization_code" {
            return Some(format!("grant type {}", self.grant_type));
        }
        if self.client_id != CODEX_CLIENT_ID {
            return Some(format!("unknown client {}", self.client_id));
        }
        let is_right = match redirect_uri {
            Some(agreed) => self.redirect_uri == agreed,
            None => self.redirect_uri.ends_with("/deviceauth/callback"),
        };
        (!is_right).then(|| format!("redirect to {}", self.redirect_uri))
    }
}

async fn exchange(State(book): State<Shared>, Form(body): Form<Exchange>) -> Response {
    let refuse = || {
        let answer = json!({"error": "invalid_grant"});
        (StatusCode::BAD_REQUEST, Json(answer)).into_response()
    };
    let mut book = lock(&book);
    let in_browser = book.browser_grants.remove(&body.code);
    let redirect_uri = in_browser.as_ref().map(|grant| grant.redirect_uri.as_str());
    if let Some(fault) = body.fault(redirect_uri) {
        book.faults.push(fault);
        return refuse();
    }
    let challenge = s256(&body.code_verifier);
    let is_proven = if let Some(grant) = in_browser {
        grant.challenge == challenge
    } else {
        let proven = Some((body.code, challenge));
        let device = book.devices.values_mut().find(|device| device.grant == proven);
        device.is_some_and(|device| device.grant.take().is_some())
    };
    if !is_proven {
        book.faults.push("a code that was never given out, or with a wrong verifier".to_owned());
        return refuse();
    }
    if book.exchange_answer == ExchangeAnswer::Refused {
        return refuse();
    }
    let refresh_token = format!("rt_{}", random_43());
    book.refresh_tokens.push(refresh_token.clone());
    Json(json!({
        "id_token": unsigned_jwt(&claims()),
        "access_token": unsigned_jwt(&claims()),
        "refresh_token": refresh_token,
    }))
    .into_response()
}

/// Expires in 2100: no test is about a sign-in that runs out.
pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://auth.openai.com",
        "aud": [CODEX_CLIENT_ID],
        "sub": "user-stand-in",
        "iat": 1_700_000_000,
        "exp": 4_102_444_800_u64,
        "email": EMAIL,
        "email_verified": true,
        "https://api.openai.com/auth": {
            "chatgpt_plan_type": "plus",
            "chatgpt_user_id": "user-stand-in",
            "chatgpt_account_id": "account-stand-in",
        },
    })
}

#[derive(Deserialize)]
struct Revoke {
    token: String,
}

async fn revoke(State(book): State<Shared>, Json(body): Json<Revoke>) -> Json<Value> {
    lock(&book).revoked.push(body.token);
    Json(json!({}))
}
