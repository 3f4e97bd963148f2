//! What lies in the data directory, what was put there beforehand, and what a log may hold.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use room_tests::app::{SOON, Setup};
use room_tests::issuer::ControlPlane;
use room_tests::page::Page;
use room_tests::{eventually, not_run};
use rustix::process::{Pid, Signal, kill_process};

use super::{MODES, Mode, Rig, Target, settings};
use crate::cloud::INSTANCE;

/// A server that may not start, and does not outlive its test.
struct Attempt(Child);

impl Drop for Attempt {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

impl Attempt {
    fn of(setup: &Setup) -> Self {
        let mut command = setup.command(&["serve", "--no-open"]).unwrap();
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// How it ended, or nothing once this has come true.
    fn until(&mut self, ready: impl Fn() -> bool) -> Option<i32> {
        eventually(SOON, || match self.0.try_wait().unwrap() {
            Some(status) => Some(Some(status.code().unwrap_or(-1))),
            None => ready().then_some(None),
        })
    }
}

/// Everything below a directory.
fn all_below(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            all.extend(all_below(&entry.path()));
        }
        all.push(entry.path());
    }
    all
}

/// The names that a server makes in its data directory, those of a running one among them.
async fn names(mode: Mode, plane: &ControlPlane) -> BTreeSet<String> {
    let app = settings(mode, plane).start().await.unwrap();
    let names = || -> BTreeSet<String> {
        let entries = fs::read_dir(app.data()).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        // What is being written has another name each time, and must not be there before.
        names.filter(|name| !name.contains(".new")).collect()
    };
    // An issuer's keys are in use before they are on the disk.
    let has_keys = || names().iter().any(|name| name.starts_with("keys-"));
    if mode == Mode::Cloud {
        eventually(SOON, || has_keys().then_some(()));
    }
    let names = names();
    assert!(names.contains("room.db") && names.contains("room.lock"), "{names:?}");
    names
}

#[tokio::test]
async fn a_link_that_was_planted_is_never_followed() {
    for mode in MODES {
        // One for all of them: the keys' file is named after where they are fetched.
        let plane = ControlPlane::start(INSTANCE).unwrap();
        for name in names(mode, &plane).await {
            let setup = settings(mode, &plane);
            let (outside, data) = (setup.home().path().join("outside"), setup.data().to_owned());
            fs::write(&outside, "untouched").unwrap();
            fs::set_permissions(&outside, fs::Permissions::from_mode(0o644)).unwrap();
            fs::create_dir(&data).unwrap();
            fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
            symlink(&outside, data.join(&name)).unwrap();
            let ready = || {
                fs::symlink_metadata(data.join("room.sock")).is_ok_and(|socket| {
                    !socket.is_symlink() && (name != "room.sock" || socket.ino() != 0)
                }) && fs::symlink_metadata(data.join("api.port")).is_ok_and(|port| port.is_file())
            };
            let mut attempt = Attempt::of(&setup);
            let ended = attempt.until(ready);
            // It says so and does not start, or the link goes when it comes to it.
            let is_link = || data.join(&name).is_symlink();
            match ended {
                Some(code) => assert!(matches!(code, 74 | 78), "{mode} {name}: {code}"),
                // The programs' folder is not made in the place of what is there already.
                None if name == "work" => {}
                None => {
                    let gone = std::panic::catch_unwind(|| {
                        eventually(SOON, || (!is_link()).then_some(()));
                    });
                    assert!(gone.is_ok(), "{mode} {name} is followed still");
                }
            }
            assert_eq!(fs::read_to_string(&outside).unwrap(), "untouched", "{mode} {name}");
            let mode_of_it = fs::metadata(&outside).unwrap().mode() & 0o777;
            assert_eq!(mode_of_it, 0o644, "{mode} {name}");
        }
    }
}

#[tokio::test]
async fn a_directory_that_is_not_ours_alone_is_refused_in_both_modes() {
    for mode in MODES {
        for kind in ["open to others", "a link", "another's", "a file"] {
            let plane = ControlPlane::start(INSTANCE).unwrap();
            let setup = settings(mode, &plane);
            let data = setup.data();
            match kind {
                "a file" => fs::write(data, "").unwrap(),
                "a link" => symlink(setup.home().path(), data).unwrap(),
                _ => fs::create_dir(data).unwrap(),
            }
            match kind {
                "open to others" => {
                    fs::set_permissions(data, fs::Permissions::from_mode(0o750)).unwrap();
                }
                "another's" => {
                    fs::set_permissions(data, fs::Permissions::from_mode(0o700)).unwrap();
                    if std::os::unix::fs::chown(data, Some(65_534), None).is_err() {
                        not_run("a directory of another user", "only root may make one");
                        continue;
                    }
                }
                _ => {}
            }
            let output = setup.command(&["serve", "--no-open"]).unwrap().output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(78), "{mode} {kind}: {text}");
            assert!(text.contains(data.to_str().unwrap()), "{mode} {kind}: {text}");
        }
    }
}

/// Whoever started it may have forgotten what others may read by default.
#[tokio::test]
async fn nothing_is_open_to_others_whatever_the_umask_says() {
    const UMASK: [&str; 4] = ["/bin/sh", "-c", "umask 000; exec \"$@\"", "sh"];
    for mode in MODES {
        let target = Target::below(mode, |setup| setup, &UMASK).await;
        if mode == Mode::Cloud {
            Page::signed_in(target.app.client(), target.app.token(), "desk").await;
        }
        let data = target.app.data();
        let all = all_below(data);
        assert!(all.len() >= 4, "{mode}: {all:?}");
        for path in all.iter().chain([&data.to_owned()]) {
            // What was being written a moment ago has another name now.
            let Ok(found) = fs::symlink_metadata(path) else { continue };
            let found = found.mode() & 0o777;
            assert_eq!(found & 0o077, 0, "{mode} {}: {found:o}", path.display());
        }
    }
}

/// Someone who looks all the time never sees a bearer that is half written, or that others can read.
#[tokio::test]
async fn the_file_with_the_bearer_is_whole_and_private_at_every_moment() {
    let mut target = Target::start(Mode::Local).await;
    let (file, over) = (target.app.data().join("api.token"), Arc::new(AtomicBool::new(false)));
    let (stop, seen) = (over.clone(), Arc::new(Mutex::new(BTreeSet::<String>::new())));
    let tokens = seen.clone();
    let looking = std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            // Of one and the same file, whichever is there.
            let Ok(open) = fs::File::open(&file) else { continue };
            let mode = open.metadata().unwrap().mode() & 0o777;
            let text = std::io::read_to_string(open).unwrap();
            assert_eq!(mode, 0o600);
            assert_eq!(text.trim().len(), 43, "{text:?}");
            tokens.lock().unwrap().insert(text);
        }
    });
    for _ in 0..4 {
        target.app.signal(Signal::KILL);
        target.app.wait();
        target.app.start().await.unwrap();
        eventually(SOON, || {
            let seen = seen.lock().unwrap();
            seen.iter().any(|token| token.trim() == target.app.token()).then_some(())
        });
    }
    over.store(true, Ordering::Relaxed);
    looking.join().unwrap();
    let names = fs::read_dir(target.app.data()).unwrap().flatten();
    let left = names.filter(|entry| entry.file_name().to_string_lossy().contains("tmp")).count();
    assert_eq!(left, 0, "no half of a file stays");
}

/// Nothing that a stranger sends makes a line of its own in the log, or moves a reader's terminal.
#[tokio::test]
async fn a_log_line_is_one_line_whatever_is_sent() {
    const EVIL: &[u8] = b"\xc2\x9b31m\xc2\x85{\"level\":\"FORGED\"}\xe2\x80\xae\xff";
    for mode in MODES {
        let more = |setup: Setup| {
            setup
                .var("ROOM_LOG", "trace")
                .var("ROOM_LOG_FORMAT", "json")
                .var("ROOM_AUTH_FAILURES_PER_MINUTE", "10")
        };
        let target = Target::with(mode, more).await;
        let host = target.host();
        for path in ["/%0a%0dFORGED%1b%5b2J", "/api/%0aFORGED", "/api/providers/%0aFORGED/session"]
        {
            target.get(path, &[&target.bearer()]);
            target.get(path, &[]);
        }
        for name in ["User-Agent", "Origin", "Authorization", "Cookie", "X-Request-Id", "Referer"] {
            let head = format!(
                "GET /api/status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{name}: "
            );
            let request = [head.as_bytes(), EVIL, b"\r\n\r\n"].concat();
            target.exchange(&request);
        }
        if mode == Mode::Cloud {
            let name = "x\n{\"level\":\"FORGED\"}\r\u{1b}[2J\u{9b}31m\u{202e}";
            let mut page = Page::open(target.app.client());
            let answer = page.sign_in(target.app.token(), name).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let sessions = page.get("/api/access/sessions").await;
            let shown = sessions.body.to_string();
            assert!(!shown.contains("\\n") && !shown.contains("\\u001b"), "{shown}");
        }
        let log = target.app.log();
        let hidden =
            |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!log.contains(hidden), "{mode}: {log:?}");
        let mut lines = 0;
        for line in
            log.lines().filter(|line| !line.starts_with("Room is") && !line.starts_with("Sign in"))
        {
            let value: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|_| panic!("{mode}: {line:?}"));
            assert_ne!(value["level"], "FORGED", "{mode}: {line}");
            lines += 1;
        }
        assert!(lines > 10, "{mode}: {log}");
    }
}

/// A person's folder may be a link to where they keep it: what else is there stays.
#[tokio::test]
async fn signing_out_removes_nothing_but_the_sign_in() {
    for mode in MODES {
        let rig = Rig::start(mode).await;
        let (home, app) = (rig.room.app.home().path().to_owned(), &rig.room.app);
        let elsewhere = home.join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("config.toml"), "# mine").unwrap();
        fs::write(home.join("auth.json"), "another's").unwrap();
        let _ = fs::remove_dir_all(home.join(".codex"));
        symlink(&elsewhere, home.join(".codex")).unwrap();
        symlink(home.join("auth.json"), elsewhere.join("auth.json")).unwrap();
        let answer = app.post("/api/providers/codex/disconnect", &serde_json::json!({})).await;
        assert!(!answer.status.is_server_error(), "{mode}: {answer:?}");
        assert_eq!(fs::read_to_string(elsewhere.join("config.toml")).unwrap(), "# mine", "{mode}");
        assert_eq!(fs::read_to_string(home.join("auth.json")).unwrap(), "another's", "{mode}");
        assert!(home.join(".codex").is_symlink(), "{mode}");
    }
}
