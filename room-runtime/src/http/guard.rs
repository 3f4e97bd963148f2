//! The rules that refuse a request, in their order, and what may load our pages.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    self, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use http::request::Parts;
use http::{Method, StatusCode};
use room_auth::site::FetchSite;
use room_auth::{Caller, Permission, Standing};

use super::error::ApiError;
use crate::limits::Group;
use crate::state::{App, Connection};

/// The largest body that is read. Nothing a client sends comes near it.
pub(super) const BODY_BYTES: usize = 64 * 1024;

/// The longest address; longer ones are someone's experiment.
const TARGET_BYTES: usize = 8 * 1024;

/// The rules, in the order in which they win.
pub(super) fn check(app: &App, request: &Request) -> Result<(), ApiError> {
    let (headers, target) = (request.headers(), request.uri());
    let (path, is_api) = (target.path(), is_api(target.path()));
    // Limits.
    if target.path_and_query().is_some_and(|target| target.as_str().len() > TARGET_BYTES) {
        let detail = "The address is too long.";
        return Err(ApiError::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail));
    }
    if declared_length(headers) > BODY_BYTES as u64 {
        return Err(too_large());
    }
    // A health check asks the machine's own address; what it learns is one word.
    if path == "/healthz" || path == "/readyz" {
        return Ok(());
    }
    // Host: a page that made its name resolve to this machine still sends its own name.
    if app.site.check_host(headers, target).is_err() {
        let detail = "This server does not answer to that name.";
        return Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", detail));
    }
    // Origin: whatever the method, and `null` is nobody's.
    if app.site.check_origin(headers).is_err() {
        let detail = "Pages of another origin may not ask this server.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "wrong_origin", detail));
    }
    // Every port of `localhost` is the same site, so only our own origin or the person will do.
    // Sockets are left to the Origin list: browsers do not agree on what they say for those.
    if is_api
        && !matches!(
            FetchSite::of(headers),
            FetchSite::Absent | FetchSite::SameOrigin | FetchSite::None
        )
        && foreign_origin(app, headers).is_none()
    {
        let detail = "Pages of another site may not ask this server.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "wrong_site", detail));
    }
    // A token in an address ends up in histories and logs.
    let old_client = path == "/ws" && takes_query_tokens(app);
    if !old_client && target.query().is_some_and(names_a_token) {
        return Err(ApiError::invalid_credentials(
            "Send the token in a header, not in the address.",
        ));
    }
    Ok(())
}

/// What is answered before any rule about callers: the question of a page elsewhere whether it may
/// ask (a preflight), and an old control plane's link with its token in the address.
pub(super) fn beside_the_routes(app: &App, request: &Request) -> Option<Response> {
    let (headers, target) = (request.headers(), request.uri());
    let is_preflight = *request.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && is_api(target.path());
    let is_old_link =
        *request.method() == Method::GET && target.path() == "/" && takes_query_tokens(app);
    if !is_preflight && !is_old_link {
        return None;
    }
    app.site.check_host(headers, target).ok()?;
    if is_preflight && foreign_origin(app, headers).is_some() {
        let mut response = StatusCode::NO_CONTENT.into_response();
        for (name, value) in PREFLIGHT {
            response.headers_mut().insert(name, value);
        }
        return Some(response);
    }
    if is_old_link {
        let mut tokens = url::form_urlencoded::parse(target.query()?.as_bytes())
            .filter(|(name, _)| name == "token");
        let (Some((_, token)), None) = (tokens.next(), tokens.next()) else { return None };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !token.bytes().all(plain) {
            return None;
        }
        // Into the fragment, which is sent to nobody and logged by nobody.
        let mut location = HeaderValue::try_from(format!("/#token={token}")).ok()?;
        location.set_sensitive(true);
        let mut response = StatusCode::SEE_OTHER.into_response();
        response.headers_mut().insert(header::LOCATION, location);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return Some(response);
    }
    None
}

fn takes_query_tokens(app: &App) -> bool {
    app.cloud.as_ref().is_some_and(|cloud| cloud.settings.query_token)
}

/// The Origin of a page elsewhere that is on the list of those who may ask.
pub(super) fn foreign_origin(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    if !app.site.lets_others_ask() {
        return None;
    }
    let origin = headers.get(header::ORIGIN)?;
    let text = app.site.check_origin(headers).ok().flatten()?;
    (!app.site.is_own_origin(text)).then(|| origin.clone())
}

/// What a listed page elsewhere may send: a bearer, never a cookie.
const PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
    (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, DELETE")),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type")),
    (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
];

/// Counts a request of nobody in particular by its address.
pub(super) fn count(app: &App, group: Group, parts: &Parts) -> Result<(), ApiError> {
    if let Some(Connection { peer, .. }) = parts.extensions.get() {
        app.limits.address(group, app.client_address(&parts.headers, peer.ip()))?;
    }
    Ok(())
}

/// Authentication and permission, before a byte of the body is read. Stands before every guarded
/// route with the one permission the route names.
pub(super) async fn authorize(
    app: &App,
    permission: Permission,
    group: Group,
    parts: &mut Parts,
) -> Result<(), ApiError> {
    let caller = app.sign_in.authenticate(app, parts).await?;
    app.limits.person(group, &caller.identity)?;
    if !caller.may(permission) {
        return Err(ApiError::not_allowed());
    }
    // A program that looks in does not keep the machine awake.
    if matches!(caller.standing, Standing::Person(_)) {
        app.idle.touch(|| app.clock.monotonic());
    }
    check_type(&parts.headers)?;
    parts.extensions.insert(caller);
    Ok(())
}

/// Who calls a guarded route; only [`authorize`] puts it there.
pub(super) type Guarded = axum::Extension<std::sync::Arc<Caller>>;

/// What our pages may load: our own scripts and styles, and one Trusted Types policy, the one that
/// names the service worker.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
    worker-src 'self'; form-action 'self'; base-uri 'none'; \
    require-trusted-types-for 'script'; trusted-types room-sw";

/// `Content-Security-Policy`: what our pages may load, and who may show them in a frame.
pub fn content_policy(frame_ancestors: &[String]) -> HeaderValue {
    let ancestors = match frame_ancestors {
        [] => "'none'".to_owned(),
        origins => origins.join(" "),
    };
    HeaderValue::try_from(format!("{CONTENT_POLICY}; frame-ancestors {ancestors}"))
        .expect("origins are ASCII, checked with the settings")
}

/// 413.
pub(super) fn too_large() -> ApiError {
    let detail = "The body is larger than 64 KiB.";
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
}

pub(super) fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// Whether it may have to wait for a program: all that changes something, and a status that is not
/// to come from the cache.
pub(super) fn is_slow(request: &Request) -> bool {
    let waits = request.uri().query().is_some_and(|query| query.contains("refresh=1"));
    waits || !matches!(*request.method(), Method::GET | Method::HEAD)
}

/// A body, if there is one, says that it is JSON: a page of another origin cannot say so without
/// asking first. Checked once it is known who asks.
pub(super) fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    if !has_body(headers) || is_json(headers) {
        return Ok(());
    }
    let detail = "Send application/json.";
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail))
}

fn declared_length(headers: &HeaderMap) -> u64 {
    let value = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    value.map_or(0, |value| value.parse().unwrap_or(u64::MAX))
}

fn has_body(headers: &HeaderMap) -> bool {
    declared_length(headers) > 0 || headers.contains_key(header::TRANSFER_ENCODING)
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(text) = value.to_str() else { return false };
    let essence = text.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Whether a parameter of the query has a name under which tokens travel, however it is written.
fn names_a_token(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| {
        let name = name.to_ascii_lowercase();
        ["token", "access_token", "jwt", "bearer", "authorization", "code", "ticket"]
            .contains(&name.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_the_query_is_seen_however_it_is_spelt() {
        for query in ["token=x", "a=1&token", "%74oken=x", "TOKEN=1", "access_token=1", "b&jwt="] {
            assert!(names_a_token(query), "{query}");
        }
        for query in ["", "parts=providers", "tokens=1", "a=token", "v=token%3D1"] {
            assert!(!names_a_token(query), "{query}");
        }
    }

    #[test]
    fn json_is_json() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            is_json(&headers)
        };
        assert!(with("application/json") && with("Application/JSON; charset=utf-8"));
        for not in ["", "text/plain", "application/jsonp", "text/plain; application/json", "json"] {
            assert!(!with(not), "{not}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
