//! Which Host and which Origin are ours.
//!
//! A page that makes its name resolve to this machine (DNS rebinding) still sends its own name as
//! Host, and a page on another port its own Origin; both lists are exact, and what cannot be parsed
//! is refused. Host follows RFC 9110, section 7.2; Origin RFC 6454, section 7.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use http::uri::Uri;

/// The Hosts and Origins a server answers to.
#[derive(Clone, Debug)]
pub struct Site {
    hosts: Vec<Authority>,
    /// How a browser writes each, which is how nearly all requests have it.
    written: Vec<String>,
    /// Our own first, then those of others that are let in.
    origins: Vec<String>,
    own_origins: usize,
    /// The port a Host means that writes none.
    default_port: u16,
}

impl Site {
    /// A server on this machine's loopback addresses: `localhost`, `127.0.0.1` and `[::1]`.
    pub fn loopback(port: u16) -> Self {
        let names = [
            HostName::Name("localhost".into()),
            HostName::V4(Ipv4Addr::LOCALHOST),
            HostName::V6(Ipv6Addr::LOCALHOST),
        ];
        let hosts: Vec<_> = names.into_iter().map(|name| Authority { name, port }).collect();
        let origins: Vec<_> = hosts.iter().map(Authority::origin).collect();
        let written = hosts.iter().map(Authority::to_string).collect();
        Self { own_origins: origins.len(), hosts, written, origins, default_port: HTTP_PORT }
    }

    /// A server that the world reaches at one origin (`https://room.example`, as a browser writes
    /// it), and pages of other origins that may ask it. `None` if the origin is none.
    pub fn public(origin: &str, others: impl IntoIterator<Item = String>) -> Option<Self> {
        let (default_port, authority) = match origin.split_once("://")? {
            ("https", authority) => (HTTPS_PORT, authority),
            ("http", authority) => (HTTP_PORT, authority),
            _ => return None,
        };
        let host = Authority::parse_with(authority, default_port)?;
        let written = vec![host.written(default_port)];
        let origins = std::iter::once(origin.to_owned()).chain(others).collect();
        Some(Self { hosts: vec![host], written, origins, own_origins: 1, default_port })
    }

    /// Whether an Origin is our own, not only one that is let in.
    pub fn is_own_origin(&self, origin: &str) -> bool {
        self.origins.iter().take(self.own_origins).any(|own| own == origin)
    }

    /// Whether pages of other origins are let in at all.
    pub fn lets_others_ask(&self) -> bool {
        self.origins.len() > self.own_origins
    }

    /// The one Host of a request, if it is ours. An absolute-form target must agree with it.
    ///
    /// # Errors
    /// Says how it is wrong; callers answer 421 to all of them alike.
    pub fn check_host(&self, headers: &HeaderMap, target: &Uri) -> Result<&Authority, HostFault> {
        let mut values = headers.get_all(HOST).iter();
        let value = values.next().ok_or(HostFault::Missing)?;
        if values.next().is_some() {
            return Err(HostFault::Several);
        }
        if target.authority().is_none()
            && let Some(at) = self.written.iter().position(|host| value == host.as_str())
        {
            return Ok(&self.hosts[at]);
        }
        let asked =
            value.to_str().ok().and_then(|text| self.parse(text)).ok_or(HostFault::Malformed)?;
        if let Some(authority) = target.authority()
            && self.parse(authority.as_str()).as_ref() != Some(&asked)
        {
            return Err(HostFault::Disagrees);
        }
        // A proxy that ends TLS may write either scheme; without one in front there is only http.
        let is_public = self.default_port == HTTPS_PORT;
        if target
            .scheme_str()
            .is_some_and(|scheme| scheme != "http" && !(is_public && scheme == "https"))
        {
            return Err(HostFault::Disagrees);
        }
        self.hosts.iter().find(|host| **host == asked).ok_or(HostFault::Foreign)
    }

    /// The Origin of a request, if it has one: it must then be on the list, whatever the method.
    ///
    /// # Errors
    /// `null`, a foreign one, or more than one.
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<Option<&str>, OriginFault> {
        let mut values = headers.get_all(ORIGIN).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(OriginFault::Several);
        }
        if value == "null" {
            return Err(OriginFault::Null);
        }
        let ours = self.origins.iter().find(|origin| value == origin.as_str());
        ours.map(|origin| Some(origin.as_str())).ok_or(OriginFault::Foreign)
    }

    fn parse(&self, text: &str) -> Option<Authority> {
        Authority::parse_with(text, self.default_port)
    }
}

/// A host with its port, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    name: HostName,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostName {
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

/// The port that `http` means when none is written.
const HTTP_PORT: u16 = 80;

/// The port that `https` means when none is written.
const HTTPS_PORT: u16 = 443;

impl Authority {
    /// Reads `host[:port]`. No user, no trailing dot, no empty port, no zone; only the plain
    /// spelling of an IPv4 address is an address.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_with(text, HTTP_PORT)
    }

    fn parse_with(text: &str, default_port: u16) -> Option<Self> {
        let (name, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            (HostName::V6(address.parse().ok()?), rest)
        } else {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (HostName::parse(name)?, port)
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => parse_port(digits)?,
            None if port.is_empty() => default_port,
            None => return None,
        };
        Some(Self { name, port })
    }

    /// As a browser writes it in `Host`, where `default_port` goes without saying.
    fn written(&self, default_port: u16) -> String {
        let name = match &self.name {
            HostName::Name(name) => name.clone(),
            HostName::V4(address) => address.to_string(),
            HostName::V6(address) => format!("[{address}]"),
        };
        if self.port == default_port { name } else { format!("{name}:{}", self.port) }
    }

    /// The origin of a page served under this host over `http`, as browsers write it.
    pub fn origin(&self) -> String {
        format!("http://{self}")
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written(HTTP_PORT))
    }
}

impl HostName {
    fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        if text.is_empty() || text.len() > 253 || !text.bytes().all(plain) || text.ends_with('.') {
            return None;
        }
        Some(match text.parse() {
            Ok(address) => Self::V4(address),
            Err(_) => Self::Name(text.to_ascii_lowercase()),
        })
    }
}

/// Digits only: `u16::from_str` would take a plus sign.
fn parse_port(digits: &str) -> Option<u16> {
    let plain =
        !digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// How a Host is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostFault {
    /// None was sent.
    #[error("no host")]
    Missing,
    /// More than one was sent.
    #[error("several hosts")]
    Several,
    /// It is not a host.
    #[error("malformed host")]
    Malformed,
    /// The request line names another.
    #[error("host and target disagree")]
    Disagrees,
    /// It is not ours.
    #[error("foreign host")]
    Foreign,
}

/// How an Origin is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginFault {
    /// A sandboxed frame, a local file, a redirect: never ours.
    #[error("null origin")]
    Null,
    /// More than one was sent.
    #[error("several origins")]
    Several,
    /// It is not ours.
    #[error("foreign origin")]
    Foreign,
}

/// What the browser says about who made a request (`Sec-Fetch-Site`, W3C Fetch Metadata).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchSite {
    /// Not a browser, or one that does not say.
    Absent,
    /// A page of the very same origin.
    SameOrigin,
    /// A page of the same site; every port of `localhost` is the same site.
    SameSite,
    /// A page elsewhere.
    CrossSite,
    /// The person: address bar, bookmark.
    None,
    /// A word that is not in the standard, or several.
    Unknown,
}

impl FetchSite {
    /// Reads the header.
    pub fn of(headers: &HeaderMap) -> Self {
        static NAME: HeaderName = HeaderName::from_static("sec-fetch-site");
        let mut values = headers.get_all(&NAME).iter();
        let Some(value) = values.next() else { return Self::Absent };
        if values.next().is_some() {
            return Self::Unknown;
        }
        match value.as_bytes() {
            b"same-origin" => Self::SameOrigin,
            b"same-site" => Self::SameSite,
            b"cross-site" => Self::CrossSite,
            b"none" => Self::None,
            _ => Self::Unknown,
        }
    }
}

/// The name of a header that a proxy adds, if there is one.
pub fn forwarding_header(headers: &HeaderMap) -> Option<&str> {
    const WHOLE: &[&str] = &[
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-host",
        "x-original-url",
        "true-client-ip",
        "client-ip",
    ];
    const START: &[&str] = &["x-forwarded", "cf-", "fly-"];
    headers
        .keys()
        .map(HeaderName::as_str)
        .find(|name| WHOLE.contains(name) || START.iter().any(|start| name.starts_with(start)))
}

#[cfg(test)]
mod tests;
