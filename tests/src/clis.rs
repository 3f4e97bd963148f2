//! The command-line programs under test: the real ones that `npm ci` put into `tests/clis`, and
//! the fake ones that behave as told.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::home::{binary_directory, work_directory};
use crate::not_run;

/// The real programs are not installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotHere {
    programs: &'static str,
    looked_in: PathBuf,
}

impl fmt::Display for NotHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.looked_in.display();
        write!(f, "left out, or no real {} in {place} (npm ci there)", self.programs)
    }
}

impl std::error::Error for NotHere {}

/// The directory that holds the pinned real `codex` and `claude`.
///
/// # Errors
///
/// When they were not installed, or `ROOM_TEST_CLIS=0` leaves them out.
pub fn real_clis() -> Result<PathBuf, NotHere> {
    clis_of("clis", "node_modules/.bin")
}

/// Earlier versions of them, whose words differ, for one platform.
///
/// npm cannot install two versions of codex beside each other, nor this one whole: of its packages
/// for other platforms some are gone. So the programs stand there without their wrappers.
///
/// # Errors
///
/// As [`real_clis`].
pub fn older_clis() -> Result<PathBuf, NotHere> {
    clis_of("clis/older", "bin")
}

/// The directory that holds one of the others, pinned: `gh`, `copilot` or `gemini`.
///
/// # Errors
///
/// As [`real_clis`].
pub fn other_cli(program: &'static str) -> Result<PathBuf, NotHere> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("clis/others");
    let directory = package.join("node_modules/.bin");
    if directory.join(program).exists() && !is_left_out() {
        Ok(directory)
    } else {
        Err(NotHere { programs: program, looked_in: package })
    }
}

fn clis_of(package: &str, directory: &str) -> Result<PathBuf, NotHere> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join(package);
    let directory = package.join(directory);
    // A stub of a few hundred bytes stands there until claude's own script has run.
    let whole = fs::metadata(directory.join("claude")).is_ok_and(|file| file.len() > 1_000_000);
    if whole && directory.join("codex").exists() && !is_left_out() {
        Ok(directory)
    } else {
        Err(NotHere { programs: "codex and claude", looked_in: package })
    }
}

fn is_left_out() -> bool {
    std::env::var("ROOM_TEST_CLIS").as_deref() == Ok("0")
}

/// What was found, or nothing after telling that `test` did not run.
///
/// # Panics
///
/// When they are missing and the environment says `CI=true`: there, a test that cannot run is a
/// test that fails.
pub fn found_for(test: &str, found: Result<PathBuf, NotHere>) -> Option<PathBuf> {
    match found {
        Ok(directory) => Some(directory),
        Err(error) => {
            not_run(test, error);
            None
        }
    }
}

/// A search path with `directory` first, then the machine's: the real codex needs node.
///
/// # Panics
///
/// When the machine's own search path is no text.
pub fn search_path(directory: &Path) -> String {
    let machine = std::env::var("PATH").expect("tests run with a search path");
    format!("{}:{machine}", directory.display())
}

/// A directory with the fake `codex` and `claude`, deleted on drop.
#[derive(Debug)]
pub struct FakeClis(TempDir);

impl FakeClis {
    /// Where they are: a directory for a search path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Puts the fake `codex` and `claude` into a directory of their own.
///
/// # Errors
///
/// When `room-fake-cli` was not built (any build of this package's tests builds it) or the
/// directory cannot be made.
pub fn fake_clis() -> io::Result<FakeClis> {
    let directory = TempDir::with_prefix_in("fakes-", work_directory()?)?;
    let program = built_binary("room-fake-cli")?;
    for name in ["codex", "claude"] {
        // Linked, not symbolically: whoever resolves the path must still read the name.
        let place = directory.path().join(name);
        fs::hard_link(&program, &place).or_else(|_| fs::copy(&program, &place).map(drop))?;
    }
    Ok(FakeClis(directory))
}

/// A binary of this workspace that cargo has built beside the running program.
///
/// # Errors
///
/// When it is not there.
pub fn built_binary(name: &str) -> io::Result<PathBuf> {
    let binary = binary_directory().join(name);
    if binary.exists() {
        Ok(binary)
    } else {
        let error = format!("{} is not built (cargo build --workspace --bins)", binary.display());
        Err(io::Error::new(io::ErrorKind::NotFound, error))
    }
}
