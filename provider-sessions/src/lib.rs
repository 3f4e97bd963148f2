//! Signs command-line programs in, in a real terminal that nobody sits at.

pub mod environment;
pub mod failure;
pub mod launcher;
pub mod process;
pub mod provider;
pub mod pty;
pub mod session;
pub mod sweep;

pub use environment::{child_environment, find_program};
pub use failure::{Failure, FailureCode};
pub use launcher::{Launcher, Spec, run_launcher_if_asked};
pub use process::{Exit, Output, SpawnError, harden_self, run};
pub use provider::Provider;
pub use pty::{Size, Terminal, open_terminal};
pub use session::{Line, SessionId, SessionView, Status, Step, Stream};
pub use sweep::{DirectoryMark, Marker, MarkerScope, Swept, sweep};
