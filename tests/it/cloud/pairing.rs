//! One more device by a code, the first one by `room pair`, and those who guess.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use room_auth::Role;
use room_tests::app::{Answer, SOON, Setup};
use room_tests::client::Client;
use room_tests::eventually_async;
use room_tests::page::Page;
use serde_json::{Value, json};

use super::{Hosted, INSTANCE};

/// How long the test guesses; by hand a minute was tried.
const GUESSING: Duration = Duration::from_secs(5);

fn text<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.body[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer:?}"))
}

/// The code in a pairing link.
fn secret(url: &str) -> &str {
    url.split_once("#pair=").expect("a link with a code").1
}

#[tokio::test]
async fn a_device_adds_another_by_what_is_typed_or_by_the_link() {
    let room = Hosted::start().await;
    let client = room.app.client();
    let owner = Page::signed_in(client, &room.plane.token(Role::Admin), "desk").await;
    let one = owner.post("/api/auth/pair", &json!({})).await;
    let two = owner.post("/api/auth/pair", &json!({})).await;
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200), "{one:?} {two:?}");
    assert!(text(&one, "url").starts_with("https://room.test/#pair="), "{one:?}");
    assert!(secret(text(&one, "url")).len() >= 22, "128 bits: {one:?}");
    let typed = text(&one, "code").to_lowercase().replace('-', " ").replace('0', "o");
    for (code, device) in [(typed.as_str(), "phone"), (secret(text(&two, "url")), "tablet")] {
        let mut page = Page::open(client);
        let answer = page.redeem(code, device).await;
        assert_eq!(answer.status, 200, "{code}: {answer:?}");
        for (name, expected) in [("role", "admin"), ("subject", "person-admin"), ("device", device)]
        {
            assert_eq!(answer.body[name], expected, "{answer:?}");
        }
        assert_eq!(page.get("/api/auth/verify").await.body["role"], "admin");
        let mut late = Page::open(client);
        let again = late.redeem(code, "thief").await;
        assert_eq!(again.code(), "code_used", "{again:?}");
        assert_eq!(late.cookie(), None);
    }
    // Both sides see it, and from where it came.
    let list = owner.get("/api/access/sessions").await;
    let sessions = list.body["sessions"].as_array().unwrap();
    let find = |device: &str| sessions.iter().find(|one| one["device"] == device).unwrap();
    assert_eq!(sessions.len(), 3, "{list:?}");
    for device in ["phone", "tablet"] {
        assert!(!find(device)["pairedFrom"].is_null(), "{list:?}");
    }
    assert!(find("desk")["pairedFrom"].is_null(), "{list:?}");
}

#[tokio::test]
async fn only_a_device_makes_codes_and_only_a_page_of_ours_redeems_them() {
    let room = Hosted::start().await;
    let client = room.app.client();
    let bearer = room.plane.token(Role::Owner);
    let request = client.bearing(&bearer, Method::POST, "/api/auth/pair").json(&json!({}));
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 409, "{answer:?}");
    let owner = Page::signed_in(client, &bearer, "desk").await;
    let code = owner.post("/api/auth/pair", &json!({})).await;
    let body = json!({ "code": text(&code, "code"), "deviceName": "elsewhere" });
    for origin in [None, Some("https://evil.test"), Some("null")] {
        let mut request = client.anonymous(Method::POST, "/api/auth/pair/redeem").json(&body);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 403, "{origin:?}: {answer:?}");
    }
    // Whoever made it is signed out: so is the code.
    owner.delete("/api/auth/session").await;
    let mut page = Page::open(client);
    let answer = page.redeem(text(&code, "code"), "late").await;
    assert!([401, 403].contains(&answer.status.as_u16()), "{answer:?}");
    assert_eq!(page.cookie(), None);
}

#[tokio::test]
async fn a_paired_device_goes_with_the_person_and_with_the_key() {
    let room = Hosted::start().await;
    let client = room.app.client();
    let desk = Page::signed_in(client, &room.plane.token(Role::Member), "desk").await;
    let code = desk.post("/api/auth/pair", &json!({})).await;
    let mut phone = Page::open(client);
    assert_eq!(phone.redeem(text(&code, "code"), "phone").await.status, 200);
    let socket = phone.socket().await;
    room.revoke(&json!({ "keyId": room.plane.key_id() })).await;
    assert_eq!(socket.closed().await, Some(4403));
    assert_eq!(phone.get("/api/auth/verify").await.status, 401);
}

/// Crockford's letters and base64url, at random: the two forms of a code.
fn guess(seed: &mut u64) -> String {
    let mut next = |letters: &[u8]| {
        // A linear congruential generator (Knuth): guesses need no secrecy.
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let index = usize::try_from(*seed >> 33).unwrap_or_default() % letters.len();
        char::from(letters[index])
    };
    let typed = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let link = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if next(b"01") == '0' {
        (0..10).map(|_| next(typed)).collect()
    } else {
        (0..43).map(|_| next(link)).collect()
    }
}

async fn redeem_from(client: &Client, address: &str, code: &str) -> Answer {
    let request = client.anonymous(Method::POST, "/api/auth/pair/redeem");
    let request = request.header("origin", "https://room.test").header("x-forwarded-for", address);
    Answer::of(request.json(&json!({ "code": code, "deviceName": "guess" }))).await
}

/// Guessed at full speed: no success, limited, logged as one thing and not as thousands, and nobody
/// else notices, not even someone with a good code behind the same address.
#[tokio::test]
async fn guessing_codes_leads_nowhere_and_hurts_nobody() {
    let room = Hosted::with(|setup| {
        setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "10").var("ROOM_CLIENT_IP", "proxies:1")
    })
    .await;
    let client = room.app.client();
    let owner = Page::signed_in(client, &room.plane.token(Role::Owner), "desk").await;
    // Codes that could be hit, as many as there may be.
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(owner.post("/api/auth/pair", &json!({})).await);
    }
    let end = Instant::now() + guessing_time();
    let guess_on = async |index: u64| {
        let (mut seed, mut statuses) = (index, BTreeMap::<u16, u64>::new());
        while Instant::now() < end {
            let answer = redeem_from(client, "203.0.113.7", &guess(&mut seed)).await;
            let status = answer.status.as_u16();
            *statuses.entry(status).or_default() += 1;
            if status == 429 {
                let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                assert!(wait >= 1);
            }
        }
        statuses
    };
    let person = async {
        let mut every = tokio::time::interval(Duration::from_millis(100));
        let mut slowest = Duration::ZERO;
        while Instant::now() < end {
            every.tick().await;
            let start = Instant::now();
            let request = owner.request(Method::GET, "/api/auth/verify");
            let answer = Answer::of(request.header("x-forwarded-for", "198.51.100.1")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            slowest = slowest.max(start.elapsed());
        }
        // Behind the guessers' own address.
        let answer = redeem_from(client, "203.0.113.7", text(&codes[0], "code")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        slowest
    };
    let (guessed, slowest) = tokio::join!(join_all((0..8).map(guess_on)), person);
    let mut all = BTreeMap::<u16, u64>::new();
    for (status, count) in guessed.into_iter().flatten() {
        *all.entry(status).or_default() += count;
    }
    eprintln!("answers by status: {all:?}; the person's slowest: {slowest:?}");
    assert!(!all.contains_key(&200), "{all:?}");
    assert!(all.keys().all(|status| [401, 403, 429].contains(status)), "{all:?}");
    let tried: u64 = all.iter().filter(|(status, _)| **status != 429).map(|(_, count)| count).sum();
    let minutes = guessing_time().as_secs() / 60 + 1;
    assert!(tried <= 20 + 10 * minutes + 1, "{all:?}");
    assert!(all[&429] > 20, "{all:?}");
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    for code in &codes[1..] {
        let mut page = Page::open(client);
        let answer = page.redeem(text(code, "code"), "phone").await;
        assert_eq!(answer.status, 200, "a code that nobody hit: {answer:?}");
    }
    // Sums are written after a while, and not a row a guess.
    let rows = eventually_async("the guesses are in the log", SOON, async || {
        let log = owner.get("/api/activity?kind=access&limit=200").await;
        let events = log.body["events"].as_array()?.clone();
        let refused = |event: &Value| event["action"] == "access.refused";
        let rows: Vec<Value> = events.into_iter().filter(refused).collect();
        (!rows.is_empty()).then_some(rows)
    })
    .await;
    assert!(rows.len() <= 20, "{} rows for {all:?}", rows.len());
    assert!(rows[0]["detail"]["count"].as_u64() >= Some(10), "{rows:?}");
    assert_eq!(rows[0]["actor"]["address"], "203.0.113.0/24", "{rows:?}");
}

/// `ROOM_TEST_GUESSING_SECONDS`, or what a gate has time for.
fn guessing_time() -> Duration {
    let asked = std::env::var("ROOM_TEST_GUESSING_SECONDS").ok().and_then(|text| text.parse().ok());
    asked.map_or(GUESSING, Duration::from_secs)
}

/// A Room that trusts nobody else's server.
async fn standalone() -> room_tests::app::TestApp {
    let setup = Setup::new().unwrap().cloud().var("ROOM_STANDALONE", "1");
    setup.var("ROOM_INSTANCE_ID", INSTANCE).start().await.unwrap()
}

fn says(app: &room_tests::app::TestApp, args: &[&str]) -> (bool, String, String) {
    let output = app.command(args).unwrap().output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn link_in(output: &str) -> &str {
    let start = output.find("https://room.test/#pair=").expect("a link");
    output[start..].split_whitespace().next().unwrap_or_default()
}

#[tokio::test]
async fn who_has_a_shell_on_the_machine_owns_a_room_without_a_control_plane() {
    let app = standalone().await;
    for (args, role) in [(&["pair"][..], "owner"), (&["pair", "--as", "viewer"], "viewer")] {
        let (ok, out, err) = says(&app, args);
        assert!(ok, "{out}{err}");
        assert!(out.contains('█') || out.contains('▀'), "a QR code: {out}");
        let mut page = Page::open(app.client());
        let answer = page.redeem(secret(link_in(&out)), "phone").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["role"], role, "{answer:?}");
        assert_eq!(answer.body["issuer"], format!("room:{INSTANCE}"), "{answer:?}");
        assert_eq!(page.get("/api/auth/verify").await.status, 200);
    }
    let (ok, out, err) = says(&app, &["token", "--role", "viewer"]);
    assert!(ok, "{out}{err}");
    let request = app.client().bearing(out.trim(), Method::GET, "/api/auth/verify");
    let answer = Answer::of(request).await;
    assert_eq!(answer.body["role"], "viewer", "{answer:?}");
    assert!(!app.log().contains(out.trim()), "a bearer in the log");
}

#[tokio::test]
async fn beside_an_issuer_room_pair_takes_a_setting() {
    let room = Hosted::start().await;
    let (ok, out, err) = says(&room.app, &["pair"]);
    assert!(!ok && !out.contains("#pair="), "{out}{err}");
    assert!(err.contains("ROOM_STANDALONE"), "{err}");
    let both = Hosted::with(|setup| setup.var("ROOM_STANDALONE", "1")).await;
    let (ok, out, err) = says(&both.app, &["pair"]);
    assert!(ok, "{out}{err}");
    let mut page = Page::open(both.app.client());
    let answer = page.redeem(secret(link_in(&out)), "phone").await;
    assert_eq!(answer.body["role"], json!("owner"), "{answer:?}");
}

/// A token is traded once, in ten minutes, by a page of ours, and never beside someone else's word.
#[tokio::test]
async fn a_link_of_the_control_plane_signs_in_one_device_once() {
    let room = Hosted::start().await;
    let client = room.app.client();
    let token = room.plane.token(Role::Viewer);
    let mut page = Page::open(client);
    let answer = page.sign_in(&token, "phone").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["__Host-room=", "HttpOnly", "Secure", "Path=/", "SameSite="] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert_eq!(answer.body["device"], "phone");
    assert_eq!(answer.body["profile"]["email"], "viewer@example.com");
    let again = Page::open(client).sign_in(&token, "thief").await;
    assert_eq!(again.code(), "token_used", "{again:?}");
    let ago = std::time::SystemTime::now() - Duration::from_mins(12);
    let grant = room_tests::issuer::person(Role::Viewer).lifetime(Duration::from_hours(1));
    let old = room.plane.mint_at(&grant, ago);
    assert_eq!(room.status_of(&old).await, 200, "a good bearer still");
    let late = Page::open(client).sign_in(&old, "late").await;
    assert_eq!(late.code(), "token_too_old", "{late:?}");
    let expired =
        Page::open(client).sign_in(&room.plane.mint_at(&person_of_minutes(1), ago), "late").await;
    assert_eq!(expired.code(), "token_expired", "{expired:?}");
    let garbage = Page::open(client).sign_in("e30.e30.AAAA", "no").await;
    assert_eq!(garbage.code(), "invalid_token", "{garbage:?}");
    let nothing = Page::open(client).post("/api/auth/session", &json!({})).await;
    assert_eq!(nothing.status, 401, "{nothing:?}");
    assert_eq!(nothing.body["code"], Value::from("sign_in_required"));
}

fn person_of_minutes(minutes: u64) -> room_auth::issuer::Grant {
    room_tests::issuer::person(Role::Viewer).lifetime(Duration::from_mins(minutes))
}
