//! Stamps the program with the commit it was built from.
//!
//! `ROOM_COMMIT` says it where there is no repository, as in the build of an image. Builds for
//! development have no stamp: they would be linked anew after each commit.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ROOM_COMMIT");
    let told = std::env::var("ROOM_COMMIT").ok().filter(|commit| !commit.is_empty());
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = match told {
        Some(commit) => commit,
        None if is_release => of_repository().unwrap_or_else(|| "unknown".into()),
        None => "dev".into(),
    };
    // SemVer, section 10: what may stand behind the plus sign.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    assert!(commit.chars().all(plain), "ROOM_COMMIT is no plain word: {commit:?}");
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo::rustc-env=ROOM_VERSION={version}+{commit}");
}

/// The commit that is checked out, and whether something else than that is built.
fn of_repository() -> Option<String> {
    for name in ["logs/HEAD", "index"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if changed { format!("{commit}-changed") } else { commit })
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
