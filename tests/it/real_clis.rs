//! The real programs against the stand-ins, in a plain terminal and without Room.
//!
//! They prove the stand-ins: what goes wrong in the tests through Room is then Room's.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use room_tests::anthropic::{self, Anthropic};
use room_tests::clis::{found_for, real_clis, search_path};
use room_tests::home::TempHome;
use room_tests::openai::{CodeAnswer, ExchangeAnswer, OpenAi};
use room_tests::proxy::Proxy;
use room_tests::terminal::Terminal;
use rustix::process::Signal;
use serde_json::Value;

/// A program that starts on a busy machine takes seconds; a broken test takes this long.
const SOON: Duration = Duration::from_secs(25);

struct World {
    clis: PathBuf,
    env: Vec<(String, String)>,
    home: TempHome,
    proxy: Proxy,
    openai: OpenAi,
    anthropic: Anthropic,
}

impl World {
    fn new(test: &str) -> Option<Self> {
        let clis = found_for(test, real_clis())?;
        let home = TempHome::new().unwrap();
        let openai = OpenAi::start().unwrap();
        let anthropic = Anthropic::start().unwrap();
        let proxy = Proxy::start(&openai, &anthropic).unwrap();
        let mut env = home.env(&search_path(&clis));
        env.extend(proxy.env());
        Some(Self { clis, env, home, proxy, openai, anthropic })
    }

    fn start(&self, program: &str, args: &[&str]) -> Terminal {
        Terminal::spawn(&self.clis.join(program), args, &self.env).unwrap()
    }

    /// Runs a program to its end with pipes, as a script would.
    fn run(&self, program: &str, args: &[&str]) -> Output {
        Command::new(self.clis.join(program))
            .args(args)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .output()
            .unwrap()
    }

    fn codex_login(&self) -> Terminal {
        let store = "cli_auth_credentials_store=\"file\"";
        self.start("codex", &["login", "--device-auth", "-c", store])
    }

    fn codex_sign_in(&self) {
        let mut login = self.codex_login();
        login.wait_for("one-time code", SOON);
        self.openai.approve(&self.openai.user_code().unwrap()).unwrap();
        assert!(login.wait(SOON).success(), "{}", login.output());
    }

    fn claude_sign_in(&self) {
        let (mut login, address) = self.claude_login();
        let code = self.anthropic.sign_in(&address).unwrap();
        login.send(&format!("{code}\r")).unwrap();
        assert!(login.wait(SOON).success(), "{}", login.output());
    }

    /// A login that has asked for the code, and the address it showed.
    fn claude_login(&self) -> (Terminal, String) {
        let login = self.start("claude", &["auth", "login", "--claudeai"]);
        let output = login.wait_for("Paste code here if prompted > ", SOON);
        let (_, rest) = output.split_once("\x1b]8;;").expect("a link");
        let (address, _) = rest.split_once('\x07').expect("the link's end");
        (login, address.to_owned())
    }

    fn codex_status(&self) -> (String, Option<i32>) {
        let output = self.run("codex", &["login", "status"]);
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8(text).unwrap(), output.status.code())
    }

    fn claude_status(&self) -> (Value, Option<i32>) {
        let output = self.run("claude", &["auth", "status"]);
        (serde_json::from_slice(&output.stdout).unwrap(), output.status.code())
    }
}

#[test]
fn codex_signs_in_and_out() {
    let Some(world) = World::new("codex_signs_in_and_out") else { return };
    let mut login = world.codex_login();
    let prompt = login.wait_for("cancel.\x1b[0m\r\n\r\n", SOON);
    let code = world.openai.user_code().unwrap();
    assert!(prompt.contains("\x1b[94mhttps://auth.openai.com/codex/device\x1b[0m\r\n"), "{prompt}");
    assert!(prompt.contains(&format!("\x1b[94m{code}\x1b[0m\r\n")), "{prompt}");
    world.openai.approve(&code).unwrap();
    assert_eq!(login.wait(SOON).code(), Some(0), "{}", login.output());
    assert!(login.output().ends_with("Successfully logged in\r\n"), "{}", login.output());
    assert_eq!(world.codex_status(), ("Logged in using ChatGPT\n".to_owned(), Some(0)));
    let file = std::fs::read(world.home.codex().join("auth.json")).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(file["auth_mode"], "chatgpt");

    let logout = world.run("codex", &["logout"]);
    assert_eq!(String::from_utf8(logout.stderr).unwrap(), "Successfully logged out\n");
    assert_eq!(world.openai.revoked(), world.openai.refresh_tokens());
    assert_eq!(world.codex_status(), ("Not logged in\n".to_owned(), Some(1)));
    assert_eq!(world.openai.faults(), [""; 0]);
}

#[test]
fn codex_ends_with_the_reason_when_its_code_is_not_approved() {
    let Some(world) = World::new("codex_ends_with_the_reason") else { return };
    let check = |decide: &dyn Fn(&str), reason: &str| {
        let mut login = world.codex_login();
        let prompt = login.wait_for("cancel.\x1b[0m\r\n\r\n", SOON);
        let code = world.openai.user_code().unwrap();
        assert!(prompt.contains(&code), "{prompt}");
        decide(&code);
        assert_eq!(login.wait(SOON).code(), Some(1), "{}", login.output());
        assert!(login.output().contains(reason), "{}", login.output());
    };
    let polled = "Error logging in: device auth failed with status";
    check(&|code| world.openai.decline(code).unwrap(), &format!("{polled} 400 Bad Request"));
    check(&|code| world.openai.expire(code).unwrap(), &format!("{polled} 410 Gone"));
    world.openai.answer_exchanges(ExchangeAnswer::Refused);
    check(
        &|code| world.openai.approve(code).unwrap(),
        "Error logging in: device code exchange failed: token endpoint returned status 400",
    );
}

#[test]
fn codex_ends_with_the_reason_when_it_gets_no_code() {
    let Some(world) = World::new("codex_ends_with_the_reason_when_it_gets_no_code") else { return };
    let check = |reason: &str| {
        let mut login = world.codex_login();
        assert_eq!(login.wait(SOON).code(), Some(1), "{}", login.output());
        assert!(login.output().contains(reason), "{}", login.output());
        assert!(!login.output().contains("/codex/device"), "{}", login.output());
    };
    let failed = "Error logging in: device code request failed with status";
    world.openai.answer_codes(CodeAnswer::NotEnabled);
    check("Error logging in: device code login is not enabled for this Codex server.");
    world.openai.answer_codes(CodeAnswer::Blocked);
    check(&format!("{failed} 403 Forbidden"));
    world.openai.answer_codes(CodeAnswer::RateLimited);
    check(&format!("{failed} 429 Too Many Requests"));
    world.proxy.unplug();
    check("Error logging in: error sending request for url (https://auth.openai.com/");
}

#[test]
fn codex_forgets_the_earlier_sign_in_as_it_starts_another() {
    let Some(world) = World::new("codex_forgets_the_earlier_sign_in") else { return };
    world.codex_sign_in();
    let mut login = world.codex_login();
    login.wait_for("one-time code", SOON);
    login.signal(Signal::TERM).unwrap();
    assert_eq!(login.wait(SOON).code(), None, "{}", login.output());
    assert_eq!(world.openai.revoked(), world.openai.refresh_tokens());
    assert_eq!(world.codex_status().1, Some(1));
}

#[test]
fn claude_signs_in_and_out() {
    let Some(world) = World::new("claude_signs_in_and_out") else { return };
    let (mut login, address) = world.claude_login();
    let code = world.anthropic.sign_in(&address).unwrap();
    login.send(&format!("{code}\r")).unwrap();
    assert_eq!(login.wait(SOON).code(), Some(0), "{}", login.output());
    assert!(login.output().contains("Login successful.\r\n"), "{}", login.output());
    let (status, exit) = world.claude_status();
    assert_eq!(exit, Some(0), "{status}");
    assert_eq!(status["loggedIn"], true, "{status}");
    assert_eq!(status["authMethod"], "claude.ai", "{status}");
    assert_eq!(status["email"], anthropic::EMAIL, "{status}");
    assert!(world.home.claude().join(".credentials.json").exists());

    let logout = world.run("claude", &["auth", "logout"]);
    let said = String::from_utf8(logout.stdout).unwrap();
    assert_eq!(said, "Successfully logged out from your Anthropic account.\n");
    assert_eq!(world.anthropic.revoked().len(), 1);
    let (status, exit) = world.claude_status();
    assert_eq!((&status["loggedIn"], exit), (&Value::Bool(false), Some(1)), "{status}");
    assert_eq!(world.anthropic.faults(), [""; 0]);
}

#[test]
fn claude_ends_with_the_reason_when_its_code_is_refused() {
    let Some(world) = World::new("claude_ends_with_the_reason") else { return };
    world.claude_sign_in();
    let check = |code: &dyn Fn(&str) -> String, reason: &str| {
        let (mut login, address) = world.claude_login();
        login.send(&format!("{}\r", code(&address))).unwrap();
        assert_eq!(login.wait(SOON).code(), Some(1), "{}", login.output());
        assert!(login.output().contains(reason), "{}", login.output());
    };
    let refused = "Couldn't log in: That code wasn't accepted.";
    check(&|address| world.anthropic.refused_code(address).unwrap(), refused);
    let (_other, of_another) = world.claude_login();
    check(&|_| world.anthropic.sign_in(&of_another).unwrap(), refused);
    check(
        &|address| {
            world.proxy.unplug();
            world.anthropic.sign_in(address).unwrap()
        },
        "Couldn't log in: ",
    );
    let (status, _) = world.claude_status();
    assert_eq!(status["loggedIn"], true, "a failed login keeps the earlier one: {status}");
}

#[test]
fn a_sign_in_asks_for_no_host_that_the_proxy_does_not_answer_for() {
    let Some(world) = World::new("a_sign_in_asks_for_no_host") else { return };
    world.claude_sign_in();
    world.codex_sign_in();
    assert_eq!(world.proxy.refused(), [""; 0]);
}
