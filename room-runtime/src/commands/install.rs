//! `room install`: puts providers' programs on the machine without a server, for whoever builds an
//! image or prepares a machine.

use std::process::ExitCode;
use std::sync::Arc;

use provider_sessions::{
    InMemory, InstallSettings, Launcher, Line, Observer, ProviderStatus, SessionManager,
    SessionView, Settings, Status,
};
use tokio::sync::Notify;

use super::arguments::Install;
use super::{complain, say};
use crate::config::{Config, Environment};

pub(super) fn run(config: Config, environment: &Environment, asked: &Install) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let launcher = Launcher::current_exe();
    let (Ok(runtime), Ok(launcher)) = (runtime, launcher) else {
        complain("cannot start its threads");
        return ExitCode::from(71);
    };
    // What runs below changes its folder.
    let into = std::path::absolute(&asked.into).unwrap_or_else(|_| asked.into.clone());
    let settings = Settings {
        provider_home: into.join("home"),
        data_dir: into,
        environment: environment
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        launcher,
        login_timeout: config.login_timeout,
        max_lines: config.login_lines,
        keep: config.login_kept,
        install: InstallSettings {
            registry: config.npm_registry,
            timeout: config.install_timeout,
            ..InstallSettings::default()
        },
        keys: Arc::new(InMemory),
    };
    let mut rows = provider_sessions::provider::built_in().to_vec();
    rows.extend(config.providers);
    runtime.block_on(async {
        let heard = Arc::new(Terminal::default());
        let manager = SessionManager::new(settings, rows, heard.clone());
        let mut code = ExitCode::SUCCESS;
        for provider in &asked.providers {
            if let Err(why) = install(&manager, &heard, provider).await {
                complain(&format!("{provider} was not installed: {why}"));
                code = ExitCode::FAILURE;
            }
        }
        manager.shutdown().await;
        code
    })
}

async fn install(manager: &SessionManager, heard: &Terminal, provider: &str) -> Result<(), String> {
    let started = manager.install(provider, "this machine").await;
    let mut view = started.map_err(|error| error.to_string())?.view;
    while view.is_active() {
        heard.news.notified().await;
        let newer = manager.with_session(view.id, SessionView::clone);
        view = newer.ok_or("it was forgotten")?;
    }
    match (view.status, view.failure) {
        (Status::Completed, _) => Ok(()),
        (_, Some(failure)) => Err(format!("{}. {}", failure.title, failure.action)),
        (_, None) => Err("it was cancelled".into()),
    }
}

/// Shows what is being done.
#[derive(Default)]
struct Terminal {
    news: Notify,
}

impl Observer for Terminal {
    fn status(&self, _: &SessionView) {
        self.news.notify_one();
    }

    fn lines(&self, view: &SessionView, new: &[Line]) {
        for line in new {
            say(&format!("{}: {}", view.provider, line.text));
        }
    }

    fn provider(&self, _: &ProviderStatus) {}
}
