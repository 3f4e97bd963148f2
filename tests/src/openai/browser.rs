//! The page of `codex login`, and the call that tells a good key from a bad one.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::{CODEX_CLIENT_ID, Shared, lock};
use crate::standin::random_43;

/// Why the sign-in page would not have taken an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadAddress(pub String);

/// What the person agreed to on the page.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    state: String,
    scope: String,
}

/// The person opens `address` and agrees; gives the code and the grant.
pub(super) fn agree(book: &Shared, address: &str) -> Result<String, BadAddress> {
    let grant = read_address(address)?;
    let code = format!("ac_{}", random_43());
    let mut callback = Url::parse(&grant.redirect_uri)
        .map_err(|error| BadAddress(format!("the redirect: {error}")))?;
    callback
        .query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("scope", &grant.scope)
        .append_pair("state", &grant.state);
    lock(book).browser_grants.insert(code, grant);
    Ok(callback.into())
}

/// The person opens `address` and declines.
pub(super) fn decline(address: &str) -> Result<String, BadAddress> {
    let grant = read_address(address)?;
    let mut callback = Url::parse(&grant.redirect_uri)
        .map_err(|error| BadAddress(format!("the redirect: {error}")))?;
    callback
        .query_pairs_mut()
        .append_pair("error", "access_denied")
        .append_pair("error_description", "The person said no")
        .append_pair("state", &grant.state);
    Ok(callback.into())
}

/// Reads a sign-in address as strictly as the page does.
fn read_address(address: &str) -> Result<Grant, BadAddress> {
    let bad = |what: &str| BadAddress(format!("{what}: {address}"));
    let url = Url::parse(address).map_err(|error| bad(&error.to_string()))?;
    if url.scheme() != "https"
        || url.host_str() != Some("auth.openai.com")
        || url.port().is_some()
        || url.path() != "/oauth/authorize"
    {
        return Err(bad("not the sign-in page"));
    }
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    for (name, value) in [
        ("client_id", CODEX_CLIENT_ID),
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
    ] {
        if query.get(name).map(String::as_str) != Some(value) {
            return Err(bad(&format!("{name} is not {value}")));
        }
    }
    let some = |name: &str| query.get(name).cloned().ok_or_else(|| bad(&format!("no {name}")));
    let of_43 = |name: &str| {
        let value = some(name)?;
        if value.len() == 43 { Ok(value) } else { Err(bad(&format!("{name} is cut off"))) }
    };
    Ok(Grant {
        redirect_uri: some("redirect_uri")?,
        challenge: of_43("code_challenge")?,
        state: of_43("state")?,
        scope: some("scope")?,
    })
}

/// `GET /v1/models`: only for a key that was said to be good.
pub(super) async fn models(
    State(book): State<Shared>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let bearer = headers.get("authorization").and_then(|value| value.to_str().ok());
    let key = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if lock(&book).good_keys.iter().any(|good| good == key) {
        (StatusCode::OK, Json(json!({"object": "list", "data": []})))
    } else {
        let error = json!({"error": {"code": "invalid_api_key"}});
        (StatusCode::UNAUTHORIZED, Json(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "https://auth.openai.com/oauth/authorize?response_type=code\
        &client_id=app_EMoamEEZ73f0CkXaXp7hrann\
        &redirect_uri=http%3A%2F%2F127.0.0.1%3A1455%2Fauth%2Fcallback&scope=openid\
        &code_challenge=QT7ORQdnfprHaCBkmpCedY7F5BXuX506IjmTaMuL9OI&code_challenge_method=S256\
        &state=CJXGvV_4qu6Z9tXLCWjwqyvHKPXiLkKXycazk8Lcp0c";

    #[test]
    fn only_a_whole_address_of_the_page_is_taken() {
        assert!(read_address(ADDRESS).is_ok());
        for end in 0..ADDRESS.len() {
            assert!(read_address(&ADDRESS[..end]).is_err(), "cut at {end}");
        }
        assert!(read_address(&ADDRESS.replace("auth.openai.com", "auth.openai.com.x")).is_err());
    }
}
