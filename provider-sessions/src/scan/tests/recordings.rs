//! Every recording gives its answer, however it is divided.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{WIDTHS, built_in_row};
use crate::provider::Provider;
use crate::replay::{ReplayEvent, Summary, replay};
use crate::{Event, Scanner, Size};

pub(super) struct Recording {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) size: Size,
    pub(super) provider: Provider,
    pub(super) expected: Summary,
}

pub(super) fn recordings() -> Vec<Recording> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts");
    let json = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let expected = json("expected.json");
    expected
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, answer)| {
            let facts = json(&format!("{name}.json"));
            let number = |key: &str| u16::try_from(facts[key].as_u64().unwrap()).unwrap();
            let url = answer["url"].as_str().filter(|url| url.starts_with("https://"));
            Recording {
                name: name.clone(),
                bytes: fs::read(folder.join(format!("{name}.raw"))).unwrap(),
                size: Size { cols: number("cols"), rows: number("rows") },
                provider: built_in_row(name.split('-').next().unwrap()),
                expected: Summary {
                    verification_url: url.map(str::to_owned),
                    device_code: answer["code"].as_str().map(str::to_owned),
                    input_asked: answer["paste_prompt"].as_bool().unwrap(),
                },
            }
        })
        .collect()
}

fn events(recording: &Recording, chunk: Option<usize>) -> Vec<ReplayEvent> {
    let mut events = Vec::new();
    replay(&recording.provider, recording.size, chunk, &recording.bytes, |event| {
        events.push(event);
    });
    events
}

#[test]
fn every_recording_gives_its_answer() {
    let recordings = recordings();
    assert!(recordings.len() >= 35, "the fixtures are there");
    for recording in &recordings {
        let whole = events(recording, None);
        let name = &recording.name;
        assert_eq!(whole.last(), Some(&ReplayEvent::Summary(recording.expected.clone())), "{name}");
        for chunk in [1, 2, 3, 7, 64, 100, 4096] {
            assert!(events(recording, Some(chunk)) == whole, "{name} in pieces of {chunk}");
        }
    }
}

/// Whether a hyperlink leads there: it is whole by construction.
fn is_target(recording: &Recording, url: &str) -> bool {
    let target = format!(";{url}\x07");
    recording.bytes.windows(target.len()).any(|place| place == target.as_bytes())
}

/// The links and codes that a recording may announce: its answers, and for one that asks twice
/// the first link too.
fn is_whole(recording: &Recording, event: &Event) -> bool {
    match event {
        Event::Link(url) => {
            recording.expected.verification_url.as_deref() == Some(url)
                || recording.provider.scan.fixed_link.as_deref() == Some(url)
                || is_target(recording, url)
                || (recording.name.starts_with("gemini")
                    && url.ends_with("hmdib135j.apps.googleusercontent.com"))
        }
        Event::Code(code) => recording.expected.device_code.as_deref() == Some(code),
        _ => true,
    }
}

#[test]
fn nothing_is_announced_cut_off_wherever_the_output_stops() {
    for recording in recordings() {
        let mut scanner = Scanner::new(&recording.provider, recording.size);
        for end in 0..recording.bytes.len() {
            let mut events = scanner.push(&recording.bytes[end..=end]);
            let mut stopped = scanner.clone();
            events.extend(stopped.settle());
            events.extend(stopped.finish());
            for event in &events {
                let name = &recording.name;
                assert!(is_whole(&recording, event), "{name} stopped after {end}: {event:?}");
            }
        }
    }
}

#[test]
fn plain_programs_give_their_answer_in_any_terminal() {
    let plain = |name: &str| {
        name.starts_with("codex-device")
            || name.starts_with("codex-0.144.5")
            || name.starts_with("codex-browser")
            || (name.starts_with("claude")
                && !name.contains("tui")
                && !name.contains("setup-token"))
    };
    let recordings = recordings();
    let plain: Vec<&Recording> = recordings.iter().filter(|one| plain(&one.name)).collect();
    assert!(plain.len() >= 20, "the fixtures are there");
    for recording in plain {
        for cols in WIDTHS {
            for rows in [3, 10, 60] {
                let mut last = None;
                let size = Size { cols, rows };
                replay(&recording.provider, size, None, &recording.bytes, |event| {
                    last = Some(event);
                });
                let expected = ReplayEvent::Summary(recording.expected.clone());
                assert_eq!(last, Some(expected), "{} at {cols} × {rows}", recording.name);
            }
        }
    }
}
