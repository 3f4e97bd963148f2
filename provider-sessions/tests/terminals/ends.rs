//! How a program ends, and that all it started ends with it.

use std::process::{Command, Stdio};
use std::time::Instant;

use provider_sessions::{
    DirectoryMark, Exit, Marker, MarkerScope, SessionId, Terminal, run, sweep,
};

use crate::support::{
    LONG, Room, STOP_BOUND, code, eventually, exit_of, gone, helper, launcher, read_all, read_to,
    signal,
};

/// A program with three daemons that would outlive it.
async fn with_daemons(room: &Room) -> Terminal {
    let before = room.named("sleep").len();
    let terminal = room.fake("daemons", &[]).await;
    let mut text = String::new();
    while !["one", "two", "three"].iter().all(|name| text.contains(name)) {
        text += &read_to(&terminal, "\n").await;
    }
    // A process has no environment for a moment in the middle of its `exec`.
    eventually("the three run", || room.named("sleep").len() == before + 3).await;
    terminal
}

#[tokio::test]
async fn daemons_die_when_told_to_stop() {
    let room = Room::new();
    let terminal = with_daemons(&room).await;
    terminal.stop();
    assert!(gone(&terminal).await < STOP_BOUND);
    assert_eq!(room.processes(), [0; 0]);
    assert_eq!(exit_of(&terminal).await, signal(15));
}

#[tokio::test]
async fn daemons_die_when_the_program_ends_by_itself() {
    let room = Room::new();
    let terminal = with_daemons(&room).await;
    terminal.write(b"leave\r").await.unwrap();
    let start = Instant::now();
    assert_eq!(exit_of(&terminal).await, code(3));
    assert!(start.elapsed().as_secs() < 2, "its end is told at once");
    assert!(gone(&terminal).await < STOP_BOUND);
    assert_eq!(room.processes(), [0; 0]);
}

#[tokio::test]
async fn daemons_die_when_nobody_holds_the_terminal_any_more() {
    let room = Room::new();
    drop(with_daemons(&room).await);
    room.is_empty_soon().await;
}

#[tokio::test]
async fn daemons_die_when_the_launcher_is_killed() {
    let room = Room::new();
    let terminal = with_daemons(&room).await;
    kill(launcher_of(&room), 9);
    assert_eq!(exit_of(&terminal).await, Exit { code: None, signal: None });
    assert!(gone(&terminal).await < STOP_BOUND);
    assert_eq!(room.processes(), [0; 0]);
}

#[tokio::test]
async fn daemons_die_when_the_server_is_killed() {
    let room = Room::new();
    let mut server = Command::new(helper())
        .args(["--home", "/", "--data"])
        .arg(room.data.path())
        .arg(crate::support::fixture("daemons"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Launcher, program and three daemons; the shells that fork them come and go.
    eventually("all are there", || room.named("sleep").len() == 3).await;
    server.kill().unwrap();
    server.wait().unwrap();
    let start = Instant::now();
    room.is_empty_soon().await;
    assert!(start.elapsed() < STOP_BOUND, "took {:?}", start.elapsed());
}

#[tokio::test]
async fn a_program_that_ignores_every_polite_signal_dies() {
    let room = Room::new();
    let terminal = room.fake("stubborn", &[]).await;
    read_to(&terminal, "ready").await;
    terminal.stop();
    let took = gone(&terminal).await;
    assert!(took < STOP_BOUND, "took {took:?}");
    assert_eq!(exit_of(&terminal).await, signal(9));
    assert_eq!(room.processes(), [0; 0]);
}

#[tokio::test]
async fn a_stopped_program_dies() {
    let room = Room::new();
    let terminal = room.shell("echo $$; exec sleep 1000").await;
    let pid = read_to(&terminal, "\n").await.trim().parse().unwrap();
    kill(pid, 19);
    eventually("it is stopped", || state(pid) == 'T').await;
    terminal.stop();
    assert!(gone(&terminal).await < STOP_BOUND);
    assert_eq!(exit_of(&terminal).await, signal(15));
}

#[tokio::test]
async fn a_stopped_launcher_does_not_save_the_tree() {
    let room = Room::new();
    let terminal = with_daemons(&room).await;
    kill(launcher_of(&room), 19);
    terminal.stop();
    gone(&terminal).await;
    assert_eq!(room.processes(), [0; 0]);
}

#[tokio::test]
async fn a_launcher_stopped_at_the_end_does_not_save_what_is_left() {
    let room = Room::new();
    let terminal = with_daemons(&room).await;
    terminal.write(b"leave\r").await.unwrap();
    assert_eq!(exit_of(&terminal).await, code(3));
    // One daemon ignores SIGTERM, so the launcher is still waiting for it.
    kill(launcher_of(&room), 19);
    gone(&terminal).await;
    assert_eq!(room.processes(), [0; 0]);
}

#[tokio::test]
async fn a_signalled_launcher_ends_the_tree() {
    for number in [1, 15] {
        let room = Room::new();
        let terminal = with_daemons(&room).await;
        kill(launcher_of(&room), number);
        assert!(gone(&terminal).await < STOP_BOUND);
        assert_eq!(room.processes(), [0; 0]);
    }
    let room = Room::new();
    let terminal = with_daemons(&room).await;
    for number in [2, 3, 10, 12, 14, 20, 21, 22] {
        kill(launcher_of(&room), number);
    }
    terminal.write(b"leave\r").await.unwrap();
    assert_eq!(exit_of(&terminal).await, code(3), "the others mean nothing to it");
    gone(&terminal).await;
}

#[tokio::test]
async fn a_program_that_kills_its_group_spares_the_launcher() {
    let room = Room::new();
    let terminal = room.shell("setsid sleep 1000 & kill -9 0").await;
    assert_eq!(exit_of(&terminal).await, signal(9));
    gone(&terminal).await;
    assert_eq!(room.processes(), [0; 0]);
}

#[tokio::test]
async fn a_program_may_close_its_terminal_and_go_on() {
    let room = Room::new();
    let terminal =
        room.shell("echo ready; read x; exec <&- >&- 2>&-; sleep 1000 & wait; exit 4").await;
    read_to(&terminal, "ready").await;
    terminal.write(b"\r").await.unwrap();
    read_all(&terminal).await;
    let waited = tokio::time::timeout(std::time::Duration::from_millis(50), terminal.exited());
    assert!(waited.await.is_err(), "the end of the terminal is not the end of the program");
    kill(room.named("sleep")[0], 15);
    assert_eq!(exit_of(&terminal).await, code(4));
    gone(&terminal).await;
}

#[tokio::test]
async fn a_fork_storm_ends() {
    let room = Room::new();
    // Each of them starts a session of its own and another one of its kind, for ever.
    let storm = r"storm() { while :; do setsid sh -c 'exec sleep 0.05' & sleep 0.01; done; }
        trap '' TERM; storm & storm & echo ready; storm";
    let terminal = room.shell(storm).await;
    read_to(&terminal, "ready").await;
    terminal.stop();
    assert!(gone(&terminal).await < STOP_BOUND);
    assert_eq!(room.processes(), [0; 0]);
}

#[tokio::test]
async fn a_sweep_ends_its_own_and_no_others() {
    let (ours, theirs) = (Room::new(), Room::new());
    let mine = with_daemons(&ours).await;
    let other = with_daemons(&ours).await;
    let stranger = with_daemons(&theirs).await;
    let before = theirs.processes();

    let missing = Marker::new(&ours.mark, SessionId::random());
    assert_eq!(sweep(&MarkerScope::Session(missing)).killed, 0);

    let swept = tokio::task::spawn_blocking({
        let scope = MarkerScope::Directory(ours.mark.clone());
        move || sweep(&scope)
    });
    let swept = swept.await.unwrap();
    // The launchers' deaths are noticed meanwhile, and their sessions swept at the same time.
    assert!(swept.killed > 0, "{swept:?}");
    assert_eq!(swept.left, 0);
    assert_eq!(ours.processes(), [0; 0]);
    for terminal in [&mine, &other] {
        gone(terminal).await;
    }
    assert_eq!(theirs.processes(), before, "another Room's login lives");
    drop(stranger);
    theirs.is_empty_soon().await;
}

#[tokio::test]
async fn a_run_with_pipes_gives_what_was_written() {
    let room = Room::new();
    let script = "cat; echo to err >&2; tty; exit 5";
    let mut spec = room.spec("/bin/sh", &["-c", script]);
    spec.input = Some("a secret".to_owned());
    let output = run(&launcher(), spec, LONG).await.unwrap();
    assert_eq!(output.exit, code(5));
    assert_eq!(output.stdout, "a secretnot a tty\n");
    assert_eq!(output.stderr, "to err\n");
    assert!(!output.timed_out);
    assert_eq!(room.processes(), [0; 0]);
}

#[tokio::test]
async fn a_run_keeps_so_much_and_reads_the_rest() {
    let room = Room::new();
    let script = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 6";
    let output = run(&launcher(), room.spec("/bin/sh", &["-c", script]), LONG).await.unwrap();
    assert_eq!(output.exit, code(6));
    assert_eq!((output.stdout.len(), output.stderr.len()), (256 * 1024, 256 * 1024));
}

#[tokio::test]
async fn a_run_ends_when_its_time_is_over() {
    let room = Room::new();
    let limit = std::time::Duration::from_millis(300);
    let script = "echo begun; setsid sleep 1000 & yes >&2";
    let start = Instant::now();
    let output = run(&launcher(), room.spec("/bin/sh", &["-c", script]), limit).await.unwrap();
    assert!(output.timed_out);
    assert!(start.elapsed() < STOP_BOUND);
    assert_eq!(output.stdout, "begun\n");
    assert_eq!(output.stderr.len(), 256 * 1024);
    assert_eq!(room.processes(), [0; 0]);
}

#[tokio::test]
async fn a_run_does_not_wait_for_a_daemon_that_holds_its_output() {
    let room = Room::new();
    let script = "setsid sleep 1000 & echo done";
    let output = run(&launcher(), room.spec("/bin/sh", &["-c", script]), LONG).await.unwrap();
    assert_eq!(output.stdout, "done\n");
    assert_eq!(room.processes(), [0; 0]);
}

#[tokio::test]
async fn an_unread_input_is_no_obstacle() {
    let room = Room::new();
    let mut spec = room.spec("/bin/true", &[]);
    spec.input = Some("x".repeat(300_000));
    let output = run(&launcher(), spec, LONG).await.unwrap();
    assert_eq!(output.exit, code(0));
}

#[tokio::test]
async fn a_directory_that_does_not_exist_has_nothing_to_sweep() {
    let mark = DirectoryMark::of(std::path::Path::new("/no/such/data/directory"));
    assert_eq!(sweep(&MarkerScope::Directory(mark)).killed, 0);
}

fn kill(pid: i32, signal: i32) {
    let numbers = [signal.to_string(), pid.to_string()];
    let status = Command::new("/bin/kill").arg("-s").args(numbers).status().unwrap();
    assert!(status.success());
}

fn state(pid: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap()
}

fn launcher_of(room: &Room) -> i32 {
    let launchers = room.named("in-terminal");
    assert_eq!(launchers.len(), 1, "{launchers:?}");
    launchers[0]
}
