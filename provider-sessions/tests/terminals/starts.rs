//! How a program starts: what it finds, and what it does not.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use provider_sessions::{Size, SpawnError, open_terminal};

use crate::support::{
    Room, code, eventually, exit_of, gone, helper, launcher, read_all, read_to, signal,
};

#[tokio::test]
async fn the_program_has_a_terminal_of_the_asked_size() {
    let room = Room::new();
    let terminal = room.shell("tty; stty size; exit 7").await;
    let text = read_all(&terminal).await;
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("/dev/pts/"), "{text:?}");
    assert_eq!(lines.next(), Some("60 1000"));
    assert_eq!(exit_of(&terminal).await, code(7));
    gone(&terminal).await;
    assert_eq!(exit_of(&terminal).await, code(7), "asked again, the same answer");
}

#[tokio::test]
async fn the_environment_is_the_list_and_the_marker() {
    let room = Room::new();
    let mut spec = room.spec("/usr/bin/env", &["-0"]);
    spec.env.push(("ROOM_SESSION".to_owned(), "someone else's".to_owned()));
    let marker = spec.marker.to_string();
    let terminal = room.open(spec).await;
    let text = read_all(&terminal).await;
    let found: BTreeMap<_, _> =
        text.split_terminator('\0').filter_map(|line| line.split_once('=')).collect();
    let wanted = BTreeMap::from([
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("LANG", "C.UTF-8"),
        ("TERM", "xterm"),
        ("ROOM_SESSION", &marker),
    ]);
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn nothing_of_the_servers_is_open_in_it() {
    let room = Room::new();
    // Without the close-on-exec flag, as a careless library would leave it.
    let leaked = rustix::io::dup(std::fs::File::open("/dev/zero").unwrap()).unwrap();
    let terminal = room.open(room.spec("/bin/ls", &["-l", "/proc/self/fd"])).await;
    let text = read_all(&terminal).await;
    let open: Vec<_> = text.lines().filter_map(|line| line.split_once(" -> ")).collect();
    assert_eq!(open.len(), 4, "0, 1, 2 and the one ls lists with: {text}");
    assert!(open[..3].iter().all(|(_, target)| target.starts_with("/dev/pts/")), "{text}");
    assert!(open[3].1.starts_with("/proc/"), "{text}");
    drop(leaked);
}

async fn refused(program: PathBuf, cwd: Option<PathBuf>) -> String {
    let room = Room::new();
    let mut spec = room.spec(program, &[]);
    spec.cwd = cwd.unwrap_or(spec.cwd);
    let error = match open_terminal(&launcher(), spec, Size::TERMINAL).await {
        Err(error @ SpawnError::Program { .. }) => error.to_string(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("a program that cannot run was started"),
    };
    room.is_empty_soon().await;
    error
}

#[tokio::test]
async fn a_program_that_cannot_run_is_an_error_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let missing = refused(folder.path().join("missing"), None).await;
    assert!(missing.ends_with("/missing cannot be run: no such file or directory"), "{missing}");

    let text = refused(file("text", "#!/bin/sh\n", 0o644), None).await;
    assert!(text.ends_with("/text cannot be run: permission denied"), "{text}");

    let shebang = refused(file("shebang", "#!/no/such/node -x\nhello\n", 0o755), None).await;
    assert!(
        shebang.ends_with("/shebang asks to be run by /no/such/node -x: no such file or directory"),
        "{shebang}"
    );

    let binary = refused(file("binary", "\u{7f}ELF no more", 0o755), None).await;
    assert!(binary.ends_with("/binary cannot be run: exec format error"), "{binary}");

    let cwd = refused("/bin/true".into(), Some(folder.path().join("gone"))).await;
    assert!(cwd.ends_with("/gone cannot be entered: no such file or directory"), "{cwd}");
}

#[tokio::test]
async fn limits_and_manners_are_what_they_should_be() {
    let room = Room::new();
    let own = std::process::Command::new("nice").output().unwrap();
    let own: i32 = String::from_utf8(own.stdout).unwrap().trim().parse().unwrap();
    let script = "umask; ulimit -c; ulimit -f; ulimit -n; ulimit -H -n; nice; ulimit -t";
    // Blocks of 512 bytes.
    let terminal = room.shell(script).await;
    let text = read_all(&terminal).await;
    let nice = (own + 5).min(19).to_string();
    let expected = ["0077", "0", "524288", "1024", "1024", &nice, "unlimited"];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_launcher_that_is_none_is_an_error() {
    let room = Room::new();
    for (program, reason) in [
        ("/no/such/launcher", "the launcher /no/such/launcher could not be started"),
        ("/bin/true", "the launcher"),
    ] {
        let mut launcher = launcher();
        launcher.program = program.into();
        let spec = room.spec("/bin/true", &[]);
        let error = open_terminal(&launcher, spec, Size::TERMINAL).await.err().unwrap();
        assert!(error.to_string().starts_with(reason), "{error}");
    }
    room.is_empty_soon().await;
}

#[tokio::test]
async fn a_typed_interrupt_reaches_the_program_and_not_the_launcher() {
    let room = Room::new();
    // The grandchild outlives the program: only a living launcher can end it.
    let terminal = room.shell("setsid sleep 1000 & echo ready; exec sleep 1000").await;
    read_to(&terminal, "ready").await;
    terminal.write(b"\x03").await.unwrap();
    assert_eq!(exit_of(&terminal).await, signal(2));
    gone(&terminal).await;
    assert_eq!(room.processes(), [0; 0]);
}

#[tokio::test]
async fn what_is_typed_is_read_and_nothing_more() {
    let room = Room::new();
    let terminal = room.shell("stty -echo; echo ready; read line; echo got $line; exec cat").await;
    read_to(&terminal, "ready").await;
    terminal.write("zwölf\r".as_bytes()).await.unwrap();
    read_to(&terminal, "got zwölf").await;
    terminal.write(b"no end of line").await.unwrap();
    terminal.stop();
    let rest = read_all(&terminal).await;
    assert_eq!(rest.trim(), "", "no Enter was pressed for us");
    gone(&terminal).await;
}

#[tokio::test]
async fn a_typed_suspend_does_not_leave_the_program_asleep() {
    let room = Room::new();
    let terminal = room.shell("echo ready; read line; echo got $line").await;
    read_to(&terminal, "ready").await;
    terminal.write(b"\x1a").await.unwrap();
    terminal.write(b"more\r").await.unwrap();
    read_to(&terminal, "got more").await;
    assert_eq!(exit_of(&terminal).await, code(0));
}

#[tokio::test]
async fn no_signal_is_ignored_or_blocked_and_no_privilege_can_be_gained() {
    let room = Room::new();
    let terminal = room.open(room.spec("/bin/cat", &["/proc/self/status"])).await;
    let text = read_all(&terminal).await;
    check_signals(&text);
    assert!(text.contains("NoNewPrivs:\t1"), "{text}");
    assert!(text.contains("Umask:\t0077"), "{text}");
}

#[tokio::test]
async fn what_the_servers_starter_ignored_or_blocked_does_not_reach_it() {
    let room = Room::new();
    let output = std::process::Command::new("/usr/bin/env")
        .args(["--ignore-signal=HUP,INT,QUIT,TERM,USR1,USR2,TSTP,TTIN,TTOU,CHLD,ALRM,PIPE"])
        .arg("--block-signal=INT,TERM,CHLD,USR1,WINCH")
        .arg(helper())
        .args(["--home", "/", "--data"])
        .arg(room.data.path())
        .args(["/bin/cat", "/proc/self/status"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    check_signals(&String::from_utf8_lossy(&output.stdout));
}

#[track_caller]
fn check_signals(status: &str) {
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    assert_eq!(mask("SigBlk:"), 0);
    // 32 and 33 belong to glibc, whose posix_spawn ignores them in every child it starts.
    assert_eq!(mask("SigIgn:") & !(0b11 << 31), 0);
}

#[tokio::test]
async fn output_is_read_wholly_although_the_program_ended() {
    let room = Room::new();
    let terminal = room.shell("seq 1 20000").await;
    let text = read_all(&terminal).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 20_000);
    assert_eq!(lines.last(), Some(&"20000"));
    assert_eq!(exit_of(&terminal).await, code(0));
}

#[tokio::test]
async fn a_program_that_reads_nothing_does_not_hold_the_writer() {
    let room = Room::new();
    let terminal = room.shell("stty raw -echo; echo ready; exec sleep 1000").await;
    read_to(&terminal, "ready").await;
    let error = terminal.write(&vec![b'x'; 256 * 1024]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    terminal.stop();
    gone(&terminal).await;
}

#[tokio::test]
async fn whoever_gives_up_the_start_leaves_nothing() {
    let room = Room::new();
    for _ in 0..20 {
        let spec = room.spec("/bin/sleep", &["1000"]);
        let launcher = launcher();
        let mut start = Box::pin(open_terminal(&launcher, spec, Size::TERMINAL));
        tokio::select! {
            biased;
            result = &mut start => drop(result),
            () = eventually("a launcher is there", || !room.processes().is_empty()) => {}
        }
        drop(start);
        room.is_empty_soon().await;
    }
}
