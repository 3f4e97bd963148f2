//! What the handlers share: built once, in [`crate::server`].

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use provider_sessions::SessionManager;
use room_auth::{Caller, Clock, Site};
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::activity::Activity;
use crate::backup::Backups;
use crate::channels::Publisher;
use crate::channels::hub::Hub;
use crate::cloud::Cloud;
use crate::config::Config;
use crate::farewell::Farewell;
use crate::http::{Written, WrittenStatuses};
use crate::idle::Idle;
use crate::limits::Limits;
use crate::memo::Memo;
use crate::metrics::Metrics;
use crate::sign_in::SignIn;
use crate::store::Store;

/// The session manager, made at its first use: its rules take some 20 ms to read, and the first
/// answer does not wait for that.
pub type LazyManager = LazyLock<SessionManager, Box<dyn FnOnce() -> SessionManager + Send>>;

/// A cheap clone of everything.
pub type AppState = Arc<App>;

/// How many requests may be worked on at once; more are told to come back.
pub const IN_FLIGHT: usize = 256;

/// How many strangers may be signing in at once. Their places are not those of people who are
/// signed in: whoever sends a body a byte at a time would have all of those.
pub const STRANGERS: usize = 512;

/// Up to how many strangers each is waited for patiently.
pub const FEW_STRANGERS: usize = 128;

/// The parts of a running server.
pub struct App {
    /// The settings.
    pub config: Config,
    /// The port that was bound.
    pub port: u16,
    /// Names this run of the server; positions and bearers of another run count for nothing.
    pub boot: String,
    /// When this run began.
    pub started: Timestamp,
    /// How long the machine had run by then, where it says.
    pub started_uptime: Option<Duration>,
    /// The Hosts and Origins that are ours.
    pub site: Site,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is signed in.
    pub sign_in: SignIn,
    /// Who gets into a hosted Room; none is local mode.
    pub cloud: Option<Cloud>,
    /// What must outlive us.
    pub store: Store,
    /// Who did what.
    pub activity: Activity,
    /// How often anyone may ask.
    pub limits: Limits,
    /// Whether a damaged database is kept beside the one in use, for a person to look at.
    pub set_aside: bool,
    /// Who makes a backup.
    pub backups: Backups,
    /// The sign-ins of providers.
    pub manager: LazyManager,
    /// What hears from it.
    pub publisher: Arc<Publisher>,
    /// Who listens.
    pub hub: Arc<Hub>,
    /// What `GET /api/auth/verify` says to each caller.
    pub verified: Memo<Caller, Option<Bytes>>,
    /// What `GET /api/providers/status` says to each audience.
    pub written_statuses: WrittenStatuses,
    /// `Content-Security-Policy`, the same on every answer.
    pub content_policy: HeaderValue,
    /// What the last look at the database said, and when; shared by all who ask whether we are
    /// ready.
    pub written: Mutex<Option<(Instant, Written)>>,
    /// What was done, for whoever counts.
    pub metrics: Metrics,
    /// One permit a request.
    pub in_flight: Semaphore,
    /// One permit a request that signs someone in.
    pub strangers: Arc<Semaphore>,
    /// Every task that must end before the program does.
    pub tasks: TaskTracker,
    /// Fires when the server is to stop: nothing new is taken from then on.
    pub stop: CancellationToken,
    /// Who is told once what was going on has ended.
    pub farewell: Arc<Farewell>,
    /// When the server was last used.
    pub idle: Idle,
}

impl App {
    /// The time of day.
    pub fn now(&self) -> Timestamp {
        Timestamp::try_from(self.clock.now()).unwrap_or_default()
    }

    /// The address of the client behind a request that came over a socket from `peer`.
    pub fn client_address(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let peer = peer.to_canonical();
        let Some(cloud) = &self.cloud else { return peer };
        // A header that no proxy writes that way says nothing; all who send one share one address.
        cloud.settings.client_ip.find(headers, peer).unwrap_or(peer)
    }

    /// The address a person opens, with a fresh code that signs them in. The only text that holds a
    /// code: it goes to a terminal or a browser, never to the log.
    pub fn launch_link(&self) -> String {
        let code = self.sign_in.local.issue_code(self.clock.monotonic());
        format!("{}/#code={}", self.address(), code.expose())
    }

    /// The address a person opens.
    pub fn address(&self) -> String {
        address(&self.config, self.port)
    }
}

/// The address a person opens: by name where both addresses are ours, else by the one that is.
pub fn address(config: &Config, port: u16) -> String {
    if let Some(cloud) = &config.cloud {
        return cloud.public_url.clone();
    }
    match config.bind {
        crate::config::Bind::Both => format!("http://localhost:{port}"),
        crate::config::Bind::Only(ip) => format!("http://{}", SocketAddr::new(ip, port)),
    }
}

/// The two ends of a connection, which the accept loop adds to each request.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Our end.
    pub ours: SocketAddr,
}
