//! What goes wrong inside the real programs, and not at their vendors: their own settings, a disk
//! that is full, somebody who ends them. Each ends with the right words, and what was there stays.

use std::fs;
use std::net::TcpListener;

use reqwest::StatusCode;
use room_tests::disk::SmallDisk;
use room_tests::openai::ExchangeAnswer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::real_logins::World;
use crate::room::{asks_for_input, id, text};

/// More than either program writes.
const DISK_BYTES: u64 = 2 * 1024 * 1024;

impl World {
    async fn over(&self, session: &Value) -> Value {
        self.app.session_until(id(session), |view| view["active"] == false).await
    }

    async fn fails_with(&self, session: &Value, code: &str) -> Value {
        let session = self.failed(session).await;
        assert_eq!(session["failure"]["code"], code, "{session:#}");
        session
    }

    fn codex_settings(&self, settings: &str) {
        fs::write(self.app.home().codex().join("config.toml"), settings).unwrap();
    }

    /// Consents to a sign-in in place of the earlier one.
    async fn codex_in_place(&self) -> Value {
        let body = json!({"inPlace": true});
        let answer = self.app.post("/api/providers/codex/connect", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let id = id(&answer.body["session"]);
        let session = self.app.session_until(id, |view| view["deviceCode"].is_string()).await;
        self.openai.approve(session["deviceCode"].as_str().unwrap()).unwrap();
        session
    }
}

#[tokio::test]
async fn codex_that_may_not_or_cannot_keep_a_sign_in_says_so() {
    let Some(world) = World::new("codex_that_may_not").await else { return };
    world.sign_in_codex().await;

    world.codex_settings("forced_login_method = \"api\"\n");
    let session = world.app.connect("codex").await;
    let session = world.fails_with(&session, "policy").await;
    assert!(text(&session).contains("login is disabled"), "{session:#}");
    assert!(session["verificationUrl"].is_null(), "{session:#}");
    fs::remove_file(world.app.home().codex().join("config.toml")).unwrap();
    assert!(world.codex_is_signed_in());

    // Answers of the server that nobody taught the program.
    for (status, code) in [(429, "rate_limited"), (500, "network")] {
        let session = world.codex_code().await;
        world.openai.answer_poll(session["deviceCode"].as_str().unwrap(), status).unwrap();
        world.fails_with(&session, code).await;
    }
    // Somebody ends it.
    let session = world.codex_code().await;
    let codex = world.app.descendants();
    let codex = codex.iter().find(|process| process.command.contains("vendor")).unwrap();
    let pid = Pid::from_raw(i32::try_from(codex.pid).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    world.fails_with(&session, "program_died").await;
    assert!(world.codex_is_signed_in());
    assert_eq!(world.openai.revoked(), [""; 0]);

    // Without a file the sign-in cannot be made beside the earlier one: only after asking.
    for (store, code) in [("keyring", "cannot_store"), ("ephemeral", "not_signed_in")] {
        world.codex_settings(&format!("cli_auth_credentials_store = \"{store}\"\n"));
        let asked = world.app.post("/api/providers/codex/connect", &json!({})).await;
        assert_eq!(asked.status, StatusCode::CONFLICT, "{asked:?}");
        assert_eq!(asked.body["code"], "would_sign_out", "{asked:?}");
        let session = world.codex_in_place().await;
        world.fails_with(&session, code).await;
    }
}

#[tokio::test]
async fn codex_on_a_full_disk_keeps_the_earlier_sign_in() {
    let test = "codex_on_a_full_disk";
    let Some(world) = World::new(test).await else { return };
    let Some(disk) = SmallDisk::mount(test, &world.app.home().codex(), DISK_BYTES) else {
        return;
    };
    world.sign_in_codex().await;
    let session = world.codex_code().await;
    disk.fill();
    world.openai.approve(session["deviceCode"].as_str().unwrap()).unwrap();
    world.fails_with(&session, "cannot_store").await;
    disk.empty();
    assert!(world.codex_is_signed_in());
    assert_eq!(world.openai.revoked(), [""; 0]);
    world.sign_in_codex().await;
}

/// It says itself that it is signed in then, and has stored nothing.
#[tokio::test]
async fn claude_on_a_full_disk_is_not_believed_and_keeps_the_earlier_sign_in() {
    let test = "claude_on_a_full_disk";
    let Some(world) = World::new(test).await else { return };
    let folder = world.app.home().claude();
    fs::create_dir(&folder).unwrap();
    let Some(disk) = SmallDisk::mount(test, &folder, DISK_BYTES) else { return };
    let sign_in_on_full_disk = async || {
        disk.fill();
        let session = world.claude_prompt().await;
        let code = world.anthropic.sign_in(session["verificationUrl"].as_str().unwrap()).unwrap();
        world.paste(&session, &code).await;
        let session = world.fails_with(&session, "cannot_store").await;
        disk.empty();
        assert!(text(&session).contains("Login successful."), "{session:#}");
        assert!(text(&session).contains("No space left on device"), "{session:#}");
    };
    sign_in_on_full_disk().await;
    assert!(!world.claude_is_signed_in());
    world.sign_in_claude().await;
    let earlier = fs::read(folder.join(".credentials.json")).unwrap();
    sign_in_on_full_disk().await;
    assert_eq!(fs::read(folder.join(".credentials.json")).unwrap(), earlier);
    assert!(world.claude_is_signed_in());
    world.sign_in_claude().await;
}

/// A credentials file that nobody can read is no sign-out, and no sign-in either.
#[tokio::test]
async fn codex_with_a_damaged_file_is_not_known_and_can_sign_in() {
    let Some(world) = World::new("codex_with_a_damaged_file").await else { return };
    fs::write(world.app.home().codex().join("auth.json"), "{\"auth_mode\":").unwrap();
    let status = world.app.provider_status("codex").await;
    assert!(status["connected"].is_null(), "{status:#}");
    assert!(status["error"].is_string(), "{status:#}");
    world.sign_in_codex().await;
    assert!(world.codex_is_signed_in());
}

/// Part of the one test that may sign in this way.
pub(crate) async fn a_taken_port_is_no_obstacle_until_both_are(world: &World) {
    world.openai.answer_exchanges(ExchangeAnswer::Given);
    let taken = TcpListener::bind(("127.0.0.1", 1455)).unwrap();
    let browser = json!({"method": "browser"});
    let answer = world.app.post("/api/providers/codex/connect", &browser).await;
    let session = world.app.session_until(id(&answer.body["session"]), asks_for_input).await;
    let callback = world.openai.agree(session["verificationUrl"].as_str().unwrap()).unwrap();
    assert!(callback.starts_with("http://127.0.0.1:1457/auth/callback?"), "{callback}");
    world.paste(&session, &callback).await;
    assert_eq!(world.over(&session).await["status"], "completed");
    let both = TcpListener::bind(("127.0.0.1", 1457)).unwrap();
    let answer = world.app.post("/api/providers/codex/connect", &browser).await;
    world.failed(&answer.body["session"]).await;
    drop((taken, both));
    assert!(world.codex_is_signed_in());
}
