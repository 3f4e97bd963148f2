//! The front of the interface: one service between the accept loop and the routes.
//!
//! It gives each request its number, the net for panics, the rules that refuse ([`guard`]) and, at
//! the end, the headers that every answer carries; and it counts them. It is written by hand and not a stack of layers,
//! each of which would move the request and allocate anew: that cost more than all the rules.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::header::{self, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};
use tower::Service as _;

use super::body::Stranger;
use super::error::{self, ApiError};
use super::guard::{self, BODY_BYTES};
use super::paths::Paths;
use crate::logging::RequestId;
use crate::metrics::{self, Refusal, Requests};
use crate::state::{App, AppState};

/// How long an answer may take. Calls that end a process tree or ask a provider's program have
/// bounds of their own below this one.
const SLOW: Duration = Duration::from_mins(1);
const USUAL: Duration = Duration::from_secs(15);

/// How many there were: a part of each one's number, for the log and for a person who reports a
/// fault.
static REQUESTS: AtomicU64 = AtomicU64::new(1);

/// The whole HTTP interface; a cheap clone.
#[derive(Clone)]
pub struct Front(Arc<Inside>);

struct Inside {
    app: AppState,
    router: Router,
    /// What the routes are called.
    paths: Paths,
    /// Where strangers sign in: whose bodies are read before it is known who they are.
    ways_in: Vec<&'static str>,
    /// What every answer carries.
    headers: HeaderMap,
}

impl Front {
    /// Stands before these routes.
    pub(super) fn new(
        app: &AppState,
        router: Router,
        paths: Vec<&'static str>,
        ways_in: Vec<&'static str>,
    ) -> Self {
        let (app, headers) = (app.clone(), headers(app));
        let paths = Paths::new(paths);
        if app.config.metrics_bind.is_some() {
            // Of two fronts of one server the second counts where the first does.
            let _first = app.metrics.requests.set(Requests::new(paths.names()));
        }
        Self(Arc::new(Inside { app, router, paths, ways_in, headers }))
    }

    /// Answers one request.
    pub async fn answer(&self, mut request: Request) -> Response {
        let Inside { app, paths, headers, .. } = &*self.0;
        let id = RequestId::new(&app.boot, REQUESTS.fetch_add(1, Ordering::Relaxed));
        let place = Place::of(request.uri().path());
        let origin = guard::foreign_origin(app, request.headers());
        // The route and never the address: a query could hold what must not be logged.
        let counts = app.metrics.requests.get();
        let logged = tracing::enabled!(tracing::Level::DEBUG);
        let noted = (logged || counts.is_some()).then(|| {
            let (method, route) = (request.method(), paths.find(request.uri().path()));
            (Instant::now(), metrics::method(method), route)
        });
        if !request.body().is_end_stream() {
            DefaultBodyLimit::max(BODY_BYTES).apply(&mut request);
        }
        let answer = id.over(AssertUnwindSafe(self.checked(request)).catch_unwind()).await;
        let mut response = answer.unwrap_or_else(|_| ApiError::internal().into_response());
        if place == Place::Api {
            response = error::as_problem(response);
        }
        secure(&mut response, headers, place);
        share(&mut response, place, app, origin);
        response.headers_mut().insert(REQUEST_ID, header_of(id));
        if let Some(refusal) = response.extensions().get::<Refusal>() {
            app.metrics.auth_failures.one(*refusal);
        }
        if let Some((started, method, route)) = noted {
            let took = started.elapsed();
            if let Some(counts) = counts {
                counts.answered(route, method, response.status(), took);
            }
            let log = || {
                tracing::debug!(
                    method = metrics::METHODS[method],
                    route = paths.name(route),
                    status = response.status().as_u16(),
                    micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                    "request"
                );
            };
            id.within(log);
        }
        response
    }

    async fn checked(&self, mut request: Request) -> Response {
        let Inside { app, router, ways_in, .. } = &*self.0;
        if let Some(answer) = guard::beside_the_routes(app, &request) {
            return answer;
        }
        if let Err(refusal) = guard::check(app, &request) {
            let method = metrics::METHODS[metrics::method(request.method())];
            tracing::info!(code = refusal.code(), method, "request refused");
            return refusal.into_response();
        }
        let is_way_in = ways_in.contains(&request.uri().path());
        if is_way_in {
            request.extensions_mut().insert(Stranger(app.strangers.clone()));
        }
        let places = if is_way_in { &*app.strangers } else { &app.in_flight };
        let Ok(_place) = places.try_acquire() else {
            let detail = "Room has too much to do just now.";
            let wait = Duration::from_secs(1);
            return ApiError::unavailable("overloaded", detail, wait).into_response();
        };
        // Nobody signs in by a program.
        let limit = if guard::is_slow(&request) && !is_way_in { SLOW } else { USUAL };
        let answered = tokio::time::timeout(limit, router.clone().call(request)).await;
        match answered {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                let detail = "This took too long; it may still be going on.";
                let wait = Duration::from_secs(2);
                ApiError::unavailable("timeout", detail, wait).into_response()
            }
        }
    }
}

/// What kind of address was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The API.
    Api,
    /// Health and the socket: as little to be kept as the API's answers.
    Beside,
    /// The dashboard's pages and files.
    Page,
}

impl Place {
    fn of(path: &str) -> Self {
        match path {
            "/healthz" | "/readyz" | "/ws" => Self::Beside,
            _ if guard::is_api(path) => Self::Api,
            _ => Self::Page,
        }
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

fn header_of(id: RequestId) -> HeaderValue {
    HeaderValue::try_from(id.to_string()).expect("hexadecimal digits, a hyphen and digits")
}

/// What every answer carries, a 404 too; the content policy comes on top.
const SECURITY: [(HeaderName, HeaderValue); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (HeaderName::from_static("origin-agent-cluster"), HeaderValue::from_static("?1")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(
            "camera=(), microphone=(), geolocation=(), payment=(), usb=(), clipboard-read=(self)",
        ),
    ),
];

fn headers(app: &App) -> HeaderMap {
    let mut headers: HeaderMap = SECURITY.into_iter().collect();
    headers.insert(header::CONTENT_SECURITY_POLICY, app.content_policy.clone());
    if !app.config.frame_ancestors.is_empty() {
        // Knows no list of origins; the policy above says the same and more.
        headers.remove(header::X_FRAME_OPTIONS);
    }
    if app.cloud.as_ref().is_some_and(|cloud| cloud.settings.is_secure()) {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}

/// Adds what every answer carries. Only a page may say how long it is kept.
fn secure(response: &mut Response, ours: &HeaderMap, place: Place) {
    let mut all = ours.clone();
    let mut own = std::mem::take(response.headers_mut());
    if place != Place::Page {
        own.remove(CACHE_CONTROL);
    }
    all.extend(own);
    *response.headers_mut() = all;
}

/// Lets a listed page elsewhere read the answer (Fetch, section 3.3): the list alone decides, no
/// cookie counts, and caches keep the answers apart.
fn share(response: &mut Response, place: Place, app: &App, origin: Option<HeaderValue>) {
    let lists_others =
        app.cloud.as_ref().is_some_and(|cloud| !cloud.settings.allowed_origins.is_empty());
    if place == Place::Page || !lists_others {
        return;
    }
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static("retry-after, www-authenticate, x-request-id");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}
