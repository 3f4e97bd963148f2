//! Who is signed in, and what ends when they no longer are. `room-auth` decides; here are the
//! locks, the record on disk, and the sockets that hang on a sign-in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, HeaderMap};
use jiff::Timestamp;
use room_auth::attempts::Attempts;
use room_auth::bearer::Unproven;
use room_auth::handshake::LaunchCodes;
use room_auth::onetime::{OneTime, Refused};
use room_auth::{Caller, Identity, Role, Session, Sessions, Standing, Token};
use tokio_util::sync::CancellationToken;

use crate::http::ApiError;
use crate::state::App;
use crate::store::{SessionRow, StoreError};

/// How long a page stays signed in at most; it ends with the server before that.
pub const PAGE_LIFE: Duration = Duration::from_hours(7 * 24);

/// How long a socket ticket works: the page uses it at once.
const TICKET_LIFE: Duration = Duration::from_secs(30);

/// How many tickets are remembered.
const TICKETS: usize = 1024;

/// How many unused tickets one sign-in may have out.
const TICKETS_EACH: usize = 16;

/// How many browsers and programs may be signed in at once.
const SESSIONS: usize = 1000;

/// How many sockets a person may have open.
const SOCKETS_EACH: usize = 16;

/// The longest bearer worth looking at.
const BEARER_BYTES: usize = 4 * 1024;

/// How often the use of a sign-in is written down.
const TOUCH_EVERY: Duration = Duration::from_mins(1);

/// The id of the sign-in that `api.token` is.
pub const PROGRAM: &str = "program";

/// Sign-ins of this run of the server.
pub struct SignIn {
    codes: Mutex<LaunchCodes>,
    sessions: Mutex<Sessions>,
    tickets: Mutex<OneTime<Ticket>>,
    attempts: Option<Mutex<Attempts>>,
    /// Fires when a sign-in ends, by its id.
    ends: Mutex<HashMap<String, CancellationToken>>,
    sockets: Arc<Mutex<HashMap<Identity, usize>>>,
}

/// What a ticket stands for.
struct Ticket {
    caller: Arc<Caller>,
    origin: Option<String>,
}

impl SignIn {
    /// Nobody is signed in but the programs that can read `api.token`.
    pub fn new(failures_per_minute: Option<u32>, program: &Token, now: Timestamp) -> Self {
        let caller = Caller { expires_at: None, ..owner(PROGRAM.into(), "program".into()) };
        let mut sessions = Sessions::new(SESSIONS);
        let session = Session { caller: Arc::new(caller), ends: None, last_used: now.into() };
        sessions.insert(program.hash(), session);
        Self {
            codes: Mutex::default(),
            sessions: Mutex::new(sessions),
            tickets: Mutex::new(OneTime::new(TICKET_LIFE, TICKETS)),
            attempts: failures_per_minute.map(|n| Mutex::new(Attempts::new(n, n))),
            ends: Mutex::default(),
            sockets: Arc::default(),
        }
    }

    /// Makes a launch code.
    pub fn issue_code(&self, now: Instant) -> Token {
        lock(&self.codes).issue(now)
    }

    /// Takes a launch code.
    ///
    /// # Errors
    /// Says why not, in the words of a person.
    pub fn redeem_code(&self, code: &str, now: Instant) -> Result<(), Refused> {
        lock(&self.codes).redeem(code, now)
    }

    /// Counts a failed sign-in.
    ///
    /// # Errors
    /// Too many: how long to wait.
    pub fn failed(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        self.attempts.as_ref().map_or(Ok(()), |attempts| lock(attempts).failed(address, now))
    }

    /// Signs the owner's browser in. The record is on the disk before the bearer is handed out.
    ///
    /// # Errors
    /// The disk.
    pub async fn sign_in(
        &self,
        app: &App,
        device: String,
    ) -> Result<(Token, Timestamp), StoreError> {
        let token = Token::random();
        let now = app.now();
        let expires_at = now + PAGE_LIFE;
        let id = uuid::Uuid::new_v4().to_string();
        let mut caller = owner(id.clone(), device);
        caller.expires_at = Some(expires_at.into());
        app.store
            .insert_session(&SessionRow {
                id: id.clone(),
                boot: app.boot.clone(),
                token_hash: *token.hash().as_bytes(),
                issuer: caller.identity.issuer.clone(),
                subject: caller.identity.subject.clone(),
                role: Role::Owner.as_str(),
                device: caller.device.clone(),
                created_at: now,
                expires_at,
            })
            .await?;
        let ends = Some(app.clock.monotonic() + PAGE_LIFE);
        let session = Session { caller: Arc::new(caller), ends, last_used: now.into() };
        let gone = lock(&self.sessions).insert(token.hash(), session);
        if let Some(gone) = gone {
            self.end_sockets(&gone.caller.session);
        }
        Ok((token, expires_at))
    }

    /// Who a request comes from, by its one bearer.
    ///
    /// # Errors
    /// No bearer, a malformed one, or one that proves nothing.
    pub fn authenticate(&self, app: &App, headers: &HeaderMap) -> Result<Arc<Caller>, ApiError> {
        self.caller(app, bearer(headers)?.ok_or_else(ApiError::sign_in_first)?)
    }

    /// Who a bearer stands for.
    ///
    /// # Errors
    /// It proves nothing.
    pub fn caller(&self, app: &App, bearer: &str) -> Result<Arc<Caller>, ApiError> {
        let now = app.clock.now();
        let (caller, last_used) = {
            let mut sessions = lock(&self.sessions);
            let found = sessions.find(bearer, now, app.clock.monotonic());
            let found = found.map_err(|why| ApiError::invalid_token(why == Unproven::Expired))?;
            (found.caller.clone(), found.last_used)
        };
        let stale = now.duration_since(last_used).is_ok_and(|since| since >= TOUCH_EVERY);
        if stale && caller.session != PROGRAM {
            let (store, id, at) = (app.store.clone(), caller.session.clone(), app.now());
            app.tasks.spawn(async move {
                if let Err(error) = store.touch_session(&id, at).await {
                    tracing::warn!(%error, "the use of a sign-in was not written down");
                }
            });
        }
        Ok(caller)
    }

    /// How many sockets are open.
    #[cfg(test)]
    pub(crate) fn open_sockets(&self) -> usize {
        lock(&self.sockets).values().sum()
    }

    /// Lets a caller of any standing in: local mode itself only knows owners.
    #[cfg(test)]
    pub(crate) fn admit(&self, standing: Standing) -> Token {
        let token = Token::random();
        let caller = Caller { standing, ..owner(uuid::Uuid::new_v4().to_string(), "test".into()) };
        let last_used = std::time::SystemTime::now();
        let session = Session { caller: Arc::new(caller), ends: None, last_used };
        lock(&self.sessions).insert(token.hash(), session);
        token
    }

    /// Ends a sign-in: its bearer, its tickets, its sockets. That the disk cannot say so does not
    /// keep anyone signed in, for no other run of the server takes a bearer of this one.
    pub async fn end(&self, app: &App, id: &str) {
        lock(&self.sessions).end(id);
        self.end_sockets(id);
        if let Err(error) = app.store.end_session(Some(id), app.now()).await {
            tracing::warn!(%error, "the end of a sign-in was not written down");
        }
    }

    /// Fires when a sign-in ends. `None` if it has.
    pub fn watch(&self, id: &str) -> Option<CancellationToken> {
        // Asked and noted under one lock: an end in between would be missed.
        let mut ends = lock(&self.ends);
        lock(&self.sessions).standing(id)?;
        Some(ends.entry(id.to_owned()).or_default().clone())
    }

    fn end_sockets(&self, id: &str) {
        if let Some(token) = lock(&self.ends).remove(id) {
            token.cancel();
        }
    }

    /// Makes a ticket for one socket, bound to a caller and the Origin it was asked from.
    ///
    /// # Errors
    /// Too many are out.
    pub fn issue_ticket(
        &self,
        caller: Arc<Caller>,
        origin: Option<&str>,
        now: Instant,
    ) -> Result<(Token, Duration), ApiError> {
        let mut tickets = lock(&self.tickets);
        let own = |ticket: &Ticket| ticket.caller.session == caller.session;
        if tickets.outstanding(now, own) >= TICKETS_EACH {
            let detail = "Too many socket tickets are out; they lapse after 30 s.";
            return Err(ApiError::too_many(detail, TICKET_LIFE));
        }
        let origin = origin.map(str::to_owned);
        Ok((tickets.issue(Ticket { caller, origin }, now), TICKET_LIFE))
    }

    /// Takes a ticket. The sign-in it came from must still be there.
    ///
    /// # Errors
    /// It is unknown, used, too old, or of another Origin; the answer does not say which.
    pub fn redeem_ticket(
        &self,
        ticket: &str,
        origin: Option<&str>,
        now: Instant,
    ) -> Result<Arc<Caller>, ApiError> {
        let ticket = lock(&self.tickets).redeem(ticket, now);
        let ticket = ticket.map_err(|_| ApiError::invalid_token(false))?;
        let signed_in = lock(&self.sessions).standing(&ticket.caller.session).is_some();
        if ticket.origin.as_deref() != origin || !signed_in {
            return Err(ApiError::invalid_token(false));
        }
        Ok(ticket.caller)
    }

    /// A place for one more socket of a person, given back when dropped. `None` if all are taken.
    pub fn socket_place(&self, identity: &Identity) -> Option<SocketPlace> {
        let mut sockets = lock(&self.sockets);
        let open = sockets.entry(identity.clone()).or_default();
        if *open >= SOCKETS_EACH && self.attempts.is_some() {
            return None;
        }
        *open += 1;
        Some(SocketPlace { identity: identity.clone(), sockets: self.sockets.clone() })
    }
}

/// One open socket of a person.
#[derive(Debug)]
pub struct SocketPlace {
    identity: Identity,
    sockets: Arc<Mutex<HashMap<Identity, usize>>>,
}

impl Drop for SocketPlace {
    fn drop(&mut self) {
        let mut sockets = lock(&self.sockets);
        if let Some(open) = sockets.get_mut(&self.identity) {
            *open -= 1;
            if *open == 0 {
                sockets.remove(&self.identity);
            }
        }
    }
}

/// The bearer of a request, if it has one.
///
/// # Errors
/// More than one, another scheme, or bytes that are in no token.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let malformed =
        || ApiError::invalid_credentials("Send one Authorization header: Bearer, token.");
    if values.next().is_some() {
        return Err(malformed());
    }
    let text = value.to_str().map_err(|_| malformed())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(malformed)?;
    // RFC 6750, section 2.1: b64token.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    let good = !token.is_empty() && token.len() <= BEARER_BYTES && token.bytes().all(plain);
    if !scheme.eq_ignore_ascii_case("bearer") || !good {
        return Err(malformed());
    }
    Ok(Some(token))
}

fn owner(session: String, device: String) -> Caller {
    Caller {
        identity: Identity::local_owner(),
        standing: Standing::Person(Role::Owner),
        session,
        device,
        expires_at: None,
    }
}

/// Each lock guards a value that is whole between statements, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
