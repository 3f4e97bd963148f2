//! The providers and their sign-ins.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use jiff::Timestamp;
use provider_sessions::{SessionError, SessionId};
use room_auth::Permission;
use serde::Deserialize;

use super::body::Body;
use super::error::ApiError;
use super::guard::Guarded;
use super::wire;
use crate::channels::Audience;
use crate::state::{App, AppState};
use crate::store::LoginRow;

/// `GET /api/providers`: what there is to sign in.
pub(super) async fn table(State(app): State<AppState>) -> Json<wire::Providers> {
    let providers = app.manager.providers().iter().map(|row| (&**row).into()).collect();
    Json(wire::Providers { providers })
}

/// The query of `GET /api/providers/status`.
#[derive(Deserialize)]
pub(super) struct Asked {
    refresh: Option<String>,
}

/// `GET /api/providers/status`: from memory; a program is only asked for managers who want it.
pub(super) async fn statuses(
    State(app): State<AppState>,
    Extension(caller): Guarded,
    Query(Asked { refresh }): Query<Asked>,
) -> Result<Json<wire::Statuses>, ApiError> {
    if refresh.as_deref() == Some("1") {
        if !caller.may(Permission::ProvidersManage) {
            return Err(ApiError::not_allowed());
        }
        let rows = app.manager.providers();
        let asked = rows.iter().map(|row| app.manager.verify(&row.id));
        for answer in futures_util::future::join_all(asked).await {
            answer.map_err(ApiError::from)?;
        }
    }
    Ok(Json(of_all(&app, Audience::of(&caller))))
}

/// How all providers stand, as an audience may see it.
pub(super) fn of_all(app: &App, audience: Audience) -> wire::Statuses {
    app.publisher.statuses(&app.manager.status(), audience)
}

/// `POST /api/providers/{provider}/connect`: starts a sign-in, or joins the one that runs.
pub(super) async fn connect(
    State(app): State<AppState>,
    Path(provider): Path<String>,
    Extension(caller): Guarded,
    Body(asked): Body<wire::ConnectRequest>,
) -> Result<Json<wire::Connected>, ApiError> {
    // Nothing starts that could not be remembered.
    app.store.check_writable().await?;
    let task_app = app.clone();
    let connected = app.tasks.spawn(async move {
        let by = format!("{} ({})", caller.identity.subject, caller.device);
        let wire::ConnectRequest { method, in_place } = asked;
        let connected =
            task_app.manager.connect(&provider, method.as_deref(), &by, in_place).await?;
        // What was acknowledged is there after a kill: written before the answer, or undone.
        let recorded = task_app.store.record_login(&LoginRow::from(&connected.view)).await;
        if recorded.is_err() && !connected.reused {
            task_app.manager.cancel(connected.view.id).await?;
        }
        recorded?;
        Ok::<_, ApiError>(connected)
    });
    let connected = connected.await.map_err(|_| ApiError::internal())??;
    tracing::info!(
        provider = connected.view.provider,
        method = connected.view.method,
        reused = connected.reused,
        "a sign-in was asked for"
    );
    Ok(Json(connected.into()))
}

/// `GET /api/providers/{provider}/session`: the live sign-in, or the last one.
pub(super) async fn latest(
    State(app): State<AppState>,
    Path(provider): Path<String>,
) -> Result<Json<wire::OneSession>, ApiError> {
    let session = match app.manager.latest(&provider)? {
        Some(view) => Some(wire::Session::whole(&view)),
        None => app.store.last_login(&provider, remembered_since(&app)).await?.map(Into::into),
    };
    Ok(Json(wire::OneSession { session }))
}

/// `GET /api/providers/sessions/{id}`.
pub(super) async fn session(
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<wire::OneSession>, ApiError> {
    let id = parse(&id)?;
    let session = if let Some(session) = app.manager.with_session(id, wire::Session::whole) {
        session
    } else {
        let row = app.store.login(&id.to_string(), remembered_since(&app)).await?;
        row.ok_or_else(ApiError::not_found)?.into()
    };
    Ok(Json(wire::OneSession { session: Some(session) }))
}

/// `POST /api/providers/sessions/{id}/input`: the pasted code.
pub(super) async fn input(
    State(app): State<AppState>,
    Path(id): Path<String>,
    Body(asked): Body<wire::InputRequest>,
) -> Result<Json<wire::OneSession>, ApiError> {
    if asked.raw {
        let detail = "Raw input is not in this build.";
        return Err(ApiError::unprocessable("raw_input_unavailable", detail));
    }
    let view = app.manager.input(parse(&id)?, &asked.text)?;
    Ok(Json(wire::OneSession { session: Some(wire::Session::whole(&view)) }))
}

/// `POST /api/providers/sessions/{id}/cancel`: answers when nothing of it runs any more.
pub(super) async fn cancel(
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<wire::OneSession>, ApiError> {
    let view = app.manager.cancel(parse(&id)?).await?;
    Ok(Json(wire::OneSession { session: Some(wire::Session::whole(&view)) }))
}

/// `POST /api/providers/{provider}/disconnect`: signs out, then asks whether that is true.
pub(super) async fn disconnect(
    State(app): State<AppState>,
    Path(provider): Path<String>,
) -> Result<Json<wire::Disconnected>, ApiError> {
    let done = app.manager.disconnect(&provider).await?;
    tracing::info!(provider, ok = done.ok, "a sign-out was asked for");
    Ok(Json(wire::Disconnected::new(done, &app.config.provider_home)))
}

/// `POST /api/providers/{provider}/verify`: asks the program itself.
pub(super) async fn verify(
    State(app): State<AppState>,
    Path(provider): Path<String>,
) -> Result<Json<wire::Checked>, ApiError> {
    let status = app.manager.verify(&provider).await?;
    let ok = status.connected.is_some();
    let mut all: BTreeMap<_, _> = app.publisher.statuses(&[status], Audience::Managers).providers;
    let status = all.remove(&provider).ok_or_else(ApiError::internal)?;
    Ok(Json(wire::Checked { ok, provider, status }))
}

fn parse(id: &str) -> Result<SessionId, ApiError> {
    id.parse().map_err(|_| ApiError::not_found())
}

/// Sign-ins of earlier runs are shown for as long as finished ones of this run.
fn remembered_since(app: &App) -> Timestamp {
    app.now() - app.config.login_kept
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        let detail = sentence(&error.to_string());
        match &error {
            SessionError::UnknownProvider | SessionError::UnknownSession => Self::not_found(),
            SessionError::UnknownMethod => Self::bad_request("unknown_method", detail),
            SessionError::NotInstalled { program, command } => {
                Self::conflict("not_installed", detail)
                    .also("program", program.as_str())
                    .also("install", serde_json::json!({ "command": command }))
            }
            SessionError::WouldSignOut { .. } => Self::conflict("would_sign_out", detail),
            SessionError::Over => Self::conflict("session_over", detail),
            SessionError::NotAsked => Self::conflict("not_asked", detail),
            SessionError::BadPaste(why) => Self::unprocessable(why.code(), detail),
            SessionError::Stopping => {
                Self::unavailable("stopping", "Room is stopping.", Duration::from_secs(2))
            }
        }
    }
}

/// An error's fragment as a sentence for a person.
fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let text: String = first.chain(letters).collect();
    if text.ends_with('.') { text } else { text + "." }
}
