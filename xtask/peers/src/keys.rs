//! The key endpoint behind all servers. It counts how often it is asked.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::header;
use axum::routing::get;

use crate::serve;

/// Serves `/jwks`, and at `/count` how often that was fetched.
pub(crate) fn keys(folder: &Path) -> anyhow::Result<()> {
    let document: Arc<str> = fs::read_to_string(folder.join("jwks.json"))?.into();
    let fetched = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&fetched);
    let app = Router::new()
        .route(
            "/jwks",
            get(async move || {
                fetched.fetch_add(1, Ordering::Relaxed);
                ([(header::CONTENT_TYPE, "application/json")], document.to_string())
            }),
        )
        .route("/count", get(async move || count.load(Ordering::Relaxed).to_string()));
    serve::run(async move { Ok(app) })
}
