//! Tokens that a program prints for a person to keep.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use secrecy::{ExposeSecret as _, SecretString};

use super::link::{ascii, is_open};
use crate::provider::Pattern;
use crate::screen::{ELLIPSIS, LETTER, SYMBOL, Screen};

/// Rows that one token may be spread over; a token is some hundred characters.
const ROWS: usize = 32;
/// Blanks between a token and the frame around it.
const FRAME_GAP: usize = 2;
/// Tokens that were announced are not announced again; a sign-in has one.
const REMEMBERED: usize = 64;

/// A token as it stood on the screen: neither shown nor written by accident.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// The token itself.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The token, to be kept.
    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(****)")
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Token {}

/// Finds tokens and remembers which were announced, not what they were.
#[derive(Clone)]
pub(crate) struct Tokens {
    shape: Option<Pattern>,
    announced: HashSet<u64>,
}

/// What a line holds.
#[derive(Default)]
pub(crate) struct Found {
    /// Tokens to announce, in reading order.
    pub(crate) tokens: Vec<Token>,
    /// One is not decided yet: look again when something moved.
    pub(crate) open: bool,
}

/// A run of rows as one text, one byte a column, without what a program indented or framed.
#[derive(Default)]
struct Run {
    text: Vec<u8>,
    /// For each row its place in the text, the row and the column its text begins at.
    rows: Vec<(usize, usize, usize)>,
}

impl Tokens {
    pub(crate) fn new(shape: Option<Pattern>) -> Self {
        Self { shape, announced: HashSet::new() }
    }

    /// Looks for tokens in the rows `first..=last` and those they go on from or in.
    ///
    /// Only what something follows is whole: half a token is worse than none.
    pub(crate) fn find(&mut self, screen: &Screen, first: usize, last: usize) -> Found {
        let mut found = Found::default();
        let Some(shape) = &self.shape else { return found };
        let run = Run::around(screen, first, last);
        for hit in shape.find_iter(ascii(&run.text)) {
            if !stands_alone(&run.text, hit.start(), hit.end()) {
                continue;
            }
            let (start, end) = (run.cell(hit.start()), run.cell(hit.end() - 1));
            if is_open(screen, start, end) || may_go_on(screen, end) {
                found.open = true;
                continue;
            }
            let mut hasher = DefaultHasher::new();
            hit.as_str().hash(&mut hasher);
            if self.announced.len() < REMEMBERED && self.announced.insert(hasher.finish()) {
                found.tokens.push(Token(SecretString::from(hit.as_str())));
            }
        }
        found
    }
}

impl Run {
    fn around(screen: &Screen, first: usize, last: usize) -> Self {
        let (mut first, mut last) = (first, last);
        while first > 0 && last - first < ROWS && continuation(screen, first - 1).is_some() {
            first -= 1;
        }
        while last + 1 < screen.total()
            && last - first < ROWS
            && continuation(screen, last).is_some()
        {
            last += 1;
        }
        let mut run = Self::default();
        let mut begins = 0;
        for row in first..=last {
            run.rows.push((run.text.len(), row, begins));
            let mut line = Vec::with_capacity(screen.row(row).len());
            screen.row(row).push_bytes(&mut line);
            let next = if row < last { continuation(screen, row) } else { None };
            let ends = next.map_or(line.len(), |(ends, _)| ends);
            run.text.extend_from_slice(line.get(begins..ends).unwrap_or_default());
            begins = next.map_or(0, |(_, column)| column);
            if next.is_none() {
                run.text.push(b'\n');
            }
        }
        run
    }

    /// The row and the column of a place in the text.
    fn cell(&self, at: usize) -> (usize, usize) {
        let (start, row, begins) = self.rows[self.rows.partition_point(|row| row.0 <= at) - 1];
        (row, begins + at - start)
    }
}

/// Where the text of a row ends and at which column of the next row it goes on, if a token may:
/// the terminal wrapped it there, or the program did at the edge of the screen or of a frame.
fn continuation(screen: &Screen, row: usize) -> Option<(usize, usize)> {
    let columns = screen.columns();
    let (above, below) = (screen.row(row), screen.row(row + 1));
    if above.wrapped {
        return Some((columns.min(above.len()), 0));
    }
    if above.closed {
        return None;
    }
    let mut begins = (0..below.len()).find(|&column| below.byte(column) != b' ')?;
    let mut ends = above.len();
    if ends < columns || !is_token(above.byte(ends - 1)) {
        // A frame on both sides?
        let edge = (0..ends).rev().find(|&column| above.byte(column) != b' ')?;
        if above.byte(edge) != SYMBOL || below.byte(begins) != SYMBOL {
            return None;
        }
        let inside = (0..edge).rev().find(|&column| above.byte(column) != b' ')?;
        if edge - inside - 1 > FRAME_GAP {
            return None;
        }
        ends = inside + 1;
        begins = (begins + 1..below.len()).find(|&column| below.byte(column) != b' ')?;
    }
    let joined = is_token(above.byte(ends - 1)) && is_token(below.byte(begins));
    joined.then_some((ends, begins))
}

/// Whether what ends there fills its row and the next one is still to be written.
fn may_go_on(screen: &Screen, (row, column): (usize, usize)) -> bool {
    let at_edge = column + 1 == screen.columns();
    let framed = (column + 1..screen.row(row).len())
        .all(|column| matches!(screen.row(row).byte(column), b' ' | SYMBOL))
        && screen.row(row).len() > column + 1;
    (at_edge || framed)
        && row + 1 < screen.total()
        && screen.row(row + 1).is_blank()
        && screen.cursor_row() <= row + 1
}

/// Whether it is not a piece of something longer.
fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let joins = |byte: u8| is_token(byte) || matches!(byte, ELLIPSIS | LETTER | b'*' | b'.');
    let dotted = text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(|&next| joins(next));
    let joined = text.get(end).is_some_and(|&next| next != b'.' && joins(next));
    !dotted && !joined && !start.checked_sub(1).is_some_and(|before| joins(text[before]))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
