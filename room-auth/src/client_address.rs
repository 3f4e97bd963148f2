//! Which address a request came from, as far as someone trustworthy says so.
//!
//! Anyone can write any forwarding header, so which one counts is configured, and each may occur
//! once. A request that did not come the configured way is taken by its socket's address.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::str::FromStr;

use http::{HeaderMap, HeaderName};

use crate::error::{AuthError, Detail, Reason};

static FLY: HeaderName = HeaderName::from_static("fly-client-ip");
static CLOUDFLARE: HeaderName = HeaderName::from_static("cf-connecting-ip");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where the address of a client is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAddress {
    /// From the socket: nothing stands in front.
    Direct,
    /// From `Fly-Client-IP`, which Fly's proxy writes over whatever the client sent.
    Fly,
    /// From `CF-Connecting-IP`, if the address in front of us is one of Cloudflare's.
    Cloudflare,
    /// From `X-Forwarded-For`, counted from the right: this many proxies of our own add to it.
    Proxies(NonZeroU8),
}

/// The text names no [`ClientAddress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected direct, fly, cloudflare or proxies:N with N from 1 to 255")]
pub struct UnknownClientAddress;

impl FromStr for ClientAddress {
    type Err = UnknownClientAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "direct" => Ok(Self::Direct),
            "fly" => Ok(Self::Fly),
            "cloudflare" => Ok(Self::Cloudflare),
            _ => {
                let count = text.strip_prefix("proxies:").and_then(|count| count.parse().ok());
                count.map(Self::Proxies).ok_or(UnknownClientAddress)
            }
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("direct"),
            Self::Fly => f.write_str("fly"),
            Self::Cloudflare => f.write_str("cloudflare"),
            Self::Proxies(count) => write!(f, "proxies:{count}"),
        }
    }
}

impl ClientAddress {
    /// The address of the client behind a request that came in over a socket from `peer`.
    ///
    /// # Errors
    /// The header that counts occurs twice or holds no address: 400. Proxies write neither.
    pub fn find(self, headers: &HeaderMap, peer: IpAddr) -> Result<IpAddr, AuthError> {
        let peer = peer.to_canonical();
        match self {
            Self::Direct => Ok(peer),
            Self::Fly => Ok(address(headers, &FLY)?.unwrap_or(peer)),
            Self::Cloudflare => {
                // On Fly, Cloudflare's address is not the socket's but the one Fly's proxy saw.
                let in_front =
                    if is_private(peer) { address(headers, &FLY)?.unwrap_or(peer) } else { peer };
                if is_cloudflare(in_front) {
                    Ok(address(headers, &CLOUDFLARE)?.unwrap_or(in_front))
                } else {
                    Ok(in_front)
                }
            }
            Self::Proxies(count) => {
                let Some(list) = single(headers, &FORWARDED_FOR)? else { return Ok(peer) };
                let entry = list.rsplit(',').nth(usize::from(count.get()) - 1);
                entry.map_or(Ok(peer), parse)
            }
        }
    }
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, AuthError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        _ => Err(malformed()),
    }
}

fn address(headers: &HeaderMap, name: &HeaderName) -> Result<Option<IpAddr>, AuthError> {
    single(headers, name)?.map(parse).transpose()
}

fn parse(text: &str) -> Result<IpAddr, AuthError> {
    let address: IpAddr = text.trim().parse().map_err(|_| malformed())?;
    Ok(address.to_canonical())
}

fn malformed() -> AuthError {
    AuthError::BadRequest(Detail::of(Reason::ClientAddress))
}

/// Addresses that only a proxy of our own network has.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

/// Cloudflare's addresses as published at <https://www.cloudflare.com/ips/>: network and prefix.
fn is_cloudflare(address: IpAddr) -> bool {
    const V4: [([u8; 4], u32); 15] = [
        ([173, 245, 48, 0], 20),
        ([103, 21, 244, 0], 22),
        ([103, 22, 200, 0], 22),
        ([103, 31, 4, 0], 22),
        ([141, 101, 64, 0], 18),
        ([108, 162, 192, 0], 18),
        ([190, 93, 240, 0], 20),
        ([188, 114, 96, 0], 20),
        ([197, 234, 240, 0], 22),
        ([198, 41, 128, 0], 17),
        ([162, 158, 0, 0], 15),
        ([104, 16, 0, 0], 13),
        ([104, 24, 0, 0], 14),
        ([172, 64, 0, 0], 13),
        ([131, 0, 72, 0], 22),
    ];
    const V6: [([u16; 2], u32); 7] = [
        ([0x2400, 0xcb00], 32),
        ([0x2606, 0x4700], 32),
        ([0x2803, 0xf800], 32),
        ([0x2405, 0xb500], 32),
        ([0x2405, 0x8100], 32),
        ([0x2a06, 0x98c0], 29),
        ([0x2c0f, 0xf248], 32),
    ];
    match address {
        IpAddr::V4(v4) => V4.iter().any(|(network, prefix)| {
            (u32::from(v4) ^ u32::from_be_bytes(*network)) >> (32 - prefix) == 0
        }),
        IpAddr::V6(v6) => V6.iter().any(|([high, low], prefix)| {
            let network = u128::from(*high) << 112 | u128::from(*low) << 96;
            (u128::from(v6) ^ network) >> (128 - prefix) == 0
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: &str, peer: &str, lines: &[(&'static str, &str)], expected: Option<&str>) {
        let kind: ClientAddress = kind.parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let found = kind.find(&headers, peer.parse().unwrap());
        let found = found.ok().map(|address| address.to_string());
        assert_eq!(found.as_deref(), expected, "{kind} {peer} {lines:?}");
    }

    const SPOOFED: [(&str, &str); 3] = [
        ("fly-client-ip", "198.51.100.1"),
        ("cf-connecting-ip", "198.51.100.2"),
        ("x-forwarded-for", "198.51.100.3"),
    ];

    #[test]
    fn names_are_read_and_written() {
        for name in ["direct", "fly", "cloudflare", "proxies:1", "proxies:255"] {
            assert_eq!(name.parse::<ClientAddress>().unwrap().to_string(), name);
        }
        for name in ["", "Direct", "proxies", "proxies:0", "proxies:256", "proxies:-1", "nginx"] {
            assert_eq!(name.parse::<ClientAddress>(), Err(UnknownClientAddress));
        }
    }

    #[test]
    fn a_header_that_nobody_trusts_means_nothing() {
        check("direct", "203.0.113.9", &SPOOFED, Some("203.0.113.9"));
        check("direct", "::ffff:203.0.113.9", &[], Some("203.0.113.9"));
    }

    #[test]
    fn fly_says_it_in_its_own_header() {
        check("fly", "172.16.0.1", &SPOOFED, Some("198.51.100.1"));
        check("fly", "172.16.0.1", &[], Some("172.16.0.1"));
        check("fly", "172.16.0.1", &[("fly-client-ip", "2001:db8::1")], Some("2001:db8::1"));
        let twice = [("fly-client-ip", "198.51.100.1"), ("fly-client-ip", "198.51.100.2")];
        check("fly", "172.16.0.1", &twice, None);
        for value in ["", "x", "198.51.100.1, 198.51.100.2", "198.51.100.1:80"] {
            check("fly", "172.16.0.1", &[("fly-client-ip", value)], None);
        }
    }

    #[test]
    fn cloudflare_is_believed_only_if_it_is_cloudflare() {
        for peer in ["104.16.0.1", "172.71.255.255", "131.0.75.255", "2606:4700::1", "2a06:98c7::1"]
        {
            check("cloudflare", peer, &SPOOFED, Some("198.51.100.2"));
            check("cloudflare", peer, &[], Some(peer));
        }
        for peer in ["203.0.113.9", "104.15.255.255", "104.28.0.0", "131.0.76.0", "2a06:98c8::1"] {
            check("cloudflare", peer, &SPOOFED, Some(peer));
        }
        // Behind Fly the socket is Fly's proxy, and its header says who is in front.
        let on_fly = [("fly-client-ip", "162.159.1.1"), ("cf-connecting-ip", "198.51.100.2")];
        check("cloudflare", "172.16.0.1", &on_fly, Some("198.51.100.2"));
        check("cloudflare", "fdaa::3", &on_fly, Some("198.51.100.2"));
        for private in ["10.0.0.1", "127.0.0.1", "169.254.0.9", "::1", "fe80::1", "fc00::1"] {
            check("cloudflare", private, &on_fly, Some("198.51.100.2"));
        }
        check("cloudflare", "172.16.0.1", &SPOOFED, Some("198.51.100.1"));
        check("cloudflare", "203.0.113.9", &on_fly, Some("203.0.113.9"));
        let twice = [("cf-connecting-ip", "198.51.100.1"), ("cf-connecting-ip", "198.51.100.2")];
        check("cloudflare", "104.16.0.1", &twice, None);
    }

    #[test]
    fn own_proxies_are_counted_from_the_right() {
        let list = |value: &'static str| [("x-forwarded-for", value)];
        let spoofed = list("10.0.0.1, 198.51.100.7, 192.0.2.1");
        check("proxies:1", "10.1.1.1", &spoofed, Some("192.0.2.1"));
        check("proxies:2", "10.1.1.1", &spoofed, Some("198.51.100.7"));
        check("proxies:3", "10.1.1.1", &spoofed, Some("10.0.0.1"));
        check("proxies:4", "10.1.1.1", &spoofed, Some("10.1.1.1"));
        check("proxies:1", "10.1.1.1", &[], Some("10.1.1.1"));
        check("proxies:1", "10.1.1.1", &list("unknown"), None);
        let two_lines = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-for", "192.0.2.1")];
        check("proxies:1", "10.1.1.1", &two_lines, None);
    }
}
