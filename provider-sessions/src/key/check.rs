//! Asks a vendor about a key (feature `http`).

use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};

use super::KeyChecked;
use crate::provider::KeyCheck;

/// A person waits for it.
const LIMIT: Duration = Duration::from_secs(15);

/// Whether the vendor accepts the key. What it says besides is not read.
pub(crate) async fn check(
    rule: &KeyCheck,
    vendor: &str,
    secret: &SecretString,
    environment: &[(String, String)],
) -> KeyChecked {
    match ask(rule, secret, environment).await {
        Some(status) if status.is_success() => {
            KeyChecked { valid: Some(true), detail: format!("{vendor} accepts this key.") }
        }
        Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => KeyChecked {
            valid: Some(false),
            detail: format!("{vendor} does not accept this key. Give another one."),
        },
        Some(StatusCode::TOO_MANY_REQUESTS) => KeyChecked {
            valid: None,
            detail: format!("{vendor} asks for fewer requests. Try again in a few minutes."),
        },
        Some(status) => KeyChecked {
            valid: None,
            detail: format!("{vendor} gave no clear answer ({status}). Try again later."),
        },
        None => KeyChecked {
            valid: None,
            detail: format!("Your Room could not reach {vendor}. Check its internet connection."),
        },
    }
}

/// The answer's status; nothing if there was none. The cause is not passed on: it could hold what
/// was sent.
async fn ask(
    rule: &KeyCheck,
    secret: &SecretString,
    environment: &[(String, String)],
) -> Option<StatusCode> {
    let url = Url::parse(&rule.url).ok().filter(may_carry_a_key)?;
    let client: Client = crate::http::builder(environment).ok()?.timeout(LIMIT).build().ok()?;
    let mut value = HeaderValue::from_str(&rule.value_for(secret.expose_secret())).ok()?;
    value.set_sensitive(true);
    let name = HeaderName::from_bytes(rule.header.as_bytes()).ok()?;
    let mut request = client.get(url).header(name, value);
    for (name, value) in &rule.extra {
        request = request.header(name, value);
    }
    Some(request.send().await.ok()?.status())
}

/// Encrypted, or to this machine.
fn may_carry_a_key(url: &Url) -> bool {
    url.scheme() == "https" || matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn rule(url: String) -> KeyCheck {
        let extra = BTreeMap::from([("x-version".to_owned(), "1".to_owned())]);
        KeyCheck { url, header: "authorization".into(), value: "Bearer {key}".into(), extra }
    }

    /// Answers once with a status; gives what was said of the key, and what was asked.
    async fn answered(status: &'static str) -> (KeyChecked, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/models", listener.local_addr().unwrap());
        let vendor = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let count = stream.read(&mut head).await.unwrap();
            let answer = format!(
                "HTTP/1.1 {status}\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&head[..count]).into_owned()
        });
        let checked = check(&rule(url), "Vendor", &"sk-1".to_owned().into(), &[]).await;
        (checked, vendor.await.unwrap())
    }

    #[tokio::test]
    async fn a_key_is_good_bad_or_unknown() {
        for (status, valid) in [
            ("200 OK", Some(true)),
            ("401 Unauthorized", Some(false)),
            ("403 Forbidden", Some(false)),
            ("429 Too Many Requests", None),
            ("500 Internal Server Error", None),
            ("302 Found", None),
        ] {
            let (checked, asked) = answered(status).await;
            assert_eq!(checked.valid, valid, "{status}");
            assert!(asked.starts_with("GET /v1/models HTTP/1.1\r\n"), "{asked}");
            assert!(asked.contains("authorization: Bearer sk-1\r\n"), "{asked}");
            assert!(asked.contains("x-version: 1\r\n"), "{asked}");
        }
    }

    #[tokio::test]
    async fn a_key_goes_to_nobody_in_clear_and_nobody_home_is_no_answer() {
        for url in
            ["http://vendor.example/", "ftp://127.0.0.1.evil.example/", "http://127.0.0.1:1/"]
        {
            let (rule, key) = (rule(url.to_owned()), SecretString::from("sk-1"));
            assert_eq!(check(&rule, "Vendor", &key, &[]).await.valid, None, "{url}");
        }
    }
}
