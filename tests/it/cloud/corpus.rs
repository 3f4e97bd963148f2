//! Every token of `room-auth`'s corpus, made by another language's libraries, knocks at a hosted
//! Room over HTTP: each is let in or refused as its row says, with the status it says.
//!
//! Rows of one world (issuers, keys, moment) share a Room. Left out is what cannot be said over HTTP
//! here: assertions of Cloudflare Access, whose keys lie at an address that is not on this machine,
//! and tokens whose bytes cannot stand in a header. `room-auth`'s own test has them all.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use futures_util::StreamExt as _;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use room_auth::Clock;
use room_tests::client::{Answer, Client};
use room_tests::issuer::FORM;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::embedded::Embedded;

const TOKENS: &str = include_str!("../../../room-auth/tests/corpus/tokens.jsonl");
const KEY_SETS: &str = include_str!("../../../room-auth/tests/corpus/jwks.json");
const POLICY: &str = include_str!("../../../room-auth/tests/corpus/policy.json");

/// The moment of nearly all rows.
const USUAL: u64 = 1_800_000_000;

/// A world keeps its keys for longer than this.
const ONE_WORLD_SECONDS: u64 = 1_000;

/// How many Rooms run at once.
const AT_ONCE: usize = 4;

#[derive(Clone, Debug, Deserialize)]
struct Row {
    name: String,
    setup: String,
    jwks: Option<String>,
    source: String,
    now: u64,
    expect: String,
    status: Option<u16>,
    role: Option<String>,
    subject: Option<String>,
    token: String,
}

impl Row {
    /// Which rows are judged by the same Room.
    fn world(&self) -> (String, Option<String>, u64) {
        let is_usual = self.now.abs_diff(USUAL) < ONE_WORLD_SECONDS;
        (self.setup.clone(), self.jwks.clone(), if is_usual { USUAL } else { self.now })
    }

    /// As it stands in a header; nothing if it cannot.
    fn header(&self) -> Option<HeaderValue> {
        // HTTP drops blanks around it (RFC 9110, sections 5.5 and 11.4): another token would arrive.
        if self.source != "bearer" || self.token.trim() != self.token {
            return None;
        }
        HeaderValue::from_bytes(format!("Bearer {}", self.token).as_bytes()).ok()
    }

    fn can_be_sent(&self) -> bool {
        self.source == "logout" || self.header().is_some()
    }

    fn accepts(&self) -> bool {
        self.expect == "accept"
    }

    /// The statuses an answer may have.
    fn statuses(&self) -> Vec<u16> {
        match (self.source.as_str(), self.status) {
            _ if self.accepts() => vec![200],
            // OpenID Connect Back-Channel Logout, section 2.8.
            ("logout", Some(503)) => vec![503],
            ("logout", _) => vec![400],
            // Longer than all headers may be together: refused before anybody reads a token.
            _ if self.token.len() > 12 * 1024 => vec![400, 431],
            // No JWT at all: one of Room's own bearers perhaps, and then an unknown one.
            (_, Some(400)) if !self.token.contains('.') => vec![400, 401],
            (_, status) => vec![status.expect("a refused row has a status")],
        }
    }
}

/// A clock that shows what it is told.
struct SetClock {
    start: Instant,
    unix_seconds: AtomicU64,
}

impl Clock for SetClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.unix_seconds.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Instant {
        self.start
    }
}

/// Serves each key set of the corpus under its name; gives the address.
async fn serve_keys() -> String {
    let all: HashMap<String, Value> = serde_json::from_str(KEY_SETS).unwrap();
    let answer = |State(all): State<Arc<HashMap<String, Value>>>, Path(name): Path<String>| async move {
        match all.get(&name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(document) => Ok(document.to_string()),
            None => Err(StatusCode::NOT_FOUND),
        }
    };
    let router = Router::new().route("/{name}", get(answer)).with_state(Arc::new(all));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// The settings and the `room.toml` of a world.
fn configured(setup: &str, jwks: Option<&str>, keys: &str) -> (Vec<(String, String)>, String) {
    let policy: Value = serde_json::from_str(POLICY).unwrap();
    let mut settings = vec![
        ("ROOM_INSTANCE_ID".to_owned(), policy["instance"].as_str().unwrap().to_owned()),
        ("ROOM_ALLOW_LOOPBACK_JWKS".to_owned(), "1".to_owned()),
    ];
    let mut toml = String::new();
    for issuer in policy["setups"][setup].as_array().unwrap() {
        let text = |name: &str| issuer[name].as_str().unwrap();
        if issuer["kind"] == "legacy_hmac" {
            let secrets: Vec<_> =
                issuer["secrets"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            settings.push(("ROOM_JWT_SECRET".to_owned(), secrets.join(",")));
            settings.push(("ROOM_ALLOW_LEGACY_HMAC".to_owned(), "1".to_owned()));
        } else {
            let service = setup == "revoked" || issuer["service"] == true;
            let jwks_url = format!("{keys}/{}", jwks.unwrap_or_else(|| text("jwks")));
            let lines = [
                "[[issuer]]".to_owned(),
                format!("issuer = {:?}", text("issuer")),
                format!("audience = {:?}", text("audience")),
                format!("jwks_url = {jwks_url:?}"),
                format!("service = {service}\n"),
            ];
            toml.push_str(&lines.join("\n"));
        }
    }
    (settings, toml)
}

/// Sends one row's token to where it belongs.
async fn send(client: &Client, row: &Row) -> Answer {
    let request = if row.source == "logout" {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        assert!(row.token.bytes().all(plain), "{}: no escapes are written here", row.name);
        let request = client.anonymous(Method::POST, "/api/auth/backchannel-logout");
        request.header(CONTENT_TYPE, FORM).body(format!("logout_token={}", row.token))
    } else {
        let value = row.header().expect("rows that cannot be sent are left out");
        client.anonymous(Method::GET, "/api/auth/verify").header(AUTHORIZATION, value)
    };
    Answer::of(request).await
}

/// What is wrong with the answer, if anything.
fn fault(row: &Row, answer: &Answer) -> Option<String> {
    let status = answer.status.as_u16();
    if !row.statuses().contains(&status) {
        return Some(format!(
            "{}: {status} ({}), not {:?}",
            row.name,
            answer.code(),
            row.statuses()
        ));
    }
    let is_person = row.role.as_deref() != Some("service") && row.source == "bearer";
    if row.accepts() && is_person {
        let body = &answer.body;
        let as_told = body["role"].as_str() == row.role.as_deref()
            && body["subject"].as_str() == row.subject.as_deref();
        if !as_told {
            return Some(format!("{}: let in as {} {}", row.name, body["subject"], body["role"]));
        }
    }
    None
}

/// Judges the rows of one world; the faults.
async fn judge(keys: &str, rows: &[Row]) -> Vec<String> {
    let (setup, jwks, now) = rows[0].world();
    let (settings, toml) = configured(&setup, jwks.as_deref(), keys);
    let clock = Arc::new(SetClock { start: Instant::now(), unix_seconds: AtomicU64::new(now) });
    let mut room = Embedded::start(clock.clone(), &settings, Some(&toml)).await;
    if rows.iter().any(|row| row.status != Some(503)) {
        room = room.with_keys().await;
    }
    if setup == "revoked" {
        revoke(&room.client).await;
    }
    let mut faults = Vec::new();
    for row in rows {
        clock.unix_seconds.store(row.now, Ordering::Relaxed);
        faults.extend(fault(row, &send(&room.client, row).await));
    }
    room.end().await;
    faults
}

/// Revokes what the world `revoked` has revoked, as the corpus' own service says.
async fn revoke(client: &Client) {
    let policy: Value = serde_json::from_str(POLICY).unwrap();
    let revoked = &policy["setups"]["revoked"][0]["revoked"];
    assert_eq!(revoked["notBefore"], USUAL - 30);
    let not_before = "2027-01-15T07:59:30Z";
    let service = rows().into_iter().find(|row| row.role.as_deref() == Some("service")).unwrap();
    for what in ["tokenId", "subject", "keyId"] {
        let request = client.bearing(&service.token, Method::POST, "/api/access/revoke");
        let body = json!({ what: revoked[what], "notBefore": not_before });
        let answer = Answer::of(request.json(&body)).await;
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
    }
}

fn rows() -> Vec<Row> {
    TOKENS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows that can be sent, by world.
fn worlds() -> Vec<Vec<Row>> {
    let (access, all): (Vec<_>, Vec<_>) = rows().into_iter().partition(|row| row.setup == "access");
    let (sent, unsent): (Vec<_>, Vec<_>) = all.into_iter().partition(Row::can_be_sent);
    let (access, unsent) = (access.len(), unsent.len());
    let accepted = sent.iter().filter(|row| row.accepts()).count();
    assert!(access < 60 && unsent < 10, "{access} and {unsent} are left out");
    assert!(sent.len() > 1_150 && accepted > 250, "{} are sent, {accepted} good", sent.len());
    let mut worlds: BTreeMap<_, Vec<Row>> = BTreeMap::new();
    for row in sent {
        worlds.entry(row.world()).or_default().push(row);
    }
    worlds.into_values().collect()
}

async fn judge_all(worlds: impl Iterator<Item = Vec<Row>>) {
    let keys = serve_keys().await;
    let judge = |rows: Vec<Row>| {
        let keys = keys.clone();
        async move { judge(&keys, &rows).await }
    };
    let judged = futures_util::stream::iter(worlds).map(judge).buffer_unordered(AT_ONCE);
    let faults: Vec<String> = judged.flat_map(futures_util::stream::iter).collect().await;
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn has_usual_keys(rows: &[Row]) -> bool {
    rows[0].jwks.is_none()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_for_the_usual_keys_is_judged_over_http_as_its_row_says() {
    let worlds = worlds().into_iter().filter(|rows| has_usual_keys(rows));
    judge_all(worlds).await;
}

// Two hundred other key sets, each in a Room of its own: in two halves, for the time it takes.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_for_another_key_set_is_judged_over_http_as_its_row_says() {
    judge_all(worlds().into_iter().filter(|rows| !has_usual_keys(rows)).step_by(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_for_yet_another_key_set_is_judged_over_http_as_its_row_says() {
    judge_all(worlds().into_iter().filter(|rows| !has_usual_keys(rows)).skip(1).step_by(2)).await;
}

/// A checker that never complains would make every corpus green.
#[test]
fn the_checker_complains() {
    let answer = |status: u16, body: Value| Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: http::HeaderMap::new(),
        body,
    };
    for row in rows() {
        let right = json!({ "role": row.role, "subject": row.subject });
        let (good, bad) = if row.accepts() { (200, 401) } else { (row.statuses()[0], 200) };
        assert_eq!(fault(&row, &answer(good, right.clone())), None, "{}", row.name);
        assert!(fault(&row, &answer(bad, right)).is_some(), "{}", row.name);
        assert!(fault(&row, &answer(500, Value::Null)).is_some(), "{}", row.name);
        if row.accepts() && row.source == "bearer" && row.role.as_deref() != Some("service") {
            let other = json!({ "role": row.role, "subject": "somebody-else" });
            assert!(fault(&row, &answer(200, other)).is_some(), "{}", row.name);
        }
    }
}
