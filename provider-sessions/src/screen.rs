//! A terminal's screen as text: what a person would see, without colours.
//!
//! Rows hold only what was written, so a live 1000 × 60 screen costs kilobytes, and everything
//! that can grow has a bound. Keyboard and mouse modes are none of its business.

mod edit;
mod parser;
mod row;

use std::collections::VecDeque;

pub(crate) use parser::{Csi, Parser, Sink};
pub(crate) use row::{ELLIPSIS, LETTER, Row, SYMBOL};

/// The size of a terminal, in character cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns, at least 1.
    pub cols: u16,
    /// Rows, at least 1.
    pub rows: u16,
}

impl Size {
    /// What a live sign-in runs in: wide enough for every sign-in link on one row.
    pub const TERMINAL: Self = Self { cols: 1000, rows: 60 };
}

/// Rows above the screen that a link or a label may still reach into.
const HISTORY_ROWS: usize = 256;

/// A screen and the rows that scrolled out of it.
#[derive(Clone)]
pub(crate) struct Screen {
    size: Size,
    rows: VecDeque<Row>,
    history: VecDeque<Row>,
    /// Rows that were in the history and are gone.
    forgotten: u64,
    /// Rows that scrolled out and were not yet handed to [`Screen::retire`].
    leaving: VecDeque<Row>,
    /// The other screen while a program uses the alternate one, with its cursor.
    main: Option<(VecDeque<Row>, Cursor)>,
    cursor: Cursor,
    saved: Cursor,
    top: usize,
    bottom: usize,
    autowrap: bool,
    insert: bool,
    charsets: [Charset; 2],
    shifted: usize,
    last: Option<char>,
    /// What is printed cannot be seen.
    concealed: bool,
    /// The lowest row reached by line feeds: what is above it was told when it was left.
    pub(crate) frontier: usize,
    /// Whether what is printed belongs to an accepted hyperlink.
    pub(crate) linked: bool,
    /// How often the cursor went up: a program that does so paints.
    pub(crate) climbs: u64,
}

#[derive(Clone, Copy, Default)]
struct Cursor {
    row: usize,
    column: usize,
    /// The last column was written: the next character goes to the next row.
    wrapping: bool,
    origin: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Charset {
    Ascii,
    LineDrawing,
}

impl Screen {
    pub(crate) fn new(size: Size) -> Self {
        let size = Size { cols: size.cols.max(1), rows: size.rows.max(1) };
        let rows = usize::from(size.rows);
        Self {
            size,
            rows: std::iter::repeat_with(Row::default).take(rows).collect(),
            history: VecDeque::new(),
            forgotten: 0,
            leaving: VecDeque::new(),
            main: None,
            cursor: Cursor::default(),
            saved: Cursor::default(),
            top: 0,
            bottom: rows - 1,
            autowrap: true,
            insert: false,
            charsets: [Charset::Ascii; 2],
            shifted: 0,
            last: None,
            concealed: false,
            frontier: 0,
            linked: false,
            climbs: 0,
        }
    }

    // What is on it. Rows are counted from the oldest of the history.

    /// The width, in columns.
    pub(crate) fn columns(&self) -> usize {
        usize::from(self.size.cols)
    }

    /// The height, in rows.
    pub(crate) fn height(&self) -> usize {
        self.rows.len()
    }

    /// The row's number, counted from the first that was ever on the screen.
    pub(crate) fn written(&self, index: usize) -> u64 {
        self.forgotten + index as u64
    }

    /// The number of rows above the screen.
    pub(crate) fn above(&self) -> usize {
        self.history.len()
    }

    /// The number of rows, history included.
    pub(crate) fn total(&self) -> usize {
        self.history.len() + self.rows.len()
    }

    /// The row, counted from the oldest of the history.
    pub(crate) fn row(&self, index: usize) -> &Row {
        match index.checked_sub(self.history.len()) {
            Some(on_screen) => &self.rows[on_screen],
            None => &self.history[index],
        }
    }

    /// The same, to change its marks.
    pub(crate) fn row_mut(&mut self, index: usize) -> &mut Row {
        match index.checked_sub(self.history.len()) {
            Some(on_screen) => &mut self.rows[on_screen],
            None => &mut self.history[index],
        }
    }

    /// The cursor's row, counted from the oldest of the history.
    pub(crate) fn cursor_row(&self) -> usize {
        self.history.len() + self.cursor.row
    }

    /// The column the next character goes to; the width itself when it would wrap.
    pub(crate) fn cursor_column(&self) -> usize {
        self.cursor.column + usize::from(self.cursor.wrapping)
    }

    /// Whether the terminal wrapped the text before the cursor's row into it.
    pub(crate) fn is_continued(&self) -> bool {
        self.cursor_row().checked_sub(1).is_some_and(|above| self.row(above).wrapped)
    }

    /// The first row of the text that the terminal wrapped over `index`.
    pub(crate) fn line_start(&self, mut index: usize) -> usize {
        while index > 0 && self.row(index - 1).wrapped {
            index -= 1;
        }
        index
    }

    /// The last row of the text that the terminal wrapped over `index`.
    pub(crate) fn line_end(&self, mut index: usize) -> usize {
        while index + 1 < self.total() && self.row(index).wrapped {
            index += 1;
        }
        index
    }

    /// Whether the cursor is at or below the lowest row reached by line feeds.
    pub(crate) fn at_frontier(&self) -> bool {
        self.cursor.row >= self.frontier
    }

    /// Whether the cursor is just there: the row a plain program is writing.
    pub(crate) fn on_frontier(&self) -> bool {
        self.cursor.row == self.frontier
    }

    /// Everything above the cursor was told.
    pub(crate) fn settle_frontier(&mut self) {
        self.frontier = self.cursor.row;
    }

    /// The answer to "where is the cursor", counted from 1 as programs do.
    pub(crate) fn cursor_report(&self) -> (usize, usize) {
        // A restored cursor may stand above the region that was set since.
        let origin = if self.cursor.origin { self.top } else { 0 };
        let row = self.cursor.row.saturating_sub(origin);
        (row + 1, self.cursor.column + 1)
    }

    // Rows that scrolled out.

    /// Whether rows scrolled out since [`Screen::retire`] was last called.
    pub(crate) fn has_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Hands out the oldest row that scrolled out.
    pub(crate) fn leave(&mut self) -> Option<Row> {
        self.leaving.pop_front()
    }

    /// Keeps a row that was handed out, above the screen.
    pub(crate) fn retire(&mut self, row: Row) {
        if self.history.len() == HISTORY_ROWS {
            self.history.pop_front();
            self.forgotten += 1;
        }
        self.history.push_back(row);
    }
}

/// Characters that change how others look, or hide: bidirectional overrides, zero-width marks,
/// invisible letters and tags. A log line is no place for them.
pub(crate) fn misleads(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}
