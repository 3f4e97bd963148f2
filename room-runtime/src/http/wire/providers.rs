//! The JSON of providers and their sign-ins.

use std::collections::BTreeMap;
use std::path::Path;

use provider_sessions::provider::MethodKind;
use provider_sessions::{Failure, Kind, Provider, SessionView, Step, Stream};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::time;
use crate::channels::{Audience, Channel};
use crate::store::{LoginRow, status_name};

/// `GET /api/providers`.
#[derive(Serialize)]
pub struct Providers {
    /// The table, in the order a person sees it.
    pub providers: Vec<ProviderRow>,
}

/// What a provider is.
#[derive(Serialize)]
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
    /// What a key of its vendor looks like; this build takes none.
    key_format: Option<String>,
}

#[derive(Serialize)]
struct Prerequisite {
    text: String,
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Method {
    id: String,
    label: String,
    kind: &'static str,
    steps: Vec<&'static str>,
    primary: bool,
    takes_email: bool,
}

#[derive(Serialize)]
struct Install {
    command: String,
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
            install: Install { command: row.install.command.clone() },
            key_format: None,
        }
    }
}

/// `GET /api/providers/status`, and the picture of the channel `providers`.
#[derive(Serialize)]
pub struct Statuses {
    /// By provider.
    pub providers: BTreeMap<String, ProviderStatus>,
}

/// How a provider stands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    installed: bool,
    version: Option<String>,
    version_note: Option<String>,
    connected: Option<bool>,
    method: Option<String>,
    account: Option<String>,
    plan: Option<String>,
    checked_at: Option<String>,
    error: Option<String>,
    requested_at: Option<String>,
    disconnected_at: Option<String>,
    auth_session: Option<Session>,
}

impl ProviderStatus {
    /// What an audience may see. The account is masked for everyone.
    pub fn new(
        status: &provider_sessions::ProviderStatus,
        live: Option<Session>,
        audience: Audience,
    ) -> Self {
        let manager = audience == Audience::Managers;
        Self {
            installed: status.installed,
            version: status.version.clone(),
            version_note: status.version_note.clone(),
            connected: status.connected,
            method: status.method.clone(),
            account: status.account.as_deref().filter(|_| manager).map(mask),
            plan: status.plan.clone(),
            checked_at: status.checked_at.map(time),
            error: status.error.clone().filter(|_| manager),
            requested_at: status.requested_at.map(time),
            disconnected_at: status.disconnected_at.map(time),
            auth_session: live.filter(|_| manager),
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

/// One sign-in as the page shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    #[serde(rename = "sessionId")]
    id: String,
    kind: &'static str,
    provider: String,
    method: String,
    status: &'static str,
    step: &'static str,
    command: String,
    started_at: String,
    updated_at: String,
    ended_at: Option<String>,
    deadline: String,
    exit_code: Option<i32>,
    verification_url: Option<String>,
    device_code: Option<String>,
    awaiting_input: bool,
    input_hint: Option<String>,
    /// Whether the owner may type a line into the program as it is.
    accepts_raw: bool,
    failure: Option<Why>,
    notice: Option<Why>,
    started_by: String,
    active: bool,
    /// Absent where lines come by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<Line>>,
    dropped_lines: u64,
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::SignIn => "auth",
        Kind::Install => "install",
    }
}

/// Why something did not work, or is held up.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    code: String,
    title: String,
    action: String,
}

impl From<&Failure> for Why {
    fn from(why: &Failure) -> Self {
        Self {
            code: why.code.as_str().into(),
            title: why.title.clone(),
            action: why.action.clone(),
        }
    }
}

/// One line of output.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    id: u64,
    stream: &'static str,
    text: String,
    timestamp: String,
}

impl From<&provider_sessions::Line> for Line {
    fn from(line: &provider_sessions::Line) -> Self {
        Self {
            id: line.id,
            stream: match line.stream {
                Stream::Terminal => "terminal",
                Stream::Room => "room",
            },
            text: line.text.clone(),
            timestamp: time(line.at),
        }
    }
}

/// How much of the lines' text one message on a socket holds: a frame must fit a client's queue.
const SOCKET_LINES_BYTES: usize = 64 * 1024;

impl Session {
    /// With all the lines that are kept.
    pub fn whole(view: &SessionView) -> Self {
        let lines = view.lines.iter().map(Into::into).collect();
        Self { lines: Some(lines), ..Self::without_lines(view) }
    }

    /// With the newest lines, as many as fit one message; the others count as dropped.
    pub fn for_a_socket(view: &SessionView) -> Self {
        let mut bytes = 0;
        let fits = |line: &&provider_sessions::Line| {
            bytes += line.text.len() + 100;
            bytes <= SOCKET_LINES_BYTES
        };
        let mut lines: Vec<Line> =
            view.lines.iter().rev().take_while(fits).map(Into::into).collect();
        lines.reverse();
        let left_out = (view.lines.len() - lines.len()) as u64;
        let whole = Self::without_lines(view);
        Self { lines: Some(lines), dropped_lines: view.dropped_lines + left_out, ..whole }
    }

    /// Without lines.
    pub fn without_lines(view: &SessionView) -> Self {
        Self {
            id: view.id.to_string(),
            kind: kind_name(view.kind),
            provider: view.provider.clone(),
            method: view.method.clone(),
            status: status_name(view.status),
            step: match view.step {
                Step::Launching => "launching",
                Step::AwaitingApproval => "awaiting_approval",
                Step::AwaitingInput => "awaiting_input",
                Step::Storing => "storing",
                Step::Verifying => "verifying",
                Step::Cancelling => "cancelling",
                Step::Done => "done",
            },
            command: view.command.clone(),
            started_at: time(view.started_at),
            updated_at: time(view.updated_at),
            ended_at: view.ended_at.map(time),
            deadline: time(view.deadline),
            exit_code: view.exit_code,
            verification_url: view.verification_url.clone(),
            device_code: view.device_code.clone(),
            awaiting_input: view.awaiting_input,
            input_hint: view.input_hint.clone(),
            accepts_raw: view.is_active() && view.notice.is_some(),
            failure: view.failure.as_ref().map(Into::into),
            notice: view.notice.as_ref().map(Into::into),
            started_by: view.started_by.clone(),
            active: view.is_active(),
            lines: None,
            dropped_lines: view.dropped_lines,
        }
    }
}

impl From<LoginRow> for Session {
    /// What is remembered of a sign-in of an earlier run: no link, code or output.
    fn from(row: LoginRow) -> Self {
        let failure = row.failure.map(|(code, title, action)| Why { code, title, action });
        Self {
            id: row.id,
            kind: kind_name(Kind::of_method(&row.method)),
            provider: row.provider,
            method: row.method,
            status: status_name(row.status),
            step: "done",
            command: row.command,
            started_at: time(row.started_at),
            updated_at: time(row.updated_at),
            ended_at: row.ended_at.map(time),
            deadline: time(row.deadline),
            exit_code: row.exit_code,
            verification_url: None,
            device_code: None,
            awaiting_input: false,
            input_hint: None,
            accepts_raw: false,
            failure,
            notice: None,
            started_by: row.started_by,
            active: false,
            lines: Some(Vec::new()),
            dropped_lines: 0,
        }
    }
}

/// `{session}`.
#[derive(Serialize)]
pub struct OneSession {
    /// Null when there was none.
    pub session: Option<Session>,
}

/// `POST /api/providers/{p}/connect`.
#[derive(Deserialize)]
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
#[derive(Serialize)]
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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputRequest {
    /// What was pasted or typed.
    pub text: SecretString,
    /// Typed as it is, into a program that Room does not understand.
    #[serde(default)]
    pub raw: bool,
}

/// `POST /api/providers/{p}/disconnect`.
#[derive(Serialize)]
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
            removed: done.removed.iter().map(|file| shown(file)).collect(),
            at: done.ok.then(|| time(done.at)),
            detail: done.error,
        }
    }
}

/// `POST /api/providers/{p}/verify`.
#[derive(Serialize)]
pub struct Checked {
    /// The program answered.
    pub ok: bool,
    /// Which provider.
    pub provider: String,
    /// How it stands now.
    #[serde(flatten)]
    pub status: ProviderStatus,
}
