//! The providers and their sign-ins.

pub(super) mod install;
pub(super) mod keys;
pub(super) mod written;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use jiff::Timestamp;
use provider_sessions::{ConnectOptions, Connected, Kind, Provider, SessionError, SessionId};
use room_auth::Permission;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::activity::{self, By};
use super::body::{self, Body};
use super::error::ApiError;
use super::guard::Guarded;
use super::wire;
use crate::activity::{Action, Detail, Outcome};
use crate::channels::{self, Audience};
use crate::state::{App, AppState};
use crate::store::{LoginRow, status_name};

/// `GET /api/providers`: what there is to sign in.
pub(super) async fn table(State(app): State<AppState>) -> Json<wire::Providers> {
    let providers = app.manager.shown().iter().map(|row| (&**row).into()).collect();
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
) -> Result<Response, ApiError> {
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
    let audience = Audience::of(&caller);
    let written = app.manager.with_status(|statuses| {
        let make = || app.publisher.statuses(statuses, audience);
        app.written_statuses.get(statuses, audience, make)
    });
    written.map(body::json).map_err(|_| ApiError::internal())
}

/// How all providers stand, as an audience may see it.
pub(super) fn of_all(app: &App, audience: Audience) -> wire::Statuses {
    app.manager.with_status(|statuses| app.publisher.statuses(statuses, audience))
}

/// `POST /api/providers/{provider}/connect`: starts a sign-in, or joins the one that runs.
pub(super) async fn connect(
    State(app): State<AppState>,
    Path(provider): Path<String>,
    Extension(caller): Guarded,
    by: By,
    Body(asked): Body<wire::ConnectRequest>,
) -> Result<Json<wire::Connected>, ApiError> {
    let row = row(&app, &provider)?;
    let method = row.method(asked.method.as_deref());
    let detail = method.map_or_else(Detail::none, |method| Detail::none().method(&method.id));
    // Nothing starts that could not be remembered.
    let intent = app.activity.intent(by, Action::Connect, Some(&provider), detail).await?;
    let connected = carried_through(&app, async move |app| {
        let by = format!("{} ({})", caller.identity.subject, caller.device);
        let result = start(&app, &provider, asked, &by).await;
        activity::ended(intent, result, |connected| {
            let view = &connected.view;
            let detail = Detail::none().method(&view.method).session(&view.id.to_string());
            detail.status(if connected.reused { "joined" } else { status_name(view.status) })
        })
        .await
    })
    .await?;
    tracing::info!(
        provider = connected.view.provider,
        method = connected.view.method,
        reused = connected.reused,
        "a sign-in was asked for"
    );
    Ok(Json(connected.into()))
}

async fn start(
    app: &App,
    provider: &str,
    asked: wire::ConnectRequest,
    by: &str,
) -> Result<Connected, ApiError> {
    let wire::ConnectRequest { method, email, in_place } = asked;
    let options = ConnectOptions { method, email, in_place };
    let connected = app.manager.connect(provider, options, by).await?;
    // What was acknowledged is there after a kill: written before the answer, or undone.
    let recorded = channels::record(app, &LoginRow::from(&connected.view)).await;
    if recorded.is_err() && !connected.reused {
        app.manager.cancel(connected.view.id).await?;
    }
    recorded?;
    Ok(connected)
}

/// `GET /api/providers/{provider}/session`: the live sign-in, or the last one.
pub(super) async fn latest(
    State(app): State<AppState>,
    Path(provider): Path<String>,
) -> Result<Json<wire::OneSession>, ApiError> {
    let session = if let Some(view) = app.manager.latest(&provider)? {
        Some(wire::Session::whole(&view))
    } else {
        let since = remembered_since(&app);
        app.store.last_login(Kind::SignIn, &provider, since).await?.map(Into::into)
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

/// `POST /api/providers/sessions/{id}/input`: the pasted code, or a line for a program that Room
/// does not understand. The log says that there was one, not what it was.
pub(super) async fn input(
    State(app): State<AppState>,
    Path(id): Path<String>,
    Extension(caller): Guarded,
    by: By,
    Body(asked): Body<wire::InputRequest>,
) -> Result<Json<wire::OneSession>, ApiError> {
    // What is typed as it is goes to a program on the machine: only its owner may.
    if asked.raw && !caller.may(Permission::InstanceManage) {
        return Err(ApiError::not_allowed());
    }
    let id = parse(&id)?;
    let (provider, detail) = about(&app, id)?;
    let action = if asked.raw { Action::Answer } else { Action::Input };
    let intent = app.activity.intent(by, action, Some(&provider), detail).await?;
    let result = if asked.raw {
        app.manager.input_raw(id, &asked.text)
    } else {
        app.manager.input(id, asked.text.expose_secret())
    };
    let result = result.map_err(ApiError::from);
    let view = activity::ended(intent, result, |_| Detail::none()).await?;
    Ok(Json(wire::OneSession { session: Some(wire::Session::whole(&view)) }))
}

/// `POST /api/providers/sessions/{id}/cancel`: answers when nothing of it runs any more. Whether
/// the log can be written makes no difference.
pub(super) async fn cancel(
    State(app): State<AppState>,
    Path(id): Path<String>,
    by: By,
) -> Result<Json<wire::OneSession>, ApiError> {
    let id = parse(&id)?;
    let (provider, detail) = about(&app, id)?;
    let view = carried_through(&app, async move |app| {
        let result = app.manager.cancel(id).await.map_err(ApiError::from);
        let (outcome, more) =
            activity::outcome(&result, |view| detail.status(status_name(view.status)));
        app.activity.note(Some(by.into()), Action::Cancel, outcome, Some(&provider), more).await;
        result
    })
    .await?;
    Ok(Json(wire::OneSession { session: Some(wire::Session::whole(&view)) }))
}

/// `POST /api/providers/{provider}/disconnect`: signs out, then asks whether that is true. It
/// happens even if the log cannot be written.
pub(super) async fn disconnect(
    State(app): State<AppState>,
    Path(provider): Path<String>,
    by: By,
) -> Result<Json<wire::Disconnected>, ApiError> {
    row(&app, &provider)?;
    let home = app.config.provider_home.clone();
    let done = carried_through(&app, async move |app| {
        let (log, about) = (&app.activity, Some(&*provider));
        let intent = log.intent_if_possible(by, Action::Disconnect, about, Detail::none()).await;
        match app.manager.disconnect(&provider).await {
            Ok(done) if done.ok => {
                intent.ok_with(Detail::none().count(done.removed.len() as u64)).await;
                Ok(done)
            }
            Ok(done) => {
                intent.failed(Detail::none().reason("still_signed_in")).await;
                Ok(done)
            }
            Err(error) => {
                activity::ended(intent, Err(ApiError::from(error)), |_| Detail::none()).await
            }
        }
    })
    .await?;
    tracing::info!(ok = done.ok, "a sign-out was asked for");
    Ok(Json(wire::Disconnected::new(done, &home)))
}

/// `POST /api/providers/{provider}/verify`: asks the program itself.
pub(super) async fn verify(
    State(app): State<AppState>,
    Path(provider): Path<String>,
    by: By,
) -> Result<Json<wire::Checked>, ApiError> {
    row(&app, &provider)?;
    let status = app.manager.verify(&provider).await?;
    let (outcome, detail) = match status.connected {
        Some(true) => (Outcome::Ok, Detail::none().status("connected")),
        Some(false) => (Outcome::Ok, Detail::none().status("disconnected")),
        None => (Outcome::Failed, Detail::none().reason("no_answer")),
    };
    app.activity.note(Some(by.into()), Action::Verify, outcome, Some(&provider), detail).await;
    let ok = status.connected.is_some();
    // The program only says that there is a key; whether it is good, the vendor knows.
    let key = app.manager.check_key(&provider).await?;
    let status = app.manager.status().into_iter().find(|one| one.provider == provider);
    let status = status.ok_or_else(ApiError::not_found)?;
    let status = status_of(&app, &status);
    Ok(Json(wire::Checked { ok, provider, status, key: key.map(Into::into) }))
}

/// How one provider stands, for a manager.
fn status_of(app: &App, status: &provider_sessions::ProviderStatus) -> wire::ProviderStatus {
    app.publisher.status_of(status, Audience::Managers)
}

/// A provider of that name, before anything of it is written down.
fn row(app: &App, provider: &str) -> Result<Arc<Provider>, ApiError> {
    let row = app.manager.providers().iter().find(|row| row.id == provider);
    row.cloned().ok_or_else(ApiError::not_found)
}

/// What the log says of a sign-in: of which provider, and which it is.
fn about(app: &App, id: SessionId) -> Result<(String, Detail), ApiError> {
    let provider = app.manager.with_session(id, |view| view.provider.clone());
    let detail = Detail::none().session(&id.to_string());
    Ok((provider.ok_or_else(ApiError::not_found)?, detail))
}

/// Does something to its end, and writes down how it went, though the client may go away meanwhile.
async fn carried_through<T: Send + 'static, F>(
    app: &AppState,
    work: impl FnOnce(AppState) -> F,
) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, ApiError>> + Send + 'static,
{
    app.tasks.spawn(work(app.clone())).await.map_err(|_| ApiError::internal())?
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
            SessionError::NotInstallable { command, .. } => {
                Self::conflict("not_installable", detail)
                    .also("install", serde_json::json!({ "command": command }))
            }
            SessionError::SigningIn { .. } => Self::conflict("login_running", detail),
            SessionError::Installing { .. } => Self::conflict("install_running", detail),
            SessionError::Over => Self::conflict("session_over", detail),
            SessionError::NotAsked => Self::conflict("not_asked", detail),
            SessionError::NotStuck => Self::conflict("not_stuck", detail),
            SessionError::BadAnswer => Self::unprocessable("bad_answer", detail),
            SessionError::BadEmail => Self::unprocessable("bad_email", detail),
            SessionError::SignInOpen => Self::conflict("sign_in_open", detail),
            SessionError::NoKeys => Self::conflict("no_keys", detail),
            SessionError::BadKey { .. } => Self::unprocessable("key_format", detail),
            SessionError::KeyNotStored { .. } => Self::conflict("key_not_stored", detail),
            SessionError::KeyNotRemoved { .. } => Self::conflict("key_not_removed", detail),
            SessionError::KeyFromSettings => Self::conflict("key_injected", detail),
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
