//! The explanation names what was taken and what was refused, and changes nothing.

use super::recordings::{Recording, recordings};
use super::{SMALL, claude, codex};
use crate::provider::Provider;
use crate::{Candidate, Decision, Event, Scanner, Size};

fn explained(
    provider: &Provider,
    size: Size,
    bytes: &[u8],
    chunk: usize,
) -> (Vec<Event>, Vec<Decision>) {
    let mut scanner = Scanner::new(provider, size);
    scanner.explain();
    let mut events: Vec<Event> =
        bytes.chunks(chunk).flat_map(|piece| scanner.push(piece)).collect();
    events.extend(scanner.finish());
    (events, scanner.decisions())
}

fn of(recording: &Recording) -> Vec<Decision> {
    explained(&recording.provider, recording.size, &recording.bytes, usize::MAX).1
}

#[test]
fn every_recordings_answer_is_explained_and_nothing_changes() {
    for recording in recordings() {
        let Recording { name, bytes, size, provider, expected } = &recording;
        let mut plain = Scanner::new(provider, *size);
        let mut events = plain.push(bytes);
        events.extend(plain.finish());
        assert_eq!(plain.decisions(), [], "off costs nothing");
        for chunk in [1, 7, 64, 1000, usize::MAX] {
            let (found, decisions) = explained(provider, *size, bytes, chunk);
            assert!(found == events, "{name} in pieces of {chunk}");
            assert_eq!(decisions, of(&recording), "{name} in pieces of {chunk}");
        }
        let decisions = of(&recording);
        let taken = |what: &[Candidate], text: &str| {
            decisions.iter().any(|one| one.taken && what.contains(&one.what) && one.text == text)
        };
        if let Some(url) = &expected.verification_url {
            assert!(taken(&[Candidate::Link, Candidate::Target], url), "{name}: {decisions:#?}");
        }
        if let Some(code) = &expected.device_code {
            assert!(taken(&[Candidate::Code], code), "{name}: {decisions:#?}");
        }
        let prompts = decisions.iter().any(|one| one.taken && one.what == Candidate::Prompt);
        assert_eq!(prompts, expected.input_asked, "{name}: {decisions:#?}");
    }
}

/// Addresses as they stand in the bytes, roughly: what a person would see as one.
fn addresses(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let address = regex::Regex::new(r"https?://[A-Za-z0-9._:-]+/?[A-Za-z0-9._/-]*").unwrap();
    let found = address.find_iter(&text).map(|found| found.as_str());
    found.map(|url| url.trim_end_matches(['.', '-']).to_owned()).collect()
}

#[test]
fn every_address_in_every_recording_has_its_decision() {
    for recording in recordings() {
        let decisions = of(&recording);
        for address in addresses(&recording.bytes) {
            let host_and_more = address.get(..24.min(address.len())).unwrap_or(&address);
            let named = decisions.iter().any(|one| one.text.contains(host_and_more));
            assert!(
                named,
                "{}: nothing says why {address} was refused: {decisions:#?}",
                recording.name
            );
        }
    }
}

#[track_caller]
fn check(provider: &Provider, text: &str, what: Candidate, named: &str, reason: &str) {
    let (_, decisions) = explained(provider, SMALL, text.as_bytes(), usize::MAX);
    let found = decisions
        .iter()
        .any(|one| one.what == what && one.text.contains(named) && one.reason.contains(reason));
    assert!(found, "{named} {reason}: {decisions:#?}");
}

#[test]
fn each_refusal_says_why() {
    use Candidate::{Code, Link, Prompt, Target};
    let state = "s".repeat(43);
    for (text, named, reason) in [
        ("Go to https://example.com/x now\r\n", "example.com", "not on the list"),
        ("Go to https://auth.openai.com:8443/codex/device now\r\n", ":8443", "port"),
        ("Go to https://a@auth.openai.com/codex/device now\r\n", "a@auth", "disguise"),
        ("Go to https://auth.openai.com/docs/x now\r\n", "/docs/x", "scan.ignore"),
        ("Go to https://auth.openai.com/other now\r\n", "/other", "scan.links.path"),
        ("Go to https://auth.openai.com/oauth/authorize?x=1 now\r\n", "authorize", "complete"),
        ("Go to https://auth.openai.com/codex/device... now\r\n", "codex/device", "cut off"),
        ("Error: https://auth.openai.com/codex/device failed\r\n", "codex/device", "error line"),
        ("Starting on http://localhost:1455.\r\n", "localhost:1455", "loopback"),
        ("See http://example.com/a b\r\n", "http://example.com/a", "not https"),
    ] {
        check(&codex(), text, Link, named, reason);
    }
    let hyperlink = "\x1b]8;;https://claude.ai/settings/x\x07x\x1b]8;;\x07";
    check(&claude(), hyperlink, Target, "settings/x", "scan.ignore");
    let link = format!("https://claude.com/cai/oauth/authorize?state={state}\r\nx\r\n");
    check(&claude(), &link, Link, &state, "every rule");
    for (text, named, reason) in [
        ("ABCD-EFGH stands alone\r\n", "ABCD-EFGH", "no label"),
        ("one-time code: XABCD-EFGH-1\r\n", "EFGH", "longer word"),
        ("one-time code: ABCDEFG-HIJKLMN\r\n", "ABCDEFG-HIJKLMN", "another shape"),
    ] {
        check(&codex(), text, Code, named, reason);
    }
    check(&codex(), "Do you want to go on? (y/n)\r\n", Prompt, "go on?", "no scan.paste_prompts");
}

/// Where several could decide, the order does, and that is told as it is.
#[test]
fn who_came_second_is_told_why_it_lost() {
    use Candidate::{Code, Failure, Link};
    let ranked = |text: &str, what: Candidate| {
        let (_, decisions) = explained(&codex(), SMALL, text.as_bytes(), usize::MAX);
        let found = decisions.into_iter().filter(|one| one.what == what && one.rank.is_some());
        found.collect::<Vec<_>>()
    };
    let rules = codex().failures;
    let of = |code: &str| rules.iter().position(|rule| rule.code.as_str() == code).unwrap() + 1;
    let found = ranked("Error logging in: device auth failed with status 429 x\r\n", Failure);
    let ranks: Vec<_> = found.iter().map(|one| (one.taken, one.rank.unwrap())).collect();
    assert_eq!(ranks, [(true, of("rate_limited")), (false, of("refused"))], "{found:#?}");
    assert!(found[1].reason.starts_with("means refused too, but rule"), "{found:#?}");

    let first = "one-time code: ABCD-EFGH1 a\r\n";
    assert_eq!(ranked(first, Code), []);
    let found = ranked(&format!("{first}one-time code: IJKL-MNOP2 a\r\n"), Code);
    assert_eq!((found.len(), found[0].text.as_str(), found[0].rank), (1, "ABCD-EFGH1", Some(1)));
    let link = |state: char| {
        let state = state.to_string().repeat(43);
        format!("https://auth.openai.com/oauth/authorize?state={state} a\r\n")
    };
    let found = ranked(&format!("{}{}", link('a'), link('b')), Link);
    assert_eq!((found.len(), found[0].taken), (1, false), "{found:#?}");
    assert!(found[0].text.ends_with('a') && found[0].reason.contains("later one"), "{found:#?}");
}

#[test]
fn an_explanation_shows_no_secret() {
    let text = "see https://auth.openai.com/cb?code=ac_0123456789abcdef&state=QRSTUVWXYZ012 ok\r\n";
    let (_, decisions) = explained(&codex(), Size { cols: 200, rows: 24 }, text.as_bytes(), 7);
    assert!(!decisions.is_empty());
    let all = format!("{decisions:?}");
    assert!(!all.contains("0123456789abcdef") && !all.contains("QRSTUV"), "{all}");
}
