//! A server with fake programs, and what the tests of its features share.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::StatusCode;
use room_tests::app::{Setup, TestApp};
use room_tests::clis::{FakeClis, fake_clis};
use room_tests::fake::{Control, Run, Scenario, runs};
use serde_json::Value;

/// A server that finds the fake programs first and nothing of the machine's but `/usr/bin`.
pub(crate) struct Room {
    pub(crate) app: TestApp,
    pub(crate) control: Control,
    clis: FakeClis,
}

impl Room {
    pub(crate) async fn start() -> Self {
        Self::with(|setup| setup).await
    }

    /// With more settings.
    pub(crate) async fn with(more: impl FnOnce(Setup) -> Setup) -> Self {
        Self::from(more(Setup::new().unwrap())).await
    }

    pub(crate) async fn from(setup: Setup) -> Self {
        let clis = fake_clis().unwrap();
        // A test looks at a sign-in more often than any page.
        let setup = setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "off");
        let setup = setup.search(&format!("{}:/usr/bin:/bin", clis.path().display()));
        let control = Control::new(setup.home().path());
        Self { app: setup.start().await.unwrap(), control, clis }
    }

    /// With what a program will play.
    pub(crate) async fn playing(program: &str, scenario: &Scenario) -> Self {
        let room = Self::start().await;
        room.control.play(program, scenario);
        room
    }

    /// Opens codex's sign-in and waits for the code that a person would see.
    pub(crate) async fn codex_code(&self) -> Value {
        let session = self.app.connect("codex").await;
        self.app.session_until(id(&session), |view| view["deviceCode"].is_string()).await
    }

    /// Opens claude's sign-in and waits until it asks for the code.
    pub(crate) async fn claude_prompt(&self) -> Value {
        let session = self.app.connect("claude").await;
        self.app.session_until(id(&session), asks_for_input).await
    }

    pub(crate) async fn sign_in_codex(&self) {
        let session = self.codex_code().await;
        self.control.approve();
        self.app.session_until(id(&session), |view| view["status"] == "completed").await;
    }

    pub(crate) async fn sign_in_claude(&self) {
        let session = self.claude_prompt().await;
        let answer = self.app.input(id(&session), &good_code(&session)).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        self.app.session_until(id(&session), |view| view["status"] == "completed").await;
    }

    /// Puts this text in the place of a fake.
    pub(crate) fn replace(&self, program: &str, text: &str) {
        let place = self.clis.path().join(program);
        // A new file: the old one is a second name of the fake itself.
        std::fs::remove_file(&place).unwrap();
        std::fs::write(&place, text).unwrap();
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The runs of a program that were a login.
    pub(crate) fn logins(&self, program: &str) -> Vec<Run> {
        let mut all = runs(self.app.home().path());
        all.retain(|run| {
            run.program == program
                && run.args.iter().any(|arg| arg == "login")
                && !run.args.iter().any(|arg| arg == "status")
        });
        all
    }
}

/// A session's identifier.
pub(crate) fn id(session: &Value) -> &str {
    session["sessionId"].as_str().expect("a session has an identifier")
}

/// Whether a session waits for a pasted code, whose link is already known.
pub(crate) fn asks_for_input(view: &Value) -> bool {
    view["awaitingInput"] == true && view["verificationUrl"].is_string()
}

/// A code that the fake claude takes for the link that a session shows.
pub(crate) fn good_code(session: &Value) -> String {
    format!("good-abcdefcode#{}", state(session))
}

/// The state in the link that a session shows.
pub(crate) fn state(session: &Value) -> String {
    let link = session["verificationUrl"].as_str().expect("a link");
    let (_, state) = link.rsplit_once("&state=").expect("a state at the end");
    assert_eq!(state.len(), 43, "{link}");
    state.to_owned()
}

/// All lines of a session as one text.
pub(crate) fn text(session: &Value) -> String {
    let lines = session["lines"].as_array().expect("lines");
    lines.iter().filter_map(|line| line["text"].as_str()).collect::<Vec<_>>().join("\n")
}
