//! `jwks_client_rs` 0.6.13, the best-known key set client: what it takes, and how often it asks
//! its issuer for keys.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;
use jsonwebtoken::errors::{Error, ErrorKind};
use jwks_client_rs::source::JwksSource;
use jwks_client_rs::{JsonWebKeySet, JwksClient, JwksClientError};
use room_auth::issuer::IssuerKey;
use room_auth::jwks::{Fetch, FetchFault, FetchRequest, Fetched, KeyStore, KeyStoreOptions};
use room_auth::{Algorithm, AuthError, Credential, IssuerPolicy, Principal, Reason, Verifier};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::bench::{
    AUDIENCE, EC, INSTANCE, ISSUER, claims, header, ours, set, set_with, signed, token,
};

/// An endpoint in memory, for them and for us: what it serves can be changed, fetches are counted,
/// and it can be made to hang.
#[derive(Clone)]
struct Endpoint(Arc<Inner>);

struct Inner {
    document: Mutex<Value>,
    fetches: AtomicUsize,
    /// Each fetch takes a permit; with none left, it hangs.
    permits: Semaphore,
}

impl Endpoint {
    fn serving(document: Value) -> Self {
        Self(Arc::new(Inner {
            document: Mutex::new(document),
            fetches: AtomicUsize::new(0),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
        }))
    }

    fn now_serving(&self, document: Value) {
        *self.0.document.lock().expect("nobody panics") = document;
    }

    fn hang(&self) {
        self.0.permits.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn fetches(&self) -> usize {
        self.0.fetches.load(Ordering::Relaxed)
    }
}

impl Endpoint {
    /// One fetch.
    async fn answer(&self) -> Value {
        self.0.fetches.fetch_add(1, Ordering::Relaxed);
        self.0.permits.acquire().await.expect("never closed").forget();
        self.0.document.lock().expect("nobody panics").clone()
    }
}

/// By hand what `#[async_trait]` writes.
impl JwksSource for Endpoint {
    fn fetch_keys<'life, 'future>(
        &'life self,
    ) -> Pin<Box<dyn Future<Output = Result<JsonWebKeySet, JwksClientError>> + Send + 'future>>
    where
        'life: 'future,
    {
        Box::pin(async move {
            // As in its own source, a document that cannot be read is an error.
            serde_json::from_value(self.answer().await)
                .map_err(|_| Error::from(ErrorKind::InvalidKeyFormat).into())
        })
    }
}

impl Fetch for Endpoint {
    async fn fetch(&self, _request: FetchRequest) -> Result<Fetched, FetchFault> {
        let body = self.answer().await.to_string().into_bytes();
        Ok(Fetched::Document { body, etag: None, max_age: None })
    }
}

/// This crate before the same endpoint, with the keys fetched once.
async fn our_side(endpoint: &Endpoint) -> (Arc<KeyStore>, Verifier) {
    let store = Arc::new(KeyStore::new("memory", KeyStoreOptions::default()));
    store.refresh(endpoint).await;
    let verifier = Verifier::builder(INSTANCE)
        .issuer(IssuerPolicy::jwks(ISSUER, Arc::clone(&store)))
        .build()
        .expect("a sound policy");
    (store, verifier)
}

fn said(verdict: Result<Arc<Principal>, AuthError>) -> Result<(), Reason> {
    verdict.map(drop).map_err(|error| error.reason())
}

fn client(endpoint: &Endpoint) -> JwksClient<Endpoint> {
    JwksClient::builder().build(endpoint.clone())
}

async fn theirs(client: &JwksClient<Endpoint>, token: &str) -> Result<Value, String> {
    client.decode::<Value>(token, &[AUDIENCE]).await.map_err(|error| error.to_string())
}

async fn theirs_under(set: &Value, token: &str) -> Result<Value, String> {
    theirs(&client(&Endpoint::serving(set.clone())), token).await
}

#[tokio::test]
async fn a_plain_token_is_taken_by_both() {
    let token = token(json!({}));
    assert!(theirs_under(&set(), &token).await.is_ok());
    assert_eq!(ours(&set(), &token), Ok(()));
}

/// Everything that `jsonwebtoken` leaves open, and the issuer as well.
#[tokio::test]
async fn the_issuer_is_never_asked_by_them() {
    for iss in [json!("https://attacker.example"), json!(7), json!([ISSUER])] {
        let token = token(json!({ "iss": iss }));
        assert!(theirs_under(&set(), &token).await.is_ok());
        assert_eq!(ours(&set(), &token), Err(Reason::UnknownIssuer));
    }
    let critical = signed(&header(json!({ "crit": ["exp"] })), &claims(json!({})).to_string());
    assert!(theirs_under(&set(), &critical).await.is_ok());
    assert_eq!(ours(&set(), &critical), Err(Reason::Extension));
}

/// "If you don't want to validate the audience members pass an empty slice": then every token with
/// an audience is refused.
#[tokio::test]
async fn an_empty_audience_list_does_not_do_what_their_page_says() {
    let client = client(&Endpoint::serving(set()));
    let none: [&str; 0] = [];
    let refused = client.decode::<Value>(&token(json!({})), &none).await.map_err(|e| e.to_string());
    assert_eq!(refused.expect_err("refused"), "Token decoding error: InvalidAudience");
}

#[tokio::test]
async fn keys_for_encryption_verify_with_them_and_keys_without_alg_do_not() {
    let token = token(json!({}));
    let encryption = set_with(json!({ "use": "enc" }));
    assert!(theirs_under(&encryption, &token).await.is_ok());
    assert_eq!(ours(&encryption, &token), Err(Reason::NoKeys));
    let without = set_with(json!({ "alg": null }));
    assert!(theirs_under(&without, &token).await.is_err());
    assert_eq!(ours(&without, &token), Ok(()));
}

#[tokio::test]
async fn one_odd_entry_costs_them_the_whole_set() {
    let token = token(json!({}));
    for odd in [
        json!({ "kty": "oct", "kid": "s", "k": "AQAB" }),
        json!({ "kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AQAB" }),
        json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "RSA", "kid": "t", "use": "tls", "n": "AQAB", "e": "AQAB" }),
    ] {
        let set = json!({ "keys": [EC.public_jwk(), odd] });
        assert!(serde_json::from_value::<JsonWebKeySet>(set.clone()).is_err(), "{set}");
        assert!(theirs_under(&set, &token).await.is_err());
        assert_eq!(ours(&set, &token), Ok(()));
    }
}

fn unknown_kid(number: usize) -> String {
    let head = json!({ "alg": "ES256", "kid": format!("unknown-{number}") });
    signed(&head, &claims(json!({})).to_string())
}

/// Anybody can make them fetch, as often as they like. Here strangers have a budget of their own:
/// two fetches, then one in ten seconds.
#[tokio::test]
async fn each_unknown_kid_is_a_fetch_for_them() {
    let endpoint = Endpoint::serving(set());
    let client = client(&endpoint);
    assert!(theirs(&client, &token(json!({}))).await.is_ok());
    assert_eq!(endpoint.fetches(), 1);
    for number in 0..500 {
        assert!(theirs(&client, &unknown_kid(number)).await.is_err());
    }
    assert_eq!(endpoint.fetches(), 501);

    let endpoint = Endpoint::serving(set());
    let (store, verifier) = our_side(&endpoint).await;
    let flood = async {
        for number in 0..500 {
            let token = unknown_kid(number);
            let verdict = said(verifier.authenticate(Credential::Bearer(&token)).await);
            assert_eq!(verdict, Err(Reason::UnknownKey));
        }
    };
    tokio::select! {
        () = flood => {}
        () = store.run(endpoint.clone()) => {}
    }
    let fetches = endpoint.fetches();
    assert!(
        (2..=4).contains(&fetches),
        "{fetches} fetches: the first, and what strangers may cost"
    );
}

/// While one bogus token makes them fetch, every valid one waits.
#[tokio::test]
async fn a_fetch_under_way_stops_valid_tokens_with_them() {
    let endpoint = Endpoint::serving(set());
    let client = client(&endpoint);
    let valid = token(json!({}));
    assert!(theirs(&client, &valid).await.is_ok());
    endpoint.hang();
    let bogus = unknown_kid(0);
    let mut attack = Box::pin(theirs(&client, &bogus));
    assert!(attack.as_mut().now_or_never().is_none(), "it fetches");
    let mut waits = Box::pin(theirs(&client, &valid));
    assert!(waits.as_mut().now_or_never().is_none(), "the cached key is not to be had");
    endpoint.0.permits.add_permits(8);
    assert!(attack.await.is_err());
    assert!(waits.await.is_ok());

    let endpoint = Endpoint::serving(set());
    let (store, verifier) = our_side(&endpoint).await;
    endpoint.hang();
    let mut attack = Box::pin(verifier.authenticate(Credential::Bearer(&bogus)));
    assert!(attack.as_mut().now_or_never().is_none(), "it waits for a fetch");
    let mut fetching = Box::pin(store.refresh(&endpoint));
    assert!(fetching.as_mut().now_or_never().is_none(), "which hangs");
    let verdict = verifier.authenticate(Credential::Bearer(&valid)).now_or_never();
    assert_eq!(verdict.map(said), Some(Ok(())), "and nobody else waits");
}

/// A key that is gone is taken once more when the set has expired.
#[tokio::test]
async fn a_withdrawn_key_is_taken_once_more_by_them() {
    let other = IssuerKey::generate(Algorithm::Es256).expect("a key").with_kid("ec-2");
    let without = json!({ "keys": [other.public_jwk()] });
    let token = token(json!({}));

    let endpoint = Endpoint::serving(set());
    let client = JwksClient::builder().time_to_live(Duration::ZERO).build(endpoint.clone());
    assert!(theirs(&client, &token).await.is_ok());
    let fetched = now_millis();
    while now_millis() == fetched {
        std::hint::spin_loop();
    }
    endpoint.now_serving(without.clone());
    assert!(theirs(&client, &token).await.is_ok(), "withdrawn, and taken");
    assert!(theirs(&client, &token).await.is_err());
    assert_eq!(endpoint.fetches(), 3);

    let endpoint = Endpoint::serving(set());
    let (store, verifier) = our_side(&endpoint).await;
    assert_eq!(said(verifier.verify(Credential::Bearer(&token))), Ok(()));
    endpoint.now_serving(without);
    store.refresh(&endpoint).await;
    let verdict = said(verifier.verify(Credential::Bearer(&token)));
    assert_eq!(verdict, Err(Reason::UnknownKey), "also where it was remembered");
}

/// An empty set is taken as the truth, at the moment an attacker chooses. Here it is a failure of
/// the endpoint.
#[tokio::test]
async fn an_empty_set_ends_every_valid_token_with_them() {
    let valid = token(json!({}));
    let endpoint = Endpoint::serving(set());
    let client = client(&endpoint);
    assert!(theirs(&client, &valid).await.is_ok());
    endpoint.now_serving(json!({ "keys": [] }));
    assert!(theirs(&client, &valid).await.is_ok(), "good for a day");
    assert!(theirs(&client, &unknown_kid(0)).await.is_err());
    assert!(theirs(&client, &valid).await.is_err(), "one bogus token later it is not");

    let endpoint = Endpoint::serving(set());
    let (store, verifier) = our_side(&endpoint).await;
    for empty in [json!({ "keys": [] }), json!({}), json!("down for repair")] {
        endpoint.now_serving(empty);
        store.refresh(&endpoint).await;
        assert_eq!(said(verifier.verify(Credential::Bearer(&valid))), Ok(()));
        assert!(store.health().last_fault.is_some(), "and it shows");
    }
}

fn now_millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
