//! The launcher process itself: one thread that waits for the program, the server and the clock.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdin};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, WaitStatus};

use super::control::{self, Signals};
use super::tree::{self, Reaped};
use super::{OUTPUT_BYTES, Order, Report, Stdio, start};
use crate::process::Exit;

/// How long the tree may take to end by itself after SIGTERM. Nothing is left of a killed server's
/// programs within three seconds: that leaves half a second for SIGKILL and for looking.
const GRACE: Duration = Duration::from_millis(2500);

/// How long after that SIGKILL is repeated: only a process inside the kernel survives the first.
const KILLING: Duration = Duration::from_millis(1500);

/// The pause between two rounds of SIGKILL, so that what was forked meanwhile is found.
const ROUND: Duration = Duration::from_millis(20);

/// The exit code that says something was left: the server sweeps then.
const SOMETHING_LEFT: i32 = 1;

/// The exit code of a launcher that was not started by a server.
const NO_ORDER: i32 = 2;

/// Runs one program to its end, and then ends all that came of it. The result is the launcher's
/// exit code: 0 only when nothing is left.
pub(super) fn main() -> i32 {
    start::close_inherited();
    start::restrict();
    let Ok(signals) = Signals::catch() else { return NO_ORDER };
    let Ok(order) = control::read_order() else { return NO_ORDER };
    match start::start(&order) {
        Ok(child) => {
            let run = Run::new(child, order, signals);
            report(&Report::Started { pid: run.main.as_raw_nonzero().get() });
            run.watch()
        }
        Err(error) => {
            report(&Report::ExecFailed { message: error.to_string() });
            0
        }
    }
}

/// Writes a line for the server. A server that is gone is noticed on its other pipe.
fn report(report: &Report) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        let mut out = io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

/// How far the end has come.
enum Phase {
    Running,
    /// SIGTERM was sent; SIGKILL follows at that time.
    Terminating(Instant),
    /// SIGKILL is sent every round; given up at that time.
    Killing(Instant),
}

struct Run {
    main: Pid,
    main_alive: bool,
    phase: Phase,
    signals: Signals,
    server_there: bool,
    pipes: Option<Pipes>,
}

impl Run {
    fn new(child: Child, order: Order, signals: Signals) -> Self {
        let main = Pid::from_raw(child.id().cast_signed()).expect("a child has a process id");
        let pipes = match order.stdio {
            Stdio::Terminal(_) => None,
            Stdio::Pipes { input } => Some(Pipes::new(child, input.unwrap_or_default())),
        };
        Self { main, main_alive: true, phase: Phase::Running, signals, server_there: true, pipes }
    }

    fn watch(mut self) -> i32 {
        loop {
            // Cleared before looking: a child that ends after the look wakes the wait below.
            self.signals.clear();
            if self.reap_all() {
                break;
            }
            if matches!(self.phase, Phase::Running)
                && (!self.main_alive || !self.server_there || self.signals.asked_to_stop())
            {
                self.terminate();
            }
            let now = Instant::now();
            match self.phase {
                Phase::Terminating(until) if now >= until => {
                    self.phase = Phase::Killing(now + KILLING);
                    continue;
                }
                Phase::Killing(until) if now >= until => return SOMETHING_LEFT,
                Phase::Killing(_) => tree::signal_all(self.group(), Signal::KILL),
                Phase::Running | Phase::Terminating(_) => {}
            }
            self.wait();
        }
        if let Some(pipes) = self.pipes {
            report(&pipes.finish());
        }
        0
    }

    /// Takes note of every child that ended; says whether none is left.
    fn reap_all(&mut self) -> bool {
        loop {
            match tree::reap() {
                Reaped::One(pid, status) if pid == self.main => self.main_changed(status),
                Reaped::One(..) => {}
                Reaped::NothingYet => return false,
                Reaped::NoneLeft => return true,
            }
        }
    }

    fn main_changed(&mut self, status: WaitStatus) {
        if let Some(signal) = status.stopping_signal() {
            let by_terminal =
                [Signal::TTIN, Signal::TTOU, Signal::TSTP].map(Signal::as_raw).contains(&signal);
            // Continued only with the terminal in its hands: it would stop again at once without.
            if by_terminal && start::has_terminal(self.main) {
                let _ = rustix::process::kill_process_group(self.main, Signal::CONT);
            }
            return;
        }
        self.main_alive = false;
        report(&Report::Exited(Exit {
            code: status.exit_status(),
            signal: status.terminating_signal(),
        }));
        #[cfg(not(target_os = "linux"))]
        {
            // The last moment at which the group is surely still the program's.
            let _ = rustix::process::kill_process_group(self.main, Signal::KILL);
        }
    }

    /// Asks everything to end. A stopped process hears that only when it is continued.
    fn terminate(&mut self) {
        self.phase = Phase::Terminating(Instant::now() + GRACE);
        tree::signal_all(self.group(), Signal::TERM);
        tree::signal_all(self.group(), Signal::CONT);
    }

    fn group(&self) -> Option<Pid> {
        self.main_alive.then_some(self.main)
    }

    /// Waits until a signal, the server, a pipe or the clock asks for another look.
    fn wait(&mut self) {
        let limit = match self.phase {
            Phase::Running => None,
            Phase::Terminating(until) => Some(until.saturating_duration_since(Instant::now())),
            Phase::Killing(_) => Some(ROUND),
        };
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut waited = vec![PollFd::new(&self.signals, PollFlags::IN)];
        if self.server_there {
            waited.push(PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::IN));
        }
        if let Some(pipes) = &self.pipes {
            waited.extend(pipes.waited());
        }
        if rustix::event::poll(&mut waited, limit.as_ref()).is_err() {
            return;
        }
        let server_spoke = self.server_there && !waited[1].revents().is_empty();
        drop(waited);
        if server_spoke {
            // A line or the end of the pipe: both mean the same.
            self.server_there = false;
        }
        if let Some(pipes) = &mut self.pipes {
            pipes.carry();
        }
    }
}

/// The program's descriptors 0, 1 and 2 in a run with pipes.
struct Pipes {
    input: Option<ChildStdin>,
    to_write: Vec<u8>,
    output: [Captured; 2],
}

struct Captured {
    pipe: Option<Box<dyn Source>>,
    kept: Vec<u8>,
}

/// A readable end of a pipe.
trait Source: Read + AsFd {}
impl<T: Read + AsFd> Source for T {}

impl Pipes {
    fn new(child: Child, input: String) -> Self {
        let nonblocking = |pipe: BorrowedFd<'_>| {
            let _ = rustix::io::ioctl_fionbio(pipe, true);
        };
        if let Some(pipe) = &child.stdin {
            nonblocking(pipe.as_fd());
        }
        let stdout = child.stdout.map(|pipe| Box::new(pipe) as Box<dyn Source>);
        let stderr = child.stderr.map(|pipe| Box::new(pipe) as Box<dyn Source>);
        let output = [stdout, stderr].map(|pipe| {
            if let Some(pipe) = &pipe {
                nonblocking(pipe.as_fd());
            }
            Captured { pipe, kept: Vec::new() }
        });
        let mut pipes = Self { input: child.stdin, to_write: input.into_bytes(), output };
        pipes.carry();
        pipes
    }

    fn waited(&self) -> impl Iterator<Item = PollFd<'_>> {
        let input = self.input.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::OUT));
        let output = self.output.iter().filter_map(|captured| {
            let pipe = captured.pipe.as_ref()?;
            Some(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN))
        });
        input.into_iter().chain(output)
    }

    /// Moves what can be moved without waiting.
    fn carry(&mut self) {
        if let Some(pipe) = &mut self.input {
            match pipe.write(&self.to_write) {
                Ok(count) => {
                    self.to_write.drain(..count);
                    if self.to_write.is_empty() {
                        self.input = None;
                    }
                }
                Err(error) if is_later(&error) => {}
                // The program does not want it.
                Err(_) => self.input = None,
            }
        }
        for captured in &mut self.output {
            captured.carry();
        }
    }

    /// What was written in all. Nobody of the tree is left to write more, so what there is can be
    /// read at once.
    fn finish(mut self) -> Report {
        for captured in &mut self.output {
            while captured.carry() {}
        }
        let [stdout, stderr] =
            self.output.map(|captured| String::from_utf8_lossy(&captured.kept).into_owned());
        Report::Output { stdout, stderr }
    }
}

impl Captured {
    /// Reads what is there, up to a bound: a program that never stops writing must not keep the
    /// launcher from hearing the server. Says whether there may be more.
    fn carry(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        for _ in 0..16 {
            let Some(pipe) = &mut self.pipe else { return false };
            match pipe.read(&mut bytes) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    let room = OUTPUT_BYTES.saturating_sub(self.kept.len()).min(count);
                    self.kept.extend_from_slice(&bytes[..room]);
                }
                Err(error) if is_later(&error) => return false,
                Err(_) => self.pipe = None,
            }
        }
        true
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
