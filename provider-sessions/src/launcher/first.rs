//! The first process of a container (process 1): it hands signals on and waits for whoever ends,
//! so that the server need not tell its own children from those it inherits.

use std::process::Command;

use rustix::process::{Pid, Signal, WaitOptions};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

/// The exit code when the program itself could not be started.
const NOT_STARTED: i32 = 71;

/// Runs this program again with the same arguments, until it ends. The result is its exit code.
pub(super) fn main() -> i32 {
    let handed_on = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
    let Ok(mut signals) = Signals::new(handed_on.into_iter().chain([SIGCHLD])) else {
        return NOT_STARTED;
    };
    let Some(program) = start() else { return NOT_STARTED };
    for number in signals.forever() {
        if number == SIGCHLD {
            if let Some(code) = reap(program) {
                return code;
            }
        } else if let Some(signal) = Signal::from_named_raw(number) {
            // Fails only for a program that has just ended.
            let _ = rustix::process::kill_process(program, signal);
        }
    }
    NOT_STARTED
}

/// In a group of its own, which has the terminal if there is one: a typed Ctrl-C reaches it once,
/// and not a second time through this process.
fn start() -> Option<Pid> {
    use std::os::unix::process::CommandExt as _;

    let mut command = Command::new("/proc/self/exe");
    let mut args = std::env::args_os();
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    let child = command.args(args).process_group(0).spawn().ok()?;
    let program = Pid::from_raw(child.id().cast_signed())?;
    let _ = rustix::termios::tcsetpgrp(rustix::stdio::stdin(), program);
    Some(program)
}

/// Waits for all that have ended; gives the program's own exit code.
fn reap(program: Pid) -> Option<i32> {
    let mut code = None;
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == program {
            code = status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal));
        }
    }
    code
}
