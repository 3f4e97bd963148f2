//! What the Room says of itself.

use axum::extract::Query;
use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;

use super::error::ApiError;
use super::guard::Guarded;
use super::{providers, ui, wire};
use crate::channels::Audience;
use crate::config::LocalHandshake;
use crate::machine;
use crate::state::AppState;
use crate::store;

/// `GET /api/bootstrap`: what a page must know before anyone is signed in.
pub(super) async fn bootstrap(State(app): State<AppState>) -> Json<wire::Bootstrap> {
    let mut auth = Vec::new();
    match &app.cloud {
        None => {
            auth.push("code");
            if app.config.handshake == LocalHandshake::SameUid {
                auth.push("same-uid");
            }
        }
        Some(cloud) => {
            let settings = &cloud.settings;
            if !settings.issuers.is_empty() || !settings.legacy_secrets.is_empty() {
                auth.push("token");
            }
            auth.push("pair");
            if settings.cloudflare.is_some() {
                auth.push("cloudflare");
            }
        }
    }
    Json(wire::Bootstrap {
        mode: app.config.mode(),
        build: ui::build(),
        name: app.config.name.clone(),
        auth,
        control_plane_url: app.config.control_plane_url.clone(),
        instance_id: app.cloud.as_ref().map(|cloud| cloud.settings.instance_id.clone()),
    })
}

/// The query of `GET /api/status`.
#[derive(Deserialize)]
pub(super) struct Asked {
    parts: Option<String>,
}

/// `GET /api/status`: the Room, and the parts that were asked for.
pub(super) async fn status(
    State(app): State<AppState>,
    Extension(caller): Guarded,
    Query(Asked { parts }): Query<Asked>,
) -> Result<Json<wire::RoomStatus>, ApiError> {
    let all = ["providers", "resources", "storage", "keys"];
    let asked: Vec<&str> = match &parts {
        Some(parts) => parts.split(',').map(str::trim).filter(|part| !part.is_empty()).collect(),
        None => all.to_vec(),
    };
    if asked.iter().any(|part| !all.contains(part)) {
        let detail = "The parts are providers, resources, storage and keys.";
        return Err(ApiError::bad_request("unknown_part", detail));
    }
    let now = app.now();
    let wants = |part: &str| asked.contains(&part);
    let data_dir = app.config.data_dir.clone();
    let config = &app.config;
    Ok(Json(wire::RoomStatus {
        version: crate::VERSION,
        build: ui::build(),
        uptime: now.duration_since(app.started).as_secs(),
        deployment_mode: app.config.mode(),
        server_platform: std::env::consts::OS,
        name: config.name.clone(),
        goal: config.goal.clone(),
        region: config.region.clone(),
        plan: config.plan.clone(),
        generated_at: wire::time(now),
        providers: wants("providers")
            .then(|| providers::of_all(&app, Audience::of(&caller)).providers),
        resources: wants("resources").then(|| machine::resources().into()),
        storage: wants("storage").then(|| {
            let shown = app.cloud.is_none().then_some(data_dir.as_path());
            wire::Storage::new(&machine::storage(&data_dir, &store::FILES), shown)
        }),
        keys: app.cloud.as_ref().filter(|_| wants("keys")).map(|cloud| {
            let health = cloud.trust.health();
            let view = |(issuer, health): (&str, room_auth::jwks::KeyHealth)| wire::KeysView {
                issuer: issuer.to_owned(),
                state: health.state.as_str(),
                age_seconds: health.age.map(|age| age.as_secs()),
                keys: health.keys,
            };
            health.into_iter().map(view).collect()
        }),
    }))
}
