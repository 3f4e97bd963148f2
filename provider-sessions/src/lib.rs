//! Signs command-line programs in, in a real terminal that nobody sits at.

pub mod failure;
pub mod provider;
pub mod session;

pub use failure::{Failure, FailureCode};
pub use provider::Provider;
pub use session::{Line, SessionId, SessionView, Status, Step, Stream};
