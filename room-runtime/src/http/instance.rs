//! What is done to the instance as a whole.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use super::activity::{self, By};
use super::arrive::cloud;
use super::body::Body;
use super::error::ApiError;
use super::guard::Guarded;
use super::wire;
use crate::activity::{Action, Detail};
use crate::backup::{self, stamp};
use crate::cloud::Cloud;
use crate::state::{App, AppState};

/// `POST /api/instance/backup`: a copy of the database, as `room restore` takes it.
pub(super) async fn back_up(State(app): State<AppState>, by: By) -> Result<Response, ApiError> {
    let made = backup::make_for(&app, by).await?;
    let name = format!("room-{}-{}.db", plain(&made.about.instance), stamp(made.about.made_at));
    let mut response = Response::new(axum::body::Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.sqlite3"));
    headers.insert(CONTENT_LENGTH, made.bytes.into());
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    headers.insert(CONTENT_DISPOSITION, disposition.map_err(|_| ApiError::internal())?);
    *response.body_mut() = axum::body::Body::from_stream(made.pieces());
    Ok(response)
}

/// What of a name can stand in a file's.
fn plain(name: &str) -> String {
    let keep = |letter: &char| letter.is_ascii_alphanumeric() || "-_".contains(*letter);
    name.chars().filter(keep).take(64).collect()
}

/// `POST /api/instance/wipe`: everyone's credentials and sign-ins go, and then it is checked that
/// they are gone.
pub(super) async fn wipe(
    State(app): State<AppState>,
    Extension(caller): Guarded,
    by: By,
    Body(asked): Body<wire::WipeRequest>,
) -> Result<(StatusCode, Json<wire::Wiped>), ApiError> {
    let cloud = cloud(&app)?;
    if asked.confirm != cloud.settings.instance_id {
        let detail = "Send {\"confirm\": instanceId} to wipe this Room.";
        return Err(ApiError::bad_request("not_confirmed", detail));
    }
    tracing::warn!(by = caller.identity.issuer, "this Room is being wiped");
    let intent = app.activity.intent(by, Action::Wipe, None, Detail::none()).await?;
    let done = wipe_all(&app, cloud).await;
    let wiped = activity::ended(intent, done, |_| Detail::none()).await?;
    // What is left is said; it is no success then.
    let status = if wiped.ok { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok((status, Json(wiped)))
}

async fn wipe_all(app: &App, cloud: &Cloud) -> Result<wire::Wiped, ApiError> {
    // People first, whatever the providers' programs will say.
    cloud.end_everyone(app).await?;
    let (mut providers, mut all_out) = (BTreeMap::new(), true);
    for provider in app.manager.providers() {
        let done = app.manager.wipe(&provider.id).await?;
        all_out &= done.ok;
        let wiped = wire::Disconnected::new(done, &app.config.provider_home);
        providers.insert(provider.id.clone(), wiped);
    }
    let devices = app.store.count_devices().await?;
    let ok = devices == 0 && all_out;
    Ok(wire::Wiped { ok, providers, devices })
}
