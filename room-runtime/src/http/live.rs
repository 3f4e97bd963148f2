//! `GET /ws`: who may have a socket. What is said on it is [`crate::channels`]'s.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sha1::{Digest as _, Sha1};
use tokio::net::TcpStream;

use super::error::ApiError;
use crate::accept::Place;
use crate::channels::connection::Connection;
use crate::channels::protocol::{PROTOCOL, TICKET_PREFIX};
use crate::channels::socket::{self, Client};
use crate::limits::Group;
use crate::state::AppState;

/// Proves to a client that we know the protocol (RFC 6455, section 1.3).
const ACCEPT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Lets a caller have a socket. Host and Origin were asked before, as for every request.
pub(super) async fn open(
    State(app): State<AppState>,
    place: Option<Extension<Place>>,
    mut parts: Parts,
) -> Result<Response, ApiError> {
    let caller = app.sign_in.authenticate_socket(&app, &parts, ticket(&parts.headers)?).await?;
    app.limits.person(Group::Socket, &caller.identity)?;
    let watch = app.sign_in.watch(&app, &caller);
    let watch = watch.ok_or_else(|| ApiError::invalid_token(false))?;
    let (answer, upgrade) = handshake(&mut parts).ok_or_else(|| {
        ApiError::bad_request("not_a_websocket", "This address is for WebSockets (RFC 6455).")
    })?;
    let client = Client { watch, place: app.sign_in.socket_place(&caller), caller };
    app.tasks.clone().spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        // No wrapper of a wrapper stays around the socket, nor any buffer of the request's.
        let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else { return };
        let connection = Connection::new(parts.io.into_inner(), &parts.read_buf);
        drop(parts.read_buf);
        socket::serve(connection, app, client).await;
        drop(place);
    });
    Ok(answer)
}

/// Our side of the opening handshake (RFC 6455, section 4.2); `None` if it is none.
fn handshake(parts: &mut Parts) -> Option<(Response, OnUpgrade)> {
    let headers = &parts.headers;
    let says =
        |name, word: &str| values(headers, name).any(|value| value.eq_ignore_ascii_case(word));
    if parts.version != Version::HTTP_11
        || !says(CONNECTION, "upgrade")
        || !says(UPGRADE, "websocket")
        || !says(SEC_WEBSOCKET_VERSION, "13")
    {
        return None;
    }
    let key = headers.get(SEC_WEBSOCKET_KEY)?.as_bytes();
    if BASE64.decode(key).ok()?.len() != 16 {
        return None;
    }
    let accept = BASE64.encode(Sha1::new().chain_update(key).chain_update(ACCEPT).finalize());
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let said = answer.headers_mut();
    said.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    said.insert(UPGRADE, HeaderValue::from_static("websocket"));
    said.insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::try_from(accept).ok()?);
    if values(headers, SEC_WEBSOCKET_PROTOCOL).any(|protocol| protocol == PROTOCOL) {
        said.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    }
    Some((answer, parts.extensions.remove::<OnUpgrade>()?))
}

/// The one-time ticket in a second subprotocol, the one header a page may set.
fn ticket(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let protocols = values(headers, SEC_WEBSOCKET_PROTOCOL);
    let mut tickets = protocols.filter_map(|protocol| protocol.strip_prefix(TICKET_PREFIX));
    match (tickets.next(), tickets.next()) {
        (ticket, None) => Ok(ticket),
        _ => Err(ApiError::invalid_credentials("Send one credential.")),
    }
}

/// What a header lists, in however many lines.
fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}
