//! Questions that Room answers by itself.

use std::fmt::Write as _;

use serde_json::Value;

use super::{SMALL, built_in_row, claude};
use crate::provider::Provider;
use crate::{Event, Scanner, Size};

fn answers(events: Vec<Event>) -> Vec<String> {
    let found = events.into_iter().filter_map(|event| match event {
        Event::Answer(bytes) => Some(String::from_utf8(bytes).unwrap()),
        _ => None,
    });
    found.collect()
}

/// Plays a recording with its own pauses; gives the answers with the place they were given at.
fn play(name: &str) -> Vec<(usize, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/transcripts");
    let bytes = std::fs::read(format!("{folder}/{name}.raw")).unwrap();
    let facts: Value =
        serde_json::from_slice(&std::fs::read(format!("{folder}/{name}.json")).unwrap()).unwrap();
    let number = |key: &str| u16::try_from(facts[key].as_u64().unwrap()).unwrap();
    let provider = built_in_row(name.split('-').next().unwrap());
    let size = Size { cols: number("cols"), rows: number("rows") };
    let mut scanner = Scanner::for_method(&provider, &provider.methods[0], size);
    let mut given = Vec::new();
    let mut last = 0.0;
    for chunk in facts["chunks"].as_array().unwrap() {
        let (at, length) = (chunk[0].as_u64().unwrap(), chunk[1].as_u64().unwrap());
        let (at, length) = (usize::try_from(at).unwrap(), usize::try_from(length).unwrap());
        let now = chunk[2].as_f64().unwrap();
        let mut events = if now - last > 0.3 { scanner.settle() } else { Vec::new() };
        last = now;
        events.extend(scanner.push(&bytes[at..at + length]));
        given.extend(answers(events).into_iter().map(|answer| (at, answer)));
    }
    given.extend(answers(scanner.settle()).into_iter().map(|answer| (bytes.len(), answer)));
    given
}

#[test]
fn recorded_questions_are_answered_where_a_person_did() {
    assert_eq!(play("gh-auth-login-web-80"), [(126, "n\r".into()), (404, "\r".into())]);
    assert_eq!(play("gh-auth-login-web-120"), [(138, "n\r".into()), (404, "\r".into())]);
    assert_eq!(play("copilot-login-80"), [(239, "y\r".into())]);
    assert_eq!(play("copilot-login-120"), [(239, "y\r".into())]);
    assert_eq!(play("claude-success-80"), []);
    assert_eq!(play("codex-device-success-80"), []);
}

#[test]
fn a_retry_is_asked_for_when_the_program_is_quiet() {
    let given = play("claude-setup-token-retry-1000");
    assert_eq!(given.len(), 1, "{given:?}");
    assert_eq!(given[0].1, "\r");
}

#[test]
fn a_painting_program_is_answered_without_a_pause() {
    let given = play("gemini-nobrowser-100");
    assert!((1..=2).contains(&given.len()), "{given:?}");
    assert!(given.iter().all(|answer| answer.1 == "\r"), "{given:?}");
}

/// Frames are drawn as wide as the terminal, and the terminal of a sign-in is 1000 columns wide.
#[test]
fn a_question_in_a_frame_is_answered_however_wide_it_is() {
    let gemini = built_in_row("gemini");
    for cols in [80, 257, 1000] {
        let menu = ["● 1. Sign in with Google", "  2. Use Gemini API Key"];
        let wide = usize::from(cols) - 3;
        let menu = menu.map(|line| format!("│ {line:<wide$}│\r\n")).concat();
        let mut scanner = Scanner::new(&gemini, Size { cols, rows: 60 });
        let mut events = scanner.push(menu.as_bytes());
        events.extend(scanner.settle());
        assert_eq!(answers(events), ["\r"], "{cols} columns");
    }
}

/// Feeds pieces with a pause after each.
fn paused(provider: &Provider, pieces: &[&str]) -> Vec<Vec<String>> {
    let mut scanner = Scanner::new(provider, SMALL);
    let feed = |piece: &&str| {
        let mut events = scanner.push(piece.as_bytes());
        events.extend(scanner.settle());
        answers(events)
    };
    pieces.iter().map(feed).collect()
}

#[test]
fn each_appearance_is_answered_once_and_not_for_ever() {
    let retry = "\x1b[2J\x1b[HPress Enter to retry\r\n";
    let away = "\x1b[2J\x1b[HWaiting…\r\n";
    let given =
        paused(&claude(), &[retry, "", "still here\r\n", away, retry, away, retry, away, retry]);
    let times: Vec<usize> = given.iter().map(Vec::len).collect();
    assert_eq!(times, [1, 0, 0, 0, 1, 0, 1, 0, 0], "three in all");
}

#[test]
fn a_question_asked_again_below_is_a_new_one() {
    let question = "Press Enter to retry\r\n";
    let given = paused(&claude(), &[question, "trying\r\n", question, "trying\r\n"]);
    let times: Vec<usize> = given.iter().map(Vec::len).collect();
    assert_eq!(times, [1, 0, 1, 0]);
}

#[test]
fn what_stands_above_something_recognised_is_history() {
    let link =
        format!("https://claude.com/cai/oauth/authorize?code=true&state={}\r\n", "s".repeat(43));
    let given = paused(&claude(), &[&format!("Press Enter to retry\r\n{link}")]);
    assert_eq!(given, [Vec::<String>::new()]);
    let given = paused(&claude(), &["Press Enter to retry\r\nPaste code here if prompted > "]);
    assert_eq!(given, [Vec::<String>::new()]);
}

#[test]
fn any_division_gives_the_same_answers() {
    let mut output = "\x1b[2J\x1b[HPress Enter to retry\r\n".repeat(3);
    for turn in 0..200 {
        write!(output, "\x1b[5;1Hspinning {turn}").unwrap();
    }
    let divided = |chunk: usize| {
        let mut scanner = Scanner::new(&claude(), SMALL);
        let events: Vec<Event> =
            output.as_bytes().chunks(chunk).flat_map(|piece| scanner.push(piece)).collect();
        answers(events)
    };
    assert_eq!(divided(usize::MAX), ["\r"]);
    for chunk in [1, 2, 7, 63, 64, 65, 1000] {
        assert_eq!(divided(chunk), ["\r"], "in pieces of {chunk}");
    }
}

#[test]
fn a_page_that_is_never_printed_is_offered_with_the_code() {
    let gh = built_in_row("gh");
    let found = super::events(&gh, SMALL, b"! First copy your one-time code: ABCD-1234\r\nx\r\n");
    assert_eq!(super::links(&found), ["https://github.com/login/device"]);
    let link = found.iter().position(|event| matches!(event, Event::Link(_)));
    let code = found.iter().position(|event| matches!(event, Event::Code(_)));
    assert!(link < code, "{found:?}");
    // A version that prints it needs none of ours.
    let found = super::events(
        &gh,
        SMALL,
        b"Open https://github.com/login/device now\r\n! First copy your one-time code: ABCD-1234\r\n",
    );
    assert_eq!(super::links(&found), ["https://github.com/login/device"]);
    assert!(super::links(&super::events(&gh, SMALL, b"nothing yet\r\n")).is_empty());
}
