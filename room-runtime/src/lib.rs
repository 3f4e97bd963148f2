//! The `room` server: HTTP, WebSocket, storage and the dashboard around `room-auth` and
//! `provider-sessions`.
//!
//! [`Server::bind`] takes a checked [`Config`] and everything the server needs, [`Server::run`]
//! serves until it is told to stop. The program around it is [`commands`].

pub mod accept;
pub mod activity;
pub mod backup;
pub mod channels;
pub mod cloud;
pub mod commands;
pub mod config;
pub mod control;
pub mod data_dir;
pub mod doctor;
pub mod farewell;
pub mod http;
pub mod idle;
pub mod limits;
pub mod listen;
pub mod logging;
pub mod machine;
pub mod memo;
pub mod metrics;
pub mod proc_net;
pub mod server;
pub mod sign_in;
pub mod state;
pub mod store;
pub mod upkeep;
pub mod vault;

pub use config::Config;
pub use server::{Server, StartError};

/// The version and, after a plus sign, the commit it was built from; `dev` in builds for
/// development.
pub const VERSION: &str = env!("ROOM_VERSION");
