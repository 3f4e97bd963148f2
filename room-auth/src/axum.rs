//! For axum services (feature `axum`): a layer that lets no stranger through, and [`Caller`], which
//! a handler behind it takes as an argument.
//!
//! ```
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use axum::{Router, routing::get};
//! use room_auth::axum::{AuthLayer, AuthRejection, Caller};
//! use room_auth::{KeySet, Permission, Verifier, issuers::IssuerPolicy};
//! # use room_auth::issuer::{Issuer, IssuerKey};
//! # let issuer = Issuer::new("https://id.example", IssuerKey::generate(room_auth::Algorithm::EdDsa)?);
//! # let document = issuer.jwks();
//!
//! let keys = KeySet::parse(document.as_bytes())?.keys;
//! let policy = IssuerPolicy::static_keys("https://id.example", keys);
//! let verifier = Arc::new(Verifier::builder("instance-1").issuer(policy).build()?);
//!
//! async fn hello(caller: Caller) -> Result<String, AuthRejection> {
//!     caller.require(Permission::StatusRead)?;
//!     Ok(format!("Hello, {}", caller.identity().subject))
//! }
//! let app: Router = Router::new().route("/", get(hello)).layer(AuthLayer::new(verifier));
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
//! ```

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{Router, get};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use tower::{Layer, Service};

use crate::client_address::ClientAddress;
use crate::clock::{Clock, SystemClock};
use crate::credential::{Presented, QueryToken};
use crate::error::{AuthError, Detail, Reason};
use crate::identity::Permission;
use crate::limiter::FailureLimiter;
use crate::principal::Principal;
use crate::verifier::Verifier;

/// The caller of a handler behind [`AuthLayer`].
#[derive(Debug, Clone)]
pub struct Caller(Arc<Principal>);

impl Caller {
    /// Goes on only if the caller may do this.
    ///
    /// # Errors
    /// 403 for everyone else.
    pub fn require(&self, permission: Permission) -> Result<(), AuthRejection> {
        if self.may(permission) {
            Ok(())
        } else {
            Err(AuthError::Forbidden(Detail::of(Reason::Permission)).into())
        }
    }

    /// What the verifier has proven.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.0
    }
}

impl Deref for Caller {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = AuthRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, AuthRejection> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| {
            tracing::error!(
                path = parts.uri.path(),
                "a handler asks for its caller without AuthLayer"
            );
            AuthError::Missing.into()
        })
    }
}

/// A refusal as an answer: the status, `WWW-Authenticate`, `Retry-After`, and a problem document
/// (RFC 9457) that is the same for all refusals of one status.
#[derive(Debug, Clone)]
pub struct AuthRejection {
    error: AuthError,
    resource_metadata: Option<Arc<str>>,
}

impl AuthRejection {
    /// Why, for the log.
    pub fn error(&self) -> &AuthError {
        &self.error
    }

    /// The value of `WWW-Authenticate` (RFC 6750, section 3), where the answer has one.
    fn challenge(&self) -> Option<String> {
        let names_nothing = matches!(self.error, AuthError::Missing);
        let code = self.error.bearer_code();
        if code.is_none() && !names_nothing {
            return None;
        }
        let mut challenge = r#"Bearer realm="room""#.to_owned();
        let mut parameter = |name: &str, value: &str| {
            challenge.extend([", ", name, "=\"", value, "\""]);
        };
        if let Some(code) = code {
            parameter("error", code);
        }
        if let AuthError::Expired(_) = self.error {
            parameter("error_description", "expired");
        }
        if let Some(url) = &self.resource_metadata {
            parameter("resource_metadata", url);
        }
        Some(challenge)
    }
}

impl From<AuthError> for AuthRejection {
    fn from(error: AuthError) -> Self {
        Self { error, resource_metadata: None }
    }
}

impl IntoResponse for AuthRejection {
    fn into_response(self) -> Response {
        let status = self.error.status();
        let (code, detail) = match status {
            StatusCode::BAD_REQUEST => ("invalid_request", "The request is malformed"),
            StatusCode::UNAUTHORIZED => ("unauthorized", "Sign in to go on"),
            StatusCode::FORBIDDEN => ("forbidden", "You may not do this"),
            StatusCode::TOO_MANY_REQUESTS => ("too_many_attempts", "Too many failed attempts"),
            _ => ("auth_unavailable", "Sign-in cannot be checked at the moment"),
        };
        let (title, number) = (status.canonical_reason().unwrap_or_default(), status.as_u16());
        // Every part is a text of ours, without anything to escape.
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{number},"code":"{code}","detail":"{detail}","error":"{detail}"}}"#
        );
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(value) = self.challenge().and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        if let Some(seconds) = self.error.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Authenticates every request to what it is put around.
///
/// Failures are counted by client address, for which the server has to be started with
/// `into_make_service_with_connect_info::<SocketAddr>()`; without that all clients share one count,
/// which makes failures scarcer and never keeps a valid caller out.
#[derive(Clone)]
pub struct AuthLayer(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    verifier: Arc<Verifier>,
    client_address: ClientAddress,
    limiter: Arc<FailureLimiter>,
    query_token: QueryToken,
    resource_metadata: Option<Arc<str>>,
    clock: Arc<dyn Clock>,
}

impl AuthLayer {
    /// Lets through whom the verifier admits.
    pub fn new(verifier: Arc<Verifier>) -> Self {
        Self(Arc::new(Settings {
            verifier,
            client_address: ClientAddress::Direct,
            limiter: Arc::default(),
            query_token: QueryToken::Refused,
            resource_metadata: None,
            clock: Arc::new(SystemClock),
        }))
    }

    /// Where the address of a client is taken from, if a proxy stands in front.
    #[must_use]
    pub fn client_address(self, client_address: ClientAddress) -> Self {
        self.with(|settings| settings.client_address = client_address)
    }

    /// Another limit on failures; it may be shared with other doors of the same server.
    #[must_use]
    pub fn limiter(self, limiter: Arc<FailureLimiter>) -> Self {
        self.with(|settings| settings.limiter = limiter)
    }

    /// Takes `?token=` from old clients.
    #[must_use]
    pub fn query_token(self, query_token: QueryToken) -> Self {
        self.with(|settings| settings.query_token = query_token)
    }

    /// Names the resource metadata (RFC 9728) in `WWW-Authenticate`; see [`ResourceMetadata`].
    #[must_use]
    pub fn resource_metadata(self, url: impl Into<Arc<str>>) -> Self {
        self.with(|settings| settings.resource_metadata = Some(url.into()))
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.with(|settings| settings.clock = clock)
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl std::fmt::Debug for AuthLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthLayer").field("verifier", &self.0.verifier).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService { settings: Arc::clone(&self.0), inner }
    }
}

/// What [`AuthLayer`] makes of a service.
#[derive(Clone)]
pub struct AuthService<S> {
    settings: Arc<Settings>,
    inner: S,
}

impl<S> std::fmt::Debug for AuthService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthService").finish_non_exhaustive()
    }
}

impl<S> Service<Request> for AuthService<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let settings = Arc::clone(&self.settings);
        // The clone takes the place of the service that was polled ready, which is used now.
        let fresh = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, fresh);
        // Apart from its body, a request can be looked at from several threads.
        let (mut parts, body) = request.into_parts();
        Box::pin(async move {
            match settings.admit(&parts).await {
                Ok(caller) => {
                    parts.extensions.insert(caller);
                    ready.call(Request::from_parts(parts, body)).await
                }
                Err(rejection) => Ok(rejection.into_response()),
            }
        })
    }
}

impl Settings {
    async fn admit(&self, parts: &Parts) -> Result<Caller, AuthRejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        let found = self.client_address.find(&parts.headers, peer);
        let address = *found.as_ref().unwrap_or(&peer);
        let presented = found
            .and_then(|_| Presented::from_request(&parts.headers, &parts.uri, self.query_token));
        let admitted = match presented {
            Ok(presented) => self.verifier.admit(&presented).await,
            Err(error) => Err(error),
        };
        admitted.map(Caller).map_err(|error| {
            log(&error, address, parts.uri.path());
            let error = self.limiter.judge(error, address, self.clock.monotonic());
            AuthRejection { error, resource_metadata: self.resource_metadata.clone() }
        })
    }
}

/// One line a refusal: who it claims to be, never the token.
fn log(error: &AuthError, address: IpAddr, path: &str) {
    let reason = error.reason().code();
    match error {
        AuthError::Missing => tracing::debug!(reason, %address, path, "refused"),
        AuthError::Unavailable { .. } => tracing::warn!(reason, %address, path, "cannot verify"),
        AuthError::BadRequest(detail)
        | AuthError::Expired(detail)
        | AuthError::Invalid(detail)
        | AuthError::Forbidden(detail) => {
            let Detail { issuer, kid, thumbprint, token_id, .. } = detail;
            tracing::info!(
                reason, %address, path, ?issuer, ?kid, ?thumbprint, ?token_id, "refused"
            );
        }
        AuthError::Limited { .. } => tracing::info!(reason, %address, path, "refused"),
    }
}

/// Says whose tokens a service takes (RFC 9728), for clients that look.
#[derive(Debug, Clone)]
pub struct ResourceMetadata {
    resource: String,
    authorization_servers: Vec<String>,
}

impl ResourceMetadata {
    /// Where the document has to be (section 3).
    pub const PATH: &str = "/.well-known/oauth-protected-resource";

    /// For the service at this URL and the issuers it trusts.
    pub fn new(
        resource: impl Into<String>,
        authorization_servers: impl IntoIterator<Item = String>,
    ) -> Self {
        let authorization_servers = authorization_servers.into_iter().collect();
        Self { resource: resource.into(), authorization_servers }
    }

    /// A router with the document, to be merged outside the layer.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let document: Arc<str> = json!({
            "resource": self.resource,
            "authorization_servers": self.authorization_servers,
            "bearer_methods_supported": ["header"],
        })
        .to_string()
        .into();
        let answer = move || {
            let document = Arc::clone(&document);
            async move { ([(header::CONTENT_TYPE, "application/json")], document.to_string()) }
        };
        Router::new().route(Self::PATH, get(answer))
    }
}

#[cfg(test)]
mod tests;
