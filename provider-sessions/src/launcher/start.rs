//! Before the program runs: what the launcher drops, what it limits, and how it starts the program.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Resource, Rlimit};

use super::{Order, Stdio as Wanted};

/// The largest file a program of a login may write. Credentials and logs are small; a program gone
/// wild must not fill the disk.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

/// The descriptors a program may have open: enough for any login, and no way to use up the server's.
const OPEN_FILES: u64 = 1024;

/// How far a program stands back behind the server when both want the processor.
///
/// There is no limit of processor time besides: a program that waits for a person in a busy loop
/// would reach one in a sign-in that goes well, and one that does not end is ended by the clock.
/// Nor is there one of processes: they are counted by user, and the server's own are of the same.
const NICE: i32 = 5;

/// Closes what the server, or whoever started it, left open without the close-on-exec flag.
///
/// To be called before the launcher opens anything itself.
pub(super) fn close_inherited() {
    let folder = Path::new(if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" });
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    // The listing had a descriptor of its own, which is closed by now.
    let open = names.iter().filter(|name| folder.join(name).symlink_metadata().is_ok());
    for descriptor in open.filter_map(|name| name.to_str()?.parse().ok()) {
        if descriptor <= 2 {
            continue;
        }
        #[expect(
            unsafe_code,
            reason = "the launcher has one thread and has opened nothing yet: no value in this \
                      process owns a descriptor above 2, so none is closed under its owner"
        )]
        // SAFETY: as above, nobody in this process owns the descriptor.
        unsafe {
            rustix::io::close(descriptor);
        }
    }
}

/// Makes the launcher a session of its own and its limits those of everything below it.
pub(super) fn restrict() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    // Fails only for the leader of a group, which a process just started is not.
    let _ = rustix::process::setsid();
    limit(Resource::Core, 0);
    limit(Resource::Fsize, FILE_BYTES);
    limit(Resource::Nofile, OPEN_FILES);
    let _ = rustix::process::nice(NICE);
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        let _ = rustix::thread::set_no_new_privs(true);
    }
}

fn limit(resource: Resource, value: u64) {
    let lowered = |now: Option<u64>| Some(now.map_or(value, |now| now.min(value)));
    let now = rustix::process::getrlimit(resource);
    let limit = Rlimit { current: lowered(now.current), maximum: lowered(now.maximum) };
    let _ = rustix::process::setrlimit(resource, limit);
}

/// A step that failed, as a fragment for a person.
pub(super) struct StartError {
    what: String,
    why: io::Error,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, reason(&self.why))
    }
}

/// The system's own words without Rust's `(os error 2)`.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> StartError {
    let what = what.into();
    |why| StartError { what, why }
}

/// Starts the program.
///
/// With a terminal the launcher keeps no descriptor of it: the server's end reports the end when
/// the program and its children have closed theirs.
pub(super) fn start(order: &Order) -> Result<Child, StartError> {
    std::env::set_current_dir(&order.cwd)
        .map_err(failed(format!("the directory {} cannot be entered", order.cwd.display())))?;
    let mut command = Command::new(&order.program);
    command.args(&order.args).env_clear().envs(order.env.iter().map(|(key, value)| (key, value)));
    // `exec` resets the signals that `control` catches, the standard library the one that it
    // ignores, SIGPIPE.
    command.process_group(0);
    let terminal = match &order.stdio {
        Wanted::Terminal(path) => {
            let terminal = open_terminal(path).map_err(failed("the terminal cannot be opened"))?;
            let copy = || terminal.try_clone().map_err(failed("the terminal cannot be opened"));
            command.stdin(copy()?).stdout(copy()?).stderr(copy()?);
            Some(terminal)
        }
        Wanted::Pipes { input } => {
            command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            None
        }
    };
    let child = command.spawn().map_err(|error| explain(&order.program, error))?;
    if let (Some(terminal), Some(group)) = (terminal, Pid::from_raw(child.id().cast_signed())) {
        // Fails only for a program that has already ended.
        let _ = rustix::termios::tcsetpgrp(&terminal, group);
    }
    Ok(child)
}

/// Opens the program's side of the terminal and makes it the session's controlling terminal.
fn open_terminal(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = rustix::fs::open(path, flags, Mode::empty())?;
    rustix::process::ioctl_tiocsctty(&terminal)?;
    Ok(File::from(terminal))
}

/// `ENOENT` for a file that is there is about the interpreter in its first line.
fn explain(program: &Path, why: io::Error) -> StartError {
    let interpreter = || {
        let text = std::fs::read(program).ok()?;
        let line = text.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
        Some(String::from_utf8_lossy(line).trim().chars().take(200).collect::<String>())
    };
    let shown = program.display();
    let what = match (why.kind() == io::ErrorKind::NotFound).then(interpreter).flatten() {
        Some(interpreter) => format!("{shown} asks to be run by {interpreter}"),
        None => format!("{shown} cannot be run"),
    };
    StartError { what, why }
}

/// Whether the program's group has the terminal. Asked of `/dev/tty`, because the launcher keeps
/// no descriptor of the terminal.
pub(super) fn has_terminal(group: Pid) -> bool {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open("/dev/tty", flags, Mode::empty())
        .is_ok_and(|terminal| rustix::termios::tcgetpgrp(&terminal) == Ok(group))
}
