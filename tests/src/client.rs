//! Whoever speaks HTTP to a server under test.

use std::io;
use std::time::Duration;

use reqwest::header::HOST;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio_tungstenite::tungstenite::http::Request;

use crate::socket::upgrade;

/// The address of a hosted Room under test, as the world knows it.
pub const PUBLIC_URL: &str = "https://room.test";

/// How long a quiet connection is used again. The server closes one after 10 s, perhaps just as the
/// next request is sent.
const QUIET: Duration = Duration::from_secs(5);

/// The host in it.
pub(crate) const PUBLIC_HOST: &str = "room.test";

/// A client of a server on loopback, which may be asked under another name. It follows no
/// redirects, keeps no cookies and goes through no proxy.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    port: u16,
    host: Option<String>,
}

impl Client {
    /// A client of the server on that port; `host` is the name it is asked under.
    ///
    /// # Errors
    ///
    /// When the system has nothing to make a client of.
    pub fn new(port: u16, host: Option<&str>) -> io::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(QUIET)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self { http, port, host: host.map(str::to_owned) })
    }

    /// A client of a hosted Room at [`PUBLIC_URL`].
    ///
    /// # Errors
    ///
    /// As [`Client::new`].
    pub fn of_hosted(port: u16) -> io::Result<Self> {
        Self::new(port, Some(PUBLIC_HOST))
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set_port(&mut self, port: u16) {
        self.port = port;
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A request without any credential.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, self.url(path));
        match &self.host {
            Some(host) => request.header(HOST, host),
            None => request,
        }
    }

    /// A request with a bearer.
    pub fn bearing(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(token)
    }

    /// An upgrade to a socket, with a bearer or without.
    ///
    /// # Panics
    ///
    /// When the token cannot stand in a header.
    pub fn upgrade(&self, token: Option<&str>) -> Request<()> {
        let mut request = upgrade(self.port, token);
        if let Some(host) = &self.host {
            let host = host.parse().expect("a plain name");
            request.headers_mut().insert(HOST, host);
        }
        request
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body as JSON; null when it is none.
    pub body: Value,
}

impl Answer {
    /// Sends a request and reads the answer.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn of(request: RequestBuilder) -> Self {
        let answer: Response = request.send().await.expect("the server answers");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await.expect("the answer is whole");
        Self { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The stable code of a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}
