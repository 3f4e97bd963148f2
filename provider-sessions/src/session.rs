//! One sign-in: what it is called, where it stands, what a person sees of it.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use uuid::Uuid;

use crate::failure::Failure;

/// Names one sign-in; random, so that it cannot be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(Uuid);

impl SessionId {
    /// A new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SessionId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::from_str(text).map(Self)
    }
}

/// The method of every install; no sign-in has one of that name.
pub const INSTALL_METHOD: &str = "install";

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A person signs a program in.
    SignIn,
    /// A provider's program is put on this machine, or brought up to date.
    Install,
}

impl Kind {
    /// The kind of a session of that method.
    pub fn of_method(method: &str) -> Self {
        if method == INSTALL_METHOD { Self::Install } else { Self::SignIn }
    }
}

/// How a sign-in stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Being launched.
    Starting,
    /// The program runs.
    Running,
    /// The program ended well and its own status command agreed.
    Completed,
    /// It did not work, or the server was stopped; [`SessionView::failure`] says why.
    Failed,
    /// A person ended it.
    Canceled,
    /// Room's own limit ended it.
    TimedOut,
}

impl Status {
    /// Whether the sign-in is still going on.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Starting | Self::Running)
    }
}

/// What is going on right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The program starts; no link yet.
    Launching,
    /// The person has a link (and a code) to approve.
    AwaitingApproval,
    /// The program waits for the pasted code.
    AwaitingInput,
    /// The program stores what it got.
    Storing,
    /// The program's own status command is asked.
    Verifying,
    /// Being ended.
    Cancelling,
    /// Over.
    Done,
}

/// One line a person would have seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Rises within a session, from 1; by more than one where lines were left out of a flood, which
    /// are counted in [`SessionView::dropped_lines`].
    pub id: u64,
    /// Who wrote it.
    pub stream: Stream,
    /// Plain text: no escapes, no controls, secrets masked.
    pub text: String,
    /// When it was complete.
    pub at: Timestamp,
}

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The program, on its terminal.
    Terminal,
    /// Room itself, a remark between the program's lines.
    Room,
}

/// A sign-in as one coherent moment shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// What it is for.
    pub kind: Kind,
    /// The provider's id.
    pub provider: String,
    /// The method's id.
    pub method: String,
    /// How it stands.
    pub status: Status,
    /// What is going on.
    pub step: Step,
    /// The command line, as a person would type it.
    pub command: String,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When anything here changed last.
    pub updated_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// When what is on screen stops being useful: the code's end, else the session's.
    pub deadline: Timestamp,
    /// The program's exit code; 128 plus the number for a signal.
    pub exit_code: Option<i32>,
    /// The link, https on the provider's host list, whole.
    pub verification_url: Option<String>,
    /// The code to type there.
    pub device_code: Option<String>,
    /// Whether a pasted code is wanted now.
    pub awaiting_input: bool,
    /// Why the program asks (again), in its own words.
    pub input_hint: Option<String>,
    /// Why it did not work; only when it is over.
    pub failure: Option<Failure>,
    /// What holds it up while it still runs: no link yet, or a question nobody taught us.
    pub notice: Option<Failure>,
    /// Who started it.
    pub started_by: String,
    /// The last lines, oldest first, none between them missing.
    pub lines: VecDeque<Line>,
    /// The line that the program is writing after those, secrets masked: a question, a progress
    /// display. It has no id until it is finished.
    pub current_line: Option<String>,
    /// How many lines before those are gone: the last line's id less how many are kept.
    pub dropped_lines: u64,
}

impl SessionView {
    /// Whether the sign-in is still going on.
    pub fn is_active(&self) -> bool {
        self.status.is_active()
    }
}
