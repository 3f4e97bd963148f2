//! The detector: a program's terminal bytes to what they mean for a person signing in.
//!
//! Pure, with no clock. Bytes go through a [screen](crate::screen), and what is looked for is
//! looked for on that screen: in the raw bytes cursor moves stand for blanks and repainting drops
//! letters. When to look is decided by the bytes themselves, never by how they were divided into
//! reads, so any chunking gives the same events.

mod code;
mod line;
mod link;
mod prompt;

use crate::FailureCode;
use crate::provider::Provider;
use crate::screen::{Csi, Parser, Row, Screen, Sink, Size};

use code::Codes;
use line::Lines;
use link::Links;
use prompt::{Change, Prompts};

/// The screen is looked at at least this often, so that nothing drawn and wiped is missed.
const LOOK_BYTES: u64 = 64;
/// Queries answered in one sign-in; a program needs a few.
const REPLIES: u32 = 1024;
/// How many looks a program may hold its screen back by a synchronised update.
const HELD_LOOKS: u32 = 1024;
/// Prompts stand at the start of a line: further on, a blank after `>` or `:` means nothing.
const PROMPT_COLUMNS: usize = 256;
/// How much of a long line is looked at, from its end.
const LINE_BYTES: usize = 8 * 1024;
/// Rows below a label that may hold its code.
const LABEL_REACH: usize = 8;

/// What the detector found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// One finished line: plain text, secrets masked, at most 4 KiB; blank lines come as one.
    Line(String),
    /// A whole sign-in link, https on one of the provider's hosts; a later one replaces it.
    Link(String),
    /// A whole device code; a later one replaces it.
    Code(String),
    /// The program wants a pasted code (again).
    Prompt {
        /// Why it asks again, in its own words.
        hint: Option<String>,
    },
    /// It no longer does.
    PromptGone,
    /// Bytes to write back: the answer to a terminal query.
    Reply(Vec<u8>),
    /// The program said why it fails; its exit code decides.
    Failed {
        /// What that means.
        code: FailureCode,
        /// The line that says so, secrets masked.
        text: String,
    },
    /// The program has what it needs and stores it.
    Stored,
}

/// Turns a program's terminal bytes into [`Event`]s.
#[derive(Clone)]
pub struct Scanner {
    parser: Parser,
    core: Core,
    offset: u64,
    next_look: u64,
}

impl Scanner {
    /// A scanner for a program in a terminal of that size.
    pub fn new(provider: &Provider, size: Size) -> Self {
        Self {
            parser: Parser::new(),
            core: Core::new(provider, size),
            offset: 0,
            next_look: LOOK_BYTES,
        }
    }

    /// Feeds bytes. Any division of the same bytes gives the same events.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Event> {
        while !bytes.is_empty() {
            let due = usize::try_from(self.next_look - self.offset).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(due.min(bytes.len()));
            self.parser.feed(now, &mut self.core);
            self.offset += now.len() as u64;
            bytes = later;
            if self.offset == self.next_look {
                let cost = self.core.scheduled_look();
                self.next_look = self.offset + LOOK_BYTES.max(cost / 4);
            }
        }
        std::mem::take(&mut self.core.events)
    }

    /// The program has been quiet for a while: announces what only waited for something to follow
    /// it, and tells what is painted on the screen.
    pub fn settle(&mut self) -> Vec<Event> {
        self.core.settle();
        std::mem::take(&mut self.core.events)
    }

    /// The program is gone: announces and tells whatever is still pending, the line being written
    /// included.
    pub fn finish(&mut self) -> Vec<Event> {
        self.core.finish();
        std::mem::take(&mut self.core.events)
    }

    /// The line being written, as a person sees it now, secrets masked.
    pub fn current_line(&self) -> String {
        self.core.current_line()
    }

    /// Masks a secret from now on: the code a person pasted, also wrapped or echoed in pieces.
    pub fn mask(&mut self, secret: &str) {
        self.core.lines.redactor.mask(secret);
    }
}

impl std::fmt::Debug for Scanner {
    /// Says nothing of what was read: it may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scanner").field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// Everything behind the parser.
#[derive(Clone)]
struct Core {
    screen: Screen,
    lines: Lines,
    links: Links,
    codes: Codes,
    prompts: Prompts,
    events: Vec<Event>,
    replies: u32,
    /// Looks for which a synchronised update still holds the screen back.
    held: u32,
    /// Something came after the last character, if only a change of colour.
    moved: bool,
    /// Something may have changed since the last look, or is not decided yet.
    unlooked: bool,
    /// Something may have changed since lines were told last.
    untold: bool,
    /// Rows above the screen that were not looked at since they scrolled out.
    unseen: usize,
    scratch: Vec<u8>,
}

impl Core {
    fn new(provider: &Provider, size: Size) -> Self {
        Self {
            screen: Screen::new(size),
            lines: Lines::new(provider),
            links: Links::new(provider),
            codes: Codes::new(&provider.scan),
            prompts: Prompts::new(&provider.scan),
            events: Vec::new(),
            replies: 0,
            held: 0,
            moved: false,
            unlooked: false,
            untold: false,
            unseen: 0,
            scratch: Vec::new(),
        }
    }

    // Looking: links, codes and prompts on rows that changed.

    fn scheduled_look(&mut self) -> u64 {
        if self.held > 0 {
            self.held -= 1;
            return 0;
        }
        let change = self.prompts.check(&self.screen, false);
        self.prompt_changed(change);
        self.look(false)
    }

    /// Looks at the rows that changed; gives how many columns that were.
    fn look(&mut self, force: bool) -> u64 {
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

    fn look_at_line(&mut self, first: usize, last: usize, force: bool) -> u64 {
        let mut line = std::mem::take(&mut self.scratch);
        line.clear();
        let near = first.max((last + 1).saturating_sub(LINE_BYTES.div_ceil(self.screen.columns())));
        for row in near..=last {
            self.screen.row(row).push_bytes(&mut line);
        }
        let links = if link::concerns(&mut self.screen, near, last, &line) {
            self.links.find(&self.screen, near, last, force)
        } else {
            link::Found::default()
        };
        let codes = self.codes.find(&self.screen, near, last, &line, force && self.moved);
        let open = links.open || codes.open;
        self.unlooked |= open;
        for row in near..=last {
            self.screen.row_mut(row).dirty = open;
        }
        for row in first..near {
            self.screen.row_mut(row).dirty = false;
        }
        self.events.extend(links.links.into_iter().map(Event::Link));
        self.events.extend(codes.codes.into_iter().map(Event::Code));
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

    fn prompt_changed(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            self.events.push(match change {
                Change::Asks { hint } => {
                    self.lines.asks_again();
                    Event::Prompt { hint }
                }
                Change::Done => Event::PromptGone,
            });
        }
    }

    // Telling: lines that are finished.

    fn tell(&mut self, text: &str) {
        self.lines.climbed(self.screen.climbs, self.screen.height());
        let Some(safe) = self.lines.tell(text, &mut self.events) else { return };
        if !self.prompts.is_refusal(text) {
            self.lines.meaning(text, &safe, &mut self.events);
        }
        let changes = self.prompts.told(text, &safe);
        self.prompt_changed(changes);
    }

    /// Tells the rows of the screen up to `last` that have something new, in reading order.
    fn tell_up_to(&mut self, last: usize, except: Option<usize>) {
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
                    push_row(self.screen.row(row), &mut text);
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
    fn rows_left(&mut self) {
        while let Some(mut row) = self.screen.leave() {
            if row.untold && row.wrapped {
                self.lines.spill(|text| push_row(&row, text));
            } else if row.untold || (self.lines.has_spill() && !row.wrapped) {
                let mut text = self.lines.take_spill();
                push_row(&row, &mut text);
                self.tell(&text);
            }
            row.untold = false;
            if row.dirty || self.unseen > 0 {
                self.unseen += 1;
            }
            self.screen.retire(row);
        }
    }

    fn line_feed(&mut self) {
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
    fn before_loss(&mut self, except: Option<usize>) {
        if self.held == 0 {
            self.look(false);
        }
        self.tell_up_to(usize::MAX, except);
    }

    /// The first row of the line that a plain program is writing.
    fn line_in_progress(&self) -> usize {
        self.screen.line_start(self.screen.cursor_row()).max(self.screen.above())
    }

    /// Whether text can be seen; colours do not matter.
    fn rendition(&mut self, sequence: &Csi) {
        let params = sequence.params();
        if params.is_empty() {
            self.screen.conceal(false);
        }
        let mut index = 0;
        while let Some(&param) = params.get(index) {
            match param {
                _ if sequence.is_part(index) => {}
                0 | 28 => self.screen.conceal(false),
                8 => self.screen.conceal(true),
                // A colour: `5;n` or `2;r;g;b` follow, unless they are parts of it.
                38 | 48 | 58 if !sequence.is_part(index + 1) => {
                    index += if params.get(index + 1) == Some(&2) { 4 } else { 2 };
                }
                _ => {}
            }
            index += 1;
        }
    }

    fn settle(&mut self) {
        self.look(true);
        let change = self.prompts.check(&self.screen, true);
        self.prompt_changed(change);
        let first = self.line_in_progress();
        let last = self.screen.line_end(self.screen.cursor_row());
        let painted = (last + 1..self.screen.total()).any(|row| !self.screen.row(row).is_blank());
        self.tell_up_to(usize::MAX, (!painted).then_some(first));
    }

    fn finish(&mut self) {
        self.look(true);
        self.tell_up_to(usize::MAX, None);
    }

    fn current_line(&self) -> String {
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
            push_row(self.screen.row(row), &mut text);
        }
        line::cut(self.lines.redactor.unfinished(&line::tidy(text.trim_end())))
    }

    /// Notes that the screen may change; `moved`: not by a character at the cursor.
    fn changes(&mut self, moved: bool) {
        self.moved = moved;
        self.unlooked = true;
        self.untold = true;
    }

    fn reply(&mut self, bytes: Vec<u8>) {
        if self.replies < REPLIES {
            self.replies += 1;
            self.events.push(Event::Reply(bytes));
        }
    }

    fn mode(&mut self, sequence: &Csi, on: bool) {
        for &number in sequence.params() {
            match (sequence.private, number) {
                (0, 4) => self.screen.set_insert(on),
                (b'?', 6) => self.screen.set_origin(on),
                (b'?', 7) => self.screen.set_autowrap(on),
                (b'?', 47 | 1047 | 1049) => {
                    self.before_loss(None);
                    if number == 1049 && on {
                        self.screen.save_cursor();
                    }
                    self.screen.alternate(on);
                }
                (b'?', 1048) if on => self.screen.save_cursor(),
                (b'?', 1048) => self.screen.restore_cursor(),
                (b'?', 2026) if on => self.held = HELD_LOOKS,
                (b'?', 2026) => {
                    // A frame is complete, and this is what a person sees now.
                    self.held = 0;
                    self.before_loss(None);
                }
                _ => {}
            }
        }
    }

    fn erase_line(&mut self, how: u16) {
        let row = self.screen.cursor_row();
        if self.held == 0 && self.screen.row(row).dirty {
            self.look(false);
        }
        // A plain program rewrites its line in place: only the last state counts. What a painting
        // one wipes was on the screen for a while.
        if self.screen.erases_all(how) && !self.screen.on_frontier() && self.held == 0 {
            self.tell_up_to(row, None);
        }
        self.screen.erase_line(how);
    }

    fn erase_display(&mut self, how: u16) {
        let rewrites = how == 0 && self.screen.on_frontier();
        let except = rewrites.then(|| self.line_in_progress());
        if how <= 2 && self.held == 0 {
            self.before_loss(except);
        }
        self.screen.erase_display(how);
    }
}

impl Sink for Core {
    fn text(&mut self, mut ascii: &[u8]) {
        self.changes(false);
        // A blank after a prompt's sign ends the prompt: look at once, wherever the read ended.
        let mut last = self.screen.last();
        while let Some(at) = prompt_end(ascii, last) {
            let (prompt, rest) = ascii.split_at(at + 1);
            self.screen.text(prompt);
            ascii = rest;
            last = Some(' ');
            if self.screen.cursor_column() < PROMPT_COLUMNS
                && !self.screen.is_continued()
                && self.held == 0
            {
                self.rows_left();
                self.look(false);
                self.unlooked = true;
            }
        }
        self.screen.text(ascii);
        if self.screen.has_leaving() {
            self.rows_left();
        }
    }

    fn print(&mut self, character: char) {
        self.changes(false);
        self.screen.print(character);
        if self.screen.has_leaving() {
            self.rows_left();
        }
    }

    fn control(&mut self, byte: u8) {
        self.moved = true;
        match byte {
            0x08 => self.screen.backspace(),
            0x09 => self.screen.tab(1),
            0x0a..=0x0c => self.line_feed(),
            0x0d => self.screen.carriage_return(),
            0x0e => self.screen.shift(1),
            0x0f => self.screen.shift(0),
            _ => {}
        }
    }

    fn escape(&mut self, intermediate: Option<u8>, last: u8) {
        self.changes(true);
        match (intermediate, last) {
            (None, b'7') => self.screen.save_cursor(),
            (None, b'8') => self.screen.restore_cursor(),
            (None, b'D') => self.line_feed(),
            (None, b'E') => {
                self.screen.carriage_return();
                self.line_feed();
            }
            (None, b'M') => self.screen.reverse_line_feed(),
            (None, b'c') => {
                self.before_loss(None);
                self.screen.reset();
            }
            (Some(b'('), name) => self.screen.set_charset(0, name),
            (Some(b')'), name) => self.screen.set_charset(1, name),
            _ => {}
        }
    }

    fn csi(&mut self, sequence: &Csi) {
        self.changes(true);
        let (times, number) = (sequence.times(0), sequence.number(0));
        match (sequence.private, sequence.intermediate, sequence.last) {
            (0, 0, b'@') => self.screen.insert_columns(times),
            (0, 0, b'A') => self.screen.up(times),
            (0, 0, b'B' | b'e') => self.screen.down(times),
            (0, 0, b'C' | b'a') => self.screen.right(times),
            (0, 0, b'D') => self.screen.left(times),
            (0, 0, b'E') => {
                self.screen.down(times);
                self.screen.carriage_return();
            }
            (0, 0, b'F') => {
                self.screen.up(times);
                self.screen.carriage_return();
            }
            (0, 0, b'G' | b'`') => self.screen.go_to_column(usize::from(times) - 1),
            (0, 0, b'H' | b'f') => {
                self.screen.go_to_row(usize::from(times) - 1);
                self.screen.go_to_column(usize::from(sequence.times(1)) - 1);
            }
            (0, 0, b'I') => self.screen.tab(times),
            (0 | b'?', 0, b'J') => self.erase_display(number),
            (0 | b'?', 0, b'K') => self.erase_line(number),
            (0, 0, b'L') => {
                self.before_loss(None);
                self.screen.insert_rows(times);
            }
            (0, 0, b'M') => {
                self.before_loss(None);
                self.screen.delete_rows(times);
                self.rows_left();
            }
            (0, 0, b'P') => self.screen.delete_columns(times),
            (0, 0, b'S') => {
                self.before_loss(None);
                self.screen.pan_up(times);
                self.rows_left();
            }
            (0, 0, b'T') => {
                self.before_loss(None);
                self.screen.pan_down(times);
            }
            (0, 0, b'X') => self.screen.erase_columns(times),
            (0, 0, b'Z') => self.screen.back_tab(times),
            (0, 0, b'b') => {
                self.screen.repeat(times);
                self.rows_left();
            }
            (0, 0, b'd') => self.screen.go_to_row(usize::from(times) - 1),
            (0, 0, b'c') if number == 0 => self.reply(b"\x1b[?62;c".to_vec()),
            (0, 0, b'm') => self.rendition(sequence),
            (0, 0, b'n') if number == 6 => {
                let (row, column) = self.screen.cursor_report();
                self.reply(format!("\x1b[{row};{column}R").into_bytes());
            }
            (0, 0, b'r') => self.screen.region(number, sequence.number(1)),
            (0, 0, b's') => self.screen.save_cursor(),
            (0, 0, b'u') => self.screen.restore_cursor(),
            (0 | b'?', 0, b'h') => self.mode(sequence, true),
            (0 | b'?', 0, b'l') => self.mode(sequence, false),
            _ => {}
        }
    }

    fn osc(&mut self, payload: &[u8]) {
        self.moved = true;
        let mut parts = payload.splitn(3, |&byte| byte == b';');
        if parts.next() != Some(b"8") {
            return;
        }
        let target = parts.nth(1).and_then(|target| std::str::from_utf8(target).ok());
        self.screen.linked = false;
        if let Some(target) = target.filter(|target| !target.is_empty()) {
            let (verdict, link) = self.links.target(target);
            self.screen.linked = verdict == link::Verdict::Accepted;
            self.events.extend(link.map(Event::Link));
        }
    }
}

/// Where a blank follows `>`, `:`, `?` or `)`, the signs that prompts end in.
fn prompt_end(ascii: &[u8], before: Option<char>) -> Option<usize> {
    let is_sign = |byte: u8| matches!(byte, b'>' | b':' | b'?' | b')');
    if ascii.first() == Some(&b' ')
        && before.is_some_and(|sign| u8::try_from(sign).is_ok_and(is_sign))
    {
        return Some(0);
    }
    ascii.windows(2).position(|pair| is_sign(pair[0]) && pair[1] == b' ').map(|at| at + 1)
}

fn push_row(row: &Row, text: &mut String) {
    row.push_text(text);
}

#[cfg(test)]
mod tests;
