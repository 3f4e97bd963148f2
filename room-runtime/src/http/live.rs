//! `GET /ws`: who may have a socket. What is said on it is [`crate::channels`]'s.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use http::HeaderValue;
use http::header::{HeaderMap, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use room_auth::Caller;

use super::error::ApiError;
use crate::channels::protocol::{PROTOCOL, TICKET_PREFIX};
use crate::channels::socket::{self, Client};
use crate::sign_in;
use crate::state::{App, AppState, Place};

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
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let caller = caller(&app, &headers)?;
    let signed_out = app.sign_in.watch(&caller.session);
    let signed_out = signed_out.ok_or_else(|| ApiError::invalid_token(false))?;
    let upgrade = upgrade.map_err(|_| {
        ApiError::bad_request("not_a_websocket", "This address is for WebSockets (RFC 6455).")
    })?;
    let place = app.sign_in.socket_place(&caller.identity);
    let client = Client { caller, signed_out, place };
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

/// By bearer (programs), or by a one-time ticket in a second subprotocol (pages): exactly one.
fn caller(app: &App, headers: &HeaderMap) -> Result<Arc<Caller>, ApiError> {
    let mut tickets = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|protocol| protocol.trim().strip_prefix(TICKET_PREFIX));
    match (sign_in::bearer(headers)?, tickets.next(), tickets.next()) {
        (Some(bearer), None, _) => app.sign_in.caller(app, bearer),
        (None, Some(ticket), None) => {
            let origin = headers.get(ORIGIN).map(HeaderValue::to_str).and_then(Result::ok);
            app.sign_in.redeem_ticket(ticket, origin, app.clock.monotonic())
        }
        (None, None, _) => Err(ApiError::sign_in_first()),
        (Some(_), Some(_), _) | (None, Some(_), Some(_)) => {
            Err(ApiError::invalid_credentials("Send one credential."))
        }
    }
}
