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
/// Places in a secret that a piece may fit; more only happens to very monotonous ones.
const PLACES: usize = 8;
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
    /// A piece of a pasted secret: which one, and how far into it. A piece may fit more than once.
    Pieces(Vec<(usize, usize)>),
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
        let content = line.trim_end_matches(is_frame).len();
        let mut hidden: Vec<(usize, usize)> = Vec::new();
        let mut carry = Carry::Nothing;
        for (start, end) in known_shapes(line) {
            if end == content && end - start >= PIECE {
                carry = Carry::Token;
            }
            hidden.push((start, end));
        }
        let mut pieces = self.continue_from_before(line, content, &mut hidden);
        for (index, secret) in self.secrets.iter().enumerate() {
            let ends = secret.find(line, content, &mut hidden);
            pieces.extend(ends.into_iter().take(PLACES).map(|offset| (index, offset)));
        }
        if !pieces.is_empty() {
            carry = Carry::Pieces(pieces);
        }
        (cover(line, hidden), carry)
    }

    /// Hides what goes on at the start of this line of a secret that the line before ended in;
    /// gives how far into the secret that goes, if it fills the line.
    fn continue_from_before(
        &self,
        line: &str,
        content: usize,
        hidden: &mut Vec<(usize, usize)>,
    ) -> Vec<(usize, usize)> {
        let start = line.len() - line.trim_start_matches(is_frame).len();
        let word = line[start..].split(|c: char| !is_token(c)).next().unwrap_or_default();
        let mut further = Vec::new();
        match &self.carry {
            Carry::Nothing => {}
            Carry::Token => {
                // A word of plain letters is the next sentence.
                let plain = word.chars().skip(1).all(|c| c.is_ascii_lowercase());
                if !word.is_empty() && !plain {
                    hidden.push((start, start + word.len()));
                }
            }
            Carry::Pieces(places) => {
                for &(index, offset) in places {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        Redactor::default().line(text)
    }

    #[test]
    fn known_shapes_are_masked() {
        for (text, safe) in [
            ("key sk-proj-abcdefghij1234 end", "key **** end"),
            ("token sk-ant-oat01-AbC_d-eFgHiJkL.", "token ****"),
            ("API key configured - sk-mock-***bcdef", "API key configured - ****"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln x", "jwt **** x"),
            (
                "http://localhost:1455/success?id_token=eyJh.x.y&n=1",
                "http://localhost:1455/success?id_token=****&n=1",
            ),
            ("id_token=abc access_token=def&x", "id_token=**** access_token=****&x"),
            (
                "GET /auth/callback?code=ac_1234567890&state=x",
                "GET /auth/callback?code=****&state=x",
            ),
            ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer ****"),
            ("│ **********2uCFxo  │", "│ ****  │"),
            ("••••••••abc", "****"),
            ("refresh rt_abcdefghijklmnopqrstuvwx", "refresh ****"),
        ] {
            assert_eq!(line(text), safe);
        }
    }

    #[test]
    fn what_a_person_needs_stays() {
        let state = "a".repeat(43);
        for text in [
            "Continue only if you started this login in Codex.",
            "https://claude.com/cai/oauth/authorize?code=true&response_type=code&state=abc",
            &format!("https://claude.com/oauth/authorize?code_challenge={state}&state={state}"),
            "https://github.com/login/device?user_code=ABCD-EFGH",
            "   CZ6N-DCWVI",
            "task-list sk-1 ask-me-anything-now",
            "**bold** and *** and ****",
            "a == b; x=1",
            "start eyJ",
        ] {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn a_broken_token_is_masked_on_the_next_line_too() {
        let mut redactor = Redactor::default();
        assert_eq!(redactor.line("│ sk-ant-oat01-abcdefghijkl │"), "│ **** │");
        assert_eq!(redactor.line("│ mnop_QRSTUV-0123 │"), "│ **** │");
        assert_eq!(redactor.line("│ wxyz0 │"), "│ wxyz0 │");
        redactor.line("sk-ant-oat01-abcdefghijkl");
        assert_eq!(redactor.line("Store it safely"), "Store it safely");
    }

    #[test]
    fn short_answers_are_no_secrets_and_short_secrets_are_words() {
        let mut redactor = Redactor::default();
        redactor.mask("y");
        redactor.mask("1234");
        assert_eq!(redactor.line("y 1234 12345 x1234 (1234)"), "y **** 12345 x1234 (****)");
    }

    #[test]
    fn percent_encoded_secrets_are_masked() {
        let mut redactor = Redactor::default();
        redactor.mask("abcdef#ghijkl");
        assert_eq!(redactor.line("x=abcdef%23ghijkl;"), "x=****;");
    }
}
