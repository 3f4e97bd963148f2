//! What a manager is told of its surroundings.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "install")]
use crate::install::InstallSettings;
use crate::key::{InMemory, KeyKeeper};
use crate::launcher::Launcher;

/// What the manager needs to know of its surroundings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's data directory: names its processes, holds the working folder.
    pub data_dir: PathBuf,
    /// Whose credentials are managed: the home directory the programs see.
    pub provider_home: PathBuf,
    /// The server's environment, from which an allow-list reaches the programs.
    pub environment: Vec<(String, String)>,
    /// How programs are started.
    pub launcher: Launcher,
    /// The limit of one sign-in.
    pub login_timeout: Duration,
    /// Lines kept of one sign-in.
    pub max_lines: usize,
    /// How long a finished sign-in can still be read.
    pub keep: Duration,
    /// How programs are installed.
    #[cfg(feature = "install")]
    pub install: InstallSettings,
    /// Who keeps keys over a restart.
    pub keys: Arc<dyn KeyKeeper>,
}

impl Settings {
    /// For the person who runs this very program: their home, their environment, sign-ins of at
    /// most 15 minutes, the last 500 lines of each, keys in memory only.
    ///
    /// # Errors
    /// The person has no home directory, this program has no path, or `data_dir` cannot be made.
    pub fn new(data_dir: impl Into<PathBuf>) -> io::Result<Self> {
        let data_dir = data_dir.into();
        std::fs::create_dir_all(&data_dir)?;
        let nowhere = || io::Error::new(io::ErrorKind::NotFound, "no home directory");
        let variables = std::env::vars_os();
        let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Ok(Self {
            data_dir,
            provider_home: std::env::home_dir().ok_or_else(nowhere)?,
            environment: variables.filter_map(texts).collect(),
            launcher: Launcher::current_exe()?,
            login_timeout: Duration::from_mins(15),
            max_lines: 500,
            keep: Duration::from_hours(2),
            #[cfg(feature = "install")]
            install: InstallSettings::default(),
            keys: Arc::new(InMemory),
        })
    }
}
