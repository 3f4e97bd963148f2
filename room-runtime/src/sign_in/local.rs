//! The bearers of this run of the server: the person's own browsers in local mode, and programs on
//! this machine in both.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use room_auth::bearer::{Session, Sessions, Unproven};
use room_auth::handshake::LaunchCodes;
use room_auth::onetime::Refused;
use room_auth::{Caller, Identity, Role, Standing, Token};

use super::ends::End;
use super::lock;
use crate::state::App;
use crate::store::{SessionRow, StoreError};

/// How long a page stays signed in at most; it ends with the server before that.
pub const PAGE_LIFE: Duration = Duration::from_hours(7 * 24);

/// How many browsers and programs may be signed in at once.
const SESSIONS: usize = 1000;

/// How often the use of a sign-in is written down.
const TOUCH_EVERY: Duration = Duration::from_mins(1);

/// The id of the sign-in that `api.token` is.
pub const PROGRAM: &str = "program";

/// Launch codes, and the bearers they were traded for.
pub struct Local {
    codes: Mutex<LaunchCodes>,
    sessions: Mutex<Sessions>,
}

impl Local {
    /// Nobody is signed in but the programs that can read `api.token`, where there is one.
    pub fn new(program: Option<&Token>, now: Timestamp) -> Self {
        let mut sessions = Sessions::new(SESSIONS);
        if let Some(program) = program {
            let caller = owner(PROGRAM.into(), "program".into());
            let session = Session { caller: Arc::new(caller), ends: None, last_used: now.into() };
            sessions.insert(program.hash(), session);
        }
        Self { codes: Mutex::default(), sessions: Mutex::new(sessions) }
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

    /// Signs the owner's browser in. The record is on the disk before the bearer is handed out.
    ///
    /// # Errors
    /// The disk.
    pub async fn sign_in(
        &self,
        app: &App,
        device: String,
    ) -> Result<(Token, Arc<Caller>), StoreError> {
        let caller = owner(uuid::Uuid::new_v4().to_string(), device);
        self.admit(app, caller, PAGE_LIFE).await
    }

    /// Lets someone in by a new bearer, for a while.
    ///
    /// # Errors
    /// The disk.
    pub async fn admit(
        &self,
        app: &App,
        caller: Caller,
        life: Duration,
    ) -> Result<(Token, Arc<Caller>), StoreError> {
        let (token, now) = (Token::random(), app.now());
        let expires_at = now + life;
        let caller = Arc::new(Caller { expires_at: Some(expires_at.into()), ..caller });
        app.store
            .insert_session(&SessionRow {
                id: caller.session.clone(),
                boot: app.boot.clone(),
                token_hash: *token.hash().as_bytes(),
                issuer: caller.identity.issuer.clone(),
                subject: caller.identity.subject.clone(),
                role: match caller.standing {
                    Standing::Person(role) => role.as_str(),
                    Standing::Service => "control",
                },
                device: caller.device.clone(),
                created_at: now,
                expires_at,
            })
            .await?;
        let ends = Some(app.clock.monotonic() + life);
        let session = Session { caller: caller.clone(), ends, last_used: now.into() };
        let gone = lock(&self.sessions).insert(token.hash(), session);
        if let Some(gone) = gone {
            app.sign_in.ends.end(&gone.caller.session, End::SignedOut);
        }
        Ok((token, caller))
    }

    /// Who a bearer stands for.
    ///
    /// # Errors
    /// It proves nothing.
    pub fn find(&self, app: &App, bearer: &str) -> Result<Arc<Caller>, Unproven> {
        let now = app.clock.now();
        let (caller, last_used) = {
            let mut sessions = lock(&self.sessions);
            let found = sessions.find(bearer, now, app.clock.monotonic())?;
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

    /// Ends a sign-in: its bearer, its tickets, its sockets. That the disk cannot say so does not
    /// keep anyone signed in, for no other run of the server takes a bearer of this one.
    pub async fn end(&self, app: &App, id: &str) {
        lock(&self.sessions).end(id);
        app.sign_in.ends.end(id, End::SignedOut);
        if let Err(error) = app.store.end_session(Some(id), app.now()).await {
            tracing::warn!(%error, "the end of a sign-in was not written down");
        }
    }

    /// Ends every sign-in of this run; their sockets and records are the caller's to end.
    pub fn end_everyone(&self) {
        *lock(&self.sessions) = Sessions::new(SESSIONS);
    }

    /// Whether a sign-in stands.
    pub fn stands(&self, id: &str) -> bool {
        lock(&self.sessions).standing(id).is_some()
    }

    /// Lets a caller of any standing in: local mode itself only knows owners.
    #[cfg(test)]
    pub(crate) fn admit_for_test(&self, standing: Standing) -> Token {
        let token = Token::random();
        let caller = Caller { standing, ..owner(uuid::Uuid::new_v4().to_string(), "test".into()) };
        let last_used = std::time::SystemTime::now();
        let session = Session { caller: Arc::new(caller), ends: None, last_used };
        lock(&self.sessions).insert(token.hash(), session);
        token
    }
}

fn owner(session: String, device: String) -> Caller {
    Caller {
        identity: Identity::local_owner(),
        standing: Standing::Person(Role::Owner),
        session,
        device,
        expires_at: None,
        profile: None,
        token: None,
    }
}
