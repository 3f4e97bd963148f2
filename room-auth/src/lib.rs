//! Who is calling, and how we know.
//!
//! The crate decides and keeps no I/O: headers, addresses, key sets and the time are handed in,
//! answers are values. A caller is proven in one of two ways:
//!
//! - **local**: a one-time launch code ([`handshake`]) is traded for a bearer ([`bearer`]) by a
//!   page whose Host and Origin are ours ([`site`]); [`attempts`] counts those who fail;
//! - **by token**: the [`verifier`] checks a JWT against the table of trusted [`issuers`].
//!
//! What a proven caller may do is the table in [`identity`].
//!
//! ```
//! use std::time::{Duration, Instant};
//! use room_auth::handshake::LaunchCodes;
//!
//! let now = Instant::now();
//! let mut codes = LaunchCodes::default();
//! let code = codes.issue(now);
//! assert!(codes.redeem(code.expose(), now + Duration::from_secs(60)).is_ok());
//! assert!(codes.redeem(code.expose(), now + Duration::from_secs(61)).is_err(), "one use only");
//! ```

pub mod attempts;
mod authenticator;
#[cfg(feature = "axum")]
pub mod axum;
pub mod bearer;
mod cache;
pub mod client_address;
pub mod clock;
pub mod cloudflare;
pub mod credential;
pub mod endings;
pub mod error;
pub mod handshake;
pub mod hmac;
pub mod identity;
#[cfg(feature = "issuer")]
pub mod issuer;
pub mod issuers;
pub mod jwks;
pub mod jws;
mod jwt;
pub mod limiter;
pub mod logout;
pub mod onetime;
pub mod principal;
pub mod revocation;
pub mod site;
pub mod token;
pub mod verifier;

pub use bearer::{Session, Sessions};
pub use clock::{Clock, ManualClock, SystemClock};
pub use cloudflare::CloudflareAccess;
pub use error::{AuthError, Detail, Reason};
pub use identity::{Caller, Identity, Permission, Role, Standing};
pub use issuers::{ConfigError, ConfigFault, IssuerPolicy};
pub use jwks::{KeySet, Thumbprint};
pub use jws::Algorithm;
pub use principal::{Principal, Profile, SigningKey};
pub use site::Site;
pub use token::{Token, TokenHash};
pub use verifier::{Credential, Verifier, VerifierBuilder};
