//! A stand-in for Google, as far as signing in to `gemini` goes, behind [`crate::proxy::Proxy`].
//!
//! The test is the person at the browser: [`Google::sign_in`] opens the address that was shown and
//! gives the code that they would paste. Code and verifier must fit together at the exchange.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::anthropic::BadAddress;
use crate::standin::{Background, random_43, s256, unsigned_jwt};

/// Who signs in here.
pub const EMAIL: &str = "joan@example.com";

const CLIENT: &str = "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com";
const CALLBACK: &str = "https://codeassist.google.com/authcode";

#[derive(Debug, Default)]
struct Book {
    /// The challenge of each code that was given out, good once.
    grants: HashMap<String, String>,
    access_tokens: Vec<String>,
    refresh_tokens: Vec<String>,
    faults: Vec<String>,
}

type Shared = Arc<Mutex<Book>>;

fn lock(book: &Shared) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running stand-in; dropping it ends it.
#[derive(Debug)]
pub struct Google {
    book: Shared,
    server: Background,
}

impl Google {
    /// The hosts that it answers for: those of signing in, and none of the model's.
    pub const HOSTS: [&str; 3] =
        ["accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com"];

    /// Starts it on a free loopback port.
    ///
    /// # Errors
    ///
    /// When the port or the thread cannot be had.
    pub fn start() -> io::Result<Self> {
        let book = Shared::default();
        let app = router(Arc::clone(&book));
        let server = Background::start("google", |listener| async move {
            axum::serve(listener, app).await.expect("serving on loopback does not end");
        })?;
        Ok(Self { book, server })
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    /// The person opens `address`, agrees, and copies the code that the page shows.
    ///
    /// # Errors
    ///
    /// When the true page would not have taken the address; the message says what is wrong.
    pub fn sign_in(&self, address: &str) -> Result<String, BadAddress> {
        let challenge = read_address(address)?;
        let code = format!("4/{}", random_43());
        lock(&self.book).grants.insert(code.clone(), challenge);
        Ok(code)
    }

    /// A code of the right form that this server will refuse.
    pub fn refused_code(&self) -> String {
        format!("4/{}", random_43())
    }

    /// The refresh tokens given out, in order.
    pub fn refresh_tokens(&self) -> Vec<String> {
        lock(&self.book).refresh_tokens.clone()
    }

    /// What callers did that the true server would not have taken; empty when all is well.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.book).faults.clone()
    }
}

/// Reads a sign-in address as strictly as the page does; gives its challenge.
fn read_address(address: &str) -> Result<String, BadAddress> {
    let bad = |what: &str| BadAddress(format!("{what}: {address}"));
    let url = Url::parse(address).map_err(|error| bad(&error.to_string()))?;
    if url.scheme() != "https"
        || url.host_str() != Some("accounts.google.com")
        || url.path() != "/o/oauth2/v2/auth"
    {
        return Err(bad("another page"));
    }
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    let expected = [
        ("client_id", CLIENT),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in expected {
        if query.get(name).map(String::as_str) != Some(value) {
            return Err(bad(name));
        }
    }
    let length = |name: &str| query.get(name).map_or(0, String::len);
    if length("state") != 64 || length("code_challenge") != 43 {
        return Err(bad("cut short"));
    }
    Ok(query["code_challenge"].clone())
}

fn router(book: Shared) -> Router {
    Router::new()
        .route("/token", post(exchange))
        .route("/tokeninfo", get(token_info).post(token_info))
        .route("/oauth2/v2/userinfo", get(user_info))
        .with_state(book)
}

#[derive(Deserialize)]
struct Exchange {
    grant_type: String,
    client_id: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
}

async fn exchange(State(book): State<Shared>, Form(body): Form<Exchange>) -> Response {
    let mut book = lock(&book);
    let refuse = || {
        let said = json!({"error": "invalid_grant", "error_description": "Malformed auth code."});
        (StatusCode::BAD_REQUEST, Json(said)).into_response()
    };
    if body.grant_type != "authorization_code"
        || body.client_id != CLIENT
        || body.redirect_uri != CALLBACK
    {
        book.faults.push("an exchange that is not this program's".to_owned());
        return refuse();
    }
    let Some(challenge) = book.grants.remove(&body.code) else { return refuse() };
    if challenge != s256(&body.code_verifier) {
        book.faults.push("a code with another sign-in's verifier".to_owned());
        return refuse();
    }
    let (access, refresh) = (format!("ya29.{}", random_43()), format!("1//{}", random_43()));
    book.access_tokens.push(access.clone());
    book.refresh_tokens.push(refresh.clone());
    let claims = json!({
        "iss": "https://accounts.google.com",
        "aud": CLIENT,
        "sub": "1",
        "email": EMAIL,
        "iat": 1_700_000_000,
        "exp": 4_102_444_800_u64,
    });
    Json(json!({
        "access_token": access,
        "refresh_token": refresh,
        "expires_in": 3599,
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "token_type": "Bearer",
        "id_token": unsigned_jwt(&claims),
    }))
    .into_response()
}

fn is_known(book: &Shared, headers: &HeaderMap) -> bool {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = sent.and_then(|sent| sent.strip_prefix("Bearer "));
    token.is_some_and(|token| lock(book).access_tokens.iter().any(|known| known == token))
}

async fn token_info(State(book): State<Shared>, headers: HeaderMap) -> Response {
    if !is_known(&book, &headers) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    Json(json!({"aud": CLIENT, "email": EMAIL, "expires_in": 3599})).into_response()
}

async fn user_info(State(book): State<Shared>, headers: HeaderMap) -> Response {
    if !is_known(&book, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(json!({"id": "1", "email": EMAIL, "verified_email": true})).into_response()
}
