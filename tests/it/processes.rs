//! What is left when the server goes, however it goes.

use std::time::Duration;

use room_tests::app::SOON;
use room_tests::eventually;
use room_tests::fake::Scenario;
use rustix::process::Signal;

use crate::room::{Room, id};

#[tokio::test]
async fn a_server_that_is_told_to_end_leaves_nothing() {
    for (signal, scenario) in [
        (Signal::INT, Scenario::Grandchildren),
        (Signal::TERM, Scenario::BareGrandchildren),
        (Signal::TERM, Scenario::Stubborn),
    ] {
        let mut room = Room::playing("codex", &scenario).await;
        room.codex_code().await;
        room.claude_prompt().await;
        assert!(!room.app.descendants().is_empty());
        let log = room.app.log();
        let start = std::time::Instant::now();
        room.app.signal(signal);
        let status = room.app.wait();
        assert!(status.success(), "{status}: {}", room.app.log());
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}\n{log}", start.elapsed());
        assert_eq!(room.app.descendants(), [], "{signal:?} {scenario}");
    }
}

#[tokio::test]
async fn a_server_that_is_killed_leaves_nothing_after_the_next_start() {
    for scenario in [Scenario::Normal, Scenario::Grandchildren, Scenario::Stubborn] {
        let mut room = Room::playing("codex", &scenario).await;
        room.sign_in_claude().await;
        let session = room.codex_code().await;
        room.app.signal(Signal::KILL);
        room.app.wait();
        room.app.start().await.unwrap();
        eventually(SOON, || room.app.descendants().is_empty().then_some(()));
        let answer = room.app.get(&format!("/api/providers/sessions/{}", id(&session))).await;
        if answer.status.is_success() {
            let session = &answer.body["session"];
            assert_eq!(session["status"], "failed", "{session:#}");
            assert_eq!(session["failure"]["code"], "server_restarted", "{session:#}");
        }
        let claude = room.app.provider_status("claude").await;
        assert_eq!(claude["connected"], true, "what was signed in stays: {claude:#}");
        let scratch = std::fs::read_dir(room.app.home().codex()).unwrap().count();
        assert!(scratch <= 1, "a scratch home stayed: {scratch}");
    }
}

#[tokio::test]
async fn another_rooms_login_lives_on() {
    let other = Room::start().await;
    let session = other.codex_code().await;
    let mut room = Room::start().await;
    room.codex_code().await;
    room.app.signal(Signal::KILL);
    room.app.wait();
    room.app.start().await.unwrap();
    eventually(SOON, || room.app.descendants().is_empty().then_some(()));
    other.control.approve();
    other.app.session_until(id(&session), |view| view["status"] == "completed").await;
}
