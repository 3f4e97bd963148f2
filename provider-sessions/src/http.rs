//! How this crate reaches a server (feature `http`): through the proxy and the certificate
//! authorities that the programs themselves are given, and no others.

use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy, redirect, retry};

/// A server that does not take a connection by then is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest file of certificates that is read.
const CERTIFICATES_BYTES: u64 = 1024 * 1024;

/// A client's settings, of which a caller sets the time limits: no redirect, no cookie, no second
/// try, nothing decompressed.
///
/// # Errors
/// A proxy's address that is none.
pub(crate) fn builder(environment: &[(String, String)]) -> Result<ClientBuilder, reqwest::Error> {
    let mut builder = plain();
    let value = |names: [&str; 2]| {
        let found =
            environment.iter().find(|(name, value)| names.contains(&&**name) && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    };
    let direct = value(["NO_PROXY", "no_proxy"]).and_then(NoProxy::from_string);
    let all = value(["ALL_PROXY", "all_proxy"]);
    // Only what is encrypted goes out: plain http is for loopback, which no proxy can reach.
    if let Some(proxy) = value(["HTTPS_PROXY", "https_proxy"]).or(all) {
        builder = builder.proxy(Proxy::https(proxy)?.no_proxy(direct));
    }
    for file in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        let Some(path) = value([file, file]) else { continue };
        builder = builder.tls_certs_merge(certificates(path));
    }
    Ok(builder)
}

/// A client for an address of this machine: never by a proxy.
///
/// # Errors
/// What the system says when a client cannot be made.
pub(crate) fn loopback(
    total: Duration,
    redirects: redirect::Policy,
) -> Result<Client, reqwest::Error> {
    // By name it may resolve to the other family first, and programs listen on this one.
    let here = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    plain().resolve("localhost", here).redirect(redirects).timeout(total).build()
}

fn plain() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_TIMEOUT)
}

/// Those that can be read; a program that is given the file passes over the others as well.
fn certificates(path: &str) -> Vec<Certificate> {
    let small = std::fs::metadata(path).is_ok_and(|found| found.len() <= CERTIFICATES_BYTES);
    let read = small.then(|| std::fs::read(path).ok()).flatten();
    let parsed = read.and_then(|pem| Certificate::from_pem_bundle(&pem).ok());
    parsed.unwrap_or_else(|| {
        tracing::warn!(path, "no certificates could be read");
        Vec::new()
    })
}
