//! The one way in: a credential becomes a [`Principal`], or an error says why not.
//!
//! The order of the checks is fixed: size and encoding, header, the policy that the unverified
//! `iss` selects, the key that `kid` selects, the signature over the received bytes, and only
//! then the claims, each in turn, and revocation last.

use std::fmt;
use std::sync::Arc;

use crate::cache::{CacheKey, Entry, Place, TokenCache};
use crate::clock::{Clock, SystemClock};
use crate::cloudflare::CloudflareAccess;
use crate::error::{AuthError, Detail, Reason};
use crate::identity::{Identity, Standing};
use crate::issuers::{ConfigError, ConfigFault, Family, IssuerPolicy, Issuers, PolicyKeys};
use crate::jwks::{KeyHealth, KeyStore, Now};
use crate::jws::{Compact, Header, MAX_TOKEN_BYTES};
use crate::jwt::claims::{self, Dates, Expected, Lifetime};
use crate::jwt::json::{self, Object};
use crate::logout::UsedTokens;
use crate::principal::{Principal, Profile, SigningKey, Source};
use crate::revocation::{Revocations, Subjects, unix_seconds};

mod failure;

pub(crate) use failure::{Facts, Failure};

/// What a caller presents.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Credential<'c> {
    /// A token from `Authorization: Bearer` or from an equivalent place.
    Bearer(&'c str),
    /// What Cloudflare Access puts on a request.
    CloudflareAccess {
        /// `Cf-Access-Jwt-Assertion`.
        assertion: &'c str,
        /// `Cf-Access-Authenticated-User-Email`, which proves nothing and must not contradict.
        email_header: Option<&'c str>,
    },
}

/// Verifies credentials against a table of trusted issuers.
pub struct Verifier {
    instance: String,
    issuers: Issuers,
    cloudflare: Option<CloudflareAccess>,
    revocations: Arc<Revocations>,
    cache: Option<TokenCache>,
    used_logouts: UsedTokens,
    clock: Arc<dyn Clock>,
}

/// What a [`Verifier`] is made of.
pub struct VerifierBuilder {
    instance: String,
    policies: Vec<IssuerPolicy>,
    legacy_beside_keys: bool,
    cloudflare: Option<CloudflareAccess>,
    revocations: Arc<Revocations>,
    cache: Option<TokenCache>,
    clock: Arc<dyn Clock>,
}

impl VerifierBuilder {
    /// Trusts an issuer.
    #[must_use]
    pub fn issuer(mut self, policy: IssuerPolicy) -> Self {
        self.policies.push(policy);
        self
    }

    /// Trusts Cloudflare Access in front of the server.
    #[must_use]
    pub fn cloudflare_access(mut self, access: CloudflareAccess) -> Self {
        self.cloudflare = Some(access);
        self
    }

    /// Allows the legacy issuer beside issuers with public keys, for the time of a move.
    #[must_use]
    pub fn allow_legacy_beside_keys(mut self) -> Self {
        self.legacy_beside_keys = true;
        self
    }

    /// Refuses what these name. Without them a set in memory is used.
    #[must_use]
    pub fn revocations(mut self, revocations: Arc<Revocations>) -> Self {
        self.revocations = revocations;
        self
    }

    /// Verifies every token anew, also one that was verified a moment ago.
    #[must_use]
    pub fn without_cache(mut self) -> Self {
        self.cache = None;
        self
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks the configuration.
    ///
    /// # Errors
    /// Every fault at once; a verifier with any of them is never made.
    pub fn build(self) -> Result<Verifier, ConfigError> {
        let mut faults = Vec::new();
        if self.instance.trim().is_empty() {
            faults.push(ConfigFault::NoInstance);
        }
        match &self.cloudflare {
            Some(access) => access.faults(&mut faults),
            None if self.policies.is_empty() => faults.push(ConfigFault::NoIssuer),
            None => {}
        }
        let issuers = Issuers::new(self.policies, self.legacy_beside_keys, &mut faults);
        if !faults.is_empty() {
            return Err(ConfigError(faults));
        }
        Ok(Verifier {
            instance: self.instance,
            issuers,
            cloudflare: self.cloudflare,
            revocations: self.revocations,
            cache: self.cache,
            used_logouts: UsedTokens::default(),
            clock: self.clock,
        })
    }
}

impl Verifier {
    /// A verifier for the tokens of one instance, compared byte for byte with their `instanceId`.
    pub fn builder(instance: impl Into<String>) -> VerifierBuilder {
        VerifierBuilder {
            instance: instance.into(),
            policies: Vec::new(),
            legacy_beside_keys: false,
            cloudflare: None,
            revocations: Arc::default(),
            cache: Some(TokenCache::default()),
            clock: Arc::new(SystemClock),
        }
    }

    /// Verifies one credential with the keys that are there now.
    ///
    /// # Errors
    /// Says what the caller may be told and, apart, what the log may know.
    pub fn verify(&self, credential: Credential<'_>) -> Result<Arc<Principal>, AuthError> {
        self.attempt(credential).map_err(AuthError::from)
    }

    /// Verifies one credential. If its key is unknown, waits for a fetch that may bring it: two
    /// seconds at most, and only as long as the budget for unknown keys lasts.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub async fn authenticate(
        &self,
        credential: Credential<'_>,
    ) -> Result<Arc<Principal>, AuthError> {
        match self.attempt(credential) {
            Err(Failure::UnknownKey(unknown)) => {
                // In a box, so that those who need not wait carry nothing of it.
                if Box::pin(unknown.store.wait_for(&unknown.kid)).await {
                    self.verify(credential)
                } else {
                    Err(unknown.error)
                }
            }
            answer => answer.map_err(AuthError::from),
        }
    }

    /// Asks again about a caller who was let in before: whether the token still lives, its key is
    /// still published, and nothing has revoked it. What keeps a socket open asks this when it
    /// hears that something ended, and at the token's end.
    ///
    /// # Errors
    /// What has changed.
    pub fn recheck(&self, principal: &Principal) -> Result<(), AuthError> {
        let now = Now::read(self.clock.as_ref());
        let facts = Facts::of(principal);
        let (keys, lifetime) =
            self.rule(principal.source).ok_or_else(|| facts.refuse(Reason::UnknownIssuer))?;
        claims::check_dates(&principal.dates, lifetime, unix_seconds(now.wall))
            .map_err(|reason| facts.refuse_proven(reason, principal.token_id()))?;
        if !keys.has(principal.key, &now).map_err(|refusal| facts.key_refusal(&refusal, keys))? {
            return Err(facts.refuse(Reason::UnknownKey).into());
        }
        if self.revocations.covers(&subjects(principal)) {
            return Err(facts.refuse_proven(Reason::Revoked, principal.token_id()).into());
        }
        Ok(())
    }

    /// The state of each key store that tokens are verified with.
    pub fn key_health(&self) -> Vec<(Arc<KeyStore>, KeyHealth)> {
        let policies = self.issuers.all().iter().map(|policy| &policy.keys);
        policies
            .chain(self.cloudflare.as_ref().map(CloudflareAccess::keys))
            .filter_map(PolicyKeys::store)
            .map(|store| (Arc::clone(store), store.health()))
            .collect()
    }

    /// What is revoked.
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    /// Whether Cloudflare Access is trusted, and its assertion expected on every request.
    pub fn expects_assertion(&self) -> bool {
        self.cloudflare.is_some()
    }

    /// The instance whose tokens are taken.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    pub(crate) fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    pub(crate) fn used_logouts(&self) -> &UsedTokens {
        &self.used_logouts
    }

    pub(crate) fn now(&self) -> Now {
        Now::read(self.clock.as_ref())
    }

    fn attempt(&self, credential: Credential<'_>) -> Result<Arc<Principal>, Failure> {
        match credential {
            Credential::Bearer(token) => self.recall_or(Place::Bearer, token, |now| {
                examine(token, |parts| self.bearer(parts, now))
            }),
            Credential::CloudflareAccess { assertion, email_header } => {
                let access = self.cloudflare.as_ref().ok_or_else(|| {
                    Failure::from(AuthError::Invalid(Detail::of(Reason::UnknownIssuer)))
                })?;
                let principal = self.recall_or(Place::Assertion, assertion, |now| {
                    examine(assertion, |parts| self.assertion(access, parts, now))
                })?;
                CloudflareAccess::check_email_header(&principal, email_header)?;
                Ok(principal)
            }
        }
    }

    /// The answer from the cache if every fact it rests on still holds, or else a new one.
    fn recall_or(
        &self,
        place: Place,
        token: &str,
        verify: impl FnOnce(&Now) -> Result<(Principal, u64), Failure>,
    ) -> Result<Arc<Principal>, Failure> {
        let now = self.now();
        let Some(cache) = self.cache.as_ref().filter(|_| token.len() <= MAX_TOKEN_BYTES) else {
            return verify(&now).map(|(principal, _)| Arc::new(principal));
        };
        // Read before anything is asked, so that what changes meanwhile is asked about again.
        let epoch = self.revocations.epoch();
        let key = CacheKey::new(place, token);
        if let Some(entry) = cache.find(key, now.mono) {
            if self.still_holds(&entry, epoch, &now) {
                return Ok(Arc::clone(&entry.principal));
            }
            cache.remove(key);
        }
        let (principal, generation) = verify(&now)?;
        let principal = Arc::new(principal);
        let entry = Entry::new(key, Arc::clone(&principal), generation, epoch, now.mono);
        cache.insert(entry, now.mono);
        Ok(principal)
    }

    fn still_holds(&self, entry: &Entry, epoch: u64, now: &Now) -> bool {
        let principal = entry.principal.as_ref();
        let Some((keys, lifetime)) = self.rule(principal.source) else { return false };
        let is_same_generation =
            keys.generation(now).is_ok_and(|generation| generation == entry.generation);
        if !is_same_generation
            || claims::check_dates(&principal.dates, lifetime, unix_seconds(now.wall)).is_err()
        {
            return false;
        }
        if entry.epoch() != epoch {
            if self.revocations.covers(&subjects(principal)) {
                return false;
            }
            entry.set_epoch(epoch);
        }
        if let PolicyKeys::Legacy(secrets) = keys {
            secrets.count(principal.key);
        }
        true
    }

    fn bearer(&self, parts: &Parts<'_>, now: &Now) -> Result<(Principal, u64), Failure> {
        let Parts { compact, header, claims, facts } = parts;
        let issuer = facts.issuer.unwrap_or_default();
        let (index, policy) = self
            .issuers
            .select(Family::from(header.algorithm), issuer)
            .ok_or_else(|| facts.refuse(Reason::UnknownIssuer))?;
        policy.check_header(header).map_err(|reason| facts.refuse(reason))?;
        let (key, generation) = policy
            .keys
            .verify(compact, header, now)
            .map_err(|refusal| facts.key_refusal(&refusal, &policy.keys))?;
        let facts = facts.with_key(key);
        let refuse = |reason| facts.refuse_proven(reason, claims::text(claims, "jti"));
        let expected = Expected {
            issuer: &policy.issuer,
            audiences: &policy.audiences,
            instance: Some(&self.instance),
            lifetime: policy.lifetime(),
        };
        let dates = claims::check(claims, &expected, unix_seconds(now.wall)).map_err(refuse)?;
        let subject = claims::subject(claims).map_err(refuse)?;
        let standing =
            claims::role(claims).and_then(|role| policy.standing(role)).map_err(refuse)?;
        let proven = Proven { subject, standing, dates, key, source: Source::Issuer(index) };
        let principal = self.principal(parts, &proven).map_err(refuse)?;
        if let PolicyKeys::Legacy(secrets) = &policy.keys {
            secrets.count(key);
        }
        Ok((principal, generation))
    }

    fn assertion(
        &self,
        access: &CloudflareAccess,
        parts: &Parts<'_>,
        now: &Now,
    ) -> Result<(Principal, u64), Failure> {
        let Parts { compact, header, claims, facts } = parts;
        access.check_header(header, facts.issuer).map_err(|reason| facts.refuse(reason))?;
        let keys = access.keys();
        let (key, generation) = keys
            .verify(compact, header, now)
            .map_err(|refusal| facts.key_refusal(&refusal, keys))?;
        let facts = facts.with_key(key);
        let refuse = |reason| facts.refuse_proven(reason, claims::text(claims, "jti"));
        let (dates, visitor) = access.read(claims, unix_seconds(now.wall)).map_err(refuse)?;
        let proven = Proven {
            subject: &visitor.subject,
            standing: visitor.standing,
            dates,
            key,
            source: Source::CloudflareAccess,
        };
        let principal = self.principal(parts, &proven).map_err(refuse)?;
        Ok((principal, generation))
    }

    /// The remaining claims, and revocation, which comes last.
    fn principal(&self, parts: &Parts<'_>, proven: &Proven<'_>) -> Result<Principal, Reason> {
        let Parts { header, claims, facts, .. } = parts;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let principal = Principal {
            identity: Identity {
                issuer: facts.issuer.unwrap_or_default().to_owned(),
                subject: proven.subject.to_owned(),
            },
            standing: proven.standing,
            instance: self.instance.clone(),
            profile: Profile {
                email: owned(claims::shown(claims, "email")?),
                email_verified: claims::email_verified(claims)?,
                name: owned(claims::shown(claims, "name")?),
            },
            token_id: owned(claims::identifier(claims, "jti")?),
            session_id: owned(claims::identifier(claims, "sid")?),
            key: proven.key,
            key_id: match proven.key {
                SigningKey::Public(_) => header.kid.as_deref().map(Box::from),
                SigningKey::CurrentSecret | SigningKey::PreviousSecret => None,
            },
            dates: proven.dates,
            source: proven.source,
        };
        if self.revocations.covers(&subjects(&principal)) {
            return Err(Reason::Revoked);
        }
        Ok(principal)
    }

    /// The keys and dates that hold for what came in this way.
    fn rule(&self, source: Source) -> Option<(&PolicyKeys, Lifetime)> {
        match source {
            Source::Issuer(index) => {
                self.issuers.get(index).map(|policy| (&policy.keys, policy.lifetime()))
            }
            Source::CloudflareAccess => {
                self.cloudflare.as_ref().map(|access| (access.keys(), access.lifetime()))
            }
        }
    }
}

/// What a token has proven before its last claims are read.
struct Proven<'p> {
    subject: &'p str,
    standing: Standing,
    dates: Dates,
    key: SigningKey,
    source: Source,
}

/// A token taken apart. Nothing in it is proven; the issuer it names is in the facts.
pub(crate) struct Parts<'p> {
    pub(crate) compact: &'p Compact<'p>,
    pub(crate) header: &'p Header<'p>,
    pub(crate) claims: &'p Object<'p>,
    pub(crate) facts: Facts<'p>,
}

/// Takes a token apart, as far as that needs no key.
pub(crate) fn examine<R>(
    token: &str,
    then: impl FnOnce(&Parts<'_>) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let compact =
        Compact::split(token).map_err(|fault| AuthError::BadRequest(Detail::of(fault.into())))?;
    let mut facts = Facts::default();
    let header = Header::parse(&compact.header).map_err(|fault| facts.refuse(fault))?;
    facts.kid = header.kid.as_deref();
    let claims = json::parse_object(&compact.payload).map_err(|_| facts.refuse(Reason::Payload))?;
    let issuer = claims::issuer(&claims).map_err(|reason| facts.refuse(reason))?;
    facts.issuer = Some(issuer);
    then(&Parts { compact: &compact, header: &header, claims: &claims, facts })
}

fn subjects(principal: &Principal) -> Subjects<'_> {
    Subjects {
        issuer: &principal.identity.issuer,
        subject: &principal.identity.subject,
        token_id: principal.token_id(),
        session_id: principal.session_id(),
        key_id: principal.key_id(),
        thumbprint: match principal.key {
            SigningKey::Public(thumbprint) => Some(thumbprint),
            SigningKey::CurrentSecret | SigningKey::PreviousSecret => None,
        },
        issued_at: principal.dates.issued_at,
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("instance", &self.instance)
            .field("issuers", &self.issuers)
            .field("cloudflare", &self.cloudflare)
            .field("revocations", &self.revocations)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierBuilder")
            .field("instance", &self.instance)
            .field("policies", &self.policies)
            .field("cloudflare", &self.cloudflare)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod ending_tests;
#[cfg(test)]
mod legacy_tests;
#[cfg(test)]
mod tests;
