//! The corpus before `jsonwebtoken`: what it refuses as this crate does, and what it takes.

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, Validation};
use serde_json::Value;

use crate::bench::{AUDIENCE, theirs_with};

/// A row of the corpus, as far as it is of use here.
struct Row {
    class: String,
    name: String,
    hostile: bool,
    token: String,
}

/// The rows about tokens alone: bearer tokens against the plain key set at the plain time.
fn rows() -> Vec<Row> {
    include_str!("../corpus/tokens.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("each line is a row"))
        .filter(|row| {
            row["setup"] == "main" && row["source"] == "bearer" && row.get("jwks").is_none()
        })
        .map(|row| Row {
            class: row["class"].as_str().unwrap_or_default().to_owned(),
            name: row["name"].as_str().unwrap_or_default().to_owned(),
            hostile: row["expect"] == "reject",
            token: row["token"].as_str().unwrap_or_default().to_owned(),
        })
        .collect()
}

/// With care, but for the time: the corpus has a clock of its own.
fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&["https://control.room.example"]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.validate_exp = false;
    validation
}

fn takes(set: &Value, token: &str) -> bool {
    // Which of the algorithms is the key's, not the token's, to say.
    [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]
        .into_iter()
        .any(|algorithm| theirs_with::<Value>(set, token, &validation(algorithm)).is_ok())
}

fn main_set() -> Value {
    let sets: Value = serde_json::from_str(include_str!("../corpus/jwks.json")).expect("JSON");
    sets["main"].clone()
}

/// The classes about signatures and algorithms, where they are as strict as this crate.
#[test]
fn signatures_and_algorithms_are_agreed_on() {
    let set = main_set();
    let agreed = [
        "alg",
        "alg-none",
        "alg-pinned",
        "confusion",
        "embedded-key",
        "foreign-key",
        "retired-key",
        "signature-rsa",
        "signature-ec",
        "signature-ed",
        "jwe",
        "audience",
    ];
    let mut seen = 0;
    for row in rows().iter().filter(|row| row.hostile && agreed.contains(&row.class.as_str())) {
        assert!(!takes(&set, &row.token), "{}", row.name);
        seen += 1;
    }
    assert!(seen > 150, "{seen} tokens");
}

#[test]
fn every_plain_valid_token_is_agreed_on() {
    let set = main_set();
    let refused: Vec<String> = rows()
        .iter()
        .filter(|row| !row.hostile && !takes(&set, &row.token))
        .map(|row| row.name.clone())
        .collect();
    // Theirs alone: RFC 9864's name.
    assert_eq!(refused, ["ok_alias_ed25519"]);
}

/// How many hostile tokens a careful use of theirs takes, by class; those about time are left out,
/// for the corpus has a clock of its own. Each is refused by this crate, which `tests/corpus.rs`
/// shows.
#[test]
fn what_they_take_of_the_rest() {
    let set = main_set();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let about_time = ["leeway", "time", "time-number"];
    for row in rows().iter().filter(|row| row.hostile && takes(&set, &row.token)) {
        if !about_time.contains(&row.class.as_str()) {
            *taken.entry(row.class.clone()).or_default() += 1;
        }
    }
    let found: Vec<(&str, usize)> = taken.iter().map(|(class, n)| (class.as_str(), *n)).collect();
    let expected = [
        ("b64", 5),
        ("crit", 10),
        ("cty", 2),
        ("duplicate", 13),
        ("enc", 1),
        ("header-json", 1),
        ("instance", 16),
        ("issuer", 2),
        ("logout", 2),
        ("missing-claim", 3),
        ("mistyped-claim", 30),
        ("oversized", 3),
        ("role", 20),
        // One more without axum, which switches on `raw_value` of serde_json for everyone.
        ("serde-magic", 5),
        ("subject", 12),
        ("typ", 15),
        ("zip", 5),
    ];
    assert_eq!(found, expected);
}
