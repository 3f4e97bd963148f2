//! A page of a hosted Room in a browser of its own, as far as the server can tell: its cookie, its
//! Origin, what a browser adds.

use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};

use crate::client::{Answer, Client, PUBLIC_URL};
use crate::socket::Socket;

/// The cookie's name.
pub const COOKIE_NAME: &str = "__Host-room";

/// A browser with one page open.
#[derive(Debug)]
pub struct Page<'a> {
    client: &'a Client,
    cookie: Option<String>,
}

impl<'a> Page<'a> {
    /// Of a browser that was never here.
    pub fn open(client: &'a Client) -> Self {
        Self { client, cookie: None }
    }

    /// Of a browser that is signed in by this token.
    ///
    /// # Panics
    ///
    /// When the token is refused.
    pub async fn signed_in(client: &'a Client, token: &str, device: &str) -> Self {
        let mut page = Self::open(client);
        let answer = page.sign_in(token, device).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        page
    }

    /// The cookie, as the browser sends it.
    pub fn cookie(&self) -> Option<String> {
        self.cookie.as_ref().map(|value| format!("{COOKIE_NAME}={value}"))
    }

    /// A request as the page's script makes it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let safe = method == Method::GET;
        let mut request =
            self.client.anonymous(method, path).header("sec-fetch-site", "same-origin");
        if !safe {
            request = request.header(ORIGIN, PUBLIC_URL);
        }
        match self.cookie() {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    /// `GET`.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// `POST`.
    ///
    /// # Panics
    ///
    /// As [`Page::get`].
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// `DELETE`.
    ///
    /// # Panics
    ///
    /// As [`Page::get`].
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// Trades a token for a session.
    ///
    /// # Panics
    ///
    /// As [`Page::get`].
    pub async fn sign_in(&mut self, token: &str, device: &str) -> Answer {
        let request = self.request(Method::POST, "/api/auth/session");
        let request = request.bearer_auth(token).json(&json!({ "deviceName": device }));
        self.keep_cookie(Answer::of(request).await)
    }

    /// Redeems a pairing code, in either form.
    ///
    /// # Panics
    ///
    /// As [`Page::get`].
    pub async fn redeem(&mut self, code: &str, device: &str) -> Answer {
        let body = json!({ "code": code, "deviceName": device });
        let answer = self.post("/api/auth/pair/redeem", &body).await;
        self.keep_cookie(answer)
    }

    fn keep_cookie(&mut self, answer: Answer) -> Answer {
        for value in answer.headers.get_all(SET_COOKIE) {
            let text = value.to_str().expect("a cookie is text");
            let (pair, _) = text.split_once(';').unwrap_or((text, ""));
            if let Some((COOKIE_NAME, value)) = pair.split_once('=') {
                self.cookie = (!value.is_empty()).then(|| value.to_owned());
            }
        }
        answer
    }

    /// The upgrade that the page's script asks for.
    ///
    /// # Panics
    ///
    /// When the cookie cannot stand in a header.
    pub fn upgrade(&self) -> Request<()> {
        let mut request = self.client.upgrade(None);
        let headers = request.headers_mut();
        headers.insert("origin", HeaderValue::from_static(PUBLIC_URL));
        if let Some(cookie) = self.cookie() {
            headers.insert("cookie", cookie.parse().expect("a plain cookie"));
        }
        request
    }

    /// A socket, past `hello`.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub async fn socket(&self) -> Socket {
        Socket::by(self.upgrade()).await
    }
}
