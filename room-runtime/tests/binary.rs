//! The real program: its ready line, its signals, its exit codes.

#![expect(clippy::unwrap_used, reason = "a test says enough by failing")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

fn room(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_room"));
    command.args(args).env_clear().env("HOME", home).env("PATH", "/nonexistent");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(home: &Path, args: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = room(home, args).output().unwrap();
    let text = String::from_utf8([stdout, stderr].concat()).unwrap();
    (status.code().unwrap(), text)
}

/// A server that is ended when the test is over, with the lines it says.
struct Server {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Server {
    fn start(home: &Path, args: &[&str]) -> Self {
        let mut child = room(home, args).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("it says another line").unwrap()
    }

    fn signal(&mut self, signal: Signal) -> i32 {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn it_says_where_it_is_and_ends_when_asked() {
    for signal in [Signal::INT, Signal::TERM] {
        let home = home();
        let mut server = Server::start(home.path(), &["--port", "0"]);
        let ready = server.line();
        let address = ready.strip_prefix("Room is ready at ").unwrap();
        let port = fs::read_to_string(home.path().join(".room/api.port")).unwrap();
        assert_eq!(address, format!("http://localhost:{port}"));
        let link = server.line();
        let (shown, code) = link.split_once("/#code=").unwrap();
        assert_eq!((shown, code.len()), (&*format!("Sign in once with {address}"), 43));
        assert_eq!(run(home.path(), &["healthcheck"]).0, 0);
        assert_eq!(server.signal(signal), 0);
        let left: Vec<_> = fs::read_dir(home.path().join(".room")).unwrap().collect();
        let mut left: Vec<_> = left.into_iter().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert!(left.iter().all(|name| name != "api.token" && name != "room.sock"), "{left:?}");
        assert_eq!(run(home.path(), &["healthcheck"]).0, 1);
        assert_eq!(run(home.path(), &["open"]).0, 1);
    }
}

#[test]
fn a_second_server_on_the_directory_waits_its_turn() {
    let home = home();
    let mut first = Server::start(home.path(), &["--port", "0"]);
    first.line();
    let (code, said) = run(home.path(), &["serve", "--port", "0"]);
    assert_eq!(code, 75, "{said}");
    assert!(said.contains(&format!("process {}", first.child.id())), "{said}");
}

#[test]
fn a_taken_port_changes_nothing() {
    let home = home();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port().to_string();
    let (code, said) = run(home.path(), &["--port", &port]);
    assert_eq!(code, 69, "{said}");
    assert!(said.contains(&format!("port {port} of 127.0.0.1 is taken")), "{said}");
    assert!(!home.path().join(".room").exists());
    assert_eq!(stranger.local_addr().unwrap().port().to_string(), port, "nothing was ended");
}

#[test]
fn wrong_settings_are_told_at_once_and_change_nothing() {
    let home = home();
    let (code, said) = run(home.path(), &["--port", "x", "--bind", "0.0.0.0"]);
    assert_eq!(code, 78);
    assert!(said.contains("ROOM_PORT") && said.contains("ROOM_BIND"), "{said}");
    let (code, said) = run(home.path(), &["--mode", "cloud"]);
    assert_eq!(code, 78);
    for name in ["ROOM_PUBLIC_URL", "ROOM_CLIENT_IP", "ROOM_STANDALONE=1"] {
        assert!(said.contains(name), "{said}");
    }
    assert!(!home.path().join(".room").exists());
    assert_eq!(run(home.path(), &["--no-such-flag"]).0, 64);
}

#[test]
fn a_directory_that_cannot_be_ours_is_refused() {
    let home = home();
    let data = home.path().join("data");
    let text = data.to_str().unwrap();
    fs::write(&data, "a file").unwrap();
    assert_eq!(run(home.path(), &["--data-dir", text]).0, 78);
    fs::remove_file(&data).unwrap();
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let (code, said) = run(home.path(), &["--data-dir", text]);
    assert_eq!(code, 78);
    assert!(said.contains("chmod 700"), "{said}");
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
}

#[test]
fn a_database_of_a_newer_room_is_left_alone() {
    let home = home();
    let mut server = Server::start(home.path(), &["--port", "0"]);
    server.line();
    server.line();
    assert_eq!(server.signal(Signal::TERM), 0);
    let file = home.path().join(".room/room.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::Connection as _;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
        let mut database = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations VALUES (9999, 'x', 0, TRUE, X'00', 0)";
        sqlx::query(newer).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    });
    let (code, said) = run(home.path(), &["--port", "0"]);
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("newer Room (schema 9999)"), "{said}");
}

#[test]
fn pairing_says_what_to_do_instead() {
    let (code, said) = run(home().path(), &["pair"]);
    assert_eq!(code, 1);
    assert!(said.contains("room open"), "{said}");
}

#[test]
fn a_recording_is_replayed() {
    let recording = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../provider-sessions/fixtures/transcripts/claude-success-80.raw"
    );
    let args = ["replay", "--provider", "claude", "--cols", "80", "--rows", "24", "--chunk", "7"];
    let (code, said) = run(home().path(), &[&args[..], &[recording]].concat());
    assert_eq!(code, 0);
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with(r#"{"type":"summary","verificationUrl":"https://claude.com/"#),
        "{last}"
    );
    assert!(last.ends_with(r#""deviceCode":null,"inputAsked":true}"#), "{last}");
    assert_eq!(run(home().path(), &["replay", "--provider", "x", recording]).0, 64);
    assert_eq!(run(home().path(), &["replay", "--provider", "codex", "/nonexistent"]).0, 66);
}
