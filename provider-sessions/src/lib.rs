//! Signs command-line programs in, in a real terminal that nobody sits at.

#[cfg(feature = "http")]
mod callback;
mod driver;
pub mod environment;
pub mod error;
pub mod failure;
mod home;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "install")]
mod install;
pub mod key;
pub mod launcher;
mod login;
pub mod manager;
pub mod paste;
pub mod process;
pub mod provider;
pub mod pty;
mod redact;
pub mod replay;
pub mod scan;
pub mod screen;
pub mod session;
pub mod status;
pub mod sweep;

pub use environment::{child_environment, find_program};
pub use error::SessionError;
pub use failure::{Failure, FailureCode};
pub use home::InPlaceReason;
#[cfg(feature = "install")]
pub use install::InstallSettings;
pub use key::{HeldKey, InMemory, KeyChecked, KeyKeeper, KeyStatus};
pub use launcher::{Launcher, Spec, run_launcher_if_asked, stay_first_if_first};
pub use manager::{ConnectOptions, Connected, Disconnected, Observer, SessionManager, Settings};
pub use paste::{Paste, PasteError, clean_paste};
pub use process::{Exit, Output, SpawnError, harden_self, run};
pub use provider::Provider;
pub use pty::{Terminal, open_terminal};
pub use scan::{Candidate, Decision, Event, Scanner, Token};
pub use screen::Size;
pub use session::{Kind, Line, SessionId, SessionView, Status, Step, Stream};
pub use status::ProviderStatus;
pub use sweep::{DirectoryMark, Marker, MarkerScope, Swept, sweep};
