//! The process between the server and a program of a login: it starts the program, watches it, and
//! ends all that came of it.
//!
//! It is the embedding program's own executable, run again with the argument `__child`
//! ([`run_launcher_if_asked`] is the first thing its `main` calls). portable-pty, which most
//! programs use here, has no place for it: that crate copies the server's whole environment into
//! the child, closes the descriptor by which a failed `exec` would be reported (so a broken program
//! counts as started), presses Enter when its writer is dropped, and kills one process where a
//! login is a tree. A launcher needs no unsafe code between `fork` and `exec` of a large
//! multi-threaded server, and what it costs does not grow with the server's memory.
//!
//! **What it promises.** The program runs in a session of its own, with the terminal it was given
//! as its controlling terminal or with none, in the foreground group, with descriptors 0, 1 and 2
//! only, an environment of exactly the listed variables and the marker, no signal ignored or
//! blocked, umask 077, no core files, no file over 256 MiB, at most 1,024 open ones, 5 steps nicer
//! than the server, no new privileges. The launcher adopts
//! every orphan below it (`PR_SET_CHILD_SUBREAPER`), so a grandchild that called `setsid` or was
//! forked twice is still its own. When the program ends, when it is told to stop, or when the
//! server is gone, it ends what is left: SIGTERM, 2.5 seconds, SIGKILL until nothing is left.
//!
//! **How the server is heard.** The launcher's standard input is a pipe from the server. Its first
//! line is the order; after that any byte, and the end of the pipe, mean "end it". The kernel ends
//! the pipe however the server dies, which is why `PR_SET_PDEATHSIG` is not used: that signal comes
//! when the *thread* that started the launcher ends, and ends the launcher before its subtree.
//!
//! **The program's group.** It leads a group of its own, in the terminal's foreground: Ctrl-C typed
//! into the terminal reaches the program and not the launcher, and a program that signals its own
//! group (`kill 0`) does not hit the launcher. The price is a moment in which the group is not yet
//! in the foreground and a read stops the program (SIGTTIN); the launcher sees that and continues
//! it, and also after Ctrl-Z, because nobody is there to type `fg`.
//!
//! Elsewhere than on Linux there is no subreaper and no `/proc`: the program's group is signalled
//! instead, and a grandchild that leaves the group lives on. This is compiled there, not tested.

mod child;
mod control;
mod first;
mod start;
mod tree;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::process::Exit;
use crate::sweep::Marker;

/// The argument that makes the executable a launcher.
const ARGUMENT: &str = "__child";

/// Becomes the launcher when the program was started as one, and then never returns; otherwise
/// does nothing. To be called first in `main`: before any thread, descriptor or runtime exists.
pub fn run_launcher_if_asked() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT) {
        std::process::exit(child::main());
    }
}

/// Stays behind as the first process where this program was started as one, and runs the program
/// anew below; then never returns. To be called right after [`run_launcher_if_asked`].
///
/// The first process of a container inherits every orphan in it, and what it does not wait for
/// stays a zombie for good. A launcher that is killed leaves such orphans.
pub fn stay_first_if_first() {
    #[cfg(target_os = "linux")]
    if std::process::id() == 1 {
        std::process::exit(first::main());
    }
}

/// How to start a launcher.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// An executable whose `main` calls [`run_launcher_if_asked`].
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl Launcher {
    /// This very executable. On Linux the running file itself, also when the one on disk has been
    /// replaced or deleted meanwhile.
    ///
    /// # Errors
    /// Elsewhere than on Linux, when the executable's path cannot be found out.
    pub fn current_exe() -> io::Result<Self> {
        let program = if cfg!(target_os = "linux") {
            PathBuf::from("/proc/self/exe")
        } else {
            std::env::current_exe()?
        };
        Ok(Self { program, args: vec![ARGUMENT.into()] })
    }
}

/// What is to be run.
#[derive(Clone)]
pub struct Spec {
    /// The executable, whole path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, the marker apart, whole.
    pub env: Vec<(String, String)>,
    /// The directory it starts in.
    pub cwd: PathBuf,
    /// Whose process it is.
    pub marker: Marker,
    /// What its standard input holds; for a run with pipes only. It may be a secret.
    pub input: Option<String>,
}

/// The first line on the launcher's standard input.
#[derive(Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: PathBuf,
    pub(crate) stdio: Stdio,
}

/// What the program's descriptors 0, 1 and 2 are.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Stdio {
    /// The terminal of that path, also its controlling terminal.
    Terminal(PathBuf),
    /// Pipes; what is written to them is kept and reported at the end.
    Pipes {
        /// What can be read from descriptor 0; absent, it is `/dev/null`.
        input: Option<String>,
    },
}

/// A line on the launcher's standard output.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Report {
    /// The program runs: its `exec` succeeded.
    Started {
        /// Its process id.
        pid: i32,
    },
    /// It does not, and the launcher is about to end.
    ExecFailed {
        /// What was tried and why it failed, as a fragment for a person.
        message: String,
    },
    /// The program itself ended; the rest of its tree may still live.
    Exited(Exit),
    /// What it wrote to its pipes, when the whole tree is gone.
    Output {
        /// Standard output.
        stdout: String,
        /// Standard error.
        stderr: String,
    },
}

/// How much of a program's output is kept, each of the two streams, in bytes.
///
/// A status answer has a few hundred; past this the rest is read and thrown away.
const OUTPUT_BYTES: usize = 256 * 1024;
