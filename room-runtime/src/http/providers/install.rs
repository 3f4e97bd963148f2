//! Installs of the providers' programs.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use provider_sessions::session::INSTALL_METHOD;
use provider_sessions::{Connected, Kind};

use super::{activity, carried_through, remembered_since, row, wire};
use crate::activity::{Action, Detail};
use crate::channels;
use crate::http::activity::By;
use crate::http::error::ApiError;
use crate::http::guard::Guarded;
use crate::state::{App, AppState};
use crate::store::{LoginRow, status_name};

/// `POST /api/providers/{provider}/install`: starts an install, or joins the one that runs.
pub(in crate::http) async fn install(
    State(app): State<AppState>,
    Path(provider): Path<String>,
    Extension(caller): Guarded,
    by: By,
) -> Result<Json<wire::Connected>, ApiError> {
    row(&app, &provider)?;
    let detail = Detail::none().method(INSTALL_METHOD);
    // Nothing starts that could not be remembered.
    let intent = app.activity.intent(by, Action::Install, Some(&provider), detail).await?;
    let connected = carried_through(&app, async move |app| {
        let by = format!("{} ({})", caller.identity.subject, caller.device);
        let result = start(&app, &provider, &by).await;
        activity::ended(intent, result, |connected| {
            let view = &connected.view;
            let detail = Detail::none().method(INSTALL_METHOD).session(&view.id.to_string());
            detail.status(if connected.reused { "joined" } else { status_name(view.status) })
        })
        .await
    })
    .await?;
    tracing::info!(
        provider = connected.view.provider,
        reused = connected.reused,
        "an install was asked for"
    );
    Ok(Json(connected.into()))
}

async fn start(app: &App, provider: &str, by: &str) -> Result<Connected, ApiError> {
    let connected = app.manager.install(provider, by).await?;
    // As a sign-in: written down before the answer, or undone.
    let recorded = channels::record(app, &LoginRow::from(&connected.view)).await;
    if recorded.is_err() && !connected.reused {
        app.manager.cancel(connected.view.id).await?;
    }
    recorded?;
    Ok(connected)
}

/// `GET /api/providers/{provider}/install`: the live install, or the last one.
pub(in crate::http) async fn latest(
    State(app): State<AppState>,
    Path(provider): Path<String>,
) -> Result<Json<wire::OneSession>, ApiError> {
    let session = if let Some(view) = app.manager.latest_install(&provider)? {
        Some(wire::Session::whole(&view))
    } else {
        let since = remembered_since(&app);
        app.store.last_login(Kind::Install, &provider, since).await?.map(Into::into)
    };
    Ok(Json(wire::OneSession { session }))
}
