//! The JSON of providers and their sign-ins.

use std::collections::BTreeMap;
use std::path::Path;

use provider_sessions::Provider;
use provider_sessions::provider::{MethodKind, Shown, Yields};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ApiKey, KeyChecked, Session, time};
use crate::channels::{Audience, Channel};

/// `GET /api/providers`.
#[derive(Serialize, ToSchema)]
pub struct Providers {
    /// The table, in the order a person sees it.
    pub providers: Vec<ProviderRow>,
}

/// What a provider is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderRow {
    id: String,
    name: String,
    plans: String,
    prerequisite: Option<Prerequisite>,
    methods: Vec<Method>,
    hosts: Vec<String>,
    removes: Vec<String>,
    install: Install,
    /// The kinds of key it takes instead.
    keys: Vec<Key>,
    shown: &'static str,
}

#[derive(Serialize, ToSchema)]
struct Key {
    id: String,
    label: String,
    format: String,
}

#[derive(Serialize, ToSchema)]
struct Prerequisite {
    text: String,
    url: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Method {
    id: String,
    label: String,
    kind: &'static str,
    steps: Vec<&'static str>,
    primary: bool,
    takes_email: bool,
    /// What success leaves behind where that is no sign-in.
    yields: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Install {
    command: String,
    version: String,
    /// Whether Room itself can install it on this machine.
    by_room: bool,
}

impl From<&Provider> for ProviderRow {
    fn from(row: &Provider) -> Self {
        let methods = row.methods.iter().enumerate().map(|(place, method)| Method {
            id: method.id.clone(),
            label: method.label.clone(),
            kind: match method.kind {
                MethodKind::DeviceCode => "device_code",
                MethodKind::PastedCode => "pasted_code",
                MethodKind::PastedCallback => "pasted_callback",
            },
            steps: match method.kind {
                MethodKind::DeviceCode => vec![
                    "Open the link and sign in",
                    "Enter the code shown here",
                    "Approve, and come back",
                ],
                MethodKind::PastedCode => vec![
                    "Open the link and sign in",
                    "Copy the code the page shows",
                    "Paste it here",
                ],
                MethodKind::PastedCallback => vec![
                    "Open the link and sign in",
                    "Copy the address of the page that does not load",
                    "Paste it here",
                ],
            },
            primary: place == 0,
            takes_email: method.takes_email(),
            yields: match method.yields {
                Yields::SignIn => None,
                Yields::Token => Some("token"),
            },
        });
        let folder = &row.home.folder;
        Self {
            id: row.id.clone(),
            name: row.name.clone(),
            plans: row.plans.clone(),
            prerequisite: row
                .prerequisite
                .as_ref()
                .map(|first| Prerequisite { text: first.text.clone(), url: first.url.clone() }),
            methods: methods.collect(),
            hosts: row.hosts.clone(),
            removes: row.home.credentials.iter().map(|file| format!("~/{folder}/{file}")).collect(),
            install: Install {
                command: row.install.command.clone(),
                version: row.install.tested.clone(),
                by_room: row.install.archive_here().is_some(),
            },
            keys: row
                .keys
                .iter()
                .map(|key| Key {
                    id: key.id.clone(),
                    label: key.label.clone(),
                    format: key.format.clone(),
                })
                .collect(),
            shown: match row.shown {
                Shown::Always => "always",
                Shown::Installed => "installed",
            },
        }
    }
}

/// `GET /api/providers/status`, and the picture of the channel `providers`.
#[derive(Serialize, ToSchema)]
pub struct Statuses {
    /// By provider.
    pub providers: BTreeMap<String, ProviderStatus>,
}

/// How a provider stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    installed: bool,
    version: Option<String>,
    version_note: Option<String>,
    too_old: bool,
    update_available: bool,
    connected: Option<bool>,
    method: Option<String>,
    account: Option<String>,
    plan: Option<String>,
    expires_at: Option<String>,
    api_key: Option<ApiKey>,
    checked_at: Option<String>,
    error: Option<String>,
    requested_at: Option<String>,
    disconnected_at: Option<String>,
    auth_session: Option<Session>,
    install_session: Option<Session>,
}

impl ProviderStatus {
    /// What an audience may see. The account is masked for everyone.
    pub fn new(
        status: &provider_sessions::ProviderStatus,
        live: Option<Session>,
        install: Option<Session>,
        audience: Audience,
    ) -> Self {
        let manager = audience == Audience::Managers;
        Self {
            installed: status.installed,
            version: status.version.clone(),
            version_note: status.version_note.clone(),
            too_old: status.too_old,
            update_available: status.update_available,
            connected: status.connected,
            method: status.method.clone(),
            account: status.account.as_deref().filter(|_| manager).map(mask),
            plan: status.plan.clone(),
            expires_at: status.expires_at.map(time),
            api_key: status.key.as_ref().filter(|_| manager).map(Into::into),
            checked_at: status.checked_at.map(time),
            error: status.error.clone().filter(|_| manager),
            requested_at: status.requested_at.map(time),
            disconnected_at: status.disconnected_at.map(time),
            auth_session: live.filter(|_| manager),
            install_session: install.filter(|_| manager),
        }
    }
}

/// `ada@example.com` as `a…@example.com`; anything else keeps its first letter.
fn mask(account: &str) -> String {
    let (name, host) = account.rsplit_once('@').map_or((account, None), |(n, h)| (n, Some(h)));
    let first: String = name.chars().take(1).collect();
    match host {
        Some(host) => format!("{first}…@{host}"),
        None => format!("{first}…"),
    }
}

/// `{session}`.
#[derive(Serialize, ToSchema)]
pub struct OneSession {
    /// Null when there was none.
    pub session: Option<Session>,
}

/// `POST /api/providers/{p}/connect`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectRequest {
    /// The way to sign in; the provider's first one by default.
    #[serde(default)]
    pub method: Option<String>,
    /// The person's e-mail address, for a method that takes one.
    #[serde(default)]
    pub email: Option<String>,
    /// The person agrees that the earlier sign-in ends first, where there is no other way.
    #[serde(default)]
    pub in_place: bool,
}

/// Its answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connected {
    ok: bool,
    provider: String,
    status: &'static str,
    requested_at: String,
    reused: bool,
    session: Session,
    channel: String,
}

impl From<provider_sessions::Connected> for Connected {
    fn from(connected: provider_sessions::Connected) -> Self {
        let view = &connected.view;
        Self {
            ok: true,
            provider: view.provider.clone(),
            status: "pending",
            requested_at: time(view.started_at),
            reused: connected.reused,
            session: Session::whole(view),
            channel: Channel::of(view).name(),
        }
    }
}

/// `POST /api/providers/sessions/{id}/input`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InputRequest {
    /// What was pasted or typed.
    #[schema(value_type = String)]
    pub text: SecretString,
    /// Typed as it is, into a program that Room does not understand.
    #[serde(default)]
    pub raw: bool,
}

/// `POST /api/providers/{p}/disconnect`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disconnected {
    ok: bool,
    status: &'static str,
    removed: Vec<String>,
    #[serde(rename = "disconnectedAt")]
    at: Option<String>,
    detail: Option<String>,
}

impl Disconnected {
    /// Files below the home directory are shown as a person writes them.
    pub fn new(done: provider_sessions::Disconnected, home: &Path) -> Self {
        let shown = |file: &Path| match file.strip_prefix(home) {
            Ok(below) => format!("~/{}", below.display()),
            Err(_) => file.display().to_string(),
        };
        Self {
            ok: done.ok,
            status: if done.ok { "disconnected" } else { "failed" },
            removed: done
                .removed
                .iter()
                .map(|file| shown(file))
                .chain(done.removed_key.then(|| "API key".to_owned()))
                .collect(),
            at: done.ok.then(|| time(done.at)),
            detail: done.error,
        }
    }
}

/// `POST /api/providers/{p}/verify`.
#[derive(Serialize, ToSchema)]
pub struct Checked {
    /// The program answered.
    pub ok: bool,
    /// Which provider.
    pub provider: String,
    /// How it stands now.
    #[serde(flatten)]
    pub status: ProviderStatus,
    /// What the vendor says of the key in use, where there is one and a way to ask.
    pub key: Option<KeyChecked>,
}
