//! `room doctor`: looks at everything a Room stands on, changes nothing, and says of each thing
//! that is wrong what to do.
//!
//! It works beside a running server, which tells what only it knows, and without one; and where the
//! settings are wrong or the database is damaged, for that is when it is asked.

mod database;
mod machine;
mod programs;
mod trust;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::{Config, Environment, Faults};
use crate::control::{self, Answer, Ask};
use crate::http;
use crate::state::App;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and not as well as it could.
    Warn,
    /// Something does not work.
    Fail,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// How it is.
    pub level: Level,
    /// What was looked at.
    pub name: String,
    /// What was found.
    pub found: String,
    /// What to do, where there is something to do.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:4} {}: {}", self.level.to_string(), self.name, self.found)?;
        match &self.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl Finding {
    fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, name: name.into(), found: found.into(), advice: None }
    }

    fn warn(name: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warn, advice: Some(advice.into()), ..Self::ok(name, found) }
    }

    fn fail(name: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Fail, advice: Some(advice.into()), ..Self::ok(name, found) }
    }
}

/// What a running server knows of itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Seen {
    /// Its version.
    pub version: String,
    /// The build of its dashboard.
    pub build: String,
    /// Where it is reached.
    pub address: String,
    /// By how many milliseconds its clock has been set since it began.
    pub step_ms: i64,
    /// How many files it has open, and may have.
    pub files: (u64, u64),
    /// The keys of each issuer.
    pub keys: Vec<KeysSeen>,
    /// The programs of the providers.
    pub programs: Vec<ProgramSeen>,
}

/// The keys of one issuer, as the server holds them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct KeysSeen {
    /// Whose.
    pub issuer: String,
    /// `fresh`, `degraded`, `stale` or `none`.
    pub state: String,
    /// How long ago the endpoint last confirmed them.
    pub age_seconds: Option<u64>,
    /// Why the last fetch failed.
    pub fault: Option<String>,
}

/// A provider's program, as it answered just now.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ProgramSeen {
    /// The provider.
    pub id: String,
    /// Whether the program is there.
    pub installed: bool,
    /// Which one.
    pub version: Option<String>,
    /// The one this Room was tested with.
    pub tested: String,
    /// Whether it is older than any that is known to sign in this way.
    pub too_old: bool,
    /// What it does not say of itself.
    pub error: Option<String>,
    /// Whether it is signed in, or has a key.
    pub connected: Option<bool>,
}

impl Seen {
    /// What this server is.
    pub async fn of(app: &App) -> Self {
        let keys = app.cloud.as_ref().map(|cloud| cloud.trust.health()).unwrap_or_default();
        let keys = keys.into_iter().map(|(issuer, health)| KeysSeen {
            issuer: issuer.to_owned(),
            state: health.state.as_str().to_owned(),
            age_seconds: health.age.map(|age| age.as_secs()),
            fault: health.last_fault.map(|fault| fault.to_string()),
        });
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: http::build().to_owned(),
            address: app.address(),
            step_ms: machine::step(app.started, app.started_uptime, app.now()),
            files: machine::files(),
            keys: keys.collect(),
            programs: programs::ask(&app.manager).await,
        }
    }
}

/// What is to be looked at.
pub struct Asked<'a> {
    /// The settings, or all that is wrong with them.
    pub config: Result<Config, Faults>,
    /// Where everything is kept, if anyone said so.
    pub data_dir: Option<PathBuf>,
    /// What the program was started with.
    pub environment: &'a Environment,
}

/// Looks at everything.
pub async fn examine(asked: Asked<'_>) -> Vec<Finding> {
    let Asked { config, data_dir, environment } = asked;
    let mut found = Vec::new();
    let config = match config {
        Ok(config) => {
            found.push(settings(&config));
            Some(config)
        }
        Err(faults) => {
            // Each says itself what to do.
            let faults = faults.0.into_iter().map(|fault| fault.to_string());
            let wrong = |text| Finding { level: Level::Fail, ..Finding::ok("settings", text) };
            found.extend(faults.map(wrong));
            None
        }
    };
    let Some(data_dir) = data_dir else { return found };
    found.extend(machine::user(config.as_ref()));
    let directory = machine::directory(&data_dir);
    let is_usable = directory.level < Level::Fail && data_dir.exists();
    found.push(directory);
    if is_usable {
        found.extend(machine::modes(&data_dir));
        found.extend(database::look(&data_dir, config.as_ref()).await);
    }
    found.push(machine::disk(&data_dir));
    let seen = if is_usable { server(&data_dir, &mut found) } else { None };
    found.push(machine::open_files(seen.as_deref()));
    if let Some(config) = &config
        && seen.is_none()
    {
        found.push(machine::port(config));
    }
    let programs = match &seen {
        Some(seen) => seen.programs.clone(),
        None => programs::without_a_server(config.as_ref(), &data_dir, environment).await,
    };
    found.extend(programs.iter().map(programs::judge));
    if let Some(config) = &config {
        found.extend(trust::look(config, seen.as_deref()).await);
    } else {
        found.push(Finding::warn(
            "keys and clock",
            "not looked at",
            "they are, once the settings are right",
        ));
    }
    found
}

fn settings(config: &Config) -> Finding {
    let set = config.effective.iter().filter(|row| row.source != "default").count();
    let legacy = config.cloud.as_ref().is_some_and(|cloud| !cloud.legacy_secrets.is_empty());
    let found = format!("{} mode, {set} set, none wrong", config.mode());
    if legacy {
        let advice = "move its issuer to public keys (ROOM_JWKS_URL)";
        return Finding::warn("settings", format!("{found}; tokens with a shared secret"), advice);
    }
    Finding::ok("settings", found)
}

/// The server that runs there, if one does.
fn server(data_dir: &Path, found: &mut Vec<Finding>) -> Option<Box<Seen>> {
    match control::ask(data_dir, &Ask::Examine) {
        Ok(Answer::Seen(seen)) => {
            let same = seen.version == env!("CARGO_PKG_VERSION") && seen.build == http::build();
            let at = format!("Room {} answers at {}", seen.version, seen.address);
            found.push(if same {
                Finding::ok("server", at)
            } else {
                let what = format!("{at}, and this program is another build");
                Finding::warn("server", what, "restart the server")
            });
            Some(seen)
        }
        Err(error) if is_absence(&error) => {
            found.push(match machine::holder(data_dir) {
                None => Finding::warn("server", "none runs here", "start it with `room`"),
                Some(who) => Finding::fail(
                    "server",
                    format!("{who} holds the data directory and does not answer"),
                    "end that process and start `room` again",
                ),
            });
            None
        }
        Ok(_) => {
            let what = "another version runs, which cannot be asked";
            found.push(Finding::warn("server", what, "restart the server"));
            None
        }
        Err(error) => {
            let what = format!("it does not answer on room.sock: {error}");
            found.push(Finding::fail("server", what, "look at its log, and restart it"));
            None
        }
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
