//! What a key endpoint can do wrong, over real sockets: each time valid tokens keep working where
//! they should, and the health of the keys says what happened.
//!
//! Nothing here waits for a clock of its own: time is moved by hand, and what has to end by itself
//! (a hang, a drip) ends by the fetcher's own limit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "endpoint/answers.rs"]
mod answers;
#[path = "endpoint/outage.rs"]
mod outage;
#[path = "endpoint/readers.rs"]
mod readers;
#[path = "endpoint/rotation.rs"]
mod rotation;
#[path = "endpoint/server.rs"]
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use room_auth::endings::{Ended, Endings};
use room_auth::issuer::{Grant, Issuer, IssuerKey};
use room_auth::jwks::{
    DiskCopy, FetchFault, HttpFetch, HttpFetchOptions, KeySetFault, KeyState, KeyStore,
    KeyStoreOptions,
};
use room_auth::{
    Algorithm, AuthError, Clock as _, Credential, IssuerPolicy, ManualClock, Principal, Reason,
    Role, Verifier,
};
use server::{Answer, Server};

const ISSUER: &str = "https://issuer.example";

/// A server with keys in front of a verifier that trusts them.
struct Bench {
    issuer: Issuer,
    server: Server,
    fetch: HttpFetch,
    store: Arc<KeyStore>,
    verifier: Arc<Verifier>,
    clock: Arc<ManualClock>,
    endings: Endings,
}

/// How long an endpoint is waited for that does not answer.
const SHORT: Duration = Duration::from_millis(300);

/// For an endpoint that answers: more time than it needs on a busy machine.
fn options() -> HttpFetchOptions {
    giving_up_after(Duration::from_secs(20))
}

/// For one that does not: less than a test wants to wait.
fn giving_up_after(time: Duration) -> HttpFetchOptions {
    HttpFetchOptions::default().allow_loopback_http().timeouts(time, time)
}

fn issuer() -> Issuer {
    Issuer::new(ISSUER, IssuerKey::generate(Algorithm::EdDsa).unwrap())
}

impl Bench {
    async fn new() -> Self {
        Self::with(|options| options).await
    }

    async fn with(change: impl FnOnce(KeyStoreOptions) -> KeyStoreOptions) -> Self {
        Self::of(Server::start().await, issuer(), change).await
    }

    /// A verifier that has just started. What the server answers first is the issuer's keys.
    async fn of(
        server: Server,
        issuer: Issuer,
        change: impl FnOnce(KeyStoreOptions) -> KeyStoreOptions,
    ) -> Self {
        let (clock, endings) = (Arc::new(ManualClock::default()), Endings::default());
        let settings = KeyStoreOptions::default().clock(clock.clone()).endings(endings.clone());
        let fetch = HttpFetch::new(&server.url(), &options()).unwrap();
        let store = Arc::new(KeyStore::new(server.url(), change(settings)));
        let verifier = Verifier::builder("inst-1")
            .issuer(IssuerPolicy::jwks(ISSUER, store.clone()))
            .clock(clock.clone())
            .build()
            .unwrap();
        let verifier = Arc::new(verifier);
        let bench = Self { issuer, server, fetch, store, verifier, clock, endings };
        bench.server.answer(Answer::json(&bench.issuer.jwks()));
        bench.refresh().await;
        bench
    }

    async fn refresh(&self) {
        self.store.refresh(&self.fetch).await;
    }

    fn mint(&self) -> String {
        let grant = Grant::person("user-1", Role::Owner);
        self.issuer.mint("inst-1", &grant, self.clock.now()).unwrap()
    }

    fn verify(&self, token: &str) -> Result<Arc<Principal>, AuthError> {
        self.verifier.verify(Credential::Bearer(token))
    }

    fn state(&self) -> KeyState {
        self.store.health().state
    }

    /// The endpoint goes wrong in this way; everything goes on, and health says so.
    async fn goes_wrong(&self, answer: Answer, is_right: impl FnOnce(&FetchFault) -> bool) {
        let label = format!("{answer:.60?}");
        let before = self.store.health();
        let token = self.mint();
        let is_slow = matches!(answer, Answer::Hang | Answer::Drip | Answer::EndlessHeaders);
        let slow = HttpFetch::new(&self.server.url(), &giving_up_after(SHORT)).unwrap();
        self.server.answer(answer);
        self.store.refresh(if is_slow { &slow } else { &self.fetch }).await;
        let health = self.store.health();
        let fault = health.last_fault.unwrap_or_else(|| panic!("{label}: no fault"));
        assert!(is_right(&fault), "{label}: {fault:?}");
        assert_eq!(health.failures, before.failures + 1, "{label}");
        assert_eq!((health.keys, health.generation), (before.keys, before.generation), "{label}");
        assert!(self.verify(&token).is_ok(), "{label}");
    }

    /// The background task of a server.
    fn run(&self) -> tokio::task::JoinHandle<()> {
        let (store, fetch) = (Arc::clone(&self.store), self.fetch.clone());
        tokio::spawn(async move { store.run(fetch).await })
    }
}
