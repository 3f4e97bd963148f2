//! A stand-in for the servers that `claude auth login` talks to, behind [`crate::proxy::Proxy`].
//!
//! The test is the person at the browser: [`Anthropic::sign_in`] opens the address that was shown
//! to them and gives the code they would paste. The address is read as strictly as the true page
//! reads it, and code, state and verifier must fit together at the exchange, so an address cut
//! short, or a code typed into another login, fails the test.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use url::Url;

use crate::standin::{Background, Seen, random_43, random_text, s256};

/// The client identifier of the real program.
pub const CLAUDE_CLIENT_ID: &str = "9d1c250a-e61b-44d9-88ed-5944d1962f5e";

/// Who signs in here.
pub const EMAIL: &str = "grace@example.com";

const CALLBACK: &str = "https://platform.claude.com/oauth/code/callback";
const ACCOUNT: &str = "00000000-0000-4000-8000-00000000000a";
const ORGANIZATION: &str = "00000000-0000-4000-8000-00000000000b";

/// Why the sign-in page would not have taken an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadAddress(pub String);

/// What the person agreed to on the page.
#[derive(Debug)]
struct Grant {
    /// The one that the address names. A short address names none: the page gives one of its own.
    state: Option<String>,
    challenge: String,
    scope: String,
}

impl Grant {
    /// The half behind the `#` of the code on the page.
    fn shown_state(&self) -> String {
        self.state.clone().unwrap_or_else(random_43)
    }
}

#[derive(Debug, Default)]
struct Book {
    /// By code, each good once.
    grants: HashMap<String, Grant>,
    /// By access token.
    scopes: HashMap<String, String>,
    access_tokens: Vec<String>,
    refresh_tokens: Vec<String>,
    revoked: Vec<String>,
    api_keys: Vec<String>,
    seen: Vec<Seen>,
    faults: Vec<String>,
}

#[derive(Debug, Clone)]
struct Shared {
    book: Arc<Mutex<Book>>,
    /// True while exchanges are held back.
    held: watch::Receiver<bool>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running stand-in; dropping it ends it.
#[derive(Debug)]
pub struct Anthropic {
    shared: Shared,
    hold: watch::Sender<bool>,
    server: Background,
}

impl Anthropic {
    /// Starts it on a free loopback port.
    ///
    /// # Errors
    ///
    /// When the port or the thread cannot be had.
    pub fn start() -> io::Result<Self> {
        let (hold, waiting) = watch::channel(false);
        let shared = Shared { book: Arc::default(), held: waiting };
        let app = router(shared.clone());
        let server = Background::start("anthropic", |listener| async move {
            axum::serve(listener, app).await.expect("serving on loopback does not end");
        })?;
        Ok(Self { shared, hold, server })
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    /// The person opens `address`, agrees, and copies what the page shows: `CODE#STATE`.
    ///
    /// # Errors
    ///
    /// When the true page would not have taken the address; the message says what is wrong.
    pub fn sign_in(&self, address: &str) -> Result<String, BadAddress> {
        let grant = read_address(address)?;
        let code = format!("good-{}", random_43());
        let pasted = format!("{code}#{}", grant.shown_state());
        self.shared.lock().grants.insert(code, grant);
        Ok(pasted)
    }

    /// A code of the right form for `address` that this server will refuse.
    ///
    /// # Errors
    ///
    /// As [`Anthropic::sign_in`].
    pub fn refused_code(&self, address: &str) -> Result<String, BadAddress> {
        Ok(format!("bad-{}#{}", random_43(), read_address(address)?.shown_state()))
    }

    /// From now on this API key is a good one.
    pub fn accept_key(&self, key: &str) {
        self.shared.lock().api_keys.push(key.to_owned());
    }

    /// Lets exchanges wait for [`Anthropic::release_exchanges`].
    pub fn hold_exchanges(&self) {
        self.hold.send_replace(true);
    }

    /// Answers the exchanges that were held back, and later ones at once.
    pub fn release_exchanges(&self) {
        self.hold.send_replace(false);
    }

    /// The tokens that were revoked, in order.
    pub fn revoked(&self) -> Vec<String> {
        self.shared.lock().revoked.clone()
    }

    /// The access tokens given out, in order.
    pub fn access_tokens(&self) -> Vec<String> {
        self.shared.lock().access_tokens.clone()
    }

    /// The refresh tokens given out, in order.
    pub fn refresh_tokens(&self) -> Vec<String> {
        self.shared.lock().refresh_tokens.clone()
    }

    /// Every request so far, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// How many requests this path has had.
    pub fn count(&self, path: &str) -> usize {
        self.shared.lock().seen.iter().filter(|seen| seen.path == path).count()
    }

    /// What callers did that the true server would not have taken, refused codes among them.
    pub fn faults(&self) -> Vec<String> {
        self.shared.lock().faults.clone()
    }
}

/// Reads a sign-in address as the page does.
fn read_address(address: &str) -> Result<Grant, BadAddress> {
    let bad = |what: &str| BadAddress(format!("{what}: {address}"));
    let url = Url::parse(address).map_err(|error| bad(&error.to_string()))?;
    let page = (url.host_str().unwrap_or_default(), url.path());
    let known = [
        ("claude.com", "/cai/oauth/authorize"),
        ("claude.ai", "/oauth/authorize"),
        ("platform.claude.com", "/oauth/authorize"),
        ("console.anthropic.com", "/oauth/authorize"),
    ];
    if url.scheme() != "https" || url.port().is_some() || !known.contains(&page) {
        return Err(bad("not a sign-in page"));
    }
    if let Some(grant) = read_short(&url) {
        return Ok(grant);
    }
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    let wanted = [
        ("code", "true"),
        ("client_id", CLAUDE_CLIENT_ID),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in wanted {
        if query.get(name).map(String::as_str) != Some(value) {
            return Err(bad(&format!("{name} is not {value}")));
        }
    }
    let of_43 = |name: &str| {
        let value = query.get(name).filter(|value| is_base64url_43(value));
        value.cloned().ok_or_else(|| bad(&format!("{name} is not 43 characters")))
    };
    let scope = query.get("scope").cloned().ok_or_else(|| bad("no scope"))?;
    // Who is billed by use gets no token to think with, but one that makes a key.
    let by_use = ["platform.claude.com", "console.anthropic.com"].contains(&page.0);
    let scope = if by_use { "org:create_api_key user:profile".to_owned() } else { scope };
    Ok(Grant { state: Some(of_43("state")?), challenge: of_43("code_challenge")?, scope })
}

/// The short address of 2.1.330: `?` and the scopes as the bits of a number in base64url digits, the
/// first scope's bit being the second, then the challenge. Everything else is understood.
fn read_short(url: &Url) -> Option<Grant> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const SCOPES: [&str; 11] = [
        "org:create_api_key",
        "user:profile",
        "user:inference",
        "user:sessions:claude_code",
        "user:mcp_servers",
        "user:file_upload",
        "user:plugins",
        "user:projects:read",
        "user:projects:write",
        "user:privacy_consents:write",
        "org:desktop_config",
    ];
    let short = url.query()?.split('&').next()?;
    let (digits, challenge) = short.split_at_checked(short.len().checked_sub(43)?)?;
    if url.host_str() != Some("claude.ai") || digits.is_empty() || !is_base64url_43(challenge) {
        return None;
    }
    let bits = digits.bytes().try_fold(0_usize, |bits, digit| {
        Some(bits * 64 + DIGITS.bytes().position(|known| known == digit)?)
    })?;
    let asked = |at: &usize| bits >> (at + 1) & 1 == 1;
    let scopes: Vec<_> = (0..SCOPES.len()).filter(asked).map(|at| SCOPES[at]).collect();
    Some(Grant { state: None, challenge: challenge.to_owned(), scope: scopes.join(" ") })
}

fn is_base64url_43(text: &str) -> bool {
    text.len() == 43
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/v1/oauth/token", post(exchange))
        .route("/v1/oauth/token/revoke", post(revoke))
        .route("/api/oauth/profile", get(profile))
        .route("/api/oauth/claude_cli/roles", get(roles))
        .route("/api/oauth/claude_cli/create_api_key", post(create_api_key))
        .route("/v1/models", get(models))
        .route("/api/hello", get(hello))
        .route("/v1/oauth/hello", get(hello))
        .fallback(async || {
            let answer = json!({"type": "error", "error": {"type": "not_found_error"}});
            (StatusCode::NOT_FOUND, Json(answer))
        })
        .layer(from_fn_with_state(shared.clone(), record))
        .with_state(shared)
}

/// Notes the request and signs the answer with a request identifier, without which the program
/// does not believe that a revocation arrived.
async fn record(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    shared
        .lock()
        .seen
        .push(Seen { method: request.method().to_string(), path: request.uri().path().to_owned() });
    let mut response = next.run(request).await;
    let id = random_text(b"abcdefghijkmnopqrstuvwxyz0123456789", 24);
    let id = HeaderValue::from_str(&format!("req_{id}")).expect("letters and digits are a value");
    response.headers_mut().insert(HeaderName::from_static("request-id"), id);
    response
}

async fn hello() -> Json<Value> {
    Json(json!({"message": "hello"}))
}

#[derive(Deserialize)]
struct Exchange {
    grant_type: String,
    client_id: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
    state: String,
}

impl Exchange {
    /// What does not fit between this exchange and what was agreed to.
    fn fault(&self, grant: Option<&Grant>) -> Option<&'static str> {
        let Some(grant) = grant else { return Some("a code that was never given out, or used") };
        let checks = [
            (self.grant_type == "authorization_code", "the grant type"),
            (self.client_id == CLAUDE_CLIENT_ID, "the client"),
            (self.redirect_uri == CALLBACK, "the redirect address"),
            (
                grant.state.as_ref().is_none_or(|state| *state == self.state),
                "another login's state",
            ),
            (s256(&self.code_verifier) == grant.challenge, "another login's verifier"),
        ];
        checks.into_iter().find_map(|(holds, name)| (!holds).then_some(name))
    }
}

async fn exchange(State(mut shared): State<Shared>, Json(body): Json<Exchange>) -> Response {
    // The sender lives as long as the server; without it nothing is held.
    let _ = shared.held.wait_for(|held| !held).await;
    let mut book = shared.lock();
    let grant = book.grants.remove(&body.code);
    if let Some(fault) = body.fault(grant.as_ref()) {
        book.faults.push(fault.to_owned());
        let answer = json!({"error": "invalid_grant", "error_description": "Invalid code"});
        return (StatusCode::BAD_REQUEST, Json(answer)).into_response();
    }
    let scope = grant.map(|grant| grant.scope).unwrap_or_default();
    let access_token = format!("sk-ant-oat01-{}", random_43());
    let refresh_token = format!("sk-ant-ort01-{}", random_43());
    book.scopes.insert(access_token.clone(), scope.clone());
    book.access_tokens.push(access_token.clone());
    book.refresh_tokens.push(refresh_token.clone());
    Json(json!({
        "token_type": "Bearer",
        "access_token": access_token,
        "refresh_token": refresh_token,
        "expires_in": 28800,
        "scope": scope,
        "account": {"uuid": ACCOUNT, "email_address": EMAIL},
        "organization": {"uuid": ORGANIZATION, "name": "Stand-in"},
    }))
    .into_response()
}

/// Answers only a bearer that was given out here.
fn known_bearer(shared: &Shared, headers: &HeaderMap) -> Result<(), StatusCode> {
    let token = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or(StatusCode::UNAUTHORIZED)?;
    if shared.lock().scopes.contains_key(token) { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
}

async fn profile(
    State(shared): State<Shared>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    known_bearer(&shared, &headers)?;
    Ok(Json(json!({
        "account": {
            "uuid": ACCOUNT,
            "email": EMAIL,
            "email_address": EMAIL,
            "full_name": "Grace",
            "display_name": "Grace",
            "has_claude_pro": true,
            "has_claude_max": false,
            "created_at": "2024-01-01T00:00:00Z",
        },
        "organization": {
            "uuid": ORGANIZATION,
            "name": "Stand-in",
            "organization_type": "claude_pro",
            "rate_limit_tier": "default_claude_ai",
            "billing_type": "stripe_subscription",
        },
    })))
}

async fn roles(
    State(shared): State<Shared>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    known_bearer(&shared, &headers)?;
    Ok(Json(json!({
        "organization_uuid": ORGANIZATION,
        "organization_name": "Stand-in",
        "organization_role": "admin",
        "workspace_role": null,
    })))
}

async fn create_api_key(
    State(shared): State<Shared>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    known_bearer(&shared, &headers)?;
    let key = format!("sk-ant-api03-{}", random_43());
    shared.lock().api_keys.push(key.clone());
    Ok(Json(json!({"raw_key": key})))
}

/// Only for a key that was given out, or said to be good.
async fn models(
    State(shared): State<Shared>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let key = headers.get("x-api-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let versioned = headers.contains_key("anthropic-version");
    if !versioned {
        return Err(StatusCode::BAD_REQUEST);
    }
    let known = shared.lock().api_keys.iter().any(|good| good == key);
    if known { Ok(Json(json!({"data": []}))) } else { Err(StatusCode::UNAUTHORIZED) }
}

#[derive(Deserialize)]
struct Revoke {
    token: String,
}

async fn revoke(State(shared): State<Shared>, Json(body): Json<Revoke>) -> Json<Value> {
    shared.lock().revoked.push(body.token);
    Json(json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "https://claude.com/cai/oauth/authorize?code=true\
        &client_id=9d1c250a-e61b-44d9-88ed-5944d1962f5e&response_type=code\
        &redirect_uri=https%3A%2F%2Fplatform.claude.com%2Foauth%2Fcode%2Fcallback\
        &scope=user%3Aprofile+user%3Ainference\
        &code_challenge=QT7ORQdnfprHaCBkmpCedY7F5BXuX506IjmTaMuL9OI&code_challenge_method=S256\
        &state=CJXGvV_4qu6Z9tXLCWjwqyvHKPXiLkKXycazk8Lcp0c";

    #[test]
    fn a_whole_address_is_taken() {
        let stand_in = Anthropic::start().unwrap();
        let pasted = stand_in.sign_in(ADDRESS).unwrap();
        let (_, state) = pasted.split_once('#').unwrap();
        assert_eq!(state, "CJXGvV_4qu6Z9tXLCWjwqyvHKPXiLkKXycazk8Lcp0c");
    }

    #[test]
    fn a_short_address_names_scopes_and_challenge() {
        let challenge = "QT7ORQdnfprHaCBkmpCedY7F5BXuX506IjmTaMuL9OI";
        let read =
            |query: &str| read_address(&format!("https://claude.ai/oauth/authorize?{query}"));
        let grant = read(&format!("I{challenge}&login_method=sso")).unwrap();
        assert_eq!((grant.scope.as_str(), grant.challenge.as_str()), ("user:inference", challenge));
        let grant = read(&format!("z-{challenge}")).unwrap();
        assert!(grant.scope.starts_with("org:create_api_key user:profile user:inference "));
        assert!(
            grant.scope.ends_with(" user:plugins user:privacy_consents:write org:desktop_config")
        );
        assert!(read(challenge).is_err(), "no scopes");
        assert!(read(&challenge[..40]).is_err(), "cut");
    }

    #[test]
    fn an_address_cut_short_anywhere_is_refused() {
        for end in 0..ADDRESS.len() {
            assert!(read_address(&ADDRESS[..end]).is_err(), "cut at {end}");
        }
        assert!(read_address(&format!("{ADDRESS}.")).is_err());
        assert!(
            read_address(&ADDRESS.replace("https://claude.com/", "https://claude.com.example/"))
                .is_err()
        );
        assert!(read_address(&ADDRESS.replace("https:", "http:")).is_err());
    }
}
