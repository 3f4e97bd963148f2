//! Which device codes are announced.

use super::{SMALL, Size, WIDTHS, check_whole, claude, codes, codex, events};
use crate::Scanner;

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    check_whole(&codex(), SMALL, text.as_bytes(), &[], expected);
}

#[test]
fn a_code_needs_a_label() {
    check("Enter this one-time code\r\n   ABCD-EFGH\r\n", &["ABCD-EFGH"]);
    check("Your user code: ABCD-EFGH\r\n", &["ABCD-EFGH"]);
    check("visit the page and enter code WDJB-MJHT\r\n", &["WDJB-MJHT"]);
    check("! First copy your one-time code: WDJB-MJHT\r\n", &["WDJB-MJHT"]);
    check("Verification code\r\n\r\n │  123-456  │\r\n", &["123-456"]);
    check("one-time code\r\n\r\n  Code: ABCD-EFGH\r\n", &["ABCD-EFGH"]);
    check("one-time code\r\n  ABCD-EFGH (press c to copy)\r\n", &["ABCD-EFGH"]);
    check("   ABCD-EFGH\r\n", &[]);
    check("Uses SHA-256 and ISO-8859\r\n", &[]);
    check(&format!("one-time code{}ABCD-EFGH\r\n", "\r\n".repeat(8)), &["ABCD-EFGH"]);
    check(&format!("one-time code{}ABCD-EFGH\r\n", "\r\n".repeat(10)), &[]);
}

#[test]
fn what_only_looks_like_a_code_is_none() {
    for text in [
        "one-time code\r\nprotected by SHA-256 and more\r\n",
        "one-time code\r\nSHA-256 protects it\r\n",
        "one-time code\r\nid 9d1c250a-ABCD-EFGH\r\n",
        "one-time code\r\nABCD-EFGH-IJKL\r\n",
        "one-time code\r\nxABCD-EFGH\r\n",
        "one-time code\r\nABCD-EFGHx\r\n",
        "one-time code\r\nABCD-EFGH…\r\n",
        "one-time code\r\néABCD-EFGH\r\n",
        "one-time code: https://x.example/ABCD-EFGH\r\n",
        "one-time code: https://x.example/?user_code=ABCD-EFGH\r\n",
        "one-time code\r\nABCDEF-GHIJ\r\n",
        "Enter the code (it looks like ABCD-EFGH)\r\n",
        "one-time code, for example ABCD-EFGH\r\n",
        "one-time code\r\nAB-CDEF\r\n",
        "one-time code\r\nABCD-EFGHIJK\r\n",
    ] {
        check(text, &[]);
    }
}

#[test]
fn the_first_code_after_a_label_is_its() {
    check("one-time code\r\nABCD-EFGH\r\nQWER-TYUI\r\n", &["ABCD-EFGH"]);
    check("one-time code: ABCD-EFGH QWER-TYUI\r\n", &["ABCD-EFGH"]);
}

#[test]
fn a_later_code_replaces_the_first() {
    check(
        "one-time code\r\nABCD-EFGH\r\nExpired.\r\none-time code\r\nQWER-TYUI\r\n",
        &["ABCD-EFGH", "QWER-TYUI"],
    );
    // Repainted in place, letter by letter.
    check(
        "\x1b[2;3HEnter this one-time code\x1b[4;3HABCD-EFGH\x1b[6;1HPress esc to cancel, or wait.\
         \x1b[4;5HXY\x1b[4;10HZ\x1b[6;1H.",
        &["ABCD-EFGH", "ABXY-EFZH"],
    );
}

#[test]
fn a_code_may_be_painted_before_its_label() {
    check("\x1b[4;3HABCD-EFGH\x1b[2;3HEnter this one-time code\x1b[6;1H.", &["ABCD-EFGH"]);
}

#[test]
fn a_code_is_never_cut_off() {
    let mut scanner = Scanner::new(&codex(), SMALL);
    let mut found = scanner.push(b"Enter this one-time code\r\n   CZ6N-DCWV");
    found.extend(scanner.settle());
    assert_eq!(codes(&found), [""; 0]);
    assert_eq!(codes(&scanner.clone().finish()), [""; 0]);
    found = scanner.push(b"I");
    found.extend(scanner.settle());
    assert_eq!(codes(&found), [""; 0]);
    // A change of colour says that it is over, once nothing more comes.
    found = scanner.push(b"\x1b[0m");
    assert_eq!(codes(&found), [""; 0]);
    assert_eq!(codes(&scanner.settle()), ["CZ6N-DCWVI"]);
}

#[test]
fn a_wrapped_code_is_whole() {
    let text = "To authenticate, visit https://github.com/login/device and enter code WDJB-MJHT\r\n\
                Waiting for authorization...\r\n";
    for cols in (10..=100).chain(WIDTHS) {
        check_whole(&codex(), Size { cols, rows: 24 }, text.as_bytes(), &[], &["WDJB-MJHT"]);
    }
}

#[test]
fn programs_without_codes_have_none() {
    assert_eq!(codes(&events(&claude(), SMALL, b"one-time code\r\nABCD-EFGH\r\n")), [""; 0]);
}
