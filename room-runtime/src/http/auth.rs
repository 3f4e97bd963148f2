//! The dashboard's own sign-in in local mode.

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::header::{HeaderMap, ORIGIN, SET_COOKIE};
use http::{StatusCode, Uri};
use jiff::Timestamp;
use room_auth::Caller;
use room_auth::handshake::{self, RequestFault};
use room_auth::onetime::Refused;

use super::activity::{self, By};
use super::body::{self, Body};
use super::error::ApiError;
use super::guard::Guarded;
use super::wire;
use crate::activity::{Action, Actor, Detail, Outcome};
use crate::config::LocalHandshake;
use crate::proc_net;
use crate::sign_in::cookie;
use crate::sign_in::ends::End;
use crate::sign_in::local::PROGRAM;
use crate::state::{AppState, Connection};

/// What a browser that signs in by a link is called.
const BROWSER: &str = "browser";

/// `POST /api/auth/handshake`: trades the one-time code of the link for a bearer.
pub(super) async fn handshake(
    State(app): State<AppState>,
    Extension(connection): Extension<Connection>,
    request: Request,
) -> Result<Json<wire::Handshake>, ApiError> {
    let result = signed_in(&app, connection, request).await;
    if let Err(error) = &result
        && !error.is_ours()
    {
        app.activity.refused(connection.peer.ip(), error.code());
    }
    result
}

async fn signed_in(
    app: &AppState,
    connection: Connection,
    request: Request,
) -> Result<Json<wire::Handshake>, ApiError> {
    check_page(app, request.headers(), request.uri())?;
    let wire::HandshakeRequest { code } = Body::from_request(request, &()).await?.0;
    check_user(connection).await?;
    match (code, app.config.handshake) {
        (Some(code), _) => check_code(app, connection, &code)?,
        (None, LocalHandshake::SameUid) => {}
        (None, LocalHandshake::Code) => {
            let detail = "Open Room with a one-time link: run `room open`.";
            return Err(ApiError::bad_request("code_missing", detail));
        }
    }
    let actor = Actor::owner(BROWSER).at(connection.peer.ip());
    let intent = app.activity.intent(actor, Action::SignIn, None, Detail::none()).await?;
    let result = app.sign_in.local.sign_in(app, BROWSER.into()).await.map_err(ApiError::from);
    let (token, caller) = activity::ended(intent, result, |_| Detail::none()).await?;
    tracing::info!("a browser signed in");
    let expires_at = caller.expires_at.and_then(|at| Timestamp::try_from(at).ok());
    let expires_at = wire::time(expires_at.unwrap_or_else(|| app.now()));
    Ok(Json(wire::Handshake { token: token.expose().into(), expires_at }))
}

/// Whether the request was sent by our own page.
fn check_page(app: &AppState, headers: &HeaderMap, target: &Uri) -> Result<(), ApiError> {
    let page = handshake::check_request(&app.site, headers, target);
    if let Err(fault) = page {
        let code = match fault {
            RequestFault::Host(_) | RequestFault::Origin(_) | RequestFault::FetchSite => {
                "not_our_page"
            }
            RequestFault::Forwarded => "behind_a_proxy",
            RequestFault::Mark => "handshake_header_missing",
        };
        return Err(refused(code, "Only a page that this Room served may sign in here."));
    }
    Ok(())
}

/// One look at the machine's connections at a time: with thousands of them it is long work.
static LOOK: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Whether it was sent by a program of our own user, on this computer.
async fn check_user(connection: Connection) -> Result<(), ApiError> {
    let Connection { peer, ours } = connection;
    if !peer.ip().is_loopback() {
        return Err(refused("not_this_computer", "Only this computer may sign in here."));
    }
    if cfg!(target_os = "linux") {
        let _one = LOOK.lock().await;
        let owner = tokio::task::spawn_blocking(move || proc_net::owner_of_connection(peer, ours));
        let owner = owner.await.ok().flatten();
        if owner != Some(rustix::process::geteuid().as_raw()) {
            tracing::warn!(?owner, "a sign-in from another user of this computer was refused");
            let detail = "Only the user who started this Room may sign in here.";
            return Err(refused("not_same_user", detail));
        }
    }
    Ok(())
}

/// Whether a code is good. Failures are counted, and a good code is never refused for them.
fn check_code(app: &AppState, connection: Connection, code: &str) -> Result<(), ApiError> {
    let now = app.clock.monotonic();
    let Err(why) = app.sign_in.local.redeem_code(code, now) else { return Ok(()) };
    if let Err(wait) = app.sign_in.failed(connection.peer.ip(), now) {
        return Err(ApiError::too_many("Too many wrong links; wait a moment.", wait));
    }
    tracing::info!(%why, "a one-time code was refused");
    let (code, detail) = match why {
        Refused::Unknown => {
            ("code_unknown", "This link is not from the Room that runs now. Run `room open`.")
        }
        Refused::Used => ("code_used", "This link was used already. Run `room open` for another."),
        Refused::Expired => ("code_expired", "This link is too old. Run `room open` for another."),
    };
    Err(ApiError::refused_code(code, detail))
}

fn refused(code: &'static str, detail: &'static str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, code, detail)
}

/// `GET /api/auth/verify`: who the caller is and what they may do.
pub(super) async fn verify(
    State(app): State<AppState>,
    Extension(caller): Guarded,
) -> Result<Response, ApiError> {
    let written = || {
        let instance = app.config.instance_id.as_deref();
        let view = wire::Verified::new(&caller, instance, app.config.mode());
        serde_json::to_vec(&view).map(Bytes::from).ok()
    };
    // Callers by token and by bearer are the same ones each time, and clients ask often. Each
    // request by cookie has one of its own.
    let bytes = if app.cloud.is_none() || caller.token.is_some() {
        app.verified.get(&caller, written)
    } else {
        written()
    };
    let bytes = bytes.ok_or_else(ApiError::internal)?;
    Ok(body::json(bytes))
}

/// `DELETE /api/auth/session`: ends the caller's own sign-in, and its sockets.
pub(super) async fn sign_out(
    State(app): State<AppState>,
    Extension(caller): Guarded,
    by: By,
) -> Result<Response, ApiError> {
    let Caller { session, token, .. } = &*caller;
    if session == PROGRAM || token.is_some() {
        let detail = "A token ends by itself; there is no session to end.";
        return Err(ApiError::conflict("not_a_session", detail));
    }
    let mut response = Json(wire::Done { ok: true }).into_response();
    match app.cloud.as_ref().filter(|cloud| cloud.device(session).is_some()) {
        None => app.sign_in.local.end(&app, session).await,
        Some(cloud) => {
            response.headers_mut().insert(SET_COOKIE, cookie::clear());
            // Who wants out is out; the disk is said to be behind in the log.
            if let Err(error) = cloud.end_device(&app, session, End::SignedOut).await {
                tracing::warn!(%error, "the end of a sign-in was not written down");
            }
        }
    }
    let (action, ok) = (Action::SignOut, Outcome::Ok);
    app.activity.note(Some(by.into()), action, ok, None, Detail::none()).await;
    tracing::info!("a browser signed out");
    Ok(response)
}

/// `POST /api/auth/ws-ticket`: a ticket for one socket, good from the same Origin.
pub(super) async fn ticket(
    State(app): State<AppState>,
    Extension(caller): Guarded,
    headers: HeaderMap,
) -> Result<Json<wire::Ticket>, ApiError> {
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let (ticket, life) = app.sign_in.issue_ticket(caller, origin, app.clock.monotonic())?;
    let expires_at: Timestamp = app.now() + life;
    Ok(Json(wire::Ticket { ticket: ticket.expose().into(), expires_at: wire::time(expires_at) }))
}
