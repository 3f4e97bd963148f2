//! Whose tokens are taken: the verifier, made from the settings, and its key stores.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use room_auth::endings::Endings;
use room_auth::hmac::{LegacySecrets, LegacyUses, SecretTooShort};
use room_auth::issuers::LEGACY_ISSUER;
use room_auth::jwks::{
    DiskCopy, HttpFetch, HttpFetchError, HttpFetchOptions, KeyHealth, KeyStore, KeyStoreOptions,
};
use room_auth::revocation::{Revocation, RevocationError, Revocations};
use room_auth::{Clock, CloudflareAccess, ConfigError, IssuerPolicy, TokenHash, Verifier};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::hex;
use crate::config;

/// The issuers of a hosted Room.
pub struct Trust {
    /// Decides on every token; none where people only come by `room pair`.
    pub verifier: Option<Arc<Verifier>>,
    /// Hears what has ended.
    pub endings: Endings,
    keys: Vec<Keys>,
    legacy: Option<Arc<LegacySecrets>>,
    has_settled: AtomicBool,
}

/// How long a caller waits for the first fetch after a start.
const FIRST_FETCH: Duration = Duration::from_secs(2);

/// The keys of one issuer.
struct Keys {
    issuer: String,
    store: Arc<KeyStore>,
    fetch: HttpFetch,
}

/// Why the issuers cannot be trusted as they stand in the settings.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The table of issuers.
    #[error(transparent)]
    Table(#[from] ConfigError),
    /// An address of keys.
    #[error("the keys of {issuer} cannot be fetched")]
    KeyUrl {
        /// Whose.
        issuer: String,
        /// Why.
        #[source]
        source: HttpFetchError,
    },
    /// The legacy issuer's secret.
    #[error("ROOM_JWT_SECRET")]
    Secret(#[from] SecretTooShort),
    /// The kept revocations.
    #[error("what was revoked could not be put in force again")]
    Revocations(#[from] RevocationError),
}

impl Trust {
    /// Makes the verifier; keys are fetched once [`Trust::run`] runs.
    ///
    /// # Errors
    /// The settings.
    pub fn new(
        settings: &config::Cloud,
        data_dir: &Path,
        clock: &Arc<dyn Clock>,
        revoked: &[Revocation],
    ) -> Result<Self, TrustError> {
        let endings = Endings::default();
        let mut keys = Vec::new();
        let mut store_of = |issuer: &str, url: &str| -> Result<Arc<KeyStore>, TrustError> {
            let options = KeyStoreOptions::default()
                .clock(clock.clone())
                .endings(endings.clone())
                .disk(DiskCopy::new(data_dir.join(file_name(url))));
            let mut how = HttpFetchOptions::default();
            if settings.loopback_jwks {
                how = how.allow_loopback_http();
            }
            let fetch = HttpFetch::new(url, &how)
                .map_err(|source| TrustError::KeyUrl { issuer: issuer.to_owned(), source })?;
            let store = Arc::new(KeyStore::new(url, options));
            keys.push(Keys { issuer: issuer.to_owned(), store: store.clone(), fetch });
            Ok(store)
        };
        let revocations = Revocations::in_memory(endings.clone());
        for one in revoked {
            revocations.apply(one.clone(), clock.now())?;
        }
        let mut verifier = Verifier::builder(settings.instance_id.clone())
            .clock(clock.clone())
            .revocations(Arc::new(revocations));
        for one in &settings.issuers {
            let mut policy = IssuerPolicy::jwks(&one.issuer, store_of(&one.issuer, &one.jwks_url)?)
                .audience(&one.audience)
                .service(one.service);
            if !one.algorithms.is_empty() {
                policy = policy.algorithms(one.algorithms());
            }
            if let Some(audience) = &one.logout_audience {
                policy = policy.logout_audience(audience);
            }
            verifier = verifier.issuer(policy);
        }
        let legacy = legacy(settings)?;
        if let Some(secrets) = &legacy {
            tracing::warn!(
                "tokens of {LEGACY_ISSUER} with a shared secret are taken; move to keys"
            );
            verifier = verifier.issuer(IssuerPolicy::legacy_hmac(secrets.clone()));
            if settings.legacy_beside_keys {
                verifier = verifier.allow_legacy_beside_keys();
            }
        }
        if let Some(cloudflare) = &settings.cloudflare {
            let url = CloudflareAccess::certs_url(&cloudflare.team);
            let issuer = url.split("/cdn-cgi").next().unwrap_or("").to_owned();
            let store = store_of(&issuer, &url)?;
            let access = CloudflareAccess::new(&cloudflare.team, &cloudflare.audience, store);
            let people = cloudflare.people.iter();
            let access = people.fold(access, |access, (email, role)| access.person(email, *role));
            verifier = verifier.cloudflare_access(access);
        }
        let nobody = keys.is_empty() && legacy.is_none();
        let verifier = if nobody { None } else { Some(Arc::new(verifier.build()?)) };
        Ok(Self { verifier, endings, keys, legacy, has_settled: AtomicBool::new(false) })
    }

    /// A verifier of a test's own, whose keys nobody fetches.
    #[cfg(test)]
    pub(crate) fn of(verifier: Verifier) -> Self {
        let endings = verifier.revocations().endings().clone();
        let has_settled = AtomicBool::new(true);
        Self {
            verifier: Some(verifier.into()),
            endings,
            keys: Vec::new(),
            legacy: None,
            has_settled,
        }
    }

    /// Keeps every key set fresh until `stop` fires.
    pub fn run(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        for keys in &self.keys {
            let (store, fetch, stop) = (keys.store.clone(), keys.fetch.clone(), stop.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = store.run(fetch) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
    }

    /// Returns once every key set was asked for, or after a while: someone who knocks while the server
    /// starts is not sent away for keys that are on their way.
    pub async fn settled(&self) {
        if self.has_settled.load(Ordering::Relaxed) {
            return;
        }
        let all = async {
            for keys in &self.keys {
                keys.store.first_fetch().await;
            }
        };
        // In a box: once it has settled, nobody carries anything of it.
        let _late = Box::pin(tokio::time::timeout(FIRST_FETCH, all)).await;
        self.has_settled.store(true, Ordering::Relaxed);
    }

    /// The keys of an issuer, where they are fetched.
    pub fn keys_of(&self, issuer: &str) -> Option<&Arc<KeyStore>> {
        self.keys.iter().find(|keys| keys.issuer == issuer).map(|keys| &keys.store)
    }

    /// How well each issuer's keys are known.
    pub fn health(&self) -> Vec<(&str, KeyHealth)> {
        self.keys.iter().map(|keys| (keys.issuer.as_str(), keys.store.health())).collect()
    }

    /// How often the secrets of the legacy issuer have let someone in.
    pub fn legacy_uses(&self) -> Option<LegacyUses> {
        self.legacy.as_ref().map(|secrets| secrets.uses())
    }
}

fn legacy(settings: &config::Cloud) -> Result<Option<Arc<LegacySecrets>>, TrustError> {
    let mut secrets = settings.legacy_secrets.iter();
    let Some(current) = secrets.next() else { return Ok(None) };
    let mut legacy = LegacySecrets::new(current)?;
    if let Some(previous) = secrets.next() {
        legacy = legacy.with_previous(previous)?;
    }
    Ok(Some(Arc::new(legacy)))
}

/// One file an endpoint, named by its address.
fn file_name(url: &str) -> String {
    format!("keys-{}.jwks", hex(&TokenHash::of(url)))
}
