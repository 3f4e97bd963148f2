//! The local handshake: a one-time code in the address the server opens, traded for a bearer.
//!
//! What the request must look like besides is asked here too ([`check_request`]); who is at the
//! other end of the connection is the host program's to find out.

use std::time::{Duration, Instant};

use http::{HeaderMap, Uri};

use crate::onetime::{OneTime, Refused};
use crate::site::{FetchSite, HostFault, OriginFault, Site, forwarding_header};
use crate::token::Token;

/// How long a launch code works: long enough to find the browser, short enough for a shell history.
pub const CODE_LIFE: Duration = Duration::from_mins(5);

/// How many codes are remembered, spent ones included; nobody needs more links at a time.
const CODES: usize = 32;

/// The header that only a script of our own origin can send without asking first (a CORS
/// preflight, which is never granted).
pub const MARK_HEADER: &str = "x-room-handshake";

/// The codes that are out.
#[derive(Debug)]
pub struct LaunchCodes(OneTime<()>);

impl Default for LaunchCodes {
    fn default() -> Self {
        Self(OneTime::new(CODE_LIFE, CODES))
    }
}

impl LaunchCodes {
    /// Makes a code; the oldest is forgotten if too many are out.
    pub fn issue(&mut self, now: Instant) -> Token {
        self.0.issue((), now)
    }

    /// Takes a code; it never works again.
    ///
    /// # Errors
    /// Says whether it was unknown, used or too old.
    pub fn redeem(&mut self, code: &str, now: Instant) -> Result<(), Refused> {
        self.0.redeem(code, now)
    }
}

/// Why a handshake request is not one of our own page's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// The Host is not ours.
    #[error("wrong host")]
    Host(#[source] HostFault),
    /// The Origin is not that of the page this Host serves.
    #[error("wrong origin")]
    Origin(#[source] OriginFault),
    /// The browser says, or does not say, that the request comes from our own page.
    #[error("not sent by a page of this server")]
    FetchSite,
    /// A proxy stands in between, so the peer's address says nothing.
    #[error("sent through a proxy")]
    Forwarded,
    /// The mark is missing.
    #[error("without the {MARK_HEADER} header")]
    Mark,
}

/// Asks whether a handshake request was sent by the page this very server served.
///
/// The Origin must be that of the Host asked, or absent while the browser vouches for the page by
/// `Sec-Fetch-Site` (Fetch Metadata); `same-origin` or `none` is demanded in any case.
///
/// # Errors
/// Names the first rule that is broken.
pub fn check_request(site: &Site, headers: &HeaderMap, target: &Uri) -> Result<(), RequestFault> {
    let host = site.check_host(headers, target).map_err(RequestFault::Host)?;
    match site.check_origin(headers).map_err(RequestFault::Origin)? {
        Some(origin) if origin != host.origin() => {
            return Err(RequestFault::Origin(OriginFault::Foreign));
        }
        Some(_) | None => {}
    }
    match FetchSite::of(headers) {
        FetchSite::SameOrigin | FetchSite::None => {}
        FetchSite::Absent | FetchSite::SameSite | FetchSite::CrossSite | FetchSite::Unknown => {
            return Err(RequestFault::FetchSite);
        }
    }
    if forwarding_header(headers).is_some() {
        return Err(RequestFault::Forwarded);
    }
    let mut marks = headers.get_all(MARK_HEADER).iter();
    match (marks.next(), marks.next()) {
        (Some(mark), None) if mark == "1" => Ok(()),
        _ => Err(RequestFault::Mark),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("host", "localhost:3700"),
        ("origin", "http://localhost:3700"),
        ("sec-fetch-site", "same-origin"),
        ("x-room-handshake", "1"),
    ];

    fn headers(rows: &[(&str, &str)]) -> HeaderMap {
        rows.iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    /// The good request with one header set to something else, or left out.
    #[track_caller]
    fn check(name: &str, value: Option<&str>, expected: Result<(), RequestFault>) {
        let mut rows: Vec<_> = GOOD.iter().copied().filter(|(other, _)| *other != name).collect();
        rows.extend(value.map(|value| (name, value)));
        let asked =
            check_request(&Site::loopback(3700), &headers(&rows), &Uri::from_static("/api"));
        assert_eq!(asked, expected, "{name}: {value:?}");
    }

    #[test]
    fn only_our_own_page_may_ask() {
        use RequestFault::{FetchSite, Forwarded, Host, Mark, Origin};
        check("accept", Some("*/*"), Ok(()));
        check("origin", None, Ok(()));
        check("sec-fetch-site", Some("none"), Ok(()));
        check("host", None, Err(Host(HostFault::Missing)));
        check("host", Some("evil.example:3700"), Err(Host(HostFault::Foreign)));
        check("origin", Some("null"), Err(Origin(OriginFault::Null)));
        check("origin", Some("http://localhost:3000"), Err(Origin(OriginFault::Foreign)));
        check("origin", Some("http://127.0.0.1:3700"), Err(Origin(OriginFault::Foreign)));
        for site in [None, Some("same-site"), Some("cross-site"), Some(""), Some("Same-Origin")] {
            check("sec-fetch-site", site, Err(FetchSite));
        }
        for proxy in ["forwarded", "x-forwarded-for", "cf-connecting-ip", "fly-client-ip", "via"] {
            check(proxy, Some("203.0.113.9"), Err(Forwarded));
        }
        for mark in [None, Some(""), Some("0"), Some("true"), Some("11")] {
            check("x-room-handshake", mark, Err(Mark));
        }
    }

    #[test]
    fn a_code_works_once_and_for_five_minutes() {
        let now = Instant::now();
        let mut codes = LaunchCodes::default();
        let (first, second) = (codes.issue(now), codes.issue(now));
        assert_eq!(codes.redeem(first.expose(), now), Ok(()));
        assert_eq!(codes.redeem(first.expose(), now), Err(Refused::Used));
        assert_eq!(codes.redeem(second.expose(), now + CODE_LIFE), Err(Refused::Expired));
        assert_eq!(codes.redeem("", now), Err(Refused::Unknown));
    }
}
