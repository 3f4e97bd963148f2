//! Installs through the API of the real server.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use reqwest::StatusCode;
use room_tests::app::Setup;
use room_tests::registry::{Gives, Registry};
use room_tests::{eventually, eventually_async, not_run};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::bench::{SOON, program};
use crate::room::{Room, id};

/// What the row of codex pins: the registry says so, and then nothing comes.
fn promised() -> Gives {
    let row = &provider_sessions::provider::built_in()[0];
    Gives::Promises(row.install.archive_here().unwrap().size_bytes)
}

async fn with_registry(registry: &Registry) -> Room {
    Room::with(|setup| setup.var("ROOM_NPM_REGISTRY", &registry.url())).await
}

async fn install(room: &Room, provider: &str) -> Value {
    let path = format!("/api/providers/{provider}/install");
    let answer = room.app.post(&path, &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.body
}

#[tokio::test]
async fn an_install_is_a_session_of_its_own_kind() {
    let registry = Registry::start(promised()).unwrap();
    let room = with_registry(&registry).await;
    let started = install(&room, "codex").await;
    let session = &started["session"];
    assert_eq!((&started["status"], &started["reused"]), (&json!("pending"), &json!(false)));
    assert_eq!(started["channel"], format!("provider-install:{}", id(session)));
    assert_eq!((&session["kind"], &session["method"]), (&json!("install"), &json!("install")));
    assert_eq!(install(&room, "codex").await["reused"], true);
    let refused = room.app.post("/api/providers/codex/connect", &json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert_eq!(refused.body["code"], "install_running", "{refused:?}");
    // Another provider's sign-in has nothing to do with it.
    let other = room.claude_prompt().await;
    let latest = room.app.get("/api/providers/codex/install").await;
    assert_eq!(latest.body["session"]["sessionId"], id(session));
    let sign_in = room.app.get("/api/providers/codex/session").await;
    assert!(sign_in.body["session"].is_null(), "{sign_in:?}");
    let cancelled = room.app.cancel(id(session)).await;
    assert_eq!(cancelled.body["session"]["status"], "canceled", "{cancelled:?}");
    room.app.cancel(id(&other)).await;
    let log = eventually_async("it is in the log", SOON, async || {
        let log = room.app.get("/api/activity?kind=provider").await.body;
        let finished = |event: &Value| event["action"] == "provider.installed";
        log["events"].as_array().unwrap().iter().any(finished).then_some(log)
    })
    .await;
    let actions: Vec<&str> = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["detail"]["session"] == id(session))
        .filter_map(|event| event["action"].as_str())
        .collect();
    assert!(actions.contains(&"provider.install"), "{log:#}");
    assert!(actions.contains(&"provider.cancel"), "{log:#}");
    let nobody = room.app.post("/api/providers/nobody/install", &json!({})).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND, "{nobody:?}");
}

#[tokio::test]
async fn a_sign_in_is_not_disturbed_by_an_install() {
    let registry = Registry::start(promised()).unwrap();
    let room = with_registry(&registry).await;
    let session = room.codex_code().await;
    let refused = room.app.post("/api/providers/codex/install", &json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert_eq!(refused.body["code"], "login_running", "{refused:?}");
    assert_eq!(registry.asked(), [""; 0]);
    room.control.approve();
    room.app.session_until(id(&session), |view| view["status"] == "completed").await;
}

#[tokio::test]
async fn what_a_killed_server_was_installing_goes_at_the_next_start() {
    let registry = Registry::start(promised()).unwrap();
    let mut room = with_registry(&registry).await;
    let started = install(&room, "codex").await;
    let staging = room.app.data().join("cli/staging");
    let staged = || std::fs::read_dir(&staging).map_or(0, Iterator::count);
    eventually(SOON, || (!registry.asked().is_empty() && staged() == 1).then_some(()));
    room.app.signal(Signal::KILL);
    room.app.wait();
    assert_eq!(staged(), 1, "nobody was there to tidy up");
    room.app.start().await.unwrap();
    eventually(SOON, || (staged() == 0).then_some(()));
    let view = room.app.session(id(&started["session"])).await;
    assert_eq!(view["status"], "failed", "{view:#}");
    assert_eq!(view["failure"]["code"], "server_restarted", "{view:#}");
    assert_eq!(view["kind"], "install", "{view:#}");
    let latest = room.app.get("/api/providers/codex/install").await;
    assert_eq!(latest.body["session"]["sessionId"], id(&view), "{latest:?}");
}

/// The registry of npm, unless it cannot be reached or the real programs are left out.
fn npm_is_there(test: &str) -> bool {
    if std::env::var("ROOM_TEST_CLIS").as_deref() == Ok("0") {
        not_run(test, "left out");
        return false;
    }
    let found = ("registry.npmjs.org", 443).to_socket_addrs().into_iter().flatten();
    let open = |address| TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok();
    if found.into_iter().any(open) {
        return true;
    }
    not_run(test, "registry.npmjs.org cannot be reached");
    false
}

#[tokio::test]
async fn the_real_programs_are_installed_and_run() {
    if !npm_is_there("the_real_programs_are_installed_and_run") {
        return;
    }
    let of_machine = ["HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let setup = Setup::new().unwrap().env(of_machine);
    let app = setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "off").start().await.unwrap();
    for row in &provider_sessions::provider::built_in()[..2] {
        let path = format!("/api/providers/{}/install", row.id);
        let answer = app.post(&path, &json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let session = answer.body["session"].clone();
        let over = |view: &Value| view["active"] == false;
        let view = app.session_within(Duration::from_mins(8), id(&session), over).await;
        assert_eq!(view["status"], "completed", "{view:#}");
        let status = app.get("/api/providers/status").await.body["providers"][&row.id].clone();
        assert_eq!(status["version"], row.install.tested, "{status:#}");
        assert_eq!(status["connected"], false, "{status:#}");
    }
}

/// What builds an image: without a server, and with the same care.
#[test]
fn without_a_server_only_what_is_pinned_is_installed_too() {
    let registry = Registry::start(Gives::It(program("0.169.0"))).unwrap();
    let setup = Setup::new().unwrap().var("ROOM_NPM_REGISTRY", &registry.url());
    let into = setup.home().path().join("programs");
    let words = ["install", "codex", "nobody", "--into", into.to_str().unwrap()];
    let output = setup.command(&words).unwrap().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for provider in ["codex", "nobody"] {
        assert!(said.contains(&format!("{provider} was not installed: ")), "{said}");
    }
    assert_eq!(registry.asked().len(), 1);
    assert!(!into.join("cli/bin/codex").exists() && !into.join("cli/codex").exists());
    assert!(!setup.data().exists(), "nothing is changed elsewhere");
}

#[test]
fn a_program_says_what_it_was_built_from() {
    let output = Setup::new().unwrap().command(&["--version"]).unwrap().output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.trim(), format!("room {}", room_runtime::VERSION));
    assert!(said.starts_with(&format!("room {}+", env!("CARGO_PKG_VERSION"))), "{said}");
}
