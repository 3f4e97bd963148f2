//! A hosted Room's answer to "who is calling": the verifier and its keys ([`trust`]), the people and
//! their devices ([`devices`]), and the codes that pair one more of them ([`pairing`]).
//!
//! A change is on the disk before it is in memory, and in memory before the answer.

pub mod arrivals;
pub mod departures;
pub mod devices;
pub mod pairing;
pub mod trust;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use room_auth::credential::Presented;
use room_auth::issuers::LEGACY_ISSUER;
use room_auth::jwks::KeyState;
use room_auth::revocation::{Revocation, Target};
use room_auth::{
    AuthError, Caller, Clock, Credential, Detail, Principal, Reason, Role, Standing, TokenHash,
    Verifier,
};

use self::devices::{Device, Devices, Endpoint, Person, lapses_at};
use self::pairing::Pairings;
use self::trust::{Trust, TrustError};
use crate::config;
use crate::memo::Memo;
use crate::sign_in::ends::End;
use crate::sign_in::lock;
use crate::state::App;
use crate::store::CloudRows;

/// How often the use of a device is written down.
const TOUCH_EVERY: Duration = Duration::from_mins(1);

/// Who gets into a hosted Room.
pub struct Cloud {
    /// What it was told.
    pub settings: config::Cloud,
    /// The issuers and their keys.
    pub trust: Trust,
    devices: Mutex<Devices>,
    callers: Memo<Principal, Arc<Caller>>,
    pairings: Mutex<Pairings<Invitation>>,
    /// One change at a time, so that the disk and the memory say the same.
    changes: tokio::sync::Mutex<()>,
    /// Since when each key endpoint answers again that did not.
    outages: Mutex<HashMap<String, Option<Timestamp>>>,
}

/// What a pairing code stands for.
#[derive(Clone, Debug)]
pub enum Invitation {
    /// One more device of whoever uses this one.
    From {
        /// The device it was made on.
        device: String,
    },
    /// A person of its own, from `room pair`.
    Own(Role),
}

impl Cloud {
    /// From the settings, and what the disk has kept.
    ///
    /// # Errors
    /// The issuers cannot be trusted as they stand there.
    pub fn new(
        settings: config::Cloud,
        data_dir: &Path,
        clock: &Arc<dyn Clock>,
        rows: CloudRows,
    ) -> Result<Self, TrustError> {
        let mut revoked = rows.revocations;
        // Whom a restore has made forget was thrown out comes with a token from before it. Who
        // stands behind Cloudflare Access cannot be thrown out here, so nothing was forgotten.
        if let Some(at) = rows.tokens_not_before {
            let issuers = settings.issuers.iter().map(|one| one.issuer.as_str());
            revoked.extend(issuers.chain([LEGACY_ISSUER]).map(|issuer| Revocation {
                issuer: issuer.to_owned(),
                target: Target::Instance,
                not_before: at.into(),
            }));
        }
        let trust = Trust::new(&settings, data_dir, clock, &revoked)?;
        Ok(Self {
            settings,
            trust,
            devices: Mutex::new(Devices::new(rows.people, rows.devices)),
            callers: Memo::default(),
            pairings: Mutex::default(),
            changes: tokio::sync::Mutex::default(),
            outages: Mutex::default(),
        })
    }

    /// Whether nobody is signed in.
    pub fn is_empty(&self) -> bool {
        lock(&self.devices).is_empty()
    }

    /// The issuer of people who came by `room pair`.
    pub fn own_issuer(&self) -> String {
        format!("{}{}", devices::OWN_ISSUER, self.settings.instance_id)
    }

    /// Who a bearer stands for: a token of an issuer, or one that this very machine was given.
    ///
    /// # Errors
    /// It proves nothing.
    pub async fn by_bearer(
        &self,
        app: &App,
        presented: &Presented<'_>,
    ) -> Result<Arc<Caller>, AuthError> {
        let bearer = presented.bearer().ok_or(AuthError::Missing)?;
        self.trust.settled().await;
        match &self.trust.verifier {
            Some(verifier) if bearer.contains('.') => {
                let principal = verifier.admit(presented).await?;
                // The verifier remembers tokens, and so does this: the same one, the same caller.
                let caller = || Arc::new(caller_of_token(&principal, bearer));
                Ok(self.callers.get(&principal, caller))
            }
            _ => {
                self.gate(presented).await?;
                self.by_token(app, bearer).await
            }
        }
    }

    /// Who a token stands for whose holder has passed Cloudflare Access already, where there is one.
    ///
    /// # Errors
    /// It proves nothing.
    pub async fn by_token(&self, app: &App, token: &str) -> Result<Arc<Caller>, AuthError> {
        if !token.contains('.') {
            let found = app.sign_in.local.find(app, token);
            return found.map_err(|_| refused(Reason::NoCredential));
        }
        let verifier =
            self.trust.verifier.as_ref().ok_or_else(|| refused(Reason::UnknownIssuer))?;
        let principal = verifier.authenticate(Credential::Bearer(token)).await?;
        Ok(Arc::new(caller_of_token(&principal, token)))
    }

    /// Who a device's cookie stands for.
    ///
    /// # Errors
    /// It proves nothing, its time is over, or Cloudflare Access let someone else in.
    pub async fn by_cookie(
        &self,
        app: &App,
        cookie: &str,
        presented: &Presented<'_>,
    ) -> Result<Arc<Caller>, AuthError> {
        let gate = self.gate(presented).await?;
        let now = app.now();
        let hash = TokenHash::of(cookie);
        let (caller, bound_to, used_before) = {
            let mut devices = lock(&self.devices);
            let (device, person) =
                devices.find(&hash).ok_or_else(|| refused(Reason::NoCredential))?;
            let caller = self.caller_of_device(device, person, now)?;
            let (id, bound_to) = (device.id.clone(), device.gate.clone());
            (caller, bound_to, devices.touch(&id, now))
        };
        if bound_to.as_deref() != gate.as_deref().map(|gate| gate.identity().subject.as_str()) {
            return Err(refused(Reason::DifferentPeople));
        }
        if used_before
            .is_some_and(|before| now.duration_since(before).unsigned_abs() >= TOUCH_EVERY)
        {
            let (store, id) = (app.store.clone(), caller.session.clone());
            app.tasks.spawn(async move {
                if let Err(error) = store.touch_device(&id, now).await {
                    tracing::warn!(%error, "the use of a device was not written down");
                }
            });
        }
        Ok(caller)
    }

    /// Who someone is now. `None` if they are signed out.
    pub fn again(&self, app: &App, caller: &Arc<Caller>) -> Option<Arc<Caller>> {
        if let Some(token) = &caller.token {
            let verifier = self.trust.verifier.as_ref()?;
            return over(verifier, token).is_none().then(|| caller.clone());
        }
        let devices = lock(&self.devices);
        let (device, person) = devices.get(&caller.session)?;
        self.caller_of_device(device, person, app.now()).ok()
    }

    /// Whom Cloudflare Access has let in, where it stands in front.
    async fn gate(&self, presented: &Presented<'_>) -> Result<Option<Arc<Principal>>, AuthError> {
        let verifier = self.trust.verifier.as_ref();
        let Some(verifier) = verifier.filter(|verifier| verifier.expects_assertion()) else {
            return Ok(None);
        };
        let email_header = presented.email_header();
        let Some(assertion) = presented.assertion() else {
            let reason = match email_header {
                Some(_) => Reason::EmailHeader,
                None => Reason::AssertionMissing,
            };
            return Err(refused(reason));
        };
        self.trust.settled().await;
        let credential = Credential::CloudflareAccess { assertion, email_header };
        verifier.authenticate(credential).await.map(Some)
    }

    fn caller_of_device(
        &self,
        device: &Device,
        person: &Person,
        now: Timestamp,
    ) -> Result<Arc<Caller>, AuthError> {
        let lapses_at = lapses_at(person, device, self.endpoint(&person.identity.issuer, now));
        if lapses_at <= now {
            return Err(AuthError::Expired(Detail::of(Reason::Expired)));
        }
        Ok(Arc::new(Caller {
            identity: person.identity.clone(),
            standing: Standing::Person(person.role),
            session: device.id.clone(),
            device: device.name.clone(),
            expires_at: Some(lapses_at.into()),
            profile: Some(person.profile.clone()),
            token: None,
        }))
    }

    /// How the key endpoint of an issuer does.
    fn endpoint(&self, issuer: &str, now: Timestamp) -> Endpoint {
        let Some(store) = self.trust.keys_of(issuer) else { return Endpoint::Answers };
        let health = store.health();
        let mut outages = lock(&self.outages);
        if health.failures > 0 {
            outages.insert(issuer.to_owned(), None);
            return Endpoint::Down;
        }
        // Just started: whether it answers will show in a moment.
        if health.is_from_disk || health.state == KeyState::Empty {
            return Endpoint::Down;
        }
        match outages.get_mut(issuer) {
            None => Endpoint::Answers,
            Some(back_since) => Endpoint::BackSince(*back_since.get_or_insert(now)),
        }
    }
}

/// A caller by a token of an issuer. The name of its sign-in is that of the token, which is not
/// written anywhere: two sockets of one token end together.
fn caller_of_token(principal: &Arc<Principal>, bearer: &str) -> Caller {
    Caller {
        identity: principal.identity().clone(),
        standing: principal.standing(),
        session: format!("token:{}", name_of(bearer)),
        device: "token".to_owned(),
        expires_at: Some(principal.expires_at()),
        profile: Some(principal.profile().clone()),
        token: Some(principal.clone()),
    }
}

/// How a token that was good has ended, if it has. That nobody can tell just now ends nothing.
fn over(verifier: &Verifier, token: &Principal) -> Option<End> {
    match verifier.recheck(token).err()? {
        AuthError::Unavailable { .. } => None,
        error if error.reason() == Reason::Revoked => Some(End::Revoked),
        _ => Some(End::SignedOut),
    }
}

/// A short name of a token: of what its signature is over, for signatures can be written in more
/// than one way.
fn name_of(bearer: &str) -> String {
    hex(&signed_part(bearer))
}

/// The first half of a hash, to be read by people.
fn hex(hash: &TokenHash) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits =
        |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]));
    hash.as_bytes().iter().take(16).flat_map(digits).collect()
}

/// The hash of a token's header and payload.
fn signed_part(token: &str) -> TokenHash {
    TokenHash::of(token.rsplit_once('.').map_or(token, |(signed, _)| signed))
}

fn refused(reason: Reason) -> AuthError {
    AuthError::Invalid(Detail::of(reason))
}

/// Whether one may end what another has: nobody touches someone above themselves.
pub fn may_end(who: Standing, of: Role) -> bool {
    let rank = |role: Role| Role::ALL.iter().position(|other| *other == role);
    match who {
        Standing::Person(role) => rank(role) <= rank(of),
        Standing::Service => false,
    }
}

#[cfg(test)]
mod tests;
