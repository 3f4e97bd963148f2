//! When the program wants a pasted code.

use super::{SMALL, Size, WIDTHS, claude, codex, events};
use crate::{Event, FailureCode, Scanner};

fn prompts(events: &[Event]) -> Vec<Option<&str>> {
    let found = events.iter().filter_map(|event| match event {
        Event::Prompt { hint } => Some(hint),
        _ => None,
    });
    found.map(Option::as_deref).collect()
}

fn steps(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| !matches!(event, Event::Line(_) | Event::Link(_))).collect()
}

const ASKS: Event = Event::Prompt { hint: None };

#[test]
fn a_prompt_is_known_as_soon_as_it_stands_there() {
    let mut scanner = Scanner::new(&claude(), SMALL);
    assert_eq!(scanner.push(b"Paste code here if prompted > "), [ASKS]);
    assert_eq!(scanner.settle(), []);
}

#[test]
fn a_prompt_is_over_when_its_line_is() {
    let found = events(&claude(), SMALL, b"Paste code here > x#y\r\r\nSigning in\xe2\x80\xa6\r\n");
    assert_eq!(steps(&found), [&ASKS, &Event::PromptGone, &Event::Stored]);
}

#[test]
fn a_refusal_is_the_next_prompts_hint() {
    let text = "Paste code here if prompted > foo\r\r\n\
                That doesn't look like the full code. Copy all of it, including the # in the \
                middle.\r\nPaste code here if prompted > ";
    for cols in WIDTHS {
        let found = events(&claude(), Size { cols, rows: 24 }, text.as_bytes());
        let hint = "That doesn't look like the full code. Copy all of it, including the # in the \
                    middle.";
        assert_eq!(prompts(&found), [None, Some(hint)], "{cols} columns");
    }
}

#[test]
fn an_empty_line_asks_again_without_a_reason() {
    let found = events(&claude(), SMALL, b"Paste code here > \r\r\nPaste code here > \r\n");
    assert_eq!(prompts(&found), [None, None]);
}

#[test]
fn an_old_refusal_asks_again_without_a_prompt() {
    let text = "Paste code here if prompted > Invalid code. Please make sure the full code was \
                copied.\r\n";
    let found = events(&claude(), SMALL, text.as_bytes());
    let hint = Some("Invalid code. Please make sure the full code was copied.");
    assert_eq!(prompts(&found), [None, hint]);
    assert!(!found.iter().any(|event| matches!(event, Event::Failed { .. })));
    let text = format!("{text}Login successful.\r\n");
    let found = events(&claude(), SMALL, text.as_bytes());
    assert_eq!(found.last(), Some(&Event::PromptGone), "{found:?}");
    assert!(found.contains(&Event::Stored));
}

#[test]
fn a_heading_over_an_input_box_stays_until_it_is_wiped() {
    let shown =
        "\x1b[2GPaste\x1b[8Gcode\x1b[13Ghere\x1b[18Gif\x1b[21Gprompted\r\r\n\x1b[2G│ │\r\r\n";
    let mut scanner = Scanner::new(&claude(), SMALL);
    let mut found = scanner.push(shown.as_bytes());
    found.extend(scanner.settle());
    found.extend(scanner.push("\x1b[1A\x1b[4G***".as_bytes()));
    found.extend(scanner.settle());
    assert_eq!(steps(&found), [&ASKS]);
    found = scanner.push(b"\x1b[2K\x1b[1A\x1b[2KWorking");
    found.extend(scanner.settle());
    assert_eq!(steps(&found), [&Event::PromptGone]);
}

#[test]
fn a_repainted_prompt_is_not_asked_twice() {
    let frame = "Paste code here if prompted\r\n│ │\r\n";
    let text =
        format!("{frame}{}", format!("\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[G{frame}").repeat(9));
    assert_eq!(prompts(&events(&claude(), SMALL, text.as_bytes())), [None]);
}

#[test]
fn other_programs_have_no_such_prompt() {
    assert_eq!(prompts(&events(&codex(), SMALL, b"Paste code here > ")), []);
}

#[test]
fn terminal_queries_are_answered() {
    let text = b"ab\r\ncd\x1b[6n\x1b[c\x1b[0c\x1b[>c\x1b[?u\x1b]11;?\x07\x1b[999;999f\x1b[6n";
    let found = events(&codex(), SMALL, text);
    let replies: Vec<&[u8]> = found
        .iter()
        .filter_map(|event| match event {
            Event::Reply(bytes) => Some(bytes.as_slice()),
            _ => None,
        })
        .collect();
    assert_eq!(replies, [&b"\x1b[2;3R"[..], b"\x1b[?62;c", b"\x1b[?62;c", b"\x1b[24;80R"]);
}

#[test]
fn failures_are_named() {
    let check = |provider: &crate::Provider, text: &str, code| {
        for cols in WIDTHS {
            let found = events(provider, Size { cols, rows: 24 }, format!("{text}\r\n").as_bytes());
            let expected = Event::Failed { code, text: text.to_owned() };
            assert_eq!(found.last(), Some(&expected), "{cols} columns");
        }
    };
    let codex = codex();
    check(
        &codex,
        "Error logging in: error sending request for url (https://auth.openai.com/api/accounts/deviceauth/usercode)",
        FailureCode::Network,
    );
    check(
        &codex,
        "Error logging in: device code login is not enabled for this Codex server. Use x.",
        FailureCode::DeviceCodesOff,
    );
    check(
        &codex,
        "Error logging in with device code: device auth timed out after 15 minutes",
        FailureCode::Expired,
    );
    check(
        &codex,
        "Error logging in: device auth failed with status 410 Gone",
        FailureCode::Expired,
    );
    check(
        &codex,
        "Error logging in: device auth failed with status 429 Too Many Requests",
        FailureCode::RateLimited,
    );
    check(
        &codex,
        "Error logging in: device auth failed with status 400 Bad Request",
        FailureCode::Refused,
    );
    check(&codex, "ChatGPT login is disabled. Use API key login instead.", FailureCode::Policy);
    let claude = claude();
    check(
        &claude,
        "Couldn't log in: That code wasn't accepted. It may be incomplete.",
        FailureCode::Refused,
    );
    check(&claude, "Login failed: Request failed with status code 400", FailureCode::Refused);
    check(
        &claude,
        "Couldn't log in: getaddrinfo ENOTFOUND platform.claude.com",
        FailureCode::Network,
    );
}

#[test]
fn a_prompt_that_the_program_breaks_is_one() {
    for (rows, asked) in [
        (&["Paste code here", "if prompted"][..], 1),
        (&["Paste code", "here if", "prompted"], 1),
        (&["Paste", "code here"], 1),
        (&["Paste code", "", "here"], 0),
    ] {
        let found = events(&claude(), SMALL, (rows.join("\r\n") + "\r\n").as_bytes());
        assert_eq!(prompts(&found).len(), asked, "{rows:?}");
    }
}

#[test]
fn a_cursor_above_the_region_is_reported() {
    let found = events(&codex(), SMALL, b"\x1b[?6h\x1b7\x1b[2;4r\x1b8\x1b[6n");
    assert_eq!(found, [Event::Reply(b"\x1b[1;1R".to_vec())]);
}
