//! A plain terminal to drive a program in, without any of Room's code.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::wait::eventually;

/// How long what is still in the terminal is waited for after the program's end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A program running in a terminal of its own; dropping it kills the program's group.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    status: Option<ExitStatus>,
    master: File,
    output: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts `program` with this environment and no other, in a terminal of 1000 × 60.
    ///
    /// `setsid` of util-linux makes the terminal the controlling one, so that keys and hanging up
    /// send their signals.
    ///
    /// # Errors
    ///
    /// When the terminal or the process cannot be had.
    pub fn spawn(program: &Path, args: &[&str], env: &[(String, String)]) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        tcsetwinsize(&master, Winsize { ws_row: 60, ws_col: 1000, ws_xpixel: 0, ws_ypixel: 0 })?;
        let name = ptsname(&master, Vec::new())?.into_string().map_err(io::Error::other)?;
        let slave: OwnedFd = File::options().read(true).write(true).open(name)?.into();
        let child = Command::new("/usr/bin/setsid")
            .arg("--ctty")
            .arg(program)
            .args(args)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(slave.try_clone()?)
            .stdout(slave.try_clone()?)
            .stderr(slave)
            .spawn()?;
        let master = File::from(master);
        let output = Arc::default();
        let reader = std::thread::spawn({
            let (master, output) = (master.try_clone()?, Arc::clone(&output));
            move || read_all(master, &output)
        });
        Ok(Self { child, status: None, master, output, reader: Some(reader) })
    }

    /// The program's process, which leads its own session and group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that was written so far, bytes that are no text replaced.
    pub fn output(&self) -> String {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&output).into_owned()
    }

    /// Waits until `text` was written, and gives all output until then.
    ///
    /// # Panics
    ///
    /// When it was not within that time; the message has what was written instead.
    #[track_caller]
    pub fn wait_for(&self, text: &str, within: Duration) -> String {
        let start = std::time::Instant::now();
        eventually(within + Duration::from_secs(1), || {
            let output = self.output();
            let there = output.contains(text);
            assert!(there || start.elapsed() < within, "no {text:?} in:\n{output}");
            there.then_some(output)
        })
    }

    /// Whether nobody holds the terminal any more.
    pub fn hung_up(&self) -> bool {
        self.reader.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Types.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn send(&mut self, text: &str) -> io::Result<()> {
        self.master.write_all(text.as_bytes())
    }

    /// Sends a signal to the program's group.
    ///
    /// # Errors
    ///
    /// When the group is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process_group(Pid::from_child(&self.child), signal)?)
    }

    /// Waits until the program has ended and its last output was read.
    ///
    /// # Panics
    ///
    /// When it did not end within that time; the message has its output.
    #[track_caller]
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let start = std::time::Instant::now();
        let status = eventually(within + Duration::from_secs(1), || {
            let status = self.child.try_wait().expect("a child can be waited for");
            let late = status.is_none() && start.elapsed() >= within;
            assert!(!late, "it did not end:\n{}", self.output());
            status
        });
        self.status = Some(status);
        if let Some(reader) = &self.reader {
            // Its last output comes after its end, unless a descendant holds the terminal.
            let start = std::time::Instant::now();
            while !reader.is_finished() && start.elapsed() < LAST_WORDS {
                std::thread::yield_now();
            }
        }
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.status.is_none() {
            // Either may be gone already, which is what is wanted.
            let _ = self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
        // A descendant that kept the terminal open would keep the reader: it is left to itself.
        drop(self.reader.take());
    }
}

/// Reads until the last holder of the terminal has closed it (`EIO` on Linux).
fn read_all(mut master: File, output: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        output.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
    }
}
