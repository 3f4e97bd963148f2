//! The front of the interface: one service between the accept loop and the routes.
//!
//! It gives each request its number, the net for panics, the rules that refuse ([`guard`]) and, at
//! the end, the headers that every answer carries; and it counts them. It is written by hand and not a stack of layers,
//! each of which would move the request and allocate anew: that cost more than all the rules.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::header::{self, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::error::Elapsed;
use tower::Service as _;

use super::body::Stranger;
use super::endpoints::Endpoints;
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
    endpoints: Endpoints,
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
        endpoints: Endpoints,
        paths: Vec<&'static str>,
        ways_in: Vec<&'static str>,
    ) -> Self {
        let (app, headers) = (app.clone(), headers(app));
        let paths = Paths::new(paths);
        if app.config.metrics_bind.is_some() {
            // Of two fronts of one server the second counts where the first does.
            let _first = app.metrics.requests.set(Requests::new(paths.names()));
        }
        Self(Arc::new(Inside { app, router, endpoints, paths, ways_in, headers }))
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
        secure(&mut response, headers, place, id);
        share(&mut response, place, app, origin);
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
        let Inside { app, ways_in, .. } = &*self.0;
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
        within(limit, self.routed(request)).await.unwrap_or_else(|_| {
            let detail = "This took too long; it may still be going on.";
            let wait = Duration::from_secs(2);
            ApiError::unavailable("timeout", detail, wait).into_response()
        })
    }

    async fn routed(&self, request: Request) -> Response {
        let Inside { app, router, endpoints, .. } = &*self.0;
        match endpoints.find(request.method(), request.uri().path()) {
            Some(endpoint) => endpoint(request, app.clone()).await,
            None => match router.clone().call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
        }
    }
}

/// Does some work, for so long at most. Most answers are there at once, and need no timer.
async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut work = pin!(work);
    let at_once = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    if let Poll::Ready(done) = at_once {
        return Ok(done);
    }
    tokio::time::timeout(limit, work).await
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
    let mut room = [0; RequestId::BYTES];
    HeaderValue::from_bytes(id.write(&mut room)).expect("hexadecimal digits, a hyphen and digits")
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
    // Their places, so that nothing has to grow for what nearly every answer says of itself.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(""));
    headers.insert(REQUEST_ID, HeaderValue::from_static(""));
    headers
}

/// Adds what every answer carries. Only a page may say how long it is kept.
fn secure(response: &mut Response, ours: &HeaderMap, place: Place, id: RequestId) {
    let mut all = ours.clone();
    all.insert(REQUEST_ID, header_of(id));
    let mut own = std::mem::take(response.headers_mut());
    if place != Place::Page {
        own.remove(CACHE_CONTROL);
    }
    _ = match own.remove(CONTENT_TYPE) {
        Some(kind) => all.insert(CONTENT_TYPE, kind),
        None => all.remove(CONTENT_TYPE),
    };
    if !own.is_empty() {
        all.extend(own);
    }
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
