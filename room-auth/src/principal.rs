//! What a verified token proves. Only the verifier makes one.

use std::time::SystemTime;

use crate::identity::{Identity, Permission, Standing};
use crate::jwks::Thumbprint;
use crate::jwt::claims::Dates;
use crate::revocation::from_unix;

/// A caller whose token has passed every check.
///
/// There is no public way to make one, so whoever holds one need not ask again where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub(crate) identity: Identity,
    pub(crate) standing: Standing,
    pub(crate) instance: String,
    pub(crate) profile: Profile,
    pub(crate) token_id: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) key: SigningKey,
    pub(crate) key_id: Option<Box<str>>,
    pub(crate) dates: Dates,
    pub(crate) source: Source,
}

/// Which rule of the verifier let the caller in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Issuer(usize),
    CloudflareAccess,
}

/// What the issuer says of a person, for display. None of it identifies anyone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the issuer says that it has checked the address.
    pub email_verified: bool,
    /// The person's name.
    pub name: Option<String>,
}

/// What a token was signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningKey {
    /// A key of the issuer's set.
    Public(Thumbprint),
    /// The secret of the legacy issuer that is in use.
    CurrentSecret,
    /// The secret of the legacy issuer that is being replaced.
    PreviousSecret,
}

impl Principal {
    /// The issuer and its name for the caller.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// As what the token lets the caller in.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether the caller may do something.
    pub fn may(&self, permission: Permission) -> bool {
        self.standing.may(permission)
    }

    /// The instance the token is for; always the verifier's own.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Name and address, for display.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The token's `jti`.
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// The issuer's own session (`sid`), which a back-channel logout may name.
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// The key that signed it.
    pub fn key(&self) -> SigningKey {
        self.key
    }

    /// The `kid` it was named by.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// When the token was made, to the second. Only tokens of the legacy issuer may have none.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.dates.issued_at.map(from_unix)
    }

    /// When the token expires, to the second; the verifier's leeway is not in it.
    pub fn expires_at(&self) -> SystemTime {
        from_unix(self.dates.expires_at)
    }
}
