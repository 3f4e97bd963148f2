//! The JSON of the activity log.

use serde::Serialize;
use utoipa::ToSchema;

use super::time;
use crate::activity::{Actor, Detail, Event};

/// `GET /api/activity`, and the first picture of the channel `activity`.
#[derive(Serialize, ToSchema)]
pub struct Activity {
    /// In rising order of their numbers.
    pub events: Vec<ActivityEvent>,
    /// Whether there are more, on the side that was asked for.
    pub more: bool,
}

/// One event: `activity:event`, and a line of `GET /api/activity.ndjson`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivityEvent {
    seq: i64,
    at: String,
    action: String,
    outcome: &'static str,
    /// The number of the intent that this is the outcome of; it takes that event's place.
    intent: Option<i64>,
    actor: Option<ActivityActor>,
    target: Option<String>,
    detail: Detail,
}

/// Who did it; what is not known is null.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ActivityActor {
    issuer: Option<String>,
    subject: Option<String>,
    name: Option<String>,
    role: Option<String>,
    device: Option<String>,
    address: Option<String>,
}

impl From<&Event> for ActivityEvent {
    fn from(event: &Event) -> Self {
        let entry = &event.entry;
        Self {
            seq: event.seq,
            at: time(entry.at),
            action: entry.action.to_string(),
            outcome: entry.outcome.as_str(),
            intent: entry.intent,
            actor: entry.actor.as_ref().map(Into::into),
            target: entry.target.clone(),
            detail: entry.detail.clone(),
        }
    }
}

impl From<&Actor> for ActivityActor {
    fn from(actor: &Actor) -> Self {
        let Actor { issuer, subject, name, role, device, address } = actor.clone();
        Self { issuer, subject, name, role, device, address }
    }
}
