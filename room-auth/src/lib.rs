//! Who is calling, and how we know.

pub mod clock;
pub mod error;
pub mod hmac;
pub mod identity;
#[cfg(feature = "issuer")]
pub mod issuer;
pub mod issuers;
pub mod jwks;
pub mod jws;
mod jwt;
pub mod principal;
pub mod verifier;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{AuthError, Detail, Reason};
pub use identity::{Identity, Permission, Role, Standing};
pub use issuers::{ConfigError, ConfigFault, IssuerPolicy};
pub use jwks::{KeySet, Thumbprint};
pub use jws::Algorithm;
pub use principal::{Principal, Profile, SigningKey};
pub use verifier::{Credential, Verifier, VerifierBuilder};
