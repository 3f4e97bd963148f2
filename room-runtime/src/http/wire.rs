//! The JSON of the HTTP interface: camelCase, times in RFC 3339 with milliseconds. Domain types
//! know nothing of it.

mod activity;
#[cfg(test)]
pub(crate) mod golden;
mod keys;
mod providers;
mod sessions;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use room_auth::{Caller, Permission, Standing};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::activity::{Activity, ActivityEvent};
pub use self::keys::*;
pub use self::providers::*;
pub use self::sessions::*;
use crate::cloud::devices::{Device, Person};
use crate::machine;

/// A time as every message writes it: UTC, with milliseconds.
pub fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// `POST /api/auth/handshake`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandshakeRequest {
    /// The code of the link; none with `ROOM_LOCAL_HANDSHAKE=same-uid`.
    pub code: Option<String>,
}

/// Its answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// The bearer.
    pub token: String,
    /// When it ends at the latest.
    pub expires_at: String,
}

/// `POST /api/auth/ws-ticket`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// The ticket.
    pub ticket: String,
    /// When it lapses.
    pub expires_at: String,
}

/// `POST /api/auth/session`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionRequest {
    /// What this device is to be called.
    pub device_name: Option<String>,
}

/// `POST /api/auth/pair/redeem`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedeemRequest {
    /// The code as it was typed, or the secret of the link.
    pub code: String,
    /// What this device is to be called.
    pub device_name: Option<String>,
}

/// `POST /api/auth/pair`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pairing {
    /// To be typed.
    pub code: String,
    /// To be opened.
    pub url: String,
    /// When both lapse.
    pub expires_at: String,
}

/// `POST /api/access/revoke`: one of the three names, and from when on tokens are good again.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeRequest {
    /// Everything of a person.
    pub subject: Option<String>,
    /// One token.
    pub token_id: Option<String>,
    /// Everything a key has signed.
    pub key_id: Option<String>,
    /// Now, unless it is written.
    pub not_before: Option<String>,
}

/// `GET /api/access/sessions`, and what the `access` channel says.
#[derive(Serialize, ToSchema)]
pub struct AccessSessions {
    /// Who is signed in.
    pub sessions: Vec<AccessSession>,
}

/// One device of someone.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessSession {
    /// Its id.
    pub id: String,
    /// Who says who they are.
    pub issuer: String,
    /// Its name for them.
    pub subject: String,
    /// What they are called.
    pub name: Option<String>,
    /// As what they are here.
    pub role: &'static str,
    /// What the device is called.
    pub device: String,
    /// The device that paired it.
    pub paired_from: Option<String>,
    /// When it was signed in.
    pub created_at: String,
    /// When it was used last.
    pub last_used_at: String,
    /// When it lapses.
    pub expires_at: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl AccessSession {
    /// A device of a person.
    pub fn new(device: &Device, person: &Person, lapses_at: Timestamp) -> Self {
        Self {
            id: device.id.clone(),
            issuer: device.identity.issuer.clone(),
            subject: device.identity.subject.clone(),
            name: person.profile.name.clone().or_else(|| person.profile.email.clone()),
            role: person.role.as_str(),
            device: device.name.clone(),
            paired_from: device.paired_from.clone(),
            created_at: time(device.created_at),
            last_used_at: time(device.last_used_at),
            expires_at: time(lapses_at),
            current: false,
        }
    }
}

/// `POST /api/instance/wipe`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WipeRequest {
    /// The instance's id, so that no other one is meant.
    pub confirm: String,
}

/// Its answer.
#[derive(Serialize, ToSchema)]
pub struct Wiped {
    /// Whether nothing is left.
    pub ok: bool,
    /// What became of each provider.
    pub providers: BTreeMap<String, Disconnected>,
    /// How many devices are still signed in.
    pub devices: i64,
    /// How many programs still have a bearer.
    pub sessions: i64,
    /// How many API keys are still kept.
    pub keys: usize,
    /// How many files with credentials are still there.
    pub credentials: usize,
    /// How many copies of the database are still there.
    pub backups: usize,
}

/// What a person is called, for display.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileView<'c> {
    email: Option<&'c str>,
    email_verified: bool,
    name: Option<&'c str>,
}

/// The keys of one issuer, of `GET /api/status`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeysView {
    /// Whose.
    pub issuer: String,
    /// `fresh`, `degraded`, `stale` or `none`.
    pub state: &'static str,
    /// How long ago the endpoint last confirmed them.
    pub age_seconds: Option<u64>,
    /// How many can be used.
    pub keys: usize,
}

/// Done, and nothing to tell.
#[derive(Serialize, ToSchema)]
pub struct Done {
    /// True.
    pub ok: bool,
}

/// `GET /api/auth/verify`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verified<'c> {
    ok: bool,
    role: &'static str,
    permissions: Vec<&'static str>,
    /// What an issuer says of the person; nobody does in local mode.
    profile: Option<ProfileView<'c>>,
    issuer: &'c str,
    subject: &'c str,
    instance_id: Option<&'c str>,
    deployment_mode: &'static str,
    device: Option<&'c str>,
    expires_at: Option<String>,
}

impl<'c> Verified<'c> {
    /// What is told to the caller about themselves.
    pub fn new(caller: &'c Caller, instance_id: Option<&'c str>, mode: &'static str) -> Self {
        let expires_at = caller.expires_at.and_then(|at| Timestamp::try_from(at).ok());
        Self {
            ok: true,
            role: match caller.standing {
                Standing::Person(role) => role.as_str(),
                Standing::Service => "control",
            },
            permissions: caller.standing.permissions().map(Permission::as_str).collect(),
            profile: caller.profile.as_ref().map(|profile| ProfileView {
                email: profile.email.as_deref(),
                email_verified: profile.email_verified,
                name: profile.name.as_deref(),
            }),
            issuer: &caller.identity.issuer,
            subject: &caller.identity.subject,
            instance_id,
            deployment_mode: mode,
            device: caller.token.is_none().then_some(&caller.device),
            expires_at: expires_at.map(time),
        }
    }
}

/// `GET /api/bootstrap`.
#[derive(Serialize, ToSchema)]
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
    /// How a control plane knows this Room.
    pub instance_id: Option<String>,
}

/// `GET /api/status`.
#[derive(Serialize, ToSchema)]
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
    /// The issuers' keys, in cloud mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<KeysView>>,
}

/// The machine.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    cores: usize,
    load: Option<f64>,
    cpu_ticks: Option<u64>,
    cpu_busy_ticks: Option<u64>,
    memory_bytes: Option<u64>,
    available_bytes: Option<u64>,
    resident_bytes: Option<u64>,
}

impl From<machine::Resources> for Resources {
    fn from(found: machine::Resources) -> Self {
        Self {
            cores: found.cores,
            load: found.load,
            cpu_ticks: found.processors.map(|all| all.ticks),
            cpu_busy_ticks: found.processors.map(|all| all.busy_ticks),
            memory_bytes: found.memory_bytes,
            available_bytes: found.available_bytes,
            resident_bytes: found.resident_bytes,
        }
    }
}

/// The disk.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<String>,
    total_bytes: Option<u64>,
    free_bytes: Option<u64>,
    used_bytes: u64,
}

impl Storage {
    /// With the path, which is told in local mode only.
    pub fn new(found: &machine::Storage, data_dir: Option<&Path>) -> Self {
        Self {
            data_dir: data_dir.map(|path| path.display().to_string()),
            total_bytes: found.total_bytes,
            free_bytes: found.free_bytes,
            used_bytes: found.used_bytes,
        }
    }
}
