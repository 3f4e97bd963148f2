//! The detector on recordings and on what programs might print.

mod answers;
mod codes;
mod explained;
mod lines;
mod links;
mod prompts;
mod properties;
mod recordings;
mod tokens;
mod widths;

use crate::provider::{Provider, built_in};
use crate::{Event, Scanner, Size};

/// A plain small terminal.
const SMALL: Size = Size { cols: 80, rows: 24 };

/// Columns that people and tests have, and odd ones.
const WIDTHS: [u16; 19] =
    [20, 36, 37, 38, 39, 40, 41, 59, 60, 61, 74, 80, 100, 120, 132, 200, 500, 518, 1000];

fn built_in_row(id: &str) -> Provider {
    built_in().iter().find(|row| row.id == id).unwrap().as_ref().clone()
}

fn codex() -> Provider {
    built_in_row("codex")
}

fn claude() -> Provider {
    built_in_row("claude")
}

/// Everything a program's output gives, the same however it is divided.
#[track_caller]
fn events(provider: &Provider, size: Size, bytes: &[u8]) -> Vec<Event> {
    let divided = |chunk: usize| {
        let mut scanner = Scanner::new(provider, size);
        let mut events: Vec<Event> =
            bytes.chunks(chunk).flat_map(|piece| scanner.push(piece)).collect();
        events.extend(scanner.finish());
        events
    };
    let whole = divided(bytes.len().max(1));
    for chunk in [1, 7, 64] {
        assert_eq!(divided(chunk), whole, "in pieces of {chunk}");
    }
    whole
}

fn links(events: &[Event]) -> Vec<&str> {
    let found = events.iter().filter_map(|event| match event {
        Event::Link(url) => Some(url),
        _ => None,
    });
    found.map(String::as_str).collect()
}

fn codes(events: &[Event]) -> Vec<&str> {
    let found = events.iter().filter_map(|event| match event {
        Event::Code(code) => Some(code),
        _ => None,
    });
    found.map(String::as_str).collect()
}

fn lines(events: &[Event]) -> Vec<&str> {
    let found = events.iter().filter_map(|event| match event {
        Event::Line(text) => Some(text),
        _ => None,
    });
    found.map(String::as_str).collect()
}

/// Checks the links and the codes, and that at no time, wherever the output stops or pauses,
/// anything else is announced.
#[track_caller]
fn check_whole(provider: &Provider, size: Size, bytes: &[u8], links: &[&str], codes: &[&str]) {
    let found = events(provider, size, bytes);
    assert_eq!(self::links(&found), links, "{size:?} {}", bytes.escape_ascii());
    assert_eq!(self::codes(&found), codes, "{size:?} {}", bytes.escape_ascii());
    let mut scanner = Scanner::new(provider, size);
    for end in 0..bytes.len() {
        let mut found = scanner.push(&bytes[end..=end]);
        let mut stopped = scanner.clone();
        found.extend(stopped.settle());
        found.extend(stopped.finish());
        for event in &found {
            let whole = match event {
                Event::Link(url) => links.contains(&url.as_str()),
                Event::Code(code) => codes.contains(&code.as_str()),
                _ => true,
            };
            assert!(whole, "{size:?} stopped after {end}: {event:?}");
        }
    }
}
