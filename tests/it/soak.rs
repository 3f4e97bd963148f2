//! The same thing many times: what a server holds at the end is what it held at the start.
//!
//! `ROOM_SOAK_LOGINS` and `ROOM_SOAK_KILLS` say how many times; a thousand and fifty before a
//! release, fewer here.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use room_tests::app::SOON;
use room_tests::eventually;
use room_tests::fake::Scenario;
use room_tests::vitals::Vitals;
use rustix::process::Signal;

use crate::room::{Room, id};

/// How many times, unless the environment says otherwise.
const LOGINS: usize = 40;
const KILLS: usize = 6;

/// Lines of the sign-ins that are kept to be read, and what an allocator keeps.
const GROWTH_KIB: u64 = 8 * 1024;

/// Threads for blocking work end after ten seconds without any.
const IDLE: Duration = Duration::from_secs(20);

fn times(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One sign-in, which ends in one of the ways there are.
async fn sign_in(room: &Room, round: usize) {
    let scenario = match round % 5 {
        3 => Scenario::Grandchildren,
        4 => Scenario::Dies,
        _ => Scenario::Normal,
    };
    room.control.play("codex", &scenario);
    let session = room.app.connect("codex").await;
    let over = |status: &'static str| move |view: &serde_json::Value| view["status"] == status;
    match round % 5 {
        4 => drop(room.app.session_until(id(&session), over("failed")).await),
        number => {
            let has_code = |view: &serde_json::Value| view["deviceCode"].is_string();
            room.app.session_until(id(&session), has_code).await;
            match number {
                1 => {
                    let answer = room.app.cancel(id(&session)).await;
                    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
                }
                2 => {
                    room.control.decline();
                    room.app.session_until(id(&session), over("failed")).await;
                }
                _ => {
                    room.control.approve();
                    room.app.session_until(id(&session), over("completed")).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn many_sign_ins_leave_nothing_behind() {
    let rounds = times("ROOM_SOAK_LOGINS", LOGINS);
    let room = Room::start().await;
    // All that is made once is made.
    for round in 0..10 {
        sign_in(&room, round).await;
    }
    let settled = |before: Option<Vitals>| {
        eventually(SOON, || room.app.descendants().is_empty().then_some(()));
        // A look at what is signed in may still be going on.
        let quiet = || Some(Vitals::of(room.app.pid())).filter(|now| now.children == 0);
        let now = eventually(SOON, quiet);
        before.map_or(now, |before| before.come_back(room.app.pid(), IDLE))
    };
    let before = settled(None);
    let start = Instant::now();
    for round in 0..rounds {
        sign_in(&room, round).await;
    }
    let took = start.elapsed();
    let after = settled(Some(before));
    eprintln!("{rounds} sign-ins in {took:?}: before {before:?}, after {after:?}");
    let grown = after.resident_kib.saturating_sub(before.resident_kib);
    assert!(grown < GROWTH_KIB, "{grown} KiB more: {before:?}, {after:?}");
    let scratch = std::fs::read_dir(room.app.home().codex()).unwrap().flatten();
    let scratch = scratch.filter(|entry| entry.file_type().unwrap().is_dir()).count();
    assert_eq!(scratch, 0, "a scratch home stayed");
}

/// A moment within a sign-in, from before it starts to after its end, other each time.
fn moment() -> Duration {
    let mut byte = [0; 2];
    getrandom::fill(&mut byte).unwrap();
    Duration::from_millis(u64::from(u16::from_le_bytes(byte) % 1200))
}

#[tokio::test]
async fn a_server_killed_at_any_moment_leaves_nothing_after_the_next_start() {
    let rounds = times("ROOM_SOAK_KILLS", KILLS);
    let mut room = Room::start().await;
    room.sign_in_claude().await;
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for round in 0..rounds {
        room.control.play("codex", &[Scenario::Normal, Scenario::Grandchildren][round % 2]);
        let session = room.app.connect("codex").await;
        room.control.approve();
        // The moment is what is tried, not something that is waited for.
        tokio::time::sleep(moment()).await;
        room.app.signal(Signal::KILL);
        room.app.wait();
        room.app.start().await.unwrap();
        eventually(SOON, || room.app.descendants().is_empty().then_some(()));
        let view = room.app.session(id(&session)).await;
        assert_eq!(view["active"], false, "{view:#}");
        let ending = view["failure"]["code"].as_str().unwrap_or("none").to_owned();
        assert!(matches!(&*ending, "none" | "server_restarted"), "{view:#}");
        *seen.entry(ending).or_default() += 1;
        let homes = || {
            let entries = std::fs::read_dir(room.app.home().codex()).into_iter().flatten();
            entries.flatten().filter(|entry| entry.file_type().unwrap().is_dir()).count()
        };
        eventually(SOON, || (homes() == 0).then_some(()));
        let claude = room.app.provider_status("claude").await;
        assert_eq!(claude["connected"], true, "what was signed in stays: {claude:#}");
        // The person's decision may be left over from a login that did not live to take it.
        let _ = std::fs::remove_file(room.app.home().path().join(".fake-cli/approve"));
    }
    eprintln!("{rounds} kills: {seen:?}");
}
