//! Who is calling: one way in for every request and every socket, whichever mode.
//!
//! `room-auth` decides; here are the locks, the records on the disk, and what hangs on a sign-in.
//! [`local`] has the bearers of this run, [`crate::cloud`] the tokens, devices and cookies of a
//! hosted Room.

pub mod cookie;
pub mod ends;
pub mod local;
pub mod sockets;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, HeaderMap, ORIGIN};
use http::request::Parts;
use jiff::Timestamp;
use room_auth::attempts::Attempts;
use room_auth::bearer::Unproven;
use room_auth::credential::{Presented, QueryToken};
use room_auth::onetime::OneTime;
use room_auth::site::FetchSite;
use room_auth::{AuthError, Caller, Token};

use self::ends::{Ends, News, Watch};
use self::local::Local;
use self::sockets::{SocketPlace, Sockets};
use crate::cloud::Cloud;
use crate::http::ApiError;
use crate::metrics::Counter;
use crate::state::{App, Connection};

/// How long a socket ticket works: the page uses it at once.
const TICKET_LIFE: Duration = Duration::from_secs(30);

/// How many tickets are remembered.
const TICKETS: usize = 1024;

/// How many unused tickets one sign-in may have out.
const TICKETS_EACH: usize = 16;

/// The longest bearer of local mode worth looking at.
const BEARER_BYTES: usize = 4 * 1024;

/// Everyone who is signed in, and everything that hangs on it.
pub struct SignIn {
    /// The bearers of this run.
    pub local: Local,
    /// Who hears when a sign-in ends.
    pub ends: Ends,
    tickets: Mutex<OneTime<Ticket>>,
    attempts: Option<Mutex<Attempts>>,
    /// Those who were told that they failed too often.
    pub limited: Counter,
    sockets: Sockets,
}

/// What a ticket stands for.
struct Ticket {
    caller: Arc<Caller>,
    origin: Option<String>,
}

impl SignIn {
    /// Nobody is signed in but the programs that can read `api.token`, where there is one.
    pub fn new(failures_per_minute: Option<u32>, program: Option<&Token>, now: Timestamp) -> Self {
        let attempts = |n: u32| Mutex::new(Attempts::new(n, n.saturating_mul(2)));
        Self {
            local: Local::new(program, now),
            ends: Ends::default(),
            tickets: Mutex::new(OneTime::new(TICKET_LIFE, TICKETS)),
            attempts: failures_per_minute.map(attempts),
            limited: Counter::default(),
            sockets: Sockets::default(),
        }
    }

    /// Counts a failed sign-in.
    ///
    /// # Errors
    /// Too many: how long to wait.
    pub fn failed(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(attempts) = &self.attempts else { return Ok(()) };
        lock(attempts).failed(address, now).inspect_err(|_| self.limited.one())
    }

    /// What a refused caller is told: why, or that there were too many from their address. Only
    /// those who fail are ever told so.
    pub fn judge(&self, app: &App, error: AuthError, address: IpAddr) -> AuthError {
        if !error.is_failed_attempt() {
            return error;
        }
        app.activity.refused(address, error.reason().code());
        match self.failed(address, app.clock.monotonic()) {
            Ok(()) => error,
            Err(retry_after) => AuthError::Limited { retry_after },
        }
    }

    /// Who a request comes from.
    ///
    /// # Errors
    /// No credential, more than one, or one that proves nothing.
    pub async fn authenticate(&self, app: &App, parts: &Parts) -> Result<Arc<Caller>, ApiError> {
        let Some(cloud) = &app.cloud else {
            let bearer = bearer(&parts.headers)?.ok_or_else(ApiError::sign_in_first)?;
            return self.local_caller(app, bearer);
        };
        let address = address(app, parts);
        let presented = presented(cloud, parts)?;
        match (presented.bearer(), cookie::read(&parts.headers)?) {
            (Some(_), Some(_)) => Err(ApiError::invalid_credentials("Send one credential.")),
            (None, None) => Err(ApiError::sign_in_first()),
            (Some(_), None) => cloud
                .by_bearer(app, &presented)
                .await
                .map_err(|error| self.judge(app, error, address).into()),
            (None, Some(cookie)) => {
                check_own_page(app, parts)?;
                cloud
                    .by_cookie(app, cookie, &presented)
                    .await
                    .map_err(|error| self.judge(app, error, address).into())
            }
        }
    }

    /// Who a socket is for: as [`SignIn::authenticate`], or by a one-time ticket. A cookie needs our
    /// own Origin, for browsers let any page open a socket.
    ///
    /// # Errors
    /// As there.
    pub async fn authenticate_socket(
        &self,
        app: &App,
        parts: &Parts,
        ticket: Option<&str>,
    ) -> Result<Arc<Caller>, ApiError> {
        let origin = parts.headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        let Some(ticket) = ticket else {
            let by_cookie = app.cloud.is_some() && cookie::read(&parts.headers)?.is_some();
            if by_cookie && !origin.is_some_and(|origin| app.site.is_own_origin(origin)) {
                let detail = "A page of this Room opens its socket from its own origin.";
                return Err(ApiError::wrong_origin(detail));
            }
            return self.authenticate(app, parts).await;
        };
        let other = match &app.cloud {
            None => bearer(&parts.headers)?.is_some(),
            // A page on this very host sends its cookie with every request, wanted or not.
            Some(cloud) => presented(cloud, parts)?.bearer().is_some(),
        };
        if other {
            return Err(ApiError::invalid_credentials("Send one credential."));
        }
        self.redeem_ticket(app, ticket, origin)
    }

    /// Who a token stands for that was sent on a socket.
    ///
    /// # Errors
    /// It proves nothing.
    pub async fn by_text(&self, app: &App, token: &str) -> Result<Arc<Caller>, ApiError> {
        match &app.cloud {
            None => self.local_caller(app, token),
            Some(cloud) => Ok(cloud.by_token(app, token).await?),
        }
    }

    /// Who a bearer of this run stands for.
    fn local_caller(&self, app: &App, bearer: &str) -> Result<Arc<Caller>, ApiError> {
        let found = self.local.find(app, bearer);
        found.map_err(|why| ApiError::invalid_token(why == Unproven::Expired))
    }

    /// Who someone is now: their role or their time may have changed. `None` if they are signed out.
    pub fn again(&self, app: &App, caller: &Arc<Caller>) -> Option<Arc<Caller>> {
        if self.local.stands(&caller.session) {
            return Some(caller.clone());
        }
        app.cloud.as_ref().and_then(|cloud| cloud.again(app, caller))
    }

    /// Hears when a sign-in ends. `None` if it has.
    pub fn watch(&self, app: &App, caller: &Arc<Caller>) -> Option<Watch> {
        let watch = self.ends.watch(&caller.session, caller.token.as_ref());
        // Asked after it is noted: an end in between would be missed.
        let stands = self.again(app, caller).is_some();
        (stands && matches!(*watch.borrow(), News::Stands(_))).then_some(watch)
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

    /// Takes a ticket. The sign-in it came from must still be there; of what it is, the answer says
    /// nothing.
    fn redeem_ticket(
        &self,
        app: &App,
        ticket: &str,
        origin: Option<&str>,
    ) -> Result<Arc<Caller>, ApiError> {
        let ticket = lock(&self.tickets).redeem(ticket, app.clock.monotonic());
        let ticket = ticket.map_err(|_| ApiError::invalid_token(false))?;
        if ticket.origin.as_deref() != origin {
            return Err(ApiError::invalid_token(false));
        }
        self.again(app, &ticket.caller).ok_or_else(|| ApiError::invalid_token(false))
    }

    /// A place for one more socket of a caller, given back when dropped. `None` if all are taken.
    pub fn socket_place(&self, caller: &Caller) -> Option<SocketPlace> {
        self.sockets.place(&caller.identity, self.attempts.is_some())
    }

    /// How many sockets are open.
    #[cfg(test)]
    pub(crate) fn open_sockets(&self) -> usize {
        self.sockets.open()
    }
}

/// What a request presents.
///
/// # Errors
/// What two programs could read differently: 400.
pub fn presented<'r>(cloud: &Cloud, parts: &'r Parts) -> Result<Presented<'r>, ApiError> {
    let query_token = match parts.uri.path() {
        "/ws" if cloud.settings.query_token => QueryToken::Legacy,
        _ => QueryToken::Refused,
    };
    Ok(Presented::from_request(&parts.headers, &parts.uri, query_token)?)
}

/// Where a request comes from, for counting failures. Those that say nothing clear share one count.
pub fn address(app: &App, parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<Connection>();
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |connection| connection.peer.ip());
    app.client_address(&parts.headers, peer)
}

/// What rests on a cookie has to be asked by our own page: browsers send cookies for others too.
///
/// # Errors
/// 403.
pub fn check_own_page(app: &App, parts: &Parts) -> Result<(), ApiError> {
    let origin = parts.headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let is_own = match origin {
        Some(origin) => app.site.is_own_origin(origin),
        None => parts.method.is_safe() || FetchSite::of(&parts.headers) == FetchSite::SameOrigin,
    };
    if is_own {
        return Ok(());
    }
    Err(ApiError::wrong_origin("Only a page that this Room served may do this."))
}

/// The bearer of a request in local mode, if it has one.
///
/// # Errors
/// More than one, another scheme, or bytes that are in no token.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
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

/// Each lock guards a value that is whole between statements, so a panic elsewhere spoils nothing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
