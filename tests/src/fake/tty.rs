//! Reading and writing as the real programs do on a terminal.

use std::io::{self, Read as _, Write as _};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetwinsize,
    tcsetattr,
};

/// Columns and rows of the output, if it is a terminal.
pub(super) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    Some((size.ws_col, size.ws_row))
}

/// Writes what a terminal has shown: its own line ends are left for the terminal to make.
///
/// A reader that has gone away is the end of the run that a signal did not bring.
pub(super) fn write(recorded: &str) {
    let text = recorded.replace("\r\n", "\n");
    let mut stdout = io::stdout().lock();
    if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(1);
    }
}

/// Writes what is no text.
pub(super) fn write_bytes(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    if stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(1);
    }
}

/// From now on what is typed is neither shown nor edited, nor does a key end anything.
pub(super) fn deaf() {
    std::mem::forget(Keyboard::take());
}

/// Writes to the other output.
pub(super) fn write_error(text: &str) {
    // Nobody is left to be told.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// From this length on a text with its Enter is a paste.
const PASTE_BYTES: usize = 80;

/// How typed input ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// A line, its end left off.
    Line(String),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D, or nobody is there any more.
    Ended,
}

/// Typed input, echoed as it comes; the terminal is as before once it is dropped.
pub(super) struct Keyboard {
    before: Option<Termios>,
}

impl Keyboard {
    /// Takes the terminal's echo and line editing over, if there is a terminal.
    pub(super) fn take() -> Self {
        let stdin = io::stdin();
        let before = if isatty(&stdin) { tcgetattr(&stdin).ok() } else { None };
        if let Some(mut raw) = before.clone() {
            let line_editing = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
            raw.local_modes.remove(line_editing | LocalModes::IEXTEN);
            raw.special_codes[SpecialCodeIndex::VMIN] = 1;
            raw.special_codes[SpecialCodeIndex::VTIME] = 0;
            let _ = tcsetattr(&stdin, OptionalActions::Now, &raw);
        }
        Self { before }
    }

    /// Reads a line. On a terminal it is echoed, as 2.1.330 does.
    pub(super) fn line(&mut self) -> Typed {
        let terminal = self.before.is_some();
        let mut line = Vec::new();
        let mut stdin = io::stdin().lock();
        let mut byte = [0];
        loop {
            if !matches!(stdin.read(&mut byte), Ok(1)) {
                return Typed::Ended;
            }
            match byte[0] {
                b'\r' | b'\n' => break,
                3 if terminal => return Typed::Interrupted,
                4 if terminal => return Typed::Ended,
                other => {
                    line.push(other);
                    if terminal {
                        let _ = io::stdout().write_all(&byte).and_then(|()| io::stdout().flush());
                    }
                }
            }
        }
        if terminal {
            write("\r");
            write("\r\n");
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        // Bracketed paste.
        Typed::Line(line.replace("\x1b[200~", "").replace("\x1b[201~", ""))
    }
}

impl Keyboard {
    /// Reads a line as claude's own screens do: of a long text that comes in one piece with its
    /// Enter, the Enter counts as part of what was pasted.
    pub(super) fn unpasted_line(&self) -> Typed {
        let mut line = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let Ok(count @ 1..) = rustix::io::read(rustix::stdio::stdin(), &mut piece) else {
                return Typed::Ended;
            };
            let piece = &piece[..count];
            let end = piece.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            line.extend_from_slice(&piece[..end.unwrap_or(count)]);
            if end.is_some() && count < PASTE_BYTES {
                if self.before.is_some() {
                    write("\r\n");
                }
                return Typed::Line(String::from_utf8_lossy(&line).into_owned());
            }
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
