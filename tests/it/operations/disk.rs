//! A disk that takes nothing more: nothing new begins, everything can be stopped and read, it is
//! told, and it is over once there is room again.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use reqwest::{Method, StatusCode};
use room_tests::app::{Answer, SOON, Setup, TestApp};
use room_tests::disk::{FragileDisk, SmallDisk};
use room_tests::eventually_async;
use room_tests::metrics::Samples;
use serde_json::{Value, json};

use crate::room::{Room, id};

/// A Room whose data directory can be a disk of its own.
pub(super) fn setup() -> Setup {
    let setup = Setup::new().unwrap().var("ROOM_METRICS_BIND", "127.0.0.1:0");
    fs::DirBuilder::new().mode(0o700).create(setup.data()).unwrap();
    setup
}

/// Fills a disk to its last byte.
pub(super) fn fill(disk: &Path) {
    for size in [1 << 16, 1 << 12, 1] {
        let mut filler = vec![0; size];
        filler.fill(b'x');
        let place = disk.join(format!("filler-{size}"));
        let mut file = fs::File::create(place).unwrap();
        while std::io::Write::write_all(&mut file, &filler).is_ok() {}
    }
}

pub(super) fn clear(disk: &Path) {
    for size in [1 << 16, 1 << 12, 1] {
        fs::remove_file(disk.join(format!("filler-{size}"))).unwrap();
    }
}

async fn ready(app: &TestApp) -> (StatusCode, Value) {
    let answer = Answer::of(app.anonymous(Method::GET, "/readyz")).await;
    (answer.status, answer.body)
}

fn names(body: &Value, list: &str) -> Vec<String> {
    let names = body[list].as_array().unwrap().iter();
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Waits until readiness names the disk as failing.
async fn assert_disk_fails(app: &TestApp) {
    eventually_async("readiness names the disk", SOON, async || {
        let (status, body) = ready(app).await;
        let named = names(&body, "failed").contains(&"disk".to_owned());
        (status == StatusCode::SERVICE_UNAVAILABLE && named).then_some(())
    })
    .await;
    let healthy = app.anonymous(Method::GET, "/healthz").send().await.unwrap();
    assert_eq!(healthy.status(), StatusCode::OK, "alive all the same");
}

/// Nothing begins, and everything else goes on. `live` is a sign-in from before.
async fn assert_stops_and_reads(room: &Room, live: &Value) {
    let app = &room.app;
    let refused = app.post("/api/providers/claude/connect", &json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (503, "audit_unavailable"));
    assert!(refused.header("retry-after").is_some());
    for path in ["/api/status", "/api/providers/status", "/api/activity", "/api/auth/verify"] {
        assert_eq!(app.get(path).await.status, StatusCode::OK, "{path}");
    }
    let canceled = app.cancel(id(live)).await;
    assert_eq!(canceled.status, StatusCode::OK, "{canceled:?}");
    assert_eq!(canceled.body["session"]["status"], "canceled", "{canceled:?}");
    assert_eq!(app.descendants(), []);
    let numbers = Samples::of(app).await;
    assert!(numbers.sum("room_check_failing", &[("check", "disk")]) > 0.5);
    assert!(numbers.sum("room_audit_failures_total", &[]) > 0.5);
}

#[tokio::test]
async fn a_full_disk_stops_what_is_new_and_is_over_when_there_is_room() {
    let setup = setup();
    let test = "a_full_disk_stops_what_is_new_and_is_over_when_there_is_room";
    let Some(disk) = SmallDisk::mount(test, setup.data(), 8 << 20) else { return };
    let room = Room::from(setup).await;
    let (status, body) = ready(&room.app).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(names(&body, "degraded"), ["disk"], "there is little room");
    let live = room.codex_code().await;
    fill(disk.path());
    assert_disk_fails(&room.app).await;
    assert_stops_and_reads(&room, &live).await;
    clear(disk.path());
    eventually_async("ready again", SOON, async || {
        (ready(&room.app).await.0 == StatusCode::OK).then_some(())
    })
    .await;
    room.sign_in_codex().await;
    // What happened meanwhile is told afterwards.
    eventually_async("the cancel is in the log", SOON, async || {
        let listed = room.app.get("/api/activity?limit=200").await.body;
        let events = listed["events"].as_array().unwrap();
        events.iter().any(|event| event["action"] == "provider.cancel").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_became_read_only_stops_what_is_new() {
    let setup = setup();
    let file = setup.home().path().join("disk");
    let test = "a_disk_that_became_read_only_stops_what_is_new";
    let Some(disk) = FragileDisk::mount(test, &file, setup.data()) else { return };
    let room = Room::from(setup).await;
    let live = room.codex_code().await;
    disk.fail();
    assert_disk_fails(&room.app).await;
    assert_stops_and_reads(&room, &live).await;
}
