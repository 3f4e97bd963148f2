//! Who is calling, and how we know.
//!
//! The crate decides and keeps no I/O: headers, addresses, key sets and the time are handed in,
//! answers are values. A caller is proven in one of two ways:
//!
//! - **local**: a one-time launch code ([`handshake`]) is traded for a bearer ([`bearer`]) by a
//!   page whose Host and Origin are ours ([`site`]); [`attempts`] counts those who fail;
//! - **by token**: the [`verifier`] checks a JWT against the table of trusted [`issuers`], whose
//!   keys [`jwks`] keeps fresh; [`revocation`] ends a token early, and [`endings`] tells whoever
//!   keeps something open on it. [`cloudflare`] reads the assertions of Cloudflare Access,
//!   [`logout`] the logout tokens of `OpenID` Connect, [`hmac`] the tokens of a legacy issuer.
//!
//! What a proven caller may do is the table in [`identity`].
//!
//! # A token, verified
//!
//! ```
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::time::SystemTime;
//! # use room_auth::issuer::{Grant, Issuer, IssuerKey};
//! use room_auth::{Credential, IssuerPolicy, KeySet, Permission, Verifier};
//!
//! # let issuer = Issuer::new("https://id.example", IssuerKey::generate(room_auth::Algorithm::EdDsa)?);
//! # let key_set_document = issuer.jwks();
//! # let grant = Grant::person("ada", room_auth::Role::Member);
//! # let token = issuer.mint("instance-1", &grant, SystemTime::now())?;
//! let keys = KeySet::parse(key_set_document.as_bytes())?.keys;
//! let verifier = Verifier::builder("instance-1")
//!     .issuer(IssuerPolicy::static_keys("https://id.example", keys))
//!     .build()?;
//!
//! let caller = verifier.verify(Credential::Bearer(&token))?;
//! assert_eq!(caller.identity().subject, "ada");
//! assert!(caller.may(Permission::StatusRead) && !caller.may(Permission::ProvidersManage));
//!
//! let cut = &token[..token.len() - 2];
//! let error = verifier.verify(Credential::Bearer(cut)).unwrap_err();
//! assert_eq!(error.status(), 401);
//! # Ok(())
//! # }
//! # run().unwrap();
//! ```
//!
//! # In an axum service
//!
//! With the features `axum` and `jwks-http`, keys fetched from the issuer:
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{net::SocketAddr, sync::Arc};
//! use axum::{Router, routing::get};
//! use room_auth::axum::{AuthLayer, AuthRejection, Caller};
//! use room_auth::jwks::{HttpFetch, HttpFetchOptions, KeyStore, KeyStoreOptions};
//! use room_auth::{IssuerPolicy, Permission, Verifier};
//!
//! async fn hello(caller: Caller) -> Result<String, AuthRejection> {
//!     caller.require(Permission::StatusRead)?;
//!     Ok(format!("Hello, {}", caller.identity().subject))
//! }
//!
//! let url = "https://id.example/.well-known/jwks.json";
//! let keys = Arc::new(KeyStore::new(url, KeyStoreOptions::default()));
//! let fetch = HttpFetch::new(url, &HttpFetchOptions::default())?;
//! let fetched = Arc::clone(&keys);
//! tokio::spawn(async move { fetched.run(fetch).await });
//!
//! let policy = IssuerPolicy::jwks("https://id.example", keys);
//! let verifier = Arc::new(Verifier::builder("instance-1").issuer(policy).build()?);
//! let app = Router::new().route("/", get(hello)).layer(AuthLayer::new(verifier));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `examples/guarded.rs` is the same with keys of its own, to be run and tried with `curl`.
//!
//! # Features
//!
//! None is on unless asked for. `axum`: layer and extractor. `jwks-http`: key sets over HTTPS.
//! `issuer`: keys, key sets and tokens of an issuer. `test-support`: for tests of other crates.
#![cfg_attr(doc, doc = "\nSee also [`why_not_the_usual_crates`].")]

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

#[cfg(doc)]
#[doc = include_str!("../docs/usual-crates.md")]
pub mod why_not_the_usual_crates {}

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
