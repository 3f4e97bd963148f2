//! The fake programs by themselves: they must behave as told before Room is tested with them.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use room_tests::clis::{FakeClis, fake_clis};
use room_tests::fake::{Control, Scenario, runs};
use room_tests::home::TempHome;
use room_tests::terminal::Terminal;
use room_tests::{Process, eventually, processes_with_marker};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

struct World {
    clis: FakeClis,
    home: TempHome,
    control: Control,
}

impl World {
    fn new() -> Self {
        let home = TempHome::new().unwrap();
        let control = Control::new(home.path());
        Self { clis: fake_clis().unwrap(), home, control }
    }

    fn playing(program: &str, scenario: &Scenario) -> Self {
        let world = Self::new();
        world.control.play(program, scenario);
        world
    }

    fn env(&self) -> Vec<(String, String)> {
        self.home.env("/usr/bin:/bin")
    }

    fn start(&self, program: &str, args: &[&str]) -> Terminal {
        Terminal::spawn(&self.clis.path().join(program), args, &self.env()).unwrap()
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.clis.path().join(program));
        command.args(args).env_clear().envs(self.env()).stdin(Stdio::null());
        command
    }

    fn run(&self, program: &str, args: &[&str]) -> Output {
        self.command(program, args).output().unwrap()
    }

    fn codex_login(&self) -> Terminal {
        self.start(
            "codex",
            &["login", "--device-auth", "-c", "cli_auth_credentials_store=\"file\""],
        )
    }

    fn claude_login(&self) -> Terminal {
        self.start("claude", &["auth", "login", "--claudeai"])
    }

    fn codex_status(&self) -> (String, Option<i32>) {
        let output = self.run("codex", &["login", "status"]);
        (String::from_utf8(output.stderr).unwrap(), output.status.code())
    }

    fn claude_is_signed_in(&self) -> bool {
        let output = self.run("claude", &["auth", "status"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.success(), report["loggedIn"] == true, "{report}");
        report["loggedIn"] == true
    }

    fn left_behind(&self) -> Vec<Process> {
        processes_with_marker(self.home.text())
    }
}

/// The state in the address that was shown.
fn state(output: &str) -> String {
    let (_, rest) = output.split_once("&state=").expect("an address");
    rest.split('\x07').next().unwrap().to_owned()
}

#[test]
fn codex_signs_in_when_approved_and_out() {
    let world = World::new();
    let mut login = world.codex_login();
    let prompt = login.wait_for("cancel.\x1b[0m\r\n\r\n", SOON);
    assert!(
        prompt.contains("   \x1b[94mhttps://auth.openai.com/codex/device\x1b[0m\r\n"),
        "{prompt}"
    );
    assert!(!prompt.contains("ABCD-E1F2G"), "a code of its own");
    world.control.approve();
    assert_eq!(login.wait(SOON).code(), Some(0), "{}", login.output());
    assert!(login.output().ends_with("Successfully logged in\r\n"));
    assert_eq!(world.codex_status(), ("Logged in using ChatGPT\n".to_owned(), Some(0)));
    assert!(world.run("codex", &["logout"]).status.success());
    assert_eq!(world.codex_status(), ("Not logged in\n".to_owned(), Some(1)));
}

#[test]
fn codex_loses_its_earlier_sign_in_when_another_is_declined() {
    let world = World::new();
    let check = |decide: &dyn Fn(), code: i32| {
        let mut login = world.codex_login();
        login.wait_for("one-time code", SOON);
        decide();
        assert_eq!(login.wait(SOON).code(), Some(code), "{}", login.output());
    };
    check(&|| world.control.approve(), 0);
    check(&|| world.control.decline(), 1);
    assert_eq!(world.codex_status().1, Some(1));
    check(&|| world.control.expire(), 1);
}

#[test]
fn claude_asks_again_for_what_cannot_be_a_code() {
    let world = World::new();
    let mut login = world.claude_login();
    login.wait_for("Paste code here if prompted > ", SOON);
    login.send("foo\r").unwrap();
    let refusal = "foo\r\r\nThat doesn't look like the full code. Copy all of it, including the # \
                   in the middle.\r\nPaste code here if prompted > ";
    let output = login.wait_for(refusal, SOON);
    login.send(&format!("\x1b[200~good-abc#{}\x1b[201~\r", state(&output))).unwrap();
    assert_eq!(login.wait(SOON).code(), Some(0), "{}", login.output());
    assert!(world.claude_is_signed_in());
    assert!(world.run("claude", &["auth", "logout"]).status.success());
    assert!(!world.claude_is_signed_in());
}

#[test]
fn claude_keeps_its_earlier_sign_in_when_a_code_is_refused() {
    let world = World::new();
    let check = |code: &dyn Fn(&str) -> String, exit: i32| {
        let mut login = world.claude_login();
        let output = login.wait_for("Paste code here if prompted > ", SOON);
        login.send(&format!("{}\r", code(&state(&output)))).unwrap();
        assert_eq!(login.wait(SOON).code(), Some(exit), "{}", login.output());
    };
    check(&|state| format!("good-abc#{state}"), 0);
    check(&|state| format!("bad-abc#{state}"), 1);
    check(&|_| "good-abc#the-state-of-another-login".to_owned(), 1);
    check(&|_| "\x03".to_owned(), 130);
    check(&|_| "\x04".to_owned(), 130);
    assert!(world.claude_is_signed_in());
}

#[test]
fn a_run_notes_what_it_was_given() {
    let world = World::new();
    let mut login = world.claude_login();
    login.wait_for("Paste code here if prompted > ", SOON);
    login.send("\x03").unwrap();
    login.wait(SOON);
    let runs = runs(world.home.path());
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].program, "claude");
    assert_eq!(runs[0].args, ["auth", "login", "--claudeai"]);
    assert_eq!(runs[0].terminal, Some((1000, 60)));
    assert!(runs[0].fds.starts_with(&[0, 1, 2]), "{:?}", runs[0].fds);
    assert_eq!(runs[0].directory, Path::new("/"));
    assert_eq!(runs[0].pid, login.pid());
    assert_eq!(runs[0].env.get("HOME").map(String::as_str), Some(world.home.text()));
}

#[test]
fn a_recording_is_played_with_its_pause_and_its_end() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../provider-sessions/fixtures");
    let file = fixtures.join("transcripts/claude-badcode-400-80.raw");
    let recorded = std::fs::read_to_string(&file).unwrap();
    let world = World::playing("claude", &Scenario::Replay(file));
    let mut login = world.claude_login();
    let shown = login.wait_for("Paste code here if prompted > ", SOON);
    assert!(recorded.starts_with(&shown), "{shown}");
    login.send("anything\r").unwrap();
    assert_eq!(login.wait(SOON).code(), Some(1));
    assert!(login.output().contains("That code wasn't accepted"));
}

#[test]
fn a_program_that_dies_says_one_line() {
    let world = World::playing("codex", &Scenario::Dies);
    let mut login = world.codex_login();
    assert_eq!(login.wait(SOON).code(), Some(7));
    assert_eq!(login.output(), "Error: something in here is broken\r\n");
}

#[test]
fn a_silent_program_says_nothing_and_can_be_ended() {
    let world = World::playing("claude", &Scenario::Silent);
    let mut login = world.claude_login();
    eventually(SOON, || (!runs(world.home.path()).is_empty()).then_some(()));
    login.signal(Signal::TERM).unwrap();
    assert_eq!(login.wait(SOON).code(), None);
    assert_eq!(login.output(), "");
}

#[test]
fn a_stubborn_program_outlives_polite_signals() {
    let world = World::playing("codex", &Scenario::Stubborn);
    let mut login = world.codex_login();
    login.wait_for("one-time code", SOON);
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        login.signal(signal).unwrap();
    }
    world.control.approve();
    assert_eq!(login.wait(SOON).code(), Some(0), "{}", login.output());
}

#[test]
fn grandchildren_outlive_the_program_and_its_group() {
    for scenario in [Scenario::Grandchildren, Scenario::BareGrandchildren] {
        let world = World::playing("codex", &scenario);
        let mut login = world.codex_login();
        login.wait_for("one-time code", SOON);
        login.signal(Signal::KILL).unwrap();
        login.wait(SOON);
        let left = eventually(SOON, || {
            let left = world.left_behind();
            (left.len() == 1).then_some(left)
        });
        let pid = Pid::from_raw(left[0].pid.try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(world.left_behind(), left, "it does not listen");
        kill_process(pid, Signal::KILL).unwrap();
        eventually(SOON, || world.left_behind().is_empty().then_some(()));
    }
}

#[test]
fn a_flood_ends_in_the_usual_prompt() {
    let world = World::playing("codex", &Scenario::Flood);
    let login = world.codex_login();
    let output = login.wait_for("one-time code", SOON);
    assert_eq!(output.matches(" of a flood\r\n").count(), 20_000);
}

#[test]
fn a_line_of_150_megabytes_ends_in_the_usual_prompt() {
    let world = World::playing("codex", &Scenario::NoNewline);
    let mut child =
        world.command("codex", &["login", "--device-auth"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut buffer = vec![0; 1 << 20];
    let (mut bytes, mut last) = (0, Vec::new());
    while !String::from_utf8_lossy(&last).contains("one-time code") {
        let count = output.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "it ended");
        bytes += count;
        if bytes <= 150_000_000 {
            assert!(buffer[..count].iter().all(|byte| *byte == b'x'), "at {bytes}");
        } else {
            last.extend_from_slice(&buffer[..count]);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_unknown_question_waits_for_its_answer() {
    let world = World::playing("claude", &Scenario::UnknownQuestion);
    let mut login = world.claude_login();
    login.wait_for("Continue with foo? ", SOON);
    login.send("y\r").unwrap();
    login.wait_for("Paste code here if prompted > ", SOON);
    let mut other = world.claude_login();
    other.wait_for("Continue with foo? ", SOON);
    other.send("n\r").unwrap();
    assert_eq!(other.wait(SOON).code(), Some(1));
}

#[test]
fn escapes_come_before_the_usual_prompt() {
    let world = World::playing("codex", &Scenario::Escapes);
    let output = world.codex_login().wait_for("one-time code", SOON);
    for part in ["\x1b]52;c;", "\u{202e}", "<img src=x onerror=", "https://evil.example/"] {
        assert!(output.contains(part), "{part:?}");
    }
}

#[test]
fn a_sign_in_that_stores_nothing_ends_well_all_the_same() {
    let world = World::playing("codex", &Scenario::NoCredentials);
    let mut login = world.codex_login();
    login.wait_for("one-time code", SOON);
    world.control.approve();
    assert_eq!(login.wait(SOON).code(), Some(0));
    assert_eq!(world.codex_status().1, Some(1));
}

#[test]
fn a_program_that_lets_go_of_its_terminal_lives_on() {
    let world = World::playing("codex", &Scenario::ClosesTerminal);
    let login = world.codex_login();
    login.wait_for("Letting go", SOON);
    eventually(SOON, || login.hung_up().then_some(()));
    assert_eq!(world.left_behind().len(), 1);
}

#[test]
fn a_status_that_hangs_can_be_ended() {
    let world = World::playing("codex", &Scenario::StatusHangs);
    let mut status = world.command("codex", &["login", "status"]).spawn().unwrap();
    eventually(SOON, || (!runs(world.home.path()).is_empty()).then_some(()));
    assert!(status.try_wait().unwrap().is_none());
    status.kill().unwrap();
    status.wait().unwrap();
}
