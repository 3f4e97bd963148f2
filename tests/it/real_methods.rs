//! The other ways in, with the real programs through Room: a pasted callback address, billing by
//! use, single sign-on, a long-lived token, keys.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::{Method, StatusCode};
use room_auth::Role;
use room_tests::app::{Answer, Setup};
use room_tests::issuer::ControlPlane;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cloud::INSTANCE;
use crate::cloud::embedded::keys_are_there;
use crate::real_logins::World;
use crate::room::{asks_for_input, id, text};

const CODEX_KEY: &str = "sk-proj-0123456789abcdefghijABCDEFGHIJ-k3y1";
const CLAUDE_KEY: &str = "sk-ant-api03-0123456789abcdefghijABCDEFGHIJ-k3y2";
const SECRET: &str = "an encryption key of 32 bytes or more";

impl World {
    /// A sign-in of that method that waits for the person.
    async fn method(&self, provider: &str, body: Value) -> Value {
        let answer = self.app.post(&format!("/api/providers/{provider}/connect"), &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        self.app.session_until(id(&answer.body["session"]), asks_for_input).await
    }

    async fn put_key(&self, provider: &str, body: &Value) -> Answer {
        let path = format!("/api/providers/{provider}/api-key");
        self.app.send(Method::PUT, &path, body).await
    }

    async fn delete_key(&self, provider: &str) -> Answer {
        let path = format!("/api/providers/{provider}/api-key");
        self.app.send(Method::DELETE, &path, &json!({})).await
    }

    async fn verify(&self, provider: &str) -> Value {
        let answer = self.app.post(&format!("/api/providers/{provider}/verify"), &json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.body
    }

    /// None of these stands in the log or in any file of Room's own.
    fn assert_unseen(&self, secrets: &[&str]) {
        let log = self.app.log();
        for secret in secrets {
            assert!(!log.contains(secret), "{secret} is in the log");
        }
        let found = room_tests::app::files_with(self.app.data(), secrets, &[]);
        assert!(found.is_empty(), "{found:?}");
    }
}

fn link(session: &Value) -> &str {
    session["verificationUrl"].as_str().unwrap()
}

/// One test, for two sign-ins of this kind on one machine end each other.
#[tokio::test]
async fn codex_is_signed_in_by_a_pasted_callback() {
    let Some(world) = World::new("codex_is_signed_in_by_a_pasted_callback").await else { return };
    let session = world.method("codex", json!({"method": "browser"})).await;
    let callback = world.openai.agree(link(&session)).unwrap();
    assert!(callback.starts_with("http://127.0.0.1:1455/auth/callback?"), "{callback}");
    for (wrong, code) in [
        (callback.replace("state=", "state=x"), "other_attempt"),
        (callback.replace(":1455", ":1456"), "other_port"),
        (callback.replace("/auth/callback", "/cancel"), "wrong_page"),
        (link(&session).to_owned(), "sign_in_link"),
        ("abcdefgh".to_owned(), "not_an_address"),
    ] {
        let answer = world.app.input(id(&session), &wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
        assert_eq!(answer.body["code"], code, "{answer:?}");
    }
    // As a phone's browser shows it, and wrapped by whatever it was copied through.
    let shown = callback.replace("http://127.0.0.1", " localhost").replace("&scope", "\n&scope");
    let answer = world.app.input(id(&session), &shown).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let done = world.app.session_until(id(&session), |view| view["active"] == false).await;
    assert_eq!(done["status"], "completed", "{done:#}");
    assert!(world.codex_is_signed_in());
    assert_eq!(world.openai.faults(), [""; 0]);
    let code = callback.split_once("code=").unwrap().1.split('&').next().unwrap();
    assert!(!text(&done).contains(code));
    world.assert_unseen(&[code]);

    // A person who says no, and a vendor that does: the earlier sign-in stays.
    let session = world.method("codex", json!({"method": "browser"})).await;
    let declined = world.openai.say_no(link(&session)).unwrap();
    let answer = world.app.input(id(&session), &declined).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    world.failed(&session).await;
    world.openai.answer_exchanges(room_tests::openai::ExchangeAnswer::Refused);
    let session = world.method("codex", json!({"method": "browser"})).await;
    let refused = world.openai.agree(link(&session)).unwrap();
    world.paste(&session, &refused).await;
    world.failed(&session).await;
    assert!(world.codex_is_signed_in());
    assert_eq!(world.openai.revoked(), [""; 0]);

    crate::real_failures::a_taken_port_is_no_obstacle_until_both_are(&world).await;

    // An earlier version names its own machine another way.
    let world = World::older("codex_is_signed_in_by_a_pasted_callback").await.unwrap();
    let session = world.method("codex", json!({"method": "browser"})).await;
    let callback = world.openai.agree(link(&session)).unwrap();
    world.paste(&session, &callback).await;
    let done = world.app.session_until(id(&session), |view| view["active"] == false).await;
    assert_eq!(done["status"], "completed", "{done:#}");
    assert!(world.codex_is_signed_in());
}

#[tokio::test]
async fn codex_takes_a_key_in_the_place_of_an_account_when_it_may() {
    let Some(world) = World::new("codex_takes_a_key").await else { return };
    let refused = world.put_key("codex", &json!({"key": "sk-ant-api03-nonsense"})).await;
    assert_eq!(refused.body["code"], "key_format", "{refused:?}");
    world.sign_in_codex().await;
    let asked = world.put_key("codex", &json!({"key": CODEX_KEY})).await;
    assert_eq!(asked.status, StatusCode::CONFLICT, "{asked:?}");
    assert_eq!(asked.body["code"], "would_sign_out", "{asked:?}");
    assert!(world.codex_is_signed_in());

    let set = world.put_key("codex", &json!({"key": CODEX_KEY, "replace": true})).await;
    assert_eq!(set.status, StatusCode::OK, "{set:?}");
    assert_eq!(set.body["connected"], true, "{set:?}");
    assert_eq!(set.body["method"], "api_key", "{set:?}");
    assert_eq!(set.body["apiKey"]["last4"], "k3y1", "{set:?}");
    assert_eq!(set.body["apiKey"]["storage"], "program", "{set:?}");
    let bad = world.verify("codex").await;
    assert_eq!(bad["key"]["valid"], false, "{bad:#}");
    world.openai.accept_key(CODEX_KEY);
    let good = world.verify("codex").await;
    assert_eq!(good["key"]["valid"], true, "{good:#}");
    assert_eq!(good["apiKey"]["valid"], true, "{good:#}");

    let gone = world.delete_key("codex").await;
    assert_eq!(gone.body["removed"], true, "{gone:?}");
    assert_eq!(gone.body["connected"], false, "{gone:?}");
    assert!(!world.codex_is_signed_in());
    assert_eq!(world.delete_key("codex").await.body["removed"], false);
    world.assert_unseen(&[CODEX_KEY]);
}

#[tokio::test]
async fn claude_signs_in_by_console_and_by_single_sign_on() {
    let Some(world) = World::new("claude_console_and_sso").await else { return };
    let session = world.method("claude", json!({"method": "console"})).await;
    assert!(link(&session).starts_with("https://platform.claude.com/"), "{session:#}");
    let code = world.anthropic.sign_in(link(&session)).unwrap();
    world.paste(&session, &code).await;
    let done = world.app.session_until(id(&session), |view| view["active"] == false).await;
    assert_eq!(done["status"], "completed", "{done:#}");
    let status = world.app.provider_status("claude").await;
    assert_eq!((&status["connected"], &status["method"]), (&json!(true), &json!("api_key")));
    world.disconnect("claude").await;
    assert!(!world.claude_is_signed_in());

    let asked = json!({"method": "sso", "email": "ada@corp.example"});
    let session = world.method("claude", asked).await;
    assert!(link(&session).contains("ada%40corp.example"), "{session:#}");
    let code = world.anthropic.sign_in(link(&session)).unwrap();
    world.paste(&session, &code).await;
    let done = world.app.session_until(id(&session), |view| view["active"] == false).await;
    assert_eq!(done["status"], "completed", "{done:#}");
    assert!(world.claude_is_signed_in());
    for (method, email) in [("sso", "--version"), ("subscription", "ada@corp.example")] {
        let body = json!({"method": method, "email": email});
        let refused = world.app.post("/api/providers/claude/connect", &body).await;
        assert_eq!(refused.body["code"], "bad_email", "{refused:?}");
    }
}

#[tokio::test]
async fn claude_takes_a_key_that_outlives_a_restart_only_when_it_is_sealed() {
    let sealed = |setup: Setup| setup.var("ROOM_ENCRYPTION_KEY", SECRET);
    let Some(mut world) = World::with("claude_takes_a_key", sealed).await else { return };
    let set = world.put_key("claude", &json!({"key": format!(" {CLAUDE_KEY}\n")})).await;
    assert_eq!(set.status, StatusCode::OK, "{set:?}");
    assert_eq!(set.body["connected"], true, "{set:?}");
    assert_eq!(set.body["apiKey"]["storage"], "sealed", "{set:?}");
    assert_eq!(set.body["apiKey"]["last4"], "k3y2", "{set:?}");
    assert!(!world.claude_is_signed_in(), "the person's own terminal does not have it");
    assert_eq!(world.verify("claude").await["key"]["valid"], false);
    world.anthropic.accept_key(CLAUDE_KEY);
    assert_eq!(world.verify("claude").await["key"]["valid"], true);

    world.app.signal(Signal::KILL);
    world.app.wait();
    world.app.start().await.unwrap();
    let status = world.verify("claude").await;
    assert_eq!(status["apiKey"]["last4"], "k3y2", "{status:#}");
    assert_eq!(status["connected"], true, "{status:#}");
    let gone = world.delete_key("claude").await;
    assert_eq!((&gone.body["removed"], &gone.body["connected"]), (&json!(true), &json!(false)));
    world.assert_unseen(&[CLAUDE_KEY, SECRET]);
}

#[tokio::test]
async fn claude_prints_a_token_that_room_keeps() {
    let Some(world) = World::new("claude_prints_a_token").await else { return };
    let session = world.method("claude", json!({"method": "setup_token"})).await;
    let code = world.anthropic.sign_in(link(&session)).unwrap();
    world.paste(&session, &code).await;
    let done = world.app.session_until(id(&session), |view| view["active"] == false).await;
    assert_eq!(done["status"], "completed", "{done:#}");
    let status = world.app.provider_status("claude").await;
    assert_eq!(status["connected"], true, "{status:#}");
    assert_eq!(status["method"], "oauth_token", "{status:#}");
    assert_eq!(status["apiKey"]["kind"], "token", "{status:#}");
    assert_eq!(status["apiKey"]["storage"], "memory", "{status:#}");
    let tokens = world.anthropic.access_tokens();
    let token = tokens.last().unwrap();
    assert!(token.ends_with(status["apiKey"]["last4"].as_str().unwrap()), "{status:#}");
    assert!(!text(&done).contains(token.as_str()), "{done:#}");
    world.assert_unseen(&[token]);

    // Refused, and asked again with another link by the same program.
    let session = world.method("claude", json!({"method": "setup_token"})).await;
    let first = link(&session).to_owned();
    world.paste(&session, &world.anthropic.refused_code(&first).unwrap()).await;
    let again = |view: &Value| asks_for_input(view) && view["verificationUrl"] != first.as_str();
    let session = world.app.session_until(id(&session), again).await;
    let code = world.anthropic.sign_in(link(&session)).unwrap();
    world.paste(&session, &code).await;
    let done = world.app.session_until(id(&session), |view| view["active"] == false).await;
    assert_eq!(done["status"], "completed", "{done:#}");
    world.disconnect("claude").await;
    assert!(world.app.provider_status("claude").await["apiKey"].is_null());
}

/// Both wordings are in the wild at once.
#[tokio::test]
async fn earlier_versions_sign_in_and_are_told_from_the_tested_ones() {
    let Some(world) = World::older("earlier_versions_sign_in").await else { return };
    world.sign_in_codex().await;
    assert!(world.codex_is_signed_in());
    let status = world.verify("codex").await;
    assert_eq!(status["version"], "0.144.5", "{status:#}");
    assert_eq!((&status["updateAvailable"], &status["tooOld"]), (&json!(true), &json!(false)));

    let session = world.claude_prompt().await;
    let answer = world.app.input(id(&session), "abc#").await;
    assert_eq!(answer.body["code"], "incomplete", "{answer:?}");
    world.paste(&session, &world.anthropic.refused_code(link(&session)).unwrap()).await;
    let failed = world.failed(&session).await;
    assert_eq!(failed["failure"]["code"], "refused", "{failed:#}");
    world.sign_in_claude().await;
    assert!(world.claude_is_signed_in());
    let status = world.verify("claude").await;
    assert_eq!(status["version"], "2.1.197", "{status:#}");
    assert!(status["versionNote"].as_str().unwrap().starts_with("older"), "{status:#}");
    for provider in ["codex", "claude"] {
        world.disconnect(provider).await;
    }
}

/// The same programs for a person who is not at the machine: nobody's own home is touched.
#[tokio::test]
async fn a_hosted_room_signs_both_in_and_is_wiped() {
    let plane = ControlPlane::start(INSTANCE).unwrap();
    let cloud = |setup: Setup| setup.cloud().env(plane.settings());
    let Some(mut world) = World::with("a_hosted_room_signs_both_in", cloud).await else { return };
    keys_are_there(world.app.client()).await;
    world.app.act_as(plane.token(Role::Owner));
    tokio::join!(world.sign_in_codex(), world.sign_in_claude());
    let home = world.app.data().join("home");
    let files = [".codex/auth.json", ".claude/.credentials.json"].map(|file| home.join(file));
    for file in &files {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    assert!(!world.codex_is_signed_in() && !world.claude_is_signed_in(), "in their own terminal");
    let wiped = world.app.post("/api/instance/wipe", &json!({"confirm": INSTANCE})).await;
    assert_eq!(wiped.status, StatusCode::OK, "{wiped:?}");
    assert!(files.iter().all(|file| !file.exists()), "{wiped:?}");
    assert_eq!(world.openai.revoked(), world.openai.refresh_tokens());
}
