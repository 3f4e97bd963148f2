//! The real programs through Room, against the stand-ins for their vendors.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use reqwest::StatusCode;
use room_tests::anthropic::Anthropic;
use room_tests::app::{Setup, TestApp};
use room_tests::clis::{found_for, older_clis, real_clis, search_path};
use room_tests::openai::{CodeAnswer, ExchangeAnswer, OpenAi};
use room_tests::proxy::Proxy;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::room::{asks_for_input, id, text};

/// The shortest limit that Room takes, and what ending the programs may take.
const LIMIT: Duration = Duration::from_secs(40);

pub(crate) struct World {
    pub(crate) app: TestApp,
    clis: PathBuf,
    proxy: Proxy,
    pub(crate) openai: OpenAi,
    pub(crate) anthropic: Anthropic,
}

impl World {
    pub(crate) async fn new(test: &str) -> Option<Self> {
        Self::with(test, |setup| setup).await
    }

    pub(crate) async fn with(test: &str, more: impl FnOnce(Setup) -> Setup) -> Option<Self> {
        Self::from(found_for(test, real_clis())?, more).await
    }

    /// With earlier versions of the programs.
    pub(crate) async fn older(test: &str) -> Option<Self> {
        Self::from(found_for(test, older_clis())?, |setup| setup).await
    }

    async fn from(clis: PathBuf, more: impl FnOnce(Setup) -> Setup) -> Option<Self> {
        let openai = OpenAi::start().unwrap();
        let anthropic = Anthropic::start().unwrap();
        let proxy = Proxy::start(&openai, &anthropic).unwrap();
        // A test looks more often than a person does.
        let setup = Setup::new().unwrap().var("ROOM_AUTH_FAILURES_PER_MINUTE", "off");
        let setup = setup.search(&search_path(&clis)).env(proxy.env());
        let app = more(setup).start().await.unwrap();
        Some(Self { app, clis, proxy, openai, anthropic })
    }

    /// Runs a program as the person would in a terminal of their own.
    fn run(&self, program: &str, args: &[&str]) -> Output {
        Command::new(self.clis.join(program))
            .args(args)
            .env_clear()
            .envs(self.app.home().env(&search_path(&self.clis)))
            .envs(self.proxy.env())
            .current_dir("/")
            .output()
            .unwrap()
    }

    pub(crate) fn codex_is_signed_in(&self) -> bool {
        let output = self.run("codex", &["login", "status"]);
        let said = String::from_utf8(output.stderr).unwrap();
        let signed_in = output.status.success();
        let expected = if signed_in { "Logged in using ChatGPT\n" } else { "Not logged in\n" };
        assert_eq!(said, expected);
        signed_in
    }

    pub(crate) fn claude_is_signed_in(&self) -> bool {
        let output = self.run("claude", &["auth", "status"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["loggedIn"], output.status.success(), "{report}");
        output.status.success()
    }

    /// A sign-in that shows its code, which is the one that the vendor gave out.
    pub(crate) async fn codex_code(&self) -> Value {
        let session = self.app.connect("codex").await;
        let session =
            self.app.session_until(id(&session), |view| view["deviceCode"].is_string()).await;
        assert_eq!(session["verificationUrl"], "https://auth.openai.com/codex/device");
        assert_eq!(session["deviceCode"].as_str(), self.openai.user_code().as_deref());
        session
    }

    pub(crate) async fn sign_in_codex(&self) {
        let session = self.codex_code().await;
        self.openai.approve(session["deviceCode"].as_str().unwrap()).unwrap();
        self.app.session_until(id(&session), |view| view["status"] == "completed").await;
    }

    pub(crate) async fn claude_prompt(&self) -> Value {
        let session = self.app.connect("claude").await;
        self.app.session_until(id(&session), asks_for_input).await
    }

    pub(crate) async fn paste(&self, session: &Value, code: &str) {
        let answer = self.app.input(id(session), code).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }

    pub(crate) async fn sign_in_claude(&self) {
        let session = self.claude_prompt().await;
        let link = session["verificationUrl"].as_str().unwrap();
        let code = self.anthropic.sign_in(link).unwrap();
        self.paste(&session, &code).await;
        let session =
            self.app.session_until(id(&session), |view| view["status"] == "completed").await;
        assert!(!text(&session).contains(&code), "the pasted code is masked");
    }

    pub(crate) async fn failed(&self, session: &Value) -> Value {
        let session = self.app.session_until(id(session), |view| view["active"] == false).await;
        assert_eq!(session["status"], "failed", "{session:#}");
        for part in ["code", "title", "action"] {
            assert!(session["failure"][part].is_string(), "{session:#}");
        }
        session
    }

    pub(crate) async fn disconnect(&self, provider: &str) {
        let path = format!("/api/providers/{provider}/disconnect");
        let answer = self.app.post(&path, &json!({})).await;
        assert_eq!(answer.body["status"], "disconnected", "{answer:?}");
    }
}

#[tokio::test]
async fn codex_signs_in_and_out_through_room() {
    let Some(world) = World::new("codex_signs_in_and_out_through_room").await else { return };
    world.sign_in_codex().await;
    assert!(world.codex_is_signed_in());
    let status = world.app.provider_status("codex").await;
    assert_eq!(status["connected"], true, "{status:#}");
    assert_eq!(status["version"], "0.169.0", "{status:#}");
    let account = status["account"].to_string();
    assert!(!account.contains("ada@example.com"), "masked: {account}");
    world.disconnect("codex").await;
    assert!(!world.codex_is_signed_in());
    assert_eq!(world.openai.revoked(), world.openai.refresh_tokens());
    assert_eq!(world.openai.faults(), [""; 0]);
}

#[tokio::test]
async fn claude_signs_in_and_out_through_room() {
    let Some(world) = World::new("claude_signs_in_and_out_through_room").await else { return };
    world.sign_in_claude().await;
    assert!(world.claude_is_signed_in());
    let status = world.app.provider_status("claude").await;
    assert_eq!(status["connected"], true, "{status:#}");
    assert_eq!(status["version"], "2.1.330", "{status:#}");
    world.disconnect("claude").await;
    assert!(!world.claude_is_signed_in());
    assert_eq!(world.anthropic.revoked().len(), 1);
    assert_eq!(world.anthropic.faults(), [""; 0]);
}

#[tokio::test]
async fn codex_refused_expired_or_cancelled_keeps_the_earlier_sign_in() {
    let Some(world) = World::new("codex_refused_expired_or_cancelled").await else { return };
    world.sign_in_codex().await;

    let session = world.codex_code().await;
    world.openai.decline(session["deviceCode"].as_str().unwrap()).unwrap();
    world.failed(&session).await;

    let session = world.codex_code().await;
    world.openai.expire(session["deviceCode"].as_str().unwrap()).unwrap();
    world.failed(&session).await;

    world.openai.answer_exchanges(ExchangeAnswer::Refused);
    let session = world.codex_code().await;
    world.openai.approve(session["deviceCode"].as_str().unwrap()).unwrap();
    world.failed(&session).await;

    let session = world.codex_code().await;
    let answer = world.app.cancel(id(&session)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(world.app.session(id(&session)).await["status"], "canceled");
    assert_eq!(world.app.descendants(), []);

    assert!(world.codex_is_signed_in());
    assert_eq!(world.openai.revoked(), [""; 0], "the earlier sign-in was not revoked");
}

#[tokio::test]
async fn codex_without_a_code_says_why() {
    let Some(world) = World::new("codex_without_a_code_says_why").await else { return };
    let answers = [CodeAnswer::NotEnabled, CodeAnswer::Blocked, CodeAnswer::RateLimited];
    let mut reasons = Vec::new();
    for answer in answers {
        world.openai.answer_codes(answer);
        let session = world.app.connect("codex").await;
        let session = world.failed(&session).await;
        assert!(session["verificationUrl"].is_null(), "{session:#}");
        reasons.push(session["failure"]["code"].clone());
    }
    world.proxy.unplug();
    let session = world.app.connect("codex").await;
    let session = world.failed(&session).await;
    assert!(session["verificationUrl"].is_null(), "{session:#}");
    reasons.push(session["failure"]["code"].clone());
    let known = reasons.iter().filter(|reason| reasons[0] != **reason).count();
    assert!(known >= 2, "each has a reason of its own: {reasons:?}");
}

#[tokio::test]
async fn claude_refused_or_cancelled_keeps_the_earlier_sign_in() {
    let Some(world) = World::new("claude_refused_or_cancelled").await else { return };
    world.sign_in_claude().await;

    let session = world.claude_prompt().await;
    let link = session["verificationUrl"].as_str().unwrap();
    world.paste(&session, &world.anthropic.refused_code(link).unwrap()).await;
    let session = world.failed(&session).await;
    assert!(text(&session).contains("That code wasn't accepted"), "{session:#}");

    let session = world.claude_prompt().await;
    let answer = world.app.input(id(&session), "123456").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    let answer = world.app.cancel(id(&session)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(world.app.descendants(), []);

    let session = world.claude_prompt().await;
    let link = session["verificationUrl"].as_str().unwrap();
    let code = world.anthropic.sign_in(link).unwrap();
    world.proxy.unplug();
    world.paste(&session, &code).await;
    world.failed(&session).await;
    world.proxy.plug_in();

    assert!(world.claude_is_signed_in());
}

/// Neither codex within its 15 minutes nor claude ever gives up: here it is Room that does.
#[tokio::test]
async fn a_sign_in_that_takes_too_long_expires_and_keeps_the_earlier_one() {
    let shortest = |setup: Setup| setup.var("ROOM_PROVIDER_AUTH_TIMEOUT_MS", "30000");
    let Some(world) = World::with("a_sign_in_that_takes_too_long", shortest).await else { return };
    tokio::join!(world.sign_in_codex(), world.sign_in_claude());
    let (codex, claude) = tokio::join!(world.codex_code(), world.claude_prompt());
    for (session, why) in [(codex, "expired"), (claude, "timeout")] {
        let over = |view: &Value| view["active"] == false;
        let session = world.app.session_within(LIMIT, id(&session), over).await;
        assert_eq!(session["status"], "timeout", "{session:#}");
        assert_eq!(session["failure"]["code"], why, "{session:#}");
    }
    assert_eq!(world.app.descendants(), []);
    assert!(world.codex_is_signed_in() && world.claude_is_signed_in());
    assert_eq!(world.openai.revoked(), [""; 0]);
}

#[tokio::test]
async fn a_slow_vendor_is_waited_for() {
    let Some(world) = World::new("a_slow_vendor_is_waited_for").await else { return };
    world.anthropic.hold_exchanges();
    let session = world.claude_prompt().await;
    let link = session["verificationUrl"].as_str().unwrap();
    world.paste(&session, &world.anthropic.sign_in(link).unwrap()).await;
    let waits = |view: &Value| view["awaitingInput"] == false && view["active"] == true;
    world.app.session_until(id(&session), waits).await;
    world.anthropic.release_exchanges();
    world.app.session_until(id(&session), |view| view["status"] == "completed").await;
}

#[tokio::test]
async fn a_killed_server_leaves_no_real_program_after_the_next_start() {
    let Some(mut world) = World::new("a_killed_server_leaves_no_real_program").await else {
        return;
    };
    world.sign_in_codex().await;
    world.codex_code().await;
    world.claude_prompt().await;
    assert!(world.app.descendants().len() >= 3, "{:?}", world.app.descendants());
    world.app.signal(Signal::KILL);
    world.app.wait();
    world.app.start().await.unwrap();
    room_tests::eventually(room_tests::app::SOON, || {
        world.app.descendants().is_empty().then_some(())
    });
    assert!(world.codex_is_signed_in());
}
