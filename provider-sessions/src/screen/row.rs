//! One row of the screen: what stands in each column, without colours.

/// The right half of a wide character.
const TAIL: u32 = 1 << 30;
/// Printed inside a hyperlink (OSC 8) whose target is the announced kind.
const LINKED: u32 = 1 << 31;
const CHARACTER: u32 = 0x1f_ffff;
/// Combining marks kept a row; more than text needs, and a bound for hostile input.
const MARKS: usize = 64;

/// A row; cells beyond `len` are blank.
#[derive(Clone, Default)]
pub(crate) struct Row {
    cells: Vec<u32>,
    marks: Vec<(u16, char)>,
    /// The text goes on in the next row because the terminal wrapped it.
    pub(crate) wrapped: bool,
    /// Changed since the detector looked, or still pending there.
    pub(crate) dirty: bool,
    /// Has text that no line has told yet.
    pub(crate) untold: bool,
    /// Holds an address, or goes on with the one in the row above.
    pub(crate) address: bool,
    /// Nothing below goes on with it: another screen began there.
    pub(crate) closed: bool,
}

impl Row {
    /// The number of columns that were written.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Makes it a new row, keeping the memory.
    pub(crate) fn reset(&mut self) {
        self.cells.clear();
        self.marks.clear();
        self.wrapped = false;
        self.dirty = false;
        self.untold = false;
        self.address = false;
        self.closed = false;
    }

    /// Ends what it holds here.
    pub(crate) fn close(&mut self) {
        self.wrapped = false;
        self.closed = true;
    }

    fn touch(&mut self) {
        self.dirty = true;
        self.untold = true;
    }

    fn put(&mut self, column: usize, cell: u32) {
        if self.cells.len() <= column {
            self.cells.resize(column + 1, 0);
        }
        if self.cells[column] != cell {
            self.unpair(column);
            self.cells[column] = cell;
            self.touch();
        }
        if !self.marks.is_empty() {
            self.marks.retain(|mark| usize::from(mark.0) != column);
        }
    }

    /// A wide character that loses one half is gone.
    fn unpair(&mut self, column: usize) {
        if self.cells[column] & TAIL != 0 && column > 0 {
            self.cells[column - 1] = 0;
        }
        if let Some(next) = self.cells.get_mut(column + 1)
            && *next & TAIL != 0
        {
            *next = 0;
        }
    }

    /// Writes a character of the given width (1 or 2).
    pub(crate) fn write(&mut self, column: usize, character: char, width: usize, linked: bool) {
        let link = if linked { LINKED } else { 0 };
        self.put(column, u32::from(character) | link);
        if width == 2 {
            self.put(column + 1, TAIL | link);
        }
    }

    /// Writes ASCII, one column a byte.
    pub(crate) fn write_ascii(&mut self, column: usize, text: &[u8], linked: bool) {
        if self.cells.len() == column && self.marks.is_empty() {
            let link = if linked { LINKED } else { 0 };
            self.cells.extend(text.iter().map(|&byte| u32::from(byte) | link));
            self.touch();
            return;
        }
        for (offset, &byte) in text.iter().enumerate() {
            self.write(column + offset, char::from(byte), 1, linked);
        }
    }

    /// Adds a combining mark to the character before `column`.
    pub(crate) fn mark(&mut self, column: u16, mark: char) {
        if self.marks.len() < MARKS && usize::from(column) < self.cells.len() {
            self.marks.push((column, mark));
            self.touch();
        }
    }

    /// Blanks columns `from..to`.
    pub(crate) fn erase(&mut self, from: usize, to: usize) {
        let to = to.min(self.cells.len());
        if from >= to {
            return;
        }
        self.unpair(from);
        self.unpair(to - 1);
        if to == self.cells.len() {
            self.cells.truncate(from);
            self.wrapped = false;
        } else {
            self.cells[from..to].fill(0);
        }
        self.marks.retain(|mark| !(from..to).contains(&usize::from(mark.0)));
        self.dirty = true;
        if self.is_blank() {
            self.untold = false;
        }
    }

    /// Moves what is at `column` and after it to the right, dropping what passes `columns`.
    pub(crate) fn insert(&mut self, column: usize, count: usize, columns: usize) {
        if column < self.cells.len() {
            let count = count.min(columns - column);
            self.unpair(column);
            self.cells.splice(column..column, std::iter::repeat_n(0, count));
            self.cells.truncate(columns);
            self.marks.clear();
            self.wrapped = false;
            self.touch();
        }
    }

    /// Removes `count` columns at `column`; what is after them moves to the left.
    pub(crate) fn delete(&mut self, column: usize, count: usize) {
        if column < self.cells.len() {
            self.unpair(column);
            let end = (column + count).min(self.cells.len());
            self.unpair(end - 1);
            self.cells.drain(column..end);
            self.marks.clear();
            self.wrapped = false;
            self.touch();
        }
    }

    /// Whether nothing can be seen in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.cells.iter().all(|&cell| blank(cell))
    }

    /// Whether something can be seen in that column.
    pub(crate) fn is_filled(&self, column: usize) -> bool {
        self.cells.get(column).is_some_and(|&cell| !blank(cell))
    }

    /// Whether that column was printed inside an accepted hyperlink.
    pub(crate) fn is_linked(&self, column: usize) -> bool {
        self.cells.get(column).is_some_and(|&cell| cell & LINKED != 0)
    }

    /// The ASCII byte in that column; see [`Row::push_bytes`] for the others.
    pub(crate) fn byte(&self, column: usize) -> u8 {
        self.cells.get(column).map_or(b' ', |&cell| stand_in(cell))
    }

    /// Appends the text.
    pub(crate) fn push_text(&self, out: &mut String) {
        for (column, &cell) in self.cells.iter().enumerate() {
            if cell & TAIL == 0 {
                out.push(character(cell));
            }
            if !self.marks.is_empty() {
                let here = self.marks.iter().filter(|mark| usize::from(mark.0) == column);
                out.extend(here.map(|mark| mark.1));
            }
        }
    }

    /// Appends one byte a column, so that an index is a column: ASCII as it is, [`ELLIPSIS`],
    /// [`LETTER`] for other letters and digits, [`SYMBOL`] for everything else.
    pub(crate) fn push_bytes(&self, out: &mut Vec<u8>) {
        out.extend(self.cells.iter().map(|&cell| stand_in(cell)));
    }
}

/// Stands for `…`, which says that something was cut off here.
pub(crate) const ELLIPSIS: u8 = 1;
/// Stands for a letter or digit beyond ASCII.
pub(crate) const LETTER: u8 = 2;
/// Stands for any other character beyond ASCII: box drawing, bullets.
pub(crate) const SYMBOL: u8 = 3;

fn character(cell: u32) -> char {
    match char::from_u32(cell & CHARACTER) {
        None | Some('\0') => ' ',
        Some(character) => character,
    }
}

fn blank(cell: u32) -> bool {
    cell & TAIL == 0 && character(cell).is_whitespace()
}

fn stand_in(cell: u32) -> u8 {
    if cell & TAIL != 0 {
        return SYMBOL;
    }
    match character(cell) {
        '…' => ELLIPSIS,
        other if other.is_ascii() => other as u8,
        other if other.is_alphanumeric() => LETTER,
        other if other.is_whitespace() => b' ',
        _ => SYMBOL,
    }
}
