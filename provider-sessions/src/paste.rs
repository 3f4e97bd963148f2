//! What a person pasted, before it reaches a program.

mod callback;

use std::fmt;

use thiserror::Error;
use url::{Host, Url};

use crate::provider::{Method, MethodKind, Pattern, ScanRules};

/// The longest code that is passed on, in characters.
pub const LONGEST: usize = 512;

/// A pasted text that may go on.
#[derive(Clone, PartialEq, Eq)]
pub enum Paste {
    /// To be typed: letters, digits and `# _ . ~ -`, [`LONGEST`] at most.
    Code(String),
    /// To be opened on this machine: the address a program that signs in listens at.
    Callback(Url),
}

impl fmt::Debug for Paste {
    /// Says nothing of what was pasted: it signs someone in.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code(_) => "Code(…)",
            Self::Callback(_) => "Callback(…)",
        })
    }
}

/// Why a pasted text cannot be the code; each says to a person what to do.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PasteError {
    /// This way of signing in takes no pasted code.
    #[error("This sign-in takes no pasted code: type the code shown here on the provider's page.")]
    NotPasted,
    /// Nothing but blanks.
    #[error("Nothing was pasted. Copy the code from the page you signed in on.")]
    Empty,
    /// More than [`LONGEST`] characters.
    #[error("That is too long to be the code. Copy only the code.")]
    TooLong,
    /// An address of the person's own machine.
    #[error(
        "That address only works in a browser on the machine that signs in. Use the link shown here and copy the code from its last page."
    )]
    LocalAddress,
    /// The sign-in link itself.
    #[error(
        "That is the link to sign in with. Open it, sign in, and copy the code from its last page."
    )]
    SignInLink,
    /// The right page's address, but without a code in it.
    #[error("That address has no code in it. Copy the code that the page shows.")]
    NoCodeInAddress,
    /// Any other address.
    #[error("That is a web address, not the code. Copy the code that the page shows.")]
    OtherAddress,
    /// Four to ten digits: from an e-mail or an authenticator.
    #[error(
        "That looks like a verification code. Type it on the sign-in page, then copy the code it shows at the end."
    )]
    VerificationCode,
    /// No `#`, or nothing before or after it.
    #[error("That is only a part of the code. Copy all of it, with the # in the middle.")]
    Incomplete,
    /// Characters that no code has.
    #[error("That has characters in it that no code has. Copy only the code.")]
    OtherCharacters,
    /// Text where the address of the last page is wanted.
    #[error(
        "That is not an address. Copy the whole address of the page that did not load, from the browser's address bar."
    )]
    NotAnAddress,
    /// An address, but not the one the vendor's page leads to in the end.
    #[error(
        "That is the address of another page. Sign in with the link shown here, and copy the address of the last page, the one that did not load."
    )]
    WrongPage,
    /// The right page of another sign-in, which listens elsewhere.
    #[error(
        "That address belongs to another sign-in. Use the link shown here and copy the address of its last page."
    )]
    OtherPort,
    /// From another link than the one shown.
    #[error("That code belongs to an earlier attempt. Use the link shown here and paste its code.")]
    OtherAttempt,
}

impl PasteError {
    /// The stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotPasted => "not_pasted",
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::LocalAddress => "local_address",
            Self::SignInLink => "sign_in_link",
            Self::NoCodeInAddress => "no_code_in_address",
            Self::OtherAddress => "other_address",
            Self::VerificationCode => "verification_code",
            Self::Incomplete => "incomplete",
            Self::OtherCharacters => "other_characters",
            Self::NotAnAddress => "not_an_address",
            Self::WrongPage => "wrong_page",
            Self::OtherPort => "other_port",
            Self::OtherAttempt => "other_attempt",
        }
    }
}

/// Cleans what a person pasted and checks it against the link that was shown.
///
/// Blanks, line breaks, controls and invisible characters inside are dropped: they come from
/// wrapped displays. Where a code is typed, an address the vendor's page leads to becomes the
/// `code#state` that it carries. Where a program listens for its browser's return, the address must
/// be the very one that the link names, with the link's own state.
///
/// # Errors
/// Why it cannot be right; nothing then reaches the program.
pub fn clean_paste(
    method: &Method,
    rules: &ScanRules,
    link: Option<&str>,
    text: &str,
) -> Result<Paste, PasteError> {
    let text: String = text.chars().filter(|&character| !is_invisible(character)).collect();
    match method.kind {
        MethodKind::DeviceCode => Err(PasteError::NotPasted),
        _ if text.is_empty() => Err(PasteError::Empty),
        MethodKind::PastedCode => code(rules, link, text).map(Paste::Code),
        MethodKind::PastedCallback => callback::address(rules, link, &text).map(Paste::Callback),
    }
}

fn code(rules: &ScanRules, link: Option<&str>, text: String) -> Result<String, PasteError> {
    let code = if is_address(&text) { from_address(rules, link, &text)? } else { text };
    if let Some(shape) = &rules.pasted {
        return check_shape(shape, rules, link, &code);
    }
    check_form(&code)?;
    check_attempt(rules, link, &code)?;
    Ok(code)
}

fn is_invisible(character: char) -> bool {
    character.is_whitespace() || character.is_control() || crate::screen::misleads(character)
}

fn is_address(text: &str) -> bool {
    let scheme = text.find("://").map(|at| &text[..at]);
    scheme.is_some_and(|scheme| scheme.chars().all(|c| c.is_ascii_alphanumeric()))
        || text.starts_with("localhost:")
        || text.starts_with("localhost/")
        || text.starts_with("127.0.0.1")
}

fn from_address(rules: &ScanRules, link: Option<&str>, text: &str) -> Result<String, PasteError> {
    if link == Some(text) {
        return Err(PasteError::SignInLink);
    }
    let Ok(url) = Url::parse(text) else {
        let local = text.starts_with("localhost") || text.starts_with("127.0.0.1");
        return Err(if local { PasteError::LocalAddress } else { PasteError::OtherAddress });
    };
    if is_local(&url) {
        return Err(PasteError::LocalAddress);
    }
    let is_callback = rules.callbacks.iter().any(|callback| {
        Url::parse(callback).is_ok_and(|callback| {
            url.scheme() == callback.scheme()
                && url.host() == callback.host()
                && url.port() == callback.port()
                && url.path().trim_end_matches('/') == callback.path()
                && url.username().is_empty()
                && url.password().is_none()
        })
    });
    if !is_callback {
        let sign_in = rules.links.iter().any(|rule| url.path().contains(&rule.path));
        return Err(if sign_in { PasteError::SignInLink } else { PasteError::OtherAddress });
    }
    let value = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs.find(|pair| pair.0 == name).map(|pair| pair.1.into_owned())
    };
    let state_name = rules.state.as_deref().unwrap_or("state");
    let state = value(state_name).or_else(|| url.fragment().map(str::to_owned));
    match (value("code"), state) {
        (Some(code), Some(state)) if !code.is_empty() && !state.is_empty() => {
            Ok(format!("{code}#{state}"))
        }
        _ => Err(PasteError::NoCodeInAddress),
    }
}

fn is_local(url: &Url) -> bool {
    if url.scheme() == "localhost" {
        return true;
    }
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        None => false,
    }
}

/// A code of a shape of its own; what came with it in an address must belong to this attempt.
fn check_shape(
    shape: &Pattern,
    rules: &ScanRules,
    link: Option<&str>,
    text: &str,
) -> Result<String, PasteError> {
    let code = match text.split_once('#') {
        Some((code, _)) => {
            check_attempt(rules, link, text)?;
            code
        }
        None => text,
    };
    if code.len() > LONGEST {
        return Err(PasteError::TooLong);
    }
    if code.chars().any(|character| !character.is_ascii_graphic()) {
        return Err(PasteError::OtherCharacters);
    }
    if shape.is_match(code) { Ok(code.to_owned()) } else { Err(PasteError::Incomplete) }
}

fn check_form(code: &str) -> Result<(), PasteError> {
    if code.len() > LONGEST {
        return Err(PasteError::TooLong);
    }
    if (4..=10).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PasteError::VerificationCode);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"#_.~-".contains(&byte);
    if !code.bytes().all(allowed) {
        return Err(PasteError::OtherCharacters);
    }
    match code.split_once('#') {
        Some((code, state)) if !code.is_empty() && !state.is_empty() && !state.contains('#') => {
            Ok(())
        }
        _ => Err(PasteError::Incomplete),
    }
}

fn check_attempt(rules: &ScanRules, link: Option<&str>, code: &str) -> Result<(), PasteError> {
    let (Some(name), Some(link)) = (rules.state.as_deref(), link) else { return Ok(()) };
    let Ok(link) = Url::parse(link) else { return Ok(()) };
    let shown = link.query_pairs().find(|pair| pair.0 == name).map(|pair| pair.1.into_owned());
    let pasted = code.split_once('#').map(|halves| halves.1);
    match shown {
        Some(shown) if pasted != Some(shown.as_str()) => Err(PasteError::OtherAttempt),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Provider, built_in};

    const STATE: &str = "CJXGvV_4qu6Z9tXLCWjwqyvHKPXiLkKXycazk8Lcp0c";

    fn row(id: &str) -> &'static Provider {
        built_in().iter().find(|row| row.id == id).unwrap()
    }

    fn link() -> String {
        format!("https://claude.com/cai/oauth/authorize?code=true&response_type=code&state={STATE}")
    }

    fn clean(provider: &Provider, link: Option<&str>, text: &str) -> Result<String, PasteError> {
        match clean_paste(&provider.methods[0], &provider.scan, link, text)? {
            Paste::Code(code) => Ok(code),
            Paste::Callback(_) => panic!("a code is typed"),
        }
    }

    fn paste(text: &str) -> Result<String, PasteError> {
        clean(row("claude"), Some(&link()), text)
    }

    #[test]
    fn a_whole_code_is_taken_and_cleaned() {
        let code = format!("good-abc_d.e~f1#{STATE}");
        for text in [
            code.clone(),
            format!("  {code}\r\n"),
            format!("good-abc_d\r\n.e~f1#{}\n{}\n", &STATE[..20], &STATE[20..]),
            format!("good-\u{200b}abc_d.e~f1\u{a0}#\t{STATE}\u{feff}\x1b"),
            format!(
                "https://platform.claude.com/oauth/code/callback?code=good-abc_d.e~f1&state={STATE}"
            ),
            format!(
                "https://console.anthropic.com/oauth/code/callback?state={STATE}&code=good-abc_d.e~f1"
            ),
            format!(
                "https://claude.ai/oauth/code/callback/?code=good%2Dabc_d.e~f1&state={STATE}#x"
            ),
            format!("https://platform.claude.com/oauth/code/callback?code=good-abc_d.e~f1#{STATE}"),
        ] {
            assert_eq!(paste(&text).as_deref(), Ok(code.as_str()), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_the_code_is_refused_for_its_own_reason() {
        let other = "x".repeat(43);
        for (text, error) in [
            ("", PasteError::Empty),
            (" \r\n\t", PasteError::Empty),
            ("foo", PasteError::Incomplete),
            ("abc#", PasteError::Incomplete),
            ("#abc", PasteError::Incomplete),
            (&format!("a#b#{STATE}"), PasteError::Incomplete),
            ("123456", PasteError::VerificationCode),
            ("123 456", PasteError::VerificationCode),
            ("1234567890", PasteError::VerificationCode),
            ("123", PasteError::Incomplete),
            (&format!("abc#{other}"), PasteError::OtherAttempt),
            (&format!("abc#{STATE}x"), PasteError::OtherAttempt),
            (&format!("a;b#{STATE}"), PasteError::OtherCharacters),
            (&format!("Code:abc#{STATE}"), PasteError::OtherCharacters),
            (&format!("é#{STATE}"), PasteError::OtherCharacters),
            (&format!("{}#{STATE}", "a".repeat(LONGEST)), PasteError::TooLong),
            ("http://localhost:54321/callback?code=abc&state=x", PasteError::LocalAddress),
            ("localhost:54321/callback?code=abc", PasteError::LocalAddress),
            ("http://127.0.0.1:1455/auth/callback?code=abc", PasteError::LocalAddress),
            ("http://[::1]:1/x", PasteError::LocalAddress),
            ("https://claude.ai/new", PasteError::OtherAddress),
            ("https://example.com/oauth/code/callback?code=a&state=b", PasteError::OtherAddress),
            (
                "https://platform.claude.com@evil.example/oauth/code/callback?code=a&state=b",
                PasteError::OtherAddress,
            ),
            (
                "http://platform.claude.com/oauth/code/callback?code=a&state=b",
                PasteError::OtherAddress,
            ),
            (
                "https://platform.claude.com:444/oauth/code/callback?code=a&state=b",
                PasteError::OtherAddress,
            ),
            ("https://platform.claude.com/oauth/code/callback", PasteError::NoCodeInAddress),
            (
                "https://platform.claude.com/oauth/code/callback?error=denied",
                PasteError::NoCodeInAddress,
            ),
            (
                &format!(
                    "https://platform.claude.com/oauth/code/callback?code=a%20b&state={STATE}"
                ),
                PasteError::OtherCharacters,
            ),
            (
                "https://platform.claude.com/oauth/code/callback?code=a&state=b",
                PasteError::OtherAttempt,
            ),
            (&link(), PasteError::SignInLink),
            ("https://claude.com/cai/oauth/authorize?code=true", PasteError::SignInLink),
            ("https://[broken", PasteError::OtherAddress),
        ] {
            assert_eq!(paste(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn every_reason_is_a_sentence_and_a_stable_name() {
        let reasons = [
            PasteError::NotPasted,
            PasteError::Empty,
            PasteError::TooLong,
            PasteError::LocalAddress,
            PasteError::SignInLink,
            PasteError::NoCodeInAddress,
            PasteError::OtherAddress,
            PasteError::VerificationCode,
            PasteError::Incomplete,
            PasteError::OtherCharacters,
            PasteError::NotAnAddress,
            PasteError::WrongPage,
            PasteError::OtherPort,
            PasteError::OtherAttempt,
        ];
        let mut names: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
        names.dedup();
        assert_eq!(names.len(), reasons.len());
        for reason in reasons {
            let text = reason.to_string();
            assert!(text.ends_with('.') && text.starts_with(char::is_uppercase), "{text}");
        }
    }

    #[test]
    fn a_device_sign_in_takes_no_paste() {
        let result = clean(row("codex"), None, &format!("abc#{STATE}"));
        assert_eq!(result, Err(PasteError::NotPasted));
    }

    #[test]
    fn a_code_of_another_shape_is_taken_without_a_state() {
        let gemini = row("gemini");
        let state = "a1".repeat(32);
        let link =
            format!("https://accounts.google.com/o/oauth2/v2/auth?state={state}&client_id=x");
        let paste = |text: &str| clean(gemini, Some(&link), text);
        assert_eq!(paste(" 4/0AbCd-ef_gh \n").as_deref(), Ok("4/0AbCd-ef_gh"));
        let page = "https://codeassist.google.com/authcode";
        let from_page = format!("{page}?state={state}&code=4/0AbCd-ef_gh&scope=x");
        assert_eq!(paste(&from_page).as_deref(), Ok("4/0AbCd-ef_gh"));
        assert_eq!(paste(&format!("{page}?state=b&code=4/0AbCd")), Err(PasteError::OtherAttempt));
        assert_eq!(paste("4/0"), Err(PasteError::Incomplete));
        assert_eq!(paste("4/0AbCd;rm"), Err(PasteError::Incomplete));
        assert_eq!(paste("4/0AbCdé"), Err(PasteError::OtherCharacters));
        assert_eq!(paste(&"a".repeat(LONGEST + 1)), Err(PasteError::TooLong));
    }

    #[test]
    fn without_a_link_any_state_is_taken() {
        let result = clean(row("claude"), None, "abc#def");
        assert_eq!(result.as_deref(), Ok("abc#def"));
    }

    /// It names no state, which is the page's own to give.
    #[test]
    fn with_a_short_link_any_state_is_taken() {
        let link = format!("https://claude.ai/oauth/authorize?z-{STATE}");
        let paste = |text: &str| clean(row("claude"), Some(&link), text);
        assert_eq!(paste("abc#def").as_deref(), Ok("abc#def"));
        assert_eq!(paste("abc#"), Err(PasteError::Incomplete));
        assert_eq!(paste("abc"), Err(PasteError::Incomplete));
        assert_eq!(paste("123456"), Err(PasteError::VerificationCode));
    }

    #[test]
    fn the_recorded_codes_fit() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/transcripts");
        let mut codes = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if !name.starts_with("claude") || path.extension().is_none_or(|kind| kind != "json") {
                continue;
            }
            let read = |path: &std::path::Path| -> serde_json::Value {
                serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
            };
            let expected = read(&path.with_file_name("expected.json"));
            for sent in read(&path)["sent"].as_array().unwrap() {
                let typed = sent[2].as_str().unwrap().trim();
                // The one that was tried again shows its last link only.
                if typed.contains('#') && !name.contains("retry") {
                    let url = expected[&name]["url"].as_str();
                    let result = clean(row("claude"), url, typed);
                    assert_eq!(result.as_deref(), Ok(typed), "{name}");
                    codes += 1;
                }
            }
        }
        assert!(codes >= 6, "{codes} codes were typed in the recordings");
    }
}
