//! The commands of this repository: `cargo xtask test | ui | bench | cloud-demo`.
#![expect(clippy::print_stdout, reason = "a command speaks to a terminal")]

mod bench;
mod demo;
mod gate;
mod layers;
mod run;
mod setup;
mod ui;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Tests, builds and measures Room")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs every check and every test; sets up what they need.
    Test {
        /// Leaves the browser and the real command-line programs out.
        #[arg(long)]
        quick: bool,
    },
    /// Builds the dashboard into `ui-dist`.
    Ui,
    /// Measures a release build and prints a table.
    Bench {
        #[command(subcommand)]
        part: Option<Part>,
    },
    /// Runs a hosted Room with a control plane beside it, on this machine.
    CloudDemo {
        /// Takes stand-ins for `codex` and `claude`, which need no account.
        #[arg(long)]
        fake: bool,
    },
}

#[derive(Subcommand)]
enum Part {
    /// Tokens: beside `HAProxy`, node and other crates, into `docs/benchmarks.md`.
    Auth {
        /// Measures what was built last, once more.
        #[arg(long)]
        built: bool,
    },
}

fn main() -> anyhow::Result<()> {
    run::enter_workspace()?;
    match Args::parse().command {
        Command::Test { quick } => gate::test(quick),
        Command::Ui => ui::build(),
        Command::CloudDemo { fake } => demo::cloud(fake),
        Command::Bench { part: None } => bench::bench(),
        Command::Bench { part: Some(Part::Auth { built }) } => bench::auth(built),
    }
}
