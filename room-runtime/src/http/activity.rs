//! The activity log over HTTP, and what handlers need to write in it.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Query, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::request::Parts;
use room_auth::Caller;
use serde::Deserialize;

use super::error::ApiError;
use super::wire;
use crate::activity::{Actor, Detail, Intent, Outcome, PAGE};
use crate::state::{AppState, Connection};
use crate::store::{Range, StoreError};

/// The most events of one answer.
const MOST: u32 = 200;

/// How many rows of the whole log are in memory at once.
const ROWS_AT_ONCE: u32 = 200;

/// The kinds of events there are.
const KINDS: [&str; 3] = ["access", "provider", "instance"];

/// The query of `GET /api/activity`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    after: Option<String>,
    before: Option<String>,
    kind: Option<String>,
    limit: Option<String>,
}

/// `GET /api/activity`: the newest events, or those on one side of an event.
pub(super) async fn list(
    State(app): State<AppState>,
    Query(asked): Query<Asked>,
) -> Result<Json<wire::Activity>, ApiError> {
    let range = match (position(asked.after.as_deref())?, position(asked.before.as_deref())?) {
        (None, None) => Range::Newest,
        (Some(seq), None) => Range::After(seq),
        (None, Some(seq)) => Range::Before(seq),
        (Some(_), Some(_)) => {
            let detail = "Ask for events after one or before one, not both.";
            return Err(ApiError::bad_request("bad_position", detail));
        }
    };
    let limit = match asked.limit.as_deref() {
        None => PAGE,
        Some(text) => {
            let limit = digits(text).and_then(|text| text.parse().ok());
            limit.filter(|limit| (1..=MOST).contains(limit)).ok_or_else(|| {
                ApiError::bad_request("bad_limit", "The limit is a number from 1 to 200.")
            })?
        }
    };
    let kind = asked.kind.as_deref();
    if kind.is_some_and(|kind| !KINDS.contains(&kind)) {
        let detail = "The kinds are access, provider and instance.";
        return Err(ApiError::bad_request("unknown_kind", detail));
    }
    // One more than is told says whether there are more.
    let mut events = app.store.activity(range, kind, limit + 1).await?;
    let more = events.len() > limit as usize;
    if more {
        match range {
            Range::After(_) => drop(events.pop()),
            Range::Newest | Range::Before(_) => drop(events.remove(0)),
        }
    }
    Ok(Json(wire::Activity { events: events.iter().map(Into::into).collect(), more }))
}

fn position(text: Option<&str>) -> Result<Option<i64>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let position = digits(text).and_then(|text| text.parse().ok());
    let refused = || ApiError::bad_request("bad_position", "A position is the number of an event.");
    position.map(Some).ok_or_else(refused)
}

/// Numbers are written one way: no sign, no space.
fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

/// `GET /api/activity.ndjson`: every row up to this moment, intents too, one JSON event a line. A
/// piece is read from the disk when the client has taken the one before.
pub(super) async fn download(State(app): State<AppState>) -> Result<Response, ApiError> {
    let last = app.store.last_activity().await?;
    let rows = stream::try_unfold(0, move |after| {
        let app = app.clone();
        async move {
            let events = app.store.activity_rows(after, last, ROWS_AT_ONCE).await?;
            let Some(newest) = events.last() else { return Ok::<_, StoreError>(None) };
            let mut lines = Vec::new();
            for event in &events {
                if serde_json::to_writer(&mut lines, &wire::ActivityEvent::from(event)).is_ok() {
                    lines.push(b'\n');
                }
            }
            Ok(Some((Bytes::from(lines), newest.seq)))
        }
    });
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"room-activity.ndjson\""),
    ];
    Ok((headers, Body::from_stream(rows)).into_response())
}

/// Who asks, and from where, as the log names them.
pub(super) struct By(Actor);

impl From<By> for Actor {
    fn from(by: By) -> Self {
        by.0
    }
}

impl FromRequestParts<AppState> for By {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Arc<Caller>>();
        let actor = caller.map(Actor::from).unwrap_or_default();
        let connection = parts.extensions.get::<Connection>();
        Ok(Self(match connection {
            Some(Connection { peer, .. }) => {
                actor.at(app.client_address(&parts.headers, peer.ip()))
            }
            None => actor,
        }))
    }
}

/// Says in the log how it went, and hands the result on.
pub(super) async fn ended<T>(
    intent: Intent,
    result: Result<T, ApiError>,
    detail: impl FnOnce(&T) -> Detail,
) -> Result<T, ApiError> {
    let (outcome, detail) = outcome(&result, detail);
    intent.end(outcome, detail).await;
    result
}

/// How it went, in the log's words: a failure by its stable code, never by its text.
pub(super) fn outcome<T>(
    result: &Result<T, ApiError>,
    detail: impl FnOnce(&T) -> Detail,
) -> (Outcome, Detail) {
    match result {
        Ok(done) => (Outcome::Ok, detail(done)),
        Err(error) if error.is_ours() => (Outcome::Failed, Detail::none().reason(error.code())),
        Err(error) => (Outcome::Refused, Detail::none().reason(error.code())),
    }
}
