//! Tokens that a program prints for a person to keep.

use std::fmt::Write as _;

use super::recordings::recordings;
use super::{SMALL, WIDTHS, claude};
use crate::provider::Method;
use crate::{Event, Scanner, Size};

/// What the stand-in gave out in the recordings.
const RECORDED: &str = "sk-ant-oat01-AbCd_eFgH-AbCd_eFgH-AbCd_eFgH-AbCd_eFgH-AbCd_eFgH-AbCd_eFgH-AbCd_eFgH-AbCd_eFgH-AbCd_eFgH-xyzAA";

/// One without a repetition, so that any piece of it is only a piece of it.
const TOKEN: &str = "sk-ant-oat01-Ab3dE5gH7jK9mN1pQ3sT5vW7yZ9_bC2eF4hI6kL8nO0qR2tU4wX6zA8cD0fG-3iJ5lM7oP9rS1uV3xY5aB7dE9gH1jK4-AA";

fn method(id: &str) -> Method {
    claude().method(Some(id)).unwrap().clone()
}

/// The tokens a program's output gives, the same however it is divided, and no piece of `token` in
/// any other event.
#[track_caller]
fn tokens(size: Size, bytes: &[u8], token: &str) -> Vec<String> {
    let divided = |chunk: usize| {
        let mut scanner = Scanner::for_method(&claude(), &method("setup_token"), size);
        let mut events: Vec<Event> =
            bytes.chunks(chunk).flat_map(|piece| scanner.push(piece)).collect();
        events.extend(scanner.finish());
        events
    };
    let whole = divided(bytes.len().max(1));
    for chunk in [1, 7, 64] {
        assert_eq!(divided(chunk), whole, "in pieces of {chunk}");
    }
    for event in &whole {
        let shown = format!("{event:?}");
        for piece in token.as_bytes()["sk-ant-oat01-".len()..].windows(6) {
            let piece = std::str::from_utf8(piece).unwrap();
            assert!(!shown.contains(piece), "{size:?}: {shown} shows {piece}");
        }
    }
    let found = whole.into_iter().filter_map(|event| match event {
        Event::Token(token) => Some(token.expose().to_owned()),
        _ => None,
    });
    found.collect()
}

#[test]
fn the_recorded_tokens_are_found_whole_at_every_width() {
    let mut found = 0;
    for recording in recordings() {
        if recording.name.starts_with("claude-setup-token-success") {
            assert_eq!(tokens(recording.size, &recording.bytes, RECORDED), [RECORDED]);
            found += 1;
        }
    }
    assert_eq!(found, 3, "recordings");
}

#[test]
fn no_other_recording_has_one() {
    for recording in recordings() {
        if !recording.name.starts_with("claude-setup-token-success") {
            assert!(tokens(recording.size, &recording.bytes, RECORDED).is_empty());
        }
    }
}

#[test]
fn a_token_is_never_announced_cut_off() {
    for recording in recordings() {
        if !recording.name.starts_with("claude-setup-token-success") {
            continue;
        }
        let mut scanner = Scanner::for_method(&claude(), &method("setup_token"), recording.size);
        for end in 0..recording.bytes.len() {
            let mut events = scanner.push(&recording.bytes[end..=end]);
            let mut stopped = scanner.clone();
            events.extend(stopped.settle());
            events.extend(stopped.finish());
            for event in events {
                if let Event::Token(token) = event {
                    assert_eq!(token.expose(), RECORDED, "{} after {end}", recording.name);
                }
            }
        }
    }
}

/// The screen as the program paints it: indented by one, cut at the edge, blanks as cursor moves.
fn painted(cols: usize, indent: usize, token: &str) -> Vec<u8> {
    let mut out = b"\x1b[2GYour\x1b[7GOAuth\x1b[13Gtoken:\r\r\n\r\r\n".to_vec();
    for piece in token.as_bytes().chunks(cols - indent) {
        out.extend(format!("\x1b[{}G\x1b[38;5;220m", indent + 1).as_bytes());
        out.extend(piece);
        out.extend(b"\x1b[39m\r\r\n");
    }
    out.extend(b"\r\r\n\x1b[2GStore\x1b[8Gthis\x1b[13Gtoken\r\r\n");
    out
}

#[test]
fn a_token_is_put_together_at_any_width() {
    for cols in WIDTHS {
        let size = Size { cols, rows: 24 };
        let cols = usize::from(cols);
        for indent in [0, 1, 4] {
            assert_eq!(
                tokens(size, &painted(cols, indent, TOKEN), TOKEN),
                [TOKEN],
                "{cols} {indent}"
            );
        }
        let plain = format!("Your token:\r\n{TOKEN}\r\n\r\nStore it.\r\n");
        assert_eq!(tokens(size, plain.as_bytes(), TOKEN), [TOKEN], "wrapped at {cols}");
    }
}

#[test]
fn a_framed_token_is_put_together() {
    for cols in [40_usize, 60, 80, 120] {
        let mut out = format!("╭{}╮\r\n", "─".repeat(cols - 2));
        for piece in TOKEN.as_bytes().chunks(cols - 4) {
            let piece = std::str::from_utf8(piece).unwrap();
            write!(out, "│ {piece:<width$} │\r\n", width = cols - 4).unwrap();
        }
        write!(out, "╰{}╯\r\nStore it.\r\n", "─".repeat(cols - 2)).unwrap();
        let size = Size { cols: u16::try_from(cols).unwrap(), rows: 24 };
        assert_eq!(tokens(size, out.as_bytes(), TOKEN), [TOKEN], "{cols}");
    }
}

#[test]
fn only_whole_tokens_count_and_each_once() {
    for (text, expected) in [
        (format!("{TOKEN}\r\n{TOKEN}\r\n"), vec![TOKEN]),
        (format!("export CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\r\n"), vec![TOKEN]),
        (format!("token: \"{TOKEN}\".\r\n"), vec![TOKEN]),
        (format!("{TOKEN}…\r\n"), vec![]),
        (format!("{TOKEN}***\r\n"), vec![]),
        (format!("{TOKEN}\u{e9}\r\n"), vec![]),
        (format!("x{TOKEN}\r\n"), vec![]),
        ("sk-ant-oat01-short\r\n".to_owned(), vec![]),
        ("sk-ant-api03-0123456789012345678901234567890123456789\r\n".to_owned(), vec![]),
        (TOKEN.to_owned(), vec![]),
    ] {
        let wide = Size { cols: 200, rows: 24 };
        assert_eq!(tokens(wide, text.as_bytes(), TOKEN), expected, "{text}");
    }
}

#[test]
fn only_a_method_that_yields_one_looks_for_it() {
    let text = format!("{TOKEN}\r\nmore\r\n");
    let any = |scanner: &mut Scanner| {
        let events = scanner.push(text.as_bytes());
        events.iter().any(|event| matches!(event, Event::Token(_)))
    };
    assert!(any(&mut Scanner::for_method(&claude(), &method("setup_token"), SMALL)));
    assert!(!any(&mut Scanner::for_method(&claude(), &method("subscription"), SMALL)));
    assert!(!any(&mut Scanner::new(&claude(), SMALL)));
}
