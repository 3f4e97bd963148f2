//! Alone in its process, so that what it counts is its own.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "terminals/support.rs"]
#[expect(dead_code, reason = "shared with the other tests of terminals, which use all of it")]
mod support;

use std::collections::BTreeMap;

use provider_sessions::{Size, SpawnError, open_terminal, run};
use support::{LONG, Room, code, eventually, exit_of, gone, launcher, read_all};

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// What is open, by what it is.
fn open() -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let Ok(target) = std::fs::read_link(entry.path()) else { continue };
        let kind = target.to_string_lossy().split(['[', ':']).next().unwrap().to_owned();
        *kinds.entry(kind).or_default() += 1;
    }
    kinds
}

/// Our children, zombies among them.
fn children() -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .map(|list| list.split_whitespace().count())
        .sum()
}

#[tokio::test]
async fn a_hundred_terminals_leave_nothing_behind() {
    let room = Room::new();
    let round = async |number: usize| {
        let terminal = room.shell(&format!("setsid sleep 1000 & exit {}", number % 100)).await;
        read_all(&terminal).await;
        assert_eq!(exit_of(&terminal).await, code(i32::try_from(number % 100).unwrap()));
        gone(&terminal).await;

        let missing = room.spec("/no/such/program", &[]);
        let refused = open_terminal(&launcher(), missing, Size::TERMINAL).await;
        assert!(matches!(refused, Err(SpawnError::Program { .. })));

        let piped = room.spec("/bin/echo", &["word"]);
        assert_eq!(run(&launcher(), piped, LONG).await.unwrap().stdout, "word\n");

        drop(room.shell("exec sleep 1000").await);
    };
    // The runtime's own threads and descriptors are there after the first.
    round(0).await;
    eventually("the first is reaped", || children() == 0).await;
    let (before, threads) = (open(), entries("/proc/self/task"));
    for number in 1..=100 {
        round(number).await;
    }
    eventually("all are reaped", || children() == 0).await;
    room.is_empty_soon().await;
    assert_eq!(open(), before);
    // The pool for blocking calls may hold a few more than after one round, not one a terminal.
    assert!(entries("/proc/self/task") <= threads + 4, "{} threads", entries("/proc/self/task"));
}
