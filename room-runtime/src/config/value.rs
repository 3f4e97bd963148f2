//! How the text of one setting is read. Each says what is wrong and what to write instead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::{Bind, LogFormat, LogLevel};

/// The shortest secret, in bytes.
const SECRET_BYTES: usize = 32;

/// One of a few words.
pub(super) fn word(words: &'static [&'static str]) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        if words.contains(&text) {
            return Ok(text.to_owned());
        }
        let listed: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        Err(format!("{} is not one; write {}", quoted(text), listed.join(" or ")))
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = if plain { text.parse().ok() } else { None };
    port.ok_or_else(|| format!("{} is no port; write 0 to 65535, 0 picks a free one", quoted(text)))
}

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// `127.0.0.1`, `::1`, both, or `localhost` for both.
pub(super) fn loopback(text: &str) -> Result<Bind, String> {
    let mut addresses = Vec::new();
    for part in text.split(',').map(str::trim) {
        let bare = part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(part);
        match (bare, bare.parse::<IpAddr>()) {
            ("localhost", _) => addresses.extend(LOOPBACK),
            (_, Ok(address)) if LOOPBACK.contains(&address) => addresses.push(address),
            _ => {
                return Err(format!(
                    "{} is not a loopback address, and local mode serves this computer alone; \
                     write 127.0.0.1, ::1 or both",
                    quoted(part)
                ));
            }
        }
    }
    addresses.sort();
    addresses.dedup();
    match addresses.as_slice() {
        [one] => Ok(Bind::Only(*one)),
        _ => Ok(Bind::Both),
    }
}

/// Two secrets while they are rolled, the new one first.
pub(super) fn secrets(text: &str) -> Result<Vec<SecretString>, String> {
    let all: Vec<_> = text.split(',').map(|one| SecretString::from(one.trim())).collect();
    if all.len() > 2 {
        return Err("holds more than two secrets; write the new one, a comma, the old one".into());
    }
    if all.iter().any(|secret| secret.expose_secret().len() < SECRET_BYTES) {
        return Err(format!(
            "is too short; write at least {SECRET_BYTES} random bytes, of this instance alone"
        ));
    }
    Ok(all)
}

/// A key of a provider, in one of its shapes. What was written is never repeated.
pub(super) fn provider_key(id: &'static str) -> impl Fn(&str) -> Result<SecretString, String> {
    move |text| {
        let row = provider_sessions::provider::built_in().iter().find(|row| row.id == id);
        let kinds = row.map(|row| row.keys.as_slice()).unwrap_or_default();
        if kinds.iter().any(|kind| kind.pattern.is_match(text.trim())) {
            return Ok(text.trim().into());
        }
        let formats: Vec<_> = kinds.iter().map(|kind| kind.format.as_str()).collect();
        Err(format!("is no key of {id}; one looks like {}", formats.join(" or ")))
    }
}

pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("not set, and neither is HOME; write an absolute path".into());
    }
    let path = Path::new(text);
    if path.is_absolute() && !text.contains('\0') {
        Ok(path.components().collect())
    } else {
        Err(format!("{} is not an absolute path", quoted(text)))
    }
}

pub(super) fn milliseconds(least: u64, most: u64) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| number(text, least, most).map(Duration::from_millis)
}

pub(super) fn minutes(least: u64, most: u64) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| {
        let bare = text.strip_suffix("min").or_else(|| text.strip_suffix('m')).unwrap_or(text);
        let minutes = number(bare.trim(), least, most);
        minutes.map(Duration::from_mins).map_err(|fault| format!("{fault}, in minutes"))
    }
}

pub(super) fn minutes_or_off(
    least: u64,
    most: u64,
) -> impl Fn(&str) -> Result<Option<Duration>, String> {
    move |text| match text {
        "off" => Ok(None),
        _ => minutes(least, most)(text).map(Some).map_err(|fault| format!("{fault}, or `off`")),
    }
}

pub(super) fn count(least: u64, most: u64) -> impl Fn(&str) -> Result<usize, String> {
    move |text| number(text, least, most).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
}

pub(super) fn count_or_off(least: u64, most: u64) -> impl Fn(&str) -> Result<Option<u32>, String> {
    move |text| match text {
        "off" => Ok(None),
        _ => number(text, least, most)
            .map(|n| u32::try_from(n).ok())
            .map_err(|fault| format!("{fault}, or `off`")),
    }
}

fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let parsed = text.parse().ok().filter(|n| (least..=most).contains(n));
    parsed.ok_or_else(|| format!("{} must be a number from {least} to {most}", quoted(text)))
}

/// A line a person wrote, to be shown to people.
pub(super) fn text(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        Err("has control characters in it; write one plain line".into())
    } else if text.chars().count() > 200 {
        Err("is too long; write at most 200 characters".into())
    } else {
        Ok(text.to_owned())
    }
}

/// The address of a page people are sent to: https, or a demo on this machine.
pub(super) fn page_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).ok();
    let url = url.filter(|url| {
        let on_this_machine = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        url.scheme() == "https" || (url.scheme() == "http" && on_this_machine)
    });
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    url.map(|url| url.as_str().trim_end_matches('/').to_owned())
        .ok_or_else(|| format!("{} is not an https address", quoted(text)))
}

/// An origin as a browser writes it: scheme, host and port, nothing else.
pub(super) fn origin_of(text: &str) -> Result<url::Url, String> {
    let url = url::Url::parse(text).map_err(|_| format!("{text:?} is not an address"))?;
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let plain = url.username().is_empty() && url.password().is_none();
    let host = url.host_str().unwrap_or("");
    if !bare || !plain || host.is_empty() || host.contains('*') {
        return Err(format!("{text:?}: write scheme and host alone, as https://room.example"));
    }
    Ok(url)
}

/// Origins of pages elsewhere: https, with commas between.
pub(super) fn origins(text: &str) -> Result<Vec<String>, String> {
    let all = text.split(',').map(str::trim).filter(|one| !one.is_empty());
    all.map(|one| {
        let url = origin_of(one)?;
        if url.scheme() != "https" {
            return Err(format!("{one:?} is not https"));
        }
        Ok(url.origin().ascii_serialization())
    })
    .collect()
}

pub(super) fn origins_or_none(text: &str) -> Result<Vec<String>, String> {
    if text == "none" { Ok(Vec::new()) } else { origins(text) }
}

/// The address of an npm registry: https, or http to this machine.
pub(super) fn registry(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|_| format!("{} is not an address", quoted(text)))?;
    let plain = url.username().is_empty() && url.password().is_none();
    if !plain || url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "{}: write the address alone, without a name or a password",
            url.origin().ascii_serialization()
        ));
    }
    let here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(format!("{} names no host", quoted(text))),
    };
    if url.scheme() == "https" || (url.scheme() == "http" && here) {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(format!("{} is not https", quoted(text)))
    }
}

pub(super) fn log_level(text: &str) -> Result<LogLevel, String> {
    Ok(match text {
        "off" => LogLevel::Off,
        "error" => LogLevel::Error,
        "warn" => LogLevel::Warn,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        "trace" => LogLevel::Trace,
        _ => {
            let words = "write off, error, warn, info, debug or trace";
            return Err(format!("{} is no level; {words}", quoted(text)));
        }
    })
}

pub(super) fn log_format(text: &str) -> Result<Option<LogFormat>, String> {
    match text {
        "auto" => Ok(None),
        "json" => Ok(Some(LogFormat::Json)),
        "pretty" => Ok(Some(LogFormat::Pretty)),
        _ => Err(format!("{} is no format; write json, pretty or auto", quoted(text))),
    }
}

/// A value in a message: short, and with nothing that a terminal would obey.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_https_or_on_this_machine() {
        for (text, expected) in [
            ("https://registry.npmjs.org", "https://registry.npmjs.org"),
            ("https://npm.example/api/npm/all/", "https://npm.example/api/npm/all"),
            ("http://127.0.0.1:4873/", "http://127.0.0.1:4873"),
            ("http://localhost:4873", "http://localhost:4873"),
            ("http://[::1]:4873", "http://[::1]:4873"),
        ] {
            assert_eq!(registry(text).as_deref(), Ok(expected));
        }
        for text in [
            "",
            "npm",
            "http://npm.example",
            "http://127.0.0.1.npm.example",
            "file:///srv/npm",
            "https://name:secret@npm.example",
            "https://npm.example/?a=b",
            "https://npm.example/#a",
        ] {
            let fault = registry(text).unwrap_err();
            assert!(!fault.contains("secret"), "{fault}");
        }
    }
}
