//! How the programs are asked whether they are signed in, and the look at the disk that says when
//! to ask again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use secrecy::{ExposeSecret, SecretString};

use super::{Inner, lock};
use crate::environment::child_environment;
use crate::launcher::Spec;
use crate::process::run;
use crate::provider::{HomeStrategy, Provider, Shown};
use crate::session::SessionId;
use crate::status::{self, Answer, PROBE_LIMIT, ProviderStatus, VersionFacts};
use crate::sweep::Marker;

/// How often credential files and programs are looked at for changes made outside Room: a person
/// who signs in there sees it here within 2 s, of which the program takes one. A look is a handful
/// of `stat` calls.
const WATCH: Duration = Duration::from_millis(500);

/// What changes when a file does.
pub(crate) type Stamp = Option<(SystemTime, u64)>;

/// The version a program had when it was last asked, and the file it was.
pub(super) type KnownVersion = (PathBuf, Stamp, String);

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
        let variable = row.home.variable.as_deref();
        let folder =
            moved.or_else(|| variable.and_then(|name| self.variable(name)).map(ToOwned::to_owned));
        let mut extra: Vec<(String, String)> = row.environment.clone().into_iter().collect();
        extra.extend(variable.map(ToOwned::to_owned).zip(folder));
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
            let key = self.key_status(index, answer.method.as_deref());
            self.update_status(index, |status| {
                status.take(answer.clone());
                status.key = key;
            });
        }
        answer.connected.ok_or_else(|| answer.error.unwrap_or_default())
    }

    /// The program's answer without any key of ours, in the person's folder or another one.
    pub(super) async fn answer(
        &self,
        row: &Provider,
        moved_to: Option<&Path>,
        session: Option<SessionId>,
    ) -> Answer {
        let folder = moved_to.map_or_else(|| self.folder(row), Path::to_owned);
        // Before its first sign-in the folder may not exist, and codex fails on that instead of
        // saying that nobody is signed in.
        if row.home.strategy == HomeStrategy::Scratch && !folder.exists() {
            return Answer { connected: Some(false), ..Answer::default() };
        }
        self.asked(row, &folder, |spec| spec, moved_to, session).await
    }

    /// The program's answer when it is handed a key.
    pub(super) async fn answer_with(
        &self,
        row: &Provider,
        (variable, key): &(String, SecretString),
        session: Option<SessionId>,
    ) -> Answer {
        let hand = |mut spec: Spec| {
            spec.env.push((variable.clone(), key.expose_secret().to_owned()));
            spec
        };
        self.asked(row, &self.folder(row), hand, None, session).await
    }

    async fn asked(
        &self,
        row: &Provider,
        folder: &Path,
        with: impl FnOnce(Spec) -> Spec,
        moved_to: Option<&Path>,
        session: Option<SessionId>,
    ) -> Answer {
        let Some(program) = self.program(row) else {
            let error = Some(format!("{} is not installed", row.program));
            return Answer { error, ..Answer::default() };
        };
        let Some(args) = row.status.args() else {
            return status::read_file_answer(&row.status, folder).unwrap_or_default();
        };
        let spec = with(self.spec(row, program, args.to_vec(), moved_to, session));
        status::ask(row, self.launcher(), spec, folder).await
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
            let key = self.key_status(index, None);
            return self.update_status(index, |status| {
                *status = ProviderStatus {
                    provider: row.id.clone(),
                    connected: Some(false),
                    signed_in: Some(false),
                    key,
                    hidden: row.shown == Shown::Installed,
                    checked_at: Some(Timestamp::now()),
                    requested_at: status.requested_at,
                    disconnected_at: status.disconnected_at,
                    session: status.session,
                    install: status.install,
                    ..ProviderStatus::default()
                };
            });
        };
        let version = self.version(index, &program).await;
        let facts = VersionFacts::of(version.as_deref(), &row.install);
        let answer = self.answer(row, None, None).await;
        // Nobody signed in, but there is a key: with that it can be used all the same.
        let by_key = match (answer.connected, self.key_variable(index)) {
            (Some(false), Some(key)) => Some(self.answer_with(row, &key, None).await),
            _ => None,
        };
        let by_key = by_key.filter(|answer| answer.connected == Some(true));
        let key = self.key_status(index, answer.method.as_deref());
        self.update_status(index, |status| {
            status.installed = true;
            status.hidden = false;
            status.version = version;
            status.version_note = facts.note;
            status.too_old = facts.is_too_old;
            status.update_available = facts.is_older && row.install.archive_here().is_some();
            status.take(answer);
            if let Some(by_key) = by_key {
                (status.connected, status.method) = (Some(true), by_key.method);
            }
            status.key = key;
        });
    }

    /// The program's version, asked anew only when its file has changed.
    async fn version(&self, index: usize, program: &Path) -> Option<String> {
        let slot = &self.slots[index];
        let found = stamp(program);
        if let Some((path, then, version)) = &*lock(&slot.version)
            && path == program
            && *then == found
        {
            return Some(version.clone());
        }
        let args = vec!["--version".to_owned()];
        let spec = self.spec(&slot.provider, program.to_owned(), args, None, None);
        let output = run(self.launcher(), spec, PROBE_LIMIT).await.ok();
        let version = output.and_then(|output| status::read_version(&output.stdout));
        // One that gave none is asked again next time.
        *lock(&slot.version) =
            version.as_ref().map(|text| (program.to_owned(), found, text.clone()));
        version
    }

    /// Probes now, and again whenever the program or its credentials change on disk.
    pub(super) async fn watch(&self, index: usize) {
        let row = &self.slots[index].provider;
        let mut seen = None;
        let mut is_first = true;
        loop {
            let found = self.fingerprint(row);
            if seen.as_ref() != Some(&found) {
                seen = Some(found);
                tokio::select! {
                    () = self.probe(index) => {}
                    () = self.stopping.cancelled() => return,
                }
                if std::mem::take(&mut is_first) {
                    self.store_injected(index).await;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(WATCH) => {}
                () = self.stopping.cancelled() => return,
            }
        }
    }

    /// What changes when a person signs in, signs out, installs or updates outside Room.
    pub(crate) fn fingerprint(&self, row: &Provider) -> Vec<Stamp> {
        let folder = self.folder(row);
        let credentials = row.home.credentials.iter().map(|file| folder.join(file));
        credentials.chain(self.program(row)).map(|path| stamp(&path)).collect()
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}
