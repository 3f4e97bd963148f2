//! Is the process alive, is it fit to serve. Names only, and no Host rule: health checks ask the
//! machine's own address.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use room_auth::jwks::KeyState;
use serde_json::json;

use crate::machine;
use crate::state::{App, AppState};

/// How long an answer of the database is good for: nobody can make us ask it more often.
const FRESH: Duration = Duration::from_secs(1);

/// How long the database may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// With less room than this a sign-in may soon not be storable.
const LOW_DISK_BYTES: u64 = 64 * 1024 * 1024;

/// With less than this the next row may not fit.
const FULL_DISK_BYTES: u64 = 256 * 1024;

/// What the database said when a row was last written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is on the disk.
    Yes,
    /// The database does not take it, or does not answer.
    No,
    /// The disk does not: it is full, read-only or broken.
    DiskRefused,
}

/// `GET /healthz`: the process and its loop are alive.
pub(super) async fn healthz() -> &'static str {
    "ok"
}

/// `GET /readyz`: the database can be written, and we are not going away.
pub(super) async fn readyz(State(app): State<AppState>) -> Response {
    let Checks { failed, degraded } = checks(&app).await;
    let ready = failed.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": ready, "failed": failed, "degraded": degraded });
    (status, Json(body)).into_response()
}

/// What is wrong with us, by name.
#[derive(Debug, Default)]
pub struct Checks {
    /// With any of these we should not be asked.
    pub failed: Vec<&'static str>,
    /// With these we still serve.
    pub degraded: Vec<&'static str>,
}

impl Checks {
    /// Every check there is.
    pub const NAMES: [&str; 4] = ["database", "disk", "draining", "keys"];
}

/// Looks at everything; asks the database at most once a second.
pub async fn checks(app: &App) -> Checks {
    let (mut failed, mut degraded) = (Vec::new(), Vec::new());
    if app.stop.is_cancelled() {
        failed.push("draining");
    }
    let written = written(app).await;
    if written != Written::Yes {
        failed.push("database");
    }
    if app.set_aside {
        degraded.push("database");
    }
    let free = machine::storage(&app.config.data_dir, &[]).free_bytes;
    if written == Written::DiskRefused || free.is_some_and(|free| free < FULL_DISK_BYTES) {
        failed.push("disk");
    } else if free.is_some_and(|free| free < LOW_DISK_BYTES) {
        degraded.push("disk");
    }
    let keys = app.cloud.as_ref().map(|cloud| cloud.trust.health()).unwrap_or_default();
    if keys.iter().any(|(_, health)| health.state != KeyState::Fresh) {
        degraded.push("keys");
    }
    Checks { failed, degraded }
}

async fn written(app: &App) -> Written {
    let mut last = app.written.lock().await;
    if let Some((at, answer)) = *last
        && at.elapsed() < FRESH
    {
        return answer;
    }
    let asked = tokio::time::timeout(PATIENCE, app.store.check_writable()).await;
    let answer = match asked {
        Ok(Ok(())) => Written::Yes,
        Ok(Err(error)) if error.is_of_the_disk() => Written::DiskRefused,
        Ok(Err(_)) | Err(_) => Written::No,
    };
    *last = Some((Instant::now(), answer));
    answer
}
