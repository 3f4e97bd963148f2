//! The dashboard's files, embedded in the program: exact names, no disk, honest cache headers.

use std::borrow::Cow;
use std::sync::LazyLock;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue, IF_NONE_MATCH, VARY,
};
use http::{Method, StatusCode};
use rust_embed::{Embed, EmbeddedFile};

use super::error::{self, ApiError};
use crate::state::AppState;

/// The page that draws all others.
const INDEX: &str = "index.html";

#[derive(Embed)]
#[folder = "../ui-dist"]
#[allow_missing = true]
struct Files;

/// The worker that keeps the page in browsers, and what ends it there.
const WORKER: &str = "sw.js";
const NO_WORKER: &str = "sw-off.js";

/// A file of the dashboard.
fn embedded(name: &str) -> Option<EmbeddedFile> {
    // A debug build reads its files from the disk; a test may name another folder of them, to have
    // a second build to update to. A release has its files within and nothing of this.
    #[cfg(debug_assertions)]
    if let Some(folder) = std::env::var_os("DASHBOARD_OF_A_TEST") {
        let file = std::path::Path::new(&folder).join(name);
        return rust_embed::utils::read_file_from_fs(&file).ok();
    }
    Files::get(name)
}

/// The id of the embedded dashboard, from its `build.json`; a page compares it with its own.
pub fn build() -> &'static str {
    static BUILD: LazyLock<String> = LazyLock::new(|| {
        let file = embedded("build.json");
        let json =
            file.and_then(|file| serde_json::from_slice::<serde_json::Value>(&file.data).ok());
        let id = json.and_then(|json| json.get("build").and_then(|id| id.as_str().map(Into::into)));
        id.unwrap_or_else(|| "no-dashboard".into())
    });
    &BUILD
}

/// Everything that is no route: a file of the dashboard, a page of it, or nothing.
pub(super) async fn serve(State(app): State<AppState>, request: Request) -> Response {
    let (path, headers) = (request.uri().path(), request.headers());
    if path == "/api" || path.starts_with("/api/") {
        return ApiError::not_found().into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return error::only_get().into_response();
    }
    let Some(mut name) = file_name(path) else { return ApiError::not_found().into_response() };
    if name == WORKER && !app.config.service_worker {
        name = Cow::Borrowed(NO_WORKER);
    }
    if let Some(response) = file(&name, headers) {
        return response;
    }
    if name == INDEX || is_page(&name, headers) {
        return file(INDEX, headers).unwrap_or_else(|| not_built().into_response());
    }
    ApiError::not_found().into_response()
}

/// The name of the file a path asks for: decoded once, compared exactly.
fn file_name(path: &str) -> Option<Cow<'_, str>> {
    let path = path.strip_prefix('/')?;
    let name = percent_decode(path)?;
    if name.is_empty() {
        return Some(Cow::Borrowed(INDEX));
    }
    // A name that a page could not have asked for is refused before it is looked up.
    let plain = !name.contains(['\\', '\0', '%'])
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    // Compressed siblings are forms of a file, not files.
    let own_form = name.ends_with(".br") || name.ends_with(".gz");
    (plain && !own_form).then_some(name)
}

fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Whether a path is a page of the application, which draws itself from `index.html`.
fn is_page(name: &str, headers: &HeaderMap) -> bool {
    let last = name.rsplit('/').next().unwrap_or("");
    let reserved = ["assets", "api", "ws"].iter().any(|first| {
        name.strip_prefix(first).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
    !reserved && !last.contains('.') && accept.contains("text/html")
}

fn file(name: &str, headers: &HeaderMap) -> Option<Response> {
    let plain = embedded(name)?;
    let accepted = Encodings::of(headers);
    let forms = [("br", accepted.br), ("gzip", accepted.gzip)];
    let packed = forms.into_iter().filter(|(_, accepted)| *accepted).find_map(|(coding, _)| {
        let ending = if coding == "br" { "br" } else { "gz" };
        embedded(&format!("{name}.{ending}")).map(|file| (coding, file))
    });
    let (coding, file) = match packed {
        Some((coding, file)) => (Some(coding), file),
        None => (None, plain),
    };
    let hash = file.metadata.sha256_hash();
    let etag: String =
        hash.iter().take(16).fold(String::from("\""), |text, byte| text + &format!("{byte:02x}"))
            + "\"";
    let unchanged = headers.get(IF_NONE_MATCH).is_some_and(|tags| {
        let tags = tags.to_str().unwrap_or("");
        tags.split(',')
            .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == etag)
    });
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match file.data {
            Cow::Borrowed(bytes) => axum::body::Bytes::from_static(bytes).into_response(),
            Cow::Owned(bytes) => bytes.into_response(),
        }
    };
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    answer.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static(cache_rule(name)));
    answer.insert(ETAG, HeaderValue::from_str(&etag).ok()?);
    if let Some(coding) = coding {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    Some(response)
}

/// Which encodings a client takes (RFC 9110, section 12.5.3); `q=0` means no.
#[derive(Debug, PartialEq, Eq)]
struct Encodings {
    br: bool,
    gzip: bool,
}

impl Encodings {
    fn of(headers: &HeaderMap) -> Self {
        let mut found = Self { br: false, gzip: false };
        let values =
            headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for item in values.flat_map(|value| value.split(',')) {
            let mut parts = item.split(';').map(str::trim);
            let coding = parts.next().unwrap_or("").to_ascii_lowercase();
            let refused = parts.any(|part| {
                let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
                weight.is_some_and(|weight| weight.bytes().all(|b| b == b'0' || b == b'.'))
            });
            match coding.as_str() {
                "br" => found.br = !refused,
                "gzip" => found.gzip = !refused,
                _ => {}
            }
        }
        found
    }
}

/// Hashed names never change their contents; what names them must always be asked for.
fn cache_rule(name: &str) -> &'static str {
    if name.starts_with("assets/") {
        return "public, max-age=31536000, immutable";
    }
    match name.rsplit('.').next().unwrap_or("") {
        "html" | "js" => "no-store",
        _ if name == "build.json" => "no-store",
        _ => "public, max-age=3600",
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// What a program built without its dashboard says instead of pretending.
fn not_built() -> Response {
    let page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
        <title>Room</title><h1>The dashboard is not built</h1>\
        <p>This Room runs, and its API answers. Build the dashboard with \
        <code>cargo xtask ui</code>, then build Room again.</p></html>";
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, html)], page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_stay_inside() {
        let name = |path| file_name(path).map(Cow::into_owned);
        assert_eq!(name("/").as_deref(), Some("index.html"));
        assert_eq!(name("/assets/a%2Db.js").as_deref(), Some("assets/a-b.js"));
        for outside in [
            "",
            "//",
            "/../etc/passwd",
            "/a/../b",
            "/%2e%2e/etc",
            "/a//b",
            "/a%00",
            "/a%",
            "/a%4",
            "/%zz",
            "/a%2525",
            "/..%2f",
            "/a\\b",
            "/%5c",
            "/./a",
            "/%ff",
            "/index.html.br",
        ] {
            assert_eq!(name(outside), None, "{outside}");
        }
    }

    #[test]
    fn pages_are_what_a_person_opens() {
        let mut html = HeaderMap::new();
        html.insert(ACCEPT, HeaderValue::from_static("text/html,*/*;q=0.8"));
        assert!(is_page("providers/codex", &html) && is_page("apis", &html));
        for not in ["assets/missing", "assets", "api/x", "ws", "providers/x.js", "favicon.ico"] {
            assert!(!is_page(not, &html), "{not}");
        }
        assert!(!is_page("providers", &HeaderMap::new()));
    }

    #[test]
    fn encodings_are_those_the_client_takes() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            let found = Encodings::of(&headers);
            (found.br, found.gzip)
        };
        assert_eq!(of("gzip, deflate, br"), (true, true));
        assert_eq!(of("br;q=0, gzip;q=1.0"), (false, true));
        assert_eq!(of("BR;q=0.0,gzip;q=0.001"), (false, true));
        assert_eq!(of("identity"), (false, false));
        assert_eq!(Encodings::of(&HeaderMap::new()), Encodings { br: false, gzip: false });
    }

    #[test]
    fn only_hashed_names_live_long() {
        assert!(cache_rule("assets/index-abc123.js").contains("immutable"));
        for fresh in ["index.html", "sw.js", "build.json", "offline.html"] {
            assert_eq!(cache_rule(fresh), "no-store");
        }
        assert!(cache_rule("icon-192.png").contains("max-age=3600"));
    }
}
