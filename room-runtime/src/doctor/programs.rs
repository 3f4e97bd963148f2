//! The programs of the providers, asked as the server asks them.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::join_all;
use provider_sessions::key::InMemory;
use provider_sessions::{Launcher, SessionManager};
use room_auth::Token;

use super::{Finding, ProgramSeen};
use crate::channels::Publisher;
use crate::config::{Config, Environment, Flags};
use crate::server;

/// Asks each program for its version and whether it is signed in.
pub(super) async fn ask(manager: &SessionManager) -> Vec<ProgramSeen> {
    let asked = manager.providers().iter().map(async |row| {
        let status = manager.verify(&row.id).await.unwrap_or_default();
        let seen = ProgramSeen {
            id: row.id.clone(),
            installed: status.installed,
            version: status.version,
            tested: row.install.tested.clone(),
            too_old: status.too_old,
            error: status.error,
            connected: status.connected,
        };
        (!status.hidden).then_some(seen)
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// The same where no server can do it. Where the settings are wrong, those that name programs are
/// as if nobody had set them.
pub(super) async fn without_a_server(
    config: Option<&Config>,
    data_dir: &Path,
    environment: &Environment,
) -> Vec<ProgramSeen> {
    let plain = || {
        let needed = |(name, _): &(&String, &String)| ["HOME", "PATH"].contains(&name.as_str());
        let environment = environment.iter().filter(needed);
        let environment = environment.map(|(name, value)| (name.clone(), value.clone()));
        Config::load(&Flags::new(), &environment.collect(), None).ok()
    };
    let Some(mut config) = config.cloned().or_else(plain) else { return Vec::new() };
    // A directory that is not there is not made, and one that is wrong is not written to.
    let Ok(place) = Place::of(data_dir) else { return Vec::new() };
    place.path().clone_into(&mut config.data_dir);
    let Ok(launcher) = Launcher::current_exe() else { return Vec::new() };
    let publisher = Arc::new(Publisher::new(Arc::default(), Arc::default()));
    let manager = server::manager(&config, environment, launcher, publisher, Arc::new(InMemory));
    ask(&manager).await
}

/// Where programs are started: the data directory, or an empty one for a moment.
enum Place {
    Ours(PathBuf),
    ForNow(PathBuf),
}

impl Place {
    fn of(data_dir: &Path) -> std::io::Result<Self> {
        if matches!(crate::data_dir::fit(data_dir), Ok(true)) {
            return Ok(Self::Ours(data_dir.to_owned()));
        }
        let path = std::env::temp_dir().join(format!("room-doctor-{}", Token::random().expose()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self::ForNow(path))
    }

    fn path(&self) -> &Path {
        let (Self::Ours(path) | Self::ForNow(path)) = self;
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::ForNow(path) = self {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

pub(super) fn judge(program: &ProgramSeen) -> Finding {
    let ProgramSeen { id, version, tested, .. } = program;
    if !program.installed {
        let what = format!("not installed (tested with {tested})");
        return Finding::warn(id, what, "install it on the dashboard, or as its maker says");
    }
    let version = version.as_deref().unwrap_or("of unknown version");
    let what = format!("{version} (tested with {tested})");
    if program.too_old {
        let what = format!("{what} is too old to sign in with");
        return Finding::fail(id, what, "update it on the dashboard, or as its maker says");
    }
    match (program.connected, &program.error) {
        (Some(true), _) => Finding::ok(id, format!("{what}, signed in")),
        (Some(false), _) => {
            Finding::warn(id, format!("{what}, not signed in"), "sign in on the dashboard")
        }
        (None, error) => {
            let why = error.as_deref().unwrap_or("it does not say whether it is signed in");
            Finding::fail(id, format!("{what}: {why}"), format!("run it by hand: `{id}`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_program_is_judged_by_what_it_says() {
        let fine = ProgramSeen {
            id: "codex".into(),
            installed: true,
            version: Some("1.2.3".into()),
            tested: "1.2.3".into(),
            too_old: false,
            error: None,
            connected: Some(true),
        };
        let check = |program: &ProgramSeen, level, says: &str| {
            let finding = judge(program);
            assert_eq!(finding.level, level, "{finding}");
            assert!(finding.to_string().contains(says), "{finding}");
        };
        check(&fine, Level::Ok, "1.2.3 (tested with 1.2.3), signed in");
        let out = ProgramSeen { connected: Some(false), ..fine.clone() };
        check(&out, Level::Warn, "sign in on the dashboard");
        check(&ProgramSeen { installed: false, ..fine.clone() }, Level::Warn, "install it");
        check(&ProgramSeen { too_old: true, ..fine.clone() }, Level::Fail, "update it");
        let error = Some("gave no answer".to_owned());
        check(&ProgramSeen { connected: None, error, ..fine }, Level::Fail, "gave no answer");
    }
}
