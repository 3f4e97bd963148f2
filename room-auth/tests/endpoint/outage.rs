//! Endpoints that are gone, restarts meanwhile, and clocks that are set.

use super::*;

#[tokio::test]
async fn an_endpoint_that_is_gone_is_waited_for() {
    let mut bench = Bench::new().await;
    let token = bench.mint();
    // Bound and dropped: nobody listens on that port now.
    let gone = Server::start().await.url();
    bench.fetch = HttpFetch::new(&gone, &options()).unwrap();
    bench.refresh().await;
    let health = bench.store.health();
    assert!(matches!(health.last_fault, Some(FetchFault::Connect(_))), "{health:?}");
    assert!(bench.verify(&token).is_ok());
    // Until the stale bound; then the answer is 503, not 401.
    bench.clock.advance(Duration::from_hours(24) - Duration::from_mins(1));
    let token = bench.mint();
    assert!(bench.verify(&token).is_ok());
    assert_eq!(bench.state(), KeyState::Degraded);
    bench.clock.advance(Duration::from_mins(2));
    assert_eq!(bench.state(), KeyState::Stale);
    let error = bench.verify(&bench.mint()).unwrap_err();
    assert_eq!((error.reason(), error.status().as_u16()), (Reason::StaleKeys, 503));
    bench.fetch = HttpFetch::new(&bench.server.url(), &options()).unwrap();
    bench.refresh().await;
    assert!(bench.verify(&bench.mint()).is_ok());
}

/// What a server finds that starts `later`, while the endpoint answers 500.
async fn restarted(before: &Bench, disk: DiskCopy, later: Duration) -> Bench {
    let clock = Arc::new(ManualClock::default());
    clock.advance(before.clock.now().duration_since(clock.now()).unwrap_or_default() + later);
    let endings = Endings::default();
    let settings = KeyStoreOptions::default().clock(clock.clone()).disk(disk);
    let store = Arc::new(KeyStore::new(before.server.url(), settings));
    let verifier = Verifier::builder("inst-1")
        .issuer(IssuerPolicy::jwks(ISSUER, store.clone()))
        .clock(clock.clone())
        .build()
        .unwrap();
    before.server.answer(Answer::status(500));
    store.refresh(&before.fetch).await;
    // The same keys, in the hands of the issuer of before.
    let key = IssuerKey::from_pkcs8(Algorithm::EdDsa, &before.issuer.key().to_pkcs8().unwrap());
    Bench {
        issuer: Issuer::new(ISSUER, key.unwrap()),
        server: Server::start().await,
        fetch: before.fetch.clone(),
        store,
        verifier: Arc::new(verifier),
        clock,
        endings,
    }
}

#[tokio::test]
async fn a_restart_during_an_outage_finds_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || DiskCopy::new(folder.path().join("keys"));
    let before = Bench::with(|options| options.disk(disk())).await;
    let token = before.mint();
    assert!(before.verify(&token).is_ok());
    let after = restarted(&before, disk(), Duration::ZERO).await;
    assert!(after.verify(&token).is_ok());
    let health = after.store.health();
    assert!(health.is_from_disk && health.failures == 1, "{health:?}");
    assert_eq!(health.last_fault, Some(FetchFault::Status(500)));
}

#[tokio::test]
async fn what_the_disk_kept_has_the_same_bound() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || DiskCopy::new(folder.path().join("keys"));
    let before = Bench::with(|options| options.disk(disk())).await;
    let nearly = Duration::from_hours(24) - Duration::from_mins(1);
    let after = restarted(&before, disk(), nearly).await;
    assert!(after.verify(&after.mint()).is_ok());
    assert_eq!(after.state(), KeyState::Degraded);
    // A restart in between makes nothing younger.
    after.clock.advance(Duration::from_mins(2));
    let error = after.verify(&after.mint()).unwrap_err();
    assert_eq!((error.reason(), error.status().as_u16()), (Reason::StaleKeys, 503));
    let late = restarted(&before, disk(), Duration::from_hours(25)).await;
    assert_eq!(late.verify(&late.mint()).unwrap_err().reason(), Reason::StaleKeys);
    assert_eq!(late.state(), KeyState::Stale);
}

#[tokio::test]
async fn a_first_start_during_an_outage_tells_nobody_that_their_token_is_bad() {
    let folder = tempfile::tempdir().unwrap();
    let before = Bench::new().await;
    let nothing = DiskCopy::new(folder.path().join("nothing"));
    let after = restarted(&before, nothing, Duration::ZERO).await;
    let error = after.verify(&after.mint()).unwrap_err();
    assert_eq!((error.reason(), error.status().as_u16()), (Reason::NoKeys, 503));
    assert!(error.retry_after_seconds().is_some_and(|seconds| (1..=2).contains(&seconds)));
    assert_eq!(after.state(), KeyState::Empty);
    before.server.answer(Answer::json(&before.issuer.jwks()));
    after.refresh().await;
    assert!(after.verify(&after.mint()).is_ok());
}

#[tokio::test]
async fn a_clock_that_is_set_ends_no_more_than_the_tokens_it_passes() {
    let bench = Bench::new().await;
    let token = bench.mint();
    assert!(bench.verify(&token).is_ok());
    // Forwards past the token's end: it has expired by the clock that everyone goes by.
    bench.clock.advance(Duration::from_hours(2));
    assert!(matches!(bench.verify(&token), Err(AuthError::Expired(_))));
    assert!(bench.verify(&bench.mint()).is_ok(), "the keys are good for a day");
    assert_eq!(bench.state(), KeyState::Degraded);
    assert_eq!(bench.store.due_in(), Duration::ZERO, "and asked for again at once");
    bench.refresh().await;
    assert_eq!(bench.state(), KeyState::Fresh);
}

/// The wall clock alone goes back; the monotonic one cannot.
#[derive(Default)]
struct SetBack {
    inner: ManualClock,
    by: std::sync::Mutex<Duration>,
}

impl room_auth::Clock for SetBack {
    fn now(&self) -> std::time::SystemTime {
        self.inner.now() - *self.by.lock().unwrap()
    }

    fn monotonic(&self) -> Instant {
        self.inner.monotonic()
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_key_younger() {
    let clock = Arc::new(SetBack::default());
    let bench = Bench::with(|options| options.clock(clock.clone())).await;
    let verifier = Verifier::builder("inst-1")
        .issuer(IssuerPolicy::jwks(ISSUER, bench.store.clone()))
        .clock(clock.clone())
        .build()
        .unwrap();
    let mint = || {
        let grant = Grant::person("user-1", Role::Owner);
        bench.issuer.mint("inst-1", &grant, clock.now()).unwrap()
    };
    let before = mint();
    assert!(verifier.verify(Credential::Bearer(&before)).is_ok());
    *clock.by.lock().unwrap() = Duration::from_hours(1);
    // By the clock that everyone goes by, that token has not been made yet, in memory or not.
    let error = verifier.verify(Credential::Bearer(&before)).unwrap_err();
    assert_eq!(error.reason(), Reason::IssuedInFuture);
    assert!(verifier.verify(Credential::Bearer(&mint())).is_ok());
    clock.inner.advance(Duration::from_hours(24) + Duration::from_secs(1));
    let error = verifier.verify(Credential::Bearer(&mint())).unwrap_err();
    assert_eq!(error.reason(), Reason::StaleKeys);
}
