//! `claude` 2.1.330, as far as Room uses it.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::World;
use super::hostile::{self, Then};
use super::tty::{Keyboard, Typed, write};
use crate::anthropic;
use crate::standin::{random_43, s256};

/// A real sign-in, from which all up to the prompt is taken.
const RECORDED: &str =
    include_str!("../../../provider-sessions/fixtures/transcripts/claude-success-80.raw");
const RECORDED_STATE: &str = "CJXGvV_4qu6Z9tXLCWjwqyvHKPXiLkKXycazk8Lcp0c";
const RECORDED_CHALLENGE: &str = "QT7ORQdnfprHaCBkmpCedY7F5BXuX506IjmTaMuL9OI";
const PROMPT: &str = "Paste code here if prompted > ";

const REFUSED: &str = "Couldn't log in: That code wasn't accepted. It may be incomplete, expired, \
    already used, or from an earlier sign-in attempt. Sign in again to get a new code.\r\n";

pub(super) fn run(world: &World, args: &[&str]) -> ExitCode {
    let files = Files::new(world);
    match args {
        ["--version"] => {
            write("2.1.330 (Claude Code)\r\n");
            ExitCode::SUCCESS
        }
        ["auth", "status", ..] if hostile::status_hangs(world, "claude") => hostile::linger(),
        ["auth", "status", flags @ ..] => files.status(flags.contains(&"--text")),
        ["auth", "logout"] => {
            let _ = fs::remove_file(&files.credentials);
            let _ = fs::remove_file(&files.account);
            write("Successfully logged out from your Anthropic account.\r\n");
            ExitCode::SUCCESS
        }
        ["auth", "login", ..] => login(world, &files),
        other => super::fail(&format!("the fake claude has no {other:?}")),
    }
}

/// Where it keeps what.
struct Files {
    directory: PathBuf,
    credentials: PathBuf,
    account: PathBuf,
}

impl Files {
    fn new(world: &World) -> Self {
        let directory = world.directory("CLAUDE_CONFIG_DIR", ".claude");
        // Beside the directory by default, in it where one was named.
        let named = world.env.contains_key("CLAUDE_CONFIG_DIR");
        let account = if named { &directory } else { &world.home }.join(".claude.json");
        Self { credentials: directory.join(".credentials.json"), account, directory }
    }

    fn status(&self, text: bool) -> ExitCode {
        let signed_in = self.credentials.exists();
        if text {
            write(if signed_in {
                "Login method: Claude Pro account\r\n"
            } else {
                "Not logged in. Run claude auth login to authenticate.\r\n"
            });
        } else {
            let answer = format!("{:#}\r\n", self.report(signed_in));
            write(&answer);
        }
        if signed_in { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn report(&self, signed_in: bool) -> Value {
        let mut report = json!({
            "loggedIn": signed_in,
            "authMethod": if signed_in { "claude.ai" } else { "none" },
            "apiProvider": "firstParty",
            "analyticsDisabled": false,
            "configDirectory": self.directory,
            "loginExpiresAt": null,
        });
        if signed_in {
            report["loginExpiresAt"] = json!("2100-01-01T00:00:00.000Z");
            report["email"] = json!(anthropic::EMAIL);
            report["orgName"] = json!("Stand-in");
            report["subscriptionType"] = json!("pro");
            report["storedClaudeAiLogin"] = json!(true);
            report["planTier"] = json!("pro");
        }
        report
    }

    fn store(&self) {
        let credentials = json!({"claudeAiOauth": {
            "accessToken": format!("sk-ant-oat01-{}", random_43()),
            "refreshToken": format!("sk-ant-ort01-{}", random_43()),
            "expiresAt": 4_102_444_800_000_u64,
            "scopes": ["user:profile", "user:inference"],
            "subscriptionType": "pro",
        }});
        super::store(&self.credentials, &credentials.to_string());
        let account = json!({"oauthAccount": {"emailAddress": anthropic::EMAIL}});
        super::store(&self.account, &format!("{account:#}"));
    }
}

fn login(world: &World, files: &Files) -> ExitCode {
    let stores = match hostile::play(world, "claude") {
        Then::GoOn => true,
        Then::StoreNothing => false,
        Then::End(code) => return code,
    };
    // Before anything is shown: keys come as soon as it is.
    let mut keyboard = Keyboard::take();
    let state = random_43();
    let shown = RECORDED.split_inclusive(PROMPT).next().unwrap_or(RECORDED);
    let shown = shown.replace(RECORDED_STATE, &state);
    write(&shown.replace(RECORDED_CHALLENGE, &s256(&random_43())));
    let holds_pastes = hostile::holds_pastes(world, "claude");
    let code = loop {
        match if holds_pastes { keyboard.unpasted_line() } else { keyboard.line() } {
            Typed::Line(line) => match judge(line.trim()) {
                Judgement::Try(code, pasted_state) => break (code, pasted_state),
                Judgement::Again(told) => write(&format!("{told}{PROMPT}")),
            },
            Typed::Interrupted => return ExitCode::from(130),
            Typed::Ended => {
                write(
                    "\r\nCouldn't log in: Input ended before a code was pasted. Sign in again \
                     and paste the code shown.\r\n",
                );
                return ExitCode::from(130);
            }
        }
    };
    drop(keyboard);
    write("Signing in…\r\n");
    if !code.0.starts_with("good") || code.1 != state {
        write(REFUSED);
        return ExitCode::FAILURE;
    }
    if stores {
        files.store();
    }
    write("Login successful.\r\n\x1b[?25h");
    ExitCode::SUCCESS
}

/// What the program makes of a pasted line before it asks anybody.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    /// Code and state.
    Try(String, String),
    /// What it says before it asks again.
    Again(&'static str),
}

fn judge(line: &str) -> Judgement {
    let digits = (4..=10).contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_digit());
    let web = line.strip_prefix("https://").or_else(|| line.strip_prefix("http://"));
    let told = if let Some(rest) = web {
        if rest.starts_with("localhost") || rest.starts_with("127.0.0.1") {
            "That address only works in a browser on this machine. Open the sign-in address shown \
             above instead, and paste the code its last page shows.\r\n"
        } else {
            "That's a web address, not the code. If it's a sign-in link, open it in your browser. \
             If the last page shows a code, paste it here.\r\n"
        }
    } else if digits {
        "That looks like a verification code. Enter it in your browser, on the page that asks for \
         it. If a page then shows a longer code, paste it here.\r\n"
    } else if line.is_empty() {
        ""
    } else {
        match line.split_once('#') {
            Some((code, state)) if !code.is_empty() && !state.is_empty() => {
                return Judgement::Try(code.to_owned(), state.to_owned());
            }
            Some(_) | None => {
                "That doesn't look like the full code. Copy all of it, including the # in the \
                 middle.\r\n"
            }
        }
    };
    Judgement::Again(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_cannot_be_a_code_are_answered_as_the_real_one_answers() {
        let check = |line: &str, start: &str| match judge(line) {
            Judgement::Again(told) => assert!(told.starts_with(start), "{line}: {told}"),
            other @ Judgement::Try(..) => panic!("{line}: {other:?}"),
        };
        check("http://localhost:123/callback?x=1", "That address only works");
        check("https://claude.ai/foo", "That's a web address");
        check("123456", "That looks like a verification code");
        for line in ["foo", "foo#", "#foo", "123", "12345678901"] {
            check(line, "That doesn't look like the full code");
        }
        assert_eq!(judge(""), Judgement::Again(""));
        assert_eq!(judge("a#b"), Judgement::Try("a".to_owned(), "b".to_owned()));
    }

    #[test]
    fn the_recording_holds_what_is_replaced() {
        let (shown, _) = RECORDED.split_once(PROMPT).unwrap();
        assert_eq!(shown.matches(RECORDED_STATE).count(), 2);
        assert_eq!(shown.matches(RECORDED_CHALLENGE).count(), 2);
        assert!(!shown.contains("good-"), "nothing that was pasted");
    }
}
