//! Key sets and the clock: what every token is checked with.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use room_auth::jwks::{Fetched, HttpFetch, HttpFetchOptions, KeySet, Looked};

use super::{Finding, KeysSeen, Seen};
use crate::config::Config;

/// What tokens are forgiven (AUTH: leeway).
const LEEWAY: Duration = Duration::from_secs(30);

/// What is worth a word: clocks that are kept right are closer, and `Date` has whole seconds.
const OFF: Duration = Duration::from_secs(5);

pub(super) async fn look(config: &Config, seen: Option<&Seen>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut dates = Vec::new();
    let issuers = config.cloud.iter().flat_map(|cloud| &cloud.issuers);
    for issuer in issuers {
        let loopback = config.cloud.as_ref().is_some_and(|cloud| cloud.loopback_jwks);
        let (answer, date) = ask(&issuer.jwks_url, loopback).await;
        dates.extend(date);
        let held = seen.and_then(|seen| seen.keys.iter().find(|keys| keys.issuer == issuer.issuer));
        found.push(keys(&issuer.issuer, &issuer.jwks_url, answer, held));
    }
    if dates.is_empty()
        && let Some(url) = &config.control_plane_url
    {
        let (_, date) = ask(url, true).await;
        dates.extend(date);
    }
    found.push(clock(dates.first().copied(), seen));
    found
}

/// The keys at an address, and by how much our clock is ahead of its.
async fn ask(url: &str, loopback: bool) -> (Result<usize, String>, Option<i64>) {
    let options = HttpFetchOptions::default();
    let options = if loopback { options.allow_loopback_http() } else { options };
    let fetch = match HttpFetch::new(url, &options) {
        Ok(fetch) => fetch,
        Err(error) => return (Err(error.to_string()), None),
    };
    let Looked { answer, date } = fetch.look().await;
    let now = Timestamp::now();
    let date = date.and_then(|date| DateTimeParser::new().parse_timestamp(&date).ok());
    let keys = match answer {
        Ok(Fetched::Document { body, .. }) => {
            KeySet::parse(&body).map(|parsed| parsed.keys.len()).map_err(|error| error.to_string())
        }
        Ok(Fetched::NotModified { .. }) => Err("endpoint answered 304 to a first request".into()),
        Err(error) => Err(error.to_string()),
    };
    (keys, date.map(|there| now.as_second() - there.as_second()))
}

fn keys(
    issuer: &str,
    url: &str,
    answer: Result<usize, String>,
    held: Option<&KeysSeen>,
) -> Finding {
    let name = format!("keys of {issuer}");
    let held = match held {
        None => String::new(),
        Some(KeysSeen { state, age_seconds, .. }) => {
            let age = age_seconds.map(|age| format!(", confirmed {age} s ago"));
            format!("; the server's are {state}{}", age.unwrap_or_default())
        }
    };
    match answer {
        Ok(count) if held.contains("stale") || held.contains("none") => Finding::fail(
            name,
            format!("{count} at {url}{held}"),
            "the server cannot reach them though this program can: look at its network",
        ),
        Ok(count) => Finding::ok(name, format!("{count} at {url}{held}")),
        Err(error) => Finding::fail(
            name,
            format!("{url}: {error}{held}"),
            "look at the address (ROOM_JWKS_URL) and at the network; no new keys are learned",
        ),
    }
}

/// `ahead`: by how many seconds our clock is ahead of another machine's.
fn clock(ahead: Option<i64>, seen: Option<&Seen>) -> Finding {
    let advice = "set it right (NTP); tokens are refused that are from the future or the past";
    if let Some(ahead) = ahead {
        let off = Duration::from_secs(ahead.unsigned_abs());
        let direction = if ahead < 0 { "behind" } else { "ahead" };
        let what = format!("{} s {direction} of the key endpoint's", off.as_secs());
        if off > LEEWAY {
            return Finding::fail("clock", what, advice);
        }
        if off > OFF {
            return Finding::warn("clock", what, advice);
        }
    }
    let step = seen.map_or(0, |seen| seen.step_ms);
    if step.unsigned_abs() > OFF.as_millis().try_into().unwrap_or(u64::MAX) {
        let what = format!("it was set by {} s while the server ran", step / 1000);
        return Finding::warn("clock", what, "keep it right (NTP)");
    }
    Finding::ok(
        "clock",
        match ahead {
            Some(ahead) => {
                format!("within {} s of the key endpoint's", ahead.unsigned_abs().max(1))
            }
            None => "nothing here to compare it with".to_owned(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_clock_that_is_off_or_was_set_is_told() {
        let seen = |step_ms| Seen {
            version: String::new(),
            build: String::new(),
            address: String::new(),
            step_ms,
            files: (1, 1000),
            keys: Vec::new(),
            programs: Vec::new(),
        };
        for (ahead, step, level) in [
            (Some(0), 0, Level::Ok),
            (Some(-5), 0, Level::Ok),
            (Some(6), 0, Level::Warn),
            (Some(31), 0, Level::Fail),
            (Some(-120), 0, Level::Fail),
            (None, 4_000, Level::Ok),
            (None, -90_000, Level::Warn),
            (Some(1), 90_000, Level::Warn),
        ] {
            let found = clock(ahead, Some(&seen(step)));
            assert_eq!(found.level, level, "{ahead:?} {step}: {found}");
        }
    }
}
