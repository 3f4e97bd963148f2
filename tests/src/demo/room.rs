//! The real `room` program in cloud mode, on loopback, in a directory of its own.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::clis::{FakeClis, built_binary, fake_clis, search_path};
use crate::issuer::ControlPlane;
use crate::port::HeldPort;

/// Room needs milliseconds; a machine that builds something beside it may need more.
const START: Duration = Duration::from_secs(20);

/// Room ends everything within 15 seconds.
const END: Duration = Duration::from_secs(17);

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(20);

/// A running Room; dropping it ends it.
pub(super) struct HostedRoom {
    url: String,
    child: Child,
    directory: TempDir,
    _fakes: Option<FakeClis>,
    _held: HeldPort,
}

impl HostedRoom {
    /// Starts one that trusts the control plane.
    pub(super) fn start(plane: &ControlPlane, fake: bool) -> io::Result<Self> {
        let held = HeldPort::new()?;
        let port = held.number();
        let url = format!("http://localhost:{port}");
        let directory = TempDir::with_prefix("room-demo-")?;
        let data = directory.path().join("data");
        let log = File::create(directory.path().join("room.log"))?;
        let fakes = if fake { Some(fake_clis()?) } else { None };
        let path = match &fakes {
            Some(fakes) => search_path(fakes.path()),
            None => std::env::var("PATH").unwrap_or_default(),
        };
        let mut command = Command::new(built_binary("room")?);
        command
            .arg("serve")
            .env_clear()
            .env("PATH", path)
            .env("LANG", "C.UTF-8")
            .env("HOME", directory.path())
            .env("ROOM_MODE", "cloud")
            .env("ROOM_BIND", "127.0.0.1")
            .env("ROOM_PORT", port.to_string())
            .env("ROOM_PUBLIC_URL", &url)
            .env("ROOM_CLIENT_IP", "direct")
            .env("ROOM_ALLOW_ROOT", "1")
            .env("ROOM_DATA_DIR", data)
            .env("ROOM_NAME", "Demo")
            .env("ROOM_CONTROL_PLANE_URL", plane.url())
            .envs(plane.settings())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for the one who shows it: Room is told by us.
            .process_group(0);
        Ok(Self { url, child: command.spawn()?, directory, _fakes: fakes, _held: held })
    }

    /// Where people find it.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.directory.path().join("room.log")
    }

    /// All that it said.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Waits until it answers.
    pub(super) async fn answers(&mut self) -> io::Result<()> {
        let http = reqwest::Client::new();
        let start = Instant::now();
        loop {
            let answer = http.get(format!("{}/healthz", self.url)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if self.exited()?.is_some() || start.elapsed() > START {
                return Err(io::Error::other(format!("Room did not start:\n{}", self.log())));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Ends it and waits until it has.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > END {
                self.child.kill()?;
                self.child.wait()?;
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for HostedRoom {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
