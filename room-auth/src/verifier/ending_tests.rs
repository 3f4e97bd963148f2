//! What ends a token before its time, and what the cache must not outlive.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::clock::ManualClock;
use crate::endings::{Ended, Endings};
use crate::error::LogText;
use crate::identity::Role;
use crate::issuer::{Grant, Issuer, IssuerKey};
use crate::jwks::{Fetch, FetchFault, FetchRequest, Fetched, KeyStoreOptions};
use crate::jws::Algorithm;
use crate::revocation::{
    MAX_REVOCATIONS, Revocation, RevocationError, RevocationStore, Target, from_unix,
};

const ISSUER: &str = "https://issuer.example";

/// An endpoint that serves whatever document it holds, or fails without one.
#[derive(Clone, Default)]
struct Endpoint(Arc<Mutex<Option<String>>>);

impl Endpoint {
    fn serve(&self, document: Option<String>) {
        *self.0.lock().unwrap() = document;
    }
}

impl Fetch for Endpoint {
    async fn fetch(&self, _request: FetchRequest) -> Result<Fetched, FetchFault> {
        let document = self.0.lock().unwrap().clone().ok_or(FetchFault::Status(500))?;
        Ok(Fetched::Document { body: document.into_bytes(), etag: None, max_age: None })
    }
}

struct Bench {
    issuer: Issuer,
    endpoint: Endpoint,
    store: Arc<KeyStore>,
    verifier: Verifier,
    clock: Arc<ManualClock>,
    endings: Endings,
}

impl Bench {
    async fn new() -> Self {
        let issuer = Issuer::new(ISSUER, IssuerKey::generate(Algorithm::EdDsa).unwrap());
        let (clock, endings) = (Arc::new(ManualClock::default()), Endings::default());
        let options = KeyStoreOptions::default().clock(clock.clone()).endings(endings.clone());
        let store = Arc::new(KeyStore::new("https://issuer.example/jwks", options));
        let verifier = Verifier::builder("inst-1")
            .issuer(IssuerPolicy::jwks(ISSUER, store.clone()))
            .revocations(Arc::new(Revocations::in_memory(endings.clone())))
            .clock(clock.clone())
            .build()
            .unwrap();
        let bench = Self { issuer, endpoint: Endpoint::default(), store, verifier, clock, endings };
        bench.publish().await;
        bench
    }

    /// The issuer publishes what it has, and the store fetches it.
    async fn publish(&self) {
        self.endpoint.serve(Some(self.issuer.jwks()));
        self.store.refresh(&self.endpoint).await;
    }

    fn mint(&self, grant: &Grant) -> String {
        self.issuer.mint("inst-1", grant, self.clock.now()).unwrap()
    }

    fn verify(&self, token: &str) -> Result<Arc<Principal>, Reason> {
        self.verifier.verify(Credential::Bearer(token)).map_err(|error| error.reason())
    }

    fn revoke(&self, target: Target) {
        let revocation = Revocation::now(ISSUER, target, self.clock.now());
        self.verifier.revocations().apply(revocation, self.clock.now()).unwrap();
    }
}

fn person(subject: &str) -> Grant {
    Grant::person(subject, Role::Member)
}

#[tokio::test]
async fn a_token_that_comes_again_is_answered_from_memory() {
    let bench = Bench::new().await;
    let token = bench.mint(&person("user-1"));
    let first = bench.verify(&token).unwrap();
    assert!(Arc::ptr_eq(&first, &bench.verify(&token).unwrap()));
    let other = bench.mint(&person("user-1"));
    assert!(!Arc::ptr_eq(&first, &bench.verify(&other).unwrap()));
    bench.clock.advance(crate::cache::LIFE);
    let later = bench.verify(&token).unwrap();
    assert!(!Arc::ptr_eq(&first, &later) && first == later);
}

#[tokio::test]
async fn no_part_of_a_good_token_stands_for_it() {
    let bench = Bench::new().await;
    let token = bench.mint(&person("user-1"));
    bench.verify(&token).unwrap();
    for at in 0..token.len() {
        assert!(bench.verify(&token[..at]).is_err());
    }
    let (content, signature) = token.rsplit_once('.').unwrap();
    assert!(bench.verify(&format!("{content}.{}", signature.to_lowercase())).is_err());
    assert!(bench.verify(&format!("{content}.")).is_err());
    let assertion = Credential::CloudflareAccess { assertion: &token, email_header: None };
    assert!(bench.verifier.verify(assertion).is_err(), "the same text in another place");
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let bench = Bench::new().await;
    let grant = person("user-1");
    let early = bench.issuer.mint("inst-1", &grant, bench.clock.now() + Duration::from_mins(1));
    let early = early.unwrap();
    assert_eq!(bench.verify(&early).unwrap_err(), Reason::IssuedInFuture);
    bench.clock.advance(Duration::from_mins(1));
    assert!(bench.verify(&early).is_ok());
}

#[tokio::test]
async fn what_is_remembered_expires_with_its_token() {
    let bench = Bench::new().await;
    let token = bench.mint(&person("user-1").lifetime(Duration::from_secs(10)));
    bench.verify(&token).unwrap();
    bench.clock.advance(Duration::from_secs(39));
    assert!(bench.verify(&token).is_ok());
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.verify(&token).unwrap_err(), Reason::Expired);
}

#[tokio::test]
async fn a_withdrawn_key_ends_what_is_remembered_and_what_is_open() {
    let mut bench = Bench::new().await;
    let token = bench.mint(&person("user-1"));
    let caller = bench.verify(&token).unwrap();
    let mut news = bench.endings.subscribe();
    let old = bench.issuer.key().kid().to_owned();
    let next = IssuerKey::generate(Algorithm::Es256).unwrap();
    let kid = next.kid().to_owned();
    bench.issuer.announce(next);
    bench.publish().await;
    bench.issuer.activate(&kid).unwrap();
    assert!(bench.verify(&token).is_ok() && bench.verifier.recheck(&caller).is_ok());
    assert!(bench.verify(&bench.mint(&person("user-2"))).is_ok());
    bench.issuer.retire(&old).unwrap();
    bench.publish().await;
    assert!(matches!(news.try_next(), Some(Ended::KeysWithdrawn { .. })));
    assert_eq!(bench.verify(&token).unwrap_err(), Reason::UnknownKey);
    let error = bench.verifier.recheck(&caller).unwrap_err();
    assert_eq!(error.reason(), Reason::UnknownKey);
    let other = bench.verify(&bench.mint(&person("user-2"))).unwrap();
    assert!(bench.verifier.recheck(&other).is_ok());
}

#[tokio::test]
async fn a_new_key_works_at_its_first_use() {
    let mut bench = Bench::new().await;
    let next = IssuerKey::generate(Algorithm::Rs256).unwrap();
    let kid = next.kid().to_owned();
    bench.issuer.announce(next);
    bench.issuer.activate(&kid).unwrap();
    let token = bench.mint(&person("user-1"));
    assert_eq!(bench.verify(&token).unwrap_err(), Reason::UnknownKey);
    bench.endpoint.serve(Some(bench.issuer.jwks()));
    let task = tokio::spawn({
        let (store, endpoint) = (bench.store.clone(), bench.endpoint.clone());
        async move { store.run(endpoint).await }
    });
    let principal = bench.verifier.authenticate(Credential::Bearer(&token)).await.unwrap();
    assert_eq!(principal.key_id(), Some(kid.as_str()));
    task.abort();
}

#[tokio::test]
async fn without_usable_keys_nobody_is_told_that_their_token_is_bad() {
    let bench = Bench::new().await;
    let token = bench.mint(&person("user-1"));
    let caller = bench.verify(&token).unwrap();
    bench.endpoint.serve(None);
    bench.clock.advance(Duration::from_hours(24) + Duration::from_secs(1));
    bench.store.refresh(&bench.endpoint).await;
    let token = bench.mint(&person("user-1"));
    let error = bench.verifier.verify(Credential::Bearer(&token)).unwrap_err();
    assert_eq!(error.reason(), Reason::StaleKeys);
    assert_eq!(error.status().as_u16(), 503);
    assert_eq!(error.retry_after_seconds(), Some(1));
    assert_eq!(bench.verify("x.y.z").unwrap_err(), Reason::Encoding, "this one is bad anyway");
    assert!(bench.verifier.recheck(&caller).is_err());
    let (store, health) = bench.verifier.key_health().remove(0);
    assert_eq!((store.source(), health.state.as_str()), ("https://issuer.example/jwks", "stale"));

    let empty = Arc::new(KeyStore::new("https://x", KeyStoreOptions::default()));
    let verifier =
        Verifier::builder("inst-1").issuer(IssuerPolicy::jwks(ISSUER, empty)).build().unwrap();
    let error = verifier.verify(Credential::Bearer(&token)).unwrap_err();
    assert_eq!((error.reason(), error.status().as_u16()), (Reason::NoKeys, 503));
}

#[tokio::test]
async fn each_revocation_ends_what_it_names_and_nothing_else() {
    let bench = Bench::new().await;
    let token_of = |grant: Grant| {
        let token = bench.mint(&grant);
        let caller = bench.verify(&token).unwrap();
        (token, caller)
    };
    let by_id = token_of(person("user-1").token_id("t-1"));
    let by_session = token_of(person("user-2").claim("sid", "s-1"));
    let by_subject = token_of(person("user-3"));
    let other = token_of(person("user-4").claim("sid", "s-2"));
    let mut news = bench.endings.subscribe();
    for (target, (token, caller)) in [
        (Target::Token("t-1".into()), &by_id),
        (Target::Session("s-1".into()), &by_session),
        (Target::Subject("user-3".into()), &by_subject),
    ] {
        assert!(bench.verify(token).is_ok());
        bench.revoke(target.clone());
        assert_eq!(bench.verify(token).unwrap_err(), Reason::Revoked, "{target:?}");
        let error = bench.verifier.recheck(caller).unwrap_err();
        assert_eq!(error.reason(), Reason::Revoked);
        let detail = error.detail().unwrap();
        assert_eq!(detail.issuer.as_ref().map(LogText::as_str), Some(ISSUER));
        assert!(detail.thumbprint.is_some() && detail.kid.is_some() && detail.token_id.is_some());
        let Some(Ended::Revoked(told)) = news.try_next() else { panic!("{target:?} is told") };
        assert_eq!(told.target, target);
    }
    assert!(bench.verify(&other.0).is_ok() && bench.verifier.recheck(&other.1).is_ok());
    assert_eq!(bench.verifier.revocations().len(), 3);

    // A later token of the same person and session is good; the same jti never is.
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.verify(&bench.mint(&person("user-3"))).is_ok());
    assert!(bench.verify(&bench.mint(&person("user-2").claim("sid", "s-1"))).is_ok());
    let again = bench.mint(&person("user-1").token_id("t-1"));
    assert_eq!(bench.verify(&again).unwrap_err(), Reason::Revoked);
}

#[tokio::test]
async fn a_revoked_key_and_a_raised_epoch_end_everything() {
    let bench = Bench::new().await;
    let token = bench.mint(&person("user-1"));
    bench.verify(&token).unwrap();
    bench.revoke(Target::Instance);
    assert_eq!(bench.verify(&token).unwrap_err(), Reason::Revoked);
    bench.clock.advance(Duration::from_secs(1));
    let token = bench.mint(&person("user-1"));
    assert!(bench.verify(&token).is_ok());
    bench.revoke(Target::Key("another".into()));
    assert!(bench.verify(&token).is_ok());
    bench.revoke(Target::Key(bench.issuer.key().kid().into()));
    assert_eq!(bench.verify(&token).unwrap_err(), Reason::Revoked);
    bench.clock.advance(Duration::from_mins(5));
    let later = bench.mint(&person("user-1"));
    assert_eq!(bench.verify(&later).unwrap_err(), Reason::Revoked, "a key has no later");

    let named = Bench::new().await;
    let mut issuer = Issuer::new(ISSUER, IssuerKey::generate(Algorithm::EdDsa).unwrap());
    let thumbprint = issuer.key().kid().to_owned();
    issuer.announce(IssuerKey::generate(Algorithm::EdDsa).unwrap());
    let key = IssuerKey::from_pkcs8(Algorithm::EdDsa, &issuer.key().to_pkcs8().unwrap()).unwrap();
    let renamed = Issuer::new(ISSUER, key.with_kid("renamed"));
    named.endpoint.serve(Some(renamed.jwks()));
    named.store.refresh(&named.endpoint).await;
    let token = renamed.mint("inst-1", &person("user-1"), named.clock.now()).unwrap();
    assert!(named.verify(&token).is_ok());
    named.revoke(Target::Key(thumbprint));
    assert_eq!(named.verify(&token).unwrap_err(), Reason::Revoked, "by thumbprint");
}

#[tokio::test]
async fn one_issuer_cannot_revoke_for_another() {
    let bench = Bench::new().await;
    let token = bench.mint(&person("user-1").token_id("t-1"));
    let now = bench.clock.now();
    for target in [
        Target::Token("t-1".into()),
        Target::Subject("user-1".into()),
        Target::Key(bench.issuer.key().kid().into()),
        Target::Instance,
    ] {
        let revocation = Revocation::now("https://other.example", target, now);
        bench.verifier.revocations().apply(revocation, now).unwrap();
    }
    assert!(bench.verify(&token).is_ok());
}

#[tokio::test]
async fn a_moment_only_moves_forward() {
    let bench = Bench::new().await;
    let token = bench.mint(&person("user-1"));
    bench.revoke(Target::Subject("user-1".into()));
    let long_ago = bench.clock.now() - Duration::from_hours(1);
    let earlier = Revocation::now(ISSUER, Target::Subject("user-1".into()), long_ago);
    bench.verifier.revocations().apply(earlier, bench.clock.now()).unwrap();
    assert_eq!(bench.verify(&token).unwrap_err(), Reason::Revoked);
}

#[tokio::test]
async fn a_moment_covers_the_second_it_lies_in() {
    let bench = Bench::new().await;
    let orders = bench.verifier.revocations();
    assert!(orders.is_empty());
    let mut news = orders.endings().subscribe();
    let second = from_unix(unix_seconds(bench.clock.now()));
    let issued = |at| bench.issuer.mint("inst-1", &person("user-1"), at).unwrap();
    let (same, next) = (issued(second), issued(second + Duration::from_secs(1)));
    let half = second + Duration::from_millis(500);
    let target = Target::Subject("user-1".into());
    let order = Revocation { issuer: ISSUER.to_owned(), target, not_before: half };
    orders.apply(order, bench.clock.now()).unwrap();
    assert_eq!(bench.verify(&same).unwrap_err(), Reason::Revoked);
    assert!(bench.verify(&next).is_ok());
    assert!(!orders.is_empty());
    assert!(matches!(news.try_next(), Some(Ended::Revoked(_))));
}

#[derive(Clone, Default)]
struct Shelf {
    kept: Arc<Mutex<Vec<Revocation>>>,
    is_broken: Arc<Mutex<bool>>,
}

impl RevocationStore for Shelf {
    fn save(&self, revocation: &Revocation) -> Result<(), Box<dyn Error + Send + Sync>> {
        if *self.is_broken.lock().unwrap() {
            return Err("no space left".into());
        }
        self.kept.lock().unwrap().push(revocation.clone());
        Ok(())
    }

    fn load(&self) -> Result<Vec<Revocation>, Box<dyn Error + Send + Sync>> {
        if *self.is_broken.lock().unwrap() {
            return Err("unreadable".into());
        }
        Ok(self.kept.lock().unwrap().clone())
    }
}

#[test]
fn revocations_survive_a_restart() {
    let (shelf, clock) = (Shelf::default(), ManualClock::default());
    let now = clock.now();
    let open = |now| Revocations::stored(shelf.clone(), Endings::default(), now);
    let apply = |revocations: &Revocations, target| {
        revocations.apply(Revocation::now("i", target, now), now)
    };
    let before = open(now).unwrap();
    apply(&before, Target::Subject("s".into())).unwrap();
    apply(&before, Target::Key("k".into())).unwrap();
    assert_eq!(open(now).unwrap().len(), 2);
    assert_eq!(open(now + Duration::from_hours(25)).unwrap().len(), 1, "a key is never forgotten");

    *shelf.is_broken.lock().unwrap() = true;
    let error = apply(&before, Target::Token("t".into())).unwrap_err();
    assert!(matches!(error, RevocationError::Store(_)), "{error:?}");
    assert_eq!(before.len(), 3, "it holds all the same");
    assert!(matches!(open(now), Err(RevocationError::Load(_))));
}

#[test]
fn revocations_are_bounded_and_never_forgotten_early() {
    let (shelf, clock) = (Shelf::default(), ManualClock::default());
    let now = clock.now();
    *shelf.kept.lock().unwrap() = (0..MAX_REVOCATIONS)
        .map(|n| Revocation::now("i", Target::Token(n.to_string()), now))
        .collect();
    let full = Revocations::stored(shelf.clone(), Endings::default(), now).unwrap();
    let one_more = Revocation::now("j", Target::Token("x".into()), now);
    assert!(matches!(full.apply(one_more.clone(), now), Err(RevocationError::Full)));
    full.apply(Revocation::now("j", Target::Instance, now), now).unwrap();
    assert_eq!(full.len(), MAX_REVOCATIONS);
    // A day, and the leeway on both ends, after the second that each of them names.
    let forgotten = one_more.not_before + Duration::from_hours(24) + Duration::from_mins(4);
    let order = |at| Revocation { not_before: at, ..one_more.clone() };
    let before = forgotten - Duration::from_secs(1);
    assert!(matches!(full.apply(order(before), before), Err(RevocationError::Full)));
    full.apply(order(forgotten), forgotten).unwrap();
    let again = |at| Revocations::stored(shelf.clone(), Endings::default(), at).unwrap().len();
    assert_eq!((again(before), again(forgotten)), (MAX_REVOCATIONS + 1, 1));
    assert_eq!(full.len(), 1, "what could name no living token has gone");
}
