//! What is left when the server goes, however it goes.

use std::time::Duration;

use room_tests::app::{SOON, Setup};
use room_tests::clis::fake_clis;
use room_tests::fake::{Control, Scenario};
use room_tests::{eventually, not_run};
use rustix::process::Signal;

use crate::room::{Room, id};

/// What is promised; half of it is usual.
const STOPS_WITHIN: Duration = room_runtime::server::STOPS_WITHIN;

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
        assert!(start.elapsed() < STOPS_WITHIN, "{:?}\n{log}", start.elapsed());
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
        let scratch = || std::fs::read_dir(room.app.home().codex()).unwrap().count();
        eventually(SOON, || (scratch() <= 1).then_some(()));
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

/// The first process of a container inherits every orphan in it: none may stay a zombie, and the
/// server's end is the container's.
#[tokio::test]
async fn as_the_first_process_of_a_container_it_waits_for_orphans() {
    let here = std::process::Command::new("unshare").args(["--pid", "--fork", "true"]).status();
    if !here.is_ok_and(|status| status.success()) {
        not_run("the first process of a container", "only root may make one");
        return;
    }
    let clis = fake_clis().unwrap();
    let setup = Setup::new().unwrap().search(&format!("{}:/usr/bin:/bin", clis.path().display()));
    // A test looks at a sign-in more often than any page.
    let setup = setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "off");
    Control::new(setup.home().path()).play("codex", &Scenario::Grandchildren);
    let container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let mut app = setup.start_below(&container).await.unwrap();
    let session = app.connect("codex").await;
    app.session_until(id(&session), |view| view["deviceCode"].is_string()).await;
    let first = child_of(app.pid(), "serve").expect("the first process");
    let server = child_of(first, "serve").expect("the server below it");
    let launchers = || children(server).into_iter().filter(|(_, line)| line.contains("__child"));
    // Others ask a program how it stands, and go by themselves.
    let signs_in = |(pid, _): &(u32, String)| {
        let below = children(*pid);
        below.iter().any(|(_, line)| line.contains("login") && !line.contains("status"))
    };
    // Without its launcher, the daemon that left the session becomes the first process's child.
    let (launcher, _) = eventually(SOON, || launchers().find(signs_in));
    kill(launcher, Signal::KILL);
    app.session_until(id(&session), |view| view["active"] == false).await;
    let zombies = || all_below(first).into_iter().filter(|pid| state(*pid) == Some('Z')).count();
    eventually(SOON, || (launchers().next().is_none() && zombies() == 0).then_some(()));
    eventually(SOON, || (children(first).len() == 1).then_some(()));
    // Told to end, it hands that on, and ends as the server does.
    kill(first, Signal::TERM);
    let status = app.wait();
    assert!(status.success(), "{status}: {}", app.log());
    assert_eq!(app.descendants(), []);
}

pub(crate) fn kill(pid: u32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

pub(crate) fn children(pid: u32) -> Vec<(u32, String)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<u32> = lists
        .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|pid| pid.parse().ok())
        .collect();
    let line = |pid: u32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    pids.into_iter().map(|pid| (pid, String::from_utf8_lossy(&line(pid)).into_owned())).collect()
}

fn child_of(pid: u32, word: &str) -> Option<u32> {
    eventually(SOON, || {
        let found = children(pid).into_iter().find(|(_, line)| line.contains(word));
        Some(found.map(|(pid, _)| pid))
    })
}

fn all_below(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut next = 0;
    while next < all.len() {
        let found = children(all[next]).into_iter().map(|(pid, _)| pid);
        all.extend(found);
        next += 1;
    }
    all
}

fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}
