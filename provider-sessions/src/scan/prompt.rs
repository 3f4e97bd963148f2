//! Whether the program waits for a pasted code.

use crate::provider::{Pattern, ScanRules};
use crate::screen::Screen;

/// A prompt stands at the end of a line; more of a long one is not looked at.
const PROMPT_CHARACTERS: usize = 256;
/// A prompt is broken in two only where lines are this short.
const SHORT: usize = 64;
/// The end of a finished line, with room for the code that was pasted.
const LINE_CHARACTERS: usize = 1024;
/// Whether a prompt above an input box is still there is asked at every so many looks, and it is
/// gone when it was missing twice: while a program repaints, it comes and goes.
const CHECKS: u32 = 8;

/// How the program asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// It does not.
    No,
    /// The answer is typed on the prompt's own line: the line's end is the prompt's.
    Inline,
    /// The prompt is a heading over an input box.
    Heading { missing: bool },
    /// A code was refused, and the program waits on without a new prompt.
    Refused,
}

/// A change in what the program wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Asks { hint: Option<String> },
    Done,
}

#[derive(Clone)]
pub(crate) struct Prompts {
    patterns: Vec<Pattern>,
    refusals: Vec<Pattern>,
    asking: Asking,
    asked_before: bool,
    hint: Option<String>,
    looks: u32,
}

impl Prompts {
    pub(crate) fn new(rules: &ScanRules) -> Self {
        Self {
            patterns: rules.paste_prompts.clone(),
            refusals: rules.refusals.clone(),
            asking: Asking::No,
            asked_before: false,
            hint: None,
            looks: 0,
        }
    }

    /// Looks at the line of rows `first..=last`, which changed.
    pub(crate) fn see(&mut self, screen: &Screen, first: usize, last: usize) -> Option<Change> {
        if self.patterns.is_empty() || !matches!(self.asking, Asking::No) {
            return None;
        }
        let inline = self.stands_at(screen, first, last)?;
        self.asking = if inline { Asking::Inline } else { Asking::Heading { missing: false } };
        let hint = if self.asked_before { self.hint.take() } else { None };
        self.asked_before = true;
        Some(Change::Asks { hint })
    }

    /// Whether a prompt stands in the line of rows `first..=last`, or began in the one above
    /// because the program broke it, and whether the answer goes on its line.
    fn stands_at(&self, screen: &Screen, first: usize, last: usize) -> Option<bool> {
        let text = folded(screen, first, last, PROMPT_CHARACTERS);
        if let Some(inline) = self.in_text(&text) {
            return Some(inline);
        }
        let above = first.checked_sub(1)?;
        let before = folded(screen, screen.line_start(above), above, PROMPT_CHARACTERS);
        if text.is_empty() || before.is_empty() || before.len() > SHORT || text.len() > SHORT {
            return None;
        }
        // A whole prompt above is not one here again.
        let broken = self.in_text(&before).is_none();
        broken.then(|| self.in_text(&format!("{before} {text}"))).flatten()
    }

    /// Whether a prompt stands there, and whether the answer goes on its line.
    fn in_text(&self, text: &str) -> Option<bool> {
        let end = self.patterns.iter().find_map(|prompt| prompt.find_iter(text).last())?.end();
        let sign = |character: char| matches!(character, '>' | ':' | '?');
        Some(text[..end].ends_with(sign) || text[end..].trim_start().starts_with(sign))
    }

    /// A line was finished.
    pub(crate) fn told(&mut self, text: &str, safe: &str) -> Vec<Change> {
        let mut changes = Vec::new();
        let line = fold(text, LINE_CHARACTERS);
        let safe = fold(safe, LINE_CHARACTERS);
        if self.asking == Asking::Inline && self.in_text(&line) == Some(true) {
            self.asking = Asking::No;
            self.hint = None;
            changes.push(Change::Done);
        } else if self.asking == Asking::Refused {
            self.asking = Asking::No;
            changes.push(Change::Done);
        } else if self.asking == Asking::No && self.asked_before && !line.is_empty() {
            self.hint = Some(safe.clone());
        }
        if self.asked_before
            && let Some(reason) = self.refusal(&safe)
        {
            self.asking = Asking::Refused;
            changes.push(Change::Asks { hint: Some(safe[reason..].to_owned()) });
        }
        changes
    }

    /// Where a refusal begins in the text.
    fn refusal(&self, text: &str) -> Option<usize> {
        self.refusals.iter().find_map(|refusal| refusal.find(text)).map(|found| found.start())
    }

    /// Whether the text refuses a pasted code while the program waits on.
    pub(crate) fn is_refusal(&self, text: &str) -> bool {
        self.refusal(text).is_some()
    }

    /// Whether a prompt stands in that text.
    pub(crate) fn is_prompt(&self, text: &str) -> bool {
        self.in_text(text).is_some()
    }

    /// Whether a heading is still on the screen; called at looks. `now`: the program is quiet.
    pub(crate) fn check(&mut self, screen: &Screen, now: bool) -> Option<Change> {
        let Asking::Heading { missing } = self.asking else { return None };
        self.looks += 1;
        if !now && !self.looks.is_multiple_of(CHECKS) {
            return None;
        }
        let there =
            (screen.above()..screen.total()).any(|row| self.stands_at(screen, row, row).is_some());
        self.asking = Asking::Heading { missing: !there };
        if !there && (now || missing) {
            self.asking = Asking::No;
            return Some(Change::Done);
        }
        None
    }
}

/// The end of a line's text with runs of blanks folded: programs paint blanks as cursor moves.
pub(super) fn folded(screen: &Screen, first: usize, last: usize, characters: usize) -> String {
    let rows = characters.div_ceil(screen.columns());
    let mut text = String::new();
    for row in first.max((last + 1).saturating_sub(rows))..=last {
        screen.row(row).push_text(&mut text);
    }
    fold(&text, characters)
}

/// The last characters, as many as that once runs of blanks are folded: a frame as wide as the
/// terminal is little but blanks.
fn fold(text: &str, characters: usize) -> String {
    let mut left = characters;
    let mut words = Vec::new();
    for word in text.split_whitespace().rev() {
        let start = word.char_indices().rev().nth(left).map(|(at, last)| at + last.len_utf8());
        words.push(&word[start.unwrap_or(0)..]);
        let taken = word.chars().count() + 1;
        if taken > left {
            break;
        }
        left -= taken;
    }
    words.reverse();
    words.join(" ")
}
