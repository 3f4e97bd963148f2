//! That `docs/threats.md` is true: every test it names is there, and it names every attack.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// How many rows each part of the page has: a threat is not lost by an edit.
const ROWS: [usize; 4] = [11, 16, 17, 19];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The tests in this program.
fn tests_there_are() -> BTreeSet<String> {
    let list = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let text = String::from_utf8(list.stdout).unwrap();
    text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// The tables of the page, a list of rows each; of a row its last two cells.
fn tables(page: &str) -> Vec<Vec<(String, [String; 2])>> {
    let mut tables = Vec::new();
    let mut rows = Vec::new();
    for line in page.lines().chain([""]) {
        let Some(row) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            if !rows.is_empty() {
                tables.push(std::mem::take(&mut rows));
            }
            continue;
        };
        let cells: Vec<&str> = row.split(" | ").collect();
        let [threat, _, local, cloud] = cells[..] else { panic!("{line}") };
        if threat != "threat" && threat != "---" {
            rows.push((threat.to_owned(), [local.to_owned(), cloud.to_owned()]));
        }
    }
    tables
}

/// What stands between backticks.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains("::") || name.contains(".rs"))
        .collect()
}

fn is_there(name: &str, tests: &BTreeSet<String>) -> bool {
    let Some((file, test)) = name.split_once(": ") else {
        let module = format!("{name}::");
        return tests.contains(name)
            || tests.iter().any(|test| test.starts_with(&module))
            || (name.contains('/') && root().join(name).is_file());
    };
    let source = fs::read_to_string(root().join(file)).unwrap_or_default();
    source.contains(&format!("fn {test}("))
}

#[test]
fn every_threat_has_its_tests_and_every_attack_its_threat() {
    let page = fs::read_to_string(root().join("docs/threats.md")).unwrap();
    let (tests, tables) = (tests_there_are(), tables(&page));
    assert_eq!(tables.iter().map(Vec::len).collect::<Vec<_>>(), ROWS);
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for name in named(&words) {
        assert!(is_there(name, &tests), "there is no {name}");
    }
    let mut all = BTreeSet::new();
    for (threat, cells) in tables.iter().flatten() {
        for cell in cells {
            let names = named(cell);
            // A test, the same as beside it, or a reason in words.
            assert!(!names.is_empty() || cell.len() > 15 || cell == "the same", "{threat}: {cell}");
            all.extend(names.into_iter().map(str::to_owned));
        }
        let first = &cells[0];
        assert!(!named(first).is_empty() || first.len() > 15, "{threat}: {first}");
    }
    let attacks = tests.iter().filter(|name| name.starts_with("attacks::"));
    let unnamed: Vec<&String> = attacks
        .filter(|name| !name.starts_with("attacks::threats::") && !all.contains(*name))
        .collect();
    assert!(unnamed.is_empty(), "tests that the page does not name: {unnamed:?}");
    for number in 1..=19 {
        let start = format!("attacks::predecessor::o{number:02}_");
        assert!(tests.iter().any(|name| name.starts_with(&start)), "{start}");
        assert!(tables[3].iter().any(|row| row.0.starts_with(&format!("O{number} "))), "O{number}");
    }
}

/// The checker sees a test that is not there.
#[test]
fn a_name_that_is_none_is_seen() {
    let tests = tests_there_are();
    assert!(!is_there("attacks::browser::nothing_of_the_kind", &tests));
    assert!(!is_there("room-runtime/src/http/tests.rs: nothing_of_the_kind", &tests));
    assert!(is_there("room-runtime/src/http/tests.rs: methods_are_told", &tests));
}
