//! Every sign-in of this server: one live one a provider, the finished ones for a while, and what
//! is known of the providers. The only way in from outside.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::driver::{Start, drive};
use crate::environment::{child_environment, find_program};
use crate::error::SessionError;
use crate::home;
use crate::launcher::{Launcher, Spec};
use crate::login::{Ending, Input, Limits, Login};
use crate::paste::clean_paste;
use crate::process::run;
use crate::provider::{HomeStrategy, Provider};
use crate::session::{Line, SessionId, SessionView, Status, Step, Stream};
use crate::status::{self, Answer, PROBE_LIMIT, ProviderStatus};
use crate::sweep::{DirectoryMark, Marker, MarkerScope, sweep};

/// How often credential files and programs are looked at for changes made outside Room.
const WATCH: Duration = Duration::from_secs(2);

/// A logout asks the vendor to revoke; without network it gives up by itself sooner than this.
const LOGOUT_LIMIT: Duration = Duration::from_secs(30);

/// [`SessionManager::cancel`] answers by then, whatever the tree does.
const CANCEL_LIMIT: Duration = Duration::from_secs(8);

/// Finished sign-ins kept at most, the oldest go first.
const MAX_FINISHED: usize = 32;

/// What the manager needs to know of its surroundings; it reads no environment itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's data directory: names its processes, holds the working folder.
    pub data_dir: PathBuf,
    /// Whose credentials are managed: the home directory the programs see.
    pub provider_home: PathBuf,
    /// The server's environment, from which an allow-list reaches the programs.
    pub environment: Vec<(String, String)>,
    /// How programs are started.
    pub launcher: Launcher,
    /// The limit of one sign-in.
    pub login_timeout: Duration,
    /// Lines kept of one sign-in.
    pub max_lines: usize,
    /// How long a finished sign-in can still be read.
    pub keep: Duration,
}

/// Who is told what changes.
///
/// Called while a lock is held: an implementation must not block and must not call back.
pub trait Observer: Send + Sync + 'static {
    /// Something other than lines changed.
    fn status(&self, view: &SessionView);
    /// New lines, in order; `view` holds them already.
    fn lines(&self, view: &SessionView, new: &[Line]);
    /// What is known of a provider changed.
    fn provider(&self, status: &ProviderStatus);
}

/// What [`SessionManager::connect`] found or started.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The live sign-in.
    pub view: SessionView,
    /// Whether it was there already.
    pub reused: bool,
}

/// What [`SessionManager::disconnect`] did and what the program says now.
#[derive(Clone, Debug)]
pub struct Disconnected {
    /// Whether the program itself says that it is signed out.
    pub ok: bool,
    /// The credential files that are gone.
    pub removed: Vec<PathBuf>,
    /// Why it is not signed out.
    pub error: Option<String>,
    /// When it was checked.
    pub at: Timestamp,
}

/// One sign-in with its task; finished ones keep only the view.
pub(crate) struct Live {
    pub(crate) id: SessionId,
    login: Mutex<Login>,
    pastes: mpsc::Sender<String>,
    ending: watch::Sender<Option<Ending>>,
    /// True when the task is over and nothing of the sign-in runs any more.
    done: watch::Sender<bool>,
}

impl Live {
    /// Asks for the end; the first reason stands.
    pub(crate) fn end(&self, why: Ending) {
        self.ending.send_if_modified(|ending| {
            let first = ending.is_none();
            ending.get_or_insert(why);
            first
        });
    }

    /// Resolves when the end is asked for.
    pub(crate) async fn ending(&self) -> Ending {
        let mut ending = self.ending.subscribe();
        let asked = ending.wait_for(Option::is_some).await;
        asked.ok().and_then(|why| *why).unwrap_or(Ending::Shutdown)
    }

    pub(crate) fn is_active(&self) -> bool {
        self.login().view().is_active()
    }

    async fn done(&self) {
        // The sender lives in `self`, so this only ends with the value.
        let _ = self.done.subscribe().wait_for(|done| *done).await;
    }

    fn login(&self) -> MutexGuard<'_, Login> {
        lock(&self.login)
    }
}

/// One provider's place: its row, its latest sign-in, its lock for what must not overlap.
struct Slot {
    provider: Arc<Provider>,
    /// Held while a sign-in starts or a sign-out runs.
    changing: tokio::sync::Mutex<()>,
    /// Held while the program is asked, so that askers share one answer.
    asking: tokio::sync::Mutex<()>,
    latest: Mutex<Option<Arc<Live>>>,
}

/// What all parts share.
pub(crate) struct Inner {
    settings: Settings,
    /// Names this data directory on its processes and scratch homes.
    mark: DirectoryMark,
    slots: Vec<Slot>,
    rows: Vec<Arc<Provider>>,
    sessions: Mutex<HashMap<SessionId, Arc<Live>>>,
    statuses: Mutex<Vec<ProviderStatus>>,
    observer: Arc<dyn Observer>,
    /// Set when nothing of an earlier, killed server is left: only then may anything start.
    swept: tokio::sync::OnceCell<()>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// Drives the sign-ins of one server. Clones share everything.
#[derive(Clone)]
pub struct SessionManager(Arc<Inner>);

impl SessionManager {
    /// A manager for these providers; nothing runs before [`Self::start`] or a request.
    pub fn new(
        settings: Settings,
        providers: Vec<Arc<Provider>>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let statuses = providers
            .iter()
            .map(|row| ProviderStatus { provider: row.id.clone(), ..ProviderStatus::default() })
            .collect();
        let slots = providers
            .iter()
            .map(|row| Slot {
                provider: Arc::clone(row),
                changing: tokio::sync::Mutex::default(),
                asking: tokio::sync::Mutex::default(),
                latest: Mutex::default(),
            })
            .collect();
        Self(Arc::new(Inner {
            mark: DirectoryMark::of(&settings.data_dir),
            settings,
            slots,
            rows: providers,
            sessions: Mutex::default(),
            statuses: Mutex::new(statuses),
            observer,
            swept: tokio::sync::OnceCell::new(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }))
    }

    /// Ends what a killed server left, then keeps the status cache true, in the background.
    pub fn start(&self) {
        for index in 0..self.0.slots.len() {
            let inner = Arc::clone(&self.0);
            self.0.tasks.spawn(async move { inner.watch(index).await });
        }
    }

    /// The rows, in the order a person sees them.
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.0.rows
    }

    /// Starts a sign-in, or joins the live one.
    ///
    /// `in_place` is the person's consent to end the earlier sign-in first, where only that works.
    ///
    /// # Errors
    /// Unknown provider or method, program not installed, consent needed, server stopping.
    pub async fn connect(
        &self,
        provider: &str,
        method: Option<&str>,
        started_by: &str,
        in_place: bool,
    ) -> Result<Connected, SessionError> {
        let inner = &self.0;
        let index = inner.index(provider)?;
        let slot = &inner.slots[index];
        let row = &slot.provider;
        let method = row.method(method).ok_or(SessionError::UnknownMethod)?.clone();
        let _changing = slot.changing.lock().await;
        inner.clean_start().await;
        if inner.stopping.is_cancelled() {
            return Err(SessionError::Stopping);
        }
        let latest = lock(&slot.latest).clone();
        if let Some(live) = latest {
            let view = live.login().view().clone();
            if view.is_active() {
                return Ok(Connected { view, reused: true });
            }
            // Over for the person, but its processes may still be going.
            live.done().await;
        }
        let program = inner.program(row).ok_or_else(|| SessionError::NotInstalled {
            program: row.program.clone(),
            command: row.install_command(),
        })?;

        let limits = inner.limits();
        let login = Login::new(row, &method, started_by, limits, Timestamp::now());
        let id = login.view().id;
        let folder = inner.folder(row);
        let plan = match home::plan(&row.home, &folder, &inner.mark, id) {
            Ok(plan) => plan,
            Err(_) if in_place => home::Plan::InPlace,
            Err(reason) => {
                return Err(SessionError::WouldSignOut { name: row.name.clone(), reason });
            }
        };
        let (pastes, typed) = mpsc::channel(1);
        let live = Arc::new(Live {
            id,
            login: Mutex::new(login),
            pastes,
            ending: watch::Sender::new(None),
            done: watch::Sender::new(false),
        });
        *lock(&slot.latest) = Some(Arc::clone(&live));
        inner.remember(&live);
        let view = live.login().view().clone();
        inner.observer.status(&view);
        inner.update_status(index, |status| {
            status.requested_at = Some(view.started_at);
            status.session = Some(id);
        });
        let start = Start { provider: Arc::clone(row), method, program, plan, pastes: typed };
        inner.tasks.spawn(drive(Arc::clone(inner), live, start));
        Ok(Connected { view, reused: false })
    }

    /// Reads a sign-in while nothing of it can change: subscribe to its observer inside, and
    /// nothing is lost, none comes twice.
    pub fn with_session<R>(
        &self,
        id: SessionId,
        read: impl FnOnce(&SessionView) -> R,
    ) -> Option<R> {
        let live = lock(&self.0.sessions).get(&id).cloned()?;
        let login = live.login();
        Some(read(login.view()))
    }

    /// The provider's live sign-in, or the last one that is still remembered.
    ///
    /// # Errors
    /// Unknown provider.
    pub fn latest(&self, provider: &str) -> Result<Option<SessionView>, SessionError> {
        let slot = &self.0.slots[self.0.index(provider)?];
        let latest = lock(&slot.latest).clone();
        let remembered = latest.filter(|live| lock(&self.0.sessions).contains_key(&live.id));
        Ok(remembered.map(|live| live.login().view().clone()))
    }

    /// Hands a pasted code to the program that asks for it.
    ///
    /// # Errors
    /// No such sign-in, it is over, nothing is asked for, or the text cannot be right; then the
    /// program has not seen it.
    pub fn input(&self, id: SessionId, text: &str) -> Result<SessionView, SessionError> {
        let live = self.0.session(id)?;
        let row = self.0.row_of(&live);
        let mut login = live.login();
        let view = login.view();
        if !view.is_active() {
            return Err(SessionError::Over);
        }
        if !view.awaiting_input {
            return Err(SessionError::NotAsked);
        }
        let method = row.method(Some(&view.method)).ok_or(SessionError::UnknownMethod)?;
        let code = clean_paste(method, &row.scan, view.verification_url.as_deref(), text)?;
        // Room for one: while it is full, the earlier code has not been typed yet.
        live.pastes.try_send(code).map_err(|_| SessionError::NotAsked)?;
        if login.apply(Input::Pasted, &row, Timestamp::now()) {
            self.0.observer.status(login.view());
        }
        Ok(login.view().clone())
    }

    /// Ends a sign-in and answers when its whole process tree is gone. Repeatable.
    ///
    /// # Errors
    /// No such sign-in.
    pub async fn cancel(&self, id: SessionId) -> Result<SessionView, SessionError> {
        let live = self.0.session(id)?;
        let row = self.0.row_of(&live);
        live.end(Ending::Cancelled);
        {
            let mut login = live.login();
            let step = login.view().step;
            let cancellable = !matches!(step, Step::Verifying);
            if cancellable && login.apply(Input::Ending(Ending::Cancelled), &row, Timestamp::now())
            {
                self.0.observer.status(login.view());
            }
        }
        let _ = tokio::time::timeout(CANCEL_LIMIT, live.done()).await;
        let view = live.login().view().clone();
        Ok(view)
    }

    /// Cancels, signs out, then asks the program whether that is true.
    ///
    /// # Errors
    /// Unknown provider, or its program is not installed.
    pub async fn disconnect(&self, provider: &str) -> Result<Disconnected, SessionError> {
        let index = self.0.index(provider)?;
        let inner = Arc::clone(&self.0);
        // A task of its own: a phone that goes away must not stop a sign-out half way.
        let done = self.0.tasks.spawn(async move { inner.disconnect(index).await });
        done.await.map_err(|_| SessionError::Stopping)?
    }

    /// Asks the program now and waits for its answer.
    ///
    /// # Errors
    /// Unknown provider.
    pub async fn verify(&self, provider: &str) -> Result<ProviderStatus, SessionError> {
        let index = self.0.index(provider)?;
        self.0.probe(index).await;
        Ok(lock(&self.0.statuses)[index].clone())
    }

    /// The cache, in the order of [`Self::providers`]; never starts a process.
    pub fn status(&self) -> Vec<ProviderStatus> {
        lock(&self.0.statuses).clone()
    }

    /// Reads the cache while it cannot change, as [`Self::with_session`].
    pub fn with_status<R>(&self, read: impl FnOnce(&[ProviderStatus]) -> R) -> R {
        read(&lock(&self.0.statuses))
    }

    /// Ends every sign-in and every background task, and waits for them.
    pub async fn shutdown(&self) {
        self.0.stopping.cancel();
        for live in lock(&self.0.sessions).values() {
            live.end(Ending::Shutdown);
        }
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Inner {
    fn index(&self, provider: &str) -> Result<usize, SessionError> {
        let found = self.rows.iter().position(|row| row.id == provider);
        found.ok_or(SessionError::UnknownProvider)
    }

    fn session(&self, id: SessionId) -> Result<Arc<Live>, SessionError> {
        lock(&self.sessions).get(&id).cloned().ok_or(SessionError::UnknownSession)
    }

    fn row_of(&self, live: &Live) -> Arc<Provider> {
        let login = live.login();
        let row = self.rows.iter().find(|row| row.id == login.view().provider);
        Arc::clone(row.expect("a sign-in is only made for a row that is there"))
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { timeout: self.settings.login_timeout, max_lines: self.settings.max_lines }
    }

    pub(crate) fn launcher(&self) -> &Launcher {
        &self.settings.launcher
    }

    /// Where the row's program is, when it is installed.
    fn program(&self, row: &Provider) -> Option<PathBuf> {
        let path = self.variable("PATH").unwrap_or_default();
        find_program(&row.program, path.as_ref(), &[self.settings.data_dir.join("cli/bin")])
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.settings.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The folder with the person's own credentials.
    fn folder(&self, row: &Provider) -> PathBuf {
        match self.variable(&row.home.variable) {
            Some(moved) => PathBuf::from(moved),
            None => self.settings.provider_home.join(&row.home.folder),
        }
    }

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
        let extra = folder.map(|folder| (row.home.variable.clone(), folder));
        let env = child_environment(
            &self.settings.environment,
            &self.settings.provider_home,
            extra.as_slice(),
        );
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

    async fn answer(
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

    /// Tells a sign-in what happened, and the observer what changed.
    pub(crate) fn apply(&self, live: &Live, input: Input) {
        let row = self.row_of(live);
        let mut login = live.login();
        let lines = login.view().lines.len() as u64 + login.view().dropped_lines;
        let changed = login.apply(input, &row, Timestamp::now());
        let view = login.view();
        let added = (view.lines.len() as u64 + view.dropped_lines).saturating_sub(lines);
        if added > 0 {
            let first = view.lines.len().saturating_sub(usize::try_from(added).unwrap_or(0));
            let new: Vec<Line> = view.lines.range(first..).cloned().collect();
            self.observer.lines(view, &new);
        }
        if changed {
            self.observer.status(view);
        }
    }

    pub(crate) fn write(&self, live: &Live, stream: Stream, texts: Vec<String>) {
        let mut login = live.login();
        let new = login.write(stream, texts, Timestamp::now());
        self.observer.lines(login.view(), &new);
    }

    /// The task of a sign-in is over: forget it as the live one, look at what is true now.
    pub(crate) async fn finished(self: &Arc<Self>, live: &Live) {
        let provider = live.login().view().provider.clone();
        live.done.send_replace(true);
        if let Ok(index) = self.index(&provider) {
            self.update_status(index, |status| {
                if status.session == Some(live.id) {
                    status.session = None;
                }
            });
            let confirmed = live.login().view().status == Status::Completed;
            if !confirmed && !self.stopping.is_cancelled() {
                self.probe(index).await;
            }
        }
    }

    fn remember(&self, live: &Arc<Live>) {
        let mut sessions = lock(&self.sessions);
        let now = Timestamp::now();
        let mut finished: Vec<(Timestamp, SessionId)> = Vec::new();
        sessions.retain(|id, other| match other.login().view().ended_at {
            None => true,
            Some(ended) => {
                let age = Duration::try_from(now.duration_since(ended)).unwrap_or_default();
                finished.push((ended, *id));
                age < self.settings.keep
            }
        });
        finished.sort_unstable_by_key(|(ended, _)| *ended);
        let surplus = finished.len().saturating_sub(MAX_FINISHED);
        for (_, id) in &finished[..surplus] {
            sessions.remove(id);
        }
        sessions.insert(live.id, Arc::clone(live));
    }

    fn update_status(&self, index: usize, change: impl FnOnce(&mut ProviderStatus)) {
        let mut statuses = lock(&self.statuses);
        let before = statuses[index].clone();
        change(&mut statuses[index]);
        if statuses[index] != before {
            self.observer.provider(&statuses[index]);
        }
    }

    /// Asks the program and writes the answer into the cache; askers at the same time share it.
    async fn probe(&self, index: usize) {
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
            status.version_note =
                version.as_deref().and_then(|found| status::version_note(found, &row.tested));
            status.version = version;
            status.take(answer);
        });
    }

    /// Probes now, and again whenever the program or its credentials change on disk.
    async fn watch(&self, index: usize) {
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

    async fn disconnect(self: Arc<Self>, index: usize) -> Result<Disconnected, SessionError> {
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
            command: row.install_command(),
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

    /// Ends what carries one sign-in's marker and escaped its launcher.
    pub(crate) async fn sweep(&self, id: SessionId) {
        let scope = MarkerScope::Session(Marker::new(&self.mark, id));
        let swept = tokio::task::spawn_blocking(move || sweep(&scope)).await;
        if let Ok(swept) = swept
            && swept.killed > 0
        {
            tracing::warn!(session = %id, killed = swept.killed, "processes outlived their login");
        }
    }

    /// Once: ends what an earlier, killed server of this data directory left behind.
    async fn clean_start(&self) {
        self.swept.get_or_init(|| self.sweep_leftovers()).await;
    }

    async fn sweep_leftovers(&self) {
        let mark = self.mark.clone();
        let folders: Vec<PathBuf> = self.rows.iter().map(|row| self.folder(row)).collect();
        let work = self.work_dir();
        let swept = tokio::task::spawn_blocking(move || {
            let swept = sweep(&MarkerScope::Directory(mark.clone()));
            for folder in folders {
                if let Err(error) = home::discard_leftovers(&folder, &mark) {
                    tracing::warn!(%error, "scratch homes of a killed server not removed");
                }
            }
            if let Err(error) = home::private_dir(&work) {
                tracing::warn!(%error, "no folder for programs to start in");
            }
            swept
        });
        if let Ok(swept) = swept.await
            && swept.killed > 0
        {
            tracing::warn!(killed = swept.killed, "ended processes of a killed server");
        }
    }

    /// Where programs start: a folder with nothing in it that they could take for a project.
    fn work_dir(&self) -> PathBuf {
        self.settings.data_dir.join("work")
    }
}

/// No critical section here can leave its value half changed.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
