//! Secrets out of text, in one place: what programs print, what a person pasted.
//!
//! Known shapes (API keys, JWTs, tokens in addresses, half-masked input) go always; the pasted
//! code goes once [`Redactor::mask`] has named it, also in pieces.

mod shapes;

use std::collections::HashSet;

use shapes::{beginning, known_shapes};

/// What stands where a secret was.
const MASK: &str = "****";
/// A piece of a secret this long is one wherever it stands; shorter ones only at a line's edges.
const PIECE: usize = 6;
/// The shortest end of a line that counts as the beginning of a secret being typed.
const BEGINNING: usize = 3;
/// Places in a secret that a piece may fit; more only happens to very monotonous ones.
const PLACES: usize = 8;
/// How much of a broken word is remembered: a token or an address with one.
const WORD: usize = 2048;
/// Lines it may be broken over.
const WORDS: usize = 16;
/// Secrets remembered; one sign-in has a few at most.
const SECRETS: usize = 16;

/// Masks secrets in lines that are given to it in order.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    secrets: Vec<Secret>,
    /// What the line before ended in: a program may have broken a secret there.
    before: Before,
}

#[derive(Clone)]
struct Secret {
    text: String,
    pieces: HashSet<[u8; PIECE]>,
}

/// The end of the line before.
#[derive(Clone, Default)]
struct Before {
    /// Its last word, and before it those of the lines that it may have gone on from.
    words: Vec<String>,
    /// How long the line was, in bytes, without and with its frame: what goes on from it is not
    /// longer.
    length: usize,
    whole: usize,
    /// Pieces of pasted secrets it ended in: which one, and how far into it. A piece may fit more
    /// than once.
    pieces: Vec<(usize, usize)>,
}

impl Redactor {
    /// Masks this text from now on.
    pub(crate) fn mask(&mut self, secret: &str) {
        let secret = secret.trim();
        for text in [secret.to_owned(), secret.replace('#', "%23")] {
            let known = self.secrets.iter().any(|other| other.text == text);
            // One or two characters are a menu's answer, no secret.
            if known || text.len() < BEGINNING {
                continue;
            }
            if self.secrets.len() == SECRETS {
                self.secrets.remove(0);
            }
            let pieces = text.as_bytes().windows(PIECE).filter_map(|piece| piece.try_into().ok());
            self.secrets.push(Secret { pieces: pieces.collect(), text });
        }
    }

    /// The next line, safe to show.
    pub(crate) fn line(&mut self, line: &str) -> String {
        let (safe, before) = self.apply(line);
        self.before = before;
        safe
    }

    /// The line being written, safe to show for now.
    pub(crate) fn unfinished(&self, line: &str) -> String {
        self.apply(line).0
    }

    fn apply(&self, line: &str) -> (String, Before) {
        let content = line.trim_end_matches(is_frame).len();
        let mut hidden: Vec<(usize, usize)> = known_shapes(line);
        hidden.extend(beginning(line, content));
        let mut before = self.known_shape_goes_on(line, content, &mut hidden);
        before.pieces = self.pieces_go_on(line, content, &mut hidden);
        for (index, secret) in self.secrets.iter().enumerate() {
            let ends = secret.find(line, content, &mut hidden);
            before.pieces.extend(ends.into_iter().take(PLACES).map(|offset| (index, offset)));
        }
        (cover(line, hidden), before)
    }

    /// Hides what goes on at the start of this line of a known shape that began in a line before:
    /// the two words are read as one.
    fn known_shape_goes_on(
        &self,
        line: &str,
        content: usize,
        hidden: &mut Vec<(usize, usize)>,
    ) -> Before {
        let start = line.len() - line.trim_start_matches(is_frame).len();
        let inside = line.get(start..content).unwrap_or_default();
        let word = inside.split(char::is_whitespace).next().unwrap_or_default();
        let length = content - start.min(content);
        // A word of plain letters before others is the next sentence.
        let plain =
            word.len() < inside.len() && word.chars().skip(1).all(|c| c.is_ascii_lowercase());
        let framed = line[..start].contains(|c: char| !c.is_whitespace());
        let fits = length <= self.before.length || (!framed && content <= self.before.whole);
        let goes_on = !self.before.words.is_empty() && !plain && fits;
        if goes_on {
            let mut both = String::new();
            // The secret may begin in any of the lines before.
            for begins in 0..self.before.words.len() {
                both.clear();
                both.extend(self.before.words[begins..].iter().map(String::as_str));
                let seam = both.len();
                both.push_str(word);
                for (from, to) in known_shapes(&both) {
                    if to > seam {
                        hidden.push((start + from.saturating_sub(seam), start + to - seam));
                    }
                }
                // Not enough of it to be one for sure, and it may be going on.
                let open = (start + word.len() == content).then(|| beginning(&both, both.len()));
                if open.flatten().is_some_and(|(from, _)| from < seam) {
                    hidden.push((start, content));
                }
            }
        }
        let last = inside.rsplit(char::is_whitespace).next().unwrap_or_default();
        let mut words = Vec::new();
        if goes_on && last.len() == inside.len() {
            words.clone_from(&self.before.words);
        }
        words.extend((!last.is_empty() && last.len() <= WORD).then(|| last.to_owned()));
        while words.len() > WORDS || words.iter().map(String::len).sum::<usize>() > WORD {
            words.remove(0);
        }
        Before { words, length, whole: line.trim_end().len(), pieces: Vec::new() }
    }

    /// Hides what goes on at the start of this line of a pasted secret that the line before ended
    /// in; gives how far into the secret that goes, if it fills the line.
    fn pieces_go_on(
        &self,
        line: &str,
        content: usize,
        hidden: &mut Vec<(usize, usize)>,
    ) -> Vec<(usize, usize)> {
        let start = line.len() - line.trim_start_matches(is_frame).len();
        let word = line[start..].split(|c: char| !is_token(c)).next().unwrap_or_default();
        let mut further = Vec::new();
        for &(index, offset) in &self.before.pieces {
            let rest = self.secrets.get(index).and_then(|one| one.text.get(offset..));
            let rest = rest.unwrap_or_default();
            let length = shared(rest, word);
            if length > 0 && (length == word.len() || length == rest.len()) {
                hidden.push((start, start + length));
                if start + length == content && length < rest.len() {
                    further.push((index, offset + length));
                }
            }
        }
        further
    }
}

impl Secret {
    /// Hides every piece; gives how far into the secret the pieces go that end the line.
    fn find(&self, line: &str, content: usize, hidden: &mut Vec<(usize, usize)>) -> Vec<usize> {
        if self.pieces.is_empty() {
            // Too short for pieces: whole words only.
            let alone = |at: usize, end: usize| {
                !line[..at].ends_with(is_token) && !line[end..].starts_with(is_token)
            };
            let found = line.match_indices(self.text.as_str());
            let spans = found.map(|(at, text)| (at, at + text.len()));
            hidden.extend(spans.filter(|&(at, end)| alone(at, end)));
            return Vec::new();
        }
        let bytes = line.as_bytes();
        for at in 0..(bytes.len() + 1).saturating_sub(PIECE) {
            if self.pieces.contains(&bytes[at..at + PIECE]) {
                hidden.push((at, at + PIECE));
            }
        }
        let content = &line[..content];
        let tail = content.len().checked_sub(PIECE).and_then(|at| content.get(at..));
        if let Some(tail) = tail.filter(|tail| self.pieces.contains(tail.as_bytes())) {
            let places = self.text.match_indices(tail);
            return places.map(|(at, tail)| at + tail.len()).collect();
        }
        // The beginning of one that is still being echoed.
        let longest = (BEGINNING..PIECE.min(self.text.len()))
            .rev()
            .find(|&length| self.text.get(..length).is_some_and(|head| content.ends_with(head)));
        if let Some(length) = longest {
            hidden.push((content.len() - length, content.len()));
        }
        longest.into_iter().collect()
    }
}

/// Puts the mask over the places, which may touch and overlap.
fn cover(line: &str, mut hidden: Vec<(usize, usize)>) -> String {
    if hidden.is_empty() {
        return line.to_owned();
    }
    hidden.sort_unstable();
    let mut safe = String::with_capacity(line.len());
    let mut done = 0;
    let mut spans = hidden.into_iter().peekable();
    while let Some((start, mut end)) = spans.next() {
        while let Some(&(_, next)) = spans.peek().filter(|next| next.0 <= end) {
            end = end.max(next);
            spans.next();
        }
        // Pieces are bytes of ASCII secrets, but the line around them may be anything.
        let start = (0..=start).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
        let end = (end..=line.len()).find(|&at| line.is_char_boundary(at)).unwrap_or(line.len());
        safe.push_str(&line[done.min(start)..start]);
        safe.push_str(MASK);
        done = end;
    }
    safe.push_str(&line[done..]);
    safe
}

/// How many bytes two texts begin with in common.
fn shared(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

/// What tokens are made of.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "#_.~%-".contains(character)
}

/// What input boxes are drawn with.
fn is_frame(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{2500}'..='\u{257f}' | '|')
}

#[cfg(test)]
mod tests;
