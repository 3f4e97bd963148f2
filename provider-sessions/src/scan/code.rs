//! Device codes: only near a label that announces one, and never cut off.

use std::sync::LazyLock;

use regex::Regex;

use super::explain::{Candidate, Decision, Trace};
use super::link::{ascii, is_inside, is_open};
use crate::provider::{Pattern, ScanRules};
use crate::screen::Screen;

/// How far below its label a code may stand, in rows.
const REACH_ROWS: usize = 8;
/// How much of a long line is looked at, from its end: codes stand on short ones.
const LINE_BYTES: usize = 512;
/// Codes that were announced are not announced again; this many are remembered.
const REMEMBERED: usize = 16;

/// Finds codes and remembers what was announced.
#[derive(Clone)]
pub(crate) struct Codes {
    shape: Option<Pattern>,
    labels: Pattern,
    announced: Vec<String>,
}

/// Where the words stand that announce a code.
enum Label {
    None,
    SameLine,
    Above,
}

/// What a line holds.
#[derive(Default)]
pub(crate) struct Found {
    /// Codes to announce, in reading order.
    pub(crate) codes: Vec<String>,
    /// One is not decided yet: look again when something moved.
    pub(crate) open: bool,
}

impl Codes {
    pub(crate) fn new(rules: &ScanRules) -> Self {
        Self { shape: rules.code.clone(), labels: rules.code_labels.clone(), announced: Vec::new() }
    }

    /// Whether the line announces a code, so that the rows below it deserve another look.
    pub(crate) fn is_label(&self, line: &[u8]) -> bool {
        let end = ascii(&line[line.len().saturating_sub(LINE_BYTES)..]);
        self.shape.is_some() && self.labels.is_match(end)
    }

    /// Looks for codes in the soft-wrapped line of rows `first..=last`, whose text is `line`, one
    /// byte a column. With `force` nothing more is coming for now.
    pub(crate) fn find(
        &mut self,
        screen: &Screen,
        first: usize,
        last: usize,
        line: &[u8],
        force: bool,
        trace: &mut Trace,
    ) -> Found {
        let mut found = Found::default();
        let Some(shape) = &self.shape else { return found };
        let skipped = line.len().saturating_sub(LINE_BYTES);
        let text = ascii(&line[skipped..]);
        let mut fresh = Vec::new();
        for hit in shape.find_iter(text) {
            if !stands_alone(text, hit.start(), hit.end()) {
                trace.note(|| refused(hit.as_str(), 1, "is part of a longer word"));
                continue;
            }
            let place = |at: usize| cell(screen, first, last, skipped + at);
            let (start, end) = (place(hit.start()), place(hit.end() - 1));
            let mut open = is_open(screen, start, end);
            match self.announced_by(screen, first, text, hit.start(), hit.end()) {
                Label::None => {
                    if !open || force {
                        let reason = "no label announces it, or another code stands between (scan.code_labels)";
                        trace.note(|| refused(hit.as_str(), 2, reason));
                    }
                    continue;
                }
                Label::SameLine => {}
                // Alone on its line: only once the line is left that is known.
                Label::Above => open |= is_open(screen, start, (last, usize::MAX - 1)),
            }
            if open && (!force || is_inside(screen, start, end)) {
                found.open = true;
            } else {
                trace.note(|| Decision {
                    taken: true,
                    ..refused(hit.as_str(), RULES, "meets every rule")
                });
                fresh.push(hit.as_str().to_owned());
            }
        }
        self.explain_shapes(text, trace);
        found.codes.extend(fresh.into_iter().filter(|code| self.announce(code)));
        found
    }

    /// What looks like a code beside a label, but not like this provider's.
    fn explain_shapes(&self, text: &str, trace: &mut Trace) {
        static LOOSE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"\b[A-Z0-9]{2,10}(-[A-Z0-9]{2,10})+\b").expect("a constant")
        });
        let Some(shape) = self.shape.as_ref().filter(|_| trace.is_on()) else { return };
        let Some(label) = self.labels.find_iter(text).last() else { return };
        for hit in LOOSE.find_iter(&text[label.end()..]) {
            if shape.find(hit.as_str()).is_none_or(|found| found.as_str() != hit.as_str()) {
                trace.note(|| refused(hit.as_str(), 0, "has another shape (scan.code)"));
            }
        }
    }

    fn announced_by(
        &self,
        screen: &Screen,
        first: usize,
        text: &str,
        start: usize,
        end: usize,
    ) -> Label {
        let announced = |by: Label, yes: bool| if yes { by } else { Label::None };
        if let Some(label) = self.labels.find_iter(&text[..start]).last() {
            return announced(Label::SameLine, self.is_first_after(&text[label.end()..start]));
        }
        if !is_only_thing(&text[..start], &text[end..]) {
            return Label::None;
        }
        let mut above = String::new();
        for row in first.saturating_sub(REACH_ROWS)..first {
            screen.row(row).push_text(&mut above);
            above.push_str(if screen.row(row).wrapped { "" } else { "\n" });
        }
        let Some(label) = self.labels.find_iter(&above).last() else { return Label::None };
        let between = &above[label.end()..];
        // What follows a label on its own line was judged there; a code alone on a line was it.
        let first = between.lines().skip(1).all(|line| !self.is_code_line(line));
        announced(Label::Above, first)
    }

    /// Whether no other code stands between a label and this one, and it is not an example.
    fn is_first_after(&self, between: &str) -> bool {
        static EXAMPLE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?i)\b(like|e\.g|example|such as|format)\b").expect("a constant")
        });
        let shape = self.shape.as_ref();
        !EXAMPLE.is_match(between)
            && !shape.is_some_and(|shape| {
                shape.find_iter(between).any(|hit| stands_alone(between, hit.start(), hit.end()))
            })
    }

    fn is_code_line(&self, line: &str) -> bool {
        self.shape.as_ref().and_then(|shape| shape.find(line)).is_some_and(|hit| {
            stands_alone(line, hit.start(), hit.end())
                && is_only_thing(&line[..hit.start()], &line[hit.end()..])
        })
    }

    /// Whether the text holds a code that was announced.
    pub(crate) fn is_announced_in(&self, text: &str) -> bool {
        self.announced.last().is_some_and(|code| text.contains(code.as_str()))
    }

    fn announce(&mut self, code: &str) -> bool {
        if self.announced.iter().any(|old| old == code) {
            return false;
        }
        if self.announced.len() == REMEMBERED {
            self.announced.remove(0);
        }
        self.announced.push(code.to_owned());
        true
    }
}

/// Checks that a code passes one after the other: shape, a word of its own, a label, whole.
const RULES: u8 = 4;

fn refused(text: &str, met: u8, reason: &str) -> Decision {
    let (what, text, reason) = (Candidate::Code, text.to_owned(), reason.to_owned());
    Decision { what, text, taken: false, reason, met, of: RULES, rank: None }
}

/// Whether it is a word of its own, not a piece of an identifier, a path or a query.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    // 1 and 2 stand for `…` and for letters beyond ASCII.
    let joins = |character: char| {
        character.is_alphanumeric() || "-_/=&%+@#~…\u{1}\u{2}".contains(character)
    };
    let mut after = text[end..].chars();
    let next = after.next();
    let dotted = next == Some('.') && after.next().is_some_and(char::is_alphanumeric);
    let before = text[..start].chars().next_back();
    !dotted && !next.is_some_and(joins) && !before.is_some_and(|last| joins(last) || last == '.')
}

/// Whether a line says nothing but the code: frames, bullets, quotes, a label's colon and a hint
/// in brackets do not count.
fn is_only_thing(before: &str, after: &str) -> bool {
    static HINT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\s*(\([^()]{0,80}\)|\[[^\[\]]{0,80}\])").expect("a constant")
    });
    static LEAD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^\W*(([0-9]{1,2}[.)]\W*)|((your|the)\s+)?code\s*(is)?\s*:?\W*)?$")
            .expect("a constant")
    });
    let rest = HINT.replace(after, "");
    LEAD.is_match(before) && !rest.chars().any(char::is_alphanumeric)
}

/// The row and column of a place in a soft-wrapped line's text.
fn cell(screen: &Screen, first: usize, last: usize, mut at: usize) -> (usize, usize) {
    let mut row = first;
    while row < last && at >= screen.row(row).len() {
        at -= screen.row(row).len();
        row += 1;
    }
    (row, at)
}
