//! The lines a person saw.

use super::{SMALL, Size, claude, codex, events, lines};
use crate::Scanner;

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(lines(&events(&codex(), SMALL, text.as_bytes())), expected, "{text:?}");
}

#[test]
fn lines_come_as_they_are_written() {
    let mut scanner = Scanner::new(&codex(), SMALL);
    assert_eq!(lines(&scanner.push(b"one\r\ntwo")), ["one"]);
    assert_eq!(scanner.current_line(), "two");
    assert_eq!(lines(&scanner.settle()), [""; 0]);
    assert_eq!(
        lines(&scanner.push(b" and a half\nthree\n")),
        ["two and a half", "              three"]
    );
    assert_eq!(lines(&scanner.finish()), [""; 0]);
    assert_eq!(scanner.current_line(), "");
}

#[test]
fn the_same_line_again_is_a_line() {
    check("a\r\na\r\na\r\n", &["a", "a", "a"]);
}

#[test]
fn rewritten_lines_collapse() {
    check("10%\r50%\r100%\r\ndone\r\n", &["100%", "done"]);
    check("10%\x1b[2K\r50%\r\x1b[K100%\r\n", &["100%"]);
    check("ab\x08\x08cd\r\n", &["cd"]);
    check("long text\rshort\r\n", &["shorttext"]);
}

#[test]
fn blank_lines_are_one_and_only_between_others() {
    check("\r\n\r\na\r\n\r\n\r\n\r\nb\r\n   \r\nc\r\n\r\n", &["a", "", "b", "", "c"]);
}

#[test]
fn colours_and_cursor_moves_leave_text() {
    check("\x1b[1mbold\x1b[0m \x1b[38;5;1mred\x1b[39m\x1b[2;1H", &["bold red"]);
    check("Paste\x1b[8Gcode\x1b[14Ghere\r\n", &["Paste  code  here"]);
    check("a\tb\r\n", &["a       b"]);
    check("\x1b(0lqk\x1b(B\r\n", &["┌─┐"]);
}

#[test]
fn what_misleads_is_dropped() {
    check(
        "a\u{202e}b\u{200b}c\u{2066}d\u{feff}e\u{85}f\u{e0041}g\x07h\x00i\x7fj\r\n",
        &["abcdefghij"],
    );
    check("bad \u{FFFD} é 漢字 e\u{301}\r\n", &["bad \u{FFFD} é 漢字 e\u{301}"]);
    let found = events(&codex(), SMALL, b"x\xff\xc3(\xe2\x82\r\n");
    assert_eq!(lines(&found), ["x\u{FFFD}\u{FFFD}(\u{FFFD}"]);
}

#[test]
fn a_painted_screen_is_told_once_in_reading_order() {
    let frame = "\x1b[H\x1b[5;3Hthird\x1b[1;1Hfirst\x1b[3;2H\x1b[1msecond\x1b[0m\x1b[24;1H";
    check(frame, &["first", "", " second", "", "  third"]);
    check(&frame.repeat(3), &["first", "", " second", "", "  third"]);
    let wiped = format!("{frame}\x1b[2J").repeat(3);
    check(&wiped, &["first", "", " second", "", "  third"]);
}

#[test]
fn a_painted_screen_is_told_when_it_is_quiet() {
    let mut scanner = Scanner::new(&codex(), SMALL);
    assert_eq!(lines(&scanner.push(b"\x1b[3;2Hsecond\x1b[1;1Hfirst")), [""; 0]);
    assert_eq!(lines(&scanner.settle()), ["first", "", " second"]);
    assert_eq!(lines(&scanner.settle()), [""; 0]);
    assert_eq!(lines(&scanner.push(b"\x1b[3;2Hchanged\x1b[1;1H")), [""; 0]);
    assert_eq!(lines(&scanner.settle()), [" changed"]);
}

#[test]
fn spinners_do_not_flood() {
    let signs = ['⠋', '⠙', '⠹', '⠸'].into_iter().cycle().take(40).enumerate();
    let frames: Vec<String> = signs
        .map(|(turn, sign)| {
            format!("\x1b[2K\x1b[1A\x1b[2K\x1b[G{sign} Waiting for approval ({turn}s)\r\n")
        })
        .collect();
    let frames = frames.concat();
    let found = events(&codex(), SMALL, format!("hello\r\nx\r\n{frames}").as_bytes());
    assert!(lines(&found).len() <= 4, "{found:?}");
    check("a\r\x1b[Kb\r\x1b[Kc\r\n", &["c"]);
}

#[test]
fn long_lines_are_cut() {
    let found = events(&codex(), SMALL, "é".repeat(5000).as_bytes());
    let [line] = lines(&found)[..] else { panic!("one line") };
    assert!(line.len() <= 4096 && line.len() > 4090 && line.ends_with("é…"));
    let text = format!("{}\r\nnext\r\n", "x".repeat(100_000));
    let found = events(&codex(), SMALL, text.as_bytes());
    assert_eq!(lines(&found).len(), 2);
    assert_eq!(lines(&found)[1], "next");
}

#[test]
fn wrapped_lines_are_one() {
    let text = "A sentence that is longer than the terminal is wide, so that it wraps.\r\nnext\r\n";
    for cols in 1..=80 {
        for rows in [1, 2, 5, 24] {
            let found = events(&codex(), Size { cols, rows }, text.as_bytes());
            let expected = text.trim_end().split("\r\n").collect::<Vec<_>>();
            assert_eq!(lines(&found), expected, "{cols} × {rows}");
        }
    }
}

#[test]
fn the_alternate_screen_is_told_and_the_main_one_not_again() {
    check("before\r\n\x1b[?1049h\x1b[Hinside\x1b[?1049lafter\r\n", &["before", "inside", "after"]);
}

#[test]
fn a_pasted_code_is_masked_in_echoes() {
    let secret = "good-abcdefcode#CJXGvV_4qu6Z9tXLCWjwqyvHKPXiLkKXycazk8Lcp0c";
    for cols in [20, 33, 40, 60, 80, 200] {
        let mut scanner = Scanner::new(&claude(), Size { cols, rows: 24 });
        scanner.push(b"Paste code here if prompted > ");
        scanner.mask(secret);
        for end in 1..=secret.len() {
            scanner.push(&secret.as_bytes()[end - 1..end]);
            let line = scanner.current_line();
            let shown = line.trim_start_matches("Paste code here if prompted > ");
            assert!(end < 3 || !shown.contains(&secret[..3]), "{line:?} after {end}");
        }
        let mut told = scanner.push(b"\r\r\nSigning in\r\n");
        told.extend(scanner.finish());
        assert_eq!(lines(&told), ["Paste code here if prompted > ****", "Signing in"]);
    }
}

#[test]
fn a_secret_of_a_known_shape_is_masked_while_it_is_written() {
    for (before, secret) in [
        ("Your token: ", "sk-ant-oat01-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"),
        ("key=", "sk-proj-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"),
        ("", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJvd25lciJ9.AbCdEfGh"),
        ("token ", "ghp_AbCdEfGhIjKlMnOpQrStUvWxYz"),
        ("https://platform.claude.com/oauth/code/callback?code=", "AbCdEfGhIjKlMnOpQr"),
    ] {
        for cols in [20, 33, 80, 1000] {
            let mut scanner = Scanner::new(&claude(), Size { cols, rows: 24 });
            scanner.push(before.as_bytes());
            for end in 1..=secret.len() {
                scanner.push(&secret.as_bytes()[end - 1..end]);
                let line = scanner.current_line();
                for piece in secret.as_bytes()[..end].windows(9) {
                    let piece = std::str::from_utf8(piece).unwrap();
                    assert!(!line.contains(piece), "{line:?} after {end} at {cols}");
                }
            }
        }
    }
}

#[test]
fn a_pasted_code_is_masked_in_an_input_box() {
    let secret = "good-abcdefcode#CJXGvV_4qu6Z9tXLCWjwqyvHKPXiLkKXycazk8Lcp0c";
    for width in 3..=40 {
        let mut scanner = Scanner::new(&claude(), SMALL);
        scanner.mask(secret);
        let pieces = secret.as_bytes().chunks(width);
        let rows: Vec<String> = pieces
            .map(|piece| format!("│ {} │\r\n", std::str::from_utf8(piece).unwrap()))
            .collect();
        let mut told = scanner.push(rows.concat().as_bytes());
        told.extend(scanner.finish());
        let text = lines(&told).join("");
        for piece in secret.as_bytes().windows(3) {
            let piece = std::str::from_utf8(piece).unwrap();
            assert!(!text.contains(piece), "{piece} of {text} at {width}");
        }
    }
}

#[test]
fn what_cannot_be_seen_is_not_told() {
    check("a\x1b[8msecret\x1b[28mb\r\n", &["a      b"]);
    check("\x1b[8mhidden\x1b[m\r\nseen\r\n", &["seen"]);
    check(
        "\x1b[38;5;8ma\x1b[48;2;8;8;8mb\x1b[38:2::8:8:8mc\x1b[4:3md\x1b[1;8me\x1b[0mf\r\n",
        &["abcd f"],
    );
}

#[test]
fn what_only_fills_a_wide_terminal_is_made_short() {
    let wide =
        format!("╭{}╮\r\n│{}│\r\n{}x\r\n", "─".repeat(996), " ".repeat(996), " ".repeat(400));
    let found = events(&codex(), Size::TERMINAL, wide.as_bytes());
    assert_eq!(lines(&found), [&format!("╭{}╮", "─".repeat(80)), "│    │", "    x"]);
}

#[test]
fn a_long_line_stays_one_while_it_is_written() {
    let mut scanner = Scanner::new(&codex(), Size { cols: 10, rows: 3 });
    assert_eq!(lines(&scanner.push("ab".repeat(50).as_bytes())), [""; 0]);
    assert_eq!(lines(&scanner.settle()), [""; 0]);
    assert_eq!(scanner.current_line(), "ab".repeat(50));
    assert_eq!(lines(&scanner.push(b"c\r\n")), ["ab".repeat(50) + "c"]);
}

#[test]
fn rows_pushed_out_by_a_painting_program_are_told() {
    check("\x1b[2;4r\x1b[2;1Hone\x1b[3;1Htwo\x1b[2;1H\x1b[M\x1b[24;1Hend", &["one", "two", "end"]);
    check("\x1b[1;1Hone\x1b[2;1Htwo\x1b[9S", &["one", "two"]);
    check("\x1b[1;1Hone\x1b[1;1H\x1b[9L", &["one"]);
}
