//! Single keys from a terminal, and the signals that end a program.

use std::io::{self, IsTerminal as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How long a look at the keyboard waits: Room's own end is noticed in between.
const PAUSE: Duration = Duration::from_millis(500);

/// What came.
pub(super) enum Heard {
    /// A key.
    Key(char),
    /// Nothing for a while.
    Nothing,
    /// Ctrl-C, a signal, or the end of the input.
    End,
}

/// The terminal, which gives each key at once until this is dropped.
pub(super) struct Keyboard {
    signals: UnixStream,
    before: Option<Termios>,
}

impl Keyboard {
    pub(super) fn take() -> io::Result<Self> {
        let (signals, woken) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::low_level::pipe::register(signal, woken.try_clone()?)?;
        }
        let stdin = rustix::stdio::stdin();
        let before = if io::stdin().is_terminal() {
            let before = rustix::termios::tcgetattr(stdin)?;
            let mut single = before.clone();
            single.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            single.special_codes[SpecialCodeIndex::VMIN] = 1;
            single.special_codes[SpecialCodeIndex::VTIME] = 0;
            rustix::termios::tcsetattr(stdin, OptionalActions::Now, &single)?;
            Some(before)
        } else {
            None
        };
        Ok(Self { signals, before })
    }

    pub(super) fn next(&mut self) -> io::Result<Heard> {
        let stdin = rustix::stdio::stdin();
        let mut waited = [
            PollFd::from_borrowed_fd(stdin, PollFlags::IN),
            PollFd::new(&self.signals, PollFlags::IN),
        ];
        let pause = Timespec::try_from(PAUSE).ok();
        match rustix::event::poll(&mut waited, pause.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [keys, signals] = waited.map(|one| !one.revents().is_empty());
        if signals {
            return Ok(Heard::End);
        }
        if !keys {
            return Ok(Heard::Nothing);
        }
        let mut byte = [0];
        match rustix::io::read(stdin, &mut byte) {
            Ok(1..) => Ok(Heard::Key(char::from(byte[0]))),
            Err(rustix::io::Errno::INTR) => Ok(Heard::Nothing),
            // The terminal is gone.
            Ok(0) | Err(_) => Ok(Heard::End),
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let stdin = rustix::stdio::stdin();
            let _ = rustix::termios::tcsetattr(stdin, OptionalActions::Now, before);
        }
    }
}
