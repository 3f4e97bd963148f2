//! What a client reads when something is wrong: `application/problem+json` (RFC 9457) with a stable
//! `code`. What the log reads is another field.

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, StatusCode};
use room_auth::onetime::Refused;
use room_auth::{AuthError, Detail, Reason};
use serde_json::{Map, Value};

use crate::cloud::arrivals::ArrivalError;
use crate::metrics::refusals::{Refusal, UNKNOWN_TOKEN};

/// The media type of all of them.
const PROBLEM: &str = "application/problem+json";

/// A refusal or a failure, ready to be sent.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
    /// Why a credential was refused, for the one who counts.
    refusal: Option<Refusal>,
    more: Option<Box<Map<String, Value>>>,
}

impl ApiError {
    /// A refusal with a code of its own.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, detail: detail.into(), header: None, refusal: None, more: None }
    }

    /// 400.
    pub fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: nothing was presented (RFC 6750, section 3.1: then no error code in the challenge).
    pub fn sign_in_first() -> Self {
        Self::unauthorized("Bearer realm=\"room\"").refused(Reason::NoCredential.code())
    }

    /// 401: what was presented proves nothing. `expired` is all that is told apart, for a client
    /// must know when to sign in again.
    pub fn invalid_token(expired: bool) -> Self {
        Self::unauthorized(if expired {
            "Bearer realm=\"room\", error=\"invalid_token\", error_description=\"expired\""
        } else {
            "Bearer realm=\"room\", error=\"invalid_token\""
        })
        .refused(if expired { Reason::Expired.code() } else { UNKNOWN_TOKEN })
    }

    /// 401 with a code of its own: a one-time code did not work, and the page says why.
    pub fn refused_code(code: &'static str, detail: &'static str) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"room\"");
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
            .with(WWW_AUTHENTICATE, challenge)
            .refused(code)
    }

    fn unauthorized(challenge: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "sign_in_required", "Sign in to this Room first.")
            .with(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    /// 400: two credentials, a malformed one, or one in the address.
    pub fn invalid_credentials(detail: &'static str) -> Self {
        let challenge =
            HeaderValue::from_static("Bearer realm=\"room\", error=\"invalid_request\"");
        Self::bad_request("invalid_request", detail)
            .with(WWW_AUTHENTICATE, challenge)
            .refused(Reason::AuthorizationHeader.code())
    }

    /// 403: signed in, and not allowed.
    pub fn not_allowed() -> Self {
        let challenge =
            HeaderValue::from_static("Bearer realm=\"room\", error=\"insufficient_scope\"");
        Self::new(StatusCode::FORBIDDEN, "not_allowed", "Your role does not allow this.")
            .with(WWW_AUTHENTICATE, challenge)
            .refused(Reason::Permission.code())
    }

    /// 403: asked by a page that may not.
    pub fn wrong_origin(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "wrong_origin", detail)
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.")
    }

    /// 409.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: understood, and it cannot be right.
    pub fn unprocessable(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 429, with how long to wait.
    pub fn too_many(detail: &'static str, wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail).after(wait)
    }

    /// 503, with how long to wait.
    pub fn unavailable(code: &'static str, detail: &'static str, wait: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).after(wait)
    }

    /// 500: our own fault, told in the log.
    pub fn internal() -> Self {
        let detail = "Room made a mistake; its log says which.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// Logs what lies behind it, once, where it is turned into an answer.
    #[must_use]
    pub fn because(self, error: &dyn std::error::Error) -> Self {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain = format!("{chain}: {cause}");
            source = cause.source();
        }
        if self.status.is_server_error() {
            tracing::error!(code = self.code, error = chain, "request failed");
        } else {
            tracing::info!(code = self.code, error = chain, "request refused");
        }
        self
    }

    /// Logs a refused credential, once: who it claims to be, never itself.
    fn because_of_credential(self, error: &AuthError) -> Self {
        let reason = error.reason().code();
        match error.detail() {
            None => tracing::debug!(reason, "credential refused"),
            Some(Detail { issuer, kid, thumbprint, token_id, .. }) => {
                tracing::info!(reason, ?issuer, ?kid, ?thumbprint, ?token_id, "credential refused");
            }
        }
        self
    }

    /// Adds a member of its own to the body.
    #[must_use]
    pub fn also(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// Says why a credential was refused; the last word counts.
    fn refused(mut self, reason: &'static str) -> Self {
        self.refusal = Some(Refusal(reason));
        self
    }

    fn after(self, wait: Duration) -> Self {
        // Rounded up: a client that waits this long is not refused for the same reason again.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// The stable code, for the log.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Whether the fault is the server's, not the caller's.
    pub fn is_ours(&self) -> bool {
        self.status.is_server_error()
    }

    /// What the client reads.
    pub fn body(&self) -> Value {
        let mut body = self.more.as_deref().cloned().unwrap_or_default();
        body.insert("type".into(), "about:blank".into());
        body.insert("title".into(), self.status.canonical_reason().unwrap_or("Error").into());
        body.insert("status".into(), self.status.as_u16().into());
        body.insert("code".into(), self.code.into());
        body.insert("detail".into(), self.detail.as_ref().into());
        // Clients of the predecessor read this one.
        body.insert("error".into(), self.detail.as_ref().into());
        Value::Object(body)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body().to_string().into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        if let Some((name, value)) = self.header.map(|header| *header) {
            headers.insert(name, value);
        }
        if let Some(refusal) = self.refusal {
            response.extensions_mut().insert(refusal);
        }
        response
    }
}

/// What a caller is told of a refused credential: no more than `room-auth` allows.
impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match &error {
            AuthError::Missing => Self::sign_in_first(),
            AuthError::BadRequest(_) => {
                Self::invalid_credentials("Send one well-formed credential, in a header.")
            }
            AuthError::Expired(_) => Self::invalid_token(true),
            AuthError::Invalid(_) => Self::invalid_token(false),
            AuthError::Forbidden(_) => Self::not_allowed(),
            AuthError::Unavailable { retry_after, .. } => Self::unavailable(
                "auth_unavailable",
                "Sign-ins cannot be checked at the moment.",
                *retry_after,
            ),
            AuthError::Limited { retry_after } => {
                Self::too_many("Too many failed sign-ins; wait a moment.", *retry_after)
            }
        }
        .refused(error.reason().code())
        .because_of_credential(&error)
    }
}

impl From<ArrivalError> for ApiError {
    fn from(error: ArrivalError) -> Self {
        match error {
            ArrivalError::Auth(error) => error.into(),
            ArrivalError::Store(error) => error.into(),
            ArrivalError::TokenUsed => Self::refused_code(
                "token_used",
                "This sign-in link was used already; get a new one.",
            ),
            ArrivalError::TokenTooOld => {
                Self::refused_code("token_too_old", "This sign-in link is too old; get a new one.")
            }
            ArrivalError::Code(why) => match why {
                Refused::Unknown => {
                    Self::refused_code("code_unknown", "This code is not one of this Room's.")
                }
                Refused::Used => Self::refused_code("code_used", "This code was used already."),
                Refused::Expired => {
                    Self::refused_code("code_expired", "This code is too old; make a new one.")
                }
            },
        }
    }
}

impl From<crate::store::StoreError> for ApiError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::unavailable(
            "storage_unavailable",
            "Room cannot write to its disk; free space or fix the data directory.",
            Duration::from_secs(5),
        )
        .because(&error)
    }
}

impl From<crate::backup::BackupError> for ApiError {
    fn from(error: crate::backup::BackupError) -> Self {
        use crate::backup::BackupError;
        match error {
            BackupError::Busy => Self::conflict(
                "backup_running",
                "Another backup is being made or read; try again when it is done.",
            ),
            BackupError::DiskShort { needed, free } => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "disk_short",
                format!("A backup needs {needed} free bytes, twice the database; {free} are free."),
            ),
            BackupError::Log(error) => error.into(),
            // Told in the log already, by whoever tried.
            BackupError::Store(_) | BackupError::Io(_) | BackupError::Stopping => {
                Self::unavailable(
                    "backup_failed",
                    "The backup could not be made; the log says why.",
                    Duration::from_secs(5),
                )
            }
        }
    }
}

impl From<crate::activity::Unwritable> for ApiError {
    fn from(error: crate::activity::Unwritable) -> Self {
        Self::unavailable(
            "audit_unavailable",
            "Room cannot write its activity log, so nothing was changed; free space or fix the \
             data directory.",
            Duration::from_secs(5),
        )
        .because(&error)
    }
}

/// Turns a refusal that the web framework wrote (a parameter that is not UTF-8, a query that cannot
/// be read) into one of ours.
pub(super) fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let ours = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM);
    if !is_error || ours {
        return response;
    }
    let detail = "Room could not read this request.";
    ApiError::new(status, "bad_request", detail).into_response()
}

/// 405 on a path that has other methods. The router adds `Allow`.
pub(super) async fn method_not_allowed() -> ApiError {
    let detail = "This address does not take that method.";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// 405 where the router knows of no methods.
pub(super) fn only_get() -> ApiError {
    let detail = "This address does not take that method.";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        .with(ALLOW, HeaderValue::from_static("GET, HEAD"))
}
