//! A person's home directory that lasts as long as a test.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The directory cargo builds into, found from the running test.
///
/// # Panics
///
/// When the running program does not lie in one.
pub fn target_directory() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    let debug = program
        .ancestors()
        .find(|directory| directory.file_name() == Some(OsStr::new("deps")))
        .and_then(Path::parent)
        .expect("cargo puts tests into target/PROFILE/deps");
    debug.parent().expect("target/PROFILE has a parent").to_owned()
}

/// A home of its own below `target/tmp`, deleted on drop.
///
/// Not below the temporary directory: codex warns on each start when its home is there.
#[derive(Debug)]
pub struct TempHome(TempDir);

impl TempHome {
    /// Makes an empty home with an empty `.codex`, which codex wants to find.
    ///
    /// # Errors
    ///
    /// When the directories cannot be made.
    pub fn new() -> io::Result<Self> {
        let parent = target_directory().join("tmp");
        std::fs::create_dir_all(&parent)?;
        let home = Self(TempDir::with_prefix_in("home-", parent)?);
        std::fs::create_dir(home.codex())?;
        Ok(home)
    }

    /// Where it is. The name is this home's alone, which makes it a marker of whatever was
    /// started with it (see [`crate::processes_with_marker`]).
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The same as text.
    pub fn text(&self) -> &str {
        self.path().to_str().expect("the build directory has a plain name")
    }

    /// `~/.codex`.
    pub fn codex(&self) -> PathBuf {
        self.path().join(".codex")
    }

    /// `~/.claude`.
    pub fn claude(&self) -> PathBuf {
        self.path().join(".claude")
    }

    /// The environment of a person at home: nothing of the machine's but the search path.
    pub fn env(&self, path: &str) -> Vec<(String, String)> {
        [
            ("HOME", self.text()),
            ("PATH", path),
            ("LANG", "C.UTF-8"),
            ("TERM", "xterm-256color"),
            ("BROWSER", "/bin/true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}
