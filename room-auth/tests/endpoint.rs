//! What a key endpoint can do wrong, over real sockets: each time valid tokens keep working where
//! they should, and the health of the keys says what happened.
//!
//! Nothing here waits for a clock of its own: time is moved by hand, and what has to end by itself
//! (a hang, a drip) ends by the fetcher's own limit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

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

fn options() -> HttpFetchOptions {
    let (connect, total) = (Duration::from_millis(300), Duration::from_millis(300));
    HttpFetchOptions::default().allow_loopback_http().timeouts(connect, total)
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
        self.server.answer(answer);
        self.refresh().await;
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

#[tokio::test]
async fn a_status_that_is_no_answer_changes_nothing() {
    let bench = Bench::new().await;
    for status in [500, 503, 429, 404, 401, 204, 206, 300] {
        bench
            .goes_wrong(Answer::status(status), |fault| *fault == FetchFault::Status(status))
            .await;
    }
    assert_eq!(bench.state(), KeyState::Fresh);
    bench.clock.advance(Duration::from_mins(6));
    assert_eq!(bench.state(), KeyState::Degraded);
    bench.server.answer(Answer::json(&bench.issuer.jwks()));
    bench.refresh().await;
    let health = bench.store.health();
    assert_eq!((health.state, health.failures, health.generation), (KeyState::Fresh, 0, 1));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (bench, elsewhere) = (Bench::new().await, Server::start().await);
    let other = issuer();
    elsewhere.answer(Answer::json(&other.jwks()));
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location = format!("Location: {}\r\n", elsewhere.url());
        let code = status[..3].parse().unwrap();
        bench
            .goes_wrong(Answer::with(status, &location, b""), |fault| {
                *fault == FetchFault::Status(code)
            })
            .await;
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn an_endpoint_that_is_slow_or_silent_is_left() {
    let bench = Bench::new().await;
    for answer in [Answer::Hang, Answer::Drip] {
        let start = Instant::now();
        bench.goes_wrong(answer, |fault| *fault == FetchFault::Timeout).await;
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

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

#[tokio::test]
async fn a_huge_answer_is_cut_off_early() {
    let bench = Bench::new().await;
    for announced in [true, false] {
        bench.goes_wrong(Answer::Huge { announced }, |fault| *fault == FetchFault::TooLarge).await;
    }
    // What is counted went into the sockets' buffers; the client itself keeps 256 KiB at most.
    assert!(bench.server.sent() < 20_000_000, "{} bytes", bench.server.sent());
    bench
        .goes_wrong(Answer::EndlessHeaders, |fault| {
            matches!(fault, FetchFault::Connect(_) | FetchFault::Timeout)
        })
        .await;
    assert!(bench.server.sent() < 40_000_000, "{} bytes", bench.server.sent());
}

#[tokio::test]
async fn a_compressed_answer_is_not_unpacked() {
    let bench = Bench::new().await;
    // The head of a gzip stream is enough: nothing may try to read on.
    let bomb = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0xff; 1000]].concat();
    for encoding in ["gzip", "br", "deflate", "zstd", "gzip, gzip"] {
        let header = format!("Content-Encoding: {encoding}\r\n");
        bench
            .goes_wrong(Answer::with("200 OK", &header, &bomb), |fault| {
                *fault == FetchFault::Compressed
            })
            .await;
    }
    bench
        .goes_wrong(Answer::with("200 OK", "", &bomb), |fault| {
            *fault == FetchFault::KeySet(KeySetFault::NotJson)
        })
        .await;
    for request in bench.server.requests() {
        assert!(!request.contains("accept-encoding"), "{request}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_replaces_nothing() {
    let bench = Bench::new().await;
    for (body, expected) in [
        ("", KeySetFault::NotJson),
        ("<html>", KeySetFault::NotJson),
        ("null", KeySetFault::NotJson),
        ("{}", KeySetFault::NoKeysArray),
        (r#"{"keys":[]}"#, KeySetFault::NoUsableKey(Vec::new())),
    ] {
        bench.goes_wrong(Answer::json(body), |fault| *fault == FetchFault::KeySet(expected)).await;
    }
    let oct = r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"x"}]}"#;
    bench
        .goes_wrong(Answer::json(oct), |fault| {
            matches!(fault, FetchFault::KeySet(KeySetFault::NoUsableKey(left)) if left.len() == 1)
        })
        .await;
    for cut in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"keys\":["[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ke",
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ] {
        bench
            .goes_wrong(Answer::Raw(cut.to_vec()), |fault| {
                matches!(fault, FetchFault::Body(_) | FetchFault::Connect(_))
            })
            .await;
    }
}

#[tokio::test]
async fn one_rotten_key_among_good_ones_costs_nobody_else() {
    let bench = Bench::new().await;
    let rotten = [
        "null",
        r#"{"kty":"oct","k":"AAAA","kid":"a"}"#,
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"b"}"#,
        r#"{"kty":"AKP","alg":"ML-DSA-44","kid":7}"#,
        r#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA","kid":"c"}"#,
    ];
    let list = format!(r#"{{"keys":[{},"#, rotten.join(","));
    let document = bench.issuer.jwks().replacen(r#"{"keys":["#, &list, 1);
    bench.server.answer(Answer::json(&document));
    bench.refresh().await;
    let health = bench.store.health();
    assert_eq!((health.state, health.keys), (KeyState::Fresh, 1));
    assert_eq!(health.left_out.len(), rotten.len());
    assert_eq!(health.left_out.iter().filter(|entry| entry.fault.is_alarming()).count(), 3);
    assert!(bench.verify(&bench.mint()).is_ok());
}

fn tls() -> (tokio_rustls::rustls::ServerConfig, String) {
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider();
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (config, made.cert.pem())
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (config, pem) = tls();
    let server = Server::start_tls(config).await;
    let mut bench = Bench::new().await;
    server.answer(Answer::json(&issuer().jwks()));
    let by_name = format!("https://localhost:{}/jwks", server.port());
    let by_address = format!("https://127.0.0.1:{}/jwks", server.port());
    let to_plain_http = bench.server.url().replacen("http:", "https:", 1);
    let trusting = options().root_certificate(pem);
    for (url, options) in
        [(&by_name, options()), (&by_address, trusting.clone()), (&to_plain_http, options())]
    {
        bench.fetch = HttpFetch::new(url, &options).unwrap();
        bench.refresh().await;
        let health = bench.store.health();
        // A server without TLS waits for the rest of what it takes for a request.
        let is_right = match health.last_fault {
            Some(FetchFault::Connect(_)) => true,
            Some(FetchFault::Timeout) => *url == to_plain_http,
            _ => false,
        };
        assert!(is_right, "{url}: {health:?}");
        assert!(bench.verify(&bench.mint()).is_ok());
    }
    assert_eq!(server.requests().len(), 0, "nothing was asked without trust");
    server.answer(Answer::json(&bench.issuer.jwks()));
    bench.fetch = HttpFetch::new(&by_name, &trusting).unwrap();
    bench.refresh().await;
    assert_eq!(bench.store.health().failures, 0, "{:?}", bench.store.health());
}

#[tokio::test]
async fn a_restart_during_an_outage_finds_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || DiskCopy::new(folder.path().join("keys"));
    let before = Bench::with(|options| options.disk(disk())).await;
    assert!(before.verify(&before.mint()).is_ok());
    let Bench { server, issuer, .. } = before;
    server.answer(Answer::status(500));
    let clock = Arc::new(ManualClock::default());
    let settings = KeyStoreOptions::default().clock(clock.clone()).disk(disk());
    let store = Arc::new(KeyStore::new(server.url(), settings));
    let verifier = Verifier::builder("inst-1")
        .issuer(IssuerPolicy::jwks(ISSUER, store.clone()))
        .clock(clock.clone())
        .build()
        .unwrap();
    store.refresh(&HttpFetch::new(&server.url(), &options()).unwrap()).await;
    let grant = Grant::person("user-1", Role::Owner);
    let token = issuer.mint("inst-1", &grant, clock.now()).unwrap();
    assert!(verifier.verify(Credential::Bearer(&token)).is_ok());
    let health = store.health();
    assert!(health.is_from_disk && health.failures == 1, "{health:?}");
}

#[tokio::test]
async fn an_unchanged_set_is_not_sent_again() {
    let bench = Bench::new().await;
    let tagged = "ETag: \"v1\"\r\nCache-Control: max-age=600\r\n";
    bench.server.answer(Answer::with("200 OK", tagged, bench.issuer.jwks().as_bytes()));
    bench.refresh().await;
    bench.server.answer(Answer::status(304));
    bench.server.requests();
    bench.clock.advance(Duration::from_mins(11));
    assert_eq!(bench.state(), KeyState::Degraded);
    bench.refresh().await;
    assert!(bench.server.requests()[0].contains("if-none-match: \"v1\""));
    assert_eq!(bench.state(), KeyState::Fresh);
    assert!(bench.verify(&bench.mint()).is_ok());
}

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
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
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

/// The worst of both: a stranger's flood of made-up key ids while the endpoint hangs.
#[tokio::test]
async fn a_flood_of_unknown_keys_touches_no_valid_token() {
    let bench = Bench::new().await;
    let token = bench.mint();
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
    // Not one of them has waited for the endpoint, which takes 300 ms to be given up.
    assert!(slowest < Duration::from_millis(200), "{slowest:?}");
    for answer in flood {
        let error = answer.await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Reason::UnknownKey);
    }
    let fetches = bench.server.requests().len();
    assert!((1..=2).contains(&fetches), "{fetches} fetches for 500 made-up keys");
    assert_eq!(bench.store.health().generation, 1);
    task.abort();
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
