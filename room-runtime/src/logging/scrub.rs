//! Takes out of a text what looks like a secret: the last line, behind all that keeps one from
//! getting there.

use std::borrow::Cow;

/// The shortest key, token and run of hexadecimal digits that counts as one.
const KEY_LETTERS: usize = 8;
const JWT_LETTERS: usize = 10;
const HEX_DIGITS: usize = 64;
const TOKEN_LETTERS: usize = 40;

/// The text with `[…]` in the place of signed tokens (`eyJ…`), keys (`sk-…`), 64 and more
/// hexadecimal digits, long random words, and codes as a person types them (`ABCD-EFGH`).
pub(super) fn scrub(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(start) = text[at..].find(is_of_a_word).map(|start| at + start) {
        let end = text[start..].find(|letter| !is_of_a_word(letter));
        at = end.map_or(text.len(), |end| start + end);
        let Some((from, what)) = secret(&text[start..at]) else { continue };
        // The parts of a signed token have dots between them.
        while what == JWT
            && let Some(rest) = text[at..].strip_prefix('.')
            && rest.starts_with(is_of_a_word)
        {
            let end = rest.find(|letter| !is_of_a_word(letter)).unwrap_or(rest.len());
            at += 1 + end;
        }
        clean.push_str(&text[copied..start + from]);
        clean.push_str(what);
        copied = at;
    }
    if copied == 0 {
        return text.into();
    }
    clean.push_str(&text[copied..]);
    clean.into()
}

const JWT: &str = "[token]";

fn is_of_a_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '-' || letter == '_'
}

/// Where a secret begins in a word, and what it is; it is taken to go on to the word's end.
fn secret(word: &str) -> Option<(usize, &'static str)> {
    if let Some(at) = word.find("eyJ").filter(|at| word.len() - at >= JWT_LETTERS) {
        return Some((at, JWT));
    }
    let mut keys = word.match_indices("sk-").map(|(at, _)| at);
    let begins = |at: usize| !word[..at].ends_with(|before: char| before.is_ascii_alphanumeric());
    if let Some(at) = keys.find(|at| begins(*at) && word.len() - at >= "sk-".len() + KEY_LETTERS) {
        return Some((at, "[key]"));
    }
    if has_hex(word) {
        return Some((0, "[hex]"));
    }
    let has = |kind: fn(&u8) -> bool| word.bytes().any(|letter| kind(&letter));
    if word.len() >= TOKEN_LETTERS
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
    {
        return Some((0, "[random]"));
    }
    is_code(word).then_some((0, "[code]"))
}

fn has_hex(word: &str) -> bool {
    let mut run = 0;
    word.bytes().any(|letter| {
        run = if letter.is_ascii_hexdigit() { run + 1 } else { 0 };
        run >= HEX_DIGITS
    })
}

/// `ABCD-EFGH`, with four or five letters or digits on each side.
fn is_code(word: &str) -> bool {
    let part = |part: &str| {
        let plain = |letter: u8| letter.is_ascii_uppercase() || letter.is_ascii_digit();
        matches!(part.len(), 4 | 5) && part.bytes().all(plain)
    };
    word.split_once('-').is_some_and(|(one, other)| part(one) && part(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(scrub(text), expected);
    }

    #[test]
    fn what_looks_like_a_secret_is_taken_out() {
        check("a eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln b", "a [token] b");
        check("token=eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln&x", "token=[token]&x");
        check("_eyJhbGciOiJFUzI1NiJ9", "_[token]");
        check("key sk-ant-api03-abcdefgh0123.", "key [key].");
        check("\"sk-proj-0123456789\"", "\"[key]\"");
        check(&format!("x{}y", "0a".repeat(32)), "[hex]");
        check(&format!("{}.", "0A".repeat(40)), "[hex].");
        check("X9B-QdiA5tzzCKNRn3LXmhduhbu9VCjVjZwkNOgYvCE", "[random]");
        check("code CZ6N-DCWVI, WDJB-MJHT", "code [code], [code]");
        check("http://localhost:3700/#code=K7M2Q-9XR4T", "http://localhost:3700/#code=[code]");
    }

    #[test]
    fn what_only_resembles_one_stays() {
        for text in [
            "",
            "the task-manager and a disk-cleaner-of-mine",
            "sk-short",
            "eyJ",
            "2026-11-21T10:02:32.383Z",
            "5a9e4f5e-7a3e-4e0e-9a53-1f3f3f7f3a10",
            "e1df862395ee043e",
            "UTF-8, CVE-2025-58160, ABCD-EFGH-IJKL, abcd-efgh",
            "some-very-long-name-of-a-directory-that-somebody-has",
            "äöü 'ß' …",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn letters_of_more_than_one_byte_are_no_obstacle() {
        check("ä eyJhbGciOiJFUzI1NiJ9.ö", "ä [token].ö");
        check("…sk-ant-0123456789…", "…[key]…");
    }
}
