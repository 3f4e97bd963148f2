//! What happens to a valid token when anything at all is changed in it, and to everything that is
//! read from outside when it is noise: refused, and never a panic.

#[path = "support/judge.rs"]
mod judge;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use judge::{Expect, Outcome, Row, Source, TOKENS, Worlds, compare, key_set_document};
use proptest::prelude::*;
use room_auth::KeySet;
use room_auth::jws;

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// One valid token of each algorithm, with claims and header as plain as they come.
const PLAIN: [&str; 3] = ["ok_rs256_owner", "ok_es256_owner", "ok_eddsa_owner"];

fn row(name: &str) -> &'static Row {
    TOKENS.iter().find(|row| row.name == name).expect("the corpus has this token")
}

/// The valid tokens of the plain world.
static VALID: LazyLock<Vec<&'static Row>> = LazyLock::new(|| {
    let of_main = |row: &&Row| row.setup == "main" && row.jwks.is_none();
    TOKENS
        .iter()
        .filter(|row| row.expect == Expect::Accept && row.source == Source::Bearer)
        .filter(of_main)
        .collect()
});

fn says(worlds: &mut Worlds, row: &Row, token: String) -> Outcome {
    worlds.judge(&Row { token, ..row.clone() })
}

fn accepts(worlds: &mut Worlds, row: &Row, token: String) -> bool {
    matches!(says(worlds, row, token), Outcome::Accepted { .. })
}

#[test]
fn no_character_can_be_replaced() {
    let mut worlds = Worlds::default();
    let strangers = ['.', '=', '+', '/', ' ', '\n', '\0', '%', '~', 'é', '．', '\u{200b}'];
    for name in PLAIN {
        let row = row(name);
        assert!(accepts(&mut worlds, row, row.token.clone()), "{name} itself");
        for at in 0..row.token.len() {
            let (head, tail) = (&row.token[..at], &row.token[at + 1..]);
            let old = row.token.as_bytes()[at];
            // All 64 where a character holds bits that decoding drops, a few everywhere else.
            let segment_ends = tail.is_empty() || tail.starts_with('.');
            let step = if segment_ends { 1 } else { 7 };
            let known = ALPHABET.iter().skip(at % step).step_by(step).map(|&byte| char::from(byte));
            for new in known.chain(strangers).filter(|&new| new != char::from(old)) {
                let changed = format!("{head}{new}{tail}");
                assert!(!accepts(&mut worlds, row, changed), "{name}: {new:?} at {at}");
            }
        }
    }
}

#[test]
fn no_character_can_be_left_out_put_in_or_swapped() {
    let mut worlds = Worlds::default();
    for name in PLAIN {
        let row = row(name);
        let token = &row.token;
        for at in 0..token.len() {
            let without = format!("{}{}", &token[..at], &token[at + 1..]);
            assert!(!accepts(&mut worlds, row, without), "{name}: without {at}");
            assert!(!accepts(&mut worlds, row, token[..at].to_owned()), "{name}: cut at {at}");
            assert!(!accepts(&mut worlds, row, token[at + 1..].to_owned()), "{name}: from {at}");
            for new in ['A', '_', '.', '=', '\r', ' '] {
                let longer = format!("{}{new}{}", &token[..at], &token[at..]);
                assert!(!accepts(&mut worlds, row, longer), "{name}: {new:?} put in at {at}");
            }
            let mut swapped = token.clone().into_bytes();
            if at + 1 < swapped.len() && swapped[at] != swapped[at + 1] {
                swapped.swap(at, at + 1);
                let swapped = String::from_utf8(swapped).expect("still ASCII");
                assert!(!accepts(&mut worlds, row, swapped), "{name}: swapped at {at}");
            }
        }
    }
}

#[test]
fn no_bit_of_a_signature_can_be_flipped() {
    let mut worlds = Worlds::default();
    for name in PLAIN {
        let row = row(name);
        let (content, signature) = row.token.rsplit_once('.').expect("three segments");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        for bit in 0..signature.len() * 8 {
            let mut flipped = signature.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let token = format!("{content}.{}", URL_SAFE_NO_PAD.encode(&flipped));
            assert!(!accepts(&mut worlds, row, token), "{name}: bit {bit}");
        }
    }
}

#[test]
fn no_bit_of_header_or_payload_can_be_flipped() {
    let mut worlds = Worlds::default();
    for name in PLAIN {
        let row = row(name);
        let segments: Vec<&str> = row.token.split('.').collect();
        for at in [0, 1] {
            let bytes = URL_SAFE_NO_PAD.decode(segments[at]).expect("base64url");
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let flipped = URL_SAFE_NO_PAD.encode(&flipped);
                let mut changed = segments.clone();
                changed[at] = &flipped;
                let token = changed.join(".");
                assert!(!accepts(&mut worlds, row, token), "{name}: bit {bit} of segment {at}");
            }
        }
    }
}

/// ECDSA alone has a second signature for the same content, and that is the only change that passes.
#[test]
fn the_other_half_of_an_ecdsa_signature_is_the_one_exception() {
    let mut worlds = Worlds::default();
    let (plain, malleated) = (row("ok_es256_plain_s"), row("ok_es256_malleated_s"));
    assert_ne!(plain.token, malleated.token);
    assert_eq!(jws::content_digest(&plain.token), jws::content_digest(&malleated.token));
    assert_eq!(
        says(&mut worlds, plain, plain.token.clone()),
        says(&mut worlds, plain, malleated.token.clone())
    );
}

#[test]
fn no_segment_can_come_from_another_token() {
    let mut worlds = Worlds::default();
    for (index, row) in VALID.iter().enumerate() {
        let whole = worlds.judge(row);
        assert_eq!(compare(row, &whole), None);
        let ours: Vec<&str> = row.token.split('.').collect();
        // Each token meets a few of the others, and all meet all three plain ones.
        let others = VALID.iter().skip(index + 1).step_by(11);
        for other in others.copied().chain(PLAIN.map(self::row)) {
            let theirs: Vec<&str> = other.token.split('.').collect();
            for at in 0..3 {
                let mut mixed = ours.clone();
                mixed[at] = theirs[at];
                // The plain and the malleated ECDSA token differ in nothing but the signature.
                if mixed == ours || mixed == theirs || ours[..2] == theirs[..2] {
                    continue;
                }
                let token = mixed.join(".");
                let what = format!("{} with segment {at} of {}", row.name, other.name);
                assert!(!accepts(&mut worlds, row, token), "{what}");
            }
        }
    }
}

/// Edits as an attacker makes them: at any place, several at once, pieces of other tokens.
#[derive(Debug, Clone)]
enum Edit {
    Replace(prop::sample::Index, char),
    Insert(prop::sample::Index, String),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Splice(prop::sample::Index, prop::sample::Index),
    Reverse(prop::sample::Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    let character = prop_oneof![
        4 => prop::sample::select(ALPHABET).prop_map(char::from),
        1 => any::<char>(),
    ];
    prop_oneof![
        (at(), character).prop_map(|(at, new)| Edit::Replace(at, new)),
        (at(), "[A-Za-z0-9_.=-]{1,12}").prop_map(|(at, new)| Edit::Insert(at, new)),
        (at(), 1..200_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (at(), 1..40_usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
        (at(), at()).prop_map(|(at, other)| Edit::Splice(at, other)),
        (at(), 2..40_usize).prop_map(|(at, length)| Edit::Reverse(at, length)),
    ]
}

fn apply(token: &mut Vec<char>, edit: &Edit, others: &[&Row]) {
    if token.is_empty() {
        return;
    }
    let length = token.len();
    let span = |at: usize, wide: usize| at..(at + wide).min(length);
    match edit {
        Edit::Replace(at, new) => token[at.index(length)] = *new,
        Edit::Insert(at, new) => {
            let at = at.index(length);
            token.splice(at..at, new.chars());
        }
        Edit::Remove(at, wide) => drop(token.drain(span(at.index(length), *wide))),
        Edit::Repeat(at, wide) => {
            let at = at.index(length);
            let piece: Vec<char> = token[span(at, *wide)].to_vec();
            token.splice(at..at, piece);
        }
        Edit::Splice(at, other) => {
            let at = at.index(length);
            token.truncate(at);
            token.extend(others[other.index(others.len())].token.chars().skip(at));
        }
        Edit::Reverse(at, wide) => token[span(at.index(length), *wide)].reverse(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// However it is edited, a token is one that was there before or it is refused.
    #[test]
    fn an_edited_token_is_refused(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(edit(), 1..4),
    ) {
        let row = VALID[which.index(VALID.len())];
        let mut token: Vec<char> = row.token.chars().collect();
        for edit in &edits {
            apply(&mut token, edit, &VALID);
        }
        let token: String = token.into_iter().collect();
        let is_known = VALID.iter().any(|valid| valid.token == token);
        prop_assert!(is_known || !accepts(&mut Worlds::shared(), row, token.clone()), "{token}");
    }

    /// Noise, and noise in the shape of a token, is refused with the status of a caller's fault.
    #[test]
    fn noise_is_refused(
        noise in prop_oneof![
            ".{0,200}",
            "[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}",
            (any::<Vec<u8>>(), any::<Vec<u8>>(), any::<Vec<u8>>()).prop_map(|(a, b, c)| {
                [a, b, c].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
            }),
        ],
    ) {
        match says(&mut Worlds::shared(), row(PLAIN[0]), noise) {
            Outcome::Accepted { .. } => prop_assert!(false, "accepted"),
            Outcome::Refused { status, .. } => prop_assert!(status == 400 || status == 401),
        }
    }

    /// A header of almost the right form, over sound claims.
    #[test]
    fn an_odd_header_is_refused_or_ignored_but_never_a_panic(
        header in odd_json(r#"{"alg":"RS256","kid":"rsa-1","typ":"JWT"}"#),
        payload in odd_json(r#"{"iss":"https://control.room.example","aud":"quoroom-runtime"}"#),
        signature in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let token = [header, payload, signature].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        prop_assert!(!accepts(&mut Worlds::shared(), row(PLAIN[0]), token));
    }

    /// A key set document of almost the right form never panics, and what it gives can be used.
    #[test]
    fn an_odd_key_set_never_panics(document in odd_key_set()) {
        if let Ok(parsed) = KeySet::parse(&document) {
            prop_assert!(!parsed.keys.is_empty());
            for name in PLAIN {
                // Refused or verified by one of the sound keys that were left whole.
                let _ = jws::verify(&row(name).token, &parsed.keys);
            }
        }
    }
}

/// Bytes that were JSON before something happened to them.
fn odd_json(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    noise.prop_map(move |changes| spoil(text.as_bytes(), &changes))
}

fn odd_key_set() -> impl Strategy<Value = Vec<u8>> {
    let documents: Vec<Vec<u8>> =
        ["jwks_beside_null", "jwks_oct", "jwks_ec_off_curve", "jwks_set_only_enc"]
            .map(key_set_document)
            .to_vec();
    let noise = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    (prop::sample::select(documents), noise).prop_map(|(text, changes)| spoil(&text, &changes))
}

/// Some bytes replaced, and the text cut or doubled behind the first of them.
fn spoil(text: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for (at, new) in changes {
        let at = at.index(bytes.len());
        match new % 5 {
            0 => bytes.truncate(at.max(1)),
            1 => bytes.splice(at..at, b"\"\\u0061\":[{}],".iter().copied()).for_each(drop),
            _ => bytes[at] = *new,
        }
    }
    bytes
}
