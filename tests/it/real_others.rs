//! The programs that are rows of data only, real ones too: each is signed in as far as that goes
//! without its vendor, against a stand-in, and ends as every other does.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Output};

use reqwest::StatusCode;
use room_tests::app::{SOON, Setup, TestApp};
use room_tests::clis::{found_for, other_cli, search_path};
use room_tests::github::GitHub;
use room_tests::google::Google;
use room_tests::home::TempHome;
use room_tests::proxy::Proxy;
use room_tests::{Process, eventually};
use serde_json::{Value, json};

use crate::room::{asks_for_input, id, text};

/// Where both of GitHub's programs send a person.
const DEVICE_PAGE: &str = "https://github.com/login/device";

struct World {
    app: TestApp,
    program: &'static str,
    path: String,
    proxy: Proxy,
    github: GitHub,
    google: Google,
}

impl World {
    /// A server that finds this one program and none of the others.
    async fn new(test: &str, program: &'static str) -> Option<Self> {
        let found = found_for(test, other_cli(program))?.join(program);
        let setup = Setup::new().unwrap();
        let alone = setup.home().path().join("programs");
        std::fs::create_dir(&alone).unwrap();
        symlink(found, alone.join(program)).unwrap();
        let path = search_path(&alone);
        let (github, google) = (GitHub::start().unwrap(), Google::start().unwrap());
        let proxy = Proxy::start_for_others(&github, &google).unwrap();
        let setup = setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "off");
        let app = setup.search(&path).env(proxy.env()).start().await.unwrap();
        Some(Self { app, program, path, proxy, github, google })
    }

    async fn connect(&self) -> Value {
        self.app.connect(self.program).await
    }

    /// A sign-in that shows the page and the code that was given out.
    async fn code(&self) -> Value {
        let session = self.connect().await;
        let shown =
            |view: &Value| view["deviceCode"].is_string() && view["verificationUrl"].is_string();
        let session = self.app.session_until(id(&session), shown).await;
        assert_eq!(session["verificationUrl"], DEVICE_PAGE, "{session:#}");
        assert_eq!(session["deviceCode"].as_str(), self.github.user_code().as_deref());
        session
    }

    async fn over(&self, session: &Value) -> Value {
        self.app.session_until(id(session), |view| view["active"] == false).await
    }

    async fn failed(&self, session: &Value, code: &str) {
        let session = self.over(session).await;
        assert_eq!(session["status"], "failed", "{session:#}");
        assert_eq!(session["failure"]["code"], code, "{session:#}");
        for part in ["title", "action"] {
            assert!(session["failure"][part].is_string(), "{session:#}");
        }
    }

    async fn cancelled(&self, session: &Value) {
        let answer = self.app.cancel(id(session)).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.body["session"]["status"], "canceled", "{answer:?}");
        assert_eq!(self.left(), []);
    }

    /// What runs because of a sign-in: to be asked whose token it has is gh's status.
    fn left(&self) -> Vec<Process> {
        let mut left = self.app.descendants();
        left.retain(|process| !process.command.contains(" auth token"));
        left
    }

    async fn is_connected(&self) -> bool {
        let status = self.app.provider_status(self.program).await;
        status["connected"].as_bool().unwrap_or_else(|| panic!("{status:#}"))
    }

    async fn disconnect(&self) {
        let path = format!("/api/providers/{}/disconnect", self.program);
        let answer = self.app.post(&path, &json!({})).await;
        assert_eq!(answer.body["status"], "disconnected", "{answer:?}");
        assert!(!self.is_connected().await);
    }

    fn home(&self) -> &TempHome {
        self.app.home()
    }

    fn credentials(&self, file: &str) -> PathBuf {
        self.home().path().join(file)
    }

    /// Readable by the person alone.
    fn assert_private(&self, file: &str) {
        let mode = std::fs::metadata(self.credentials(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}: {mode:o}");
    }

    /// Runs the program as the person would in a terminal of their own.
    fn run(&self, args: &[&str]) -> Output {
        Command::new(self.home().path().join("programs").join(self.program))
            .args(args)
            .env_clear()
            .envs(self.home().env(&self.path))
            .envs(self.proxy.env())
            .current_dir("/")
            .output()
            .unwrap()
    }

    /// None of these stands in the log, in what a person sees, or in a file of Room's own.
    fn assert_unseen(&self, session: &Value, secrets: &[&str]) {
        for secret in secrets {
            assert!(!text(session).contains(secret), "{session:#}");
            assert!(!self.app.log().contains(secret), "it is in the log");
        }
        let found = room_tests::app::files_with(self.app.data(), secrets, &[]);
        assert!(found.is_empty(), "{found:?}");
    }
}

#[tokio::test]
async fn gh_signs_in_and_out_through_room() {
    let Some(world) = World::new("gh_signs_in_and_out_through_room", "gh").await else { return };
    assert!(!world.is_connected().await);
    let session = world.code().await;
    world.github.approve(session["deviceCode"].as_str().unwrap()).unwrap();
    let done = world.over(&session).await;
    assert_eq!(done["status"], "completed", "{done:#}");
    let token = world.github.tokens().pop().unwrap();
    world.assert_unseen(&done, &[&token]);
    world.assert_private(".config/gh/hosts.yml");
    let status = world.app.provider_status("gh").await;
    assert_eq!((&status["connected"], &status["version"]), (&json!(true), &json!("2.23.0")));
    let own = world.run(&["auth", "token"]);
    assert_eq!(String::from_utf8(own.stdout).unwrap().trim(), token);

    // What does not end well leaves it as it is.
    let session = world.code().await;
    world.github.decline(session["deviceCode"].as_str().unwrap()).unwrap();
    world.failed(&session, "refused").await;
    let session = world.code().await;
    world.github.expire(session["deviceCode"].as_str().unwrap()).unwrap();
    world.failed(&session, "expired").await;
    let session = world.code().await;
    world.cancelled(&session).await;
    world.proxy.unplug();
    let session = world.connect().await;
    world.failed(&session, "network").await;
    world.proxy.plug_in();
    assert!(world.is_connected().await);
    assert_eq!(String::from_utf8(world.run(&["auth", "token"]).stdout).unwrap().trim(), token);

    world.disconnect().await;
    assert!(!world.run(&["auth", "token"]).status.success());
    assert_eq!(world.github.faults(), [""; 0]);
}

#[tokio::test]
async fn copilot_signs_in_and_out_through_room() {
    let test = "copilot_signs_in_and_out_through_room";
    let Some(world) = World::new(test, "copilot").await else { return };
    assert!(!world.is_connected().await);
    let session = world.code().await;
    world.github.approve(session["deviceCode"].as_str().unwrap()).unwrap();
    let done = world.over(&session).await;
    assert_eq!(done["status"], "completed", "{done:#}");
    let token = world.github.tokens().pop().unwrap();
    world.assert_unseen(&done, &[&token]);
    world.assert_private(".copilot/config.json");
    let status = world.app.provider_status("copilot").await;
    assert_eq!((&status["connected"], &status["version"]), (&json!(true), &json!("1.0.102")));

    // It takes no for an answer neither from the person nor from the server, and asks on until the
    // code is too old.
    let session = world.code().await;
    world.github.decline(session["deviceCode"].as_str().unwrap()).unwrap();
    let polls = || world.github.count("/login/oauth/access_token");
    let before = polls();
    eventually(SOON, || (polls() > before + 1).then_some(()));
    assert_eq!(world.app.session(id(&session)).await["step"], "awaiting_approval");
    world.cancelled(&session).await;
    world.github.codes_last(2);
    let session = world.code().await;
    world.failed(&session, "expired").await;
    world.proxy.unplug();
    let session = world.connect().await;
    world.failed(&session, "network").await;
    world.proxy.plug_in();
    assert!(world.is_connected().await);

    world.disconnect().await;
    assert!(!world.credentials(".copilot/config.json").exists());
    assert_eq!(world.github.faults(), [""; 0]);
}

/// It is a chat that ends by no signal but the one that nobody can refuse.
#[tokio::test]
async fn gemini_signs_in_and_out_through_room() {
    let test = "gemini_signs_in_and_out_through_room";
    let Some(world) = World::new(test, "gemini").await else { return };
    assert!(!world.is_connected().await);
    let session = world.connect().await;
    let session = world.app.session_until(id(&session), asks_for_input).await;
    world.cancelled(&session).await;
    assert!(!world.is_connected().await);

    let session = world.connect().await;
    let session = world.app.session_until(id(&session), asks_for_input).await;
    let first = session["verificationUrl"].as_str().unwrap().to_owned();
    let answer = world.app.input(id(&session), &world.google.refused_code()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    // Refused, and asked again with another link by the same program.
    let again = |view: &Value| asks_for_input(view) && view["verificationUrl"] != first.as_str();
    let session = world.app.session_until(id(&session), again).await;
    let code = world.google.sign_in(session["verificationUrl"].as_str().unwrap()).unwrap();
    let answer = world.app.input(id(&session), &code).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let done = world.over(&session).await;
    assert_eq!(done["status"], "completed", "{done:#}");
    assert_eq!(world.left(), []);
    let token = world.google.refresh_tokens().pop().unwrap();
    world.assert_unseen(&done, &[&token, &code]);
    world.assert_private(".gemini/oauth_creds.json");
    let status = world.app.provider_status("gemini").await;
    assert_eq!((&status["connected"], &status["version"]), (&json!(true), &json!("0.61.0")));
    world.disconnect().await;
    assert_eq!(world.google.faults(), [""; 0]);
}
