//! `room doctor`: each thing it looks at, sound and broken.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use room_tests::app::Setup;
use room_tests::clis::{fake_clis, search_path};
use room_tests::disk::SmallDisk;
use room_tests::issuer::Keys;
use rustix::process::Signal;
use serde_json::Value;

use crate::cloud::Hosted;

/// What it says, by `--json`.
struct Said {
    well: bool,
    findings: Vec<Value>,
}

fn examine(mut command: Command) -> Said {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(said["ok"], output.status.success(), "{said:#}");
    assert_eq!(output.status.code(), Some(i32::from(!output.status.success())), "0 or 1");
    let findings = said["findings"].as_array().unwrap().clone();
    for finding in &findings {
        let needs_help = finding["level"] != "ok" && finding["name"] != "settings";
        assert!(!needs_help || finding["do"].is_string(), "what is to be done? {finding}");
    }
    Said { well: output.status.success(), findings }
}

fn doctor(setup: &Setup) -> Said {
    examine(setup.command(&["doctor", "--json"]).unwrap())
}

impl Said {
    /// The worst that is said of something, in words.
    #[track_caller]
    fn of(&self, name: &str) -> (&str, String) {
        let named = |finding: &&Value| finding["name"].as_str().unwrap().starts_with(name);
        let all = self.findings.iter().filter(named);
        let worst = all.max_by_key(|finding| finding["level"] == "fail");
        let finding = worst.unwrap_or_else(|| panic!("no {name} in {:#?}", self.findings));
        (finding["level"].as_str().unwrap(), finding.to_string())
    }

    /// It fails, for this reason.
    #[track_caller]
    fn fails(&self, name: &str, because: &str) {
        let (level, words) = self.of(name);
        assert!(level == "fail" && words.contains(because), "{words}");
        assert!(!self.well);
    }
}

#[tokio::test]
async fn a_sound_hosted_room_is_well() {
    let clis = fake_clis().unwrap();
    let mut room = Hosted::with(|setup| {
        setup
            .search(&search_path(clis.path()))
            .var("ROOM_ENCRYPTION_KEY", "a secret of thirty-two bytes or more")
    })
    .await;
    let said = examine(room.app.command(&["doctor", "--json"]).unwrap());
    assert!(said.well, "{:#?}", said.findings);
    for name in [
        "settings",
        "data directory",
        "files",
        "database",
        "backups",
        "encryption key",
        "disk",
        "server",
        "open files",
        "keys of https://control.example",
        "clock",
    ] {
        let (level, words) = said.of(name);
        assert_eq!(level, "ok", "{words}");
    }
    // The fakes are there, of the tested version, and nobody is signed in.
    for name in ["codex", "claude"] {
        let (level, words) = said.of(name);
        assert!(level == "warn" && words.contains("not signed in"), "{words}");
    }
    let (_, words) = said.of("keys of");
    assert!(words.contains("the server's are fresh, confirmed"), "{words}");

    room.plane.answer(Keys::Status(500));
    examine(room.app.command(&["doctor", "--json"]).unwrap()).fails("keys of", "answered 500");
    room.plane.answer(Keys::Served);

    // Nobody answers where somebody holds the directory.
    fs::remove_file(room.app.data().join("room.sock")).unwrap();
    let held = format!("process {} holds the data directory", room.app.pid());
    examine(room.app.command(&["doctor", "--json"]).unwrap()).fails("server", &held);

    // The same Room, stopped, asks the programs by itself.
    room.app.signal(Signal::TERM);
    assert!(room.app.wait().success());
    let said = examine(room.app.command(&["doctor", "--json"]).unwrap());
    assert!(said.well, "{:#?}", said.findings);
    assert!(said.of("server").1.contains("none runs here"));
    assert!(said.of("claude").1.contains("not signed in"), "{:#?}", said.findings);
    let text = room.app.command(&["doctor"]).unwrap().output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.lines().any(|line| line == "warn server: none runs here; start it with `room`"),
        "{text}"
    );
}

#[test]
fn wrong_settings_do_not_keep_it_from_looking_at_the_rest() {
    let setup = Setup::new()
        .unwrap()
        .var("ROOM_PORT", "seventy")
        .var("ROOM_BIND", "0.0.0.0")
        .var("ROOM_LOG", "loud");
    fs::create_dir(setup.data()).unwrap();
    fs::set_permissions(setup.data(), fs::Permissions::from_mode(0o755)).unwrap();
    let said = doctor(&setup);
    for name in ["ROOM_PORT", "ROOM_BIND", "ROOM_LOG"] {
        let told = |finding: &&Value| finding["found"].as_str().unwrap().starts_with(name);
        assert!(said.findings.iter().any(|finding| told(&finding)), "{name}: {:#?}", said.findings);
    }
    said.fails("data directory", "chmod 700");
    assert!(said.of("codex").1.contains("not installed"));
    assert_eq!(fs::read_dir(setup.data()).unwrap().count(), 0, "it leaves nothing behind");
}

/// What is broken in a data directory, one thing after the other.
#[tokio::test]
async fn what_is_wrong_with_the_data_is_told() {
    let mut app = Setup::new().unwrap().start().await.unwrap();
    app.signal(Signal::TERM);
    assert!(app.wait().success());
    let look = || examine(app.command(&["doctor", "--json"]).unwrap());
    assert!(look().well);

    let database = app.data().join("room.db");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    look().fails("files", "chmod 600");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o600)).unwrap();

    let sound = fs::read(&database).unwrap();
    let mut flipped = sound.clone();
    flipped[4096..].fill(0x55);
    for bytes in [flipped.as_slice(), b"not a database", &sound[..sound.len() / 2]] {
        fs::write(&database, bytes).unwrap();
        look().fails("database", "damaged");
        assert_eq!(fs::read(&database).unwrap(), bytes, "it changes nothing");
    }
    fs::write(&database, &sound).unwrap();
    assert!(look().well);

    let aside = app.data().join("room.db.damaged-20260101T000000Z");
    fs::write(&aside, "x").unwrap();
    fs::set_permissions(&aside, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(look().findings.iter().any(|finding| finding.to_string().contains("set aside as")));

    let backup = app.data().join("backups/room-20260101T000000Z.db");
    fs::create_dir_all(backup.parent().unwrap()).unwrap();
    let file = File::create(&backup).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(72)).unwrap();
    let said = look();
    let (level, words) = said.of("backups");
    assert!(level == "warn" && words.contains("72 hours old"), "{words}");
}

#[test]
fn what_is_wrong_with_the_machine_is_told() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let setup = Setup::new().unwrap().var("ROOM_PORT", &port);
    doctor(&setup).fails("port", &port);

    let plain = setup.command(&["doctor", "--json"]).unwrap();
    let mut few = Command::new("/bin/sh");
    few.args(["-c", "ulimit -n 128 && exec \"$0\" \"$@\""]).arg(plain.get_program());
    few.args(plain.get_args()).env_clear();
    few.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    examine(few).fails("open files", "128");

    if rustix::process::geteuid().is_root() {
        let setup = Setup::new().unwrap().cloud().var("ROOM_STANDALONE", "1");
        assert_eq!(doctor(&setup).of("user").0, "warn", "it was allowed");
        doctor(&setup.var("ROOM_ALLOW_ROOT", "0")).fails("user", "will not start");
    }
}

#[test]
fn a_full_disk_is_told() {
    let setup = Setup::new().unwrap();
    fs::create_dir(setup.data()).unwrap();
    let Some(_disk) = SmallDisk::mount("a_full_disk_is_told", setup.data(), 4 * 1024 * 1024) else {
        return;
    };
    doctor(&setup).fails("disk", "4 MiB free");
}

/// A key endpoint of another time: it answers, and nothing of it is any good.
#[test]
fn a_clock_far_from_the_key_endpoints_is_told() {
    let endpoint = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/keys", endpoint.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut asker, _) = endpoint.accept().unwrap();
        let mut head = [0; 1024];
        let _ = asker.read(&mut head).unwrap();
        let answer = "HTTP/1.1 404 Not Found\r\nDate: Sat, 01 Jan 2022 00:00:00 GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        asker.write_all(answer.as_bytes()).unwrap();
    });
    let setup = Setup::new()
        .unwrap()
        .cloud()
        .var("ROOM_INSTANCE_ID", "inst-1")
        .var("ROOM_JWT_ISSUER", "https://control.example")
        .var("ROOM_JWKS_URL", &url)
        .var("ROOM_ALLOW_LOOPBACK_JWKS", "1");
    let said = doctor(&setup);
    answering.join().unwrap();
    said.fails("clock", "s ahead of the key endpoint's");
    said.fails("keys of", "answered 404");
    assert!(!Path::exists(setup.data()), "nothing was made");
}
