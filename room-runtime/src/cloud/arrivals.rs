//! How a device gets its session: a token is traded for it, or a pairing code is redeemed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use room_auth::credential::Presented;
use room_auth::onetime::Refused;
use room_auth::{
    AuthError, Caller, Identity, Principal, Profile, Reason, SigningKey, Standing, Token, TokenHash,
};

use super::devices::{Device, Grounds, Person};
use super::pairing::{self, PairingCode};
use super::{Cloud, Invitation, refused, signed_part};
use crate::activity::Actor;
use crate::sign_in::lock;
use crate::state::App;
use crate::store::StoreError;

/// How long after it was made a token can be traded.
const TRADE_WITHIN: Duration = Duration::from_mins(10);

/// How long a used token is remembered beyond that: clocks differ.
const CLOCKS_DIFFER: Duration = Duration::from_mins(3);

/// A device that has just been signed in.
pub struct Arrived {
    /// Its cookie.
    pub cookie: Token,
    /// Who, on what.
    pub caller: Arc<Caller>,
}

/// Why a token was not traded for a session, or a code not redeemed.
#[derive(Debug, thiserror::Error)]
pub enum ArrivalError {
    /// It proves nothing.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// It was traded before.
    #[error("the token was traded before")]
    TokenUsed,
    /// It was made too long ago.
    #[error("the token is too old to be traded")]
    TokenTooOld,
    /// The code does not work.
    #[error(transparent)]
    Code(#[from] Refused),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Cloud {
    /// Who brings a token that can be traded for a session, or Cloudflare's word for them. Nothing is
    /// changed yet.
    ///
    /// # Errors
    /// The token is none, or not for this.
    pub async fn guest_by_token(
        &self,
        app: &App,
        presented: &Presented<'_>,
    ) -> Result<Guest, ArrivalError> {
        let verifier = self.trust.verifier.as_ref().ok_or_else(|| match presented.bearer() {
            Some(_) => refused(Reason::UnknownIssuer),
            None => AuthError::Missing,
        })?;
        self.trust.settled().await;
        let principal = verifier.admit(presented).await?;
        let Standing::Person(role) = principal.standing() else {
            return Err(AuthError::Forbidden(room_auth::Detail::of(Reason::Permission)).into());
        };
        let gate = self.gate(presented).await?;
        let now = app.now();
        let traded = presented.bearer().map(|token| traded(&principal, token, now)).transpose()?;
        let person = Person {
            identity: principal.identity().clone(),
            role,
            profile: principal.profile().clone(),
            granted_at: now,
        };
        let gate = gate.map(|gate| gate.identity().subject.clone());
        let grounds = grounds(&principal, now);
        Ok(Guest { person, paired_from: None, gate, grounds, traded })
    }

    /// Makes a code for one more device. `None` if enough of them are out.
    pub fn invite(&self, app: &App, invitation: &Invitation) -> Option<(PairingCode, Timestamp)> {
        let same = |other: &Invitation| match (other, invitation) {
            (Invitation::From { device: one }, Invitation::From { device: two }) => one == two,
            (Invitation::Own(_), Invitation::Own(_)) => true,
            (Invitation::From { .. }, Invitation::Own(_))
            | (Invitation::Own(_), Invitation::From { .. }) => false,
        };
        let code = lock(&self.pairings).issue(invitation.clone(), app.clock.monotonic(), same)?;
        Some((code, app.now() + pairing::LIFE))
    }

    /// The address that redeems a code's link.
    pub fn pairing_link(&self, code: &PairingCode) -> String {
        format!("{}/#pair={}", self.settings.public_url, code.link.expose())
    }

    /// Who brings a pairing code; it is used up by this.
    ///
    /// # Errors
    /// The code does not work, or who made it is no longer signed in.
    pub async fn guest_by_code(
        &self,
        app: &App,
        presented: &Presented<'_>,
        code: &str,
    ) -> Result<Guest, ArrivalError> {
        let gate = self.gate(presented).await?.map(|gate| gate.identity().subject.clone());
        let invitation = lock(&self.pairings).redeem(code, app.clock.monotonic())?;
        let now = app.now();
        match invitation {
            Invitation::Own(role) => {
                let subject = uuid::Uuid::new_v4().to_string();
                let identity = Identity { issuer: self.own_issuer(), subject };
                let person =
                    Person { identity, role, profile: Profile::default(), granted_at: now };
                let grounds = Grounds { issued_at: now, ..Grounds::default() };
                Ok(Guest { person, paired_from: None, gate, grounds, traded: None })
            }
            Invitation::From { device } => {
                let devices = lock(&self.devices);
                let (from, person) = devices.get(&device).ok_or(Refused::Expired)?;
                // Whom Cloudflare let in here must be whom it let in there.
                if from.gate != gate {
                    return Err(refused(Reason::DifferentPeople).into());
                }
                self.caller_of_device(from, person, now)?;
                let (person, grounds) = (person.clone(), from.grounds.clone());
                Ok(Guest { person, paired_from: Some(device), gate, grounds, traded: None })
            }
        }
    }

    /// Gives a guest's device its place: on the disk, then in memory. Their role and their time on all
    /// devices follow from what they brought. What the browser had before (`old`, its cookie) goes;
    /// if it was the same person's, the device stays the one it was in the list.
    ///
    /// # Errors
    /// The token was traded before, or the disk.
    pub async fn arrive(
        &self,
        app: &App,
        guest: Guest,
        old: Option<&str>,
        device_name: &str,
    ) -> Result<Arrived, ArrivalError> {
        let Guest { person, paired_from, gate, grounds, traded } = guest;
        let traded = traded.as_ref().map(|(token, until)| (token, *until));
        let _one_at_a_time = self.changes.lock().await;
        let (cookie, now) = (Token::random(), app.now());
        let (before, mut gone) = {
            let devices = lock(&self.devices);
            let before = old.and_then(|old| devices.find(&TokenHash::of(old)));
            let before = before.map(|(device, _)| device.clone());
            let same = before.as_ref().is_some_and(|one| one.identity == person.identity);
            let gone = if same { Vec::new() } else { devices.no_place_for(&person.identity) };
            (before, gone)
        };
        let kept = match before {
            Some(before) if before.identity == person.identity => Some(before),
            Some(before) => {
                gone.push(before.id);
                None
            }
            None => None,
        };
        let device = Device {
            id: kept.as_ref().map_or_else(|| uuid::Uuid::new_v4().to_string(), |it| it.id.clone()),
            hash: cookie.hash(),
            identity: person.identity.clone(),
            name: device_name.to_owned(),
            paired_from: kept.as_ref().map_or(paired_from, |it| it.paired_from.clone()),
            gate,
            grounds,
            created_at: kept.as_ref().map_or(now, |it| it.created_at),
            last_used_at: now,
        };
        if !app.store.sign_device_in(&person, &device, traded, &gone).await? {
            return Err(ArrivalError::TokenUsed);
        }
        let (caller, others) = {
            let mut devices = lock(&self.devices);
            for id in &gone {
                devices.remove(id);
            }
            let identity = person.identity.clone();
            devices.put_person(person);
            let id = device.id.clone();
            devices.insert(device);
            let (device, person) = devices.get(&id).ok_or(AuthError::Missing)?;
            let caller = self.caller_of_device(device, person, now)?;
            (caller, devices.ids_of(&identity))
        };
        for id in &gone {
            app.sign_in.ends.end(id, crate::sign_in::ends::End::SignedOut);
        }
        // Their time goes on, and perhaps another role, on all their devices.
        for id in &others {
            app.sign_in.ends.changed(id);
        }
        self.tell_who_is_here(app);
        Ok(Arrived { cookie, caller })
    }
}

/// Someone who may come in, and has not yet.
pub struct Guest {
    person: Person,
    paired_from: Option<String>,
    gate: Option<String>,
    grounds: Grounds,
    /// The token that is used up, and until when it could be traded again.
    traded: Option<(TokenHash, Timestamp)>,
}

impl Guest {
    /// How the activity log names them.
    pub fn actor(&self, device_name: &str) -> Actor {
        Actor::from(&Caller {
            identity: self.person.identity.clone(),
            standing: Standing::Person(self.person.role),
            session: String::new(),
            device: device_name.to_owned(),
            expires_at: None,
            profile: Some(self.person.profile.clone()),
            token: None,
        })
    }
}

/// What a token is remembered by once it is traded, and until when.
fn traded(
    principal: &Principal,
    token: &str,
    now: Timestamp,
) -> Result<(TokenHash, Timestamp), ArrivalError> {
    let expires_at = Timestamp::try_from(principal.expires_at()).unwrap_or(now);
    let issued_at = principal.issued_at().and_then(|at| Timestamp::try_from(at).ok());
    let until = issued_at.map_or(expires_at, |issued_at| issued_at + TRADE_WITHIN);
    if until < now {
        return Err(ArrivalError::TokenTooOld);
    }
    let name = match principal.token_id() {
        // Lengths first: no two pairs read alike.
        Some(id) => {
            let issuer = &principal.identity().issuer;
            TokenHash::of(&format!("{}:{issuer}:{id}", issuer.len()))
        }
        None => signed_part(token),
    };
    Ok((name, until + CLOCKS_DIFFER))
}

fn grounds(principal: &Principal, now: Timestamp) -> Grounds {
    let issued_at = principal.issued_at().and_then(|at| Timestamp::try_from(at).ok());
    Grounds {
        token_id: principal.token_id().map(str::to_owned),
        key_id: principal.key_id().map(str::to_owned),
        thumbprint: match principal.key() {
            SigningKey::Public(thumbprint) => Some(thumbprint.to_string()),
            SigningKey::CurrentSecret | SigningKey::PreviousSecret => None,
        },
        session_id: principal.session_id().map(str::to_owned),
        issued_at: issued_at.unwrap_or(now).min(now),
    }
}
