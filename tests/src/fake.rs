//! The fake `codex` and `claude`.
//!
//! Without a scenario they behave as the real ones of the pinned versions do, with the real ones'
//! recorded bytes, except that no server is asked: the person at the browser is a file. Which
//! scenario is played, and everything else, comes from the home they are given, since Room hands
//! its children an environment of its own making:
//!
//! | in `$HOME/.fake-cli/` | |
//! | --- | --- |
//! | `codex.scenario`, `claude.scenario` | read at each login: a word of [`Scenario`], or `replay FILE.raw` |
//! | `flood` | written by the test, for the scenario that waits for it |
//! | `approve`, `decline`, `expire` | written by the test: the person's decision on codex's code |
//! | `runs.jsonl` | written by each run: a [`Run`] |
//!
//! Every run ends by itself after 15 minutes at most, so that no failing test leaves one for good.

mod claude;
mod codex;
mod hostile;
mod replay;
mod scenario;
mod tty;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use scenario::Scenario;

/// How long any run lasts at most; codex gives its own code up after as long.
const LIFETIME: Duration = Duration::from_mins(15);

/// How often a file that the test may write is looked for.
const PAUSE: Duration = Duration::from_millis(20);

/// What a program found as it started: what Room gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// `codex` or `claude`.
    pub program: String,
    /// The arguments after the name.
    pub args: Vec<String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Columns and rows, if its output is a terminal.
    pub terminal: Option<(u16, u16)>,
    /// The open file descriptors.
    pub fds: Vec<u32>,
    /// The working directory.
    pub directory: PathBuf,
    /// Its number.
    pub pid: u32,
}

/// The runs that a home has seen, in order.
///
/// # Panics
///
/// When the notes are damaged.
pub fn runs(home: &Path) -> Vec<Run> {
    let notes = fs::read_to_string(Control::new(home).file("runs.jsonl")).unwrap_or_default();
    // A line that a run is still writing has no end yet.
    let whole = notes.rsplit_once('\n').map_or("", |(lines, _)| lines);
    whole.lines().map(|line| serde_json::from_str(line).expect("a run as it was written")).collect()
}

/// The directory through which tests and fakes speak.
#[derive(Debug, Clone)]
pub struct Control(PathBuf);

impl Control {
    /// That of a home.
    pub fn new(home: &Path) -> Self {
        Self(home.join(".fake-cli"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(&self.0).expect("a home can be written to");
        fs::write(self.file(name), content).expect("a home can be written to");
    }

    /// Sets what `program` plays at its next login.
    ///
    /// # Panics
    ///
    /// When the home cannot be written to.
    pub fn play(&self, program: &str, scenario: &Scenario) {
        self.write(&format!("{program}.scenario"), &scenario.to_string());
    }

    /// The person approves codex's code.
    ///
    /// # Panics
    ///
    /// As [`Control::play`].
    pub fn approve(&self) {
        self.write("approve", "");
    }

    /// The person declines.
    ///
    /// # Panics
    ///
    /// As [`Control::play`].
    pub fn decline(&self) {
        self.write("decline", "");
    }

    /// The code's 15 minutes pass.
    ///
    /// # Panics
    ///
    /// As [`Control::play`].
    pub fn expire(&self) {
        self.write("expire", "");
    }

    /// The flood comes, where it waits for that.
    ///
    /// # Panics
    ///
    /// As [`Control::play`].
    pub fn flood(&self) {
        self.write("flood", "");
    }

    /// Takes the decision, so that it holds for one login.
    fn take(&self, name: &str) -> bool {
        fs::remove_file(self.file(name)).is_ok()
    }

    fn note(&self, run: &Run) {
        let line = serde_json::to_string(run).expect("text and numbers are JSON") + "\n";
        fs::create_dir_all(&self.0).expect("a home can be written to");
        let mut file = fs::File::options()
            .append(true)
            .create(true)
            .open(self.file("runs.jsonl"))
            .expect("a home can be written to");
        file.write_all(line.as_bytes()).expect("a home can be written to");
    }
}

/// What a fake knows of its surroundings.
struct World {
    home: PathBuf,
    control: Control,
    env: BTreeMap<String, String>,
}

impl World {
    fn directory(&self, variable: &str, default: &str) -> PathBuf {
        self.env.get(variable).map_or_else(|| self.home.join(default), PathBuf::from)
    }
}

/// Runs as the program that the first argument names.
pub fn run(args: impl Iterator<Item = String>) -> ExitCode {
    let args: Vec<String> = args.collect();
    let Some((name, args)) = args.split_first() else { return ExitCode::from(2) };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let Some(code) = hostile::run_daemon(&args) {
        return code;
    }
    let program = Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let env: BTreeMap<String, String> = std::env::vars().collect();
    let Some(home) = env.get("HOME").map(PathBuf::from) else {
        return fail("no HOME");
    };
    let control = Control::new(&home);
    let world = World { home, control, env };
    world.control.note(&Run {
        program: program.to_owned(),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env: world.env.clone(),
        terminal: tty::size(),
        fds: open_fds(),
        directory: std::env::current_dir().unwrap_or_default(),
        pid: std::process::id(),
    });
    match program {
        "codex" => codex::run(&world, &args),
        "claude" => claude::run(&world, &args),
        _ => fail("call me codex or claude"),
    }
}

/// Writes a file that is its owner's alone, as the real programs do.
fn store(file: &Path, content: &str) {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        let mut options = fs::File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(file)?.write_all(content.as_bytes())
    });
    if let Err(error) = written {
        tty::write_error(&format!("cannot store {}: {error}\n", file.display()));
        std::process::exit(1);
    }
}

fn fail(why: &str) -> ExitCode {
    tty::write_error(&format!("{why}\n"));
    ExitCode::from(2)
}

/// The open ones below 256, asked for one by one: listing a directory would open one more.
fn open_fds() -> Vec<u32> {
    (0..256).filter(|fd| fs::read_link(format!("/proc/self/fd/{fd}")).is_ok()).collect()
}
