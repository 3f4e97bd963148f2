//! A person's home directory that lasts as long as a test.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The directory cargo puts binaries into, `target/PROFILE`, found from the running program:
/// a binary lies in it, a test in its `deps`.
///
/// # Panics
///
/// When the running program has no path.
pub fn binary_directory() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    let directory = program.parent().expect("a file lies in a directory");
    let own = if directory.file_name() == Some(OsStr::new("deps")) {
        directory.parent().expect("target/PROFILE/deps has a parent")
    } else {
        directory
    };
    own.to_owned()
}

/// Where tests keep what they make: below the build, and not deleted by the system.
///
/// # Errors
///
/// When it cannot be made.
pub(crate) fn work_directory() -> io::Result<PathBuf> {
    let directory = binary_directory().join("room-tests");
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// A home of its own below the build directory, deleted on drop.
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
        let home = Self(TempDir::with_prefix_in("home-", work_directory()?)?);
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
