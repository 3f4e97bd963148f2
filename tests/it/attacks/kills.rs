//! `kill -9` again and again while much is going on: what was acknowledged is there afterwards, the
//! database is sound, and no program is left.
//!
//! `ROOM_KILLS` says how many times; a hundred before a release, fewer here.

#![expect(clippy::print_stdout, reason = "the figures are half of what these tests are for")]

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use reqwest::Method;
use room_auth::Role;
use room_auth::issuer::Grant;
use room_tests::app::{Answer, SOON, TestApp};
use room_tests::fake::Scenario;
use room_tests::{eventually, eventually_async};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Mode, Rig};
use crate::cloud::embedded::keys_are_there;
use crate::room::id;

/// How many times, unless the environment says otherwise.
const KILLS: usize = 6;

/// How soon nothing is left of a killed server is promised; a busy machine takes longer, and the
/// test reads every process of the machine to see it.
const NOTHING_LEFT: Duration = Duration::from_secs(3);

/// What the server has said that it did.
#[derive(Default)]
struct Acknowledged {
    /// Texts that a row of the log must have.
    rows: Vec<String>,
    /// Cookies of devices.
    devices: Vec<String>,
    /// How many keys were removed; their rows look all alike.
    removals: usize,
}

fn moment() -> Duration {
    let mut byte = [0; 2];
    getrandom::fill(&mut byte).unwrap();
    Duration::from_millis(100 + u64::from(u16::from_le_bytes(byte) % 900))
}

/// Sends; nothing once the server is gone.
async fn sent(request: reqwest::RequestBuilder) -> Option<(u16, Option<String>, Value)> {
    let answer = request.send().await.ok()?;
    let status = answer.status().as_u16();
    let cookie = answer.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
    let cookie = cookie.and_then(|cookie| Some(cookie.split_once(';')?.0.to_owned()));
    Some((status, cookie, answer.json().await.ok()?))
}

/// Opens sign-ins and cancels them, until the server is gone.
async fn sign_ins(app: &TestApp, said: &Mutex<Acknowledged>) {
    let path = "/api/providers/codex/connect";
    while let Some((status, _, body)) = sent(app.request(Method::POST, path).json(&json!({}))).await
    {
        assert_eq!(status, 200, "{body}");
        let session = id(&body["session"]).to_owned();
        said.lock().unwrap().rows.push(session.clone());
        let cancel = format!("/api/providers/sessions/{session}/cancel");
        if sent(app.request(Method::POST, &cancel).json(&json!({}))).await.is_none() {
            return;
        }
    }
}

/// Removes a key that is not there, until the server is gone.
async fn removals(app: &TestApp, said: &Mutex<Acknowledged>) {
    let path = "/api/providers/claude/api-key";
    while let Some((status, _, body)) = sent(app.request(Method::DELETE, path)).await {
        assert_eq!(status, 200, "{body}");
        said.lock().unwrap().removals += 1;
    }
}

/// Signs devices in, each as a person of its own, until the server is gone.
async fn devices(rig: &Rig, from: usize, said: &Mutex<Acknowledged>) {
    for at in from.. {
        let subject = format!("person-{at}");
        let token = rig.plane.mint(&Grant::person(subject.clone(), Role::Owner));
        let client = rig.room.app.client();
        let request = client.bearing(&token, Method::POST, "/api/auth/session");
        let request = request.header("origin", "https://room.test").json(&json!({}));
        let Some((status, cookie, body)) = sent(request).await else { return };
        assert_eq!(status, 200, "{body}");
        let mut said = said.lock().unwrap();
        said.devices.push(cookie.expect("a cookie"));
        said.rows.push(subject);
    }
}

/// Revokes names that nobody has, until the server is gone.
async fn revocations(rig: &Rig, from: usize, said: &Mutex<Acknowledged>) {
    let token = rig.plane.service_token();
    for at in from.. {
        let subject = format!("revoked-{at}");
        let request = rig.room.app.client().bearing(&token, Method::POST, "/api/access/revoke");
        let Some((status, _, body)) = sent(request.json(&json!({ "subject": subject }))).await
        else {
            return;
        };
        assert_eq!(status, 200, "{body}");
        said.lock().unwrap().rows.push(subject);
    }
}

/// Looks at the database of a server that does not run, as `room doctor` does.
fn database_is_sound(app: &TestApp) {
    let output = app.command(&["doctor", "--json"]).unwrap().output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let all = said["findings"].as_array().unwrap();
    let of_it: Vec<&Value> = all.iter().filter(|one| one["name"] == "database").collect();
    assert!(!of_it.is_empty(), "{said:#}");
    for finding in of_it {
        assert_eq!(finding["level"], "ok", "{finding:#}");
    }
}

async fn kill_again_and_again(mode: Mode) {
    let kills = std::env::var("ROOM_KILLS").ok().and_then(|text| text.parse().ok());
    let kills = kills.unwrap_or(KILLS);
    let mut rig = Rig::start(mode).await;
    let said = Mutex::new(Acknowledged::default());
    let (mut slowest, mut slowest_start) = (Duration::ZERO, Duration::ZERO);
    let mut round = 0;
    loop {
        let scenario = [Scenario::Normal, Scenario::Grandchildren, Scenario::Stubborn];
        rig.room.control.play("codex", &scenario[round % 3]);
        let app = &rig.room.app;
        let (devices_before, rows_before) = {
            let said = said.lock().unwrap();
            (said.devices.len(), said.rows.len())
        };
        let kill = async {
            // The moment is what is tried, not something that is waited for.
            tokio::time::sleep(moment()).await;
            app.signal(Signal::KILL);
        };
        match mode {
            Mode::Local => drop(tokio::join!(sign_ins(app, &said), removals(app, &said), kill)),
            Mode::Cloud => drop(tokio::join!(
                sign_ins(app, &said),
                removals(app, &said),
                devices(&rig, devices_before, &said),
                revocations(&rig, rows_before, &said),
                kill
            )),
        }
        rig.room.app.wait();
        let start = Instant::now();
        eventually(SOON, || rig.room.app.descendants().is_empty().then_some(()));
        slowest = slowest.max(start.elapsed());
        database_is_sound(&rig.room.app);
        let start = Instant::now();
        rig.room.app.start().await.unwrap();
        slowest_start = slowest_start.max(start.elapsed());
        if mode == Mode::Cloud {
            keys_are_there(rig.room.app.client()).await;
            rig.room.app.act_as(rig.plane.token(Role::Owner));
        }
        round += 1;
        // A slow machine may be killed before it has acknowledged much: it is killed more often then.
        let much = said.lock().unwrap().rows.len() >= kills;
        let last = round >= kills && (much || round >= 4 * kills);
        // What came since the last kill; at the end all of it.
        let from = if last { (0, 0) } else { (rows_before, devices_before) };
        nothing_is_lost(&rig.room.app, &said, from).await;
        if last {
            break;
        }
    }
    let said = said.into_inner().unwrap();
    println!(
        "{mode}: {round} kills, {} rows, {} removals and {} devices acknowledged and there; nothing left of it \
         after {slowest:?}, back after {slowest_start:?}, each at most",
        said.rows.len(),
        said.removals,
        said.devices.len()
    );
    assert!(said.rows.len() >= kills, "{mode}: much was going on");
    assert!(slowest < NOTHING_LEFT * 3, "{mode}: {slowest:?}");
}

async fn nothing_is_lost(app: &TestApp, said: &Mutex<Acknowledged>, from: (usize, usize)) {
    let (rows, devices, removals) = {
        let said = said.lock().unwrap();
        (said.rows[from.0..].to_vec(), said.devices[from.1..].to_vec(), said.removals)
    };
    let text = eventually_async("the log", SOON, async || {
        let answer = app.request(Method::GET, "/api/activity.ndjson").send().await.ok()?;
        (answer.status() == 200).then_some(answer)?.text().await.ok()
    })
    .await;
    let words: BTreeSet<&str> = text.split('"').collect();
    let lost: Vec<&String> = rows.iter().filter(|row| !words.contains(row.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} rows are lost: {lost:?}", lost.len(), rows.len());
    let done = |line: &&str| line.contains("\"provider.remove_key\"") && line.contains("\"ok\"");
    let kept = text.lines().filter(done).count();
    assert!(kept >= removals, "{} of {removals} removals are lost", removals - kept);
    for cookie in devices {
        let request = app.anonymous(Method::GET, "/api/auth/verify").header("cookie", cookie);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 200, "a device is lost: {answer:?}");
    }
}

#[tokio::test]
async fn killed_again_and_again_a_room_loses_nothing_it_acknowledged() {
    kill_again_and_again(Mode::Local).await;
}

#[tokio::test]
async fn killed_again_and_again_a_hosted_room_loses_nothing_it_acknowledged() {
    kill_again_and_again(Mode::Cloud).await;
}
