//! The detector: a program's terminal bytes to what they mean for a person signing in.
//!
//! Pure, with no clock. Bytes go through a [screen](crate::screen), and what is looked for is
//! looked for on that screen: in the raw bytes cursor moves stand for blanks and repainting drops
//! letters. When to look is decided by the bytes themselves, never by how they were divided into
//! reads, so any chunking gives the same events.

mod answer;
mod code;
mod core;
mod explain;
mod functions;
mod line;
mod link;
mod prompt;
mod token;

use crate::FailureCode;
use crate::provider::{Method, Provider};
use crate::screen::{Parser, Size};

pub use explain::{Candidate, Decision};
pub use token::Token;

use core::Core;

/// The screen is looked at at least this often, so that nothing drawn and wiped is missed.
const LOOK_BYTES: u64 = 64;

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
    /// What to type: a question stands on the screen that Room answers by itself.
    Answer(Vec<u8>),
    /// The whole token that a method with [`Yields::Token`](crate::provider::Yields::Token)
    /// printed; masked in every line. Each one comes once.
    Token(Token),
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
    /// A scanner for a program in a terminal of that size, whatever it was started for.
    pub fn new(provider: &Provider, size: Size) -> Self {
        Self::start(provider, None, size)
    }

    /// A scanner for a program that was started for that way to sign in; only this one finds
    /// [tokens](Event::Token).
    pub fn for_method(provider: &Provider, method: &Method, size: Size) -> Self {
        Self::start(provider, Some(method), size)
    }

    fn start(provider: &Provider, method: Option<&Method>, size: Size) -> Self {
        Self {
            parser: Parser::new(),
            core: Core::new(provider, method, size),
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
    /// it, tells what is painted on the screen, and answers what waits for an answer.
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

    /// Notes from now on why things are taken or refused; see [`Scanner::decisions`].
    pub fn explain(&mut self) {
        self.core.trace.start();
    }

    /// What was decided since this was last asked, in order, the same for any division of the
    /// bytes. An address or code that is still being written is not decided yet.
    pub fn decisions(&mut self) -> Vec<Decision> {
        self.core.trace.take()
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

#[cfg(test)]
mod tests;
