//! What programs do to a screen.

use unicode_width::UnicodeWidthChar as _;

use super::{Charset, HISTORY_ROWS, Row, Screen, misleads};

impl Screen {
    /// Writes printable ASCII.
    pub(crate) fn text(&mut self, mut ascii: &[u8]) {
        if let Some(&last) = ascii.last() {
            self.last = Some(char::from(last));
        }
        if self.insert || self.concealed || self.charsets[self.shifted] != Charset::Ascii {
            for &byte in ascii {
                self.print(char::from(byte));
            }
            return;
        }
        while !ascii.is_empty() {
            if self.cursor.wrapping {
                self.wrap();
            }
            let room = self.columns() - self.cursor.column;
            let (now, later) = ascii.split_at(room.min(ascii.len()));
            let linked = self.linked;
            let column = self.cursor.column;
            self.rows[self.cursor.row].write_ascii(column, now, linked);
            self.advance(now.len());
            ascii = later;
            if self.cursor.wrapping && !self.autowrap {
                // Without wrapping all that follows overwrites the last column.
                self.cursor.wrapping = false;
                let skip = ascii.len().saturating_sub(1);
                ascii = &ascii[skip..];
                if let Some(&byte) = ascii.first() {
                    let column = self.columns() - 1;
                    self.rows[self.cursor.row].write(column, char::from(byte), 1, linked);
                }
                return;
            }
        }
    }

    /// Writes one character; what a person cannot see, or what would only mislead, is dropped.
    pub(crate) fn print(&mut self, character: char) {
        let character = self.translated(character);
        if misleads(character) {
            return;
        }
        let Some(width) = character.width() else { return };
        if width == 0 {
            let before = self.cursor.column.checked_sub(usize::from(!self.cursor.wrapping));
            if let Some(column) = before.and_then(|column| u16::try_from(column).ok()) {
                self.rows[self.cursor.row].mark(column, character);
            }
            return;
        }
        let width = width.min(self.columns());
        if self.cursor.wrapping || self.cursor.column + width > self.columns() {
            if self.autowrap {
                self.wrap();
            } else {
                self.cursor.column = self.columns() - width;
                self.cursor.wrapping = false;
            }
        }
        let (column, columns, linked) = (self.cursor.column, self.columns(), self.linked);
        let seen = if self.concealed { ' ' } else { character };
        let row = &mut self.rows[self.cursor.row];
        if self.insert {
            row.insert(column, width, columns);
        }
        row.write(column, seen, if self.concealed { 1 } else { width }, linked);
        self.advance(width);
        self.last = Some(character);
    }

    /// Writes the last character again, a row's worth at most.
    pub(crate) fn repeat(&mut self, times: u16) {
        if let Some(last) = self.last {
            for _ in 0..times.min(self.size.cols) {
                self.print(last);
            }
        }
    }

    /// The character printed last.
    pub(crate) fn last(&self) -> Option<char> {
        self.last
    }

    fn translated(&self, character: char) -> char {
        const BOXES: [char; 31] = [
            '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻',
            '─', '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
        ];
        match (self.charsets[self.shifted], character) {
            (Charset::LineDrawing, '`'..='~') => BOXES[character as usize - '`' as usize],
            _ => character,
        }
    }

    fn advance(&mut self, columns: usize) {
        self.cursor.column += columns;
        if self.cursor.column >= self.columns() {
            self.cursor.column = self.columns() - 1;
            self.cursor.wrapping = true;
            // Only a wrap makes the next row a part of this one, whatever stood here before.
            self.rows[self.cursor.row].wrapped = false;
        }
    }

    fn wrap(&mut self) {
        self.rows[self.cursor.row].wrapped = true;
        self.line_feed();
        self.cursor.column = 0;
    }

    /// Down one row, scrolling at the bottom.
    pub(crate) fn line_feed(&mut self) {
        self.cursor.wrapping = false;
        if self.cursor.row == self.bottom {
            self.scroll_up(self.top, 1);
        } else if self.cursor.row + 1 < self.rows.len() {
            self.cursor.row += 1;
        }
    }

    /// Up one row, scrolling at the top.
    pub(crate) fn reverse_line_feed(&mut self) {
        self.cursor.wrapping = false;
        if self.cursor.row == self.top {
            self.scroll_down(self.top, 1);
        } else {
            self.up(1);
        }
    }

    /// Rows `from` to the bottom of the scrolling region move up.
    pub(crate) fn scroll_up(&mut self, from: usize, count: usize) {
        let count = count.min(self.bottom + 1 - from);
        for _ in 0..count {
            let blank = self.spare();
            let whole = from == 0 && self.bottom + 1 == self.rows.len();
            let left = if whole {
                self.rows.push_back(blank);
                self.rows.pop_front()
            } else {
                self.rows.make_contiguous()[from..=self.bottom].rotate_left(1);
                Some(std::mem::replace(&mut self.rows[self.bottom], blank))
            };
            self.leaving.extend(left.map(|mut row| {
                row.wrapped &= from == 0;
                row
            }));
        }
        if from == 0 {
            self.frontier = self.frontier.saturating_sub(count);
        }
        self.unwrap_edge(from);
    }

    /// Rows `from` to the bottom of the scrolling region move down.
    pub(crate) fn scroll_down(&mut self, from: usize, count: usize) {
        let count = count.min(self.bottom + 1 - from);
        let rows = &mut self.rows.make_contiguous()[from..=self.bottom];
        rows.rotate_right(count);
        rows[..count].iter_mut().for_each(Row::reset);
        self.unwrap_edge(from);
    }

    /// A row above an edge where rows moved no longer goes on below it, unless it scrolled out.
    fn unwrap_edge(&mut self, from: usize) {
        if let Some(above) = from.checked_sub(1) {
            self.rows[above].wrapped = false;
        }
        if self.bottom + 1 < self.rows.len() {
            self.rows[self.bottom].wrapped = false;
        }
    }

    fn spare(&mut self) -> Row {
        if self.history.len() == HISTORY_ROWS
            && let Some(mut row) = self.history.pop_front()
        {
            self.forgotten += 1;
            row.reset();
            return row;
        }
        Row::default()
    }

    /// Inserts blank rows at the cursor.
    pub(crate) fn insert_rows(&mut self, count: u16) {
        if (self.top..=self.bottom).contains(&self.cursor.row) {
            self.scroll_down(self.cursor.row, count.into());
            self.carriage_return();
        }
    }

    /// Removes rows at the cursor.
    pub(crate) fn delete_rows(&mut self, count: u16) {
        if (self.top..=self.bottom).contains(&self.cursor.row) {
            self.scroll_up(self.cursor.row, count.into());
            self.carriage_return();
        }
    }

    /// Scrolls the region up.
    pub(crate) fn pan_up(&mut self, count: u16) {
        self.scroll_up(self.top, count.into());
    }

    /// Scrolls the region down.
    pub(crate) fn pan_down(&mut self, count: u16) {
        self.scroll_down(self.top, count.into());
    }

    pub(crate) fn carriage_return(&mut self) {
        self.cursor.column = 0;
        self.cursor.wrapping = false;
    }

    pub(crate) fn backspace(&mut self) {
        self.cursor.column = self.cursor.column.saturating_sub(1);
        self.cursor.wrapping = false;
    }

    /// To the next tab stop; stops are every eight columns.
    pub(crate) fn tab(&mut self, times: u16) {
        let column = (self.cursor.column / 8).saturating_add(usize::from(times)) * 8;
        self.go_to_column(column);
    }

    /// To the tab stop before.
    pub(crate) fn back_tab(&mut self, times: u16) {
        let column = self.cursor.column.div_ceil(8).saturating_sub(usize::from(times)) * 8;
        self.go_to_column(column);
    }

    pub(crate) fn up(&mut self, rows: u16) {
        let floor = if self.cursor.row >= self.top { self.top } else { 0 };
        let row = self.cursor.row.saturating_sub(rows.into()).max(floor);
        self.climb(row);
    }

    pub(crate) fn down(&mut self, rows: u16) {
        let last = self.rows.len() - 1;
        let ceiling = if self.cursor.row <= self.bottom { self.bottom } else { last };
        let row = (self.cursor.row + usize::from(rows)).min(ceiling);
        self.climb(row);
    }

    pub(crate) fn right(&mut self, columns: u16) {
        self.go_to_column(self.cursor.column + usize::from(columns));
    }

    pub(crate) fn left(&mut self, columns: u16) {
        self.go_to_column(self.cursor.column.saturating_sub(columns.into()));
    }

    pub(crate) fn go_to_column(&mut self, column: usize) {
        self.cursor.column = column.min(self.columns() - 1);
        self.cursor.wrapping = false;
    }

    /// To a row counted from 0, within the region when the program asked for that.
    pub(crate) fn go_to_row(&mut self, row: usize) {
        let row = if self.cursor.origin {
            (row + self.top).min(self.bottom)
        } else {
            row.min(self.rows.len() - 1)
        };
        self.climb(row);
    }

    fn climb(&mut self, row: usize) {
        if row < self.cursor.row {
            self.climbs += 1;
        }
        self.cursor.row = row;
        self.cursor.wrapping = false;
    }

    /// Blanks from the cursor to the end (0), from the start to the cursor (1), or all (2, 3).
    pub(crate) fn erase_display(&mut self, how: u16) {
        let row = self.cursor.row;
        match how {
            0 => {
                self.erase_line(0);
                self.rows.range_mut(row + 1..).for_each(|row| row.erase(0, usize::MAX));
                self.frontier = self.frontier.min(row);
            }
            1 => {
                self.erase_line(1);
                self.rows.range_mut(..row).for_each(|row| row.erase(0, usize::MAX));
            }
            2 => {
                self.rows.iter_mut().for_each(|row| row.erase(0, usize::MAX));
                self.frontier = 0;
            }
            _ => {}
        }
    }

    /// Blanks the same parts of the cursor's row.
    pub(crate) fn erase_line(&mut self, how: u16) {
        let column = self.cursor.column;
        let row = &mut self.rows[self.cursor.row];
        match how {
            0 => row.erase(column, usize::MAX),
            1 => row.erase(0, column + 1),
            2 => row.erase(0, usize::MAX),
            _ => {}
        }
        self.cursor.wrapping = false;
    }

    /// Whether [`Screen::erase_line`] would leave nothing of the cursor's row.
    pub(crate) fn erases_all(&self, how: u16) -> bool {
        let row = &self.rows[self.cursor.row];
        match how {
            0 => self.cursor.column == 0,
            1 => self.cursor.column + 1 >= row.len(),
            _ => how == 2,
        }
    }

    pub(crate) fn erase_columns(&mut self, count: u16) {
        let column = self.cursor.column;
        self.rows[self.cursor.row].erase(column, column + usize::from(count));
    }

    pub(crate) fn insert_columns(&mut self, count: u16) {
        let (column, columns) = (self.cursor.column, self.columns());
        self.rows[self.cursor.row].insert(column, count.into(), columns);
    }

    pub(crate) fn delete_columns(&mut self, count: u16) {
        let column = self.cursor.column;
        self.rows[self.cursor.row].delete(column, count.into());
    }

    /// Sets the scrolling region, rows counted from 1; 0 is the last row.
    pub(crate) fn region(&mut self, top: u16, bottom: u16) {
        let last = self.rows.len();
        let top = usize::from(top.max(1)) - 1;
        let bottom = if bottom == 0 { last } else { usize::from(bottom).min(last) } - 1;
        if top < bottom || last == 1 {
            (self.top, self.bottom) = (top.min(bottom), bottom);
            self.go_to_row(0);
            self.go_to_column(0);
        }
    }

    pub(crate) fn save_cursor(&mut self) {
        self.saved = self.cursor;
    }

    pub(crate) fn restore_cursor(&mut self) {
        let saved = self.saved;
        self.climb(saved.row);
        self.cursor = saved;
    }

    pub(crate) fn set_origin(&mut self, on: bool) {
        self.cursor.origin = on;
        self.go_to_row(0);
        self.go_to_column(0);
    }

    pub(crate) fn set_autowrap(&mut self, on: bool) {
        self.autowrap = on;
    }

    /// Whether what is printed from now on can be seen (SGR 8 and 28).
    pub(crate) fn conceal(&mut self, on: bool) {
        self.concealed = on;
    }

    pub(crate) fn set_insert(&mut self, on: bool) {
        self.insert = on;
    }

    /// `ESC ( 0` and its kin: `slot` 0 or 1.
    pub(crate) fn set_charset(&mut self, slot: usize, name: u8) {
        self.charsets[slot] = if name == b'0' { Charset::LineDrawing } else { Charset::Ascii };
    }

    /// SO (1) and SI (0).
    pub(crate) fn shift(&mut self, slot: usize) {
        self.shifted = slot;
    }

    /// Shows the alternate screen, blank, or the main one as it was.
    pub(crate) fn alternate(&mut self, on: bool) {
        if on && self.main.is_none() {
            let blank = std::iter::repeat_with(Row::default).take(self.rows.len()).collect();
            let rows = std::mem::replace(&mut self.rows, blank);
            self.main = Some((rows, self.cursor));
            self.frontier = 0;
        } else if !on && let Some((rows, cursor)) = self.main.take() {
            self.rows = rows;
            self.cursor = cursor;
            self.frontier = cursor.row;
        }
        // Nothing on one screen goes on upon the other.
        if let Some(row) = self.history.back_mut() {
            row.close();
        }
    }

    /// As after switching the terminal on, but for the history.
    pub(crate) fn reset(&mut self) {
        let history = std::mem::take(&mut self.history);
        let climbs = self.climbs;
        *self = Self::new(self.size);
        self.history = history;
        self.climbs = climbs + 1;
        if let Some(row) = self.history.back_mut() {
            row.close();
        }
    }
}
