//! A terminal of our own with a program at its other end.
//!
//! The terminal is opened with the close-on-exec flag in one system call, so no child started at
//! the same moment inherits it; its descriptor waits in the runtime's own poll, without a thread.
//! Dropping it presses no key.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::launcher::{Launcher, Spec, Stdio};
use crate::process::{Exit, SpawnError, Supervised};
use crate::screen::Size;

/// How long a program may leave what was typed unread when the terminal's buffer (4 KiB) is full.
const WRITE: Duration = Duration::from_secs(5);

/// A running program and its terminal. Dropped, its whole tree is ended.
pub struct Terminal {
    master: AsyncFd<OwnedFd>,
    supervised: Supervised,
}

/// Starts a program in a new terminal of that size.
///
/// # Errors
/// When there is no terminal, no launcher, or the program could not be run: success means that its
/// `exec` succeeded.
pub async fn open_terminal(
    launcher: &Launcher,
    spec: Spec,
    size: Size,
) -> Result<Terminal, SpawnError> {
    let (master, path) = open_master(size).map_err(SpawnError::OpenTerminal)?;
    let master = watched(master).map_err(SpawnError::OpenTerminal)?;
    let supervised = Supervised::start(launcher, spec, Stdio::Terminal(path)).await?;
    Ok(Terminal { master, supervised })
}

/// Our side of a new terminal, and the path of the program's.
fn open_master(size: Size) -> io::Result<(OwnedFd, PathBuf)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    #[cfg(target_os = "linux")]
    let flags = flags | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags)?;
    #[cfg(not(target_os = "linux"))]
    rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let size = Winsize { ws_col: size.cols, ws_row: size.rows, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&master, size)?;
    rustix::io::ioctl_fionbio(&master, true)?;
    let path = rustix::pty::ptsname(&master, Vec::new())?.into_bytes();
    Ok((master, PathBuf::from(std::ffi::OsString::from_vec(path))))
}

#[expect(
    unsafe_code,
    reason = "the runtime must be told a descriptor that stays open and the same: the value handed \
              over owns it, and nothing takes it out or replaces it before it is dropped"
)]
fn watched(master: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is valid until it is dropped, and always names the same descriptor.
    Ok(unsafe { AsyncFd::register(master) }?)
}

impl Terminal {
    /// Reads what the program wrote; 0 is the end: nobody has the terminal open any more. Nothing
    /// is lost when the wait is given up.
    ///
    /// # Errors
    /// The system's own. `EIO`, by which Linux says that the other side is closed, is the end.
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.master.async_io(Interest::READABLE, |master| {
            Ok(rustix::io::read(master.as_fd(), &mut *buf)?)
        });
        match read.await {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                Ok(0)
            }
            other => other,
        }
    }

    /// Types `bytes`. Short texts only: at most 4 KiB wait in the terminal for the program.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when the program did not take them within 5 seconds, part of
    /// them may be typed then; `EIO` when nobody has the terminal open any more.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let all = async {
            let mut left = bytes;
            while !left.is_empty() {
                let count = self
                    .master
                    .async_io(Interest::WRITABLE, |master| {
                        Ok(rustix::io::write(master.as_fd(), left)?)
                    })
                    .await?;
                left = &left[count..];
            }
            Ok(())
        };
        tokio::time::timeout(WRITE, all)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Waits until the program itself ended; can be given up and asked again. Its last output may
    /// still be unread, and what it started may still live.
    pub async fn exited(&self) -> Exit {
        self.supervised.exited().await
    }

    /// Asks for the end of the whole tree and returns at once: SIGTERM, after 2.5 seconds SIGKILL.
    pub fn stop(&self) {
        self.supervised.stop();
    }

    /// Waits until the program, all it started, and the launcher are gone; can be given up and
    /// asked again. After [`stop`](Self::stop) it takes 5 seconds at most, 10 when the launcher
    /// does not answer and the tree has to be swept.
    pub async fn gone(&self) {
        self.supervised.gone().await;
    }

    /// How many processes had to be ended because the launcher was killed; known once
    /// [`gone`](Self::gone) has returned.
    pub fn orphans(&self) -> usize {
        self.supervised.orphans()
    }
}
