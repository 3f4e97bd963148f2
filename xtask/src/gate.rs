//! `cargo xtask test`: every check and test, each part by name with how it went.
//!
//! A part that cannot run on this machine says so by name and is no failure, except under
//! `CI=true`: there everything must have run.

use std::env;
use std::time::{Duration, Instant};

use crate::run::{command, has, run};
use crate::{image, layers, setup, supply, ui};

/// How one part went.
enum Outcome {
    Passed(Duration),
    Failed(anyhow::Error),
    NotHere(anyhow::Error),
}

/// Runs the parts in order and reports all of them, also after a failure.
pub(crate) fn test(quick: bool) -> anyhow::Result<()> {
    let mut gate = Gate::default();
    gate.part("format", || run(command(".", &["cargo", "fmt", "--all", "--check"])));
    gate.part("layers", layers::check);
    gate.part("supply chain", supply::check);
    gate.part("lint", || {
        let words = ["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        run(command(".", &words))
    });
    gate.part("each library alone", each_library_alone);
    gate.part("docs", || {
        let mut doc = command(".", &["cargo", "doc", "--workspace", "--no-deps", "--quiet"]);
        doc.env("RUSTDOCFLAGS", "-D warnings");
        run(doc)
    });

    gate.needs("dashboard", setup::node, || {
        ui::check()?;
        ui::check_fresh()
    });
    let clis = !quick
        && gate.set_up("real command-line programs", || {
            setup::npm_packages("tests/clis")?;
            setup::npm_packages("tests/clis/older")
        });
    if !quick {
        gate.set_up("further command-line programs", || {
            setup::npm_packages("tests/clis/others")?;
            setup::gh("tests/clis/others/node_modules/.bin")
        });
    }
    let browser = !quick
        && gate.set_up("browser", || {
            setup::npm_packages("ui")?;
            setup::chromium().map(drop)
        });

    gate.set_up("what stands around a Room", setup::neighbours);

    gate.part("program", || {
        // All of it, as the tests are built: for the program alone most crates would be built
        // twice, with other features.
        run(command(".", &["cargo", "build", "--workspace", "--all-targets"]))
    });
    let image = !quick && gate.set_up("image", || image::build(Some(image::Profile::Debug)));
    gate.part("tests", || rust_tests(clis, browser, image));
    gate.part("examples in docs", || {
        run(command(".", &["cargo", "test", "--workspace", "--doc", "--quiet"]))
    });
    if quick {
        println!("left out by --quick: real command-line programs, browser, image");
    }
    gate.report()
}

/// A library must build by itself, without what its neighbours switch on, and with each feature.
fn each_library_alone() -> anyhow::Result<()> {
    const ALONE: [(&str, &[&str]); 2] = [
        ("room-auth", &["", "axum", "jwks-http", "issuer", "test-support"]),
        ("provider-sessions", &["", "http", "install"]),
    ];
    for (package, features) in ALONE {
        for feature in features {
            let words = ["cargo", "check", "--package", package, "--no-default-features"];
            let mut check = command(".", &words);
            if !feature.is_empty() {
                check.args(["--features", feature]);
            }
            run(check)?;
        }
    }
    Ok(())
}

/// The whole Rust suite; what is missing is told to it, and it names the tests that did not run.
fn rust_tests(clis: bool, browser: bool, image: bool) -> anyhow::Result<()> {
    let mut tests = if has(&["cargo", "nextest", "--version"]) {
        command(".", &["cargo", "nextest", "run", "--workspace"])
    } else {
        println!("cargo-nextest is not installed: the same tests run with cargo test");
        command(".", &["cargo", "test", "--workspace", "--lib", "--bins", "--tests"])
    };
    tests.env("ROOM_TEST_CLIS", if clis { "1" } else { "0" });
    tests.env("ROOM_TEST_IMAGE", if image { image::IMAGE } else { "" });
    tests.env("ROOM_TEST_BROWSER", if browser { setup::chromium()? } else { "" });
    run(tests)
}

/// Keeps the outcomes and prints them at the end.
#[derive(Default)]
struct Gate {
    outcomes: Vec<(&'static str, Outcome)>,
}

impl Gate {
    fn part(&mut self, name: &'static str, work: impl FnOnce() -> anyhow::Result<()>) {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = match work() {
            Ok(()) => Outcome::Passed(start.elapsed()),
            Err(error) => {
                println!("{name} failed: {error:#}");
                Outcome::Failed(error)
            }
        };
        self.outcomes.push((name, outcome));
    }

    /// Whether what a later part needs is there now.
    fn set_up(&mut self, name: &'static str, work: impl FnOnce() -> anyhow::Result<()>) -> bool {
        println!("\n== {name}: set up");
        match work() {
            Ok(()) => true,
            Err(error) => {
                self.outcomes.push((name, Outcome::NotHere(error)));
                false
            }
        }
    }

    fn needs(
        &mut self,
        name: &'static str,
        need: impl FnOnce() -> anyhow::Result<()>,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) {
        if self.set_up(name, need) {
            self.part(name, work);
        }
    }

    fn report(self) -> anyhow::Result<()> {
        let strict = env::var("CI").is_ok_and(|value| value == "true");
        let (mut passed, mut failed, mut missing) = (0, 0, 0);
        println!("\n== summary");
        for (name, outcome) in &self.outcomes {
            match outcome {
                Outcome::Passed(took) => {
                    passed += 1;
                    println!("ok        {name} ({:.1} s)", took.as_secs_f64());
                }
                Outcome::Failed(error) => {
                    failed += 1;
                    println!("FAILED    {name}: {error:#}");
                }
                Outcome::NotHere(error) => {
                    missing += 1;
                    println!("NOT HERE  {name}: cannot run on this machine: {error:#}");
                }
            }
        }
        if strict {
            failed += missing;
        }
        println!("parts: {passed} passed, {failed} failed, {missing} not run");
        anyhow::ensure!(failed == 0, "{failed} parts failed");
        Ok(())
    }
}
