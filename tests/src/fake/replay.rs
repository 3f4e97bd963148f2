//! Playing a recording.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;

use super::tty::{self, Keyboard, Typed};

/// What a recording's `.json` says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Recording {
    rc: Option<i32>,
    /// Seconds, offset, text.
    sent: Vec<(f64, usize, String)>,
}

/// Writes the recording up to where something was typed, waits for something to be typed, and so
/// on; the exit code is the recorded one, 1 where that was a signal.
pub(super) fn run(file: &Path) -> ExitCode {
    let Ok(bytes) = fs::read(file) else { return super::fail("no such recording") };
    let recording = fs::read(file.with_extension("json"));
    let Some(recording) =
        recording.ok().and_then(|json| serde_json::from_slice::<Recording>(&json).ok())
    else {
        return super::fail("no description beside the recording");
    };
    let mut written = 0;
    for (_, offset, _) in &recording.sent {
        write(&bytes, written, *offset);
        written = written.max(*offset);
        let mut keyboard = Keyboard::take();
        match keyboard.line() {
            Typed::Line(_) => {}
            Typed::Interrupted | Typed::Ended => return ExitCode::from(130),
        }
    }
    write(&bytes, written, bytes.len());
    let code = recording.rc.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    ExitCode::from(code)
}

fn write(bytes: &[u8], from: usize, to: usize) {
    let to = to.min(bytes.len());
    if from < to {
        tty::write(&String::from_utf8_lossy(&bytes[from..to]));
    }
}
