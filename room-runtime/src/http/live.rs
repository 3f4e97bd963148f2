//! `GET /ws`: who may have a socket. What is said on it is [`crate::channels`]'s.

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use http::header::{HeaderMap, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;

use super::error::ApiError;
use crate::channels::protocol::{PROTOCOL, TICKET_PREFIX};
use crate::channels::socket::{self, Client};
use crate::limits::Group;
use crate::state::{AppState, Place};

/// What a socket may hold of what comes in, and of what goes out before it must be flushed. The
/// library's own sizes cost 134 KiB a socket.
const READ_BYTES: usize = 4 * 1024;
const WRITE_BYTES: usize = 16 * 1024;
const WRITE_BYTES_AT_MOST: usize = 256 * 1024;

/// The longest message a client may send.
const MESSAGE_BYTES: usize = 16 * 1024;

/// Lets a caller have a socket. Host and Origin were asked before, as for every request.
pub(super) async fn open(
    State(app): State<AppState>,
    connection: Option<Extension<Place>>,
    parts: Parts,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let caller = app.sign_in.authenticate_socket(&app, &parts, ticket(&parts.headers)?).await?;
    app.limits.person(Group::Socket, &caller.identity)?;
    let watch = app.sign_in.watch(&app, &caller);
    let watch = watch.ok_or_else(|| ApiError::invalid_token(false))?;
    let upgrade = upgrade.map_err(|_| {
        ApiError::bad_request("not_a_websocket", "This address is for WebSockets (RFC 6455).")
    })?;
    let place = app.sign_in.socket_place(&caller);
    let client = Client { caller, watch, place };
    let task = app.tasks.token();
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_write_buffer_size(WRITE_BYTES_AT_MOST)
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| async move {
        socket::serve(socket, app, client).await;
        drop((task, connection));
    }))
}

/// The one-time ticket in a second subprotocol, the one header a page may set.
fn ticket(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut tickets = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|protocol| protocol.trim().strip_prefix(TICKET_PREFIX));
    match (tickets.next(), tickets.next()) {
        (ticket, None) => Ok(ticket),
        _ => Err(ApiError::invalid_credentials("Send one credential.")),
    }
}
