//! Whoever reads the keys waits for nobody who fetches them.

use super::*;

/// How long each of many tokens took that come for the first time, shortest first.
async fn waits(bench: &Bench) -> Vec<Duration> {
    let mut waits = Vec::new();
    for token in (0..500).map(|_| bench.mint()).collect::<Vec<_>>() {
        let start = Instant::now();
        assert!(bench.verifier.authenticate(Credential::Bearer(&token)).await.is_ok());
        waits.push(start.elapsed());
        // The endpoint and the task share this thread.
        tokio::task::yield_now().await;
    }
    waits.sort_unstable();
    waits
}

#[tokio::test]
async fn no_reader_waits_for_an_endpoint() {
    let (connect, total) = (Duration::from_secs(5), Duration::from_mins(1));
    let patient = HttpFetchOptions::default().allow_loopback_http().timeouts(connect, total);
    for (answer, is_endless) in [
        (Answer::Hang, true),
        (Answer::Drip, true),
        (Answer::Huge { announced: false }, false),
        (Answer::EndlessHeaders, false),
        (Answer::status(500), false),
    ] {
        let label = format!("{answer:.20?}");
        let mut bench = Bench::new().await;
        bench.fetch = HttpFetch::new(&bench.server.url(), &patient).unwrap();
        bench.server.requests();
        bench.server.answer(answer);
        bench.clock.advance(Duration::from_mins(6));
        let task = bench.run();
        // The task is in the middle of it when the first reader comes.
        while bench.server.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        let waits = waits(&bench).await;
        let p99 = waits[waits.len() * 99 / 100];
        // A minute is what it would have to wait for, and milliseconds what a busy machine takes.
        assert!(p99 < Duration::from_secs(1), "{label}: {p99:?}");
        let health = bench.store.health();
        assert_eq!((health.state, health.keys), (KeyState::Degraded, 1), "{label}");
        // All of them were done before an endpoint that takes a minute was given up.
        assert!(!is_endless || health.failures == 0, "{label}: {health:?}");
        task.abort();
    }
}
