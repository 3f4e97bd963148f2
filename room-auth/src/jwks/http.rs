//! Fetching key sets over HTTPS (feature `jwks-http`).
//!
//! The endpoint belongs to someone else and may be slow, broken or taken over, so everything about
//! an answer is bounded before it is read: no redirect is followed, nothing is decompressed, no
//! proxy is used unless configured, and size and time end the fetch.

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::{Certificate, Client, Proxy, Url, redirect};

use crate::jwks::{Fetch, FetchFault, FetchRequest, Fetched, MAX_DOCUMENT_BYTES};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Entity tags longer than this are not worth keeping.
const MAX_ETAG_BYTES: usize = 256;

/// What differs from one fetcher to another.
#[derive(Debug, Clone)]
pub struct HttpFetchOptions {
    is_loopback_http_allowed: bool,
    connect_timeout: Duration,
    total_timeout: Duration,
    proxy: Option<String>,
    root_certificates: Vec<Vec<u8>>,
}

impl Default for HttpFetchOptions {
    fn default() -> Self {
        Self {
            is_loopback_http_allowed: false,
            connect_timeout: CONNECT_TIMEOUT,
            total_timeout: TOTAL_TIMEOUT,
            proxy: None,
            root_certificates: Vec::new(),
        }
    }
}

impl HttpFetchOptions {
    /// Lets `http` be used to a loopback address: demonstrations and tests.
    #[must_use]
    pub fn allow_loopback_http(mut self) -> Self {
        self.is_loopback_http_allowed = true;
        self
    }

    /// Waits less than 2 s for a connection and 5 s in all.
    #[must_use]
    pub fn timeouts(mut self, connect: Duration, total: Duration) -> Self {
        self.connect_timeout = connect.min(CONNECT_TIMEOUT);
        self.total_timeout = total.min(TOTAL_TIMEOUT);
        self
    }

    /// Goes through this proxy. Those in the environment are never used.
    #[must_use]
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Also trusts a certificate authority of one's own, in PEM form.
    #[must_use]
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }
}

/// Why there is no fetcher.
#[derive(Debug, thiserror::Error)]
pub enum HttpFetchError {
    /// The URL cannot be read.
    #[error("key set URL cannot be read")]
    Url,
    /// Neither https, nor http to a loopback address where that is allowed.
    #[error("key set URL must be https")]
    NotHttps,
    /// A user name, a password or a fragment does not belong into the URL.
    #[error("key set URL holds credentials or a fragment")]
    Credentials,
    /// The proxy or a certificate cannot be used.
    #[error("HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// What one look at an endpoint showed.
#[derive(Debug)]
pub struct Looked {
    /// What a fetch brings.
    pub answer: Result<Fetched, FetchFault>,
    /// `Date` of the answer, as it was written (RFC 9110, section 6.6.1).
    pub date: Option<String>,
}

/// Fetches one key set URL.
#[derive(Debug, Clone)]
pub struct HttpFetch {
    url: Url,
    client: Client,
}

impl HttpFetch {
    /// A fetcher for a URL from configuration; a token never chooses one.
    ///
    /// # Errors
    /// The URL may not be used, or the client cannot be set up.
    pub fn new(url: &str, options: &HttpFetchOptions) -> Result<Self, HttpFetchError> {
        let url = Url::parse(url).map_err(|_| HttpFetchError::Url)?;
        check_url(&url, options.is_loopback_http_allowed)?;
        let mut builder = Client::builder()
            .https_only(url.scheme() == "https")
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .no_proxy()
            // The next fetch is minutes away; an old connection would only fail then.
            .pool_max_idle_per_host(0)
            .connect_timeout(options.connect_timeout)
            .timeout(options.total_timeout);
        if let Some(proxy) = &options.proxy {
            builder = builder.proxy(Proxy::all(proxy).map_err(HttpFetchError::Client)?);
        }
        for pem in &options.root_certificates {
            let certificate = Certificate::from_pem(pem).map_err(HttpFetchError::Client)?;
            builder = builder.tls_certs_merge([certificate]);
        }
        let client = builder.build().map_err(HttpFetchError::Client)?;
        Ok(Self { url, client })
    }

    /// The URL.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Asks once, for someone who looks for what is wrong, and says what time it is there: a clock
    /// that is off refuses good tokens. Every endpoint tells its time, whatever else it answers.
    pub async fn look(&self) -> Looked {
        let mut date = None;
        let answer = self.get(FetchRequest::default(), &mut date).await;
        Looked { answer, date }
    }

    async fn get(
        &self,
        request: FetchRequest,
        date: &mut Option<String>,
    ) -> Result<Fetched, FetchFault> {
        let mut get = self.client.get(self.url.clone()).header(header::ACCEPT, "application/json");
        if let Some(etag) = request.etag {
            get = get.header(header::IF_NONE_MATCH, etag);
        }
        if request.no_cache {
            get = get.header(header::CACHE_CONTROL, "no-cache");
        }
        let mut response = get.send().await.map_err(|error| fault(&error))?;
        let told = response.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        *date = told.map(ToOwned::to_owned);
        let max_age = max_age(response.headers());
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED => return Ok(Fetched::NotModified { max_age }),
            status => return Err(FetchFault::Status(status.as_u16())),
        }
        if is_compressed(response.headers()) {
            return Err(FetchFault::Compressed);
        }
        let most = MAX_DOCUMENT_BYTES as u64;
        if response.content_length().is_some_and(|length| length > most) {
            return Err(FetchFault::TooLarge);
        }
        let etag = etag(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
            if body.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(FetchFault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched::Document { body, etag, max_age })
    }
}

impl Fetch for HttpFetch {
    async fn fetch(&self, request: FetchRequest) -> Result<Fetched, FetchFault> {
        self.get(request, &mut None).await
    }
}

fn check_url(url: &Url, is_loopback_http_allowed: bool) -> Result<(), HttpFetchError> {
    let host = url.host_str().ok_or(HttpFetchError::Url)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback_http_allowed && is_loopback(host) => {}
        _ => return Err(HttpFetchError::NotHttps),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(HttpFetchError::Credentials);
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn fault(error: &reqwest::Error) -> FetchFault {
    if error.is_timeout() {
        return FetchFault::Timeout;
    }
    let mut text = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    if error.is_body() || error.is_decode() {
        FetchFault::Body(text.into())
    } else {
        FetchFault::Connect(text.into())
    }
}

fn is_compressed(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn etag(headers: &HeaderMap) -> Option<String> {
    let etag = headers.get(header::ETAG)?.to_str().ok()?;
    (etag.len() <= MAX_ETAG_BYTES).then(|| etag.to_owned())
}

/// How much longer the answer is fresh (RFC 9111, section 4.2): `max-age` less `Age`; nothing at
/// all under `no-store` and `no-cache`.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut max_age = None;
    for value in headers.get_all(header::CACHE_CONTROL) {
        for directive in text(value).split(',').map(str::trim) {
            if directive == "no-store" || directive == "no-cache" {
                return Some(Duration::ZERO);
            }
            if let Some(seconds) = directive.strip_prefix("max-age=") {
                let seconds = seconds.trim_matches('"');
                max_age = max_age.or(Some(seconds.parse().unwrap_or(0)));
            }
        }
    }
    let age = headers.get(header::AGE).and_then(|value| text(value).trim().parse().ok());
    max_age.map(|seconds: u64| Duration::from_secs(seconds.saturating_sub(age.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_allowed_loopback_may_be_asked() {
        let check = |url: &str, loopback: bool| {
            let options = HttpFetchOptions::default();
            let options = if loopback { options.allow_loopback_http() } else { options };
            HttpFetch::new(url, &options).err().map(|error| error.to_string())
        };
        for url in ["https://issuer.example/jwks", "https://10.0.0.1:8443/a?b=c"] {
            assert_eq!(check(url, false), None, "{url}");
        }
        for url in
            ["http://localhost:1/a", "http://127.0.0.1/a", "http://127.9.9.9/", "http://[::1]/"]
        {
            assert_eq!(check(url, true), None, "{url}");
            assert_eq!(check(url, false).unwrap(), HttpFetchError::NotHttps.to_string());
        }
        for url in [
            "http://issuer.example/",
            "http://localhost.evil.example/",
            "http://10.0.0.1/",
            "http://169.254.169.254/latest",
            "ftp://localhost/",
            "file:///etc/passwd",
            "data:,x",
        ] {
            assert!(check(url, true).is_some(), "{url}");
        }
        for url in ["https://u@a.example/", "https://:p@a.example/", "https://a.example/#x"] {
            assert_eq!(check(url, true).unwrap(), HttpFetchError::Credentials.to_string());
        }
        assert_eq!(check("nonsense", true).unwrap(), HttpFetchError::Url.to_string());
    }

    #[test]
    fn freshness_is_what_the_caches_have_left() {
        let check = |lines: &[(&'static str, &'static str)], expected: Option<u64>| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(max_age(&headers), expected.map(Duration::from_secs), "{lines:?}");
        };
        check(&[], None);
        check(&[("cache-control", "public, max-age=600, must-revalidate")], Some(600));
        check(&[("cache-control", "Max-Age=600"), ("age", "100")], Some(500));
        check(&[("cache-control", "max-age=600"), ("age", "900")], Some(0));
        check(&[("cache-control", "public"), ("cache-control", "max-age=\"60\"")], Some(60));
        check(&[("cache-control", "max-age=600, no-cache")], Some(0));
        check(&[("cache-control", "no-store")], Some(0));
        check(&[("cache-control", "max-age=-1")], Some(0));
        check(&[("cache-control", "s-maxage=9")], None);
    }
}
