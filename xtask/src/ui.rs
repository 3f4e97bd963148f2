//! The dashboard: built with Node into `ui-dist`, which is committed so that Rust alone suffices.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::run::{command, run};
use crate::setup;

/// Builds into `ui-dist`.
pub(crate) fn build() -> anyhow::Result<()> {
    setup::npm_packages("ui")?;
    run(command("ui", &["npm", "run", "--silent", "build"]))
}

/// Types, lint, unit tests and the size budget.
pub(crate) fn check() -> anyhow::Result<()> {
    setup::npm_packages("ui")?;
    run(command("ui", &["npm", "run", "--silent", "check"]))
}

/// Fails when `ui-dist` is not what `ui` builds to, byte for byte.
pub(crate) fn check_fresh() -> anyhow::Result<()> {
    setup::npm_packages("ui")?;
    let built = tempfile::tempdir()?;
    let mut vite = command("ui", &["npm", "run", "--silent", "build"]);
    vite.env("UI_OUT_DIR", built.path());
    run(vite)?;
    let (committed, built) = (read_tree(Path::new("ui-dist"))?, read_tree(built.path())?);
    let names = committed.keys().chain(built.keys());
    let stale: Vec<_> = names.filter(|name| committed.get(*name) != built.get(*name)).collect();
    if stale.is_empty() {
        return Ok(());
    }
    bail!("ui-dist is stale (run `cargo xtask ui` and commit): {stale:?}")
}

fn read_tree(root: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(root)?.to_owned(), fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_with_its_folders() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("assets")).unwrap();
        fs::write(dir.path().join("assets/a.js"), "1").unwrap();
        fs::write(dir.path().join("index.html"), "2").unwrap();
        let tree = read_tree(dir.path()).unwrap();
        assert_eq!(tree.len(), 2);
        assert_eq!(tree[Path::new("assets/a.js")], b"1");
    }
}
