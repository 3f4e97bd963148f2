//! Every message of the wire beside its file in `tests/wire/`, which the dashboard's tests read
//! too. After a change that is meant, `WRITE_WIRE=1 cargo test -p room-runtime` writes them anew.

mod cloud;

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use provider_sessions::key::{Source, Storage};
use provider_sessions::provider::{Shown, built_in};
use provider_sessions::session::INSTALL_METHOD;
use provider_sessions::{
    Connected, Disconnected, Failure, FailureCode, KeyChecked, Kind, Line, SessionError,
    SessionView, Status, Step, Stream,
};
use room_auth::{Caller, Identity, Role, Standing};
use serde::Serialize;
use serde_json::Value;

use crate::activity::{Action, Actor, Detail, Entry, Event, Outcome};
use crate::channels::frames::Frame;
use crate::channels::protocol::{self, Answer, LinesData, PingId, ProviderData, Said};
use crate::channels::{ACTIVITY_EVENT, Audience};
use crate::http::ApiError;
use crate::http::wire;
use crate::machine;
use crate::store::LoginRow;

const ID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const CHANNEL: &str = "provider-auth:0f8fad5b-d9cb-469f-a165-70867728950e";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_795_176_000_250 + seconds * 1000).unwrap()
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/wire").join(name)
}

#[track_caller]
fn check(name: &str, message: &impl Serialize) {
    let written = serde_json::to_string_pretty(message).unwrap() + "\n";
    if std::env::var_os("WRITE_WIRE").is_some() {
        fs::create_dir_all(file("")).unwrap();
        fs::write(file(name), &written).unwrap();
    }
    let golden = fs::read_to_string(file(name)).unwrap_or_default();
    let hint = "if this is meant: WRITE_WIRE=1 cargo test -p room-runtime";
    assert_eq!(written, golden, "tests/wire/{name} differs; {hint}");
}

fn frame(frame: &Frame) -> Value {
    serde_json::from_str(frame.as_text()).unwrap()
}

pub(crate) fn view() -> SessionView {
    let line = |id, stream, text: &str| Line { id, stream, text: text.into(), at: at(1) };
    SessionView {
        id: ID.parse().unwrap(),
        kind: Kind::SignIn,
        provider: "claude".into(),
        method: "subscription".into(),
        status: Status::Running,
        step: Step::AwaitingInput,
        command: "claude auth login --claudeai".into(),
        started_at: at(0),
        updated_at: at(2),
        ended_at: None,
        deadline: at(900),
        exit_code: None,
        verification_url: Some("https://claude.com/cai/oauth/authorize?code=true&state=s".into()),
        device_code: None,
        awaiting_input: true,
        input_hint: Some("That doesn't look like the full code.".into()),
        failure: None,
        notice: None,
        started_by: "owner (browser)".into(),
        lines: [
            line(4, Stream::Terminal, "Opening browser to sign in…"),
            line(5, Stream::Room, "A code was pasted."),
        ]
        .into(),
        current_line: Some("Paste code here if prompted >".into()),
        dropped_lines: 3,
    }
}

fn failed() -> SessionView {
    let title = "The code was not approved in time.";
    SessionView {
        provider: "codex".into(),
        method: "device".into(),
        status: Status::Failed,
        step: Step::Done,
        ended_at: Some(at(900)),
        exit_code: Some(1),
        verification_url: Some("https://auth.openai.com/codex/device".into()),
        device_code: Some("ABCD-12345".into()),
        awaiting_input: false,
        input_hint: None,
        current_line: None,
        failure: Some(Failure::new(FailureCode::Expired, title)),
        ..view()
    }
}

fn installing() -> SessionView {
    let line = |id, text: &str| Line { id, stream: Stream::Room, text: text.into(), at: at(1) };
    SessionView {
        kind: Kind::Install,
        provider: "codex".into(),
        method: INSTALL_METHOD.into(),
        step: Step::Launching,
        command: "npm install -g @openai/codex".into(),
        deadline: at(1200),
        verification_url: None,
        awaiting_input: false,
        input_hint: None,
        current_line: None,
        lines: [line(1, "Downloading Codex 0.169.0."), line(2, "Downloaded 40 of 98 MB.")].into(),
        dropped_lines: 0,
        ..view()
    }
}

fn status() -> provider_sessions::ProviderStatus {
    provider_sessions::ProviderStatus {
        provider: "codex".into(),
        installed: true,
        hidden: false,
        version: Some("0.160.0".into()),
        version_note: Some("tested with 0.169.0".into()),
        too_old: false,
        update_available: true,
        connected: Some(true),
        signed_in: Some(true),
        key: Some(provider_sessions::KeyStatus {
            kind: "api_key".into(),
            last4: "3f9a".into(),
            stored_at: Some(at(-60)),
            storage: Storage::Sealed,
            source: Source::Person,
            checked_at: Some(at(3)),
            valid: Some(true),
        }),
        method: Some("chatgpt".into()),
        account: Some("ada@example.com".into()),
        plan: Some("plus".into()),
        expires_at: Some(at(86_400)),
        checked_at: Some(at(5)),
        error: None,
        requested_at: Some(at(0)),
        disconnected_at: None,
        session: Some(ID.parse().unwrap()),
        install: None,
    }
}

fn seen_by(audience: Audience) -> wire::ProviderStatus {
    let [sign_in, install] = [view(), installing()].map(|view| wire::Session::without_lines(&view));
    wire::ProviderStatus::new(&status(), Some(sign_in), Some(install), audience)
}

#[test]
fn answers_of_the_own_sign_in() {
    let caller = Caller {
        identity: Identity::local_owner(),
        standing: Standing::Person(Role::Owner),
        session: ID.into(),
        device: "browser".into(),
        expires_at: Some(SystemTime::from(at(604_800))),
        profile: None,
        token: None,
    };
    check("handshake.json", &wire::Handshake { token: "T".into(), expires_at: wire::time(at(0)) });
    check("ws-ticket.json", &wire::Ticket { ticket: "T".into(), expires_at: wire::time(at(30)) });
    check("verify.json", &wire::Verified::new(&caller, Some("i-1"), "local"));
    check("sign-out.json", &wire::Done { ok: true });
    check(
        "bootstrap.json",
        &wire::Bootstrap {
            mode: "local",
            build: "b1",
            name: Some("Ada's Room".into()),
            auth: vec!["code"],
            control_plane_url: None,
            instance_id: None,
        },
    );
}

#[test]
fn answers_about_the_room() {
    let resources = machine::Resources {
        cores: 2,
        load: Some(0.25),
        processors: Some(machine::Processors { ticks: 400, busy_ticks: 100 }),
        memory_bytes: Some(1 << 30),
        available_bytes: Some(1 << 29),
        resident_bytes: None,
    };
    let storage = machine::Storage {
        total_bytes: Some(1 << 34),
        free_bytes: Some(1 << 33),
        used_bytes: 4096,
    };
    let providers = [("codex".to_owned(), seen_by(Audience::Managers))];
    check(
        "status.json",
        &wire::RoomStatus {
            version: "0.1.0",
            build: "b1",
            uptime: 61,
            deployment_mode: "local",
            server_platform: "linux",
            name: Some("Ada's Room".into()),
            goal: None,
            region: None,
            plan: None,
            generated_at: wire::time(at(61)),
            providers: Some(providers.into()),
            resources: Some(resources.into()),
            storage: Some(wire::Storage::new(&storage, Some("/home/ada/.room".as_ref()))),
            keys: None,
        },
    );
}

#[test]
fn answers_about_providers() {
    let always = built_in().iter().filter(|row| row.shown == Shown::Always);
    let rows = always.map(|row| (&**row).into()).collect();
    check("providers.json", &wire::Providers { providers: rows });
    for (name, audience) in [
        ("providers-status.json", Audience::Managers),
        ("providers-status-reader.json", Audience::Readers),
    ] {
        let providers = [("codex".to_owned(), seen_by(audience))].into();
        check(name, &wire::Statuses { providers });
    }
    let status = seen_by(Audience::Managers);
    let key = KeyChecked { valid: Some(true), detail: "OpenAI accepts this key.".into() };
    let checked =
        wire::Checked { ok: true, provider: "codex".into(), status, key: Some(key.into()) };
    check("provider-verify.json", &checked);
    let status = seen_by(Audience::Managers);
    check("provider-key-set.json", &wire::KeySet { ok: true, provider: "codex".into(), status });
    let status = seen_by(Audience::Managers);
    let gone = wire::KeyRemoved { ok: true, provider: "codex".into(), removed: true, status };
    check("provider-key-removed.json", &gone);
    let connected = Connected { view: view(), reused: true };
    check("connect.json", &wire::Connected::from(connected));
    let one = |view: &SessionView| wire::OneSession { session: Some(wire::Session::whole(view)) };
    check("session.json", &one(&view()));
    check("session-failed.json", &one(&failed()));
    let notice =
        Failure::new(FailureCode::Unrecognised, "claude asks something Room does not know.");
    check("session-held-up.json", &one(&SessionView { notice: Some(notice), ..view() }));
    check("session-install.json", &one(&installing()));
    check("session-none.json", &wire::OneSession { session: None });
    let mut forgotten = LoginRow::from(&failed());
    let why = Failure::new(FailureCode::ServerRestarted, "Room was restarted meanwhile.");
    forgotten.failure = Some((why.code.as_str().into(), why.title, why.action));
    check("session-restarted.json", &wire::OneSession { session: Some(forgotten.into()) });
    let removed = vec!["/home/ada/.codex/auth.json".into(), "/srv/codex/auth.json".into()];
    let done = Disconnected { ok: true, removed, removed_key: true, error: None, at: at(9) };
    check("disconnect.json", &wire::Disconnected::new(done, "/home/ada".as_ref()));
    let error = Some("Codex still says that it is signed in".into());
    let not_done =
        Disconnected { ok: false, removed: Vec::new(), removed_key: false, error, at: at(9) };
    check("disconnect-failed.json", &wire::Disconnected::new(not_done, "/home/ada".as_ref()));
}

#[test]
fn answers_about_activity() {
    let caller = Caller {
        identity: Identity { issuer: "https://id.example".into(), subject: "u-7".into() },
        standing: Standing::Person(Role::Admin),
        session: ID.into(),
        device: "Ada's phone".into(),
        expires_at: None,
        profile: None,
        token: None,
    };
    let ada = Actor::from(&caller).named("Ada").at("203.0.113.77".parse().unwrap());
    let event = |seq, actor: Option<&Actor>, action: Action, outcome, target: Option<&str>| Event {
        seq,
        entry: Entry {
            at: at(seq),
            action: action.as_str().into(),
            outcome,
            intent: None,
            actor: actor.cloned(),
            target: target.map(Into::into),
            detail: Detail::none(),
        },
    };
    let started = event(7, None, Action::Start, Outcome::Ok, None);
    let mut refused = event(8, None, Action::AccessRefused, Outcome::Refused, None);
    refused.entry.actor = Some(Actor::stranger("2001:db8:1:2::9".parse().unwrap()));
    refused.entry.detail = Detail::none().reason("code_unknown").count(41);
    let mut intent = event(9, Some(&ada), Action::Connect, Outcome::Intent, Some("codex"));
    intent.entry.detail = Detail::none().method("device");
    let mut done = Event { seq: 10, ..intent.clone() };
    done.entry.outcome = Outcome::Ok;
    done.entry.intent = Some(9);
    done.entry.detail = Detail::none().method("device").session(ID).status("starting");
    let mut finished = event(11, None, Action::Finished, Outcome::Failed, Some("codex"));
    finished.entry.detail =
        Detail::none().method("device").session(ID).status("failed").reason("expired");
    let events = [&started, &refused, &done, &finished].map(Into::into).into();
    check("activity.json", &wire::Activity { events, more: true });
    for (name, event) in [("ws-activity-intent.json", &intent), ("ws-activity.json", &done)] {
        let data = wire::ActivityEvent::from(event);
        check(name, &self::event(ACTIVITY_EVENT, "activity", &data));
    }
}

#[test]
fn problems() {
    let not_installed = SessionError::NotInstalled {
        program: "codex".into(),
        command: "npm install -g @openai/codex".into(),
    };
    check("problem-not-installed.json", &ApiError::from(not_installed).body());
    check("problem-sign-in.json", &ApiError::sign_in_first().body());
}

fn event(kind: &str, channel: &str, data: &impl Serialize) -> Value {
    frame(&protocol::event(kind, channel, 5, data, at(3), 0).unwrap())
}

#[test]
fn messages_of_the_server() {
    let answers = [
        (
            "ws-hello.json",
            Answer::Hello {
                build: "b1",
                boot: "r1".into(),
                mode: "local",
                now: wire::time(at(0)),
                heartbeat_ms: 25_000,
            },
        ),
        (
            "ws-subscribed.json",
            Answer::Subscribed { channels: vec!["providers".into()], denied: vec!["x".into()] },
        ),
        ("ws-unsubscribed.json", Answer::Unsubscribed { channels: vec!["providers".into()] }),
        ("ws-pong.json", Answer::Pong { id: Some(PingId::Text("7".into())) }),
        ("ws-auth-expiring.json", Answer::AuthExpiring { at: wire::time(at(60)) }),
        ("ws-error.json", Answer::Error { code: "unknown_type", message: "Not known." }),
    ];
    for (name, answer) in answers {
        check(name, &frame(&answer.frame()));
    }
    check("ws-snapshot.json", &event("snapshot", CHANNEL, &wire::Session::for_a_socket(&view())));
    let session = wire::Session::without_lines(&view());
    check("ws-status.json", &event("provider_auth:status", CHANNEL, &session));
    let lines: Vec<Line> = view().lines.into();
    let lines = LinesData::new(&view(), &lines);
    check("ws-line.json", &event("provider_auth:line", CHANNEL, &lines));
    let provider = ProviderData { provider: "codex".into(), status: seen_by(Audience::Managers) };
    check("ws-provider.json", &event("providers:auth_status", "providers", &provider));
    check("ws-gap.json", &frame(&protocol::gap(CHANNEL, 2, 4).unwrap()));
}

#[test]
fn messages_of_the_client() {
    let read = |name: &str| {
        let text = fs::read_to_string(file(name)).unwrap();
        serde_json::from_str::<Said>(&text).unwrap()
    };
    let subscribe = Said::Subscribe {
        channels: vec!["providers".into(), CHANNEL.into()],
        after: [("providers".to_owned(), 4)].into(),
        boot: Some("r1".into()),
    };
    assert_eq!(read("client-subscribe.json"), subscribe);
    let unsubscribe = Said::Unsubscribe { channels: vec![CHANNEL.into()] };
    assert_eq!(read("client-unsubscribe.json"), unsubscribe);
    assert_eq!(read("client-ping.json"), Said::Ping { id: Some(PingId::Text("7".into())) });
    assert_eq!(read("client-visible.json"), Said::Visible { value: true });
    assert_eq!(read("client-reauth.json"), Said::Reauth { token: "T".into() });
}

#[test]
fn a_picture_for_a_socket_fits_a_frame() {
    let long = |id| Line { id, stream: Stream::Terminal, text: "\"".repeat(4096), at: at(1) };
    let view = SessionView { lines: (4..504).map(long).collect(), ..view() };
    let picture = serde_json::to_value(wire::Session::for_a_socket(&view)).unwrap();
    let lines = picture["lines"].as_array().unwrap();
    assert_eq!(lines.last().unwrap()["id"], 503, "the newest stay");
    let first = lines[0]["id"].as_u64().unwrap();
    assert_eq!(picture["droppedLines"], first - 1);
    assert!(picture.to_string().len() < 200 * 1024);
}
