//! The commands of this repository; `cargo xtask help` says what each does.
#![expect(clippy::print_stdout, reason = "a command speaks to a terminal")]

mod bench;
mod demo;
mod gate;
mod image;
mod layers;
mod run;
mod sbom;
mod setup;
mod soak;
mod supply;
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
    /// Measures release builds beside others and writes `docs/benchmarks.md`.
    Bench {
        /// Only these rows, which are printed and not written; none is all of them.
        rows: Vec<bench::Rows>,
        /// Measures what was built last, once more.
        #[arg(long)]
        built: bool,
    },
    /// Keeps a release build under load and says whether anything grew or got lost.
    Soak {
        /// For how long; under 30 the growth is told and not judged.
        #[arg(long, default_value_t = 60)]
        minutes: u32,
        /// Takes what was built last.
        #[arg(long)]
        built: bool,
    },
    /// Builds the image from bases of its own making, runs it, and proves what is said of it.
    Image {
        /// Takes `target/PROFILE/room` instead of building it in the image.
        #[arg(long, value_name = "PROFILE")]
        built: Option<image::Profile>,
    },
    /// Checks licences, sources and doubles of all crates by `deny.toml`, without the network.
    Supply,
    /// Prints what an image is made of, as `CycloneDX`.
    Sbom {
        /// The image whose Debian packages are listed too; none is Room and its programs alone.
        #[arg(long)]
        image: Option<String>,
    },
    /// Runs a hosted Room with a control plane beside it, on this machine.
    CloudDemo {
        /// Takes stand-ins for `codex` and `claude`, which need no account.
        #[arg(long)]
        fake: bool,
    },
}

fn main() -> anyhow::Result<()> {
    run::enter_workspace()?;
    match Args::parse().command {
        Command::Test { quick } => gate::test(quick),
        Command::Ui => ui::build(),
        Command::CloudDemo { fake } => demo::cloud(fake),
        Command::Soak { minutes, built } => soak::soak(minutes, built),
        Command::Image { built } => image::image(built),
        Command::Supply => supply::check(),
        Command::Sbom { image } => sbom::print(image.as_deref()),
        Command::Bench { rows, built } => bench::bench(&rows, built),
    }
}
