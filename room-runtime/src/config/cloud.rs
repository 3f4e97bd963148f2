//! The settings of cloud mode: where the Room is reached, and who says who its people are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use room_auth::client_address::ClientAddress;
use room_auth::cloudflare::CloudflareAccess;
use room_auth::issuers::{DEFAULT_AUDIENCE, LEGACY_ISSUER};
use room_auth::{Algorithm, Role, Site};
use secrecy::SecretString;
use serde::Deserialize;

use super::settings::Reader;
use super::{Bind, value};

/// What only a hosted Room is told.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// The origin the world reaches it at (`ROOM_PUBLIC_URL`), as a browser writes it.
    pub public_url: String,
    /// Further origins whose pages may ask it (`ROOM_ALLOWED_ORIGINS`).
    pub allowed_origins: Vec<String>,
    /// How a control plane knows this Room (`ROOM_INSTANCE_ID`); the public host without one.
    pub instance_id: String,
    /// Who may say who someone is (`ROOM_JWT_*`, and `[[issuer]]` in `room.toml`).
    pub issuers: Vec<Issuer>,
    /// Whether key endpoints on this machine's loopback may speak plain http
    /// (`ROOM_ALLOW_LOOPBACK_JWKS`).
    pub loopback_jwks: bool,
    /// The secret of the legacy issuer and the one before it (`ROOM_JWT_SECRET`).
    pub legacy_secrets: Vec<SecretString>,
    /// Whether the legacy issuer may stand beside others (`ROOM_ALLOW_LEGACY_HMAC`).
    pub legacy_beside_keys: bool,
    /// Whether old clients may send their token in the query (`ROOM_ALLOW_QUERY_TOKEN`).
    pub query_token: bool,
    /// Cloudflare Access in front (`ROOM_CF_ACCESS_*`, `[cloudflare_people]` in `room.toml`).
    pub cloudflare: Option<Cloudflare>,
    /// Where a client's address is taken from (`ROOM_CLIENT_IP`).
    pub client_ip: ClientAddress,
    /// How long a page that nobody looks at keeps its socket (`ROOM_IDLE_CLOSE`).
    pub idle_close: Duration,
    /// After how long without anyone it ends by itself (`ROOM_IDLE_EXIT`), for a platform that
    /// starts it when it is wanted again.
    pub idle_exit: Option<Duration>,
    /// Whether the server may run as root (`ROOM_ALLOW_ROOT`).
    pub allow_root: bool,
    /// Whether people come in by `room pair` (`ROOM_STANDALONE`), beside an issuer too.
    pub standalone: bool,
}

/// One issuer with public keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Its `iss`, compared byte for byte.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_url: String,
    /// The audience its tokens must name.
    #[serde(default = "default_audience")]
    pub audience: String,
    /// The algorithms it may use; all we know if none is named.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// Whether it may speak as a service.
    #[serde(default)]
    pub service: bool,
    /// The audience of its logout tokens, where that is another one.
    #[serde(default)]
    pub logout_audience: Option<String>,
}

impl Issuer {
    /// The algorithms it may use.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let known = |name: &String| algorithm(name);
        self.algorithms.iter().filter_map(known).collect()
    }
}

/// Cloudflare Access in front of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloudflare {
    /// The team's name, the first label of its address.
    pub team: String,
    /// The application's audience tag.
    pub audience: String,
    /// Who gets in, by e-mail address.
    pub people: BTreeMap<String, Role>,
}

fn default_audience() -> String {
    DEFAULT_AUDIENCE.to_owned()
}

fn algorithm(name: &str) -> Option<Algorithm> {
    Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
}

impl Cloud {
    /// Reads them; what is wrong is noted in `read`.
    pub(super) fn read(
        read: &mut Reader<'_>,
        bind: &Bind,
        failures_limited: bool,
        on_fly: bool,
    ) -> Self {
        let is_loopback = matches!(bind, Bind::Both)
            || matches!(bind, Bind::Only(address) if address.is_loopback());
        if !failures_limited && !is_loopback {
            read.fault(
                "ROOM_AUTH_FAILURES_PER_MINUTE",
                "`off` is for a loopback bind; the internet guesses without a pause",
            );
        }
        let public_url = read.value("ROOM_PUBLIC_URL", "", public_origin(is_loopback));
        let loopback_jwks = read.flag("ROOM_ALLOW_LOOPBACK_JWKS");
        let standalone = read.flag("ROOM_STANDALONE");
        let issuers = issuers(read, loopback_jwks);
        let legacy_secrets = read.optional("ROOM_JWT_SECRET", value::secrets).unwrap_or_default();
        let legacy_beside_keys = read.flag("ROOM_ALLOW_LEGACY_HMAC");
        if !legacy_secrets.is_empty() && !issuers.is_empty() && !legacy_beside_keys {
            read.fault(
                "ROOM_JWT_SECRET",
                "stands beside an issuer with public keys; remove it, or set \
                 ROOM_ALLOW_LEGACY_HMAC=1 for the time of the move",
            );
        }
        if issuers.iter().any(|one| one.issuer == LEGACY_ISSUER) {
            read.fault("ROOM_JWT_ISSUER", format!("{LEGACY_ISSUER} is the legacy issuer's name"));
        }
        let query_token = read.flag("ROOM_ALLOW_QUERY_TOKEN");
        if query_token && legacy_secrets.is_empty() {
            read.fault(
                "ROOM_ALLOW_QUERY_TOKEN",
                "is for the legacy issuer alone; set ROOM_JWT_SECRET or remove it",
            );
        }
        let cloudflare = cloudflare(read);
        let has_issuer = !issuers.is_empty() || !legacy_secrets.is_empty() || cloudflare.is_some();
        // Half an issuer has its own fault.
        let half = read.is_set("ROOM_JWT_ISSUER") || read.is_set("ROOM_JWKS_URL");
        if !has_issuer && !half && !standalone {
            read.fault(
                "ROOM_MODE",
                "`cloud` with nobody to let people in; set ROOM_JWT_ISSUER and ROOM_JWKS_URL, or \
                 ROOM_STANDALONE=1 to let them in with `room pair`",
            );
        }
        let instance_id = read.optional("ROOM_INSTANCE_ID", value::text);
        if has_issuer && instance_id.is_none() {
            read.fault("ROOM_INSTANCE_ID", "is required with an issuer; its tokens name it");
        }
        let client_ip = read.optional("ROOM_CLIENT_IP", client_ip);
        if client_ip.is_none() && !read.is_set("ROOM_CLIENT_IP") {
            read.fault(
                "ROOM_CLIENT_IP",
                "is required: write direct, fly, cloudflare or proxies:N, whichever stands in front",
            );
        }
        if client_ip == Some(ClientAddress::Fly) && !on_fly && !is_loopback {
            read.fault(
                "ROOM_CLIENT_IP",
                "`fly` outside Fly would believe a header that anyone can write",
            );
        }
        let host = public_url.split_once("://").map_or("", |(_, host)| host).to_owned();
        Self {
            allowed_origins: read
                .optional("ROOM_ALLOWED_ORIGINS", value::origins)
                .unwrap_or_default(),
            instance_id: instance_id.unwrap_or(host),
            public_url,
            issuers,
            loopback_jwks,
            legacy_secrets,
            legacy_beside_keys,
            query_token,
            cloudflare,
            client_ip: client_ip.unwrap_or(ClientAddress::Direct),
            idle_close: read.value("ROOM_IDLE_CLOSE", "10", value::minutes(1, 24 * 60)),
            idle_exit: read.value("ROOM_IDLE_EXIT", "off", value::minutes_or_off(5, 24 * 60)),
            allow_root: read.flag("ROOM_ALLOW_ROOT"),
            standalone,
        }
    }

    /// The Hosts and Origins that are ours.
    pub fn site(&self) -> Option<Site> {
        Site::public(&self.public_url, self.allowed_origins.iter().cloned())
    }

    /// Whether browsers reach it by https.
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// The issuer of the `ROOM_JWT_*` settings and those of `room.toml`.
fn issuers(read: &mut Reader<'_>, loopback_jwks: bool) -> Vec<Issuer> {
    let issuer = read.optional("ROOM_JWT_ISSUER", value::text);
    let jwks_url = read.optional("ROOM_JWKS_URL", value::text);
    let audience = read.value("ROOM_JWT_AUDIENCE", DEFAULT_AUDIENCE, value::text);
    let algorithms = read.optional("ROOM_JWT_ALGORITHMS", algorithms).unwrap_or_default();
    let service = read.flag("ROOM_JWT_SERVICE");
    let mut all: Vec<Issuer> = read.table("issuer").unwrap_or_default();
    match (issuer, jwks_url) {
        (Some(issuer), Some(jwks_url)) => {
            let logout_audience = None;
            let one = Issuer { issuer, jwks_url, audience, algorithms, service, logout_audience };
            all.insert(0, one);
        }
        (Some(_), None) => read.fault("ROOM_JWKS_URL", "is required with ROOM_JWT_ISSUER"),
        (None, Some(_)) => read.fault("ROOM_JWT_ISSUER", "is required with ROOM_JWKS_URL"),
        (None, None) => {}
    }
    for one in &all {
        if let Err(text) = check_key_url(&one.jwks_url, loopback_jwks) {
            read.fault("ROOM_JWKS_URL", text);
        }
        if let Some(unknown) = one.algorithms.iter().find(|name| algorithm(name).is_none()) {
            read.fault("ROOM_JWT_ALGORITHMS", format!("{unknown:?}: {ALGORITHMS}"));
        }
        if one.issuer.is_empty() || one.audience.is_empty() {
            read.fault("ROOM_JWT_ISSUER", "an issuer has a name and an audience");
        }
    }
    let mut names: Vec<_> = all.iter().map(|one| one.issuer.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        read.fault("ROOM_JWT_ISSUER", "the same issuer stands there twice");
    }
    all
}

fn cloudflare(read: &mut Reader<'_>) -> Option<Cloudflare> {
    let team = read.optional("ROOM_CF_ACCESS_TEAM", value::text);
    let audience = read.optional("ROOM_CF_ACCESS_AUD", value::text);
    let people: BTreeMap<String, String> = read.table("cloudflare_people").unwrap_or_default();
    let (team, audience) = match (team, audience) {
        (Some(team), Some(audience)) => (team, audience),
        (None, None) => return None,
        (Some(_), None) => {
            read.fault("ROOM_CF_ACCESS_AUD", "is required with ROOM_CF_ACCESS_TEAM");
            return None;
        }
        (None, Some(_)) => {
            read.fault("ROOM_CF_ACCESS_TEAM", "is required with ROOM_CF_ACCESS_AUD");
            return None;
        }
    };
    let mut known = BTreeMap::new();
    for (email, name) in people {
        match Role::parse(&name) {
            Some(role) => _ = known.insert(email, role),
            None => read.fault(
                "ROOM_CF_ACCESS_TEAM",
                format!("{name:?} is no role; write owner, admin, member or viewer"),
            ),
        }
    }
    if known.is_empty() {
        read.fault(
            "ROOM_CF_ACCESS_TEAM",
            "lets nobody in; list people under [cloudflare_people] in room.toml, as \
             \"ada@example.com\" = \"owner\"",
        );
    }
    if check_key_url(&CloudflareAccess::certs_url(&team), false).is_err() {
        read.fault("ROOM_CF_ACCESS_TEAM", "is no team name; write the first label of its address");
    }
    Some(Cloudflare { team, audience, people: known })
}

const ALGORITHMS: &str = "write RS256, ES256 and EdDSA, one or more, with commas between";

fn algorithms(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| algorithm(name).is_none()) {
        Some(unknown) => Err(format!("{unknown:?} is none; {ALGORITHMS}")),
        None => Ok(names),
    }
}

fn client_ip(text: &str) -> Result<ClientAddress, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is none; write direct, fly, cloudflare or proxies:N (1 to 255)")
    })
}

/// Where keys are fetched from: https, or the demo's and the tests' own machine.
fn check_key_url(text: &str, loopback_http: bool) -> Result<(), String> {
    let url = url::Url::parse(text).map_err(|_| format!("{text:?} is not an address"))?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" if plain => Ok(()),
        "http" if plain && is_loopback && loopback_http => Ok(()),
        "http" if is_loopback => {
            Err(format!("{text:?} is not https; on this machine set ROOM_ALLOW_LOOPBACK_JWKS=1"))
        }
        _ => Err(format!("{text:?} is not a plain https address")),
    }
}

fn public_origin(is_loopback: bool) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        if text.is_empty() {
            return Err("is required: the address people reach this Room at".into());
        }
        let url = value::origin_of(text)?;
        match url.scheme() {
            "https" => Ok(url.origin().ascii_serialization()),
            "http" if is_loopback => Ok(url.origin().ascii_serialization()),
            _ => Err(format!("{text:?} is not https; http is for a loopback ROOM_BIND alone")),
        }
    }
}

/// The address a hosted Room listens on: one, and not all of IPv6.
pub(super) fn bind(text: &str) -> Result<Bind, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) if address.is_unspecified() => Err(
            "`::` would also serve a private network around the proxy; write 0.0.0.0 or one address"
                .into(),
        ),
        Ok(address) => Ok(Bind::Only(address)),
        Err(_) => Err(format!("{text:?} is not one address; write 0.0.0.0 or 127.0.0.1")),
    }
}

#[cfg(test)]
mod tests;
