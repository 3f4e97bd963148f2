//! What each command of the program does. The only module that prints.

mod arguments;
mod backup;
mod browser;
mod doctor;
mod install;
mod pair;
mod replay;
mod serve;

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use self::arguments::{Arguments, Command, Settings};
use crate::config::{Config, Environment, Faults};
use crate::control::{self, Answer, Ask};
use crate::server::PORT_FILE;

/// `EX_CONFIG`: a person must change a setting.
const CONFIG: u8 = 78;

/// Reads the arguments and does what they say.
pub fn run(
    arguments: impl Iterator<Item = std::ffi::OsString>,
    environment: &Environment,
) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    let Arguments { command, no_open, settings } = arguments;
    let configured = |act: &dyn Fn(Config) -> ExitCode| match load(&settings, environment) {
        Ok(config) => act(config),
        Err(faults) => {
            complain(&format!("Room does not start:\n{faults}"));
            ExitCode::from(CONFIG)
        }
    };
    match command.unwrap_or(Command::Serve) {
        Command::Serve => configured(&|config| serve::run(config, environment, no_open)),
        Command::Open => configured(&|config| open(&config, environment, no_open)),
        Command::Config => configured(&|config| show(&config)),
        Command::Healthcheck => configured(&|config| healthcheck(&config)),
        Command::Backup(asked) => {
            asking(&settings, environment, |dir| backup::back_up(dir, &asked.file))
        }
        Command::Restore(asked) => configured(&|config| backup::restore(&config, &asked)),
        Command::Doctor { json } => doctor::run(&settings, environment, json),
        Command::Openapi => {
            say(&format!("{:#}", crate::http::document()));
            ExitCode::SUCCESS
        }
        Command::Replay(asked) => replay::run(&asked),
        Command::Install(asked) => configured(&|config| install::run(config, environment, &asked)),
        Command::Pair(asked) => asking(&settings, environment, |dir| pair::pair(dir, &asked)),
        Command::Token(asked) => asking(&settings, environment, |dir| pair::token(dir, &asked)),
    }
}

/// For commands that only talk to the running server, which knows its settings better than this
/// shell does.
fn asking(
    settings: &Settings,
    environment: &Environment,
    act: impl Fn(&Path) -> ExitCode,
) -> ExitCode {
    let Some(directory) = Config::data_dir(&settings.flags(), environment) else {
        complain("ROOM_DATA_DIR: not set, and neither is HOME");
        return ExitCode::from(CONFIG);
    };
    act(&directory)
}

fn load(settings: &Settings, environment: &Environment) -> Result<Config, Faults> {
    let flags = settings.flags();
    let file = Config::data_dir(&flags, environment).map(|directory| directory.join("room.toml"));
    // A file that is missing or unreadable is no settings; that the directory is wrong is told
    // by the start itself.
    let text = file.and_then(|file| std::fs::read_to_string(file).ok());
    Config::load(&flags, environment, text.as_deref())
}

/// `room open`: a fresh link to the running server.
fn open(config: &Config, environment: &Environment, no_open: bool) -> ExitCode {
    match control::ask(&config.data_dir, &Ask::Open) {
        Ok(Answer::Link { url }) => {
            if !no_open && browser::open(&url, environment) {
                say("Room opens in your browser.");
            } else {
                say(&url);
            }
            ExitCode::SUCCESS
        }
        answer => not_given(&config.data_dir, answer),
    }
}

/// Says why the server did not give what it was asked for.
fn not_given(directory: &Path, answer: io::Result<Answer>) -> ExitCode {
    let directory = directory.display();
    complain(&match answer {
        Ok(Answer::Refused { error }) => error,
        Ok(_) => {
            format!("the Room on {directory} is of another version")
        }
        Err(error) if nobody_there(&error) => {
            format!("no Room runs on {directory}; start one with `room`")
        }
        Err(error) => format!("the Room on {directory} does not answer: {error}"),
    });
    ExitCode::FAILURE
}

/// Whether no server runs there, by what came of asking it.
fn nobody_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// `room config`: what is in force, and why.
fn show(config: &Config) -> ExitCode {
    let width = config.effective.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for row in &config.effective {
        let value = if row.value.is_empty() { "(not set)" } else { &row.value };
        say(&format!("{:width$} = {value}  [{}]", row.name, row.source));
    }
    ExitCode::SUCCESS
}

/// `room healthcheck`: asks the server on this data directory whether it is alive.
fn healthcheck(config: &Config) -> ExitCode {
    match alive(&config.data_dir, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("not healthy: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn alive(data_dir: &Path, config: &Config) -> io::Result<()> {
    let patience = Duration::from_secs(3);
    let port = std::fs::read_to_string(data_dir.join(PORT_FILE))?;
    let port = port.trim().parse().map_err(io::Error::other)?;
    let address = config.addresses()[0];
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(address, port), patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    io::Read::read_exact(&mut stream, &mut head)?;
    if head == *b"HTTP/1.1 200" { Ok(()) } else { Err(io::Error::other("it does not say ok")) }
}

/// For commands that wait for disks and networks, without the server's threads.
fn wait_for<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of one thread needs nothing but memory")
        .block_on(work)
}

/// Prints a line a person asked for.
fn say(text: &str) {
    // A reader that went away is no reason to fail.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Prints why something was not done.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "room: {text}");
}
