//! Dependencies point one way: the libraries never name each other or the runtime.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::run::{command, output};

/// What each package of the workspace may depend on within it.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("room-auth", &[]),
    ("provider-sessions", &[]),
    ("room-runtime", &["room-auth", "provider-sessions"]),
    ("room-tests", &["room-auth", "provider-sessions", "room-runtime"]),
    ("xtask", &[]),
];

/// Crates that a library must do without, so that it can be embedded anywhere.
const FORBIDDEN: [(&str, &[&str]); 1] = [("provider-sessions", &["axum", "hyper", "sqlx"])];

/// Fails when a package depends on one it must not know.
pub(crate) fn check() -> anyhow::Result<()> {
    let text = output(command(".", &["cargo", "metadata", "--format-version=1", "--no-deps"]))?;
    let found = direct_dependencies(&text)?;
    let faults = faults(&found);
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("\n")) }
}

/// Package name to the names it depends on directly (not for its tests).
fn direct_dependencies(metadata: &str) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let metadata: Value = serde_json::from_str(metadata).context("read cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    Ok(packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().into_iter().flatten();
            let real = all.filter(|dependency| dependency["kind"].as_str() != Some("dev"));
            (name(package), real.map(name).collect())
        })
        .collect())
}

fn faults(found: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let members: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let mut faults = Vec::new();
    for (package, dependencies) in found {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == package) else {
            faults.push(format!("{package}: say in layers.rs what it may depend on"));
            continue;
        };
        let forbidden = FORBIDDEN.iter().find(|(name, _)| name == package);
        for dependency in dependencies {
            let inside = members.contains(dependency.as_str());
            if inside && !allowed.contains(&dependency.as_str()) {
                faults.push(format!("{package} must not depend on {dependency}"));
            }
            if forbidden.is_some_and(|(_, names)| names.contains(&dependency.as_str())) {
                faults.push(format!("{package} must do without {dependency}"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(package: &str, dependency: &str, faulty: bool) {
        let found = BTreeMap::from([(package.to_owned(), BTreeSet::from([dependency.to_owned()]))]);
        assert_eq!(!faults(&found).is_empty(), faulty, "{package} -> {dependency}");
    }

    #[test]
    fn dependencies_point_one_way() {
        check("room-runtime", "room-auth", false);
        check("room-auth", "serde", false);
        check("room-auth", "provider-sessions", true);
        check("provider-sessions", "room-runtime", true);
        check("provider-sessions", "axum", true);
        check("newcomer", "serde", true);
    }
}
