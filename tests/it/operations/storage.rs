//! A database that is not what a Room left: the real program comes up, says so, and loses no more
//! than it must.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use reqwest::Method;
use room_auth::Role;
use room_tests::app::{Answer, TestApp};
use room_tests::eventually_async;
use rustix::process::Signal;
use serde_json::Value;

use crate::cloud::Hosted;
use crate::cloud::embedded::keys_are_there;

/// A hosted Room with some history and two copies of its own, the newest of them damaged itself.
struct Stopped {
    room: Hosted,
    database: PathBuf,
    before: i64,
}

impl Stopped {
    async fn with_backups(backups: bool) -> Self {
        let mut room = Hosted::start().await;
        for _ in 0..5 {
            let done = room.revoke(&serde_json::json!({ "tokenId": "some" })).await;
            assert_eq!(done.status, 200, "{done:?}");
        }
        let before = last_event(&room).await;
        if backups {
            let folder = room.app.data().join("backups");
            fs::create_dir_all(&folder).unwrap();
            let copy = folder.join("room-20261101T000000Z.db");
            let output =
                room.app.command(&["backup", copy.to_str().unwrap()]).unwrap().output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let torn = folder.join("room-20261102T000000Z.db");
            fs::write(&torn, "torn").unwrap();
            fs::set_permissions(&torn, fs::Permissions::from_mode(0o600)).unwrap();
        }
        room.app.signal(Signal::TERM);
        assert!(room.app.wait().success());
        let database = room.app.data().join("room.db");
        Self { room, database, before }
    }

    /// Starts it on what is there now, and gives the names of what was set aside.
    async fn start(&mut self) -> Vec<String> {
        self.room.app.start().await.unwrap();
        keys_are_there(self.room.app.client()).await;
        set_aside(self.room.app.data())
    }

    fn stop(&mut self) {
        self.room.app.signal(Signal::TERM);
        assert!(self.room.app.wait().success());
    }
}

fn set_aside(data: &Path) -> Vec<String> {
    let names = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| name.contains("damaged")).collect()
}

/// A token from before a restore is refused, so a fresh one is waited for.
async fn owner(room: &Hosted) -> String {
    eventually_async("a fresh token is good", room_tests::app::SOON, async || {
        let token = room.plane.token(Role::Owner);
        (room.status_of(&token).await == 200).then_some(token)
    })
    .await
}

async fn events(room: &Hosted) -> Vec<Value> {
    let token = owner(room).await;
    let request = room.app.client().bearing(&token, Method::GET, "/api/activity?limit=200");
    Answer::of(request).await.body["events"].as_array().unwrap().clone()
}

async fn last_event(room: &Hosted) -> i64 {
    events(room).await.last().unwrap()["seq"].as_i64().unwrap()
}

async fn degraded(app: &TestApp) -> (u16, String) {
    let answer = Answer::of(app.anonymous(Method::GET, "/readyz")).await;
    (answer.status.as_u16(), answer.body["degraded"].to_string())
}

/// Ways in which a database is found, by what they leave of its bytes.
fn damages(sound: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    let mut flipped = sound.to_vec();
    for byte in &mut flipped[4096..] {
        *byte ^= 0x5a;
    }
    let mut header = sound.to_vec();
    header[..16].fill(0);
    [
        ("bytes flipped", flipped),
        ("its head overwritten", header),
        ("cut in half", sound[..sound.len() / 2].to_vec()),
        ("empty", Vec::new()),
    ]
}

#[tokio::test]
async fn a_damaged_database_gives_way_to_the_newest_sound_copy() {
    let mut stopped = Stopped::with_backups(true).await;
    let old_token = stopped.room.plane.token(Role::Owner);
    let sound = fs::read(&stopped.database).unwrap();
    for (how, bytes) in damages(&sound) {
        fs::write(&stopped.database, &bytes).unwrap();
        let aside = stopped.start().await;
        assert_eq!(aside.len(), 1, "{how}: {aside:?}");
        let kept = stopped.room.app.data().join(&aside[0]);
        assert_eq!(fs::read(&kept).unwrap(), bytes, "{how}: kept as it was");
        let (status, degraded) = degraded(&stopped.room.app).await;
        assert!(status == 200 && degraded.contains("database"), "{how}: {status} {degraded}");
        assert!(stopped.room.app.log().contains(&aside[0]), "{how}: the log names it");
        assert_eq!(stopped.room.status_of(&old_token).await, 401, "{how}: a token of before");
        let events = events(&stopped.room).await;
        assert!(events.iter().any(|event| event["seq"] == stopped.before), "{how}: the copy's");
        let told = events.iter().find(|event| event["action"] == "instance.set_aside").unwrap();
        assert_eq!(told["detail"]["reason"], "own_backup", "{how}");
        let doctor = stopped.room.app.command(&["doctor"]).unwrap().output().unwrap();
        let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(said.contains(&aside[0]) && doctor.status.success(), "{how}: {said}");
        stopped.stop();
        // Once it was looked at, and the file is gone, all is well.
        fs::remove_file(kept).unwrap();
    }
    stopped.start().await;
    assert!(!degraded(&stopped.room.app).await.1.contains("database"));
}

#[tokio::test]
async fn without_a_copy_the_room_begins_anew_and_lets_no_old_token_in() {
    let mut stopped = Stopped::with_backups(false).await;
    let old_token = stopped.room.plane.token(Role::Owner);
    let sound = fs::read(&stopped.database).unwrap();
    for (how, bytes) in damages(&sound) {
        fs::write(&stopped.database, &bytes).unwrap();
        let aside = stopped.start().await;
        assert_eq!(aside.len(), 1, "{how}: {aside:?}");
        assert_eq!(
            stopped.room.status_of(&old_token).await,
            401,
            "{how}: nobody knows who was out"
        );
        let events = events(&stopped.room).await;
        let told = events.iter().find(|event| event["action"] == "instance.set_aside").unwrap();
        assert_eq!(told["detail"]["reason"], "begun_anew", "{how}");
        stopped.stop();
        fs::remove_file(stopped.room.app.data().join(&aside[0])).unwrap();
    }
}

/// A log that was cut short at any point: what is left of it is folded in, or the database counts
/// as lost; the server comes up either way.
#[tokio::test]
async fn a_log_that_was_cut_short_keeps_nobody_from_starting() {
    let mut stopped = Stopped::with_backups(false).await;
    stopped.start().await;
    let done = stopped.room.revoke(&serde_json::json!({ "tokenId": "another" })).await;
    assert_eq!(done.status, 200, "{done:?}");
    stopped.room.app.signal(Signal::KILL);
    stopped.room.app.wait();
    let log = stopped.database.with_file_name("room.db-wal");
    let (main, whole) = (fs::read(&stopped.database).unwrap(), fs::read(&log).unwrap());
    assert!(whole.len() > 4096, "a killed server leaves its log");
    let mut torn = whole.clone();
    let middle = torn.len() / 2;
    torn[middle..middle + 512].fill(0x5a);
    for bytes in [&whole[..whole.len() - 100], &whole[..whole.len() / 2], &whole[..20], &torn] {
        fs::write(&stopped.database, &main).unwrap();
        fs::write(&log, bytes).unwrap();
        let aside = stopped.start().await;
        assert!(aside.is_empty(), "what was folded in before is there: {aside:?}");
        assert!(last_event(&stopped.room).await >= stopped.before);
        stopped.room.app.signal(Signal::KILL);
        stopped.room.app.wait();
    }
    // Everything was in the log, and the log is gone.
    fs::write(&stopped.database, &main[..0]).unwrap();
    fs::write(&log, &whole[..20]).unwrap();
    assert_eq!(stopped.start().await.len(), 2, "the database and its log");
}
