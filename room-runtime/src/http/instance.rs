//! What is done to the instance as a whole.

use std::collections::BTreeMap;
use std::fs;

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

/// A home that Room itself has made, in its data directory, holds nobody else's files.
fn empty_own_home(app: &App) {
    let home = &app.config.provider_home;
    if !home.starts_with(&app.config.data_dir) || *home == app.config.data_dir {
        return;
    }
    let Ok(entries) = fs::read_dir(home) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let gone = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        if let Err(error) = gone {
            tracing::error!(%error, "a file of the home was not removed");
        }
    }
}

/// How many files are there in which a provider's program keeps a sign-in.
fn credentials(app: &App) -> usize {
    let rows = app.manager.providers().iter();
    let files = rows.flat_map(|row| {
        let folder = app.config.provider_home.join(&row.home.folder);
        row.home.credentials.iter().map(move |file| folder.join(file))
    });
    files.filter(|file| file.symlink_metadata().is_ok()).count()
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
    app.sign_in.local.end_everyone();
    app.store.forget_secrets(app.now()).await?;
    let backups = backup::remove_all(&app.config.data_dir);
    empty_own_home(app);
    // Looked at, not believed.
    let devices = app.store.count_devices().await?;
    let sessions = app.store.live_sessions().await?;
    let keys = app.store.provider_keys().await?.len();
    let credentials = credentials(app);
    let ok = all_out && (devices, sessions, keys, credentials, backups) == (0, 0, 0, 0, 0);
    Ok(wire::Wiped { ok, providers, devices, sessions, keys, credentials, backups })
}
