//! A small control plane: it issues tokens, publishes its keys on loopback, and speaks to a hosted
//! Room as a service.
//!
//! The keys and tokens are those of `room_auth::issuer`, which any control plane in Rust can use;
//! what is added is the web around them. Its key endpoint can be told to fail, and counts how often
//! it is asked.

mod web;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use room_auth::issuer::{Grant, Issuer, IssuerKey};
use room_auth::{Algorithm, Role};
use serde_json::json;

use crate::standin::{Background, random_43};

/// Its name in tokens.
pub const ISSUER: &str = "https://control.example";

/// The event of a logout token (`OpenID` Connect Back-Channel Logout 1.0, section 2.4).
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How long verifiers may take the keys for fresh; Room takes it for a minute at least.
const MAX_AGE_SECONDS: u32 = 60;

/// How the key endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keys {
    /// With the keys.
    #[default]
    Served,
    /// With that status and nothing else.
    Status(u16),
    /// Never.
    Hang,
    /// Connections are closed before a word is said.
    Closed,
}

/// What the web part shares with its owner.
#[derive(Debug)]
struct Book {
    issuer: Issuer,
    keys: Keys,
    fetches: usize,
    unchanged: usize,
    /// Where Room is, and the instance's name there: for those who come to sign in.
    room: Option<(String, String)>,
    /// Who has been removed: they get no more tokens.
    removed: Vec<String>,
}

type Shared = Arc<Mutex<Book>>;

fn lock(book: &Shared) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running control plane; dropping it ends it.
#[derive(Debug)]
pub struct ControlPlane {
    instance: String,
    book: Shared,
    server: Background,
}

impl ControlPlane {
    /// Starts one with an Ed25519 key that issues for this instance.
    ///
    /// # Errors
    ///
    /// When no loopback port is to be had.
    pub fn start(instance: &str) -> io::Result<Self> {
        Self::start_with(instance, Algorithm::EdDsa)
    }

    /// The same with a key of that algorithm.
    ///
    /// # Errors
    ///
    /// As [`ControlPlane::start`].
    pub fn start_with(instance: &str, algorithm: Algorithm) -> io::Result<Self> {
        let book = Arc::new(Mutex::new(Book {
            issuer: Issuer::new(ISSUER, fresh_key(algorithm)),
            keys: Keys::Served,
            fetches: 0,
            unchanged: 0,
            room: None,
            removed: Vec::new(),
        }));
        let shared = book.clone();
        let server = Background::start("control-plane", |listener| web::serve(listener, shared))?;
        Ok(Self { instance: instance.to_owned(), book, server })
    }

    /// The instance it issues for.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Its own address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.server.address().port())
    }

    /// Where its keys are.
    pub fn jwks_url(&self) -> String {
        format!("http://{}/jwks.json", self.server.address())
    }

    /// The settings of a Room that trusts it, also as a service.
    pub fn settings(&self) -> Vec<(String, String)> {
        [
            ("ROOM_INSTANCE_ID", self.instance.clone()),
            ("ROOM_JWT_ISSUER", ISSUER.to_owned()),
            ("ROOM_JWKS_URL", self.jwks_url()),
            ("ROOM_JWT_SERVICE", "1".to_owned()),
            ("ROOM_ALLOW_LOOPBACK_JWKS", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Tells it where Room is, so that it can send people there.
    pub fn serve_room(&self, public_url: &str) {
        lock(&self.book).room = Some((public_url.to_owned(), self.instance.clone()));
    }

    /// How the key endpoint answers from now on.
    pub fn answer(&self, keys: Keys) {
        lock(&self.book).keys = keys;
    }

    /// How it answers now.
    pub fn answering(&self) -> Keys {
        lock(&self.book).keys
    }

    /// How often the key endpoint was asked.
    pub fn fetches(&self) -> usize {
        lock(&self.book).fetches
    }

    /// How often it could say that nothing has changed.
    pub fn unchanged(&self) -> usize {
        lock(&self.book).unchanged
    }

    /// A token.
    ///
    /// # Panics
    ///
    /// When the cryptographic library fails.
    pub fn mint(&self, grant: &Grant) -> String {
        self.mint_at(grant, now())
    }

    /// A token as of another time.
    ///
    /// # Panics
    ///
    /// As [`ControlPlane::mint`].
    pub fn mint_at(&self, grant: &Grant, at: SystemTime) -> String {
        lock(&self.book).issuer.mint(&self.instance, grant, at).expect("a token can be made")
    }

    /// A token for another instance.
    ///
    /// # Panics
    ///
    /// As [`ControlPlane::mint`].
    pub fn mint_for(&self, instance: &str, grant: &Grant) -> String {
        lock(&self.book).issuer.mint(instance, grant, now()).expect("a token can be made")
    }

    /// A token for the person of that role: see [`person`].
    pub fn token(&self, role: Role) -> String {
        self.mint(&person(role))
    }

    /// A token for the control plane itself, good for a minute.
    pub fn service_token(&self) -> String {
        self.mint(&Grant::service("control-plane").lifetime(Duration::from_mins(1)))
    }

    /// A logout token for a subject (section 2.4 of the specification).
    ///
    /// # Panics
    ///
    /// As [`ControlPlane::mint`].
    pub fn logout_token(&self, subject: &str) -> String {
        let seconds = now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = json!({
            "iss": ISSUER,
            "aud": room_auth::issuers::DEFAULT_AUDIENCE,
            "sub": subject,
            "iat": seconds,
            "exp": seconds + 120,
            "jti": random_43(),
            "events": { LOGOUT_EVENT: {} },
        });
        self.sign("logout+jwt", &claims.to_string())
    }

    /// Signs any payload with the key in use.
    ///
    /// # Panics
    ///
    /// As [`ControlPlane::mint`].
    pub fn sign(&self, typ: &str, payload: &str) -> String {
        let book = lock(&self.book);
        let key = book.issuer.key();
        let header =
            json!({"alg": key.algorithm().as_str(), "kid": key.kid(), "typ": typ}).to_string();
        key.sign(header, payload).expect("a token can be made")
    }

    /// Signs with a new key from now on; the one before stays published. Gives the new one's id.
    ///
    /// # Panics
    ///
    /// When the cryptographic library fails.
    pub fn rotate(&self) -> String {
        let mut book = lock(&self.book);
        let key = fresh_key(book.issuer.key().algorithm());
        let kid = key.kid().to_owned();
        book.issuer.announce(key);
        book.issuer.activate(&kid).expect("the key was just announced");
        kid
    }

    /// The id of the key that signs now.
    pub fn key_id(&self) -> String {
        lock(&self.book).issuer.key().kid().to_owned()
    }

    /// No longer publishes a key that does not sign.
    ///
    /// # Panics
    ///
    /// When there is none of that id, or it signs.
    pub fn withdraw(&self, kid: &str) {
        lock(&self.book).issuer.retire(kid).map(drop).expect("the key is an old one");
    }

    /// Gives a person no more tokens.
    pub fn remove(&self, subject: &str) {
        lock(&self.book).removed.push(subject.to_owned());
    }
}

/// The type of the body that [`form`] writes.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A logout token as it is sent (section 2.5); its letters need no escapes.
pub fn form(logout_token: &str) -> String {
    format!("logout_token={logout_token}")
}

/// The subject of the person of that role.
pub fn subject(role: Role) -> String {
    format!("person-{}", role.as_str())
}

/// What their tokens say: who they are, an e-mail address at example.com, the role as their name.
pub fn person(role: Role) -> Grant {
    let name = role.as_str();
    Grant::person(subject(role), role)
        .claim("email", format!("{name}@example.com"))
        .claim("email_verified", true)
        .claim("name", format!("{}{}", name[..1].to_uppercase(), &name[1..]))
}

fn fresh_key(algorithm: Algorithm) -> IssuerKey {
    IssuerKey::generate(algorithm).expect("the system makes keys")
}

fn now() -> SystemTime {
    SystemTime::now()
}
