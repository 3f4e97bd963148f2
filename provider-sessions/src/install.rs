//! Puts a provider's program on this machine, from the npm registry and without npm (feature
//! `install`).
//!
//! A row pins one archive a platform: its address, size and SHA-512. It is downloaded into the
//! data directory, checked, unpacked, run once, and only then put in the place of the one before.
//! Whatever goes wrong until then, the old program stays and nothing else does.

mod archive;
mod download;
mod place;

use std::io;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub(crate) use self::archive::{Bounds, unpack};
pub(crate) use self::download::{Integrity, Wanted, download};
pub(crate) use self::place::{Package, Place, Staging, below_package};
use crate::failure::FailureCode;

/// How programs are installed.
#[derive(Clone, Debug)]
pub struct InstallSettings {
    /// Where packages come from: an npm registry's address, https, or http to this machine.
    pub registry: String,
    /// The limit of one install.
    pub timeout: Duration,
    /// How long a download may stand still.
    pub stall: Duration,
}

impl InstallSettings {
    /// The registry of npm itself.
    pub const REGISTRY: &str = "https://registry.npmjs.org";
}

impl Default for InstallSettings {
    /// The registry of npm; 15 minutes in all, which 170 MB need at 200 kB/s; 30 seconds without a
    /// byte.
    fn default() -> Self {
        Self {
            registry: Self::REGISTRY.to_owned(),
            timeout: Duration::from_mins(15),
            stall: Duration::from_secs(30),
        }
    }
}

/// Why a program was not installed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
    #[error("the registry could not be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the registry answered {0}")]
    Answered(reqwest::StatusCode),
    #[error("the download stood still for {0:?}")]
    Stalled(Duration),
    #[error("the download ended after {got} of {expected} bytes")]
    CutOff { got: u64, expected: u64 },
    #[error("the download has another size than it should")]
    OtherSize,
    #[error("the download does not have the pinned digest")]
    OtherDigest,
    #[error("the package cannot be used: {0}")]
    BadArchive(&'static str),
    #[error("the row names a path or a digest that is none")]
    BadRow,
    #[error("the disk has {free} MB free, and the install needs about {needed} MB")]
    NoSpace { free: u64, needed: u64 },
    #[error("the disk did not take it: {0}")]
    Disk(#[source] io::Error),
    #[error("it does not run here: {0}")]
    DoesNotRun(String),
    #[error("it says that it is version {found}, not {expected}")]
    OtherVersion { found: String, expected: String },
    #[error("stopped")]
    Stopped,
}

impl InstallError {
    /// What a person is told.
    pub(crate) fn code(&self) -> FailureCode {
        match self {
            Self::Client(_)
            | Self::Unreachable(_)
            | Self::Answered(_)
            | Self::Stalled(_)
            | Self::CutOff { .. } => FailureCode::Network,
            Self::OtherSize
            | Self::OtherDigest
            | Self::BadArchive(_)
            | Self::BadRow
            | Self::OtherVersion { .. } => FailureCode::Integrity,
            Self::NoSpace { .. } | Self::Disk(_) => FailureCode::CannotStore,
            Self::DoesNotRun(_) => FailureCode::Unsupported,
            Self::Stopped => FailureCode::Canceled,
        }
    }
}

/// The wish to stop, heard by what waits and looked at by what works.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(CancellationToken);

impl Stop {
    /// Asks for the end.
    pub(crate) fn ask(&self) {
        self.0.cancel();
    }

    /// Resolves when the end is asked for.
    pub(crate) async fn asked(&self) {
        self.0.cancelled().await;
    }

    /// Fails when the end is asked for.
    pub(crate) fn check(&self) -> Result<(), InstallError> {
        if self.0.is_cancelled() { Err(InstallError::Stopped) } else { Ok(()) }
    }
}
