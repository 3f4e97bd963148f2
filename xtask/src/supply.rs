//! What Room's crates may be under, where they come from and which are there twice: the lists of
//! `deny.toml`, asked of `cargo metadata` and so without the network.
//!
//! `cargo deny check` reads the same file and asks more: known faults, and the texts of licences.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, bail};
use serde_json::Value;
use toml::Table;

use crate::run::{command, output};

/// What is built for, as in `deny.toml`.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What cargo knows of the crates that are built with these words of `cargo tree`.
///
/// `cargo metadata` alone has more: it also resolves what no feature asks for.
pub(crate) fn packages(which: &[&str]) -> anyhow::Result<Vec<Value>> {
    let words = ["cargo", "tree", "--locked", "--target", TARGET, "--prefix=none", "--format={p}"];
    let tree = output(command(".", &[&words, which].concat()))?;
    let built: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(" v")?;
            Some((name, rest.split(' ').next()?))
        })
        .collect();
    let words =
        ["cargo", "metadata", "--locked", "--format-version=1", "--filter-platform", TARGET];
    let mut metadata: Value = serde_json::from_str(&output(command(".", &words))?)?;
    let Value::Array(mut packages) = metadata["packages"].take() else {
        bail!("cargo metadata has no packages");
    };
    packages.retain(|package| {
        let text = |name: &str| package[name].as_str().unwrap_or_default();
        built.contains(&(text("name"), text("version")))
    });
    anyhow::ensure!(packages.len() == built.len(), "cargo's two answers do not agree");
    Ok(packages)
}

/// Fails when a crate is under, from or besides what the lists allow.
pub(crate) fn check() -> anyhow::Result<()> {
    let rules = Rules::read(&fs::read_to_string("deny.toml")?.parse()?)?;
    let packages = packages(&["--workspace", "--edges=all"])?;
    let crates: Vec<_> = packages.iter().map(Crate::read).collect();
    let faults = rules.faults(&crates);
    println!("{} crates; advisories were not asked (cargo deny check advisories)", crates.len());
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("\n")) }
}

/// A crate, as far as rules ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Crate {
    name: String,
    version: String,
    license: Option<String>,
    /// None is this workspace.
    source: Option<String>,
}

impl Crate {
    fn read(package: &Value) -> Self {
        let text = |name: &str| package[name].as_str().map(str::to_owned);
        Self {
            name: text("name").unwrap_or_default(),
            version: text("version").unwrap_or_default(),
            license: text("license"),
            source: text("source"),
        }
    }
}

struct Rules {
    licenses: BTreeSet<String>,
    denied: BTreeSet<String>,
    /// `name@version`, or the first numbers of it.
    twice: BTreeSet<String>,
    registries: BTreeSet<String>,
}

impl Rules {
    fn read(deny: &Table) -> anyhow::Result<Self> {
        let list = |table: &str, name: &str| -> anyhow::Result<BTreeSet<String>> {
            let list =
                deny.get(table).and_then(|table| table.get(name)).and_then(|it| it.as_array());
            let list = list.with_context(|| format!("deny.toml has no {table}.{name}"))?;
            let text = |item: &toml::Value| {
                let item = item.get("crate").unwrap_or(item);
                item.as_str().map(str::to_owned)
            };
            list.iter().map(|item| text(item).with_context(|| format!("{item}"))).collect()
        };
        Ok(Self {
            licenses: list("licenses", "allow")?,
            denied: list("bans", "deny")?,
            twice: list("bans", "skip")?,
            registries: list("sources", "allow-registry")?,
        })
    }

    /// All faults, each for a person.
    fn faults(&self, crates: &[Crate]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for one in crates {
            let Crate { name, version, license, source } = one;
            versions.entry(name).or_default().insert(version);
            if self.denied.contains(name) {
                faults.push(format!("{name} {version} is not to be used"));
            }
            let Some(source) = source else { continue };
            let known = source.strip_prefix("registry+");
            if !known.is_some_and(|registry| self.registries.contains(registry)) {
                faults.push(format!("{name} {version} comes from {source}"));
            }
            match license {
                Some(license) if allowed(license, &self.licenses) => {}
                Some(license) => faults.push(format!("{name} {version} is under {license}")),
                None => faults.push(format!("{name} {version} does not say what it is under")),
            }
        }
        let mut unused = self.twice.clone();
        for (name, versions) in versions {
            let skipped = |version: &str| {
                let is_it = |rule: &&String| {
                    rule.strip_prefix(name).and_then(|rest| rest.strip_prefix('@')).is_some_and(
                        |rule| version == rule || version.starts_with(&format!("{rule}.")),
                    )
                };
                self.twice.iter().find(is_it)
            };
            if versions.len() > 1 {
                let rules = versions.iter().filter_map(|version| skipped(version));
                rules.for_each(|rule| _ = unused.remove(rule));
                if versions.iter().filter(|version| skipped(version).is_none()).count() > 1 {
                    faults.push(format!("{name} is there as {versions:?}"));
                }
            }
        }
        faults.extend(unused.into_iter().map(|rule| format!("{rule} is not there twice any more")));
        faults
    }
}

/// Whether an SPDX expression can be met with these licences alone; the slash of older crates is
/// "or". A part that cannot be read cannot be met.
fn allowed(expression: &str, licenses: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (met, rest) = any(&words, licenses);
    met && rest.is_empty()
}

fn any<'a, 'b>(words: &'a [&'b str], licenses: &BTreeSet<String>) -> (bool, &'a [&'b str]) {
    let (mut met, mut rest) = every(words, licenses);
    while let ["OR", after @ ..] = rest {
        let (other, left) = every(after, licenses);
        (met, rest) = (met || other, left);
    }
    (met, rest)
}

fn every<'a, 'b>(words: &'a [&'b str], licenses: &BTreeSet<String>) -> (bool, &'a [&'b str]) {
    let (mut met, mut rest) = one(words, licenses);
    while let ["AND", after @ ..] = rest {
        let (other, left) = one(after, licenses);
        (met, rest) = (met && other, left);
    }
    (met, rest)
}

fn one<'a, 'b>(words: &'a [&'b str], licenses: &BTreeSet<String>) -> (bool, &'a [&'b str]) {
    match words {
        ["(", inside @ ..] => match any(inside, licenses) {
            (met, [")", rest @ ..]) => (met, rest),
            (_, rest) => (false, rest),
        },
        [license, "WITH", exception, rest @ ..] => {
            (licenses.contains(&format!("{license} WITH {exception}")), rest)
        }
        [license, rest @ ..] => (licenses.contains(*license), rest),
        [] => (false, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn an_expression_is_met_by_what_is_on_the_list() {
        let licenses = set(&["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "MIT AND (ISC OR GPL-3.0)",
            "GPL-3.0 AND ISC OR MIT",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        ] {
            assert!(allowed(good, &licenses), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR ISC) AND GPL-3.0",
            "MIT AND",
            "(MIT",
            "MIT) OR (ISC",
            "Apache-2.0",
            "MIT ISC",
        ] {
            assert!(!allowed(bad, &licenses), "{bad}");
        }
    }

    #[test]
    fn each_rule_is_asked() {
        let rules = Rules {
            licenses: set(&["MIT"]),
            denied: set(&["ring"]),
            twice: set(&["syn@2", "gone@1"]),
            registries: set(&["https://crates.example"]),
        };
        let is = |name: &str, version: &str| Crate {
            name: name.into(),
            version: version.into(),
            license: Some("MIT".into()),
            source: Some("registry+https://crates.example".into()),
        };
        let ours = Crate { license: None, source: None, ..is("room", "1.0.0") };
        let good = [ours.clone(), is("syn", "2.0.1"), is("syn", "3.0.0"), is("gone", "1.0.0")];
        assert_eq!(rules.faults(&good), ["gone@1 is not there twice any more"]);
        let bad = [
            is("gone", "1.0.0"),
            is("gone", "2.0.0"),
            is("syn", "2.0.1"),
            is("syn", "20.0.0"),
            is("syn", "3.0.0"),
            is("ring", "1.0.0"),
            Crate { license: Some("GPL-3.0".into()), ..is("a", "1.0.0") },
            Crate { license: None, ..is("b", "1.0.0") },
            Crate { source: Some("git+https://crates.example".into()), ..is("c", "1.0.0") },
        ];
        let faults = rules.faults(&bad);
        let expected = ["ring", "a 1.0.0 is under", "b 1.0.0 does not", "c 1.0.0 comes", "syn is"];
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{fault}");
        }
    }
}
