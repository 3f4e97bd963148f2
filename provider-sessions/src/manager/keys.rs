//! Keys given instead of a sign-in: taken, handed on, asked about, taken away.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::{Inner, SessionManager, lock};
use crate::error::SessionError;
use crate::home::{self, InPlaceReason, Plan};
use crate::key::{self, HeldKey, KeyStatus, Source, Storage};
use crate::process::run;
use crate::provider::{Key, KeyStore, Provider, StoredKey};
use crate::session::{Kind, SessionId};
use crate::status::{self, ProviderStatus};

/// A program stores a key without asking anyone.
const STORE_LIMIT: Duration = Duration::from_secs(30);

/// The keys that are handed to one provider's processes.
#[derive(Default)]
pub(super) struct Held {
    /// A person's, and where it is kept. It wins.
    person: Option<(HeldKey, Storage)>,
    /// The server's settings'.
    settings: Option<HeldKey>,
    /// What the vendor last said of the one in use, by its end.
    checked: Option<(String, Timestamp, Option<bool>)>,
}

impl Held {
    fn in_use(&self) -> Option<(&HeldKey, Storage, Source)> {
        let person = self.person.as_ref().map(|(key, kept)| (key, *kept, Source::Person));
        person.or(self.settings.as_ref().map(|key| (key, Storage::Memory, Source::Settings)))
    }
}

impl SessionManager {
    /// Takes a key in the place of whatever was there; its kind is told by its looks.
    ///
    /// `replace` is the person's consent to end a sign-in that the program would not keep beside
    /// the key.
    ///
    /// # Errors
    /// Unknown provider, no key of its kinds, consent needed, a sign-in open, the program not
    /// installed, or the key could not be stored: then the earlier one is still there.
    pub async fn set_key(
        &self,
        provider: &str,
        key: &SecretString,
        replace: bool,
    ) -> Result<ProviderStatus, SessionError> {
        let index = self.0.index(provider)?;
        let (inner, key) = (Arc::clone(&self.0), key::clean(key));
        // A task of its own: a phone that goes away must not leave half of it done.
        let done = self.0.tasks.spawn(async move { inner.set_key(index, &key, replace).await });
        done.await.map_err(|_| SessionError::Stopping)??;
        Ok(lock(&self.0.statuses)[index].clone())
    }

    /// Takes a person's key away; false if there was none.
    ///
    /// # Errors
    /// Unknown provider, a key of the server's settings, a sign-in open, or it would not go.
    pub async fn remove_key(&self, provider: &str) -> Result<bool, SessionError> {
        let index = self.0.index(provider)?;
        let inner = Arc::clone(&self.0);
        let done = self.0.tasks.spawn(async move { inner.remove_key(index).await });
        done.await.map_err(|_| SessionError::Stopping)?
    }

    /// Asks the vendor about the key in use; nothing if there is none, or no way to ask.
    ///
    /// # Errors
    /// Unknown provider.
    #[cfg(feature = "http")]
    pub async fn check_key(&self, provider: &str) -> Result<Option<key::KeyChecked>, SessionError> {
        let inner = &self.0;
        let index = inner.index(provider)?;
        let row = &inner.slots[index].provider;
        let Some((rule, secret)) = inner.key_in_use(index) else { return Ok(None) };
        let Some(check) = &rule.check else { return Ok(None) };
        let environment = &inner.settings.environment;
        let checked = key::check::check(check, &row.vendor, &secret, environment).await;
        let end = key::last4(secret.expose_secret());
        let now = Timestamp::now();
        lock(&inner.slots[index].held).checked = Some((end, now, checked.valid));
        inner.update_status(index, |status| {
            if let Some(key) = &mut status.key {
                (key.checked_at, key.valid) = (Some(now), checked.valid);
            }
        });
        Ok(Some(checked))
    }

    /// Hands over a key that was kept over a restart.
    pub fn restore_key(&self, provider: &str, key: HeldKey, storage: Storage) {
        if let Ok(index) = self.0.index(provider) {
            lock(&self.0.slots[index].held).person = Some((key, storage));
        }
    }

    /// Hands over a key of the server's settings. Where the program stores keys itself, it gets
    /// this one when it is asked for the first time and is not signed in.
    ///
    /// # Errors
    /// Unknown provider, or no key of its kinds.
    pub fn inject_key(&self, provider: &str, key: &SecretString) -> Result<(), SessionError> {
        let index = self.0.index(provider)?;
        let slot = &self.0.slots[index];
        let secret = key::clean(key);
        let kind = kind_of(&slot.provider, &secret)?.id.clone();
        lock(&slot.held).settings = Some(HeldKey { kind, secret, stored_at: Timestamp::now() });
        Ok(())
    }
}

/// Which kind of key it is, by its looks.
fn kind_of<'a>(row: &'a Provider, key: &SecretString) -> Result<&'a Key, SessionError> {
    if row.keys.is_empty() {
        return Err(SessionError::NoKeys);
    }
    let found = row.keys.iter().find(|kind| kind.pattern.is_match(key.expose_secret()));
    found.ok_or_else(|| {
        let formats: Vec<&str> = row.keys.iter().map(|kind| kind.format.as_str()).collect();
        SessionError::BadKey { name: row.name.clone(), formats: formats.join(" or ") }
    })
}

/// The kind that the program stores itself.
fn program_kind(row: &Provider) -> Option<(&Key, &[String], &StoredKey)> {
    row.keys.iter().find_map(|kind| match &kind.store {
        KeyStore::Program { args, stored_in } => Some((kind, args.as_slice(), stored_in)),
        KeyStore::Room { .. } => None,
    })
}

fn not_stored(reason: impl Into<String>) -> SessionError {
    SessionError::KeyNotStored { reason: reason.into() }
}

/// The same for the system's own words.
fn failed<E: std::error::Error>(error: E) -> SessionError {
    not_stored(error.to_string())
}

impl Inner {
    async fn set_key(
        &self,
        index: usize,
        key: &SecretString,
        replace: bool,
    ) -> Result<(), SessionError> {
        let slot = &self.slots[index];
        let kind = kind_of(&slot.provider, key)?;
        let _changing = slot.changing.lock().await;
        self.nothing_open(index).await?;
        match &kind.store {
            KeyStore::Room { .. } => self.hold(index, kind, key).await?,
            KeyStore::Program { args, stored_in } => {
                self.probe(index).await;
                let now = lock(&self.statuses)[index].clone();
                let by_account = now.signed_in == Some(true)
                    && now.method.as_deref() != Some(stored_in.method.as_str());
                if by_account && !replace {
                    let reason = InPlaceReason("a key takes the place of the signed-in account");
                    let name = slot.provider.name.clone();
                    return Err(SessionError::WouldSignOut { name, reason });
                }
                self.store_by_program(&slot.provider, args, key, replace).await?;
            }
        }
        lock(&slot.held).checked = None;
        self.probe(index).await;
        Ok(())
    }

    /// Keeps a key, then hands it to the processes that start from now on.
    async fn hold(&self, index: usize, kind: &Key, key: &SecretString) -> Result<(), SessionError> {
        let slot = &self.slots[index];
        let held =
            HeldKey { kind: kind.id.clone(), secret: key.clone(), stored_at: Timestamp::now() };
        let storage = self.settings.keys.keep(&slot.provider.id, &held).await;
        let storage = storage.map_err(not_stored)?;
        lock(&slot.held).person = Some((held, storage));
        Ok(())
    }

    /// Has the program store a key, where a failure costs nothing: beside the real folder first.
    async fn store_by_program(
        &self,
        row: &Arc<Provider>,
        args: &[String],
        key: &SecretString,
        replace: bool,
    ) -> Result<(), SessionError> {
        let program = self.installed(row)?;
        let plan = match home::plan(&row.home, &self.folder(row), &self.mark, SessionId::random()) {
            Ok(plan) => plan,
            Err(_) if replace => Plan::InPlace,
            Err(reason) => {
                return Err(SessionError::WouldSignOut { name: row.name.clone(), reason });
            }
        };
        let stored = async {
            plan.prepare(&row.home).map_err(failed)?;
            let mut args = args.to_vec();
            if plan.moved_to().is_some() {
                args.extend(row.home.scratch_args.iter().cloned());
            }
            let mut spec = self.spec(row, program, args, plan.moved_to(), None);
            spec.input = Some(format!("{}\n", key.expose_secret()));
            let output = run(self.launcher(), spec, STORE_LIMIT).await.map_err(failed)?;
            if output.timed_out || output.exit.code != Some(0) {
                return Err(not_stored(format!("{} did not take it", row.name)));
            }
            match self.ask(row, plan.moved_to(), None).await {
                Ok(true) => plan.keep(&row.home).map_err(failed),
                Ok(false) => Err(not_stored(format!("{} is not signed in by it", row.name))),
                Err(why) => Err(not_stored(why)),
            }
        };
        let stored = stored.await;
        if let Err(error) = plan.discard() {
            tracing::warn!(%error, "scratch home not removed");
        }
        stored
    }

    async fn remove_key(self: Arc<Self>, index: usize) -> Result<bool, SessionError> {
        let slot = &self.slots[index];
        let changing = slot.changing.lock().await;
        self.nothing_open(index).await?;
        if lock(&slot.held).person.is_some() {
            self.forget_key(index).await?;
            self.probe(index).await;
            return Ok(true);
        }
        self.probe(index).await;
        match lock(&self.statuses)[index].key.clone() {
            None => return Ok(false),
            Some(key) if key.source == Source::Settings => {
                return Err(SessionError::KeyFromSettings);
            }
            // The program's own: it goes as a sign-in does.
            Some(_) => drop(changing),
        }
        let done = self.disconnect(index).await?;
        if done.ok { Ok(true) } else { Err(not_removed(done.error)) }
    }

    /// Takes a person's key away from the keeper, then from the processes to come.
    pub(super) async fn forget_key(&self, index: usize) -> Result<(), SessionError> {
        let slot = &self.slots[index];
        self.settings.keys.forget(&slot.provider.id).await.map_err(|why| not_removed(Some(why)))?;
        let mut held = lock(&slot.held);
        (held.person, held.checked) = (None, None);
        Ok(())
    }

    /// Whether a person's key is held.
    pub(super) fn holds_key(&self, index: usize) -> bool {
        lock(&self.slots[index].held).person.is_some()
    }

    /// Forgets the settings' key too, until the next start.
    pub(super) fn drop_keys(&self, index: usize) {
        *lock(&self.slots[index].held) = Held::default();
    }

    /// A long-lived token that a program printed: kept, and true only if the program then counts
    /// as signed in with it.
    pub(crate) async fn keep_token(
        &self,
        row: &Provider,
        token: &SecretString,
        session: SessionId,
    ) -> Result<bool, String> {
        let index = self.index(&row.id).map_err(|error| error.to_string())?;
        let kind = kind_of(row, token).map_err(|error| error.to_string())?;
        let KeyStore::Room { variable } = &kind.store else {
            return Err(format!("{} keeps its tokens itself", row.name));
        };
        let with = (variable.clone(), token.clone());
        let answer = self.answer_with(row, &with, Some(session)).await;
        if answer.connected != Some(true) {
            return answer.connected.ok_or_else(|| answer.error.unwrap_or_default());
        }
        self.hold(index, kind, token).await.map_err(|error| error.to_string())?;
        self.probe(index).await;
        Ok(true)
    }

    /// The variable, with the key, that processes of the provider are given.
    pub(super) fn key_variable(&self, index: usize) -> Option<(String, SecretString)> {
        let slot = &self.slots[index];
        let held = lock(&slot.held);
        let (key, ..) = held.in_use()?;
        let kind = slot.provider.keys.iter().find(|kind| kind.id == key.kind)?;
        match &kind.store {
            KeyStore::Room { variable } => Some((variable.clone(), key.secret.clone())),
            KeyStore::Program { .. } => None,
        }
    }

    /// The key in use, a program's own too.
    #[cfg(feature = "http")]
    fn key_in_use(&self, index: usize) -> Option<(&Key, SecretString)> {
        let row = &self.slots[index].provider;
        if let Some((variable, secret)) = self.key_variable(index) {
            let by_variable = |kind: &&Key| matches!(&kind.store, KeyStore::Room { variable: other } if *other == variable);
            return Some((row.keys.iter().find(by_variable)?, secret));
        }
        let (kind, _, stored_in) = program_kind(row)?;
        let (secret, _) = status::read_key(stored_in, &self.folder(row))?;
        Some((kind, secret))
    }

    /// What may be said of the key in use, when the program signs in by this method.
    pub(super) fn key_status(&self, index: usize, method: Option<&str>) -> Option<KeyStatus> {
        let slot = &self.slots[index];
        let held = lock(&slot.held);
        let by_program = || {
            let (kind, _, stored_in) = program_kind(&slot.provider)?;
            if method != Some(stored_in.method.as_str()) {
                return None;
            }
            let (secret, at) = status::read_key(stored_in, &self.folder(&slot.provider))?;
            let of_settings = held.settings.as_ref().is_some_and(|key| {
                key.kind == kind.id && key.secret.expose_secret() == secret.expose_secret()
            });
            let source = if of_settings { Source::Settings } else { Source::Person };
            Some((kind.id.clone(), secret, at, Storage::Program, source))
        };
        let by_room = held.in_use().and_then(|(key, storage, source)| {
            let kind = slot.provider.keys.iter().find(|kind| kind.id == key.kind)?;
            let held = matches!(kind.store, KeyStore::Room { .. });
            let at = Some(key.stored_at);
            held.then(|| (key.kind.clone(), key.secret.clone(), at, storage, source))
        });
        let (kind, secret, stored_at, storage, source) = by_room.or_else(by_program)?;
        let last4 = key::last4(secret.expose_secret());
        let checked = held.checked.as_ref().filter(|(end, ..)| *end == last4);
        let (checked_at, valid) =
            checked.map_or((None, None), |(_, at, valid)| (Some(*at), *valid));
        Some(KeyStatus { kind, last4, stored_at, storage, source, checked_at, valid })
    }

    /// Gives a program that stores keys itself the one of the settings, if it is not signed in.
    pub(super) async fn store_injected(&self, index: usize) {
        let slot = &self.slots[index];
        let Some((kind, args, _)) = program_kind(&slot.provider) else { return };
        let injected = lock(&slot.held).settings.clone().filter(|key| key.kind == kind.id);
        let Some(key) = injected else { return };
        if lock(&self.statuses)[index].signed_in != Some(false) {
            return;
        }
        let _changing = slot.changing.lock().await;
        match self.store_by_program(&slot.provider, args, &key.secret, false).await {
            Ok(()) => self.probe(index).await,
            Err(error) => {
                let provider = &slot.provider.id;
                tracing::warn!(provider, %error, "the key of the settings is not in use");
            }
        }
    }

    /// Nothing of the provider is on its way; to be called with `changing` held.
    async fn nothing_open(&self, index: usize) -> Result<(), SessionError> {
        self.clean_start().await;
        if self.table.is_stopping() {
            return Err(SessionError::Stopping);
        }
        match self.table.latest(index, Kind::SignIn) {
            Some(live) if live.is_active() => Err(SessionError::SignInOpen),
            Some(live) => {
                live.done().await;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn not_removed(why: Option<String>) -> SessionError {
    SessionError::KeyNotRemoved { reason: why.unwrap_or_default() }
}
