//! The accept loop: what hyper must be told so that no client can hold a connection for nothing.
//!
//! `axum::serve` gives hyper no timer, without which its own header timeout never fires.

mod door;
mod patience;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http::header::UPGRADE;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::door::{CONNECTIONS, Door, Place};
use self::patience::Patience;
use crate::http::Front;
use crate::state::Connection;

/// How long a request's head may take to arrive; also how long an idle connection is kept.
const HEAD_WAIT: Duration = Duration::from_secs(10);

/// The most headers a request may have.
const HEADERS: usize = 64;

/// The most bytes of a head that are buffered.
const HEAD_BYTES: usize = 16 * 1024;

/// How long a connection may take to finish its answer once the server stops.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How long the loop rests when the system has no more file descriptors.
const REST: Duration = Duration::from_millis(100);

/// Serves a listening socket until told to stop; [`Door`] says who may come.
pub async fn serve(
    listener: TcpListener,
    front: Front,
    door: Arc<Door>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => return,
            place = door.places.clone().acquire_owned() => place,
        };
        let Ok(place) = place else { return };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match stream {
            Ok((stream, peer)) => {
                let Ok(ours) = stream.local_addr() else { continue };
                let connection = Connection { peer, ours };
                let Some(place) = door.admit(place, peer.ip()) else { continue };
                tasks.spawn(connect(stream, connection, place, front.clone(), stop.clone()));
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections just now");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

async fn connect(
    stream: TcpStream,
    connection: Connection,
    place: Place,
    front: Front,
    stop: CancellationToken,
) {
    // What a request clones and what it waits for are its connection's own: what all share would go
    // back and forth between the processors with each request.
    let front = Arc::new(front);
    let stop = stop.child_token();
    let service = service_fn(move |request: Request<Incoming>| {
        let front = Arc::clone(&front);
        let mut request =
            request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) });
        request.extensions_mut().insert(connection);
        if request.headers().contains_key(UPGRADE) {
            request.extensions_mut().insert(place.clone());
        }
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(Patience::default())
        .header_read_timeout(HEAD_WAIT)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES);
    let served = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(served);
    let ended = tokio::select! {
        biased;
        ended = served.as_mut() => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            tokio::time::timeout(LAST_WORDS, served).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}

fn is_of_the_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}
