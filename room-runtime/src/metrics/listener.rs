//! Where the numbers are read: a listener of its own, for programs on this machine or its private
//! network. The public port knows nothing of it.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::text::MEDIA_TYPE;
use crate::config::{Bind, MetricsBind};
use crate::http::checks;
use crate::listen::{ListenError, listen};
use crate::state::AppState;

/// How many readers there may be at once; more wait in the kernel.
const READERS: usize = 4;

/// How long a reader may take to ask, and to take its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the address.
///
/// # Errors
/// The system refuses, someone else has it, or it is none of a private network.
pub fn bind(wanted: &MetricsBind) -> Result<TcpListener, ListenError> {
    let address = match wanted {
        MetricsBind::Address(address) => *address,
        MetricsBind::Fly(port) => fly_address(*port)?,
    };
    let sockets = listen(&Bind::Only(address.ip()), &[address.ip()], address.port())?.sockets;
    Ok(sockets.into_iter().next().expect("one address gives one socket"))
}

/// A Fly machine's own address in its organisation's network; it stands in `/etc/hosts`.
fn fly_address(port: u16) -> Result<SocketAddr, ListenError> {
    let unspecified = SocketAddr::new(IpAddr::from([0; 16]), port);
    let refused = |source| ListenError::Refused { address: unspecified, source };
    let found = (MetricsBind::FLY_NAME, port).to_socket_addrs().map_err(refused)?;
    let private = found.into_iter().find(|address| MetricsBind::is_private(address.ip()));
    private.ok_or_else(|| {
        let text = format!("{} is no private address", MetricsBind::FLY_NAME);
        refused(std::io::Error::other(text))
    })
}

/// Serves the numbers until the server stops.
pub async fn serve(listener: TcpListener, app: AppState) {
    let readers = Arc::new(Semaphore::new(READERS));
    loop {
        let accepted = async {
            let place = readers.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            () = app.stop.cancelled() => return,
            accepted = accepted => accepted,
        };
        let Ok((stream, _)) = stream else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let reader = app.clone();
        app.tasks.spawn(async move {
            let _place = place;
            let service = service_fn(|request| {
                let app = reader.clone();
                async move { Ok::<_, Infallible>(answer(&app, &request).await) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false);
            let served = http.serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = reader.stop.cancelled() => {}
                _ = tokio::time::timeout(2 * PATIENCE, served) => {}
            }
        });
    }
}

async fn answer(app: &AppState, request: &Request<Incoming>) -> Response<String> {
    let refused = |status: StatusCode| {
        let mut response = Response::new(format!("{status}\n"));
        *response.status_mut() = status;
        response
    };
    if is_of_a_page(request.headers()) {
        return refused(StatusCode::MISDIRECTED_REQUEST);
    }
    if request.uri().path() != "/metrics" {
        return refused(StatusCode::NOT_FOUND);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refused(StatusCode::METHOD_NOT_ALLOWED);
    }
    let checks = checks(app).await;
    let reading = app.clone();
    let text = tokio::task::spawn_blocking(move || super::render(&reading, &checks)).await;
    let Ok(text) = text else { return refused(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut response = Response::new(text);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a page in a browser may be asking. Prometheus says no Origin and asks by an address or a
/// name of its own network; a page that makes its public name lead here (DNS rebinding) says that
/// name.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return true };
    let Some(host) = host.to_str().ok().and_then(|host| host.parse::<http::uri::Authority>().ok())
    else {
        return true;
    };
    let name = host.host().to_ascii_lowercase();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let is_near = bare.parse::<IpAddr>().is_ok()
        || !bare.contains('.')
        || [".internal", ".local", ".localhost"].iter().any(|end| bare.ends_with(end));
    let by_a_browser = headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site");
    !is_near || by_a_browser
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_apart_from_programs_of_the_network() {
        let asks = |rows: &[(&'static str, &'static str)]| {
            let rows = rows.iter().map(|(name, value)| {
                (http::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            is_of_a_page(&rows.collect())
        };
        for near in
            ["127.0.0.1:9091", "[::1]:9091", "localhost", "room:9091", "x.vm.app.internal:9091"]
        {
            assert!(!asks(&[("host", near)]), "{near}");
        }
        for far in ["evil.example:9091", "127.0.0.1.evil.example", "a b", "127.0.0.1."] {
            assert!(asks(&[("host", far)]), "{far}");
        }
        assert!(asks(&[]));
        assert!(asks(&[("host", "127.0.0.1"), ("origin", "http://127.0.0.1")]));
        assert!(asks(&[("host", "127.0.0.1"), ("sec-fetch-site", "none")]));
    }
}
