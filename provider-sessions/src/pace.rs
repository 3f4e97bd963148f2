//! When what a program printed is told, and how much of it. Pure: whoever asks brings the time.
//!
//! Lines that come within 20 ms share a message, and a message holds about 16 KiB. The long-run rate
//! is one message in 20 ms, however fast the program prints: what a person could no longer read,
//! because what follows has scrolled it out of sight, is left out of the middle and counted.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Lines that come faster than this share a message.
const BATCH: Duration = Duration::from_millis(20);

/// … and a message holds about so many bytes.
const BATCH_BYTES: usize = 16 * 1024;

/// What a line costs in a message beside its text.
const AROUND: usize = 100;

/// The most that waits for its time, and so the most that is told of a flood at once.
const WAITING_BYTES: usize = 8 * BATCH_BYTES;

/// A line that is being written is told no more often than this: a spinner turns ten times a second.
const CURRENT: Duration = Duration::from_millis(200);

/// What is told at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// So many lines before these are not told.
    pub(crate) left_out: u64,
    /// Finished lines.
    pub(crate) lines: Vec<String>,
    /// The line being written after them; empty if there is none.
    pub(crate) current: String,
}

/// What waits to be told.
pub(crate) struct Pace {
    /// How many lines a person can look back over.
    max_lines: usize,
    waiting: VecDeque<String>,
    bytes: usize,
    left_out: u64,
    /// When what waits is told.
    due: Option<Instant>,
    /// Nothing is due before this.
    free_at: Option<Instant>,
    /// Whether a message went ahead of its time since the last one that was due.
    went_ahead: bool,
    /// Ready to be told.
    ready: Vec<Message>,
    /// When it is looked whether the line being written has changed.
    current_due: Option<Instant>,
    current_free_at: Option<Instant>,
    /// That line as it was told last.
    current: String,
}

impl Pace {
    /// For a person who can look back over so many lines.
    pub(crate) fn new(max_lines: usize) -> Self {
        Self {
            max_lines,
            waiting: VecDeque::new(),
            bytes: 0,
            left_out: 0,
            due: None,
            free_at: None,
            went_ahead: false,
            ready: Vec::new(),
            current_due: None,
            current_free_at: None,
            current: String::new(),
        }
    }

    /// A finished line.
    pub(crate) fn add(&mut self, line: String, now: Instant) {
        // The first line after a pause is due at once, the next ones share a message.
        let due = *self.due.get_or_insert(self.free_at.map_or(now, |at| at.max(now)));
        self.bytes += cost(&line);
        self.waiting.push_back(line);
        if self.went_ahead && now < due {
            self.leave_out();
        } else if self.bytes >= BATCH_BYTES {
            if now < due {
                self.went_ahead = true;
                self.seal(now);
            } else {
                self.fall_due(now);
            }
        }
    }

    /// Something was printed: the line being written may have changed.
    pub(crate) fn printed(&mut self, now: Instant) {
        let soon = now + BATCH;
        self.current_due.get_or_insert(self.current_free_at.map_or(soon, |at| at.max(soon)));
    }

    /// When [`Self::take`] has something to do.
    pub(crate) fn next(&self) -> Option<Instant> {
        // Lines bring the one being written with them.
        self.due.or(self.current_due)
    }

    /// What is to be told now, given the line being written.
    pub(crate) fn take(&mut self, now: Instant, current: impl FnOnce() -> String) -> Vec<Message> {
        if self.due.is_some_and(|at| now >= at) {
            self.fall_due(now);
        }
        let look = self.due.is_none() && self.current_due.is_some_and(|at| now >= at);
        if self.ready.is_empty() && !look {
            return Vec::new();
        }
        self.take_ready(now, current())
    }

    /// All that is not told yet.
    pub(crate) fn take_all(&mut self, now: Instant, current: String) -> Vec<Message> {
        self.fall_due(now);
        self.take_ready(now, current)
    }

    fn take_ready(&mut self, now: Instant, current: String) -> Vec<Message> {
        self.current_due = None;
        self.current_free_at = Some(now + CURRENT);
        let current = if current.trim().is_empty() { String::new() } else { current };
        if self.ready.is_empty() && current != self.current {
            self.ready.push(Message { left_out: 0, lines: Vec::new(), current: String::new() });
        }
        if let Some(last) = self.ready.last_mut() {
            last.current.clone_from(&current);
        }
        self.current = current;
        std::mem::take(&mut self.ready)
    }

    /// The time of what waits has come.
    fn fall_due(&mut self, now: Instant) {
        self.due = None;
        self.went_ahead = false;
        self.seal(now);
    }

    /// Makes messages of what waits; each takes its 20 ms.
    fn seal(&mut self, now: Instant) {
        self.bytes = 0;
        while !self.waiting.is_empty() {
            let mut bytes = 0;
            let fits = self.waiting.iter().take_while(|line| {
                let room = bytes < BATCH_BYTES;
                bytes += cost(line);
                room
            });
            let lines = self.waiting.drain(..fits.count()).collect();
            let left_out = std::mem::take(&mut self.left_out);
            self.ready.push(Message { left_out, lines, current: String::new() });
            let free_at = self.free_at.map_or(now, |at| at.max(now));
            self.free_at = Some(free_at + BATCH);
        }
    }

    /// Leaves out what would be out of sight before anyone could have read it.
    fn leave_out(&mut self) {
        while self.waiting.len() > self.max_lines.max(1) || self.bytes > WAITING_BYTES {
            let Some(oldest) = self.waiting.pop_front() else { break };
            self.bytes -= cost(&oldest);
            self.left_out += 1;
        }
    }
}

fn cost(line: &str) -> usize {
    line.len() + AROUND
}

#[cfg(test)]
mod tests;
