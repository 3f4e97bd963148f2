//! What is left when the server goes, however it goes.

use std::time::Duration;

use room_tests::app::{SOON, Setup};
use room_tests::clis::fake_clis;
use room_tests::eventually;
use room_tests::fake::{Control, Scenario};
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
async fn ctrl_c_leaves_nothing() {
    let clis = fake_clis().unwrap();
    let setup = Setup::new().unwrap().search(&clis.path().display().to_string());
    Control::new(setup.home().path()).play("codex", &Scenario::Grandchildren);
    let (app, mut terminal) = setup.start_in_terminal().await.unwrap();
    let session = app.connect("codex").await;
    app.session_until(id(&session), |view| view["deviceCode"].is_string()).await;
    assert!(app.descendants().len() >= 2, "{:?}", app.descendants());
    terminal.send("\x03").unwrap();
    assert!(terminal.wait(SOON).success(), "{}", terminal.output());
    assert_eq!(app.descendants(), []);
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
async fn a_server_that_is_killed_as_a_sign_in_starts_leaves_nothing_either() {
    let mut room = Room::playing("codex", &Scenario::BareGrandchildren).await;
    room.sign_in_claude().await;
    let moments: [fn(&Room) -> bool; 3] = [
        |_| true,
        |room| !room.app.descendants().is_empty(),
        |room| room.app.descendants().iter().any(|process| process.command.contains("__linger")),
    ];
    for reached in moments {
        room.app.connect("codex").await;
        eventually(SOON, || reached(&room).then_some(()));
        room.app.signal(Signal::KILL);
        room.app.wait();
        room.app.start().await.unwrap();
        eventually(SOON, || room.app.descendants().is_empty().then_some(()));
    }
    let claude = room.app.provider_status("claude").await;
    assert_eq!(claude["connected"], true, "{claude:#}");
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
