//! What terminal functions do to the screen, and when they make the detector look or tell.

use super::Event;
use super::core::Core;
use super::explain::{self, Candidate};
use super::link::Verdict;
use crate::screen::{Csi, Sink};

/// Queries answered in one sign-in; a program needs a few.
const REPLIES: u32 = 1024;
/// How many looks a program may hold its screen back by a synchronised update.
const HELD_LOOKS: u32 = 1024;
/// Prompts stand at the start of a line: further on, a blank after `>` or `:` means nothing.
const PROMPT_COLUMNS: usize = 256;

impl Core {
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
            let (links, redactor) = (&self.links, &self.lines.redactor);
            self.trace.note(|| {
                let text = redactor.unfinished(target);
                explain::on_link(Candidate::Target, text, verdict, links.ignores(target))
            });
            self.screen.linked = verdict == Verdict::Accepted;
            if let Some(url) = link {
                self.offer(url);
            }
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
