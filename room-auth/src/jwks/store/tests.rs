//! The store with a scripted endpoint and a clock that stands still.

use std::collections::VecDeque;
use std::time::Instant;

use super::*;
use crate::clock::ManualClock;
use crate::issuer::{Issuer, IssuerKey};
use crate::jwks::KeySetFault;
use crate::jws::Algorithm;

const SOURCE: &str = "https://issuer.example/jwks";

/// Answers from a list and remembers what it was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<Fetched, FetchFault>>>,
    asked: Mutex<Vec<FetchRequest>>,
}

impl Script {
    fn then(&self, answer: Result<Fetched, FetchFault>) {
        self.answers.lock().unwrap().push_back(answer);
    }

    fn asked(&self) -> Vec<FetchRequest> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Fetch for Arc<Script> {
    async fn fetch(&self, request: FetchRequest) -> Result<Fetched, FetchFault> {
        self.asked.lock().unwrap().push(request);
        self.answers.lock().unwrap().pop_front().unwrap_or(Err(FetchFault::Timeout))
    }
}

struct Bench {
    store: Arc<KeyStore>,
    script: Arc<Script>,
    clock: Arc<ManualClock>,
    endings: Endings,
}

impl Bench {
    fn new(options: impl FnOnce(KeyStoreOptions) -> KeyStoreOptions) -> Self {
        let (clock, endings) = (Arc::new(ManualClock::default()), Endings::default());
        let basic = KeyStoreOptions::default().clock(clock.clone()).endings(endings.clone());
        let store = Arc::new(KeyStore::new(SOURCE, options(basic)));
        Self { store, script: Arc::default(), clock, endings }
    }

    /// One fetch with this answer.
    async fn refresh(&self, answer: Result<Fetched, FetchFault>) {
        self.script.then(answer);
        self.store.refresh(&self.script).await;
    }

    fn state(&self) -> KeyState {
        self.store.health().state
    }

    fn now(&self) -> Now {
        Now::read(self.clock.as_ref())
    }

    fn knows(&self, issuer: &Issuer) -> bool {
        self.store
            .current(&self.now())
            .is_ok_and(|set| set.keys().is_some_and(|keys| keys.find(issuer.key().kid()).is_some()))
    }
}

fn issuer() -> Issuer {
    Issuer::new("https://issuer.example", IssuerKey::generate(Algorithm::EdDsa).unwrap())
}

#[expect(clippy::unnecessary_wraps, reason = "an answer as the script has them")]
fn document(issuer: &Issuer) -> Result<Fetched, FetchFault> {
    Ok(Fetched::Document { body: issuer.jwks().into_bytes(), etag: None, max_age: None })
}

const UNCHANGED: Result<Fetched, FetchFault> = Ok(Fetched::NotModified { max_age: None });

fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

#[tokio::test]
async fn a_set_is_fresh_then_degraded_then_stale() {
    let (bench, issuer) = (Bench::new(|options| options), issuer());
    assert_eq!(bench.state(), KeyState::Empty);
    assert_eq!(bench.store.current(&bench.now()).err(), Some(NoKeys::NeverFetched));
    assert_eq!(bench.store.due_in(), Duration::ZERO);
    bench.refresh(document(&issuer)).await;
    assert_eq!(bench.state(), KeyState::Fresh);
    let due = bench.store.due_in();
    assert!(minutes(5).mul_f64(0.72) <= due && due <= minutes(5).mul_f64(0.88), "{due:?}");
    bench.clock.advance(minutes(5));
    assert_eq!(bench.state(), KeyState::Fresh);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.store.due_in(), Duration::ZERO);
    assert_eq!(bench.state(), KeyState::Degraded);
    bench.refresh(Err(FetchFault::Status(500))).await;
    assert_eq!(bench.state(), KeyState::Degraded);
    bench.clock.advance(minutes(23 * 60 + 54));
    assert!(bench.knows(&issuer), "one second before the bound");
    bench.clock.advance(minutes(1));
    assert_eq!(bench.state(), KeyState::Stale);
    assert_eq!(bench.store.current(&bench.now()).err(), Some(NoKeys::Stale));
    bench.refresh(document(&issuer)).await;
    assert_eq!(bench.state(), KeyState::Fresh);
    assert!(bench.knows(&issuer));
    assert_eq!(bench.store.health().generation, 1, "the keys are the same ones");
}

#[tokio::test]
async fn no_stale_bound_is_longer_than_a_week() {
    let bench = Bench::new(|options| options.stale_bound(minutes(60 * 24 * 30)));
    bench.refresh(document(&issuer())).await;
    bench.clock.advance(minutes(60 * 24 * 7));
    assert_eq!(bench.state(), KeyState::Degraded);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.state(), KeyState::Stale);
}

#[tokio::test]
async fn failures_are_counted_waited_out_and_shown() {
    let (bench, issuer) = (Bench::new(|options| options), issuer());
    bench.refresh(document(&issuer)).await;
    let empty =
        Ok(Fetched::Document { body: b"{\"keys\":[]}".to_vec(), etag: None, max_age: None });
    let html = Ok(Fetched::Document { body: b"<html>".to_vec(), etag: None, max_age: None });
    for (at, (answer, fault)) in [
        (Err(FetchFault::Status(503)), FetchFault::Status(503)),
        (empty, FetchFault::KeySet(KeySetFault::NoUsableKey(Vec::new()))),
        (html, FetchFault::KeySet(KeySetFault::NotJson)),
    ]
    .into_iter()
    .enumerate()
    {
        bench.refresh(answer).await;
        let health = bench.store.health();
        assert_eq!(health.failures as usize, at + 1);
        assert_eq!(health.last_fault, Some(fault));
        let longest = Duration::from_secs(1 << at);
        assert!(longest / 2 <= health.next_fetch_in && health.next_fetch_in <= longest);
        assert!(bench.knows(&issuer), "the good set stays");
    }
    bench.refresh(document(&issuer)).await;
    let health = bench.store.health();
    assert_eq!((health.failures, health.last_fault), (0, None));
}

#[tokio::test]
async fn an_unchanged_set_is_confirmed_by_its_tag() {
    let (bench, issuer) = (Bench::new(|options| options), issuer());
    bench.refresh(UNCHANGED).await;
    assert_eq!(bench.store.health().last_fault, Some(FetchFault::UnaskedNotModified));
    let tagged = Ok(Fetched::Document {
        body: issuer.jwks().into_bytes(),
        etag: Some("\"1\"".into()),
        max_age: Some(minutes(10)),
    });
    bench.refresh(tagged).await;
    bench.clock.advance(minutes(8));
    assert_eq!(bench.state(), KeyState::Fresh);
    bench.clock.advance(minutes(3));
    assert_eq!(bench.state(), KeyState::Degraded);
    bench.refresh(UNCHANGED).await;
    let asked = bench.script.asked();
    assert_eq!(asked[1], FetchRequest { etag: None, no_cache: false });
    assert_eq!(asked[2], FetchRequest { etag: Some("\"1\"".into()), no_cache: false });
    let health = bench.store.health();
    assert_eq!((health.state, health.generation), (KeyState::Fresh, 1));
    assert!(bench.knows(&issuer));
}

#[tokio::test]
async fn a_withdrawn_key_raises_the_generation_and_is_announced() {
    let (bench, mut issuer) = (Bench::new(|options| options), issuer());
    let mut news = bench.endings.subscribe();
    bench.refresh(document(&issuer)).await;
    let first = issuer.key_set().unwrap().keys().next().unwrap().thumbprint();
    let old_kid = issuer.key().kid().to_owned();
    let next = IssuerKey::generate(Algorithm::Es256).unwrap();
    let next_kid = next.kid().to_owned();
    issuer.announce(next);
    bench.refresh(document(&issuer)).await;
    assert_eq!((bench.store.health().generation, news.try_next()), (2, None));
    issuer.activate(&next_kid).unwrap();
    bench.refresh(document(&issuer)).await;
    assert_eq!(bench.store.health().generation, 2, "the order of keys means nothing");
    issuer.retire(&old_kid).unwrap();
    bench.refresh(document(&issuer)).await;
    assert_eq!(bench.store.health().generation, 3);
    let withdrawn = Ended::KeysWithdrawn { source: SOURCE.into(), keys: vec![first] };
    assert_eq!(news.try_next(), Some(withdrawn));
    assert_eq!(news.try_next(), None);
}

#[tokio::test]
async fn a_rotten_key_among_good_ones_is_left_out_and_shown() {
    let (bench, issuer) = (Bench::new(|options| options), issuer());
    let rotten = r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"x"},"#;
    let body = issuer.jwks().replacen(r#"{"keys":["#, rotten, 1).into_bytes();
    bench.refresh(Ok(Fetched::Document { body, etag: None, max_age: None })).await;
    let health = bench.store.health();
    assert_eq!((health.state, health.keys, health.left_out.len()), (KeyState::Fresh, 1, 1));
    assert!(health.left_out[0].fault.is_alarming());
}

#[tokio::test]
async fn a_restart_during_an_outage_finds_the_last_good_set() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || DiskCopy::new(folder.path().join("keys"));
    let (before, issuer) = (Bench::new(|options| options.disk(disk())), issuer());
    before.refresh(document(&issuer)).await;
    assert!(!before.store.health().is_disk_failing);

    let after = Bench::new(|options| options.disk(disk()));
    assert!(after.knows(&issuer));
    let health = after.store.health();
    assert!(health.is_from_disk && health.age.unwrap() < minutes(1));
    after.refresh(Err(FetchFault::Timeout)).await;
    assert!(after.knows(&issuer));
    // The bound counts from the fetch, not from the restart.
    let clock = Arc::new(ManualClock::default());
    clock.advance(minutes(23 * 60));
    let late = Bench::new(|options| options.disk(disk()).clock(clock.clone()));
    assert!(late.store.current(&Now::read(clock.as_ref())).is_ok());
    clock.advance(minutes(61));
    assert_eq!(late.store.health().state, KeyState::Stale);
    late.refresh(document(&issuer)).await;
    assert!(!late.store.health().is_from_disk);

    let other = KeyStore::new("https://other.example", KeyStoreOptions::default().disk(disk()));
    assert_eq!(other.health().state, KeyState::Empty, "a set of another endpoint");
}

#[tokio::test]
async fn an_unchanged_set_is_written_again_only_now_and_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let (bench, issuer) = (Bench::new(|options| options.disk(DiskCopy::new(&path))), issuer());
    let fetched = || {
        let text = std::fs::read_to_string(&path).unwrap();
        let line = text.lines().find(|line| line.starts_with("fetched: ")).unwrap().to_owned();
        line["fetched: ".len()..].parse::<u64>().unwrap()
    };
    bench.refresh(document(&issuer)).await;
    let first = fetched();
    bench.clock.advance(minutes(10));
    bench.refresh(UNCHANGED).await;
    assert_eq!(fetched(), first);
    bench.clock.advance(minutes(1));
    bench.refresh(UNCHANGED).await;
    assert_eq!(fetched(), first + 660);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    bench.clock.advance(minutes(11));
    bench.refresh(document(&issuer)).await;
    assert!(bench.store.health().is_disk_failing);
    assert!(bench.knows(&issuer), "the disk is a help, not a need");
}

#[tokio::test]
async fn a_machine_that_slept_is_judged_by_the_wall_clock() {
    struct Asleep(ManualClock, Instant);
    impl Clock for Asleep {
        fn now(&self) -> SystemTime {
            self.0.now()
        }
        fn monotonic(&self) -> Instant {
            self.1
        }
    }
    let clock = Arc::new(Asleep(ManualClock::default(), Instant::now()));
    let store = KeyStore::new(SOURCE, KeyStoreOptions::default().clock(clock.clone()));
    let (script, issuer) = (Arc::new(Script::default()), issuer());
    script.then(document(&issuer));
    store.refresh(&script).await;
    clock.0.advance(minutes(25 * 60));
    assert_eq!(store.health().state, KeyState::Stale);
    assert_eq!(store.due_in(), Duration::ZERO);
}

#[tokio::test]
async fn a_clock_set_back_makes_nothing_younger() {
    struct SetBack(ManualClock, Mutex<Duration>);
    impl Clock for SetBack {
        fn now(&self) -> SystemTime {
            self.0.now() - *self.1.lock().unwrap()
        }
        fn monotonic(&self) -> Instant {
            self.0.monotonic()
        }
    }
    let clock = Arc::new(SetBack(ManualClock::default(), Mutex::default()));
    let store = KeyStore::new(SOURCE, KeyStoreOptions::default().clock(clock.clone()));
    let (script, issuer) = (Arc::new(Script::default()), issuer());
    script.then(document(&issuer));
    store.refresh(&script).await;
    *clock.1.lock().unwrap() = minutes(10 * 24 * 60);
    clock.0.advance(minutes(6));
    assert_eq!(store.health().state, KeyState::Degraded);
    clock.0.advance(minutes(24 * 60));
    assert_eq!(store.health().state, KeyState::Stale);
}

/// Polls a future until it waits for something.
fn poll_once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> std::task::Poll<T> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

#[tokio::test]
async fn an_unknown_key_is_fetched_once_for_all_who_ask() {
    let (bench, mut issuer) = (Bench::new(|options| options), issuer());
    bench.refresh(document(&issuer)).await;
    let next = IssuerKey::generate(Algorithm::EdDsa).unwrap();
    let kid = next.kid().to_owned();
    issuer.announce(next);
    issuer.activate(&kid).unwrap();
    let mut one = std::pin::pin!(bench.store.wait_for(&kid));
    let mut two = std::pin::pin!(bench.store.wait_for(&kid));
    assert!(poll_once(one.as_mut()).is_pending() && poll_once(two.as_mut()).is_pending());
    assert_eq!(bench.store.due_in(), Duration::ZERO, "the task is woken");
    bench.refresh(document(&issuer)).await;
    assert!(one.await && two.await);
    assert!(bench.knows(&issuer));
    let asked = bench.script.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].no_cache, "caches on the way may not know the key");
    assert!(bench.store.due_in() > Duration::ZERO, "and that was all");
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_no_more_than_its_budget() {
    let (bench, issuer) = (Bench::new(|options| options), issuer());
    bench.refresh(document(&issuer)).await;
    for n in 0..1000 {
        let kid = n.to_string();
        let mut wait = std::pin::pin!(bench.store.wait_for(&kid));
        if poll_once(wait.as_mut()).is_pending() {
            bench.refresh(document(&issuer)).await;
            assert!(wait.await);
        }
    }
    assert_eq!(bench.script.asked().len(), 1 + 2);
    // What a fetch did not bring is not asked for again, however much budget there is.
    bench.clock.advance(Duration::from_secs(20));
    assert!(!bench.store.wait_for("0").await);
    assert!(poll_once(std::pin::pin!(bench.store.wait_for("new"))).is_pending());
}

#[tokio::test]
async fn a_request_that_goes_away_leaves_its_place() {
    let bench = Bench::new(|options| options);
    bench.refresh(document(&issuer())).await;
    for _ in 0..200 {
        assert!(poll_once(std::pin::pin!(bench.store.wait_for("x"))).is_pending());
    }
    assert_eq!(bench.script.asked().len(), 1);
}

#[tokio::test]
async fn the_task_fetches_at_once_and_when_it_is_woken() {
    let (bench, mut issuer) = (Bench::new(|options| options), issuer());
    bench.script.then(document(&issuer));
    let task = tokio::spawn({
        let (store, script) = (Arc::clone(&bench.store), Arc::clone(&bench.script));
        async move { store.run(script).await }
    });
    let mut tally = bench.store.tally.subscribe();
    tally.wait_for(|tally| tally.good == 1).await.unwrap();
    let next = IssuerKey::generate(Algorithm::EdDsa).unwrap();
    let kid = next.kid().to_owned();
    issuer.announce(next);
    bench.script.then(document(&issuer));
    assert!(bench.store.wait_for(&kid).await);
    let set = bench.store.current(&bench.now()).unwrap();
    assert!(set.keys().unwrap().find(&kid).is_some());
    task.abort();
}
