//! Every token of the corpus in `corpus/`, made by another language's libraries: none wrongly
//! accepted, none wrongly refused, each refusal for the reason and with the status that it has.

#[path = "support/judge.rs"]
mod judge;

use std::collections::BTreeMap;

use judge::{Expect, Fault, Outcome, Row, Source, TOKENS, Worlds, compare};

#[test]
fn every_token_is_judged_as_its_row_says() {
    let mut worlds = Worlds::default();
    let faults: Vec<Fault> =
        TOKENS.iter().filter_map(|row| compare(row, &worlds.judge(row))).collect();
    let list: Vec<String> = faults.iter().map(|fault| format!("{fault:?}")).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), list.join("\n"));
}

/// What was learnt from a token must not change what is said when it comes again. Logout tokens,
/// which are good for once, are the exception.
#[test]
fn every_token_is_judged_alike_when_it_comes_again() {
    let mut worlds = Worlds::default();
    for row in TOKENS.iter().filter(|row| row.source != Source::Logout) {
        let first = worlds.judge(row);
        assert_eq!(worlds.judge(row), first, "{}", row.name);
    }
}

#[test]
fn the_checker_sees_every_kind_of_difference() {
    let mut worlds = Worlds::default();
    for row in TOKENS.iter() {
        let outcome = worlds.judge(row);
        let flipped = Row {
            expect: match row.expect {
                Expect::Accept => Expect::Reject,
                Expect::Reject => Expect::Accept,
            },
            ..row.clone()
        };
        let found = compare(&flipped, &outcome);
        match row.expect {
            Expect::Accept => {
                assert_eq!(found, Some(Fault::WronglyAccepted(row.label())));
                let other = Row { role: Some("nobody".to_owned()), ..row.clone() };
                assert!(matches!(compare(&other, &outcome), Some(Fault::OtherCaller(..))));
                let other = Row { subject: Some("nobody".to_owned()), ..row.clone() };
                assert!(matches!(compare(&other, &outcome), Some(Fault::OtherCaller(..))));
                let other = Row { sid: Some("nowhere".to_owned()), ..row.clone() };
                assert!(matches!(compare(&other, &outcome), Some(Fault::OtherCaller(..))));
            }
            Expect::Reject => {
                assert!(matches!(found, Some(Fault::WronglyRefused(..))), "{}", row.name);
                let other = Row { reason: Some("mood".to_owned()), ..row.clone() };
                assert!(matches!(compare(&other, &outcome), Some(Fault::OtherRefusal(..))));
                let other = Row { status: Some(200), ..row.clone() };
                assert!(matches!(compare(&other, &outcome), Some(Fault::OtherRefusal(..))));
            }
        }
    }
}

/// A corpus that was cut short would still be green; this one says how much of it there is.
#[test]
fn the_corpus_is_whole() {
    let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
    for row in TOKENS.iter() {
        *classes.entry(&row.class).or_default() += 1;
    }
    let least = [
        ("alg", 20),
        ("alg-none", 12),
        ("alg-pinned", 10),
        ("access", 40),
        ("audience", 20),
        ("b64", 4),
        ("confusion", 35),
        ("crit", 10),
        ("cross-issuer", 5),
        ("cty", 3),
        ("duplicate", 20),
        ("embedded-key", 10),
        ("encoding", 40),
        ("foreign-key", 6),
        ("header-json", 20),
        ("instance", 12),
        ("issuer", 20),
        ("jwe", 4),
        ("jwks", 200),
        ("jwks-set", 15),
        ("kid", 30),
        ("legacy", 30),
        ("logout", 35),
        ("missing-claim", 7),
        ("mistyped-claim", 45),
        ("oversized", 6),
        ("payload-json", 25),
        ("retired-key", 2),
        ("revoked", 6),
        ("role", 18),
        ("serde-magic", 8),
        ("signature-ec", 28),
        ("signature-ed", 15),
        ("signature-rsa", 30),
        ("subject", 10),
        ("time", 15),
        ("time-number", 20),
        ("typ", 12),
        ("valid", 90),
        ("zip", 3),
        ("leeway", 4),
    ];
    for (class, least) in least {
        let found = classes.get(class).copied().unwrap_or_default();
        assert!(found >= least, "{class}: {found} tokens, {least} or more expected");
    }
    let accepted = TOKENS.iter().filter(|row| row.expect == Expect::Accept).count();
    assert!(accepted >= 280, "{accepted} valid tokens");
    assert!(TOKENS.len() >= 1200, "{} tokens", TOKENS.len());
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused { .. });
    let mut worlds = Worlds::shared();
    let in_the_judges_hands = TOKENS.iter().filter(|row| refused(&worlds.judge(row))).count();
    assert!(in_the_judges_hands >= 900, "{in_the_judges_hands} tokens refused");
}
