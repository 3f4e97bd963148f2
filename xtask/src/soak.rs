//! `cargo xtask soak`: a release build under load for an hour. Not part of the gate.

use crate::run::{command, run};

/// Builds unless told that it is built, and runs; fails if something grew or got lost.
pub(crate) fn soak(minutes: u32, is_built: bool) -> anyhow::Result<()> {
    if !is_built {
        run(command(".", &["cargo", "build", "--release", "--package", "room-runtime"]))?;
        let build = ["cargo", "build", "--release", "--package", "room-tests"];
        let bins = ["--bin", "room-soak", "--bin", "room-fake-cli"];
        run(command(".", &[&build[..], &bins].concat()))?;
    }
    run(command(".", &["target/release/room-soak", &minutes.to_string()]))
}
