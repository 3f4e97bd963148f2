//! The one cookie of a hosted Room: a device's session.

use std::time::Duration;

use http::header::{COOKIE, HeaderMap, HeaderValue};
use room_auth::Token;

use crate::http::ApiError;

/// Its name. The prefix makes browsers refuse it unless it is ours alone: https (or this very
/// machine), no domain, the whole host (RFC 6265bis, section 4.1.3.2).
const NAME: &str = "__Host-room";

/// How long a browser keeps it. When a session is over is the server's to say; this only keeps it
/// from being forgotten before that.
const KEPT: Duration = Duration::from_hours(90 * 24);

/// The longest value worth looking at.
const VALUE_BYTES: usize = 128;

/// The value a request carries, if it has one.
///
/// # Errors
/// Several of that name: which one counts is nobody's guess.
pub fn read(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut found = None;
    for header in headers.get_all(COOKIE) {
        let Ok(text) = header.to_str() else { continue };
        for pair in text.split(';') {
            let Some((name, value)) = pair.trim().split_once('=') else { continue };
            if name != NAME || value.is_empty() || value.len() > VALUE_BYTES {
                continue;
            }
            if found.replace(value).is_some() {
                return Err(ApiError::invalid_credentials("Send one session cookie."));
            }
        }
    }
    Ok(found)
}

/// `Set-Cookie` for a new session.
pub fn set(token: &Token) -> Option<HeaderValue> {
    let text = format!(
        "{NAME}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={}",
        token.expose(),
        KEPT.as_secs()
    );
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `Set-Cookie` that takes it away.
pub fn clear() -> HeaderValue {
    HeaderValue::from_static("__Host-room=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(lines: &[&str]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        read(&headers).map(|value| value.map(str::to_owned)).map_err(|error| error.code())
    }

    #[test]
    fn one_cookie_of_that_name_is_read() {
        assert_eq!(value(&[]), Ok(None));
        assert_eq!(value(&["a=b; __Host-room=x; c=d"]), Ok(Some("x".into())));
        assert_eq!(value(&["a=b", "__Host-room=x"]), Ok(Some("x".into())));
        for other in ["room=x", "__host-room=x", "__Host-room", "__Host-room=", "x__Host-room=x"] {
            assert_eq!(value(&[other]), Ok(None), "{other}");
        }
        assert_eq!(value(&["__Host-room=x; __Host-room=y"]), Err("invalid_request"));
        assert_eq!(value(&["__Host-room=x", "__Host-room=x"]), Err("invalid_request"));
        assert_eq!(value(&[&format!("__Host-room={}", "x".repeat(200))]), Ok(None));
    }
}
