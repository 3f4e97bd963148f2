//! Looking at the screen for what matters, and telling its lines.

use super::Event;
use super::answer::Answers;
use super::code::Codes;
use super::explain::{self, Candidate, Decision, Trace};
use super::line::{self, Lines};
use super::link::{self, Links};
use super::prompt::{Change, Prompts};
use super::token::Tokens;
use crate::provider::{Method, Provider, Yields};
use crate::screen::{Screen, Size};

/// How much of a long line is looked at, from its end.
const LINE_BYTES: usize = 8 * 1024;
/// Rows above the line being written that may hold the beginning of a secret in it.
const UNTOLD_ABOVE: usize = 32;
/// Rows below a label that may hold its code.
const LABEL_REACH: usize = 8;

/// Everything behind the parser.
#[derive(Clone)]
pub(super) struct Core {
    pub(super) screen: Screen,
    pub(super) lines: Lines,
    pub(super) links: Links,
    pub(super) codes: Codes,
    pub(super) prompts: Prompts,
    pub(super) tokens: Tokens,
    pub(super) answers: Answers,
    /// The page for codes that a program does not name, until it is offered.
    pub(super) fixed_link: Option<String>,
    pub(super) events: Vec<Event>,
    pub(super) replies: u32,
    /// Looks for which a synchronised update still holds the screen back.
    pub(super) held: u32,
    /// Something came after the last character, if only a change of colour.
    pub(super) moved: bool,
    /// Something may have changed since the last look, or is not decided yet.
    pub(super) unlooked: bool,
    /// Something may have changed since lines were told last.
    pub(super) untold: bool,
    /// Rows above the screen that were not looked at since they scrolled out.
    pub(super) unseen: usize,
    pub(super) scratch: Vec<u8>,
    pub(super) trace: Trace,
}

impl Core {
    pub(super) fn new(provider: &Provider, method: Option<&Method>, size: Size) -> Self {
        let yields = method.is_some_and(|method| method.yields == Yields::Token);
        Self {
            screen: Screen::new(size),
            lines: Lines::new(provider),
            links: Links::new(provider),
            codes: Codes::new(&provider.scan),
            prompts: Prompts::new(&provider.scan),
            tokens: Tokens::new(provider.scan.token.clone().filter(|_| yields)),
            answers: Answers::new(&provider.scan),
            fixed_link: provider.scan.fixed_link.clone(),
            events: Vec::new(),
            replies: 0,
            held: 0,
            moved: false,
            unlooked: false,
            untold: false,
            unseen: 0,
            scratch: Vec::new(),
            trace: Trace::default(),
        }
    }

    // Looking: links, codes and prompts on rows that changed.

    pub(super) fn scheduled_look(&mut self) -> u64 {
        if self.held > 0 {
            self.held -= 1;
            return 0;
        }
        let change = self.prompts.check(&self.screen, false);
        self.prompt_changed(change);
        let cost = self.look(false);
        self.answer(false);
        cost
    }

    /// Answers a question that waits on the screen.
    fn answer(&mut self, quiet: bool) {
        if self.answers.is_idle() {
            return;
        }
        let (prompts, links, codes) = (&self.prompts, &self.links, &self.codes);
        let settled = |text: &str| {
            prompts.is_prompt(text) || links.is_announced_in(text) || codes.is_announced_in(text)
        };
        if let Some(answer) = self.answers.check(&self.screen, quiet, settled) {
            self.trace.note(|| {
                let text = String::from_utf8_lossy(&answer.bytes).escape_debug().to_string();
                let reason = "its question waits on the screen (scan.answer)";
                let rank = Some(answer.rule + 1);
                Decision { rank, ..explain::met(Candidate::Answer, text, reason) }
            });
            self.events.push(Event::Answer(answer.bytes));
        }
    }

    /// Looks at the rows that changed; gives how many columns that were.
    pub(super) fn look(&mut self, force: bool) -> u64 {
        if !std::mem::take(&mut self.unlooked) {
            return 0;
        }
        let mut cost = 0;
        let mut row = self.screen.above() - self.unseen.min(self.screen.above());
        self.unseen = 0;
        while row < self.screen.total() {
            if !self.screen.row(row).dirty {
                row += 1;
                continue;
            }
            let first = self.screen.line_start(row);
            let last = self.screen.line_end(row);
            cost += self.look_at_line(first, last, force);
            row = last + 1;
        }
        cost
    }

    pub(super) fn look_at_line(&mut self, first: usize, last: usize, force: bool) -> u64 {
        let mut line = std::mem::take(&mut self.scratch);
        line.clear();
        let near = first.max((last + 1).saturating_sub(LINE_BYTES.div_ceil(self.screen.columns())));
        for row in near..=last {
            self.screen.row(row).push_bytes(&mut line);
        }
        let links = if link::concerns(&mut self.screen, near, last, &line) {
            self.links.find(&self.screen, near, last, force, &mut self.trace)
        } else {
            link::Found::default()
        };
        self.explain_http(near, last, &line, force);
        let codes =
            self.codes.find(&self.screen, near, last, &line, force && self.moved, &mut self.trace);
        let tokens = self.tokens.find(&self.screen, near, last);
        let open = links.open || codes.open || tokens.open;
        self.unlooked |= open;
        for row in near..=last {
            self.screen.row_mut(row).dirty = open;
        }
        for row in first..near {
            self.screen.row_mut(row).dirty = false;
        }
        for url in links.links {
            self.offer(url);
        }
        for code in codes.codes {
            if let Some(url) = self.fixed_link.take() {
                self.offer(url);
            }
            self.trace.shown(Candidate::Code, &code);
            self.events.push(Event::Code(code));
        }
        for token in tokens.tokens {
            self.trace.note(|| explain::met(Candidate::Token, String::new(), "whole (scan.token)"));
            self.lines.redactor.mask(token.expose());
            self.events.push(Event::Token(token));
        }
        if self.codes.is_label(&line) {
            // The code below may have been painted before its label was.
            for row in last + 1..(last + 1 + LABEL_REACH).min(self.screen.total()) {
                if self.screen.row(row).len() > 0 {
                    self.screen.row_mut(row).dirty = true;
                    self.unlooked = true;
                }
            }
        }
        let change = self.prompts.see(&self.screen, near, last);
        self.prompt_changed(change);
        let cost = line.len() as u64;
        self.scratch = line;
        cost
    }

    /// Addresses that are not https are never candidates; a person may wonder all the same.
    fn explain_http(&mut self, first: usize, last: usize, line: &[u8], force: bool) {
        if !self.trace.is_on() {
            return;
        }
        let text = link::ascii(line);
        for (at, _) in text.match_indices("http://") {
            let rest = &text[at..];
            let end = rest.find(|c: char| !c.is_ascii_graphic()).unwrap_or(rest.len());
            let ends_line = at + end == text.len();
            let writing = (first..=last).contains(&self.screen.cursor_row());
            if !(ends_line && writing) || force {
                let url = self.lines.redactor.unfinished(&rest[..end]);
                let verdict = link::Verdict::NotHttps;
                self.trace.note(|| explain::on_link(Candidate::Link, url, verdict, false));
            }
        }
    }

    /// Offers a link; where the program names one itself, none of ours is needed.
    pub(super) fn offer(&mut self, url: String) {
        self.fixed_link = None;
        self.trace.shown(Candidate::Link, &url);
        self.events.push(Event::Link(url));
    }

    pub(super) fn prompt_changed(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            self.events.push(match change {
                Change::Asks { hint } => {
                    self.trace.note(|| {
                        let text = hint.clone().unwrap_or_default();
                        explain::met(
                            Candidate::Prompt,
                            text,
                            "asks for a code (scan.paste_prompts)",
                        )
                    });
                    self.lines.asks_again();
                    Event::Prompt { hint }
                }
                Change::Done => Event::PromptGone,
            });
        }
    }

    // Telling: lines that are finished.

    pub(super) fn tell(&mut self, text: &str) {
        self.lines.climbed(self.screen.climbs, self.screen.height());
        let Some(safe) = self.lines.tell(text, &mut self.events) else { return };
        let before = self.events.len();
        if !self.prompts.is_refusal(text) {
            self.lines.meaning(text, &safe, &mut self.events);
        }
        self.explain_line(text, &safe, before);
        let changes = self.prompts.told(text, &safe);
        self.prompt_changed(changes);
    }

    fn explain_line(&mut self, text: &str, safe: &str, before: usize) {
        if !self.trace.is_on() {
            return;
        }
        for event in &self.events[before..] {
            match event {
                Event::Failed { .. } => {
                    let found = self.lines.failures_in(text).into_iter();
                    let rules: Vec<_> =
                        found.map(|(at, code)| (at, format!("means {}", code.as_str()))).collect();
                    for one in explain::by_rank(Candidate::Failure, safe.trim(), &rules, "failure")
                    {
                        self.trace.note(|| one);
                    }
                }
                Event::Stored => {
                    let reason = "says that it is stored (scan.stored)";
                    let text = safe.trim().to_owned();
                    self.trace.note(|| explain::met(Candidate::Stored, text, reason));
                }
                _ => {}
            }
        }
        if explain::is_question(text) && !self.prompts.is_prompt(text) && !self.answers.knows(text)
        {
            self.trace.note(|| Decision {
                what: Candidate::Prompt,
                text: safe.trim().to_owned(),
                taken: false,
                reason: "looks like a question that no scan.paste_prompts or scan.answer matches"
                    .to_owned(),
                met: 0,
                of: 1,
                rank: None,
            });
        }
    }

    /// Tells the rows of the screen up to `last` that have something new, in reading order.
    pub(super) fn tell_up_to(&mut self, last: usize, except: Option<usize>) {
        let mut first = self.screen.above();
        let mut told = false;
        let mut gap = false;
        while first <= last && first < self.screen.total() {
            let end = self.screen.line_end(first);
            let begun = first == self.screen.above() && self.lines.has_spill();
            let new = begun || (first..=end).any(|row| self.screen.row(row).untold);
            if new && except != Some(first) {
                let mut text = if begun { self.lines.take_spill() } else { String::new() };
                for row in first..=end {
                    self.screen.row(row).push_text(&mut text);
                    self.screen.row_mut(row).untold = false;
                }
                if told && gap {
                    self.lines.blank();
                }
                (told, gap) = (true, false);
                self.tell(&text);
            } else if told && first == end && self.screen.row(first).is_blank() {
                gap = true;
            }
            first = end + 1;
        }
    }

    /// Tells what scrolled out before it was finished, and keeps the rows above the screen.
    pub(super) fn rows_left(&mut self) {
        while let Some(mut row) = self.screen.leave() {
            if row.untold && row.wrapped {
                self.lines.spill(|text| row.push_text(text));
            } else if row.untold || (self.lines.has_spill() && !row.wrapped) {
                let mut text = self.lines.take_spill();
                row.push_text(&mut text);
                self.tell(&text);
            }
            row.untold = false;
            if row.dirty || self.unseen > 0 {
                self.unseen += 1;
            }
            self.screen.retire(row);
        }
    }

    pub(super) fn line_feed(&mut self) {
        let flows = self.screen.at_frontier();
        let left = self.screen.cursor_row();
        let blank = self.screen.row(left).is_blank();
        self.screen.line_feed();
        self.rows_left();
        if self.held == 0 {
            self.look(false);
        }
        if flows {
            if blank {
                self.lines.blank();
            }
            self.screen.settle_frontier();
            let row = self.screen.cursor_row();
            if self.untold && row > 0 {
                self.tell_up_to(row - 1, None);
                self.untold = self.screen.row(row).untold;
            }
            self.lines.flowed();
        }
    }

    /// All that is on the screen will go: looks and tells while it is there.
    pub(super) fn before_loss(&mut self, except: Option<usize>) {
        if self.held == 0 {
            self.look(false);
        }
        self.tell_up_to(usize::MAX, except);
    }

    /// The first row of the line that a plain program is writing.
    pub(super) fn line_in_progress(&self) -> usize {
        self.screen.line_start(self.screen.cursor_row()).max(self.screen.above())
    }

    pub(super) fn settle(&mut self) {
        self.look(true);
        let change = self.prompts.check(&self.screen, true);
        self.prompt_changed(change);
        let first = self.line_in_progress();
        let last = self.screen.line_end(self.screen.cursor_row());
        let painted = (last + 1..self.screen.total()).any(|row| !self.screen.row(row).is_blank());
        self.tell_up_to(usize::MAX, (!painted).then_some(first));
        self.answer(true);
    }

    pub(super) fn finish(&mut self) {
        self.look(true);
        self.tell_up_to(usize::MAX, None);
    }

    pub(super) fn current_line(&self) -> String {
        let first = self.line_in_progress();
        let last = self.screen.line_end(self.screen.cursor_row());
        if !(first..=last).any(|row| self.screen.row(row).untold) {
            return String::new();
        }
        let mut text = String::new();
        if first == self.screen.above() {
            text.push_str(self.lines.spilled());
        }
        for row in first..=last {
            self.screen.row(row).push_text(&mut text);
        }
        // What stands right above and was not told yet may be the beginning of a secret.
        let mut redactor = self.lines.redactor.clone();
        let mut row = first.saturating_sub(UNTOLD_ABOVE).max(self.screen.above());
        while row < first {
            let end = self.screen.line_end(row).min(first - 1);
            if (row..=end).any(|row| self.screen.row(row).untold) {
                let mut above = String::new();
                (row..=end).for_each(|row| self.screen.row(row).push_text(&mut above));
                redactor.line(above.trim_end());
            }
            row = end + 1;
        }
        line::cut(redactor.unfinished(&line::tidy(text.trim_end())))
    }
}
