//! Finished lines, as a person saw them: each once, in reading order.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::Event;
use crate::failure::FailureCode;
use crate::provider::{FailureRule, Pattern, Provider};
use crate::redact::Redactor;

/// The longest line that is told; a longer one ends in `…`.
const LINE_BYTES: usize = 4 * 1024;
/// Lines remembered so that a repainted screen is not told twice.
const REMEMBERED: usize = 256;

#[derive(Clone)]
pub(crate) struct Lines {
    pub(crate) redactor: Redactor,
    failures: Vec<FailureRule>,
    stored: Vec<Pattern>,
    /// The beginning of a wrapped line whose first rows scrolled out.
    spill: String,
    /// Blank lines since the last one; a run of them is told as one, before what follows.
    gap: bool,
    told: bool,
    recent: VecDeque<u64>,
    /// While above zero the program paints: what was told lately is not told again.
    painting: usize,
    climbs: u64,
    storing: bool,
}

impl Lines {
    pub(crate) fn new(provider: &Provider) -> Self {
        Self {
            redactor: Redactor::default(),
            failures: provider.failures.clone(),
            stored: provider.scan.stored.clone(),
            spill: String::new(),
            gap: false,
            told: false,
            recent: VecDeque::with_capacity(REMEMBERED),
            painting: 0,
            climbs: 0,
            storing: false,
        }
    }

    /// Keeps the beginning of a line that is still being written.
    pub(crate) fn spill(&mut self, push: impl FnOnce(&mut String)) {
        // Twice what is told, so that a secret at the edge is seen whole enough to be masked.
        if self.spill.len() < 2 * LINE_BYTES {
            push(&mut self.spill);
        }
    }

    /// Whether a line's beginning is kept.
    pub(crate) fn has_spill(&self) -> bool {
        !self.spill.is_empty()
    }

    /// That beginning.
    pub(crate) fn spilled(&self) -> &str {
        &self.spill
    }

    /// Takes it.
    pub(crate) fn take_spill(&mut self) -> String {
        std::mem::take(&mut self.spill)
    }

    /// A blank line.
    pub(crate) fn blank(&mut self) {
        self.gap = true;
    }

    /// A plain line was finished by a line feed: it is that much longer ago that anything was
    /// painted.
    pub(crate) fn flowed(&mut self) {
        self.painting = self.painting.saturating_sub(1);
    }

    /// Notes how often the cursor went up, on a screen of so many rows.
    pub(crate) fn climbed(&mut self, climbs: u64, rows: usize) {
        if climbs != self.climbs {
            self.climbs = climbs;
            self.painting = 2 * rows;
        }
    }

    /// Whether this is a new sign-in as far as storing goes: the program asks again.
    pub(crate) fn asks_again(&mut self) {
        self.storing = false;
    }

    /// Tells a line, unless it is blank or a repainted one; gives its safe text.
    pub(crate) fn tell(&mut self, text: &str, events: &mut Vec<Event>) -> Option<String> {
        let text = text.trim_end();
        if text.is_empty() {
            self.gap = true;
            return None;
        }
        if self.is_repainted(text) {
            return None;
        }
        let safe = cut(self.redactor.line(&tidy(text)));
        if std::mem::take(&mut self.gap) && self.told {
            events.push(Event::Line(String::new()));
        }
        self.told = true;
        events.push(Event::Line(safe.clone()));
        Some(safe)
    }

    /// What the line means for the sign-in.
    pub(crate) fn meaning(&mut self, text: &str, safe: &str, events: &mut Vec<Event>) {
        if let Some(failure) = self.failures.iter().find(|rule| rule.pattern.is_match(text)) {
            events.push(Event::Failed { code: failure.code, text: safe.trim().to_owned() });
        }
        if !self.storing && self.stored.iter().any(|stored| stored.is_match(text)) {
            self.storing = true;
            events.push(Event::Stored);
        }
    }

    /// Every wording of a failure that the line has, with its place in the row, from 0: the first
    /// is what it means.
    pub(crate) fn failures_in(&self, text: &str) -> Vec<(usize, FailureCode)> {
        let rules = self.failures.iter().enumerate();
        let found = rules.filter(|(_, rule)| rule.pattern.is_match(text));
        found.map(|(place, rule)| (place, rule.code)).collect()
    }

    fn is_repainted(&mut self, text: &str) -> bool {
        let key = gist(text);
        if self.painting > 0 && self.recent.contains(&key) {
            return true;
        }
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(key);
        false
    }
}

/// What stays the same of a line while spinners turn and seconds pass.
fn gist(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut words = false;
    for word in text.split(|character: char| !character.is_alphanumeric()) {
        let units = word.trim_end_matches(['s', 'm', 'h']);
        if word.is_empty() {
            continue;
        }
        words = true;
        if units.bytes().all(|byte| byte.is_ascii_digit()) {
            0_u8.hash(&mut hasher);
        } else {
            word.hash(&mut hasher);
        }
    }
    if !words {
        text.trim().hash(&mut hasher);
    }
    hasher.finish()
}

/// The text with what only fills a wide terminal made short: blanks, and rules and frames.
pub(crate) fn tidy(text: &str) -> Cow<'_, str> {
    const BLANKS: usize = 60;
    const RULE: usize = 80;
    if text.len() <= BLANKS {
        return Cow::Borrowed(text);
    }
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let after = rest.trim_start_matches(character);
        let run = &rest[..rest.len() - after.len()];
        let times = run.len() / character.len_utf8();
        let kept = match character {
            ' ' if times > BLANKS => 4,
            '\u{2500}'..='\u{259f}' if times > RULE => RULE,
            _ => times,
        };
        short.push_str(&run[..kept * character.len_utf8()]);
        rest = after;
    }
    Cow::Owned(short)
}

pub(crate) fn cut(mut line: String) -> String {
    const MORE: char = '…';
    if line.len() > LINE_BYTES {
        let room = LINE_BYTES - MORE.len_utf8();
        let end = (0..=room).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
        line.truncate(end);
        line.push(MORE);
    }
    line
}
