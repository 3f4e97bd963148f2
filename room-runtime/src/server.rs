//! One running server: everything is checked, then the port is taken, and only then is anything
//! written.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use provider_sessions::key::{KeyKeeper, Storage};
use provider_sessions::{HeldKey, InstallSettings, Launcher, SessionManager};
use room_auth::{Clock, Site, SystemClock, Token};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::activity::{Action, Activity, Detail, Outcome};
use crate::backup::recover::{self, Recovered};
use crate::backup::{self, Backups, restore};
use crate::channels::hub::Hub;
use crate::channels::{self, History, Publisher};
use crate::cloud::Cloud;
use crate::cloud::trust::TrustError;
use crate::config::{Config, Environment};
use crate::data_dir::{DataDir, DataDirError, Inspected};
use crate::http;
use crate::idle::{self, Idle};
use crate::limits::Limits;
use crate::listen::{ListenError, Listeners, listen};
use crate::memo::Memo;
use crate::metrics::Metrics;
use crate::sign_in::SignIn;
use crate::state::{self, App, AppState, LazyManager};
use crate::store::{self, LoginRow, Store, StoreError};
use crate::vault::Vault;
use crate::vault::seal::Sealer;
use crate::{accept, control, machine, metrics, upkeep};

/// The bearer of programs that can read the data directory; new at each start.
pub const TOKEN_FILE: &str = "api.token";

/// The port that was bound.
pub const PORT_FILE: &str = "api.port";

/// Where the metrics are read, while they are.
pub const METRICS_FILE: &str = "metrics.address";

/// How long sign-ins may take to end before sockets are told that we stop; until then a page sees
/// what becomes of them.
const SIGN_INS_END: Duration = Duration::from_secs(6);

/// How long everything that was going on may take to end.
const DEADLINE: Duration = Duration::from_secs(13);

/// How long the last of it may take to be written down, where the disk hangs. Both together are
/// less than what a platform waits before it kills us.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long the server takes to stop, at the most.
pub const STOPS_WITHIN: Duration = Duration::from_secs(15);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A hosted Room would run as root.
    #[error(
        "ROOM_ALLOW_ROOT: cloud mode as root would give every program it starts the whole machine; \
         run as another user, or set ROOM_ALLOW_ROOT=1"
    )]
    Root,
    /// The public address is none.
    #[error("ROOM_PUBLIC_URL: not an origin")]
    PublicUrl,
    /// The issuers.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Sign-ins could not be started.
    #[error("this program cannot find itself")]
    Launcher(#[source] std::io::Error),
    /// A file of ours.
    #[error("cannot write {name} in {}", directory.display())]
    File {
        /// The file.
        name: &'static str,
        /// The data directory.
        directory: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl StartError {
    /// The exit code that says whose move it is (`sysexits.h`).
    pub fn exit_code(&self) -> u8 {
        match self {
            // EX_TEMPFAIL: another server is there.
            Self::DataDir(DataDirError::InUse { .. }) => 75,
            // EX_CONFIG: a person must change something.
            Self::DataDir(_)
            | Self::Store(StoreError::NewerSchema(_))
            | Self::Root
            | Self::PublicUrl
            | Self::Trust(_) => 78,
            // EX_UNAVAILABLE: the port.
            Self::Listen(_) => 69,
            // EX_IOERR.
            Self::Store(_) | Self::File { .. } | Self::Launcher(_) => 74,
        }
    }
}

/// A server that has its port and its directory, and has not answered anyone yet.
pub struct Server {
    app: AppState,
    listeners: Listeners,
    /// Where the metrics are read.
    metrics: Option<TcpListener>,
    commands: UnixListener,
    data_dir: DataDir,
    history: Arc<History>,
}

impl Server {
    /// Checks everything, takes the port, then the directory.
    ///
    /// # Errors
    /// One clear reason. Nothing was changed if it is the settings, the directory or the port.
    pub async fn bind(config: Config, environment: &Environment) -> Result<Self, StartError> {
        let launcher = Launcher::current_exe().map_err(StartError::Launcher)?;
        Self::bind_with(config, environment, launcher, Arc::new(SystemClock)).await
    }

    /// The same with a launcher and a clock of the caller's: a program that embeds the server may
    /// not be its own launcher.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub async fn bind_with(
        config: Config,
        environment: &Environment,
        launcher: Launcher,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        if config.cloud.as_ref().is_some_and(|cloud| !cloud.allow_root)
            && rustix::process::geteuid().is_root()
        {
            return Err(StartError::Root);
        }
        let inspected = Inspected::look(&config.data_dir)?;
        let listeners = listen(&config.bind, &config.addresses(), config.port)?;
        let metrics = config.metrics_bind.as_ref().map(metrics::listener::bind).transpose()?;
        let data_dir = inspected.claim()?;
        let failed = |name| {
            let directory = config.data_dir.clone();
            move |source| StartError::File { name, directory, source }
        };
        let boot = uuid::Uuid::new_v4().simple().to_string();
        let now = Timestamp::try_from(clock.now()).unwrap_or_default();
        let (store, lost, recovered) = open_store(&config, &data_dir, &boot, now).await?;
        let port = listeners.port;
        // A hosted Room has no bearer lying about; an old one is never looked at.
        let token = config.cloud.is_none().then(Token::random);
        let metrics_at = metrics.as_ref().and_then(|listener| listener.local_addr().ok());
        for (name, text) in [
            (TOKEN_FILE, token.as_ref().map(|token| token.expose().to_owned())),
            (PORT_FILE, Some(port.to_string())),
            (METRICS_FILE, metrics_at.map(|address| address.to_string())),
        ] {
            let Some(text) = text else { continue };
            data_dir.write(name, text.as_bytes()).map_err(failed(name))?;
        }
        let commands = control::bind(&data_dir).map_err(failed(control::SOCKET))?;
        let (hub, history) = (Arc::new(Hub::default()), Arc::new(History::default()));
        let publisher = Arc::new(Publisher::new(hub.clone(), history.clone()));
        let activity = Activity::start(store.clone(), hub.clone(), clock.clone()).await?;
        for login in &lost {
            channels::finished(&activity, login);
        }
        if let Some(recovered) = &recovered {
            recovered.tell(&activity);
        }
        let sealer = Sealer::new(&config.encryption_keys);
        let owner = config.owner().to_owned();
        let vault = Arc::new(Vault::new(store.clone(), sealer, owner));
        let keys = vault.load().await;
        let manager = {
            let (config, environment) = (config.clone(), environment.clone());
            let publisher = publisher.clone();
            LazyManager::new(Box::new(move || {
                let manager = manager(&config, &environment, launcher, publisher, vault);
                hand_keys(&manager, keys, &config);
                manager
            }))
        };
        let idle_exit = config.cloud.as_ref().and_then(|cloud| cloud.idle_exit);
        let started = clock.monotonic();
        let limits = Limits::new(clock.clone(), config.auth_failures_per_minute.is_some());
        let sign_in = SignIn::new(config.auth_failures_per_minute, token.as_ref(), now);
        let (site, cloud) = door(&config, port, &store, &clock).await?;
        let app = Arc::new(App {
            port,
            boot,
            started: now,
            started_uptime: machine::uptime(),
            site,
            cloud,
            clock,
            sign_in,
            store,
            activity,
            limits,
            set_aside: recover::is_kept(data_dir.path()),
            backups: Backups::default(),
            manager,
            publisher,
            hub,
            verified: Memo::default(),
            written_statuses: http::WrittenStatuses::default(),
            content_policy: http::content_policy(&config.frame_ancestors),
            written: Mutex::default(),
            metrics: Metrics::default(),
            in_flight: Semaphore::new(state::IN_FLIGHT),
            strangers: Arc::new(Semaphore::new(state::STRANGERS)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            farewell: Arc::default(),
            idle: Idle::new(idle_exit, started),
            config,
        });
        Ok(Self { app, listeners, metrics, commands, data_dir, history })
    }

    /// The address a person opens.
    pub fn address(&self) -> String {
        self.app.address()
    }

    /// The same with a fresh one-time code; a hosted Room has none.
    pub fn launch_link(&self) -> Option<String> {
        self.app.cloud.is_none().then(|| self.app.launch_link())
    }

    /// Whether it is a hosted Room that nobody can enter but by `room pair`, and nobody has.
    pub fn needs_pairing(&self) -> bool {
        let cloud = self.app.cloud.as_ref();
        cloud.is_some_and(|cloud| cloud.trust.verifier.is_none() && cloud.is_empty())
    }

    /// What each route of this mode asks for; `None` is public. For tests that walk them all.
    #[doc(hidden)]
    pub fn routes(&self) -> Vec<(::http::Method, &'static str, Option<room_auth::Permission>)> {
        http::table(&self.app)
    }

    /// What tells everyone who listens. For programs that measure it.
    #[doc(hidden)]
    pub fn hub(&self) -> Arc<Hub> {
        self.app.hub.clone()
    }

    /// Serves until `stop` fires or nobody has used it for as long as it was told, then ends
    /// everything, within [`STOPS_WITHIN`].
    pub async fn run(self, stop: CancellationToken) {
        let Self { app, listeners, metrics, commands, data_dir, history } = self;
        tracing::info!(
            version = crate::VERSION,
            build = http::build(),
            mode = app.config.mode(),
            "started"
        );
        let door = Arc::new(accept::Door::new(&app));
        let front = http::front(&app);
        for listener in listeners.sockets {
            app.tasks.spawn(accept::serve(
                listener,
                front.clone(),
                door.clone(),
                app.tasks.clone(),
                app.stop.clone(),
            ));
        }
        app.tasks.spawn(control::serve(commands, app.clone()));
        if let Some(listener) = metrics {
            app.tasks.spawn(metrics::listener::serve(listener, app.clone()));
        }
        let reaped = app.clone();
        app.tasks.spawn(async move { reaped.limits.reap(&reaped.stop).await });
        let kept = app.clone();
        app.tasks.spawn(async move { upkeep::run(&kept).await });
        app.activity.post(None, Action::Start, Outcome::Ok, None, Detail::none());
        if let Some(cloud) = &app.cloud {
            cloud.trust.run(&app.tasks, &app.stop);
            let watching = app.clone();
            app.tasks.spawn(async move {
                let Some(cloud) = &watching.cloud else { return };
                let watched = async {
                    tokio::join!(
                        cloud.watch_endings(&watching),
                        cloud.watch_keys(&watching),
                        cloud.sweep(&watching),
                    )
                };
                tokio::select! {
                    _ = watched => {}
                    () = watching.stop.cancelled() => {}
                }
            });
        }
        let reading = app.clone();
        app.tasks.spawn_blocking(move || reading.manager.start());
        // Not one of the tasks that are waited for: it hears of the sign-ins until the last is over.
        let keeper = tokio::spawn({
            let (history, app) = (history.clone(), app.clone());
            async move { history.keep(&app).await }
        });
        tokio::select! {
            () = stop.cancelled() => tracing::info!("stopping"),
            () = idle::until_unused(&app, idle::LOOK) => {
                tracing::info!("nobody has used this Room for a while; stopping until it is wanted");
            }
        }
        if tokio::time::timeout(DEADLINE, drain(&app)).await.is_err() {
            tracing::warn!(left = app.tasks.len(), "some tasks did not end in time");
        }
        keeper.abort();
        if tokio::time::timeout(LAST_WORDS, write_down(&app, &history)).await.is_err() {
            tracing::warn!("the disk did not take the last of it in time");
        }
        for file in [control::SOCKET, PORT_FILE, METRICS_FILE, TOKEN_FILE] {
            data_dir.remove(file);
        }
        tracing::info!("stopped");
    }
}

/// Takes nothing new, ends what is going on, and lets go of those who listen.
async fn drain(app: &App) {
    // The listeners are closed and `/readyz` says so; requests in flight are answered.
    app.stop.cancel();
    let ended = tokio::time::timeout(SIGN_INS_END, app.manager.shutdown()).await;
    app.farewell.tell().await;
    if ended.is_err() {
        tracing::warn!("a sign-in takes long to end");
        app.manager.shutdown().await;
    }
    app.tasks.close();
    app.tasks.wait().await;
}

/// Writes down what must outlive us.
async fn write_down(app: &App, history: &History) {
    history.write(app).await;
    app.activity.note(None, Action::Stop, Outcome::Ok, None, Detail::none()).await;
    app.activity.flush().await;
    if let Err(error) = app.store.end_session(None, app.now()).await {
        tracing::warn!(%error, "the end of the sign-ins was not written down");
    }
    app.store.close().await;
}

/// The database, with everything ended that was of an earlier run, and the sign-ins of providers
/// that it had open.
async fn open_store(
    config: &Config,
    data_dir: &DataDir,
    boot: &str,
    now: Timestamp,
) -> Result<(Store, Vec<LoginRow>, Option<Recovered>), StartError> {
    let failed = |source| {
        let directory = config.data_dir.clone();
        StartError::File { name: store::FILE, directory, source }
    };
    if restore::finish(data_dir.path()).map_err(failed)? {
        tracing::warn!("a restore that was cut short has been finished");
    }
    backup::sweep(data_dir.path());
    data_dir.ensure_private(store::FILE).map_err(failed)?;
    let (store, recovered) = recover::open(data_dir, config.owner(), now).await?;
    store.set_instance(config.owner()).await?;
    store.end_earlier_sessions(boot, now).await?;
    let lost = store.end_lost_logins(now).await?;
    if !lost.is_empty() {
        tracing::warn!(
            count = lost.len(),
            "sign-ins were open when the server ended; they have failed"
        );
    }
    Ok((store, lost, recovered))
}

/// The session manager with what it may know of our surroundings. Where the home is not the
/// person's own, their variables that move a provider's folder must not lead back to it.
pub(crate) fn manager(
    config: &Config,
    environment: &Environment,
    launcher: Launcher,
    publisher: Arc<Publisher>,
    keys: Arc<dyn KeyKeeper>,
) -> SessionManager {
    let mut rows = provider_sessions::provider::built_in().to_vec();
    rows.extend(config.providers.iter().cloned());
    let moves = |name: &str| rows.iter().any(|row| row.home.variable.as_deref() == Some(name));
    let environment = environment
        .iter()
        .filter(|(name, _)| config.own_home || !moves(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let settings = provider_sessions::Settings {
        data_dir: config.data_dir.clone(),
        provider_home: config.provider_home.clone(),
        environment,
        launcher,
        login_timeout: config.login_timeout,
        max_lines: config.login_lines,
        keep: config.login_kept,
        install: InstallSettings {
            registry: config.npm_registry.clone(),
            timeout: config.install_timeout,
            ..InstallSettings::default()
        },
        keys,
    };
    SessionManager::new(settings, rows, publisher)
}

/// Under which names we are reached, and, hosted, who gets in.
async fn door(
    config: &Config,
    port: u16,
    store: &Store,
    clock: &Arc<dyn Clock>,
) -> Result<(Site, Option<Cloud>), StartError> {
    let Some(settings) = &config.cloud else { return Ok((Site::loopback(port), None)) };
    let now = Timestamp::try_from(clock.now()).unwrap_or_default();
    let rows = store.load_cloud(now).await?;
    let site = settings.site().ok_or(StartError::PublicUrl)?;
    let cloud = Cloud::new((**settings).clone(), &config.data_dir, clock, rows)?;
    Ok((site, Some(cloud)))
}

/// Gives the manager the keys that were kept, and those of the settings.
fn hand_keys(manager: &SessionManager, kept: Vec<(String, HeldKey)>, config: &Config) {
    for (provider, key) in kept {
        manager.restore_key(&provider, key, Storage::Sealed);
    }
    for (provider, key) in &config.provider_keys {
        if let Err(error) = manager.inject_key(provider, key) {
            tracing::error!(provider, %error, "the key of the settings is not in use");
        }
    }
}

/// A server for tests of the router: bound, with nobody's programs, and not running.
#[cfg(test)]
pub(crate) async fn for_tests(directory: &std::path::Path) -> (AppState, Server) {
    for_tests_with(directory, &[], Arc::new(room_auth::ManualClock::default())).await
}

/// The same with more settings and a clock of the test's.
#[cfg(test)]
pub(crate) async fn for_tests_with(
    directory: &std::path::Path,
    more: &[(&'static str, &str)],
    clock: Arc<dyn Clock>,
) -> (AppState, Server) {
    let flags = [
        ("ROOM_DATA_DIR", directory.join("data").display().to_string()),
        ("ROOM_PROVIDER_HOME", directory.join("home").display().to_string()),
        ("ROOM_PORT", "0".to_owned()),
    ];
    let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let flags = flags.into_iter().chain(more).collect();
    let environment = Environment::from([("PATH".to_owned(), "/nonexistent".to_owned())]);
    let config = Config::load(&flags, &environment, None).expect("good settings");
    let launcher = Launcher { program: "/nonexistent".into(), args: Vec::new() };
    let server = Server::bind_with(config, &environment, launcher, clock).await;
    let server = server.expect("a temporary directory and a free port");
    (server.app.clone(), server)
}
