//! The drills of `docs/runbook.md`, each on the program that was built. A person runs them by hand
//! (`ROOM=target/release/room tests/drills/disk-full.sh`); here they are run one by one.

#![expect(clippy::print_stdout, reason = "what a drill says is what one runs it for")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use room_tests::clis::built_binary;

/// What the runbook says of each failure, in this order.
const SAID: [&str; 4] = ["What a person sees", "What the alert says", "What to do", "How it ends"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn scripts() -> BTreeSet<String> {
    let all = fs::read_dir(root().join("tests/drills")).unwrap().flatten();
    let paths: Vec<PathBuf> = all.map(|entry| entry.path()).collect();
    let names = paths.iter().filter_map(|path| path.file_stem()?.to_str());
    names.filter(|name| *name != "common").map(str::to_owned).collect()
}

/// Runs a drill, which says itself what it expected and what it found.
fn run(drill: &str) {
    let script = root().join("tests/drills").join(format!("{drill}.sh"));
    let room = built_binary("room").unwrap().canonicalize().unwrap();
    let output = Command::new(script).env("ROOM", room).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    println!("{said}");
    assert!(output.status.success(), "{}: {said}", output.status);
    assert!(said.lines().count() >= 1, "it says what it found");
}

macro_rules! drills {
    ($($name:ident: $script:literal),* $(,)?) => {
        const RUN: &[&str] = &[$($script),*];

        $(#[test]
        fn $name() {
            run($script);
        })*
    };
}

drills! {
    cli_missing: "cli-missing",
    clock_wrong: "clock-wrong",
    database_damaged: "database-damaged",
    disk_full: "disk-full",
    key_endpoint_lost: "key-endpoint-lost",
    kill_under_load: "kill-under-load",
    memory_limit: "memory-limit",
    network_cut: "network-cut",
    restore_elsewhere: "restore-elsewhere",
}

#[test]
fn every_drill_is_run_and_stands_in_the_runbook() {
    let scripts = scripts();
    assert_eq!(scripts, RUN.iter().map(|name| (*name).to_owned()).collect());
    let runbook = fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let mut left = scripts.clone();
    for chapter in runbook.split("\n## ").skip(1) {
        let Some(script) = scripts.iter().find(|name| chapter.contains(&format!("{name}.sh")))
        else {
            continue;
        };
        let mut rest = chapter;
        for part in SAID {
            let (_, after) = rest.split_once(&format!("**{part}.**")).unwrap_or_else(|| {
                panic!("{script} says nothing of: {part}");
            });
            rest = after;
        }
        left.remove(script);
    }
    assert!(left.is_empty(), "not in the runbook: {left:?}");
}

/// Each alert that the runbook names is one of those there are.
#[test]
fn every_alert_of_the_runbook_is_there() {
    let alerts = fs::read_to_string(root().join("docs/alerts.yml")).unwrap();
    let runbook = fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let named: BTreeSet<&str> = runbook
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.starts_with("Room") && name.chars().all(char::is_alphanumeric))
        .collect();
    assert!(named.len() >= 8, "{named:?}");
    for name in named {
        assert!(alerts.contains(&format!("alert: {name}\n")), "there is no alert {name}");
    }
}
