//! Is the process alive, is it fit to serve. Names only, and no Host rule: health checks ask the
//! machine's own address.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::state::AppState;

/// `GET /healthz`: the process and its loop are alive.
pub(super) async fn healthz() -> &'static str {
    "ok"
}

/// `GET /readyz`: the database can be written, and we are not going away.
pub(super) async fn readyz(State(app): State<AppState>) -> Response {
    let mut failed = Vec::new();
    if app.stop.is_cancelled() {
        failed.push("draining");
    }
    let writable = tokio::time::timeout(Duration::from_secs(2), app.store.check_writable()).await;
    if !matches!(writable, Ok(Ok(()))) {
        failed.push("database");
    }
    let status = if failed.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": failed.is_empty(), "failed": failed }))).into_response()
}
