//! `cargo xtask cloud-demo`: builds what it needs and becomes it.

use std::os::unix::process::CommandExt as _;

use anyhow::Context;

use crate::run::{command, run};

/// Builds `room` and the demonstration and runs it in this process's place, so that a signal meant
/// for it reaches it. Returns only when that cannot be done.
pub(crate) fn cloud(fake: bool) -> anyhow::Result<()> {
    let packages = ["-p", "room-runtime", "-p", "room-tests"];
    run(command(".", &[&["cargo", "build", "--bins"], packages.as_slice()].concat()))?;
    let folder = std::env::current_exe().context("find this program")?;
    let program = folder.with_file_name("room-cloud-demo");
    let mut demo = command(".", &[program.to_str().context("a plain path")?]);
    if fake {
        demo.arg("--fake");
    }
    Err(demo.exec()).with_context(|| format!("start {}", program.display()))
}
