//! What the tests of real terminals share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use provider_sessions::{
    DirectoryMark, Exit, Launcher, Marker, SessionId, Size, Spec, Terminal, open_terminal,
};
use tempfile::TempDir;
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine; a test that reaches it has failed.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// What ending a tree may take at most, a program that ignores SIGTERM included.
pub(crate) const STOP_BOUND: Duration = Duration::from_secs(8);

/// A data directory of its own: its marker tells this test's processes from all others.
pub(crate) struct Room {
    pub(crate) data: TempDir,
    pub(crate) mark: DirectoryMark,
}

impl Room {
    pub(crate) fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mark = DirectoryMark::of(data.path());
        Self { data, mark }
    }

    pub(crate) fn spec(&self, program: impl Into<PathBuf>, args: &[&str]) -> Spec {
        let env =
            [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("TERM", "xterm")];
        Spec {
            program: program.into(),
            args: args.iter().map(|text| (*text).to_owned()).collect(),
            env: env.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
            cwd: self.data.path().to_owned(),
            marker: Marker::new(&self.mark, SessionId::random()),
            input: None,
        }
    }

    pub(crate) async fn open(&self, spec: Spec) -> Terminal {
        open_terminal(&launcher(), spec, Size::TERMINAL).await.unwrap()
    }

    /// A terminal with a line of shell in it.
    pub(crate) async fn shell(&self, script: &str) -> Terminal {
        self.open(self.spec("/bin/sh", &["-c", script])).await
    }

    /// A terminal with one of the fakes in it.
    pub(crate) async fn fake(&self, name: &str, args: &[&str]) -> Terminal {
        self.open(self.spec(fixture(name), args)).await
    }

    /// The processes of this test that are alive, launchers included.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let mark = format!("ROOM_SESSION={}/", mark_text(&self.mark));
        marked(mark.as_bytes())
    }

    /// Those of them that run this program.
    pub(crate) fn named(&self, program: &str) -> Vec<i32> {
        let is_it = |pid: &i32| {
            std::fs::read_link(format!("/proc/{pid}/exe"))
                .is_ok_and(|path| path.file_name().is_some_and(|name| name == program))
        };
        self.processes().into_iter().filter(is_it).collect()
    }

    /// Waits until none is left.
    #[track_caller]
    pub(crate) fn is_empty_soon(&self) -> impl Future<Output = ()> {
        eventually("no process is left", || self.processes().is_empty())
    }
}

/// The launcher these tests use: the helper that the crate ships, run as a launcher.
pub(crate) fn launcher() -> Launcher {
    Launcher { program: helper(), args: vec!["__child".into()] }
}

pub(crate) fn helper() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_in-terminal"))
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bin").join(name)
}

fn mark_text(mark: &DirectoryMark) -> String {
    let marker = Marker::new(mark, SessionId::random()).to_string();
    marker.split('/').next().unwrap().to_owned()
}

/// Who has an entry in the environment that begins so; read here anew and not by the code under
/// test.
fn marked(entry: &[u8]) -> Vec<i32> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = folder.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let environment = std::fs::read(folder.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|known| known.starts_with(entry)) {
            found.push(pid);
        }
    }
    found
}

/// Everything until the terminal's end.
pub(crate) async fn read_all(terminal: &Terminal) -> String {
    read_until(terminal, |_| false).await
}

/// Everything until `text` was read or the terminal ended.
pub(crate) async fn read_to(terminal: &Terminal, text: &str) -> String {
    let read = read_until(terminal, |read| read.contains(text)).await;
    assert!(read.contains(text), "{text:?} never came; read {read:?}");
    read
}

async fn read_until(terminal: &Terminal, done: impl Fn(&str) -> bool) -> String {
    let mut all = Vec::new();
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = timeout(LONG, terminal.read(&mut bytes)).await;
        match read.unwrap_or_else(|_| panic!("silent; read {:?}", String::from_utf8_lossy(&all))) {
            Ok(0) => break,
            Ok(count) => all.extend_from_slice(&bytes[..count]),
            Err(error) => panic!("{error}"),
        }
        if all.len() < 64 * 1024 && done(&String::from_utf8_lossy(&all)) {
            break;
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

pub(crate) async fn exit_of(terminal: &Terminal) -> Exit {
    timeout(LONG, terminal.exited()).await.expect("the program ends")
}

/// Waits for the whole tree's end, and says how long that took.
pub(crate) async fn gone(terminal: &Terminal) -> Duration {
    let start = std::time::Instant::now();
    timeout(LONG, terminal.gone()).await.expect("the tree ends");
    start.elapsed()
}

pub(crate) fn code(code: i32) -> Exit {
    Exit { code: Some(code), signal: None }
}

pub(crate) fn signal(signal: i32) -> Exit {
    Exit { code: None, signal: Some(signal) }
}

/// Looks again and again until it holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        let end = std::time::Instant::now() + LONG;
        while !holds() {
            assert!(std::time::Instant::now() < end, "{place}: never: {what}");
            looks.tick().await;
        }
    }
}
