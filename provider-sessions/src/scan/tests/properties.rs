//! Whatever a program prints.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Size, claude, codex};
use crate::{Event, Scanner};

/// Pieces that programs are made of, whole or not.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "\r\n",
        "\n",
        "\r",
        "\r\r\n",
        "\t",
        "\x08",
        " ",
        "  ",
        "text",
        "Enter this one-time code",
        "ABCD-EFGH",
        "CZ6N-DCWVI",
        "https://auth.openai.com/codex/device",
        "https://",
        "://",
        "https://claude.com/cai/oauth/authorize?state=0123456789012345678901234567890123456789012",
        "Paste code here if prompted > ",
        "Paste code here",
        "Error logging in: x",
        "…",
        "漢字",
        "e\u{301}",
        "\u{202e}",
        "\x1b[2J",
        "\x1b[H",
        "\x1b[K",
        "\x1b[2K",
        "\x1b[1A",
        "\x1b[3B",
        "\x1b[5C",
        "\x1b[2D",
        "\x1b[10;10H",
        "\x1b[999;999H",
        "\x1b[6n",
        "\x1b[c",
        "\x1b[?1049h",
        "\x1b[?1049l",
        "\x1b[?2026h",
        "\x1b[?2026l",
        "\x1b[2;4r",
        "\x1b[r",
        "\x1b[L",
        "\x1b[2M",
        "\x1b[4P",
        "\x1b[3@",
        "\x1b[2X",
        "\x1b[2S",
        "\x1b[2T",
        "\x1b[9b",
        "\x1bM",
        "\x1bD",
        "\x1bE",
        "\x1b7",
        "\x1b8",
        "\x1bc",
        "\x1b[4h",
        "\x1b[4l",
        "\x1b[?7l",
        "\x1b[?7h",
        "\x1b[?6h",
        "\x1b[?6l",
        "\x1b(0",
        "\x1b(B",
        "\x0e",
        "\x0f",
        "\x1b]0;title\x07",
        "\x1b]8;;https://auth.openai.com/codex/device\x07",
        "\x1b]8;;\x1b\\",
        "\x1b]8;id=1;https",
        "\x1b]52;c;QUJD\x07",
        "\x1bPq\x1b\\",
        "\x1b[",
        "\x1b]",
        "\x1b",
        "\x1b[99999999999999;1H",
        "\x1b[38;2;1;2;3m",
        "sk-ant-oat01-abcdefghijkl",
        "\x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1m",
    ])
    .prop_map(|text| text.as_bytes().to_vec());
    prop_oneof![6 => known, 1 => vec(any::<u8>(), 0..12), 1 => vec(b' '..=b'~', 0..90)]
}

fn output() -> impl Strategy<Value = Vec<u8>> {
    vec(piece(), 0..120).prop_map(|pieces| pieces.concat())
}

fn size() -> impl Strategy<Value = Size> {
    (1_u16..130, 1_u16..30).prop_map(|(cols, rows)| Size { cols, rows })
}

fn check_events(events: &[Event]) -> Result<(), TestCaseError> {
    for event in events {
        match event {
            Event::Line(text) => {
                prop_assert!(text.len() <= 4096);
                prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
                prop_assert_eq!(text.trim_end(), text.as_str());
            }
            Event::Link(url) => prop_assert!(
                url.starts_with("https://auth.openai.com/")
                    || url.starts_with("https://claude.com/")
            ),
            Event::Code(code) => prop_assert!(code.len() >= 7 && code.len() <= 12),
            _ => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_division_gives_the_same_events(
        output in output(),
        size in size(),
        cuts in vec(1_usize..200, 1..20),
        claude_row in any::<bool>(),
    ) {
        let provider = if claude_row { claude() } else { codex() };
        let mut whole = Scanner::new(&provider, size);
        let mut expected = whole.push(&output);
        expected.extend(whole.finish());
        check_events(&expected)?;
        let mut divided = Scanner::new(&provider, size);
        let mut events = Vec::new();
        let mut rest = output.as_slice();
        for cut in cuts.iter().copied().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(cut.min(rest.len()));
            events.extend(divided.push(now));
            let _ = divided.current_line();
            rest = later;
        }
        events.extend(divided.finish());
        prop_assert_eq!(events, expected);
    }

    #[test]
    fn pauses_do_no_harm(output in output(), size in size(), pause in 1_usize..50) {
        let mut scanner = Scanner::new(&codex(), size);
        let mut events = Vec::new();
        for piece in output.chunks(pause) {
            events.extend(scanner.push(piece));
            events.extend(scanner.settle());
        }
        events.extend(scanner.finish());
        check_events(&events)?;
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(output in vec(any::<u8>(), 0..3000), size in size()) {
        let mut scanner = Scanner::new(&claude(), size);
        let mut events = scanner.push(&output);
        events.extend(scanner.settle());
        events.extend(scanner.finish());
        check_events(&events)?;
    }

    #[test]
    fn a_secret_never_shows(
        before in output(),
        half in "[A-Za-z0-9_-]{12,60}",
        state in "[A-Za-z0-9_-]{43}",
        cols in 8_u16..200,
        split in 1_usize..40,
    ) {
        let secret = format!("{half}#{state}");
        let mut scanner = Scanner::new(&claude(), Size { cols, rows: 24 });
        scanner.push(&before);
        scanner.push(b"\x1bc\x1b[?7h");
        scanner.mask(&secret);
        let mut events = Vec::new();
        for piece in secret.as_bytes().chunks(split) {
            events.extend(scanner.push(piece));
            events.extend(scanner.settle());
        }
        events.extend(scanner.push(b"\r\n"));
        events.extend(scanner.finish());
        for event in events {
            if let Event::Line(text) = event {
                for piece in secret.as_bytes().windows(8) {
                    let piece = std::str::from_utf8(piece).unwrap();
                    prop_assert!(!text.contains(piece), "{} shows {}", text, piece);
                }
            }
        }
    }

    #[test]
    fn no_known_secret_shows_however_it_is_wrapped(
        before in output(),
        kind in 0_usize..8,
        body in "[A-Za-z0-9]{40,120}",
        state in "[A-Za-z0-9]{43}",
        lead in prop::sample::select(vec!["", "key: ", "│ ", "export TOKEN="]),
        cols in 24_u16..200,
        broken in prop::option::of(24_usize..100),
        cuts in vec(1_usize..60, 1..8),
    ) {
        let secret = match kind {
            0 => format!("sk-ant-oat01-{body}"),
            1 => format!("sk-proj-{body}"),
            2 => format!("AIza{body}"),
            3 => format!("gho_{body}"),
            4 => format!("github_pat_{body}"),
            5 => format!("eyJhbGciOiJIUzI1NiJ9.{body}.{state}"),
            6 => format!("http://127.0.0.1:1455/auth/callback?code={body}&state={state}"),
            _ => format!("http://localhost:1455/success?id_token={body}&state={state}"),
        };
        // The program's own line breaks, or the terminal's alone.
        let text = match broken {
            Some(width) => {
                let line = format!("{lead}{secret}");
                let pieces: Vec<String> =
                    line.chars().collect::<Vec<_>>().chunks(width.min(cols.into())).map(|piece| piece.iter().collect()).collect();
                pieces.join("\r\n")
            }
            None => format!("{lead}{secret}"),
        };
        let hyperlink = format!("\x1b]8;;https://x.example/?code={body}\x07here\x1b]8;;\x07");
        let bytes = format!("\x1bc\x1b[?7h{text}\r\n\r\n{hyperlink}\r\ndone\r\n").into_bytes();
        let mut scanner = Scanner::new(&claude(), Size { cols, rows: 24 });
        scanner.explain();
        scanner.push(&before);
        let mut events = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().copied().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(cut.min(rest.len()));
            events.extend(scanner.push(now));
            events.push(Event::Line(scanner.current_line()));
            rest = later;
        }
        events.extend(scanner.finish());
        let shown = format!("{events:?} {:?}", scanner.decisions());
        for part in [&body, &state] {
            // The very last characters, alone on a line of their own, are no secret any more.
            for piece in part.as_bytes().windows(12) {
                let piece = std::str::from_utf8(piece).unwrap();
                prop_assert!(!shown.contains(piece), "{} in {}", piece, shown);
            }
            if kind < 5 {
                break;
            }
        }
    }
}
