//! The JSON of the HTTP interface: camelCase, times in RFC 3339 with milliseconds. Domain types
//! know nothing of it.

mod activity;
#[cfg(test)]
mod golden;
mod providers;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use room_auth::{Caller, Permission, Standing};
use serde::{Deserialize, Serialize};

pub use self::activity::{Activity, ActivityEvent};
pub use self::providers::*;
use crate::machine;

/// A time as every message writes it: UTC, with milliseconds.
pub fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// `POST /api/auth/handshake`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandshakeRequest {
    /// The code of the link; none with `ROOM_LOCAL_HANDSHAKE=same-uid`.
    pub code: Option<String>,
}

/// Its answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// The bearer.
    pub token: String,
    /// When it ends at the latest.
    pub expires_at: String,
}

/// `POST /api/auth/ws-ticket`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// The ticket.
    pub ticket: String,
    /// When it lapses.
    pub expires_at: String,
}

/// Done, and nothing to tell.
#[derive(Serialize)]
pub struct Done {
    /// True.
    pub ok: bool,
}

/// `GET /api/auth/verify`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    ok: bool,
    role: &'static str,
    permissions: Vec<&'static str>,
    /// What an issuer says of the person; nobody does in local mode.
    profile: Option<()>,
    issuer: String,
    subject: String,
    instance_id: Option<String>,
    deployment_mode: &'static str,
    device: Option<String>,
    expires_at: Option<String>,
}

impl Verified {
    /// What is told to the caller about themselves.
    pub fn new(caller: &Caller, instance_id: Option<String>) -> Self {
        let expires_at = caller.expires_at.and_then(|at| Timestamp::try_from(at).ok());
        Self {
            ok: true,
            role: match caller.standing {
                Standing::Person(role) => role.as_str(),
                Standing::Service => "control",
            },
            permissions: caller.standing.permissions().map(Permission::as_str).collect(),
            profile: None,
            issuer: caller.identity.issuer.clone(),
            subject: caller.identity.subject.clone(),
            instance_id,
            deployment_mode: "local",
            device: Some(caller.device.clone()),
            expires_at: expires_at.map(time),
        }
    }
}

/// `GET /api/bootstrap`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// The mode.
    pub mode: &'static str,
    /// The dashboard's build.
    pub build: &'static str,
    /// What the instance is called.
    pub name: Option<String>,
    /// The ways in.
    pub auth: Vec<&'static str>,
    /// Where else a person may be sent.
    pub control_plane_url: Option<String>,
}

/// `GET /api/status`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomStatus {
    /// The program's version.
    pub version: &'static str,
    /// The dashboard's build.
    pub build: &'static str,
    /// Whole seconds since this run began.
    pub uptime: i64,
    /// The mode.
    pub deployment_mode: &'static str,
    /// The operating system.
    pub server_platform: &'static str,
    /// What the instance is called.
    pub name: Option<String>,
    /// What it is for.
    pub goal: Option<String>,
    /// Where it runs.
    pub region: Option<String>,
    /// What it costs.
    pub plan: Option<String>,
    /// When this was said.
    pub generated_at: String,
    /// How the providers stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<BTreeMap<String, ProviderStatus>>,
    /// The machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
}

/// The machine.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    cores: usize,
    load: Option<f64>,
    memory_bytes: Option<u64>,
    available_bytes: Option<u64>,
    resident_bytes: Option<u64>,
}

impl From<machine::Resources> for Resources {
    fn from(found: machine::Resources) -> Self {
        Self {
            cores: found.cores,
            load: found.load,
            memory_bytes: found.memory_bytes,
            available_bytes: found.available_bytes,
            resident_bytes: found.resident_bytes,
        }
    }
}

/// The disk.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    data_dir: String,
    total_bytes: Option<u64>,
    free_bytes: Option<u64>,
    used_bytes: u64,
}

impl Storage {
    /// With the path, which is told in local mode only.
    pub fn new(found: &machine::Storage, data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.display().to_string(),
            total_bytes: found.total_bytes,
            free_bytes: found.free_bytes,
            used_bytes: found.used_bytes,
        }
    }
}
