//! What secrets look like.

use std::sync::LazyLock;

use regex::Regex;

/// Where secrets of known shapes stand, as byte ranges of the text.
pub(super) fn known_shapes(text: &str) -> Vec<(usize, usize)> {
    static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            // Keys and tokens: sk-…, also half masked.
            r"(?:^|[^A-Za-z0-9])(?P<key>sk-[A-Za-z0-9_*.…•-]{8,})",
            // These cannot be part of a word, and may stand right behind another one.
            r"|(?P<anthropic>sk-ant-[A-Za-z0-9_*.…•-]{4,})",
            r"|(?P<project>sk-(?:proj|svcacct)-[A-Za-z0-9_*.…•-]{20,})",
            r"|(?P<parts>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*)",
            // Google's keys, access tokens, refresh tokens and client secrets.
            r"|(?P<google>AIza[A-Za-z0-9_-]{20,}|\bya29\.[A-Za-z0-9_.-]{16,}|\b1//[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{12,})",
            // GitHub's tokens.
            r"|(?P<github>gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})",
            // Refresh tokens.
            r"|(?:^|[^A-Za-z0-9])(?P<refresh>rt[_.][A-Za-z0-9_.-]{20,})",
            // JSON web tokens, one part or more.
            r"|(?:^|[^A-Za-z0-9])(?P<jwt>eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*)",
            // What callback addresses and forms carry, also as part of another address.
            r"|(?:id_token|access_token|refresh_token|code_verifier|client_secret)(?:=|%3[Dd])(?P<field>[^&\s'\x22#]+)",
            r"|(?:[?&;#]|%3[Ff]|%26|%23)code(?:=|%3[Dd])(?P<code>[^&\s'\x22]{8,})",
            r"|(?i:\bbearer\s+)(?P<bearer>[A-Za-z0-9._~+/=-]{12,})",
            // Input shown as stars but for its end.
            r"|(?P<stars>[*•]{4,}[A-Za-z0-9#_.~-]{1,16})",
        ))
        .expect("a constant")
    });
    let mut found = Vec::new();
    if !is_suspicious(text) {
        return found;
    }
    let mut carried = Vec::new();
    for captures in SHAPES.captures_iter(text) {
        let mut named = SHAPES.capture_names().flatten();
        let Some((name, place)) = named.find_map(|name| Some((name, captures.name(name)?))) else {
            continue;
        };
        found.push((place.start(), place.end()));
        if matches!(name, "field" | "code") {
            carried.push(place.start());
        }
    }
    carried.extend(text.match_indices("callback?").map(|(at, _)| at));
    for at in carried {
        found.extend(states_around(text, at));
    }
    found
}

/// Where a line, up to `end`, stops in the middle of what may become one of them.
pub(super) fn beginning(text: &str, end: usize) -> Option<(usize, usize)> {
    static BEGINNINGS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"(?:^|[^A-Za-z0-9])(?P<key>sk-[A-Za-z0-9_-]{5,}|rt[_.][A-Za-z0-9_.-]{5,}|eyJ[A-Za-z0-9_-]{5,}",
            r"|AIza[A-Za-z0-9_-]{5,}|ya29\.[A-Za-z0-9_.-]{5,}|1//[A-Za-z0-9_-]{5,}|GOCSPX-[A-Za-z0-9_-]{5,}",
            r"|gh[pousr]_[A-Za-z0-9]{5,}|github_pat_[A-Za-z0-9_]{5,})$",
            r"|(?:[?&;#]|%3[Ff]|%26|%23)code(?:=|%3[Dd])(?P<code>[^&\s'\x22]{5,})$",
        ))
        .expect("a constant")
    });
    let text = &text[..end];
    let captures = is_suspicious(text).then(|| BEGINNINGS.captures(text)).flatten()?;
    let place = captures.name("key").or_else(|| captures.name("code"))?;
    Some((place.start(), place.end()))
}

/// Most lines have none of these: a cheap look first.
fn is_suspicious(text: &str) -> bool {
    ["sk-", "eyJ", "rt_", "rt.", "****", "••••", "AIza", "ya29.", "1//", "GOCSPX", "_token", "code"]
        .iter()
        .any(|part| text.contains(part))
        || text.contains("github_pat_")
        || text.contains("gh") && text.contains('_')
        || text.contains("client_secret")
        || text.contains("callback?")
        || text.contains("earer")
        || text.contains("EARER")
}

/// The states of the address that has a secret at `at`: together they sign someone in.
fn states_around(text: &str, at: usize) -> impl Iterator<Item = (usize, usize)> {
    static STATE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:[?&;#]|%3[Ff]|%26|%23)state(?:=|%3[Dd])(?P<state>[^&\s'\x22#]+)")
            .expect("a constant")
    });
    let start = text[..at].rfind(char::is_whitespace).map_or(0, |before| before + 1);
    let start = (start..=at).find(|&from| text.is_char_boundary(from)).unwrap_or(at);
    let end = text[at..].find(char::is_whitespace).map_or(text.len(), |length| at + length);
    STATE.captures_iter(&text[start..end]).filter_map(move |captures| {
        let state = captures.name("state")?;
        Some((start + state.start(), start + state.end()))
    })
}
