//! Why the detector decided as it did, for a person who repairs a row.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use regex::Regex;

use super::link::Verdict;

/// Decisions that are kept until they are taken; a sign-in has some dozen.
const KEPT: usize = 1024;
/// How much of a candidate is told.
const TEXT_BYTES: usize = 2048;

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What it was a candidate for.
    pub what: Candidate,
    /// The candidate as it stood on the screen, secrets masked.
    pub text: String,
    /// Whether it was taken.
    pub taken: bool,
    /// Why, as a fragment that names the field of the row where one can change it.
    pub reason: String,
    /// Its score: how many of the checks it passed. They are made one after the other and the first
    /// that fails refuses it; only with all of them it is taken.
    pub met: u8,
    /// How many there are.
    pub of: u8,
    /// Where more than one could decide, its place in the order that does, from 1: of the rules of
    /// a row the first counts, of the links and codes that were shown the last.
    pub rank: Option<usize>,
}

/// What something on the screen may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Candidate {
    /// The sign-in link, in the text.
    Link,
    /// The sign-in link, as the target of a hyperlink (OSC 8).
    Target,
    /// The device code.
    Code,
    /// A prompt for a pasted code, or a question.
    Prompt,
    /// A question that Room answers by itself.
    Answer,
    /// A printed token.
    Token,
    /// Why the program fails.
    Failure,
    /// That it has what it needs.
    Stored,
}

impl Candidate {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Target => "hyperlink",
            Self::Code => "code",
            Self::Prompt => "prompt",
            Self::Answer => "answer",
            Self::Token => "token",
            Self::Failure => "failure",
            Self::Stored => "stored",
        }
    }
}

/// Notes decisions when somebody wants to know them, and does nothing else.
#[derive(Clone, Default)]
pub(super) struct Trace(Option<Box<Notes>>);

#[derive(Clone, Default)]
struct Notes {
    decisions: Vec<Decision>,
    seen: HashSet<u64>,
    /// The link and the code that were shown last, and how many there were.
    shown: HashMap<Candidate, (String, usize)>,
}

impl Trace {
    /// From now on.
    pub(super) fn start(&mut self) {
        self.0.get_or_insert_default();
    }

    /// Whether anybody wants to know.
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Notes a decision, once for the same candidate and reason.
    pub(super) fn note(&mut self, decision: impl FnOnce() -> Decision) {
        let Some(notes) = &mut self.0 else { return };
        if notes.decisions.len() >= KEPT {
            return;
        }
        let mut decision = decision();
        if decision.text.len() > TEXT_BYTES {
            let end = (0..=TEXT_BYTES).rev().find(|&at| decision.text.is_char_boundary(at));
            decision.text.truncate(end.unwrap_or(0));
        }
        let mut hasher = DefaultHasher::new();
        (decision.what, &decision.text, &decision.reason).hash(&mut hasher);
        if notes.seen.len() < 16 * KEPT && notes.seen.insert(hasher.finish()) {
            notes.decisions.push(decision);
        }
    }

    /// Notes what another one takes the place of.
    pub(super) fn shown(&mut self, what: Candidate, text: &str) {
        let Some(notes) = &mut self.0 else { return };
        let rank = notes.shown.get(&what).map_or(1, |(_, rank)| rank + 1);
        if let Some((old, rank)) = notes.shown.insert(what, (text.to_owned(), rank)) {
            self.note(|| replaced(what, old, rank));
        }
    }

    /// What was noted since this was last called.
    pub(super) fn take(&mut self) -> Vec<Decision> {
        self.0.as_mut().map(|notes| std::mem::take(&mut notes.decisions)).unwrap_or_default()
    }
}

/// Checks that a link passes one after the other: https, well formed, no user, no port, host,
/// page, complete, not cut off or quoted, followed by something.
const LINK_RULES: u8 = 9;

/// The decision on an address.
pub(super) fn on_link(what: Candidate, text: String, verdict: Verdict, ignored: bool) -> Decision {
    let local = ["://localhost", "://127.", "://[::1]"].iter().any(|host| text.contains(host));
    let (met, reason) = match verdict {
        Verdict::NotHttps if local => (0, "leads to this machine (loopback), and is not https"),
        Verdict::NotHttps => (0, "is not https"),
        Verdict::Malformed => (1, "has characters that no address has"),
        Verdict::UserInfo => (2, "has a user in front of its host: a disguise"),
        Verdict::Port => (3, "has a port, a sign-in page has none"),
        Verdict::ForeignHost if local => (4, "leads to this machine (loopback)"),
        Verdict::ForeignHost => (4, "host is not on the list (hosts)"),
        Verdict::OtherPage if ignored => {
            (5, "is a page of documents, terms or settings (scan.ignore)")
        }
        Verdict::OtherPage => (5, "no rule names this page (scan.links.path)"),
        Verdict::Incomplete => (6, "lacks what a whole link has (scan.links.complete)"),
        Verdict::CutOff => (7, "the text says itself that it is cut off"),
        Verdict::Quoted => {
            (7, "is part of an error line (scan.errors), of another address, or a hyperlink's text")
        }
        Verdict::Open => (8, "nothing follows it: it may be cut off (scan.links.whole)"),
        Verdict::Accepted => (LINK_RULES, "meets every rule"),
    };
    let taken = verdict == Verdict::Accepted;
    Decision { what, text, taken, reason: reason.to_owned(), met, of: LINK_RULES, rank: None }
}

/// Whether a line may ask something.
pub(super) fn is_question(line: &str) -> bool {
    static QUESTION: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(paste|enter|press|type)\b.*\b(code|enter|token|key)\b|\(y/n\)|\?\s*$")
            .expect("a constant")
    });
    QUESTION.is_match(line)
}

/// A decision with one rule only: it was met.
pub(super) fn met(what: Candidate, text: String, reason: &str) -> Decision {
    Decision { what, text, taken: true, reason: reason.to_owned(), met: 1, of: 1, rank: None }
}

/// What of a row's rules the text meets, those with these numbers (from 0): the first of them counts,
/// and each of the others says which one it lost to.
pub(super) fn by_rank(
    what: Candidate,
    text: &str,
    rules: &[(usize, String)],
    field: &str,
) -> Vec<Decision> {
    let Some((first, _)) = rules.first() else { return Vec::new() };
    let decided = |(rule, means): &(usize, String)| {
        let taken = rule == first;
        let (own, first) = (rule + 1, first + 1);
        let reason = if taken {
            format!("{means} ({field}, rule {own})")
        } else {
            format!("{means} too, but rule {first} stands before rule {own} ({field})")
        };
        let met = u8::from(taken);
        Decision { what, text: text.to_owned(), taken, reason, met, of: 1, rank: Some(rule + 1) }
    };
    rules.iter().map(decided).collect()
}

/// One that was shown, and that another one takes the place of.
fn replaced(what: Candidate, text: String, rank: usize) -> Decision {
    let reason = "a later one takes its place: of those shown the last counts".to_owned();
    Decision { what, text, taken: false, reason, met: 0, of: 1, rank: Some(rank) }
}
