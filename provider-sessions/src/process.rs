//! The server's end of a launcher: started, heard, told to stop, and reaped.
//!
//! One task per launcher owns its pipes and its process id until it is gone; those who wait look at
//! a value the task keeps up to date, so waiting can be given up and taken up again at will.

#[cfg(target_os = "linux")]
pub(crate) mod table;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::launcher::{Launcher, Order, Report, Spec, Stdio as Wanted};
use crate::sweep::{MARKER_VARIABLE, Marker};

/// How long a launcher may take until the program runs. It needs a few milliseconds; a machine
/// without memory or disk may need seconds, and a person waits for the answer.
const START: Duration = Duration::from_secs(10);

/// How long a launcher may take to end its tree, its own 4 seconds and some for a slow machine.
/// One that does not answer (stopped by the program it started, say) is killed then, and the sweep
/// does its work.
const STOP: Duration = Duration::from_secs(6);

/// The longest report: two outputs, each byte at worst six in JSON.
const REPORT_BYTES: u64 = 4 * 1024 * 1024;

/// How a program ended. Neither is known when its launcher was itself killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Exit {
    /// Its exit code.
    pub code: Option<i32>,
    /// The number of the signal that killed it.
    pub signal: Option<i32>,
}

/// What a program without a terminal wrote and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// The first 256 KiB of its standard output; what is not UTF-8 is replaced.
    pub stdout: String,
    /// The same of its standard error.
    pub stderr: String,
    /// Whether it was ended because its time was over.
    pub timed_out: bool,
}

/// Why a program does not run.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The system has no terminal to give.
    #[error("no terminal could be opened")]
    OpenTerminal(#[source] io::Error),
    /// The launcher itself could not be started.
    #[error("the launcher {} could not be started", .program.display())]
    StartLauncher {
        /// What should have been the launcher.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The launcher ended, or was silent for 10 seconds, before it said whether the program runs.
    #[error("the launcher did not answer")]
    LauncherSilent,
    /// The program could not be run: missing, not executable, a wrong interpreter, no such
    /// directory. The text names it and the reason.
    #[error("{reason}")]
    Program {
        /// A fragment for a person.
        reason: String,
    },
}

/// Runs a program with pipes instead of a terminal, and ends its whole tree after `limit`, counted
/// from the call. A tree that will not end adds up to 6 seconds.
///
/// Giving up the wait ends the tree too.
///
/// # Errors
/// When the program did not start.
pub async fn run(launcher: &Launcher, spec: Spec, limit: Duration) -> Result<Output, SpawnError> {
    run_until(launcher, spec, limit, std::future::pending()).await
}

/// The same, also ended when `enough` resolves; nothing of it is left when this returns.
pub(crate) async fn run_until(
    launcher: &Launcher,
    spec: Spec,
    limit: Duration,
    enough: impl Future<Output = ()>,
) -> Result<Output, SpawnError> {
    let deadline = Instant::now() + limit;
    let wanted = Wanted::Pipes { input: spec.input.clone() };
    let supervised = Supervised::start(launcher, spec, wanted).await?;
    let mut timed_out = false;
    let ended = tokio::select! {
        ended = timeout_at(deadline, supervised.exited()) => {
            timed_out = ended.is_err();
            ended.is_ok()
        }
        () = enough => false,
    };
    if !ended {
        supervised.stop();
    }
    supervised.gone().await;
    let (stdout, stderr) = supervised.output();
    Ok(Output { exit: supervised.exited().await, stdout, stderr, timed_out })
}

/// Keeps other processes of the same user from reading this one's memory and environment, and it
/// from leaving a core file. Linux only; elsewhere it does nothing.
///
/// A program of a login runs as the same user as the server, and could otherwise read the server's
/// secrets out of `/proc`. It does not hold against root.
///
/// # Errors
/// The system's own, when it refuses.
pub fn harden_self() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// What is known of a launcher's program.
#[derive(Default)]
struct State {
    exit: Option<Exit>,
    output: Option<(String, String)>,
    gone: bool,
    /// Processes that the launcher should have ended and did not.
    orphans: usize,
}

/// A launcher whose program runs. Dropped, it is told to end the tree, and the task that reaps it
/// lives until it has.
pub(crate) struct Supervised {
    state: watch::Receiver<State>,
    stop: DropGuard,
}

impl Supervised {
    /// Starts a launcher and waits until its program runs.
    pub(crate) async fn start(
        launcher: &Launcher,
        spec: Spec,
        stdio: Wanted,
    ) -> Result<Self, SpawnError> {
        let marker = spec.marker;
        let mut env = spec.env;
        env.retain(|(name, _)| name != MARKER_VARIABLE);
        env.push((MARKER_VARIABLE.to_owned(), marker.to_string()));
        let order = Order { program: spec.program, args: spec.args, env, cwd: spec.cwd, stdio };
        let mut line = serde_json::to_vec(&order).map_err(|error| SpawnError::Program {
            reason: format!("{} cannot be named: {error}", order.program.display()),
        })?;
        line.push(b'\n');
        let (sender, state) = watch::channel(State::default());
        let (started, answer) = oneshot::channel();
        let stop = CancellationToken::new();
        let supervised = Self { state, stop: stop.clone().drop_guard() };
        // A task of its own, so that whoever gives up waiting leaves no launcher unreaped.
        tokio::spawn(supervise(launcher.clone(), line, marker, stop, started, sender));
        match answer.await {
            Ok(Ok(())) => Ok(supervised),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(SpawnError::LauncherSilent),
        }
    }

    /// Waits until the program itself ended.
    pub(crate) async fn exited(&self) -> Exit {
        let mut state = self.state.clone();
        let found = state.wait_for(|state| state.exit.is_some()).await;
        found.ok().and_then(|state| state.exit).unwrap_or_default()
    }

    /// Waits until the launcher and all below it are gone.
    pub(crate) async fn gone(&self) {
        let _ = self.state.clone().wait_for(|state| state.gone).await;
    }

    /// Asks the launcher to end the tree.
    pub(crate) fn stop(&self) {
        self.stop.token().cancel();
    }

    /// How many processes were left by a launcher that did not end its tree, and were ended for it.
    pub(crate) fn orphans(&self) -> usize {
        self.state.borrow().orphans
    }

    fn output(&self) -> (String, String) {
        self.state.borrow().output.clone().unwrap_or_default()
    }
}

/// Looks after one launcher from its first to its last moment.
async fn supervise(
    launcher: Launcher,
    order: Vec<u8>,
    marker: Marker,
    stop: CancellationToken,
    started: oneshot::Sender<Result<(), SpawnError>>,
    state: watch::Sender<State>,
) {
    let program = launcher.program.clone();
    let text = marker.to_string();
    let spawned = tokio::task::spawn_blocking(move || spawn(&launcher, &text)).await;
    let (child, control, reports) = match spawned {
        Ok(Ok(parts)) => parts,
        Ok(Err(source)) => {
            let _ = started.send(Err(SpawnError::StartLauncher { program, source }));
            return;
        }
        // The runtime is shutting down.
        Err(_) => return,
    };
    let mut supervisor = Supervisor {
        child,
        control: pipe::Sender::from_owned_fd(control).ok(),
        limit: Some(Instant::now() + START),
        started: Some(started),
        state,
    };
    if let Ok(reports) = pipe::Receiver::from_owned_fd(reports) {
        supervisor.give(&order).await;
        supervisor.listen(reports, &stop).await;
    }
    // From here on the launcher has lost the server, if it is there at all.
    let Supervisor { child, started, state, .. } = supervisor;
    let orphans = tokio::task::spawn_blocking(move || reap(child, marker)).await.unwrap_or(0);
    if let Some(started) = started {
        let _ = started.send(Err(SpawnError::LauncherSilent));
    }
    state.send_modify(|state| {
        state.exit.get_or_insert_default();
        (state.gone, state.orphans) = (true, orphans);
    });
}

/// Starts the launcher. The standard library does it without copying the server's memory, so this
/// costs the same for a large server; it is blocking all the same.
fn spawn(launcher: &Launcher, marker: &str) -> io::Result<(Child, OwnedFd, OwnedFd)> {
    let mut child = Command::new(&launcher.program)
        .args(&launcher.args)
        .env_clear()
        .env(MARKER_VARIABLE, marker)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let control = child.stdin.take().expect("stdin is a pipe");
    let reports = child.stdout.take().expect("stdout is a pipe");
    Ok((child, control.into(), reports.into()))
}

struct Supervisor {
    child: Child,
    control: Option<pipe::Sender>,
    /// When the launcher must have done what it is doing; absent while the program just runs.
    limit: Option<Instant>,
    started: Option<oneshot::Sender<Result<(), SpawnError>>>,
    state: watch::Sender<State>,
}

impl Supervisor {
    /// Writes the order. What does not take it is no launcher, and ends without a report.
    async fn give(&mut self, order: &[u8]) {
        let (Some(control), Some(limit)) = (&mut self.control, self.limit) else { return };
        if !matches!(timeout_at(limit, control.write_all(order)).await, Ok(Ok(()))) {
            self.control = None;
        }
    }

    /// Hears the launcher's reports until their end, which comes with the launcher's.
    async fn listen(&mut self, reports: pipe::Receiver, stop: &CancellationToken) {
        let mut reports = BufReader::new(reports.take(REPORT_BYTES));
        let mut line = Vec::new();
        loop {
            tokio::select! {
                read = reports.read_until(b'\n', &mut line) => {
                    if !matches!(read, Ok(1..)) {
                        return;
                    }
                    if let Ok(report) = serde_json::from_slice(&line) {
                        self.heard(report);
                    }
                    line.clear();
                }
                () = stop.cancelled(), if self.control.is_some() => {
                    if let Some(control) = self.control.take() {
                        // The end of the pipe says it too; the line also reaches a launcher whose
                        // pipe somebody else holds open.
                        let _ = control.try_write(b"stop\n");
                    }
                    self.limit = Some(Instant::now() + STOP);
                }
                () = sleep_until(self.limit.unwrap_or_else(Instant::now)), if self.limit.is_some() => {
                    let _ = self.child.kill();
                    self.limit = Some(Instant::now() + STOP);
                }
            }
        }
    }

    fn heard(&mut self, report: Report) {
        match report {
            Report::Started { .. } => {
                // Unless it was told to stop meanwhile.
                if self.control.is_some() {
                    self.limit = None;
                }
                self.answer(Ok(()));
            }
            Report::ExecFailed { message } => {
                self.answer(Err(SpawnError::Program { reason: message }));
            }
            Report::Exited(exit) => {
                // Now it ends what is left, asked or not.
                self.limit = Some(Instant::now() + STOP);
                self.state.send_modify(|state| state.exit = Some(exit));
            }
            Report::Output { stdout, stderr } => {
                self.state.send_modify(|state| state.output = Some((stdout, stderr)));
            }
        }
    }

    fn answer(&mut self, answer: Result<(), SpawnError>) {
        if let Some(started) = self.started.take() {
            // Whoever asked may have given up; the guard it dropped stops the launcher then.
            let _ = started.send(answer);
        }
    }
}

/// Waits for the launcher's end, and does its work when it could not: blocking. Says how many
/// processes it had to end.
fn reap(mut child: Child, marker: Marker) -> usize {
    let mut orphans = 0;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

        // Not reaped yet, so that its number, which is also its session's, stays its own.
        let pid = child.id().cast_signed();
        let ended = Pid::from_raw(pid).and_then(|pid| {
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).ok().flatten()
        });
        if ended.and_then(|status| status.exit_status()) != Some(0) {
            let swept = crate::sweep::sweep_after(marker, pid);
            orphans = swept.killed;
            tracing::warn!(
                killed = swept.killed,
                left = swept.left,
                "launcher did not end its tree"
            );
        }
    }
    #[cfg(not(target_os = "linux"))]
    drop(marker);
    let _ = child.wait();
    orphans
}
