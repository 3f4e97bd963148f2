//! The real `room` program, started for one test, and a client for each way of speaking to it.

mod setup;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::client::Client;
use crate::home::TempHome;
use crate::socket::Socket;
use crate::wait::{eventually, eventually_async};
use crate::{Process, processes_with_marker};

pub use self::setup::Setup;
pub use crate::client::{Answer, PUBLIC_URL};

/// How long anything may take on a busy machine before a test gives it up.
pub const SOON: Duration = Duration::from_secs(25);

/// A running server of a test's own; dropping it kills it and whatever it started.
#[derive(Debug)]
pub struct TestApp {
    setup: Setup,
    child: Option<Child>,
    token: String,
    client: Client,
}

impl TestApp {
    /// Starts it again, with the same home and data directory, after it has ended.
    ///
    /// # Errors
    ///
    /// As [`Setup::start`].
    ///
    /// # Panics
    ///
    /// As [`Setup::start`].
    pub async fn start(&mut self) -> io::Result<()> {
        for name in ["api.port", "api.token"] {
            let _ = fs::remove_file(self.setup.data().join(name));
        }
        let log = File::options().create(true).append(true).open(self.log_file())?;
        let mut command = self.setup.command(&["serve", "--no-open"])?;
        self.child = Some(command.stdout(log.try_clone()?).stderr(log).spawn()?);
        self.answers().await;
        Ok(())
    }

    /// One more variable for the next start, in the place of an earlier one of its name.
    pub fn set(&mut self, name: &str, value: &str) {
        self.setup.env.retain(|(known, _)| known != name);
        self.setup.env.push((name.to_owned(), value.to_owned()));
    }

    async fn answers(&mut self) {
        eventually_async("the server answers", SOON, async || {
            assert!(self.exited().is_none(), "the server ended:\n{}", self.log());
            self.read_port_and_token()?;
            let answer = self.anonymous(Method::GET, "/healthz").send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK).then_some(())
        })
        .await;
    }

    fn read_port_and_token(&mut self) -> Option<()> {
        let read = |name: &str| fs::read_to_string(self.setup.data().join(name)).ok();
        self.client.set_port(read("api.port")?.trim().parse().ok()?);
        // A hosted Room lets no program in by a file.
        if !self.setup.is_cloud() {
            read("api.token")?.trim().clone_into(&mut self.token);
        }
        Some(())
    }

    /// The home of the person whose programs are signed in.
    pub fn home(&self) -> &TempHome {
        &self.setup.home
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        self.setup.data()
    }

    /// `room` with these arguments, beside the server.
    ///
    /// # Errors
    ///
    /// As [`Setup::command`].
    pub fn command(&self, args: &[&str]) -> io::Result<Command> {
        self.setup.command(args)
    }

    /// The port that was bound.
    pub fn port(&self) -> u16 {
        self.client.port()
    }

    /// The credential of programs on this machine.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The server's process.
    ///
    /// # Panics
    ///
    /// When it was not started.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server was started").id()
    }

    fn log_file(&self) -> PathBuf {
        self.setup.home.path().join("room-output.txt")
    }

    /// All that the server has printed and logged.
    pub fn log(&self) -> String {
        fs::read(self.log_file())
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// Whoever speaks to it over HTTP.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        self.client.url(path)
    }

    /// A request without any credential.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.anonymous(method, path)
    }

    /// A request as a program on this machine, which has the owner's rights; of a hosted Room, as
    /// whom [`TestApp::act_as`] says.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.bearing(&self.token, method, path)
    }

    /// Whose token [`TestApp::request`] and all that is built on it use from now on.
    pub fn act_as(&mut self, token: String) {
        self.token = token;
    }

    /// `GET`, and the answer.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// `POST` of JSON, and the answer.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// Any other method with JSON, and the answer.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(method, path).json(body)).await
    }

    /// A socket as a program on this machine, past `hello`.
    ///
    /// # Panics
    ///
    /// When there is none to be had.
    pub async fn socket(&self) -> Socket {
        Socket::by(self.client.upgrade(Some(&self.token))).await
    }

    /// Opens a sign-in and gives its session view.
    ///
    /// # Panics
    ///
    /// When that is refused.
    pub async fn connect(&self, provider: &str) -> Value {
        let answer = self.post(&format!("/api/providers/{provider}/connect"), &json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.body["session"].clone()
    }

    /// The view of a session.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn session(&self, id: &str) -> Value {
        let answer = self.get(&format!("/api/providers/sessions/{id}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.body["session"].clone()
    }

    /// Waits until the session's view satisfies `holds`, and gives that view.
    ///
    /// # Panics
    ///
    /// When it does not in time, or the session ended otherwise; the message has the last view.
    pub async fn session_until(&self, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.session_within(SOON, id, holds).await
    }

    /// [`TestApp::session_until`] with a time of its own.
    ///
    /// # Panics
    ///
    /// As there.
    pub async fn session_within(
        &self,
        within: Duration,
        id: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let start = std::time::Instant::now();
        eventually_async("a session's view", within + SOON, async || {
            let view = self.session(id).await;
            if holds(&view) {
                return Some(view);
            }
            let over = view["active"] == false || start.elapsed() >= within;
            assert!(!over, "{view:#}\n{}", self.log());
            None
        })
        .await
    }

    /// Types into a session.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    pub async fn input(&self, id: &str, text: &str) -> Answer {
        self.post(&format!("/api/providers/sessions/{id}/input"), &json!({"text": text})).await
    }

    /// Cancels a session.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    pub async fn cancel(&self, id: &str) -> Answer {
        self.post(&format!("/api/providers/sessions/{id}/cancel"), &json!({})).await
    }

    /// A provider's status, asked anew of the program itself.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn provider_status(&self, provider: &str) -> Value {
        let answer = self.get("/api/providers/status?refresh=1").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let all = answer.body.get("providers").unwrap_or(&answer.body);
        let found = all.get(provider).cloned().or_else(|| {
            let rows = all.as_array()?;
            rows.iter().find(|row| row["provider"] == provider || row["id"] == provider).cloned()
        });
        found.unwrap_or_else(|| panic!("no {provider} in {}", answer.body))
    }

    /// What logins run because of this server.
    ///
    /// Probes of a program's version and status are left out, and the server itself, also where
    /// it is about to become one of those: they come and go by themselves.
    pub fn descendants(&self) -> Vec<Process> {
        let mut all = self.all_descendants();
        let passing = [" status", "--version", " serve"];
        all.retain(|process| !passing.iter().any(|word| process.command.contains(word)));
        all
    }

    fn all_descendants(&self) -> Vec<Process> {
        let own = self.child.as_ref().map(Child::id);
        let mut all = processes_with_marker(self.setup.home.text());
        all.retain(|process| Some(process.pid) != own);
        all
    }

    /// Sends the server a signal.
    ///
    /// # Panics
    ///
    /// When it is not running.
    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the server was started");
        kill_process(Pid::from_child(child), signal).expect("the server is running");
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().expect("a child can be waited for")
    }

    /// Waits until the server has ended.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let status = eventually(SOON, || self.exited());
        self.child = None;
        status
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Polite first, or what it started would have to be hunted below.
            let _ = kill_process(Pid::from_child(&child), Signal::TERM);
            let start = std::time::Instant::now();
            while start.elapsed() < Duration::from_secs(5)
                && child.try_wait().is_ok_and(|status| status.is_none())
            {
                std::thread::yield_now();
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        for process in self.all_descendants() {
            if let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// Whether any file below a directory has one of these texts in it: a look for leaked secrets.
///
/// # Panics
///
/// When a directory cannot be read.
pub fn files_with(directory: &Path, texts: &[&str], except: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).expect("a directory can be read").flatten() {
            let path = entry.path();
            let named = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                left.push(path);
            } else if !except.contains(&named) {
                let bytes = fs::read(&path).unwrap_or_default();
                let has =
                    |text: &&str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
                if texts.iter().any(has) {
                    found.push(path);
                }
            }
        }
    }
    found
}
