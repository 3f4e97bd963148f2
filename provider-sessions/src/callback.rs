//! Opens the address on which a program on this machine waits for its browser to return (feature
//! `http`): what the person's own browser would have done, had it been here.

use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{StatusCode, Url};

/// The program asks the vendor for its tokens before it answers.
const LIMIT: Duration = Duration::from_mins(1);

/// A program leads its browser to one page of its own, which says that all is well.
const REDIRECTS: usize = 3;

/// Why a program did not take the address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallbackError {
    /// Nothing listens there, or it did not answer in time.
    #[error("The program did not answer at that address. Start again.")]
    NoAnswer,
    /// It answered with an error.
    #[error("The program did not accept that address (it answered {0}).")]
    Refused(StatusCode),
}

/// Opens the address and follows the program's own redirects: codex counts itself as signed in only
/// when its last page was fetched. What the pages say is not read, for their addresses and texts
/// carry tokens.
pub(crate) async fn open(url: Url) -> Result<(), CallbackError> {
    let port = url.port();
    let policy = Policy::custom(move |attempt| follow(attempt, port));
    // Its own error would name the address, and the code in it.
    let client = crate::http::loopback(LIMIT, policy).map_err(|_| CallbackError::NoAnswer)?;
    let answer = client.get(url).send().await.map_err(|_| CallbackError::NoAnswer)?;
    match answer.status() {
        status if status.is_client_error() || status.is_server_error() => {
            Err(CallbackError::Refused(status))
        }
        _ => Ok(()),
    }
}

/// Only to the same program.
fn follow(attempt: Attempt<'_>, port: Option<u16>) -> reqwest::redirect::Action {
    let ours = matches!(attempt.url().host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if ours && attempt.url().port() == port && attempt.previous().len() <= REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each request in turn, and says what was asked for.
    async fn serve(answers: Vec<String>) -> (Url, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = Url::parse(&format!("http://localhost:{port}/auth/callback?code=a&state=b"));
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 4096];
                let count = stream.read(&mut head).await.unwrap();
                let head = String::from_utf8_lossy(&head[..count]).into_owned();
                asked.push(head.split(' ').nth(1).unwrap_or_default().to_owned());
                let answer = answer.replace("PORT", &port.to_string());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (url.unwrap(), asked)
    }

    fn redirect(to: &str) -> String {
        format!(
            "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    }

    fn page(status: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    }

    #[tokio::test]
    async fn the_programs_own_redirect_is_followed() {
        for to in ["/success?id_token=x", "http://localhost:PORT/success?id_token=x"] {
            let (url, asked) = serve(vec![redirect(to), page("200 OK")]).await;
            open(url).await.unwrap();
            let asked = asked.await.unwrap();
            assert_eq!(asked, ["/auth/callback?code=a&state=b", "/success?id_token=x"]);
        }
    }

    #[tokio::test]
    async fn a_redirect_elsewhere_is_not() {
        for to in ["http://localhost:1/x", "http://10.0.0.1:PORT/x", "https://evil.example/"] {
            let (url, asked) = serve(vec![redirect(to)]).await;
            open(url).await.unwrap();
            assert_eq!(asked.await.unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_refusal_is_told_without_the_address() {
        let (url, _) = serve(vec![page("400 Bad Request")]).await;
        let error = open(url).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "The program did not accept that address (it answered 400 Bad Request)."
        );
        let nobody = Url::parse("http://127.0.0.1:1/auth/callback?code=secret").unwrap();
        let error = open(nobody).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}
