//! Every sign-in of this server: one live one a provider, the finished ones for a while, and what
//! is known of the providers. The only way in from outside.

mod input;
#[cfg(feature = "install")]
mod installs;
mod keys;
mod latest;
mod leftovers;
mod live;
#[cfg(all(test, feature = "install"))]
mod orders;
mod programs;
mod settings;
mod sign_out;
mod table;

/// What the sessions and their table lock with. A test puts others in its place, which try every
/// order.
mod sync {
    pub(super) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
}

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::latest::Latest;
pub(crate) use self::live::{Handed, Live};
pub(crate) use self::programs::Stamp;
pub use self::settings::Settings;
use self::table::{Refusal, Table};
use crate::driver::{Start, drive};
use crate::environment::find_program;
use crate::error::SessionError;
use crate::home;
use crate::launcher::Launcher;
use crate::login::{Input, Limits, Login};
use crate::pace::Message;
use crate::provider::{Provider, Shown};
use crate::session::{Kind, Line, SessionId, SessionView, Status, Stream};
use crate::status::ProviderStatus;
use crate::sweep::DirectoryMark;

/// [`SessionManager::cancel`] answers by then, whatever the tree does.
const CANCEL_LIMIT: Duration = Duration::from_secs(8);

/// Who is told what changes.
///
/// Called while a lock is held: an implementation must not block and must not call back.
pub trait Observer: Send + Sync + 'static {
    /// Something other than lines changed.
    fn status(&self, view: &SessionView);
    /// New lines, in order, or another line being written; `view` holds them already.
    fn lines(&self, view: &SessionView, new: &[Line]);
    /// What is known of a provider changed.
    fn provider(&self, status: &ProviderStatus);
}

/// How a person wants to sign in.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The method's id; the provider's first one by default.
    pub method: Option<String>,
    /// The person's e-mail address, where the method takes one.
    pub email: Option<String>,
    /// Consent to end the earlier sign-in first, where only that works.
    pub in_place: bool,
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
    /// Whether a key that was held for its processes is gone.
    pub removed_key: bool,
    /// Why it is not signed out.
    pub error: Option<String>,
    /// When it was checked.
    pub at: Timestamp,
}

/// One provider's place: its row, its lock for what must not overlap.
struct Slot {
    provider: Arc<Provider>,
    /// Held while a sign-in starts or a sign-out runs.
    changing: tokio::sync::Mutex<()>,
    /// Held while the program is asked, so that askers share one answer.
    asking: tokio::sync::Mutex<()>,
    held: Mutex<keys::Held>,
    version: Mutex<Option<programs::KnownVersion>>,
}

/// What all parts share.
pub(crate) struct Inner {
    settings: Settings,
    /// Names this data directory on its processes and scratch homes.
    mark: DirectoryMark,
    slots: Vec<Slot>,
    rows: Vec<Arc<Provider>>,
    table: Table,
    statuses: Mutex<Vec<ProviderStatus>>,
    observer: Arc<dyn Observer>,
    /// Set when nothing of an earlier, killed server is left: only then may anything start.
    swept: tokio::sync::OnceCell<()>,
    /// Processes that a sweep of ours has ended.
    orphans: AtomicU64,
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
            .map(|row| ProviderStatus {
                provider: row.id.clone(),
                hidden: row.shown == Shown::Installed,
                ..ProviderStatus::default()
            })
            .collect();
        let slots = providers
            .iter()
            .map(|row| Slot {
                provider: Arc::clone(row),
                changing: tokio::sync::Mutex::default(),
                asking: tokio::sync::Mutex::default(),
                held: Mutex::default(),
                version: Mutex::default(),
            })
            .collect();
        let table = Table::new(providers.len(), settings.keep);
        Self(Arc::new(Inner {
            mark: DirectoryMark::of(&settings.data_dir),
            settings,
            slots,
            rows: providers,
            table,
            statuses: Mutex::new(statuses),
            observer,
            swept: tokio::sync::OnceCell::new(),
            orphans: AtomicU64::new(0),
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

    /// How many processes outlived their sign-in or their server, and were ended.
    pub fn orphans_killed(&self) -> u64 {
        self.0.orphans.load(Ordering::Relaxed)
    }

    /// The rows, in the order a person sees them.
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.0.rows
    }

    /// Starts a sign-in, or joins the live one.
    ///
    /// # Errors
    /// Unknown provider or method, an e-mail address the method does not take, program not
    /// installed, consent needed, server stopping.
    pub async fn connect(
        &self,
        provider: &str,
        options: ConnectOptions,
        started_by: &str,
    ) -> Result<Connected, SessionError> {
        let inner = &self.0;
        let index = inner.index(provider)?;
        let slot = &inner.slots[index];
        let row = &slot.provider;
        let method = input::chosen(row, &options)?;
        let _changing = slot.changing.lock().await;
        inner.clean_start().await;
        let refused = |why| match why {
            Refusal::Stopping => SessionError::Stopping,
            Refusal::Other => SessionError::Installing { name: row.name.clone() },
        };
        let joined = |live: &Live| Connected { view: live.login().view().clone(), reused: true };
        if let Some(live) = inner.table.way(index, Kind::SignIn).await.map_err(refused)? {
            return Ok(joined(&live));
        }
        let program = inner.installed(row)?;

        let limits = inner.limits();
        let login = Login::new(row, &method, started_by, limits, Timestamp::now());
        let id = login.view().id;
        let folder = inner.folder(row);
        let plan = match home::plan(&row.home, &folder, &inner.mark, id) {
            Ok(plan) => plan,
            Err(_) if options.in_place => home::Plan::InPlace,
            Err(reason) => {
                return Err(SessionError::WouldSignOut { name: row.name.clone(), reason });
            }
        };
        let (live, handed) = Live::new(login);
        let view = live.login().view().clone();
        let start = || {
            inner.observer.status(&view);
            inner.update_status(index, |status| {
                status.requested_at = Some(view.started_at);
                status.session = Some(id);
            });
            let with = Start { provider: Arc::clone(row), method, program, plan, handed };
            inner.tasks.spawn(drive(Arc::clone(inner), Arc::clone(&live), with));
        };
        let begun = inner.table.begin(index, Kind::SignIn, &live, view.started_at, start);
        match begun.map_err(refused)? {
            Some(other) => Ok(joined(&other)),
            None => Ok(Connected { view, reused: false }),
        }
    }

    /// Reads a sign-in while nothing of it can change: subscribe to its observer inside, and
    /// nothing is lost, none comes twice.
    pub fn with_session<R>(
        &self,
        id: SessionId,
        read: impl FnOnce(&SessionView) -> R,
    ) -> Option<R> {
        let live = self.0.table.session(id)?;
        let login = live.login();
        Some(read(login.view()))
    }

    /// The provider's live sign-in, or the last one that is still remembered.
    ///
    /// # Errors
    /// Unknown provider.
    pub fn latest(&self, provider: &str) -> Result<Option<SessionView>, SessionError> {
        let latest = self.0.table.readable(self.0.index(provider)?, Kind::SignIn);
        Ok(latest.map(|live| live.login().view().clone()))
    }

    /// Ends a sign-in and answers when its whole process tree is gone. Repeatable.
    ///
    /// # Errors
    /// No such sign-in.
    pub async fn cancel(&self, id: SessionId) -> Result<SessionView, SessionError> {
        let live = self.0.session(id)?;
        let row = self.0.row_of(&live);
        live.cancel(&row, Timestamp::now(), |view| self.0.observer.status(view));
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

    /// Signs out, and takes away whatever credential files are left then, also of a program that is
    /// not installed: nothing may stay on a machine that is handed back.
    ///
    /// # Errors
    /// Unknown provider.
    pub async fn wipe(&self, provider: &str) -> Result<Disconnected, SessionError> {
        let index = self.0.index(provider)?;
        let inner = Arc::clone(&self.0);
        let done = self.0.tasks.spawn(async move { inner.wipe(index).await });
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

    /// The cache, in the order of [`Self::providers`], without what is hidden; never starts a
    /// process.
    pub fn status(&self) -> Vec<ProviderStatus> {
        self.with_status(|statuses| statuses.iter().copied().cloned().collect())
    }

    /// The rows that a person sees: some only where their program is installed.
    pub fn shown(&self) -> Vec<Arc<Provider>> {
        let statuses = lock(&self.0.statuses);
        let rows = self.0.rows.iter().zip(statuses.iter());
        rows.filter(|(_, status)| !status.hidden).map(|(row, _)| Arc::clone(row)).collect()
    }

    /// Reads the cache while it cannot change, as [`Self::with_session`].
    pub fn with_status<R>(&self, read: impl FnOnce(&[&ProviderStatus]) -> R) -> R {
        let statuses = lock(&self.0.statuses);
        let visible: Vec<_> = statuses.iter().filter(|status| !status.hidden).collect();
        read(&visible)
    }

    /// Ends every sign-in and every background task, and waits for them.
    pub async fn shutdown(&self) {
        self.0.table.stop();
        self.0.stopping.cancel();
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
        self.table.session(id).ok_or(SessionError::UnknownSession)
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

    /// The same, or how to install it.
    fn installed(&self, row: &Provider) -> Result<PathBuf, SessionError> {
        self.program(row).ok_or_else(|| SessionError::NotInstalled {
            program: row.program.clone(),
            command: row.install.command.clone(),
        })
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.settings.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The folder with the person's own credentials.
    pub(crate) fn folder(&self, row: &Provider) -> PathBuf {
        match row.home.variable.as_deref().and_then(|name| self.variable(name)) {
            Some(moved) => PathBuf::from(moved),
            None => self.settings.provider_home.join(&row.home.folder),
        }
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

    /// Adds what the program printed, and tells the observer.
    pub(crate) fn tell(&self, live: &Live, message: Message) {
        let mut login = live.login();
        login.leave_out(message.left_out);
        let new = login.write(Stream::Terminal, message.lines, Timestamp::now());
        login.writes(message.current);
        self.observer.lines(login.view(), &new);
    }

    /// Adds a line of our own, and tells the observer.
    pub(crate) fn remark(&self, live: &Live, text: String) {
        let mut login = live.login();
        let new = login.write(Stream::Room, vec![text], Timestamp::now());
        self.observer.lines(login.view(), &new);
    }

    /// The task of a sign-in is over: forget it as the live one, look at what is true now.
    pub(crate) async fn finished(self: &Arc<Self>, live: &Live) {
        let provider = live.login().view().provider.clone();
        live.finish();
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

    fn update_status(&self, index: usize, change: impl FnOnce(&mut ProviderStatus)) {
        let mut statuses = lock(&self.statuses);
        let before = statuses[index].clone();
        change(&mut statuses[index]);
        if statuses[index] != before && !(statuses[index].hidden && before.hidden) {
            self.observer.provider(&statuses[index]);
        }
    }
}

/// No critical section here can leave its value half changed.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
