//! Live news: what happens to sign-ins and providers, told to every page that listens.
//!
//! [`hub`] keeps a short past of each channel and hands every event to those who joined, into the
//! [`outbox`] of each; [`socket`] is one client, [`connection`] its line, [`frames`] what goes over
//! it; [`protocol`] is what they say to each other. [`Publisher`] is what the session manager talks
//! to: it must neither block nor call back, so all it does is encode and queue.

pub mod connection;
pub mod frames;
pub mod hub;
pub mod outbox;
pub mod protocol;
pub mod socket;
#[cfg(test)]
mod tests;

/// What the hub and the outboxes lock with. A test puts others in its place, which try every order.
mod sync {
    pub(super) use std::sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    };
}

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use provider_sessions::{Kind, Line, Observer, ProviderStatus, SessionId, SessionView, Status};
use room_auth::{Caller, Permission};
use tokio::sync::Notify;

use self::hub::{Hub, Start};
use self::outbox::Outbox;
use self::protocol::{LinesData, ProviderData};
use crate::activity::{Action, Activity, Detail, Outcome};
use crate::http::wire;
use crate::metrics;
use crate::state::App;
use crate::store::{LoginRow, StoreError, status_name};

/// What the channel `activity` tells.
pub const ACTIVITY_EVENT: &str = "activity:event";

/// Something to listen to. Names are parsed at the edge; a text from a client never becomes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// `providers`: how each provider stands, as the listener may see it.
    Providers(Audience),
    /// `provider-auth:{sessionId}`: one sign-in.
    Login(SessionId),
    /// `provider-install:{sessionId}`: one install.
    Install(SessionId),
    /// `activity`: the activity log.
    Activity,
    /// `access`: who is signed in to a hosted Room.
    Access,
}

/// Who listens to `providers`: the same events, with or without what only managers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Accounts and live sign-ins too.
    Managers,
    /// The state alone.
    Readers,
}

impl Audience {
    /// What a caller may see.
    pub fn of(caller: &Caller) -> Self {
        if caller.may(Permission::ProvidersManage) { Self::Managers } else { Self::Readers }
    }
}

impl Channel {
    /// The channel of that name as a caller may hear it. An unknown and a forbidden one are alike.
    pub fn parse(name: &str, caller: &Caller) -> Option<Self> {
        let (channel, permission) = match name.split_once(':') {
            None if name == "providers" => {
                (Self::Providers(Audience::of(caller)), Permission::StatusRead)
            }
            None if name == "activity" => (Self::Activity, Permission::ActivityRead),
            None if name == "access" => (Self::Access, Permission::AccessManage),
            Some(("provider-auth", id)) => (Self::Login(exact(id)?), Permission::ProvidersManage),
            Some(("provider-install", id)) => {
                (Self::Install(exact(id)?), Permission::ProvidersManage)
            }
            _ => return None,
        };
        caller.may(permission).then_some(channel)
    }

    /// The channel that tells of a session.
    pub fn of(view: &SessionView) -> Self {
        match view.kind {
            Kind::SignIn => Self::Login(view.id),
            Kind::Install => Self::Install(view.id),
        }
    }

    /// Whether a session is what this channel tells of.
    fn tells_of(self, view: &SessionView) -> bool {
        self == Self::of(view)
    }

    /// Its name on the wire.
    pub fn name(&self) -> String {
        match self {
            Self::Providers(_) => "providers".into(),
            Self::Login(id) => format!("provider-auth:{id}"),
            Self::Install(id) => format!("provider-install:{id}"),
            Self::Activity => "activity".into(),
            Self::Access => "access".into(),
        }
    }
}

/// An id in the one spelling it has, or a client could join the same channel many times.
fn exact(id: &str) -> Option<SessionId> {
    id.parse().ok().filter(|parsed: &SessionId| parsed.to_string() == id)
}

/// Whether there is a session that this channel tells of.
pub fn has_session(app: &App, channel: Channel, id: SessionId) -> bool {
    app.manager.with_session(id, |view| channel.tells_of(view)).unwrap_or(false)
}

/// Joins a client to a channel: what it missed or the whole picture first, then everything that
/// follows, with nothing lost or doubled in between. False if there is no such channel.
pub fn join(app: &App, channel: Channel, client: &Arc<Outbox>, start: Start) -> bool {
    let (hub, now) = (&app.hub, Timestamp::now());
    match channel {
        Channel::Login(id) | Channel::Install(id) => {
            let join = |view: &SessionView| {
                let ours = channel.tells_of(view);
                if ours {
                    hub.join(channel, client, start, now, || wire::Session::for_a_socket(view));
                }
                ours
            };
            app.manager.with_session(id, join).unwrap_or(false)
        }
        Channel::Providers(audience) => {
            app.manager.with_status(|statuses| {
                hub.join(channel, client, start, now, || {
                    app.publisher.statuses(statuses, audience)
                });
            });
            true
        }
        Channel::Activity => {
            app.activity.join(hub, client, start, now);
            true
        }
        Channel::Access => {
            let Some(cloud) = &app.cloud else { return false };
            hub.join(channel, client, start, now, || wire::AccessSessions {
                sessions: cloud.list(app, |_| true),
            });
            true
        }
    }
}

/// Hears from the session manager, tells the hub and the history.
pub struct Publisher {
    hub: Arc<Hub>,
    /// The live sign-ins, as the list of providers shows them.
    live: Mutex<HashMap<SessionId, wire::Session>>,
    history: Arc<History>,
    /// How sign-ins and installs ended.
    pub ended: metrics::Sessions,
}

impl Publisher {
    /// Tells this hub and this history.
    pub fn new(hub: Arc<Hub>, history: Arc<History>) -> Self {
        Self { hub, live: Mutex::default(), history, ended: metrics::Sessions::default() }
    }

    /// Whether a provider is being signed in.
    pub fn has_live(&self) -> bool {
        !lock(&self.live).is_empty()
    }

    /// How many sign-ins and installs of each provider are going on.
    pub fn live_by_provider(&self) -> BTreeMap<(String, Kind), u64> {
        let mut counts = BTreeMap::new();
        for session in lock(&self.live).values() {
            let kind = Kind::of_method(&session.method);
            *counts.entry((session.provider.clone(), kind)).or_default() += 1;
        }
        counts
    }

    /// How the providers stand, as an audience may see it.
    pub fn statuses(&self, statuses: &[&ProviderStatus], audience: Audience) -> wire::Statuses {
        let providers =
            statuses.iter().map(|one| (one.provider.clone(), self.status_of(one, audience)));
        wire::Statuses { providers: providers.collect() }
    }

    /// How one provider stands, as an audience may see it.
    pub fn status_of(&self, status: &ProviderStatus, audience: Audience) -> wire::ProviderStatus {
        let live = |id: Option<SessionId>| id.and_then(|id| lock(&self.live).get(&id).cloned());
        let (sign_in, install) = (live(status.session), live(status.install));
        wire::ProviderStatus::new(status, sign_in, install, audience)
    }
}

impl Observer for Publisher {
    fn status(&self, view: &SessionView) {
        let session = wire::Session::without_lines(view);
        {
            let mut live = lock(&self.live);
            if view.is_active() {
                live.insert(view.id, session.clone());
            } else if live.remove(&view.id).is_some() {
                self.ended.ended(view);
            }
        }
        let now = Timestamp::now();
        self.hub.publish(Channel::of(view), "provider_auth:status", &session, now);
        self.history.note(LoginRow::from(view));
    }

    fn lines(&self, view: &SessionView, new: &[Line]) {
        let data = LinesData::new(view, new);
        self.hub.publish(Channel::of(view), "provider_auth:line", &data, Timestamp::now());
    }

    fn provider(&self, status: &ProviderStatus) {
        let now = Timestamp::now();
        for audience in [Audience::Managers, Audience::Readers] {
            let data = ProviderData {
                provider: status.provider.clone(),
                status: self.status_of(status, audience),
            };
            self.hub.publish(Channel::Providers(audience), "providers:auth_status", &data, now);
        }
    }
}

/// How soon a state that the disk did not take is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Writes down what becomes of sign-ins, off the manager's path. Bounded by the number of sign-ins:
/// of each only the newest state waits.
#[derive(Default)]
pub struct History {
    waiting: Mutex<HashMap<String, LoginRow>>,
    more: Notify,
}

impl History {
    /// Notes a state to be written.
    fn note(&self, row: LoginRow) {
        lock(&self.waiting).insert(row.id.clone(), row);
        self.more.notify_one();
    }

    /// Writes what waits, again and again, until dropped.
    pub async fn keep(&self, app: &App) {
        loop {
            let left = !lock(&self.waiting).is_empty();
            let retry = async {
                if left {
                    tokio::time::sleep(RETRY).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = self.more.notified() => {}
                () = retry => {}
            }
            self.write(app).await;
        }
    }

    /// Writes what waits now.
    pub async fn write(&self, app: &App) {
        let rows: Vec<LoginRow> = lock(&self.waiting).drain().map(|(_, row)| row).collect();
        for row in rows {
            if let Err(error) = record(app, &row).await {
                tracing::error!(%error, login = row.id, "a sign-in's state was not written down");
                // Unless there is a newer one by now.
                lock(&self.waiting).entry(row.id.clone()).or_insert(row);
            }
        }
    }
}

/// Writes down how a sign-in stands. That it is over is told in the activity log, once.
///
/// # Errors
/// The disk.
pub async fn record(app: &App, row: &LoginRow) -> Result<(), StoreError> {
    if app.store.record_login(row).await? {
        finished(&app.activity, row);
    }
    Ok(())
}

/// Tells the activity log what became of a sign-in.
pub fn finished(log: &Activity, row: &LoginRow) {
    let outcome = if row.status == Status::Completed { Outcome::Ok } else { Outcome::Failed };
    let detail = Detail::none().session(&row.id).method(&row.method);
    let detail = detail.status(status_name(row.status));
    let detail = match &row.failure {
        Some((code, _, _)) => detail.reason(code),
        None => detail,
    };
    let action = match Kind::of_method(&row.method) {
        Kind::SignIn => Action::Finished,
        Kind::Install => Action::Installed,
    };
    log.post(None, action, outcome, Some(&row.provider), detail);
}

/// Nothing below panics with one of these held, and what they guard is whole between statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
