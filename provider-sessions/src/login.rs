//! One live sign-in as a state machine: what happened goes in, what a person sees comes out.
//!
//! Pure: no clock, no process, no lock. `driver.rs` feeds it, `manager.rs` owns it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::failure::{Failure, FailureCode};
use crate::process::Exit;
use crate::provider::{Method, MethodKind, Provider};
use crate::scan::Event;
use crate::session::{Kind, Line, SessionId, SessionView, Status, Step, Stream};

/// Why a sign-in is being ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A person asked for it.
    Cancelled,
    /// The server is stopping.
    Shutdown,
    /// Its time is up.
    TimedOut,
}

/// What a [`Login`] is told about its terminal and its aftermath.
pub(crate) enum Input {
    /// The program runs.
    Launched,
    /// The scanner saw something.
    Seen(Event),
    /// The program has been quiet for a while and no link is there.
    Stuck,
    /// It has come to that step.
    #[cfg_attr(not(feature = "install"), expect(dead_code, reason = "only installs say so"))]
    At(Step),
    /// It cannot begin or go on, for that reason.
    Broken(FailureCode, String),
    /// What was pasted was taken and is being handed to the program.
    Pasted,
    /// The program did not take it: why, for a person.
    NotTaken(String),
    /// It is being ended.
    Ending(Ending),
    /// The program ended by itself.
    Exited(Exit),
    /// The program's own status command was asked: signed in or not, or no answer.
    Answered(Result<bool, String>),
    /// The new credentials could not be put in place.
    NotKept(String),
    /// The whole process tree is gone after [`Input::Ending`].
    Gone,
}

/// How much of a sign-in is kept for a person who joins late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Room's own limit for the whole sign-in.
    pub(crate) timeout: Duration,
    /// Lines kept; the oldest go first and are counted.
    pub(crate) max_lines: usize,
}

/// One sign-in.
pub(crate) struct Login {
    view: SessionView,
    limits: Limits,
    /// How the person signs in; nothing for an install.
    method: Option<Method>,
    /// The last reason the program gave for failing.
    said: Option<FailureCode>,
    ending: Option<Ending>,
    next_line: u64,
}

impl Login {
    pub(crate) fn new(
        provider: &Provider,
        method: &Method,
        started_by: &str,
        limits: Limits,
        now: Timestamp,
    ) -> Self {
        let command = std::iter::once(provider.program.as_str())
            .chain(method.args.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ");
        let view = begun(provider, Kind::SignIn, &method.id, command, started_by, limits, now);
        let method = Some(method.clone());
        Self { view, limits, method, said: None, ending: None, next_line: 1 }
    }

    /// An install of the provider's program: the same states, told of in other words.
    #[cfg(feature = "install")]
    pub(crate) fn install(
        provider: &Provider,
        started_by: &str,
        limits: Limits,
        now: Timestamp,
    ) -> Self {
        let command = provider.install.command.clone();
        let method = crate::session::INSTALL_METHOD;
        let view = begun(provider, Kind::Install, method, command, started_by, limits, now);
        Self { view, limits, method: None, said: None, ending: None, next_line: 1 }
    }

    fn is(&self, kind: MethodKind) -> bool {
        self.method.as_ref().is_some_and(|method| method.kind == kind)
    }

    /// How long the vendor honours a code, in seconds.
    fn lifetime(&self) -> Option<u32> {
        self.method.as_ref()?.code_lifetime_s
    }

    fn failure(&self, code: FailureCode, provider: &Provider) -> Failure {
        match self.view.kind {
            Kind::SignIn => Failure::of(code, provider),
            Kind::Install => Failure::of_install(code, provider),
        }
    }

    pub(crate) fn view(&self) -> &SessionView {
        &self.view
    }

    /// Counts lines that nobody can read any more: what follows has scrolled them out of sight. Their
    /// numbers are left out, and what is kept stays without a hole.
    pub(crate) fn leave_out(&mut self, lines: u64) {
        if lines > 0 {
            self.next_line += lines;
            self.view.dropped_lines += lines + self.view.lines.len() as u64;
            self.view.lines.clear();
        }
    }

    /// Adds finished lines; the caller tells the observer.
    pub(crate) fn write(
        &mut self,
        stream: Stream,
        texts: Vec<String>,
        now: Timestamp,
    ) -> Vec<Line> {
        let new: Vec<Line> = texts
            .into_iter()
            .map(|text| {
                let id = self.next_line;
                self.next_line += 1;
                Line { id, stream, text, at: now }
            })
            .collect();
        self.view.lines.extend(new.iter().cloned());
        let surplus = self.view.lines.len().saturating_sub(self.limits.max_lines);
        self.view.lines.drain(..surplus);
        self.view.dropped_lines += surplus as u64;
        self.view.updated_at = now;
        new
    }

    /// What the program is writing now, not finished yet; empty if that is nothing.
    pub(crate) fn writes(&mut self, text: String) {
        self.view.current_line = (!text.is_empty()).then_some(text);
    }

    /// Takes one input; true when something other than lines changed.
    pub(crate) fn apply(&mut self, input: Input, provider: &Provider, now: Timestamp) -> bool {
        if !self.view.is_active() {
            return false;
        }
        let before = self.heads();
        match input {
            Input::Launched => self.view.status = Status::Running,
            Input::At(step) => {
                if self.ending.is_none() {
                    self.view.step = step;
                }
            }
            Input::Broken(code, detail) => {
                self.write(Stream::Room, vec![detail], now);
                self.fail(code, provider, now);
            }
            Input::Seen(event) => self.see(event, now),
            Input::Stuck => {
                let silent = self.view.lines.is_empty() && self.view.current_line.is_none();
                let code = if silent { FailureCode::NoAnswer } else { FailureCode::Unrecognised };
                self.view.notice = Some(Failure::of(code, provider));
            }
            Input::Pasted => {
                self.view.awaiting_input = false;
                self.view.input_hint = None;
                self.view.step = Step::Storing;
            }
            Input::NotTaken(why) => {
                // It may have ended over it, which says more.
                if self.ending.is_none() && self.view.step == Step::Storing {
                    self.ask(Some(why));
                }
            }
            Input::Ending(why) => {
                self.ending.get_or_insert(why);
                self.view.step = Step::Cancelling;
                self.view.awaiting_input = false;
            }
            Input::Exited(exit) => self.exited(exit, provider, now),
            Input::Answered(Ok(true)) => self.end(Status::Completed, None, now),
            Input::Answered(Ok(false)) => self.fail(FailureCode::NotSignedIn, provider, now),
            Input::Answered(Err(detail)) => {
                self.write(Stream::Room, vec![detail], now);
                self.fail(FailureCode::NotSignedIn, provider, now);
            }
            Input::NotKept(detail) => {
                self.write(Stream::Room, vec![detail], now);
                self.fail(FailureCode::CannotStore, provider, now);
            }
            Input::Gone => self.gone(provider, now),
        }
        let changed = before != self.heads();
        if changed {
            self.view.updated_at = now;
        }
        changed
    }

    /// The view less what [`Self::write`] reports.
    fn heads(&mut self) -> SessionView {
        let lines = std::mem::take(&mut self.view.lines);
        let started_at = self.view.started_at;
        let heads = SessionView { updated_at: started_at, dropped_lines: 0, ..self.view.clone() };
        self.view.lines = lines;
        heads
    }

    fn see(&mut self, event: Event, now: Timestamp) {
        // While it is being ended, what the program still says is only a line.
        if self.ending.is_some() {
            return;
        }
        match event {
            Event::Link(url) => {
                self.view.verification_url = Some(url);
                self.view.notice = None;
                if self.is(MethodKind::PastedCallback) {
                    // It listens from its start: the address may come at any time.
                    self.ask(None);
                } else {
                    self.approve();
                }
            }
            Event::Code(code) => {
                if self.view.device_code.as_ref() != Some(&code) {
                    if let Some(seconds) = self.lifetime() {
                        let ends = after(now, Duration::from_secs(seconds.into()));
                        self.view.deadline =
                            ends.min(after(self.view.started_at, self.limits.timeout));
                    }
                    self.view.device_code = Some(code);
                }
                self.view.notice = None;
                self.approve();
            }
            Event::Prompt { hint } => {
                // A device-code program never asks for a paste; what looks like one is noise.
                if self.is(MethodKind::PastedCode) {
                    self.view.notice = None;
                    self.ask(hint);
                }
            }
            Event::PromptGone => self.view.awaiting_input = false,
            Event::Failed { code, .. } => self.said = Some(code),
            Event::Stored => self.view.step = Step::Storing,
            Event::Line(_) | Event::Reply(_) | Event::Answer(_) | Event::Token(_) => {}
        }
    }

    /// Something is to be pasted.
    fn ask(&mut self, hint: Option<String>) {
        self.view.awaiting_input = true;
        self.view.input_hint = hint;
        self.view.step = Step::AwaitingInput;
    }

    /// There is something to approve, unless the person already went further.
    fn approve(&mut self) {
        if self.view.step == Step::Launching {
            self.view.step = Step::AwaitingApproval;
        }
    }

    fn exited(&mut self, exit: Exit, provider: &Provider, now: Timestamp) {
        self.view.exit_code = exit.code.or(exit.signal.map(|signal| 128 + signal));
        self.view.awaiting_input = false;
        self.view.notice = None;
        if self.ending.is_some() {
            return;
        }
        if exit.code == Some(0) {
            self.view.step = Step::Verifying;
        } else {
            self.fail(self.said.unwrap_or(FailureCode::ProgramDied), provider, now);
        }
    }

    fn gone(&mut self, provider: &Provider, now: Timestamp) {
        match self.ending {
            Some(Ending::TimedOut) => {
                let code = match self.view.device_code {
                    Some(_) => FailureCode::Expired,
                    None => FailureCode::Timeout,
                };
                self.end(Status::TimedOut, Some(self.failure(code, provider)), now);
            }
            // Nobody wanted that end: the same to a person as a server that was killed.
            Some(Ending::Shutdown) => self.fail(FailureCode::ServerRestarted, provider, now),
            Some(Ending::Cancelled) | None => {
                let failure = self.failure(FailureCode::Canceled, provider);
                self.end(Status::Canceled, Some(failure), now);
            }
        }
    }

    fn fail(&mut self, code: FailureCode, provider: &Provider, now: Timestamp) {
        self.end(Status::Failed, Some(self.failure(code, provider)), now);
    }

    fn end(&mut self, status: Status, failure: Option<Failure>, now: Timestamp) {
        self.view.status = status;
        self.view.step = Step::Done;
        self.view.ended_at = Some(now);
        self.view.failure = failure;
        self.view.notice = None;
        self.view.awaiting_input = false;
        self.view.current_line = None;
    }
}

/// A session at its first moment.
fn begun(
    provider: &Provider,
    kind: Kind,
    method: &str,
    command: String,
    started_by: &str,
    limits: Limits,
    now: Timestamp,
) -> SessionView {
    SessionView {
        id: SessionId::random(),
        kind,
        provider: provider.id.clone(),
        method: method.to_owned(),
        status: Status::Starting,
        step: Step::Launching,
        command,
        started_at: now,
        updated_at: now,
        ended_at: None,
        deadline: after(now, limits.timeout),
        exit_code: None,
        verification_url: None,
        device_code: None,
        awaiting_input: false,
        input_hint: None,
        failure: None,
        notice: None,
        started_by: started_by.to_owned(),
        lines: std::collections::VecDeque::new(),
        current_line: None,
        dropped_lines: 0,
    }
}

fn after(start: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| start.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
