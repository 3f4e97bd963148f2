//! Questions that Room answers by itself, so that nobody has to.

use crate::provider::{AnswerRule, ScanRules};
use crate::screen::Screen;

/// The end of a line is looked at; questions stand on short ones.
const QUESTION_CHARACTERS: usize = 256;
/// A program that is never quiet is asked at every so many looks; a question that stood there
/// twice in a row is waiting for its answer.
const CHECKS: u32 = 8;

/// Finds questions and remembers which were answered.
#[derive(Clone)]
pub(crate) struct Answers {
    rules: Vec<Rule>,
    /// The question that was on the screen at the last check.
    standing: Option<Standing>,
    looks: u32,
}

#[derive(Clone)]
struct Rule {
    row: AnswerRule,
    times: u32,
}

/// One appearance of a question.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Standing {
    rule: usize,
    /// Its row, counted from the first the program ever wrote.
    row: u64,
    answered: bool,
    missing: bool,
}

/// What is typed.
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    /// By which rule, from 0.
    pub(crate) rule: usize,
}

impl Answers {
    pub(crate) fn new(rules: &ScanRules) -> Self {
        let rules = rules.answers.iter().map(|row| Rule { row: row.clone(), times: 0 });
        Self { rules: rules.collect(), standing: None, looks: 0 }
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_idle(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule knows that text.
    pub(crate) fn knows(&self, text: &str) -> bool {
        self.rules.iter().any(|rule| rule.row.pattern.is_match(text))
    }

    /// Looks for a question that waits for its answer; called at looks. `quiet`: the program has
    /// printed nothing for a while. `settled` says whether a line holds something recognised, so
    /// that what stands above it is history.
    pub(crate) fn check(
        &mut self,
        screen: &Screen,
        quiet: bool,
        settled: impl Fn(&str) -> bool,
    ) -> Option<Answer> {
        self.looks += 1;
        if self.rules.is_empty() || (!quiet && !self.looks.is_multiple_of(CHECKS)) {
            return None;
        }
        let found = self.lowest(screen, settled);
        let before = self.standing.take();
        let Some((rule, row)) = found else {
            // A repainting program wipes it for a moment.
            self.standing = before.filter(|old| !old.missing && !quiet);
            if let Some(old) = &mut self.standing {
                old.missing = true;
            }
            return None;
        };
        let same = before.filter(|old| {
            old.rule == rule && (old.row == row || !self.twice(screen, rule, old.row))
        });
        let answered = same.is_some_and(|old| old.answered);
        let waited = quiet || same.is_some();
        let allowed = self.rules[rule].times < self.rules[rule].row.most;
        let now = waited && !answered && allowed;
        self.standing = Some(Standing { rule, row, answered: answered || now, missing: false });
        if !now {
            return None;
        }
        self.rules[rule].times += 1;
        Some(Answer { bytes: self.rules[rule].row.send.clone().into_bytes(), rule })
    }

    /// The lowest question on the screen, unless something recognised stands below it.
    fn lowest(&self, screen: &Screen, settled: impl Fn(&str) -> bool) -> Option<(usize, u64)> {
        let mut last = screen.total();
        while last > screen.above() {
            last -= 1;
            let first = screen.line_start(last).max(screen.above());
            let text = text(screen, first, last);
            let asked = self.rules.iter().position(|rule| rule.row.pattern.is_match(&text));
            if let Some(rule) = asked {
                return Some((rule, screen.written(first)));
            }
            if settled(&text) {
                return None;
            }
            last = first;
        }
        None
    }

    /// Whether the question that stood at `row` still stands there: then another one is new.
    fn twice(&self, screen: &Screen, rule: usize, row: u64) -> bool {
        (screen.above()..screen.total()).filter(|&other| screen.written(other) == row).any(
            |first| {
                let last = screen.line_end(first);
                self.rules[rule].row.pattern.is_match(&text(screen, first, last))
            },
        )
    }
}

/// The end of a line's text with runs of blanks folded.
fn text(screen: &Screen, first: usize, last: usize) -> String {
    super::prompt::folded(screen, first, last, QUESTION_CHARACTERS)
}
