//! Signs command-line programs in, in a real terminal that nobody sits at.
//!
//! Programs such as `codex` and `claude` sign in through a link that a person opens elsewhere and
//! a code that goes one way or the other. This crate starts them, reads their screens as a person
//! would, hands out the link and the code, types what comes back, and believes nothing but the
//! program's own word on whether it is signed in afterwards.
//!
//! Where to look:
//!
//! - [`SessionManager`] does it all: sign in, cancel, sign out, status, keys, installs. What
//!   changes is told to an [`Observer`]. `examples/sign_in.rs` is a whole program around it.
//! - [`provider`] says what a provider is: rows of data. [`Provider::faults`] checks one of your
//!   own. Nothing elsewhere knows a provider by its name.
//! - [`Scanner`] turns terminal bytes into [`Event`]s: pure, without a clock, the same for any
//!   division into reads. [`replay`] runs it over a recording, [`Decision`] says why.
//! - [`clean_paste`] judges what a person pasted before it reaches a program.
//! - [`open_terminal`], [`run`], [`sweep()`] start processes and end their whole trees, grandchildren
//!   and what a killed server left included. The program itself is its own launcher:
//!   [`run_launcher_if_asked`] stands first in `main`.
//!
//! A sign-in from a recording, without any process:
//!
//! ```
//! use provider_sessions::{Event, Scanner, Size, provider::built_in};
//!
//! let codex = &built_in()[0];
//! let mut scanner = Scanner::new(codex, Size::TERMINAL);
//! let events = scanner.push(
//!     b"Open https://auth.openai.com/codex/device\r\n\
//!       Enter this one-time code: CZ6N-DCWVI\r\n",
//! );
//! assert!(events.contains(&Event::Link("https://auth.openai.com/codex/device".into())));
//! assert!(events.contains(&Event::Code("CZ6N-DCWVI".into())));
//! ```
//!
//! Features, both on by default:
//!
//! - `http`: reaches servers for sign-ins that end with a pasted callback address, and for a test
//!   call with a key. Without it those answer that they are not part of the build.
//! - `install`: downloads and installs the programs at pinned versions.
//!
//! Linux is complete; elsewhere what needs `/proc` and subreapers is left out. No web framework is
//! inside, and no global: environment, folders and limits are handed in by [`Settings`].

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
mod pace;
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
pub use manager::{
    ConnectOptions, Connected, Disconnected, Latest, Observer, SessionManager, Settings,
};
pub use paste::{Paste, PasteError, clean_paste};
pub use process::{Exit, Output, SpawnError, harden_self, run};
pub use provider::Provider;
pub use pty::{Terminal, open_terminal};
pub use scan::{Candidate, Decision, Event, Scanner, Token};
pub use screen::Size;
pub use session::{Kind, Line, SessionId, SessionView, Status, Step, Stream};
pub use status::ProviderStatus;
pub use sweep::{DirectoryMark, Marker, MarkerScope, Swept, sweep};
