//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use provider_sessions::Size;

use crate::config::Flags;

/// Room: sign in codex and claude on this machine from any browser.
#[derive(Debug, Parser)]
#[command(name = "room", version = crate::VERSION, disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Print the sign-in link instead of opening the browser.
    #[arg(long, global = true)]
    pub(super) no_open: bool,
    #[command(flatten)]
    pub(super) settings: Settings,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server (the default).
    Serve,
    /// Open the running server with a fresh one-time link.
    Open,
    /// Sign in a device of a hosted Room, from a shell on its machine.
    Pair(Pair),
    /// Make a bearer for a program on this machine.
    Token(Token),
    /// Look at everything this Room stands on, and say what to do.
    Doctor {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Copy the state of this Room, running or not, into one file.
    Backup(Backup),
    /// Put a backup in the place of a stopped Room's state.
    Restore(Restore),
    /// Show the settings in force and where they come from.
    Config,
    /// Print the HTTP interface as an OpenAPI document.
    Openapi,
    /// Run a recorded terminal transcript through the real screen and detector.
    Replay(Replay),
    /// Exit with 0 if the server on this data directory is alive.
    Healthcheck,
    /// Put programs of providers on this machine, as they were tested, without a server.
    Install(Install),
}

/// Who is signed in.
#[derive(Debug, Args)]
pub(super) struct Pair {
    /// As what: owner, admin, member or viewer.
    #[arg(long = "as", value_name = "ROLE", default_value = "owner")]
    pub(super) role: String,
}

/// What the program may do, and for how long.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// As what: owner, admin, member or viewer.
    #[arg(long, value_name = "ROLE", default_value = "owner")]
    pub(super) role: String,
    /// For how long, an hour at most.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u8).range(1..=60))]
    pub(super) minutes: u8,
}

/// Where the copy goes.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to write; one that is there is left alone. `-` is standard output.
    pub(super) file: PathBuf,
}

/// What is restored.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// Take a backup of another Room, of this instance id.
    #[arg(long, value_name = "ID")]
    pub(super) from: Option<String>,
    /// A file that `room backup` wrote. `-` is standard input.
    pub(super) file: PathBuf,
}

/// What is installed where.
#[derive(Debug, Args)]
pub(super) struct Install {
    /// The folder that gets `cli/bin` with the programs; it is made if it is missing.
    #[arg(long, value_name = "DIR")]
    pub(super) into: PathBuf,
    /// Whose programs.
    #[arg(required = true, value_name = "PROVIDER")]
    pub(super) providers: Vec<String>,
}

/// How a wording that changed is reported and reproduced.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Whose program wrote it: codex, claude, another that Room knows, or a file with a row.
    #[arg(long, value_name = "PROVIDER")]
    pub(super) provider: String,
    /// The terminal's width when it was recorded.
    #[arg(long, value_name = "N", default_value_t = Size::TERMINAL.cols, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) cols: u16,
    /// The terminal's height when it was recorded.
    #[arg(long, value_name = "N", default_value_t = Size::TERMINAL.rows, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) rows: u16,
    /// Feed this many bytes at a time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) chunk: Option<u64>,
    /// Also say why each link, code and question was taken or refused.
    #[arg(long)]
    pub(super) explain: bool,
    /// The recording: the bytes the program wrote to its terminal.
    pub(super) file: PathBuf,
}

/// The settings one gives by hand; each is also a `ROOM_*` variable.
#[derive(Debug, Args)]
pub(super) struct Settings {
    /// `local`, for this computer alone, or `cloud`.
    #[arg(long, global = true, value_name = "MODE")]
    mode: Option<String>,
    /// The addresses to listen on.
    #[arg(long, global = true, value_name = "ADDRESS")]
    bind: Option<String>,
    /// The port; 0 picks a free one.
    #[arg(long, global = true, value_name = "PORT")]
    port: Option<String>,
    /// Where everything is kept.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Whose provider credentials are managed.
    #[arg(long, global = true, value_name = "DIR")]
    provider_home: Option<String>,
    /// What the dashboard calls this Room.
    #[arg(long, global = true, value_name = "NAME")]
    name: Option<String>,
    /// How a browser gets in: `code` or `same-uid`.
    #[arg(long, global = true, value_name = "WAY")]
    local_handshake: Option<String>,
    /// How much is logged: off, error, warn, info, debug, trace.
    #[arg(long, global = true, value_name = "LEVEL")]
    log: Option<String>,
    /// The form of the log: json, pretty or auto.
    #[arg(long, global = true, value_name = "FORM")]
    log_format: Option<String>,
}

impl Settings {
    pub(super) fn flags(&self) -> Flags {
        [
            ("ROOM_MODE", &self.mode),
            ("ROOM_BIND", &self.bind),
            ("ROOM_PORT", &self.port),
            ("ROOM_DATA_DIR", &self.data_dir),
            ("ROOM_PROVIDER_HOME", &self.provider_home),
            ("ROOM_NAME", &self.name),
            ("ROOM_LOCAL_HANDSHAKE", &self.local_handshake),
            ("ROOM_LOG", &self.log),
            ("ROOM_LOG_FORMAT", &self.log_format),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect()
    }
}
