//! `room doctor`.

use std::process::ExitCode;

use serde_json::json;

use super::arguments::Settings;
use super::{say, wait_for};
use crate::config::{Config, Environment};
use crate::doctor::{Asked, Level, examine};

/// Prints what was found; 1 if something does not work.
pub(super) fn run(settings: &Settings, environment: &Environment, as_json: bool) -> ExitCode {
    let asked = Asked {
        config: super::load(settings, environment),
        data_dir: Config::data_dir(&settings.flags(), environment),
        environment,
    };
    let found = wait_for(examine(asked));
    let worst = found.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    if as_json {
        say(&json!({ "ok": worst < Level::Fail, "findings": found }).to_string());
    } else {
        for finding in &found {
            say(&finding.to_string());
        }
    }
    if worst < Level::Fail { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
