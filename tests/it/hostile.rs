//! Programs that are broken or mean no good, through the API.

use std::time::{Duration, Instant};

use room_tests::app::{Answer, SOON};
use room_tests::disk::SmallDisk;
use room_tests::fake::Scenario;
use room_tests::vitals::Vitals;
use room_tests::{eventually, eventually_async};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::room::{Room, id, state, text};

/// Room waits 20 s for a link before it says that there is none.
const NO_ANSWER: Duration = Duration::from_secs(45);

/// How long a person waits for an answer while programs do their worst, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cancel takes five seconds at most, and twice that on a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// All of a line of 150 MB, and how long that may take: a few seconds, on a busy machine more.
const LONG_LINE_BYTES: u64 = 150_000_000;
const LONG_LINE_TIME: Duration = Duration::from_mins(2);

/// Less than those bytes would take if they were kept.
const GROWTH_KIB: u64 = 4 * 1024;

fn ended(view: &Value) -> bool {
    view["active"] == false
}

/// A plain reason: what happened, and what to do about it.
fn assert_plain_reason(view: &Value) {
    for part in ["code", "title", "action"] {
        let text = view["failure"][part].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "no {part}: {view:#}");
    }
}

#[tokio::test]
async fn a_program_that_dies_is_a_failure_with_its_last_line() {
    for program in ["codex", "claude"] {
        let room = Room::playing(program, &Scenario::Dies).await;
        let session = room.app.connect(program).await;
        let session = room.app.session_until(id(&session), ended).await;
        assert_eq!(session["status"], "failed", "{session:#}");
        assert_eq!(session["exitCode"], 7, "{session:#}");
        assert!(text(&session).contains("something in here is broken"), "{session:#}");
        assert_plain_reason(&session);
    }
}

#[tokio::test]
async fn a_program_that_is_killed_is_a_failure() {
    let room = Room::start().await;
    let session = room.codex_code().await;
    let pid = room.logins("codex")[0].pid;
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    let session = room.app.session_until(id(&session), ended).await;
    assert_eq!(session["status"], "failed", "{session:#}");
    assert_plain_reason(&session);
}

/// What holds a sign-in up, in plain words.
fn assert_plain_notice(view: &Value, code: &str) {
    assert_eq!(view["notice"]["code"], code, "{view:#}");
    for part in ["title", "action"] {
        let text = view["notice"][part].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "no {part}: {view:#}");
    }
}

/// Waits for the notice of a sign-in that goes no further, and cancels it.
async fn held_up(program: &str, scenario: &Scenario, code: &str) -> Value {
    let room = Room::playing(program, scenario).await;
    let session = room.app.connect(program).await;
    let session =
        room.app.session_within(NO_ANSWER, id(&session), |view| !view["notice"].is_null()).await;
    assert_plain_notice(&session, code);
    assert_eq!(session["awaitingInput"], false, "{session:#}");
    let answer = room.app.cancel(id(&session)).await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(room.app.session(id(&session)).await["status"], "canceled");
    assert_eq!(room.app.descendants(), []);
    session
}

#[tokio::test]
async fn silence_and_an_unknown_question_are_told_of_after_20_seconds() {
    let (_, question) = tokio::join!(
        held_up("codex", &Scenario::Silent, "no_answer"),
        held_up("claude", &Scenario::UnknownQuestion, "unrecognised"),
    );
    let asked = question["currentLine"].as_str().unwrap();
    assert!(asked.contains("Continue with foo?"), "{question:#}");
    assert!(!text(&question).contains("Continue with foo?"), "it is not finished: {question:#}");
}

#[tokio::test]
async fn a_stubborn_program_is_ended_all_the_same() {
    let room = Room::playing("codex", &Scenario::Stubborn).await;
    let session = room.codex_code().await;
    let start = Instant::now();
    let answer = room.app.cancel(id(&session)).await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert!(start.elapsed() < ENDS_WITHIN, "{:?}", start.elapsed());
    assert_eq!(room.app.descendants(), []);
    assert_eq!(room.app.session(id(&session)).await["status"], "canceled");
}

#[tokio::test]
async fn cancelling_ends_grandchildren_that_left_the_group() {
    for scenario in [Scenario::Grandchildren, Scenario::BareGrandchildren] {
        let room = Room::playing("codex", &scenario).await;
        let session = room.codex_code().await;
        assert!(room.app.descendants().len() >= 2, "{:?}", room.app.descendants());
        let answer = room.app.cancel(id(&session)).await;
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(room.app.descendants(), [], "{scenario}");
    }
}

#[tokio::test]
async fn a_program_that_lets_go_of_its_terminal_does_not_stay() {
    let room = Room::playing("codex", &Scenario::ClosesTerminal).await;
    let session = room.app.connect("codex").await;
    eventually(Duration::from_secs(20), || (!room.logins("codex").is_empty()).then_some(()));
    let answer = room.app.cancel(id(&session)).await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(room.app.session(id(&session)).await["active"], false);
    assert_eq!(room.app.descendants(), []);
}

#[tokio::test]
async fn a_flood_keeps_its_end_and_a_count_of_the_rest() {
    let room = Room::playing("codex", &Scenario::Flood).await;
    let session = room.codex_code().await;
    let whole = |view: &Value| text(view).contains("one-time code");
    let session = room.app.session_until(id(&session), whole).await;
    let lines = session["lines"].as_array().unwrap();
    assert!(lines.len() <= 500, "{}", lines.len());
    let dropped = session["droppedLines"].as_u64().unwrap() + lines.len() as u64;
    assert!((20_000..20_100).contains(&dropped), "{dropped}");
    let ids = lines.iter().map(|line| line["id"].as_u64().unwrap());
    assert!(ids.eq(dropped + 1 - lines.len() as u64..=dropped), "no hole in what is kept");
    assert!(text(&session).contains("line 20000 of a flood"));
    assert!(!text(&session).contains("line 00001 of a flood"));
    room.control.approve();
    room.app.session_until(id(&session), |view| view["status"] == "completed").await;
}

#[tokio::test]
async fn a_line_without_an_end_costs_no_more_memory_than_ten_lines() {
    let room = Room::playing("codex", &Scenario::NoNewline).await;
    let session = room.app.connect("codex").await;
    let run = eventually(SOON, || room.logins("codex").pop());
    // What a server touches at its first sign-in, its own program for the most part, is no growth.
    eventually(SOON, || (written_bytes(run.pid) >= LONG_LINE_BYTES / 16).then_some(()));
    let before = resident_kib(room.app.pid());
    eventually(LONG_LINE_TIME, || (written_bytes(run.pid) >= LONG_LINE_BYTES).then_some(()));
    let grown = resident_kib(room.app.pid()).saturating_sub(before);
    assert!(grown < GROWTH_KIB, "{grown} KiB more");
    let session = room.app.session(id(&session)).await;
    assert!(session.to_string().len() < 1 << 20, "{}", session.to_string().len());
    let answer = room.app.cancel(id(&session)).await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(room.app.descendants(), []);
}

fn written_bytes(pid: u32) -> u64 {
    let counts = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = counts.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|count| count.parse().ok()).unwrap_or_default()
}

fn resident_kib(pid: u32) -> u64 {
    Vitals::of(pid).resident_kib
}

/// What others see of the server meanwhile: an answer, soon.
async fn assert_served(room: &Room) {
    let start = Instant::now();
    let answer = room.app.get("/api/status").await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

/// Cancels in time, and nothing is left.
async fn assert_ends(room: &Room, session: &Value) {
    let start = Instant::now();
    let answer = room.app.cancel(id(session)).await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert!(start.elapsed() < ENDS_WITHIN, "{:?}", start.elapsed());
    assert_eq!(answer.body["session"]["active"], false, "{answer:?}");
    assert_eq!(room.app.descendants(), []);
}

#[tokio::test]
async fn others_are_served_while_a_program_floods_and_memory_stays_flat() {
    let room = Room::playing("codex", &Scenario::NoNewline).await;
    room.app.provider_status("codex").await;
    let before = resident_kib(room.app.pid());
    for scenario in [Scenario::NoNewline, Scenario::Flood, Scenario::Asks, Scenario::Escapes] {
        room.control.play("codex", &scenario);
        let session = room.app.connect("codex").await;
        for _ in 0..20 {
            assert_served(&room).await;
        }
        // Meanwhile somebody signs in elsewhere.
        room.sign_in_claude().await;
        assert_ends(&room, &session).await;
    }
    let grown = resident_kib(room.app.pid()).saturating_sub(before);
    assert!(grown < 2 * GROWTH_KIB, "{grown} KiB more");
}

#[tokio::test]
async fn a_program_that_asks_and_reads_no_answer_is_heard_all_the_same() {
    let room = Room::playing("codex", &Scenario::Asks).await;
    let session = room.app.connect("codex").await;
    eventually(SOON, || (!room.logins("codex").is_empty()).then_some(()));
    assert_ends(&room, &session).await;
    let session = room.codex_code().await;
    room.control.approve();
    room.app.session_until(id(&session), |view| view["status"] == "completed").await;
}

#[tokio::test]
async fn a_long_code_is_submitted_by_an_enter_of_its_own() {
    let room = Room::playing("claude", &Scenario::HoldsPastes).await;
    let session = room.claude_prompt().await;
    let code = format!("good-{}#{}", "a".repeat(100), state(&session));
    let answer = room.app.input(id(&session), &code).await;
    assert!(answer.status.is_success(), "{answer:?}");
    room.app.session_until(id(&session), |view| view["status"] == "completed").await;
}

#[tokio::test]
async fn a_program_that_stops_itself_is_ended() {
    let room = Room::playing("codex", &Scenario::Stops).await;
    let session = room.codex_code().await;
    assert_eq!(session["deviceCode"], "WXYZ-12345");
    let pid = room.logins("codex")[0].pid;
    let stopped = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(") ").next()?.starts_with('T').then_some(())
    };
    eventually(SOON, stopped);
    assert_ends(&room, &session).await;
}

#[tokio::test]
async fn a_hundred_daemons_end_with_their_login() {
    let room = Room::playing("codex", &Scenario::ForkBomb).await;
    let session = room.codex_code().await;
    let count = room.app.descendants().len();
    assert!(count > 100, "{count}");
    assert_served(&room).await;
    assert_ends(&room, &session).await;
    // The same when the program itself comes to its end.
    let session = room.codex_code().await;
    room.control.approve();
    room.app.session_until(id(&session), |view| view["status"] == "completed").await;
    assert_eq!(room.app.descendants(), []);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_shown_as_such_and_forge_nothing() {
    let room = Room::playing("codex", &Scenario::NoText).await;
    let session = room.codex_code().await;
    let whole = |view: &Value| text(view).contains("one-time code");
    let session = room.app.session_until(id(&session), whole).await;
    let shown = text(&session);
    for word in ["one", "two", "three", "four", "five", "six", "seven", "forged"] {
        assert!(shown.contains(word), "{word}: {shown:?}");
    }
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    let log = room.app.log();
    assert!(!log.contains("forged") && !log.contains('\u{1b}'), "{log}");
    room.control.approve();
    room.app.session_until(id(&session), |view| view["status"] == "completed").await;
}

#[tokio::test]
async fn a_file_larger_than_any_login_needs_ends_the_program() {
    let room = Room::playing("codex", &Scenario::LargeFile).await;
    let session = room.app.connect("codex").await;
    let session = room.app.session_until(id(&session), ended).await;
    assert_eq!(session["status"], "failed", "{session:#}");
    assert_eq!(session["exitCode"], 128 + 25, "SIGXFSZ: {session:#}");
    assert_plain_reason(&session);
    let size = std::fs::metadata(room.app.home().path().join("large")).unwrap().len();
    assert!(size <= 256 << 20, "{size}");
}

#[tokio::test]
async fn a_full_disk_costs_the_sign_in_and_nothing_else() {
    let setup = room_tests::app::Setup::new().unwrap();
    let codex = setup.home().codex();
    std::fs::create_dir_all(&codex).unwrap();
    let test = "a_full_disk_costs_the_sign_in_and_nothing_else";
    let Some(disk) = SmallDisk::mount(test, &codex, 4 << 20) else { return };
    let room = Room::from(setup).await;
    let free = disk.free_bytes();
    room.control.play("codex", &Scenario::FillsDisk);
    let session = room.codex_code().await;
    assert!(disk.free_bytes() < 64 * 1024, "{}", disk.free_bytes());
    assert_served(&room).await;
    room.control.approve();
    let session = room.app.session_until(id(&session), ended).await;
    assert_eq!(session["status"], "failed", "{session:#}");
    assert_plain_reason(&session);
    assert_eq!(disk.free_bytes(), free, "what it wrote is gone with its scratch home");
    room.control.play("codex", &Scenario::Normal);
    room.sign_in_codex().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_told_of_with_its_reason() {
    let room = Room::start().await;
    for (program, reason) in [
        ("#!/no/such/interpreter\n", "/no/such/interpreter"),
        ("\u{7f}ELF no more", "exec format error"),
        ("", "exec format error"),
    ] {
        room.replace("codex", program);
        let session = room.app.connect("codex").await;
        let session = room.app.session_until(id(&session), ended).await;
        assert_eq!(session["status"], "failed", "{session:#}");
        assert_eq!(session["failure"]["code"], "launch_failed", "{session:#}");
        assert!(text(&session).contains(reason), "{session:#}");
        assert_served(&room).await;
    }
    assert_eq!(room.app.descendants(), []);
}

#[tokio::test]
async fn escapes_marks_and_false_links_do_not_come_through() {
    let room = Room::playing("codex", &Scenario::Escapes).await;
    let session = room.codex_code().await;
    let whole = |view: &Value| text(view).contains("one-time code");
    let session = room.app.session_until(id(&session), whole).await;
    assert_eq!(session["verificationUrl"], "https://auth.openai.com/codex/device");
    let shown = text(&session);
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!shown.contains(hidden), "{shown:?}");
    assert!(!shown.contains("cm0gLXJmIC8="), "the clipboard's content: {shown}");
    assert!(shown.contains("<img src=x onerror=alert(1)>"), "as text: {shown}");
    room.app.cancel(id(&session)).await;
}

#[tokio::test]
async fn a_status_that_hangs_does_not_hold_up_the_others() {
    let room = Room::playing("codex", &Scenario::StatusHangs).await;
    let statuses = async || {
        let start = Instant::now();
        let answer = room.app.get("/api/providers/status").await;
        assert!(answer.status.is_success(), "{answer:?}");
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
        answer.body["providers"].clone()
    };
    let verify = room.app.request(reqwest::Method::POST, "/api/providers/codex/verify");
    let verify = tokio::spawn(Answer::of(verify));
    eventually_async("claude was asked", SOON, async || {
        (statuses().await["claude"]["connected"] == false).then_some(())
    })
    .await;
    let answer = verify.await.unwrap();
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(answer.body["ok"], false, "{answer:?}");
    let codex = &statuses().await["codex"];
    assert!(codex["connected"].is_null(), "{codex:#}");
    assert!(codex["error"].is_string(), "{codex:#}");
}
