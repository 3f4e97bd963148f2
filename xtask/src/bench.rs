//! `cargo xtask bench`: figures of release builds, measured from outside, beside what others reach.
//!
//! The recipe is in `docs/benchmarks.md`. All servers listen on loopback; whatever is started ends
//! with the row it was started for.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;

use crate::run::{command, has, run};

mod auth;
mod http;
mod hub;
mod lines;
mod peer;
mod report;
mod start;

/// Rows that are measured together.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rows {
    /// Start to first answer, memory at rest.
    Start,
    /// Who am I, and how the providers stand.
    Http,
    /// Tokens: a table of its own.
    Auth,
    /// Many sockets: fan-out, readers that do not read, idle ones.
    Hub,
    /// A program's lines: one at a time, and 20,000 at once.
    Lines,
    /// The program, the first page.
    Sizes,
    /// The pure parts alone, by criterion; not part of a whole run.
    Pure,
}

impl Rows {
    /// What makes the table of all rows.
    const TABLE: [Self; 5] = [Self::Start, Self::Sizes, Self::Http, Self::Lines, Self::Hub];
}

/// Builds unless told that it is built, measures these rows (none: all), and prints them. A whole
/// run goes into the report.
pub(crate) fn bench(asked: &[Rows], is_built: bool) -> anyhow::Result<()> {
    if asked == [Rows::Pure] {
        return pure();
    }
    if !is_built {
        build()?;
    }
    let wanted = if asked.is_empty() { &Rows::TABLE } else { asked };
    let load_before = report::load_average()?;
    let mut rows = Vec::new();
    for part in wanted {
        match part {
            Rows::Start => start::start(&mut rows)?,
            Rows::Sizes => start::sizes(&mut rows)?,
            Rows::Http => http::http(&mut rows)?,
            Rows::Lines => lines::lines(&mut rows)?,
            Rows::Hub => hub::hub(&mut rows)?,
            Rows::Auth => auth::auth()?,
            Rows::Pure => pure()?,
        }
        println!("\n{}", report::table(&rows)?);
    }
    if asked.is_empty() {
        let load = format!("{load_before} before, {} after", report::load_average()?);
        report::write(&rows, &load)?;
        auth::auth()?;
    }
    Ok(())
}

/// Everything that is measured, built alike.
fn build() -> anyhow::Result<()> {
    run(command(".", &["cargo", "build", "--release", "--package", "room-runtime"]))?;
    let load = ["--bin", "room-hub-source", "--bin", "room-load"];
    let tests = ["cargo", "build", "--release", "--package", "room-tests"];
    run(command(".", &[&tests[..], &load].concat()))?;
    let manifest = "xtask/peers/Cargo.toml";
    let peers = ["cargo", "build", "--release", "--locked", "--manifest-path", manifest];
    run(command(".", &[&peers[..], &["--target-dir", "target/peers"]].concat()))?;
    run(command("xtask/peers", &["npm", "ci", "--no-audit", "--no-fund", "--silent"]))?;
    quoroom().or_else(|error| {
        println!("The predecessor is left out: {error:#}");
        Ok(())
    })
}

/// The predecessor from its registry. Its own scripts would fetch models and browsers; one of them
/// is needed, which builds its database.
fn quoroom() -> anyhow::Result<()> {
    let folder = "target/quoroom";
    if !Path::new(peer::QUOROOM).exists() {
        fs::create_dir_all(folder)?;
        for name in ["package.json", "package-lock.json"] {
            fs::copy(format!("xtask/peers/quoroom/{name}"), format!("{folder}/{name}"))?;
        }
        let quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
        run(command(folder, &[&["npm", "ci"], &quiet[..]].concat()))?;
        run(command(folder, &["npm", "rebuild", "better-sqlite3", "--silent"]))?;
    }
    let works = has(&["node", peer::QUOROOM, "help"]);
    works.then_some(()).context("it does not start")
}

/// The detector, the screen and the verifier, without a server around them.
fn pure() -> anyhow::Result<()> {
    run(command(".", &["cargo", "bench", "--package", "provider-sessions", "--bench", "scan"]))?;
    run(command(".", &["cargo", "bench", "--package", "room-auth", "--bench", "verify"]))
}

/// A folder with a `codex` that prints what it is told.
fn programs(folder: &Path) -> anyhow::Result<PathBuf> {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin)?;
    fs::copy(peer::PROGRAM, bin.join("codex")).context("build the peers first")?;
    Ok(bin)
}

fn folder_name(folder: &Path) -> anyhow::Result<&str> {
    folder.to_str().context("a folder with a plain name")
}
