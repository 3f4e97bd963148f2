//! A Room's state, copied under load and restored elsewhere, by the real program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use reqwest::Method;
use room_auth::Role;
use room_auth::issuer::Grant;
use room_tests::app::{Answer, SOON, Setup};
use room_tests::client::Client;
use room_tests::eventually_async;
use room_tests::page::Page;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cloud::Hosted;

/// How many revocations are written before the backup, three rows of the log or more each; a longer
/// run sets `ROOM_BACKUP_ROWS`.
fn changes() -> usize {
    std::env::var("ROOM_BACKUP_ROWS").ok().and_then(|count| count.parse().ok()).unwrap_or(1000)
}

fn said(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}

fn run(mut command: Command) -> (bool, String) {
    let output = command.output().unwrap();
    (output.status.success(), said(&output))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Ends the token of that id, whenever it was or will be issued.
async fn revoke_token(room: &Hosted, id: &str) {
    let done = room.revoke(&json!({ "tokenId": id })).await;
    assert_eq!(done.status, 200, "{done:?}");
}

/// Revokes one name after another until told to stop, and says each that was acknowledged.
async fn write(
    client: &Client,
    token: &str,
    worker: usize,
    stop: &AtomicBool,
    done: &AtomicUsize,
) -> Vec<(String, Instant)> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let subject = format!("load-{worker}-{}", acknowledged.len());
        let request = client.bearing(token, Method::POST, "/api/access/revoke");
        let answer = Answer::of(request.json(&json!({ "subject": subject }))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        acknowledged.push((subject, Instant::now()));
        done.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

/// The names that the log says were revoked.
async fn revoked(client: &Client, token: &str) -> BTreeSet<String> {
    let request = client.bearing(token, Method::GET, "/api/activity.ndjson");
    let text = request.send().await.unwrap().text().await.unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["action"] == "access.revoke" && event["outcome"] == "ok")
        .map(|event| event["target"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn a_backup_under_load_is_complete_and_lets_nobody_back_in() {
    let there = Hosted::start().await;
    let mut here = Hosted::start().await;
    let old_token = there.plane.token(Role::Owner);
    let page = Page::signed_in(there.app.client(), &there.plane.token(Role::Owner), "desk").await;
    revoke_token(&there, "gone-there").await;
    revoke_token(&here, "gone-here").await;

    let file = there.app.data().with_file_name("room-backup.db");
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let service = there.plane.service_token();
    let client = there.app.client();
    let workers = futures_util::future::join_all(
        (0..8).map(|worker| write(client, &service, worker, &stop, &done)),
    );
    let backing_up = async {
        eventually_async("rows under load", SOON * 4, async || {
            (done.load(Ordering::Relaxed) >= changes()).then_some(())
        })
        .await;
        let mut command = there.app.command(&["backup", text(&file)]).unwrap();
        let began = Instant::now();
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let (during, ended) = (done.load(Ordering::Relaxed), Instant::now());
        // The load goes on past the end of it.
        eventually_async("rows after it", SOON, async || {
            (done.load(Ordering::Relaxed) > during).then_some(())
        })
        .await;
        stop.store(true, Ordering::Relaxed);
        (began, ended, output)
    };
    let (acknowledged, (began, ended, output)) = tokio::join!(workers, backing_up);
    assert!(output.status.success(), "{}", said(&output));
    let acknowledged: Vec<(String, Instant)> = acknowledged.into_iter().flatten().collect();
    let before: BTreeSet<String> = acknowledged
        .iter()
        .filter(|(_, at)| *at <= began)
        .map(|(subject, _)| subject.clone())
        .collect();
    assert!(before.len() >= changes(), "{}", before.len());
    let meanwhile = acknowledged.iter().filter(|(_, at)| *at > began && *at <= ended).count();
    assert!(meanwhile > 0, "others were served while the copy was made");

    // On another machine, whose own Room is stopped first.
    let (good, refused) = run(here.app.command(&["restore", text(&file)]).unwrap());
    assert!(!good && refused.contains("stop it first"), "{refused}");
    here.app.signal(Signal::TERM);
    assert!(here.app.wait().success());
    let (good, report) = run(here.app.command(&["restore", text(&file)]).unwrap());
    assert!(good, "{report}");
    assert!(report.contains("signed out (1 devices)"), "{report}");
    assert!(report.contains("1 revocations of the earlier database"), "{report}");
    for (name, value) in there.plane.settings() {
        here.app.set(&name, &value);
    }
    here.app.start().await.unwrap();
    crate::cloud::embedded::keys_are_there(here.app.client()).await;

    // A token says to the second when it was issued.
    let owner = eventually_async("a fresh token is good", SOON, async || {
        let token = there.plane.token(Role::Owner);
        (status(here.app.client(), &token).await == 200).then_some(token)
    })
    .await;
    let kept = revoked(here.app.client(), &owner).await;
    let lost: Vec<&String> = before.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} rows are not there: {lost:?}", lost.len(), before.len());
    assert_eq!(status(here.app.client(), &old_token).await, 401, "a token of before");
    let mut request = here.app.anonymous(Method::GET, "/api/auth/verify");
    request = request.header("cookie", page.cookie().unwrap());
    assert_eq!(Answer::of(request).await.status, 401, "a device of before");
    for name in ["gone-there", "gone-here"] {
        let token = there.plane.mint(&Grant::person("ada", Role::Owner).token_id(name));
        assert_eq!(status(here.app.client(), &token).await, 401, "{name}");
    }
    let stays = there.plane.mint(&Grant::person("ada", Role::Owner));
    assert_eq!(status(here.app.client(), &stays).await, 200);
}

async fn status(client: &Client, token: &str) -> u16 {
    let request = client.bearing(token, Method::GET, "/api/auth/verify");
    Answer::of(request).await.status.as_u16()
}

#[tokio::test]
async fn a_backup_over_http_takes_no_path_and_leaves_nothing_behind() {
    let app = Setup::new().unwrap().start().await.unwrap();
    let copies = app.data().join("backups");
    for _ in 0..3 {
        // Asked for, and not read to its end; the next one waits until that was noticed.
        let answer = eventually_async("its turn", SOON, async || {
            let asked = app.request(Method::POST, "/api/instance/backup").send().await.unwrap();
            (asked.status() == 200).then_some(asked)
        })
        .await;
        assert_eq!(answer.headers()["content-type"], "application/vnd.sqlite3");
        drop(answer);
    }
    assert_eq!(fs::read_dir(&copies).unwrap().count(), 0);
    let body = eventually_async("its turn", SOON, async || {
        let answer = app.request(Method::POST, "/api/instance/backup").send().await.unwrap();
        let length = answer.content_length();
        let body = (answer.status() == 200).then_some(answer)?.bytes().await.unwrap();
        assert_eq!(length, Some(body.len() as u64));
        Some(body)
    })
    .await;
    assert!(body.starts_with(b"SQLite format 3\0"));
    let file = app.data().with_file_name("over-http.db");
    fs::write(&file, &body).unwrap();
    let other = Setup::new().unwrap();
    let (good, report) = run(other.command(&["restore", text(&file)]).unwrap());
    assert!(good && !report.contains("kept"), "nothing was there before: {report}");
    let (good, report) = run(app.command(&["backup", text(&file)]).unwrap());
    assert!(!good && report.contains("left as it is"), "{report}");
    assert_eq!(fs::read(&file).unwrap(), body);
    let log = app.get("/api/activity?kind=instance").await.body;
    let made = log["events"].as_array().unwrap().iter();
    assert!(made.filter(|event| event["action"] == "instance.backup").count() >= 4, "{log:#}");
}

/// How often a restore is killed.
const KILLS: u32 = 16;

#[tokio::test]
async fn a_killed_restore_leaves_the_old_or_the_new() {
    let mut app = Setup::new().unwrap().start().await.unwrap();
    let folder = app.data().parent().unwrap().to_owned();
    let early = folder.join("early.db");
    let (good, report) = run(app.command(&["backup", text(&early)]).unwrap());
    assert!(good, "{report}");
    for _ in 0..40 {
        let link = run(app.command(&["token"]).unwrap());
        assert!(link.0, "{}", link.1);
    }
    app.signal(Signal::TERM);
    assert!(app.wait().success());
    let last = |name: u32| -> u64 {
        let file: PathBuf = folder.join(format!("look-{name}.db"));
        let (good, report) = run(app.command(&["backup", text(&file)]).unwrap());
        assert!(good, "{report}");
        let event = report.split("complete to event ").nth(1).unwrap();
        event.split(' ').next().unwrap().parse().unwrap()
    };
    let late = folder.join("late.db");
    let (good, report) = run(app.command(&["backup", text(&late)]).unwrap());
    assert!(good, "{report}");
    let old = last(1000);
    assert!(old > 40, "{old}");
    let started = Instant::now();
    let (good, report) = run(app.command(&["restore", text(&early)]).unwrap());
    assert!(good, "{report}");
    let takes = started.elapsed();
    let new = last(1001);
    assert!(new < 40, "{new}");
    let (mut olds, mut news) = (0, 0);
    for round in 0..KILLS {
        let (good, report) = run(app.command(&["restore", text(&late)]).unwrap());
        assert!(good, "{report}");
        let before = last(2000 + round);
        let mut command = app.command(&["restore", text(&early)]).unwrap();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Another moment of its work each time; nothing is waited for.
        std::thread::sleep(takes * round / KILLS);
        child.kill().unwrap();
        child.wait().unwrap();
        match last(round) {
            found if found == before => olds += 1,
            found if found == new => news += 1,
            other => panic!("neither {before} nor {new}: {other}, round {round}"),
        }
        let left: Vec<_> = fs::read_dir(app.data())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("restor"))
            .collect();
        assert!(left.is_empty(), "the next one cleans up: {left:?}");
    }
    assert!(olds > 0, "killed {KILLS} times: {olds} old, {news} new");
    app.start().await.unwrap();
    assert!(app.get("/api/status").await.status.is_success());
}
