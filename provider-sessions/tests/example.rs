//! The example signs the fake programs in, as a person at a terminal would.
#![cfg(feature = "install")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Built with the tests.
fn example() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_in-terminal"));
    let example = binary.parent().unwrap().join("examples/sign_in");
    assert!(example.exists(), "cargo build -p provider-sessions --example sign_in");
    example
}

fn start(provider: &str, home: &Path) -> Child {
    let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fakes");
    Command::new(example())
        .arg(provider)
        .env_clear()
        .env("HOME", home)
        .env("PATH", format!("{}:/usr/bin:/bin", fakes.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn it_takes_a_pasted_code() {
    let home = tempfile::tempdir().unwrap();
    let mut child = start("claude", home.path());
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut link = String::new();
    out.read_line(&mut link).unwrap();
    assert!(link.starts_with("open https://claude.com/cai/oauth/authorize"), "{link}");
    let state = link.trim().rsplit("state=").next().unwrap().to_owned();
    writeln!(child.stdin.as_ref().unwrap(), "good-abc#{state}").unwrap();
    let rest: Vec<String> = out.lines().map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
    assert_eq!(rest, ["paste what the page gives you: signed in"]);
    assert!(home.path().join(".claude/.credentials.json").exists());
}

#[test]
fn it_shows_a_code_to_type() {
    let home = tempfile::tempdir().unwrap();
    let mut child = start("codex", home.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut seen = Vec::new();
    for line in lines.by_ref() {
        let is_code = line.starts_with("type ");
        seen.push(line);
        if is_code {
            break;
        }
    }
    let last = ["open https://auth.openai.com/codex/device", "type ABCD-E1F2G"];
    assert!(seen.ends_with(&last.map(String::from)), "{seen:?}");
    std::fs::write(home.path().join("answer"), "approved").unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
    assert_eq!(rest.last().map(String::as_str), Some("signed in"));
}
