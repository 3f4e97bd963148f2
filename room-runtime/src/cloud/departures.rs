//! How a device's session ends: by its owner, by a manager, by the issuer, by the clock, by a wipe.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use room_auth::Principal;
use room_auth::jwks::KeyState;
use room_auth::revocation::Revocation;

use super::devices::{Device, Person};
use super::{Cloud, lapses_at, over};
use crate::activity::{Action, Detail, Outcome};
use crate::channels::Channel;
use crate::http::wire;
use crate::sign_in::ends::End;
use crate::sign_in::lock;
use crate::state::App;
use crate::store::StoreError;

/// How often the state of the keys is looked at, for the log.
const KEYS_EVERY: Duration = Duration::from_secs(10);

/// How often lapsed devices are looked for. A request of one is refused without that.
const SWEEP_EVERY: Duration = Duration::from_mins(5);

impl Cloud {
    /// Everyone who is signed in, as the list of devices shows them.
    pub fn list(&self, app: &App, include: impl Fn(&Device) -> bool) -> Vec<wire::AccessSession> {
        let now = app.now();
        let devices = lock(&self.devices);
        let all = devices.all();
        let shown = all.into_iter().filter(|(device, _)| include(device));
        shown
            .map(|(device, person)| {
                let endpoint = self.endpoint(&person.identity.issuer, now);
                wire::AccessSession::new(device, person, lapses_at(person, device, endpoint))
            })
            .collect()
    }

    /// A device and its person.
    pub fn device(&self, id: &str) -> Option<(Device, Person)> {
        let devices = lock(&self.devices);
        devices.get(id).map(|(device, person)| (device.clone(), person.clone()))
    }

    /// Signs one device out.
    ///
    /// # Errors
    /// The disk. It is signed out all the same, until a restart.
    pub async fn end_device(&self, app: &App, id: &str, how: End) -> Result<(), StoreError> {
        self.end(app, &[id.to_owned()], None, how).await
    }

    /// Ends everything that a revocation names: bearers, sockets, devices. How many devices.
    ///
    /// # Errors
    /// The disk, or too many revocations; what could be ended is.
    pub async fn revoke(
        &self,
        app: &App,
        revocation: Revocation,
    ) -> Result<usize, RevocationFailed> {
        let ended = lock(&self.devices).ended_by(&revocation);
        let stored = self.end(app, &ended, Some(&revocation), End::Revoked).await;
        if let Some(verifier) = &self.trust.verifier {
            // Tells `watch_endings`, which ends the sockets that stand on a token.
            verifier.revocations().apply(revocation, app.clock.now())?;
        }
        stored?;
        Ok(ended.len())
    }

    /// Signs everyone out.
    ///
    /// # Errors
    /// The disk.
    pub async fn end_everyone(&self, app: &App) -> Result<(), StoreError> {
        let _one_at_a_time = self.changes.lock().await;
        app.store.end_everyone().await?;
        *lock(&self.devices) = super::Devices::default();
        app.sign_in.ends.end_all(End::Revoked);
        self.tell_who_is_here(app);
        Ok(())
    }

    /// In memory and for those who listen first: whom someone wanted out is out, even if the disk
    /// cannot be written.
    async fn end(
        &self,
        app: &App,
        ids: &[String],
        revoked: Option<&Revocation>,
        how: End,
    ) -> Result<(), StoreError> {
        let _one_at_a_time = self.changes.lock().await;
        {
            let mut devices = lock(&self.devices);
            for id in ids {
                devices.remove(id);
            }
        }
        for id in ids {
            app.sign_in.ends.end(id, how);
        }
        self.tell_who_is_here(app);
        app.store.end_devices(ids, revoked).await
    }

    /// Tells managers who is signed in now.
    pub(super) fn tell_who_is_here(&self, app: &App) {
        let data = wire::AccessSessions { sessions: self.list(app, |_| true) };
        app.hub.publish(Channel::Access, "access:changed", &data, Timestamp::now());
    }

    /// Ends what lapses, for as long as the server runs.
    pub async fn sweep(&self, app: &App) {
        let mut every = tokio::time::interval(SWEEP_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let now = app.now();
            let lapsed = lock(&self.devices).lapsed(now, |issuer| self.endpoint(issuer, now));
            if lapsed.is_empty() {
                continue;
            }
            tracing::info!(devices = lapsed.len(), "sign-ins have lapsed");
            if let Err(error) = self.end(app, &lapsed, None, End::SignedOut).await {
                tracing::warn!(%error, "lapsed sign-ins were not taken off the disk");
            }
        }
    }

    /// Says in the log when the keys of an issuer are no longer fresh, and when they are again.
    pub async fn watch_keys(&self, app: &App) {
        let mut every = tokio::time::interval(KEYS_EVERY);
        let mut known: HashMap<String, KeyState> = HashMap::new();
        loop {
            every.tick().await;
            for (issuer, health) in self.trust.health() {
                let before = known.insert(issuer.to_owned(), health.state);
                let is_news = before.is_some_and(|before| before != health.state)
                    || (before.is_none() && health.state == KeyState::Degraded);
                if !is_news {
                    continue;
                }
                let outcome =
                    if health.state == KeyState::Fresh { Outcome::Ok } else { Outcome::Failed };
                let detail = Detail::none().status(health.state.as_str());
                app.activity.note(None, Action::Keys, outcome, Some(issuer), detail).await;
            }
        }
    }

    /// Ends the sockets whose token was revoked or whose key was withdrawn, as it happens.
    pub async fn watch_endings(&self, app: &App) {
        let Some(verifier) = &self.trust.verifier else { return };
        let mut endings = self.trust.endings.subscribe();
        while endings.next().await.is_some() {
            app.sign_in.ends.end_tokens(|token: &Principal| over(verifier, token));
        }
    }
}

/// A revocation is not in force, or not for good.
#[derive(Debug, thiserror::Error)]
pub enum RevocationFailed {
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The table.
    #[error(transparent)]
    Table(#[from] room_auth::revocation::RevocationError),
}
