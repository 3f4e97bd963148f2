//! What a test's server is started with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use tempfile::TempDir;

use super::{PUBLIC_URL, SOON, TestApp};
use crate::client::{Client, PUBLIC_HOST};
use crate::clis::built_binary;
use crate::home::TempHome;
use crate::port::HeldPort;
use crate::terminal::Terminal;

/// What a test's server is started with.
#[derive(Debug)]
pub struct Setup {
    pub(super) home: TempHome,
    data: PathBuf,
    _temporary: TempDir,
    path: String,
    pub(super) env: Vec<(String, String)>,
    /// Under which name a hosted one is asked.
    host: Option<String>,
    /// The program that starts the server, with its arguments.
    below: Vec<String>,
    /// Ports that are found again when what listened there is started anew.
    held: Vec<HeldPort>,
}

impl Setup {
    /// A home, a data directory and nothing else: no programs are to be found.
    ///
    /// # Errors
    ///
    /// When the directories cannot be made.
    pub fn new() -> io::Result<Self> {
        // The data directory holds a socket, whose path must be short: not below the build. The
        // server is to make it.
        let temporary = tempfile::tempdir()?;
        Ok(Self {
            home: TempHome::new()?,
            data: temporary.path().join("room"),
            _temporary: temporary,
            path: "/nonexistent".to_owned(),
            env: Vec::new(),
            host: None,
            below: Vec::new(),
            held: Vec::new(),
        })
    }

    /// A hosted Room behind something that speaks https for it, at [`PUBLIC_URL`]. It counts no
    /// failures and limits nobody, and it trusts nobody yet.
    #[must_use]
    pub fn cloud(mut self) -> Self {
        self.host = Some(PUBLIC_HOST.to_owned());
        self.var("ROOM_MODE", "cloud")
            .var("ROOM_BIND", "127.0.0.1")
            .var("ROOM_PUBLIC_URL", PUBLIC_URL)
            .var("ROOM_CLIENT_IP", "direct")
            .var("ROOM_ALLOW_ROOT", "1")
            .var("ROOM_AUTH_FAILURES_PER_MINUTE", "off")
    }

    /// Where programs are looked for.
    #[must_use]
    pub fn search(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// More of the server's environment.
    #[must_use]
    pub fn env(mut self, more: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env.extend(more);
        self
    }

    /// One more variable.
    #[must_use]
    pub fn var(self, name: &str, value: &str) -> Self {
        self.env([(name.to_owned(), value.to_owned())])
    }

    /// The home.
    pub fn home(&self) -> &TempHome {
        &self.home
    }

    /// The data directory, which the server makes.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The same at an address of this machine, for a browser.
    ///
    /// # Errors
    ///
    /// When there is no port to be had.
    pub fn cloud_for_browsers(self) -> io::Result<Self> {
        let held = HeldPort::new()?;
        let port = held.number();
        let mut setup = self.cloud().var("ROOM_PORT", &port.to_string());
        setup.held.push(held);
        setup.host = Some(format!("localhost:{port}"));
        Ok(setup.var("ROOM_PUBLIC_URL", &format!("http://localhost:{port}")))
    }

    /// At a fixed port, so that it is found there again after it was started anew.
    ///
    /// # Errors
    ///
    /// When there is no port to be had.
    pub fn fixed_port(self) -> io::Result<Self> {
        let held = HeldPort::new()?;
        let mut setup = self.var("ROOM_PORT", &held.number().to_string());
        setup.held.push(held);
        Ok(setup)
    }

    /// Hosted, and reached by browsers through a proxy of the test's own at the port that is given
    /// beside it.
    ///
    /// # Errors
    ///
    /// As [`Setup::fixed_port`].
    pub fn cloud_behind_a_proxy(self) -> io::Result<(Self, u16)> {
        let mut setup = self.cloud().fixed_port()?;
        let held = HeldPort::new()?;
        let port = held.number();
        setup.held.push(held);
        setup.host = Some(format!("localhost:{port}"));
        Ok((setup.var("ROOM_PUBLIC_URL", &format!("http://localhost:{port}")), port))
    }

    pub(super) fn is_cloud(&self) -> bool {
        self.host.is_some()
    }

    /// `room` with these arguments in this environment, yet to be started.
    ///
    /// # Errors
    ///
    /// When it was not built, or before its sources changed.
    pub fn command(&self, args: &[&str]) -> io::Result<Command> {
        let room = room_binary()?;
        let mut command = match self.below.split_first() {
            Some((program, rest)) => {
                let mut command = Command::new(program);
                command.args(rest).arg(room);
                command
            }
            None => Command::new(room),
        };
        command
            .args(args)
            .env_clear()
            .envs(self.environment())
            .current_dir("/")
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    ///
    /// # Panics
    ///
    /// When it ends or does not answer in time; the message has what it said.
    pub async fn start(self) -> io::Result<TestApp> {
        let mut app = self.client()?;
        app.start().await?;
        Ok(app)
    }

    /// The same in a terminal, as a person starts it; the terminal is the test's to end.
    ///
    /// # Errors
    ///
    /// As [`Setup::start`].
    ///
    /// # Panics
    ///
    /// When it does not answer in time.
    pub async fn start_in_terminal(self) -> io::Result<(TestApp, Terminal)> {
        let env = self.environment();
        let terminal = Terminal::spawn(&room_binary()?, &["serve", "--no-open"], &env)?;
        terminal.wait_for("#code=", SOON);
        let mut app = self.client()?;
        app.answers().await;
        Ok((app, terminal))
    }

    /// The same as the last of these words: a program, its arguments, and the server.
    ///
    /// # Errors
    ///
    /// As [`Setup::start`].
    ///
    /// # Panics
    ///
    /// As [`Setup::start`].
    pub async fn start_below(mut self, words: &[&str]) -> io::Result<TestApp> {
        self.below = words.iter().map(|word| (*word).to_owned()).collect();
        self.start().await
    }

    fn client(self) -> io::Result<TestApp> {
        let client = Client::new(0, self.host.as_deref())?;
        Ok(TestApp { setup: self, child: None, token: String::new(), client })
    }

    fn environment(&self) -> Vec<(String, String)> {
        let mut env = self.home.env(&self.path);
        let data = self.data.to_str().expect("temporary directories have plain names");
        env.push(("ROOM_DATA_DIR".to_owned(), data.to_owned()));
        env.push(("ROOM_PORT".to_owned(), "0".to_owned()));
        env.extend(self.env.iter().cloned());
        env
    }
}

/// The built program; an error if cargo would build it anew.
fn room_binary() -> io::Result<PathBuf> {
    let program = built_binary("room")?;
    let built = program.metadata()?.modified()?;
    let sources = fs::read_to_string(program.with_extension("d"))?;
    let newer = |file: &&str| {
        let changed = fs::metadata(file).and_then(|file| file.modified());
        changed.unwrap_or(SystemTime::UNIX_EPOCH) > built
    };
    match sources.split_whitespace().skip(1).find(newer) {
        None => Ok(program),
        Some(file) => Err(io::Error::other(format!(
            "{} is older than {file} (cargo build --workspace --bins)",
            program.display()
        ))),
    }
}
