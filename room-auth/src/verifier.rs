//! The one way in: a credential becomes a [`Principal`], or an error says why not.
//!
//! The order of the checks is fixed: size and encoding, header, the policy that the unverified
//! `iss` selects, the key that `kid` selects, the signature over the received bytes, and only
//! then the claims, each in turn.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clock::{Clock, SystemClock};
use crate::error::{AuthError, Detail, LogText, Reason};
use crate::identity::Identity;
use crate::issuers::{ConfigError, ConfigFault, Family, IssuerPolicy, Issuers, PolicyKeys};
use crate::jwks::{KeySet, Slot};
use crate::jws::{self, Compact, Header, JwsFault};
use crate::jwt::claims::{self, Expected};
use crate::jwt::json::{self, Object};
use crate::principal::{Principal, Profile, SigningKey};

/// What a caller presents.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Credential<'c> {
    /// A token from `Authorization: Bearer` or from an equivalent place.
    Bearer(&'c str),
}

/// Verifies credentials against a table of trusted issuers.
#[derive(Debug)]
pub struct Verifier {
    instance: String,
    issuers: Issuers,
    clock: ClockHandle,
}

#[derive(Clone)]
struct ClockHandle(Arc<dyn Clock>);

impl std::fmt::Debug for ClockHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// What a [`Verifier`] is made of.
#[derive(Debug)]
pub struct VerifierBuilder {
    instance: String,
    policies: Vec<IssuerPolicy>,
    legacy_beside_keys: bool,
    clock: ClockHandle,
}

impl VerifierBuilder {
    /// Trusts an issuer.
    #[must_use]
    pub fn issuer(mut self, policy: IssuerPolicy) -> Self {
        self.policies.push(policy);
        self
    }

    /// Allows the legacy issuer beside issuers with public keys, for the time of a move.
    #[must_use]
    pub fn allow_legacy_beside_keys(mut self) -> Self {
        self.legacy_beside_keys = true;
        self
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = ClockHandle(clock);
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
        if self.policies.is_empty() {
            faults.push(ConfigFault::NoIssuer);
        }
        let issuers = Issuers::new(self.policies, self.legacy_beside_keys, &mut faults);
        if !faults.is_empty() {
            return Err(ConfigError(faults));
        }
        Ok(Verifier { instance: self.instance, issuers, clock: self.clock })
    }
}

impl Verifier {
    /// A verifier for the tokens of one instance, compared byte for byte with their `instanceId`.
    pub fn builder(instance: impl Into<String>) -> VerifierBuilder {
        VerifierBuilder {
            instance: instance.into(),
            policies: Vec::new(),
            legacy_beside_keys: false,
            clock: ClockHandle(Arc::new(SystemClock)),
        }
    }

    /// Verifies one credential.
    ///
    /// # Errors
    /// Says what the caller may be told and, apart, what the log may know.
    pub fn verify(&self, credential: Credential<'_>) -> Result<Arc<Principal>, AuthError> {
        match credential {
            Credential::Bearer(token) => self.verify_bearer(token).map(Arc::new),
        }
    }

    fn verify_bearer(&self, token: &str) -> Result<Principal, AuthError> {
        let now = self.clock.0.now();
        let compact = Compact::split(token)
            .map_err(|fault| AuthError::BadRequest(Detail::of(fault.into())))?;
        let header =
            Header::parse(&compact.header).map_err(|fault| Facts::default().refuse(fault))?;
        let mut facts = Facts { kid: header.kid.as_deref(), ..Facts::default() };
        let claims =
            json::parse_object(&compact.payload).map_err(|_| facts.refuse(Reason::Payload))?;
        let issuer = claims::issuer(&claims).map_err(|reason| facts.refuse(reason))?;
        facts.issuer = Some(issuer);
        let (_, policy) = self
            .issuers
            .select(Family::from(header.algorithm), issuer)
            .ok_or_else(|| facts.refuse(Reason::UnknownIssuer))?;
        policy.check_header(&header).map_err(|reason| facts.refuse(reason))?;
        let key = match &policy.keys {
            PolicyKeys::Static(keys) => verify_signature(keys, &compact, &header),
            PolicyKeys::Legacy(secrets) if secrets.is_past_sunset(now) => Err(JwsFault::Algorithm),
            PolicyKeys::Legacy(secrets) => secrets
                .verify(compact.signing_input(), &compact.signature)
                .ok_or(JwsFault::Signature),
        }
        .map_err(|fault| facts.refuse(fault))?;
        if let SigningKey::Public(thumbprint) = key {
            facts.thumbprint = Some(thumbprint);
        }
        self.principal(policy, &claims, key, now)
            .map_err(|reason| facts.refuse_claims(reason, &claims))
    }

    /// Everything after the signature.
    fn principal(
        &self,
        policy: &IssuerPolicy,
        claims: &Object<'_>,
        key: SigningKey,
        now: SystemTime,
    ) -> Result<Principal, Reason> {
        let expected = Expected {
            issuer: &policy.issuer,
            audiences: &policy.audiences,
            instance: Some(&self.instance),
            lifetime: policy.lifetime(),
        };
        let dates = claims::check(claims, &expected, unix_seconds(now))?;
        let subject = claims::subject(claims)?;
        let token_id = claims::identifier(claims, "jti")?;
        let session_id = claims::identifier(claims, "sid")?;
        let profile = Profile {
            email: claims::shown(claims, "email")?.map(str::to_owned),
            email_verified: claims::email_verified(claims)?,
            name: claims::shown(claims, "name")?.map(str::to_owned),
        };
        let standing = policy.standing(claims::role(claims)?)?;
        if let PolicyKeys::Legacy(secrets) = &policy.keys {
            secrets.count(key);
        }
        Ok(Principal {
            identity: Identity { issuer: policy.issuer.clone(), subject: subject.to_owned() },
            standing,
            instance: self.instance.clone(),
            profile,
            token_id: token_id.map(str::to_owned),
            session_id: session_id.map(str::to_owned),
            key,
            dates,
        })
    }
}

fn verify_signature(
    keys: &KeySet,
    compact: &Compact<'_>,
    header: &Header<'_>,
) -> Result<SigningKey, JwsFault> {
    let kid = header.kid.as_deref().ok_or(JwsFault::KeyId)?;
    match keys.find(kid) {
        None => Err(JwsFault::UnknownKey),
        Some(Slot::Ambiguous) => Err(JwsFault::AmbiguousKey),
        Some(Slot::Key(key)) => {
            jws::check(compact, header, key)?;
            Ok(SigningKey::Public(key.thumbprint()))
        }
    }
}

/// What is known of a token so far, for the log.
#[derive(Clone, Copy, Default)]
struct Facts<'f> {
    issuer: Option<&'f str>,
    kid: Option<&'f str>,
    thumbprint: Option<crate::jwks::Thumbprint>,
}

impl Facts<'_> {
    fn detail(&self, reason: Reason) -> Detail {
        Detail {
            reason,
            issuer: self.issuer.map(LogText::new),
            kid: self.kid.map(LogText::new),
            thumbprint: self.thumbprint,
            token_id: None,
        }
    }

    fn refuse(&self, reason: impl Into<Reason>) -> AuthError {
        AuthError::Invalid(self.detail(reason.into()))
    }

    fn refuse_claims(&self, reason: Reason, claims: &Object<'_>) -> AuthError {
        let token_id = claims::for_log(claims, "jti").map(|id| LogText::new(&id));
        let detail = Detail { token_id, ..self.detail(reason) };
        match reason {
            Reason::Expired => AuthError::Expired(detail),
            Reason::Role | Reason::ServiceNotAllowed => AuthError::Forbidden(detail),
            _ => AuthError::Invalid(detail),
        }
    }
}

/// Whole seconds since 1970; a clock before that stands at 0 and refuses everything by `iat`.
fn unix_seconds(now: SystemTime) -> u64 {
    now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests;
