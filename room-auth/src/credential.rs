//! What a request presents, and whether it may stand: one credential and no more.
//!
//! Nothing is verified here. [`Presented::from_request`] finds the credentials of a request and
//! refuses combinations that two programs could read differently.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use crate::error::{AuthError, Detail, Reason};
use crate::jws::MAX_TOKEN_BYTES;

/// A subprotocol that carries a bearer where a browser cannot set `Authorization`.
const BEARER_PROTOCOL: &str = "base64url.bearer.authorization.room.";

/// What the longest token takes there: base64 writes three bytes as four.
const MAX_PROTOCOL_BYTES: usize = (MAX_TOKEN_BYTES * 4).div_ceil(3);

/// Names under which tokens have been put into query strings. Addresses end up in logs, histories
/// and `Referer`, so each is a fault, whatever it holds.
const QUERY_NAMES: [&str; 4] = ["token", "access_token", "jwt", "id_token"];

static CF_ASSERTION: HeaderName = HeaderName::from_static("cf-access-jwt-assertion");
static CF_EMAIL: HeaderName = HeaderName::from_static("cf-access-authenticated-user-email");

/// Whether a token in the query string is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryToken {
    /// Never: 400.
    #[default]
    Refused,
    /// `?token=`, for clients of the predecessor. The caller sees to it that no log has the query.
    Legacy,
}

/// The credentials of one request, as they were sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presented<'r> {
    bearer: Option<Cow<'r, str>>,
    assertion: Option<&'r str>,
    email_header: Option<&'r str>,
}

impl<'r> Presented<'r> {
    /// Finds the credentials of a request.
    ///
    /// # Errors
    /// Two credentials for the same purpose, a header that occurs twice or is not text, or a token
    /// in the query: 400.
    pub fn from_request(
        headers: &'r HeaderMap,
        target: &'r Uri,
        query_token: QueryToken,
    ) -> Result<Self, AuthError> {
        let query = target.query().map(|query| from_query(query, query_token)).transpose()?;
        let candidates = [
            authorization(headers)?.map(Cow::Borrowed),
            subprotocol(headers)?.map(Cow::Owned),
            query.flatten().map(Cow::Borrowed),
        ];
        let mut found = candidates.into_iter().flatten();
        let bearer = found.next();
        if found.next().is_some() {
            return Err(bad_request(Reason::SeveralCredentials));
        }
        Ok(Self {
            bearer,
            assertion: single(headers, &CF_ASSERTION)?,
            email_header: single(headers, &CF_EMAIL)?,
        })
    }

    /// The bearer token, however it was sent.
    pub fn bearer(&self) -> Option<&str> {
        self.bearer.as_deref()
    }

    /// The Cloudflare Access assertion.
    pub fn assertion(&self) -> Option<&str> {
        self.assertion
    }

    /// The plain e-mail header of Cloudflare Access.
    pub fn email_header(&self) -> Option<&str> {
        self.email_header
    }
}

fn bad_request(reason: Reason) -> AuthError {
    AuthError::BadRequest(Detail::of(reason))
}

/// A header that may occur once at most.
fn only<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h HeaderValue>, AuthError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(bad_request(Reason::SeveralCredentials)),
        (value, None) => Ok(value),
    }
}

/// Its value.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, AuthError> {
    only(headers, name)?.map(text).transpose()
}

fn text(value: &HeaderValue) -> Result<&str, AuthError> {
    value.to_str().map_err(|_| bad_request(Reason::AuthorizationHeader))
}

/// RFC 6750, section 2.1. Another scheme is no bearer and counts as none (section 3.1).
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let Some(value) = only(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    let bytes = value.as_bytes();
    let scheme = bytes.split(|&byte| byte == b' ').next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return text(value).map(|_| None);
    }
    let token = &bytes[scheme.len()..];
    let spaces = token.iter().take_while(|&&byte| byte == b' ').count();
    let token = &token[spaces..];
    // Asked first: what is too long is not looked at.
    if token.len() > MAX_TOKEN_BYTES {
        return Err(bad_request(Reason::Oversized));
    }
    // Read to the end, which lets the processor look at many bytes at once.
    let is_odd = |byte: u8| !byte.is_ascii_graphic() || byte == b',';
    let odd = token.iter().fold(0, |odd, &byte| odd | u8::from(is_odd(byte)));
    let is_token = !token.is_empty() && odd == 0;
    match std::str::from_utf8(token) {
        Ok(token) if is_token => Ok(Some(token)),
        _ => Err(bad_request(Reason::AuthorizationHeader)),
    }
}

fn subprotocol(headers: &HeaderMap) -> Result<Option<String>, AuthError> {
    let mut found = None;
    for value in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        for protocol in text(value)?.split(',') {
            let Some(encoded) = protocol.trim().strip_prefix(BEARER_PROTOCOL) else { continue };
            if found.is_some() {
                return Err(bad_request(Reason::SeveralCredentials));
            }
            if encoded.len() > MAX_PROTOCOL_BYTES {
                return Err(bad_request(Reason::Oversized));
            }
            let bytes = URL_SAFE_NO_PAD.decode(encoded).ok();
            let token = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            found = Some(token.ok_or_else(|| bad_request(Reason::Encoding))?);
        }
    }
    Ok(found)
}

fn from_query(query: &str, query_token: QueryToken) -> Result<Option<&str>, AuthError> {
    let mut found = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded_name(name);
        if !QUERY_NAMES.contains(&name.as_str()) {
            continue;
        }
        if query_token == QueryToken::Refused || name != "token" {
            return Err(bad_request(Reason::QueryToken));
        }
        if found.replace(value).is_some() {
            return Err(bad_request(Reason::SeveralCredentials));
        }
    }
    Ok(found)
}

/// A name with its percent signs and case undone, so that `%74oken` is no way around the rule.
fn decoded_name(name: &str) -> String {
    let mut bytes = name.bytes();
    let mut decoded = Vec::with_capacity(name.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut hex = bytes.clone();
        let digits = [hex.next(), hex.next()]
            .map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
        if let [Some(high), Some(low)] = digits {
            decoded.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
            bytes = hex;
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8_lossy(&decoded).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a request of these lines presents: bearer, assertion and e-mail header.
    fn find(
        lines: &[(&'static str, &str)],
        target: &str,
        query_token: QueryToken,
    ) -> Result<[Option<String>; 3], Reason> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let target = target.parse().unwrap();
        let presented = Presented::from_request(&headers, &target, query_token);
        let presented = presented.map_err(|error| {
            assert_eq!(error.status().as_u16(), 400);
            error.reason()
        })?;
        Ok([presented.bearer(), presented.assertion(), presented.email_header()]
            .map(|text| text.map(str::to_owned)))
    }

    #[track_caller]
    fn bearer(lines: &[(&'static str, &str)], expected: Result<Option<&str>, Reason>) {
        let found = find(lines, "/", QueryToken::Refused);
        assert_eq!(
            found.as_ref().map(|[bearer, ..]| bearer.as_deref()).map_err(|reason| *reason),
            expected,
            "{lines:?}"
        );
    }

    #[test]
    fn a_bearer_stands_alone_in_its_header() {
        bearer(&[], Ok(None));
        for value in ["Bearer abc", "bearer abc", "BEARER   abc"] {
            bearer(&[("authorization", value)], Ok(Some("abc")));
        }
        for value in ["Basic abc", "Digest a=b", "abc", "", "Bearerabc"] {
            bearer(&[("authorization", value)], Ok(None));
        }
        for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer a, Bearer b"] {
            bearer(&[("authorization", value)], Err(Reason::AuthorizationHeader));
        }
        bearer(&[("authorization", "Bearer \u{e9}")], Err(Reason::AuthorizationHeader));
        bearer(&[("authorization", "Basic \u{e9}")], Err(Reason::AuthorizationHeader));
        bearer(&[("authorization", "Bearer a\tb")], Err(Reason::AuthorizationHeader));
        let longest = "a".repeat(MAX_TOKEN_BYTES);
        bearer(&[("authorization", &format!("Bearer {longest}"))], Ok(Some(&longest)));
        bearer(&[("authorization", &format!("Bearer {longest}a"))], Err(Reason::Oversized));
        bearer(&[("authorization", &format!("Negotiate {longest}a"))], Ok(None));
        bearer(
            &[("authorization", "Bearer a"), ("authorization", "Bearer a")],
            Err(Reason::SeveralCredentials),
        );
        bearer(
            &[("authorization", "Bearer a"), ("authorization", "Basic b")],
            Err(Reason::SeveralCredentials),
        );
    }

    #[test]
    fn a_socket_may_carry_its_bearer_as_a_subprotocol() {
        let protocol = |token: &str| format!("{BEARER_PROTOCOL}{}", URL_SAFE_NO_PAD.encode(token));
        let name = "sec-websocket-protocol";
        bearer(&[(name, "room.v1")], Ok(None));
        bearer(&[(name, &format!("room.v1, {}", protocol("a.b.c")))], Ok(Some("a.b.c")));
        bearer(&[(name, "room.v1"), (name, &protocol("a.b.c"))], Ok(Some("a.b.c")));
        bearer(
            &[(name, &format!("{}, {}", protocol("a"), protocol("a")))],
            Err(Reason::SeveralCredentials),
        );
        bearer(
            &[(name, &protocol("a")), ("authorization", "Bearer a")],
            Err(Reason::SeveralCredentials),
        );
        bearer(&[(name, &format!("{BEARER_PROTOCOL}YQ=="))], Err(Reason::Encoding));
        bearer(&[(name, &format!("{BEARER_PROTOCOL}_w"))], Err(Reason::Encoding));
        let longest = "a".repeat(8192);
        bearer(&[(name, &protocol(&longest))], Ok(Some(&longest)));
        bearer(&[(name, &protocol(&"a".repeat(8193)))], Err(Reason::Oversized));
    }

    #[test]
    fn a_token_in_the_query_is_a_fault() {
        for target in [
            "/?token=a",
            "/?a=b&access_token=c",
            "/?jwt",
            "/?id_token=",
            "/?%74oken=a",
            "/?TOKEN=a",
            "/?t%6Fk%65n=a",
        ] {
            let found = find(&[], target, QueryToken::Refused);
            assert_eq!(found, Err(Reason::QueryToken), "{target}");
        }
        for target in ["/", "/?", "/?tokens=a", "/?a=token", "/token?x=%", "/?%7", "/?%zz=1"] {
            assert!(find(&[], target, QueryToken::Refused).is_ok(), "{target}");
        }
    }

    #[test]
    fn a_token_in_the_query_is_taken_from_old_clients_only() {
        let [found, ..] = find(&[], "/ws?x=y&token=a.b.c", QueryToken::Legacy).unwrap();
        assert_eq!(found.as_deref(), Some("a.b.c"));
        for target in ["/?access_token=a", "/?jwt=a"] {
            assert_eq!(find(&[], target, QueryToken::Legacy), Err(Reason::QueryToken));
        }
        assert_eq!(
            find(&[], "/?token=a&token=a", QueryToken::Legacy),
            Err(Reason::SeveralCredentials)
        );
        assert_eq!(
            find(&[("authorization", "Bearer a")], "/?token=a", QueryToken::Legacy),
            Err(Reason::SeveralCredentials)
        );
    }

    #[test]
    fn an_assertion_stands_beside_a_bearer_but_once() {
        let lines = [
            ("authorization", "Bearer a"),
            ("cf-access-jwt-assertion", "x.y.z"),
            ("cf-access-authenticated-user-email", "ada@example.com"),
        ];
        let found = find(&lines, "/", QueryToken::Refused).unwrap();
        let found = found.each_ref().map(Option::as_deref);
        assert_eq!(found, [Some("a"), Some("x.y.z"), Some("ada@example.com")]);
        for name in ["cf-access-jwt-assertion", "cf-access-authenticated-user-email"] {
            let twice = find(&[(name, "a"), (name, "a")], "/", QueryToken::Refused);
            assert_eq!(twice, Err(Reason::SeveralCredentials));
        }
    }
}
