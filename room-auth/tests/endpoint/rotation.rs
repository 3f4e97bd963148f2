//! Keys that come and go, and keys that never were.

use super::*;

#[tokio::test]
async fn a_new_key_works_within_a_second_of_its_first_use() {
    let mut bench = Bench::new().await;
    let task = bench.run();
    let next = IssuerKey::generate(Algorithm::Es256).unwrap();
    let kid = next.kid().to_owned();
    bench.issuer.announce(next);
    bench.issuer.activate(&kid).unwrap();
    bench.server.answer(Answer::json(&bench.issuer.jwks()));
    bench.server.requests();
    let token = bench.mint();
    let start = Instant::now();
    let waiting = (0..20).map(|_| {
        let (verifier, token) = (Arc::clone(&bench.verifier), token.clone());
        tokio::spawn(async move { verifier.authenticate(Credential::Bearer(&token)).await })
    });
    for answer in waiting.collect::<Vec<_>>() {
        assert!(answer.await.unwrap().is_ok());
    }
    // Within a second is the promise; a busy machine is given some more.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let requests = bench.server.requests();
    assert_eq!(requests.len(), 1, "one fetch for all who wait");
    assert!(requests[0].contains("cache-control: no-cache"));
    task.abort();
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_from_the_next_fetch_on() {
    let mut bench = Bench::new().await;
    let token = bench.mint();
    let caller = bench.verify(&token).unwrap();
    let mut news = bench.endings.subscribe();
    let old = bench.issuer.key().kid().to_owned();
    let next = IssuerKey::generate(Algorithm::EdDsa).unwrap();
    let kid = next.kid().to_owned();
    bench.issuer.announce(next);
    bench.issuer.activate(&kid).unwrap();
    bench.issuer.retire(&old).unwrap();
    bench.server.answer(Answer::json(&bench.issuer.jwks()));
    assert!(bench.verify(&token).is_ok(), "nobody knows yet");
    bench.refresh().await;
    assert_eq!(bench.verify(&token).unwrap_err().reason(), Reason::UnknownKey);
    assert_eq!(bench.verifier.recheck(&caller).unwrap_err().reason(), Reason::UnknownKey);
    assert!(matches!(news.try_next(), Some(Ended::KeysWithdrawn { keys, .. }) if keys.len() == 1));
}

#[tokio::test]
async fn a_key_that_takes_the_id_of_another_is_another_key() {
    let bench = Bench::new().await;
    let (token, old) = (bench.mint(), bench.issuer.key());
    let caller = bench.verify(&token).unwrap();
    let mut news = bench.endings.subscribe();
    let key = IssuerKey::generate(Algorithm::EdDsa).unwrap().with_kid(old.kid());
    let other = Issuer::new(ISSUER, key);
    bench.server.answer(Answer::json(&other.jwks()));
    bench.refresh().await;
    assert_eq!(bench.store.health().generation, 2);
    assert_eq!(bench.verify(&token).unwrap_err().reason(), Reason::Signature);
    assert_eq!(bench.verifier.recheck(&caller).unwrap_err().reason(), Reason::UnknownKey);
    assert!(matches!(news.try_next(), Some(Ended::KeysWithdrawn { keys, .. }) if keys.len() == 1));
    let grant = Grant::person("user-1", Role::Owner);
    let fresh = other.mint("inst-1", &grant, bench.clock.now()).unwrap();
    assert!(bench.verify(&fresh).is_ok());
}

/// The worst of both: a stranger's flood of made-up key ids while the endpoint hangs.
#[tokio::test]
async fn a_flood_of_unknown_keys_touches_no_valid_token() {
    /// Long beside what a busy machine may let a test wait for its turn.
    const GIVEN_UP: Duration = Duration::from_secs(2);
    let mut bench = Bench::new().await;
    let token = bench.mint();
    bench.fetch = HttpFetch::new(&bench.server.url(), &giving_up_after(GIVEN_UP)).unwrap();
    bench.server.answer(Answer::Hang);
    bench.server.requests();
    let task = bench.run();
    let stranger = issuer();
    let flood: Vec<_> = (0..500)
        .map(|n| {
            let header = format!(r#"{{"alg":"EdDSA","kid":"made-up-{n}"}}"#);
            let payload = format!(r#"{{"iss":"{ISSUER}"}}"#);
            let forged = stranger.key().sign(header, payload).unwrap();
            let verifier = Arc::clone(&bench.verifier);
            tokio::spawn(async move { verifier.authenticate(Credential::Bearer(&forged)).await })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..500 {
        let start = Instant::now();
        assert!(bench.verifier.authenticate(Credential::Bearer(&token)).await.is_ok());
        slowest = slowest.max(start.elapsed());
        tokio::task::yield_now().await;
    }
    // Not one of them has waited for the endpoint.
    assert!(slowest < GIVEN_UP / 2, "{slowest:?}");
    for answer in flood {
        let error = answer.await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Reason::UnknownKey);
    }
    let fetches = bench.server.requests().len();
    assert!((1..=2).contains(&fetches), "{fetches} fetches for 500 made-up keys");
    assert_eq!(bench.store.health().generation, 1);
    task.abort();
}
