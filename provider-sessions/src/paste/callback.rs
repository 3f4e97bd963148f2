//! The address on which a program waits for its browser to return, pasted by a person whose browser
//! is on another machine and could not open it (RFC 8252, section 7.3).

use url::Url;

use super::{PasteError, is_local};
use crate::provider::ScanRules;

/// The longest address that is looked at, in bytes: a code, a state and a list of scopes fit many
/// times.
const LONGEST_ADDRESS: usize = 4096;

/// The address to open: the link's own `redirect_uri` with the pasted query.
///
/// Of what was pasted only the query goes on, and only if everything before it is that very
/// address, so that nobody can be talked into opening another one of this machine.
pub(super) fn address(
    rules: &ScanRules,
    link: Option<&str>,
    text: &str,
) -> Result<Url, PasteError> {
    if text.len() > LONGEST_ADDRESS {
        return Err(PasteError::TooLong);
    }
    if link == Some(text) {
        return Err(PasteError::SignInLink);
    }
    // Browsers show, and copy, an http address without its scheme.
    let bare = ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| text.starts_with(host));
    let whole = if bare { format!("http://{text}") } else { text.to_owned() };
    let pasted = Url::parse(&whole).map_err(|_| PasteError::NotAnAddress)?;
    let link = link.and_then(|link| Url::parse(link).ok()).ok_or(PasteError::WrongPage)?;
    if pasted.host() == link.host() && pasted.path() == link.path() {
        return Err(PasteError::SignInLink);
    }
    let wanted = value(&link, "redirect_uri").and_then(|uri| Url::parse(&uri).ok());
    let wanted = wanted.filter(is_callback).ok_or(PasteError::WrongPage)?;
    if !is_callback(&pasted) || pasted.path() != wanted.path() {
        return Err(PasteError::WrongPage);
    }
    if pasted.port() != wanted.port() {
        return Err(PasteError::OtherPort);
    }
    let name = rules.state.as_deref().unwrap_or("state");
    let state = value(&pasted, name).ok_or(PasteError::NoCodeInAddress)?;
    if value(&link, name) != Some(state) {
        return Err(PasteError::OtherAttempt);
    }
    // That the person declined is an answer too, and the program waits for one.
    if value(&pasted, "code").or_else(|| value(&pasted, "error")).is_none() {
        return Err(PasteError::NoCodeInAddress);
    }
    let mut callback = wanted;
    callback.set_query(pasted.query());
    callback.set_fragment(None);
    Ok(callback)
}

/// Plain http on a port of this machine, and nobody's name before it.
fn is_callback(url: &Url) -> bool {
    url.scheme() == "http"
        && url.port().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && is_local(url)
}

/// The only value of that name, if it is not empty.
fn value(url: &Url, name: &str) -> Option<String> {
    let mut values = url.query_pairs().filter(|pair| pair.0 == name).map(|pair| pair.1);
    let first = values.next()?;
    (values.next().is_none() && !first.is_empty()).then(|| first.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::built_in;

    const STATE: &str = "CJXGvV_4qu6Z9tXLCWjwqyvHKPXiLkKXycazk8Lcp0c";

    fn link_with(redirect: &str) -> String {
        format!(
            "https://auth.openai.com/oauth/authorize?response_type=code&redirect_uri={redirect}&state={STATE}"
        )
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&str, PasteError>) {
        let link = link_with("http%3A%2F%2F127.0.0.1%3A1455%2Fauth%2Fcallback");
        let rules = &built_in()[0].scan;
        let found = address(rules, Some(&link), text);
        assert_eq!(found.as_ref().map(Url::as_str), expected.as_ref().copied(), "{text}");
    }

    #[test]
    fn the_address_the_link_names_is_opened_with_the_pasted_query() {
        let opened = format!(
            "http://127.0.0.1:1455/auth/callback?code=ac_x.Y-z&scope=openid+a&state={STATE}"
        );
        let query = format!("code=ac_x.Y-z&scope=openid+a&state={STATE}");
        for text in [
            opened.clone(),
            format!("http://localhost:1455/auth/callback?{query}"),
            format!("localhost:1455/auth/callback?{query}"),
            format!("127.0.0.1:1455/auth/callback?{query}#fragment"),
            format!("HTTP://LOCALHOST:1455/auth/callback?{query}"),
        ] {
            check(&text, Ok(&opened));
        }
        let declined =
            format!("http://127.0.0.1:1455/auth/callback?error=access_denied&state={STATE}");
        check(&declined, Ok(&declined));
    }

    #[test]
    fn any_other_address_is_refused() {
        let good = format!("code=a&state={STATE}");
        for (text, why) in [
            ("abcdef".to_owned(), PasteError::NotAnAddress),
            (format!("code=a&state={STATE}"), PasteError::NotAnAddress),
            (format!("https://127.0.0.1:1455/auth/callback?{good}"), PasteError::WrongPage),
            (format!("http://127.0.0.1/auth/callback?{good}"), PasteError::WrongPage),
            (format!("http://127.0.0.1:1455/cancel?{good}"), PasteError::WrongPage),
            (format!("http://127.0.0.1:1455/auth/callback/..?{good}"), PasteError::WrongPage),
            (format!("http://127.0.0.1:1457/auth/callback?{good}"), PasteError::OtherPort),
            (format!("http://192.168.1.1:1455/auth/callback?{good}"), PasteError::WrongPage),
            (format!("http://a@127.0.0.1:1455/auth/callback?{good}"), PasteError::WrongPage),
            (
                format!("http://127.0.0.1:1455@evil.example/auth/callback?{good}"),
                PasteError::WrongPage,
            ),
            (
                format!("http://127.0.0.1.evil.example:1455/auth/callback?{good}"),
                PasteError::WrongPage,
            ),
            ("http://127.0.0.1:1455/auth/callback".to_owned(), PasteError::NoCodeInAddress),
            (
                format!("http://127.0.0.1:1455/auth/callback?state={STATE}"),
                PasteError::NoCodeInAddress,
            ),
            (
                "http://127.0.0.1:1455/auth/callback?code=a&state=b".to_owned(),
                PasteError::OtherAttempt,
            ),
            (
                format!("http://127.0.0.1:1455/auth/callback?state=b&{good}"),
                PasteError::NoCodeInAddress,
            ),
            ("https://auth.openai.com/oauth/authorize?x=y".to_owned(), PasteError::SignInLink),
            ("https://auth.openai.com/log-in".to_owned(), PasteError::WrongPage),
            (format!("http://127.0.0.1:1455/{}", "a".repeat(LONGEST_ADDRESS)), PasteError::TooLong),
        ] {
            check(&text, Err(why));
        }
    }

    #[test]
    fn a_link_that_returns_to_another_machine_opens_nothing_here() {
        let rules = &built_in()[0].scan;
        for redirect in ["https%3A%2F%2Fevil.example%2Fcb", "http%3A%2F%2F10.0.0.1%3A80%2Fcb", ""] {
            let link = link_with(redirect);
            let text = format!("http://127.0.0.1:1455/auth/callback?code=a&state={STATE}");
            assert_eq!(address(rules, Some(&link), &text), Err(PasteError::WrongPage));
        }
        assert_eq!(address(rules, None, "http://127.0.0.1:1455/x"), Err(PasteError::WrongPage));
    }
}
