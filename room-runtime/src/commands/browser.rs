//! Opens the person's browser, if there is one to open.

use std::io::IsTerminal as _;
use std::process::{Command, Stdio};

use crate::config::Environment;

/// Opens an address. False if there is nobody to open it for, or nothing to open it with; then the
/// caller prints it.
pub(super) fn open(url: &str, environment: &Environment) -> bool {
    if !std::io::stdout().is_terminal() {
        return false;
    }
    let set = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
    let (opener, has_screen) = if cfg!(target_os = "macos") {
        ("open", true)
    } else {
        // Without a screen the opener would start a browser inside this very terminal.
        ("xdg-open", set("DISPLAY") || set("WAYLAND_DISPLAY"))
    };
    if !has_screen || set("SSH_CONNECTION") && !set("DISPLAY") {
        return false;
    }
    let started = Command::new(opener)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    started.is_ok_and(|status| status.success())
}
