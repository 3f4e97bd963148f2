//! The issuer's keys: rotated, withdrawn, asked for by thousands, out of reach.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use room_auth::{Clock as _, ManualClock, Role};
use room_tests::app::{Answer, SOON, Setup};
use room_tests::client::Client;
use room_tests::eventually_async;
use room_tests::issuer::{ControlPlane, Keys, person};
use room_tests::page::Page;
use room_tests::socket::Socket;

use super::embedded::{Embedded, keys_are_there};
use super::{Hosted, INSTANCE};

async fn verify(client: &Client, token: &str) -> Answer {
    Answer::of(client.bearing(token, Method::GET, "/api/auth/verify")).await
}

async fn ready(client: &Client) -> (u16, Vec<String>) {
    let answer = Answer::of(client.anonymous(Method::GET, "/readyz")).await;
    let degraded = answer.body["degraded"].as_array().cloned().unwrap_or_default();
    let names = degraded.iter().filter_map(|name| name.as_str().map(str::to_owned));
    (answer.status.as_u16(), names.collect())
}

/// Bearers are told to come back, not that they are wrong: their holders would sign out.
#[track_caller]
fn unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header(WWW_AUTHENTICATE.as_str()), None);
    let wait: u64 = answer.header(RETRY_AFTER.as_str()).unwrap().parse().unwrap();
    assert!(wait >= 1, "{wait}");
}

#[tokio::test]
async fn a_new_key_is_taken_at_once_and_a_withdrawn_one_ends_what_stood_on_it() {
    let room = Hosted::start().await;
    let client = room.app.client();
    let old = room.plane.token(Role::Member);
    let page = Page::signed_in(client, &room.plane.token(Role::Member), "phone").await;
    let device = page.socket().await;
    let by_token = Socket::by(client.upgrade(Some(&old))).await;
    let old_kid = room.plane.key_id();
    room.plane.rotate();
    let fetches = room.plane.fetches();
    assert_eq!(verify(client, &room.plane.token(Role::Viewer)).await.status, 200);
    assert_eq!(room.plane.fetches(), fetches + 1);
    assert_eq!(verify(client, &old).await.status, 200, "the old key is still published");

    room.plane.withdraw(&old_kid);
    // A token of a key that is newer still makes the Room look before its time.
    room.plane.rotate();
    assert_eq!(verify(client, &room.plane.token(Role::Viewer)).await.status, 200);
    assert_eq!(by_token.closed().await, Some(4401));
    let answer = verify(client, &old).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(page.get("/api/auth/verify").await.status, 200, "a device stands on its own");
    let mut device = device;
    device.subscribe(&["providers"]).await;
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_two_fetches_and_holds_up_nobody() {
    let room = Hosted::start().await;
    let client = room.app.client();
    let good = room.plane.token(Role::Member);
    let (before, stranger) = (room.plane.fetches(), ControlPlane::start(INSTANCE).unwrap());
    let mut unknown = Vec::new();
    for _ in 0..60 {
        stranger.rotate();
        unknown.push(stranger.token(Role::Owner));
    }
    let flood = async {
        let all = unknown.iter().map(|token| verify(client, token));
        futures_util::future::join_all(all).await
    };
    let people = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let start = std::time::Instant::now();
            assert_eq!(verify(client, &good).await.status, 200);
            slowest = slowest.max(start.elapsed());
        }
        slowest
    };
    let start = std::time::Instant::now();
    let (refused, slowest) = tokio::join!(flood, people);
    assert!(refused.iter().all(|answer| answer.status == 401));
    // Two at once, and one more every ten seconds.
    let most = 2 + usize::try_from(start.elapsed().as_secs() / 10).unwrap();
    assert!(room.plane.fetches() <= before + most, "{} fetches", room.plane.fetches() - before);
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
}

#[tokio::test]
async fn without_the_endpoint_at_the_start_bearers_wait_and_then_get_in() {
    for how in [Keys::Status(500), Keys::Closed, Keys::Hang] {
        let plane = ControlPlane::start(INSTANCE).unwrap();
        plane.answer(how);
        let setup = Setup::new().unwrap().cloud().env(plane.settings());
        let app = setup.start().await.unwrap();
        unavailable(&verify(app.client(), &plane.token(Role::Owner)).await);
        let mut page = Page::open(app.client());
        unavailable(&page.sign_in(&plane.token(Role::Owner), "early").await);
        assert_eq!(ready(app.client()).await, (200, vec!["keys".to_owned()]), "{how:?}");
        plane.answer(Keys::Served);
        eventually_async("the keys are fetched", SOON, async || {
            let answer = verify(app.client(), &plane.token(Role::Owner)).await;
            if answer.status != 200 {
                unavailable(&answer);
            }
            (answer.status == 200).then_some(())
        })
        .await;
        assert_eq!(ready(app.client()).await, (200, vec![]), "{how:?}");
    }
}

#[tokio::test]
async fn a_restart_during_an_outage_finds_the_last_good_keys() {
    let mut room = Hosted::start().await;
    let page = Page::signed_in(room.app.client(), &room.plane.token(Role::Viewer), "desk").await;
    let cookie = page.cookie().unwrap();
    // They are in use before they are on the disk.
    eventually_async("the keys are on the disk", SOON, async || {
        let mut names = std::fs::read_dir(room.app.data()).unwrap().flatten();
        names.any(|entry| entry.path().extension().is_some_and(|kind| kind == "jwks")).then_some(())
    })
    .await;
    room.plane.answer(Keys::Status(500));
    room.app.signal(rustix::process::Signal::KILL);
    room.app.wait();
    room.app.start().await.unwrap();
    let client = room.app.client();
    assert_eq!(verify(client, &room.plane.token(Role::Member)).await.status, 200);
    let request = client.anonymous(Method::GET, "/api/auth/verify").header("cookie", cookie);
    assert_eq!(Answer::of(request).await.status, 200);
}

/// A Room whose clock is the test's, and what its people have.
struct Outage {
    clock: Arc<ManualClock>,
    plane: ControlPlane,
    room: Embedded,
    passed: Duration,
}

impl Outage {
    async fn start() -> Self {
        let (clock, plane) =
            (Arc::new(ManualClock::default()), ControlPlane::start(INSTANCE).unwrap());
        let room = Embedded::start(clock.clone(), &plane.settings(), None).await.with_keys().await;
        Self { clock, plane, room, passed: Duration::ZERO }
    }

    fn token(&self, role: Role) -> String {
        self.plane.mint_at(&person(role), self.clock.now())
    }

    /// Moves the time to so long after the start.
    fn at(&mut self, passed: Duration) {
        self.clock.advance(passed.checked_sub(self.passed).unwrap());
        self.passed = passed;
    }

    /// Makes the Room look at the endpoint, as a token of a key it does not know does. It has just
    /// looked by itself, perhaps, and does not look again so soon: so some minutes pass first.
    async fn look(&mut self) {
        let fetches = self.plane.fetches();
        self.at(self.passed + 10 * MINUTE);
        let other = ControlPlane::start(INSTANCE).unwrap();
        let token = other.mint_at(&person(Role::Owner), self.clock.now());
        let answer = verify(&self.room.client, &token).await;
        assert!([401, 503].contains(&answer.status.as_u16()), "{answer:?}");
        eventually_async("the endpoint is asked", SOON, async || {
            (self.plane.fetches() > fetches).then_some(())
        })
        .await;
    }
}

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn an_outage_signs_nobody_out_for_a_week_and_bearers_for_a_day() {
    let mut o = Outage::start().await;
    let device = Page::signed_in(&o.room.client, &o.token(Role::Member), "phone").await.cookie();
    let device = device.unwrap();
    let by_device = |client: &Client| {
        let request = client.anonymous(Method::GET, "/api/auth/verify").header("cookie", &device);
        Answer::of(request)
    };
    o.plane.answer(Keys::Status(500));
    o.at(HOUR / 3);
    o.look().await;
    assert_eq!(ready(&o.room.client).await, (200, vec!["keys".to_owned()]));
    assert_eq!(verify(&o.room.client, &o.token(Role::Owner)).await.status, 200);

    o.at(23 * HOUR);
    assert_eq!(verify(&o.room.client, &o.token(Role::Owner)).await.status, 200);
    o.at(25 * HOUR);
    unavailable(&verify(&o.room.client, &o.token(Role::Owner)).await);
    assert_eq!(by_device(&o.room.client).await.status, 200, "longer than a day without a token");
    o.at((7 * 24 - 1) * HOUR);
    assert_eq!(by_device(&o.room.client).await.status, 200);
    o.at((7 * 24 + 1) * HOUR);
    let answer = by_device(&o.room.client).await;
    assert_eq!(answer.status, 401, "{answer:?}");

    o.plane.answer(Keys::Served);
    o.look().await;
    keys_are_there(&o.room.client).await;
    assert_eq!(verify(&o.room.client, &o.token(Role::Owner)).await.status, 200);
    let page = Page::signed_in(&o.room.client, &o.token(Role::Member), "phone").await;
    assert_eq!(page.get("/api/auth/verify").await.status, 200);
    o.room.end().await;
}

#[tokio::test]
async fn without_an_outage_a_device_lapses_a_day_after_the_last_token_on_any() {
    let mut o = Outage::start().await;
    let phone = Page::signed_in(&o.room.client, &o.token(Role::Member), "phone").await.cookie();
    let with = |client: &Client, cookie: &Option<String>| {
        let request = client.anonymous(Method::GET, "/api/auth/verify");
        Answer::of(request.header("cookie", cookie.as_ref().unwrap()))
    };
    o.at(20 * HOUR);
    o.look().await;
    // On another device, and as another role: it is theirs on both.
    let desk = Page::signed_in(&o.room.client, &o.token(Role::Member), "desk").await.cookie();
    for hours in [25, 43] {
        o.at(hours * HOUR);
        o.look().await;
        assert_eq!(with(&o.room.client, &phone).await.status, 200, "{hours} h");
    }
    o.at(45 * HOUR);
    o.look().await;
    for cookie in [&phone, &desk] {
        let answer = with(&o.room.client, cookie).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        let told = answer.header(WWW_AUTHENTICATE.as_str()).unwrap();
        assert!(told.contains("expired"), "{told}");
    }
    o.room.end().await;
}

/// The role is the last token's, on every device, sockets that are open included.
#[tokio::test]
async fn a_role_that_changes_changes_everywhere_at_once() {
    let room = Hosted::start().await;
    let client = room.app.client();
    let as_role = |role: Role| {
        let grant = room_auth::issuer::Grant::person("ada", role);
        room.plane.mint(&grant)
    };
    let phone = Page::signed_in(client, &as_role(Role::Admin), "phone").await;
    let mut socket = phone.socket().await;
    let answer = socket.subscribe(&["activity", "providers"]).await;
    assert_eq!(answer["denied"].as_array().unwrap().len(), 0, "{answer}");
    let desk = Page::signed_in(client, &as_role(Role::Viewer), "desk").await;
    for page in [&phone, &desk] {
        assert_eq!(page.get("/api/auth/verify").await.body["role"], "viewer");
        assert_eq!(page.get("/api/activity").await.status, 403);
    }
    let answer = socket.until(|message| message["type"] == "unsubscribed").await;
    assert_eq!(answer["channels"], serde_json::json!(["activity"]), "{answer}");
    let answer = socket.subscribe(&["activity"]).await;
    assert_eq!(answer["channels"].as_array().unwrap().len(), 0, "{answer}");
}
