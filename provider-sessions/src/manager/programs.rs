//! Runs of the providers' programs besides the sign-ins: is it signed in, sign out; and the look at
//! the disk that says when to ask again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Disconnected, Inner, lock};
use crate::environment::child_environment;
use crate::error::SessionError;
use crate::launcher::Spec;
use crate::login::Ending;
use crate::process::run;
use crate::provider::{HomeStrategy, Provider};
use crate::session::SessionId;
use crate::status::{self, Answer, PROBE_LIMIT, ProviderStatus};
use crate::sweep::Marker;

/// How often credential files and programs are looked at for changes made outside Room.
const WATCH: Duration = Duration::from_secs(2);

/// A logout asks the vendor to revoke; without network it gives up by itself sooner than this.
const LOGOUT_LIMIT: Duration = Duration::from_secs(30);

impl Inner {
    /// What a run of the row's program is started with.
    pub(crate) fn spec(
        &self,
        row: &Provider,
        program: PathBuf,
        args: Vec<String>,
        moved_to: Option<&Path>,
        session: Option<SessionId>,
    ) -> Spec {
        let moved = moved_to.map(|path| path.to_string_lossy().into_owned());
        let folder = moved.or_else(|| self.variable(&row.home.variable).map(ToOwned::to_owned));
        let mut extra: Vec<(String, String)> = row.environment.clone().into_iter().collect();
        extra.extend(folder.map(|folder| (row.home.variable.clone(), folder)));
        let env =
            child_environment(&self.settings.environment, &self.settings.provider_home, &extra);
        let marker = Marker::new(&self.mark, session.unwrap_or_else(SessionId::random));
        Spec { program, args, env, cwd: self.work_dir(), marker, input: None }
    }

    /// Asks the row's program whether it is signed in, in the person's folder or another one.
    pub(crate) async fn ask(
        &self,
        row: &Provider,
        moved_to: Option<&Path>,
        session: Option<SessionId>,
    ) -> Result<bool, String> {
        let answer = self.answer(row, moved_to, session).await;
        answer.connected.ok_or_else(|| answer.error.unwrap_or_default())
    }

    /// Asks in the person's folder and writes the answer into the cache before anyone is told that
    /// a sign-in is done: a page that goes on to the list must find it there.
    pub(crate) async fn confirm(&self, row: &Provider, session: SessionId) -> Result<bool, String> {
        let answer = self.answer(row, None, Some(session)).await;
        if let Ok(index) = self.index(&row.id) {
            self.update_status(index, |status| status.take(answer.clone()));
        }
        answer.connected.ok_or_else(|| answer.error.unwrap_or_default())
    }

    pub(super) async fn answer(
        &self,
        row: &Provider,
        moved_to: Option<&Path>,
        session: Option<SessionId>,
    ) -> Answer {
        let Some(program) = self.program(row) else {
            let error = Some(format!("{} is not installed", row.program));
            return Answer { error, ..Answer::default() };
        };
        let folder = moved_to.map_or_else(|| self.folder(row), Path::to_owned);
        // Before its first sign-in the folder may not exist, and codex fails on that instead of
        // saying that nobody is signed in.
        if row.home.strategy == HomeStrategy::Scratch && !folder.exists() {
            return Answer { connected: Some(false), ..Answer::default() };
        }
        let args = row.status.args().to_vec();
        let spec = self.spec(row, program, args, moved_to, session);
        status::ask(row, self.launcher(), spec, &folder).await
    }

    /// Asks the program and writes the answer into the cache; askers at the same time share it.
    pub(super) async fn probe(&self, index: usize) {
        let asked_at = Timestamp::now();
        let slot = &self.slots[index];
        let _asking = slot.asking.lock().await;
        self.clean_start().await;
        if lock(&self.statuses)[index].checked_at.is_some_and(|at| at >= asked_at) {
            return;
        }
        let row = &slot.provider;
        let Some(program) = self.program(row) else {
            return self.update_status(index, |status| {
                *status = ProviderStatus {
                    provider: row.id.clone(),
                    connected: Some(false),
                    checked_at: Some(Timestamp::now()),
                    requested_at: status.requested_at,
                    disconnected_at: status.disconnected_at,
                    session: status.session,
                    install: status.install,
                    ..ProviderStatus::default()
                };
            });
        };
        let spec = self.spec(row, program, vec!["--version".to_owned()], None, None);
        let version = run(self.launcher(), spec, PROBE_LIMIT).await.ok();
        let version = version.and_then(|output| status::read_version(&output.stdout));
        let answer = self.answer(row, None, None).await;
        self.update_status(index, |status| {
            status.installed = true;
            status.version_note = version
                .as_deref()
                .and_then(|found| status::version_note(found, &row.install.tested));
            status.version = version;
            status.take(answer);
        });
    }

    /// Probes now, and again whenever the program or its credentials change on disk.
    pub(super) async fn watch(&self, index: usize) {
        let row = &self.slots[index].provider;
        let mut seen = None;
        loop {
            let found = self.fingerprint(row);
            if seen.as_ref() != Some(&found) {
                seen = Some(found);
                tokio::select! {
                    () = self.probe(index) => {}
                    () = self.stopping.cancelled() => return,
                }
            }
            tokio::select! {
                () = tokio::time::sleep(WATCH) => {}
                () = self.stopping.cancelled() => return,
            }
        }
    }

    /// What changes when a person signs in, signs out, installs or updates outside Room.
    fn fingerprint(&self, row: &Provider) -> Vec<Option<(std::time::SystemTime, u64)>> {
        let folder = self.folder(row);
        let credentials = row.home.credentials.iter().map(|file| folder.join(file));
        let look = |path: PathBuf| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        credentials.chain(self.program(row)).map(look).collect()
    }

    pub(super) async fn disconnect(
        self: Arc<Self>,
        index: usize,
    ) -> Result<Disconnected, SessionError> {
        let slot = &self.slots[index];
        let row = &slot.provider;
        let _changing = slot.changing.lock().await;
        self.clean_start().await;
        let latest = lock(&slot.latest).clone();
        if let Some(live) = latest {
            live.end(Ending::Cancelled);
            live.done().await;
        }
        let program = self.program(row).ok_or_else(|| SessionError::NotInstalled {
            program: row.program.clone(),
            command: row.install.command.clone(),
        })?;
        let folder = self.folder(row);
        let files: Vec<PathBuf> =
            row.home.credentials.iter().map(|file| folder.join(file)).collect();
        let there: Vec<PathBuf> = files.into_iter().filter(|file| file.exists()).collect();
        let spec = self.spec(row, program, row.logout.args.clone(), None, None);
        let logout = run(self.launcher(), spec, LOGOUT_LIMIT).await;
        let failed = match logout {
            Ok(output) if output.timed_out => Some("the sign-out took too long".to_owned()),
            Ok(output) if output.exit.code == Some(0) => None,
            Ok(output) => Some(format!("the sign-out ended with code {:?}", output.exit.code)),
            Err(error) => Some(error.to_string()),
        };
        self.probe(index).await;
        let now = lock(&self.statuses)[index].clone();
        let ok = now.connected == Some(false);
        let at = now.checked_at.unwrap_or_else(Timestamp::now);
        if ok {
            self.update_status(index, |status| status.disconnected_at = Some(at));
        }
        let still = || format!("{} still says that it is signed in", row.name);
        let error = if ok { None } else { failed.or(now.error).or_else(|| Some(still())) };
        let removed = there.into_iter().filter(|file| !file.exists()).collect();
        Ok(Disconnected { ok, removed, error, at })
    }

    pub(super) async fn wipe(self: Arc<Self>, index: usize) -> Result<Disconnected, SessionError> {
        let row = &self.slots[index].provider;
        let mut done = match Arc::clone(&self).disconnect(index).await {
            Ok(done) => done,
            Err(SessionError::NotInstalled { .. }) => {
                Disconnected { ok: true, removed: Vec::new(), error: None, at: Timestamp::now() }
            }
            Err(error) => return Err(error),
        };
        let folder = self.folder(row);
        for file in row.home.credentials.iter().map(|file| folder.join(file)) {
            // The name itself goes, wherever it may lead.
            match std::fs::remove_file(&file) {
                Ok(()) => done.removed.push(file),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    done.ok = false;
                    done.error = Some(format!("a credential file could not be removed: {error}"));
                }
            }
        }
        Ok(done)
    }
}
