//! Keys instead of sign-ins: given, never shown again, taken away.

use axum::Json;
use axum::extract::{Path, State};

use super::super::activity::{self, By};
use super::super::body::Body;
use super::super::error::ApiError;
use super::super::wire;
use super::{carried_through, row, status_of};
use crate::activity::{Action, Detail};
use crate::state::AppState;

/// `PUT /api/providers/{provider}/api-key`: takes a key in the place of whatever was there.
pub(in crate::http) async fn set(
    State(app): State<AppState>,
    Path(provider): Path<String>,
    by: By,
    Body(asked): Body<wire::KeyRequest>,
) -> Result<Json<wire::KeySet>, ApiError> {
    row(&app, &provider)?;
    let intent = app.activity.intent(by, Action::SetKey, Some(&provider), Detail::none()).await?;
    let done = carried_through(&app, async move |app| {
        let wire::KeyRequest { key, replace } = asked;
        let result = app.manager.set_key(&provider, &key, replace).await.map_err(ApiError::from);
        let status = activity::ended(intent, result, |status| {
            let kind = status.key.as_ref().map(|key| key.kind.as_str());
            kind.map_or_else(Detail::none, |kind| Detail::none().method(kind))
        })
        .await?;
        Ok(wire::KeySet { ok: true, provider, status: status_of(&app, &status) })
    });
    Ok(Json(done.await?))
}

/// `DELETE /api/providers/{provider}/api-key`.
pub(in crate::http) async fn remove(
    State(app): State<AppState>,
    Path(provider): Path<String>,
    by: By,
) -> Result<Json<wire::KeyRemoved>, ApiError> {
    row(&app, &provider)?;
    let intent =
        app.activity.intent(by, Action::RemoveKey, Some(&provider), Detail::none()).await?;
    let done = carried_through(&app, async move |app| {
        let result = app.manager.remove_key(&provider).await.map_err(ApiError::from);
        let removed = activity::ended(intent, result, |_| Detail::none()).await?;
        let statuses = app.manager.status();
        let status = statuses.iter().find(|status| status.provider == provider);
        let status = status.ok_or_else(ApiError::not_found)?;
        Ok(wire::KeyRemoved { ok: true, provider, removed, status: status_of(&app, status) })
    });
    Ok(Json(done.await?))
}
