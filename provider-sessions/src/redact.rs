//! Secrets out of text, in one place: what programs print, what a person pasted.
//!
//! Known shapes (API keys, JWTs, tokens in addresses, half-masked input) go always; the pasted
//! code goes once [`Redactor::mask`] has named it, also in pieces.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

/// What stands where a secret was.
const MASK: &str = "****";
/// A piece of a secret this long is one wherever it stands; shorter ones only at a line's edges.
const PIECE: usize = 6;
/// The shortest end of a line that counts as the beginning of a secret being typed.
const BEGINNING: usize = 3;
/// Secrets remembered; one sign-in has a few at most.
const SECRETS: usize = 16;

/// Masks secrets in lines that are given to it in order.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    secrets: Vec<Secret>,
    carry: Carry,
}

#[derive(Clone)]
struct Secret {
    text: String,
    pieces: HashSet<[u8; PIECE]>,
}

/// What the line before ended in: a program may have broken a secret there.
#[derive(Clone, Default)]
enum Carry {
    #[default]
    Nothing,
    /// A token of a known shape.
    Token,
    /// Its last characters, which are a piece of a pasted secret.
    Piece(String),
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
        let (safe, carry) = self.apply(line);
        self.carry = carry;
        safe
    }

    /// The line being written, safe to show for now.
    pub(crate) fn unfinished(&self, line: &str) -> String {
        self.apply(line).0
    }

    fn apply(&self, line: &str) -> (String, Carry) {
        let mut hidden: Vec<(usize, usize)> = Vec::new();
        self.continue_from_before(line, &mut hidden);
        let mut carry = Carry::Nothing;
        let content = line.trim_end_matches(is_frame).len();
        for (start, end) in known_shapes(line) {
            if end == content && end - start >= PIECE {
                carry = Carry::Token;
            }
            hidden.push((start, end));
        }
        for secret in &self.secrets {
            secret.find(line, &mut hidden);
            if let Some(&(_, end)) = hidden.iter().find(|span| span.1 == content)
                && content >= PIECE
                && let Some(tail) = line.get(end - PIECE..end)
                && secret.text.contains(tail)
            {
                carry = Carry::Piece(tail.to_owned());
            }
        }
        (cover(line, hidden), carry)
    }

    /// What goes on at the start of this line of a secret that the line before ended in.
    fn continue_from_before(&self, line: &str, hidden: &mut Vec<(usize, usize)>) {
        let start = line.len() - line.trim_start_matches(is_frame).len();
        let word = line[start..].split(|c: char| !is_token(c)).next().unwrap_or_default();
        match &self.carry {
            Carry::Nothing => {}
            Carry::Token => {
                // A word of plain letters is the next sentence.
                let plain = word.chars().skip(1).all(|c| c.is_ascii_lowercase());
                if !word.is_empty() && !plain {
                    hidden.push((start, start + word.len()));
                }
            }
            Carry::Piece(tail) => {
                for secret in &self.secrets {
                    let rests = secret.text.match_indices(tail.as_str());
                    let rest = rests.map(|(at, _)| &secret.text[at + tail.len()..]);
                    let longest = rest.map(|rest| shared(rest, word)).max().unwrap_or(0);
                    if longest > 0 {
                        hidden.push((start, start + longest));
                    }
                }
            }
        }
    }
}

impl Secret {
    fn find(&self, line: &str, hidden: &mut Vec<(usize, usize)>) {
        if self.pieces.is_empty() {
            // Too short for pieces: whole words only.
            let alone = |at: usize, end: usize| {
                !line[..at].ends_with(is_token) && !line[end..].starts_with(is_token)
            };
            let found = line.match_indices(self.text.as_str());
            let spans = found.map(|(at, text)| (at, at + text.len()));
            hidden.extend(spans.filter(|&(at, end)| alone(at, end)));
            return;
        }
        let bytes = line.as_bytes();
        let mut at = 0;
        while at + PIECE <= bytes.len() {
            if self.pieces.contains(&bytes[at..at + PIECE]) {
                let end = at + PIECE;
                match hidden.last_mut() {
                    Some(last) if last.1 >= at && last.0 <= at => last.1 = last.1.max(end),
                    _ => hidden.push((at, end)),
                }
            }
            at += 1;
        }
        // The beginning of one that is still being echoed.
        let typed = line.trim_end();
        let longest = (BEGINNING..PIECE.min(self.text.len()))
            .rev()
            .find(|&length| self.text.get(..length).is_some_and(|head| typed.ends_with(head)));
        if let Some(length) = longest {
            hidden.push((typed.len() - length, typed.len()));
        }
    }
}

/// Where secrets of known shapes stand.
fn known_shapes(line: &str) -> impl Iterator<Item = (usize, usize)> {
    static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            // API keys and tokens: sk-…, sk-ant-oat01-…, half-masked ones too.
            r"\bsk-[A-Za-z0-9_*.…•-]{8,}",
            // Refresh tokens.
            r"|\brt[_.][A-Za-z0-9_.-]{20,}",
            // JSON web tokens, one part or more.
            r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*",
            // What callback addresses and forms carry.
            r"|\b(?:id_token|access_token|refresh_token|code_verifier|client_secret)=(?P<token>[^&\s'\x22#]+)",
            r"|[?&;]code=(?P<code>[^&\s'\x22]{8,})",
            r"|(?i:\bbearer\s+)(?P<bearer>[A-Za-z0-9._~+/=-]{12,})",
            // Input shown as stars but for its end.
            r"|[*•]{4,}[A-Za-z0-9#_.~-]{1,16}",
        ))
        .expect("a constant")
    });
    let found = |captures: regex::Captures<'_>| {
        let named = ["token", "code", "bearer"].into_iter().find_map(|name| captures.name(name));
        named.or_else(|| captures.get(0)).map(|found| (found.start(), found.end()))
    };
    // Most lines have none of these: a cheap look first.
    let suspicious = line.contains("sk-")
        || line.contains("eyJ")
        || line.contains("rt")
        || line.contains("****")
        || line.contains("••••")
        || line.contains('=')
        || line.contains("earer")
        || line.contains("EARER");
    suspicious.then(|| SHAPES.captures_iter(line)).into_iter().flatten().filter_map(found)
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
