//! Why a configuration is not sound.

use std::fmt;

/// Why a verifier cannot be made of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigFault {
    /// The instance id is missing: tokens could not be bound to this instance.
    #[error("no instance id")]
    NoInstance,
    /// Nobody could come in.
    #[error("no issuer")]
    NoIssuer,
    /// A policy without an audience would take tokens made for someone else.
    #[error("issuer {issuer}: no audience")]
    NoAudience {
        /// Whose policy.
        issuer: String,
    },
    /// A public-key policy without an algorithm takes nothing.
    #[error("issuer {issuer}: no algorithm")]
    NoAlgorithm {
        /// Whose policy.
        issuer: String,
    },
    /// A fixed key set without a usable key.
    #[error("issuer {issuer}: no usable key")]
    NoKeys {
        /// Whose policy.
        issuer: String,
    },
    /// More leeway than [`MAX_LEEWAY`](crate::issuers::MAX_LEEWAY).
    #[error("issuer {issuer}: leeway over two minutes")]
    Leeway {
        /// Whose policy.
        issuer: String,
    },
    /// A lifetime of nothing, or over [`MAX_LIFETIME`](crate::issuers::MAX_LIFETIME).
    #[error("issuer {issuer}: token lifetime must lie between one second and 24 hours")]
    Lifetime {
        /// Whose policy.
        issuer: String,
    },
    /// Two policies for one issuer and one family of algorithms.
    #[error("issuer {issuer}: configured twice")]
    Twice {
        /// Whose policy.
        issuer: String,
    },
    /// A table of role names for an issuer that is not the legacy one.
    #[error("issuer {issuer}: only the legacy issuer may map role names")]
    RoleTable {
        /// Whose policy.
        issuer: String,
    },
    /// Cloudflare Access with a team that is no host name label.
    #[error("Cloudflare Access: the team is not a name as in TEAM.cloudflareaccess.com")]
    CloudflareTeam,
    /// Cloudflare Access without the audience tag of the application.
    #[error("Cloudflare Access: no audience tag")]
    CloudflareAudience,
    /// Cloudflare Access with nobody to let in.
    #[error("Cloudflare Access: nobody has a role")]
    CloudflareNobody,
    /// The legacy issuer cannot speak as a service: its secret is shared.
    #[error("the legacy issuer cannot be a service")]
    LegacyService,
    /// The legacy issuer beside one with public keys, which nobody asked for.
    #[error("the legacy issuer stands beside a key set and that is not allowed explicitly")]
    LegacyBesideKeys,
}

/// Every fault of a configuration at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<ConfigFault>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("authentication is not configured soundly")?;
        self.0.iter().try_for_each(|fault| write!(f, "; {fault}"))
    }
}
