//! The harness of Room's end-to-end tests.
//!
//! Stand-ins for the vendors' servers ([`openai`], [`anthropic`], [`github`], [`google`], [`proxy`]) and for a control plane
//! ([`issuer`]) and a registry of packages ([`registry`]), browsers without a screen ([`page`]), the command-line
//! programs under test, real and fake ([`clis`]), homes that last as long as a test ([`home`]),
//! a plain terminal ([`terminal`]) that proves the rest without Room, and crowds of light clients
//! ([`load`]) that measure it, a [`soak`] that goes on for an hour, and a bad [line](mod@line) to put between.

pub mod anthropic;
pub mod app;
pub mod client;
pub mod clis;
pub mod demo;
pub mod disk;
pub mod fake;
pub mod github;
pub mod google;
pub mod home;
pub mod issuer;
pub mod line;
pub mod load;
pub mod metrics;
mod not_run;
pub mod openai;
pub mod page;
pub mod port;
mod processes;
pub mod proxy;
pub mod raw;
pub mod registry;
pub mod soak;
pub mod socket;
mod standin;
pub mod terminal;
pub mod vitals;
mod wait;

pub use not_run::not_run;
pub use processes::{Process, processes_with_marker};
pub use standin::Seen;
pub use wait::{eventually, eventually_async};
