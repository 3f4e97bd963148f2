//! What is known of a token when it is refused, and what comes of that.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{AuthError, Detail, LogText, Reason};
use crate::issuers::{KeyRefusal, PolicyKeys};
use crate::jwks::{KeyStore, NoKeys, Thumbprint};
use crate::jws::JwsFault;
use crate::principal::{Principal, SigningKey};

/// When to come back if nobody knows better.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A refusal, or one that a fetch of the keys may yet turn around.
#[derive(Debug)]
pub(crate) enum Failure {
    Refused(AuthError),
    UnknownKey(Box<UnknownKey>),
}

/// Whom to ask about a key that is not there.
#[derive(Debug)]
pub(crate) struct UnknownKey {
    pub(crate) store: Arc<KeyStore>,
    pub(crate) kid: Box<str>,
    pub(crate) error: AuthError,
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Self::Refused(error)
    }
}

impl From<Failure> for AuthError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::UnknownKey(unknown) => unknown.error,
        }
    }
}

/// What is known of a token so far, for the log.
#[derive(Clone, Copy, Default)]
pub(crate) struct Facts<'f> {
    pub(crate) issuer: Option<&'f str>,
    pub(crate) kid: Option<&'f str>,
    thumbprint: Option<Thumbprint>,
}

impl<'f> Facts<'f> {
    pub(crate) fn of(principal: &'f Principal) -> Self {
        let facts = Self {
            issuer: Some(&principal.identity().issuer),
            kid: principal.key_id(),
            thumbprint: None,
        };
        facts.with_key(principal.key())
    }

    /// The signature has verified.
    pub(crate) fn with_key(self, key: SigningKey) -> Self {
        match key {
            SigningKey::Public(thumbprint) => Self { thumbprint: Some(thumbprint), ..self },
            SigningKey::CurrentSecret | SigningKey::PreviousSecret => self,
        }
    }

    fn detail(&self, reason: Reason) -> Detail {
        Detail {
            reason,
            issuer: self.issuer.map(LogText::new),
            kid: self.kid.map(LogText::new),
            thumbprint: self.thumbprint,
            token_id: None,
        }
    }

    /// Before the signature.
    pub(crate) fn refuse(&self, reason: impl Into<Reason>) -> Failure {
        AuthError::Invalid(self.detail(reason.into())).into()
    }

    /// After the signature.
    pub(crate) fn refuse_proven(&self, reason: Reason, token_id: Option<&str>) -> Failure {
        let detail = Detail { token_id: token_id.map(LogText::new), ..self.detail(reason) };
        match reason {
            Reason::Expired => AuthError::Expired(detail),
            Reason::Role | Reason::ServiceNotAllowed | Reason::NotMapped => {
                AuthError::Forbidden(detail)
            }
            _ => AuthError::Invalid(detail),
        }
        .into()
    }

    /// The keys could not say, or said no.
    pub(crate) fn key_refusal(&self, refusal: &KeyRefusal, keys: &PolicyKeys) -> Failure {
        match *refusal {
            KeyRefusal::Token(JwsFault::UnknownKey) => {
                let error = AuthError::Invalid(self.detail(Reason::UnknownKey));
                match (keys.store(), self.kid) {
                    (Some(store), Some(kid)) => {
                        let (store, kid) = (Arc::clone(store), kid.into());
                        Failure::UnknownKey(Box::new(UnknownKey { store, kid, error }))
                    }
                    _ => error.into(),
                }
            }
            KeyRefusal::Token(fault) => self.refuse(fault),
            KeyRefusal::NoKeys(why) => {
                let reason = match why {
                    NoKeys::NeverFetched => Reason::NoKeys,
                    NoKeys::Stale => Reason::StaleKeys,
                };
                let due = keys.store().map_or(RETRY_AFTER, |store| store.due_in());
                let detail = self.detail(reason);
                AuthError::Unavailable { detail, retry_after: due.max(Duration::from_secs(1)) }
                    .into()
            }
        }
    }
}
