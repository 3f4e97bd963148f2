//! Running other programs, with their command line shown.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Makes the workspace's folder the current one, wherever cargo was called.
pub(crate) fn enter_workspace() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has a parent")?;
    env::set_current_dir(root).context("enter the workspace")
}

/// A command from words, run in `dir`.
pub(crate) fn command(dir: &str, words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(dir);
    command
}

/// Runs a command to its end; anything but success is an error that names it.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    let shown = show(&command);
    println!("$ {shown}");
    let status = command.status().with_context(|| format!("start `{shown}`"))?;
    if status.success() { Ok(()) } else { bail!("`{shown}` ended with {status}") }
}

/// Runs a command and returns what it printed.
pub(crate) fn output(mut command: Command) -> anyhow::Result<String> {
    let shown = show(&command);
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` ended with {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed UTF-8"))
}

/// Whether a program is on this machine, by asking its version.
pub(crate) fn has(words: &[&str]) -> bool {
    let mut asked = command(".", words);
    asked.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
