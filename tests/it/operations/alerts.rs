//! Every rule of `docs/alerts.yml` is made true on a real Room, and is quiet before.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::{Method, StatusCode};
use room_auth::Role;
use room_runtime::metrics::families;
use room_tests::app::{Answer, SOON, Setup, TestApp};
use room_tests::disk::SmallDisk;
use room_tests::fake::Scenario;
use room_tests::issuer::{ControlPlane, Keys};
use room_tests::load::{Mode, Options, connect};
use room_tests::metrics::Samples;
use room_tests::metrics::alerts::{Readings, Rule, rules};
use room_tests::{eventually, eventually_async, not_run};
use rustix::process::Signal;
use serde_json::json;

use super::disk::{clear, fill};
use super::metrics::measured;
use crate::cloud::{Hosted, INSTANCE, legacy};
use crate::processes::{children, kill};
use crate::room::{Room, id, text};

const FILE: &str = include_str!("../../../docs/alerts.yml");
const THIS: &str = include_str!("alerts.rs");

fn rule(name: &str) -> Rule {
    let found = rules(FILE).into_iter().find(|rule| rule.name == name);
    found.unwrap_or_else(|| panic!("no rule {name}"))
}

/// Readings of one Room.
#[derive(Default)]
struct Watch(Readings);

impl Watch {
    async fn read(&mut self, app: &TestApp) {
        self.0.add(Some(&Samples::of(app).await));
    }

    #[track_caller]
    fn quiet(&self, names: &[&str]) {
        for name in names {
            assert!(!self.0.make_true(&rule(name)), "{name} is true already");
        }
    }

    #[track_caller]
    fn fires(&self, names: &[&str]) {
        for name in names {
            assert!(self.0.make_true(&rule(name)), "{name} is not true");
        }
    }

    /// Reads until the rule is true.
    async fn until(&mut self, app: &TestApp, name: &str) {
        eventually_async(name, SOON, async || {
            self.read(app).await;
            self.0.make_true(&rule(name)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_rule_says_what_to_do_asks_for_what_there_is_and_is_quiet_on_a_sound_room() {
    let room = Hosted::with(|setup| setup.var("ROOM_METRICS_BIND", "127.0.0.1:0")).await;
    let mut watch = Watch::default();
    watch.read(&room.app).await;
    watch.read(&room.app).await;
    let all = rules(FILE);
    assert!(all.len() >= 12, "{}", all.len());
    let known: Vec<_> = families::ALL.iter().map(|family| family.name).collect();
    for rule in &all {
        for part in ["severity", "summary", "description"] {
            assert!(
                rule.says.get(part).is_some_and(|text| text.len() > 3),
                "{}: {part}",
                rule.name
            );
        }
        for name in Readings::names(rule) {
            assert!(known.contains(&name.as_str()), "{}: no {name}", rule.name);
        }
        // The memory of the machine that the tests run on is not ours to judge.
        if rule.name != "RoomMemoryLow" {
            watch.quiet(&[rule.name.as_str()]);
        }
        let tried = THIS.matches(&format!("\"{}\"", rule.name)).count();
        assert!(tried > 0, "{} is made true by no test", rule.name);
    }
}

#[tokio::test]
async fn a_room_that_is_gone_and_one_that_keeps_starting_are_told() {
    let mut app = measured(Setup::new().unwrap()).await;
    let mut watch = Watch::default();
    for _ in 0..3 {
        watch.read(&app).await;
        watch.quiet(&["RoomRestarts", "RoomDown"]);
        app.signal(Signal::KILL);
        app.wait();
        app.start().await.unwrap();
    }
    watch.read(&app).await;
    watch.fires(&["RoomRestarts"]);
    app.signal(Signal::KILL);
    app.wait();
    watch.0.add(None);
    watch.fires(&["RoomDown"]);
}

#[tokio::test]
async fn those_who_ask_too_often_and_those_who_guess_are_told() {
    let app = measured(Setup::new().unwrap()).await;
    let names = ["RoomCrowded", "RoomGuesses"];
    let mut watch = Watch::default();
    watch.read(&app).await;
    let mut refused = 0;
    // Several at once: one alone on a slow machine is within its rights.
    while refused < 320 {
        let all = (0..16).map(|_| app.get("/api/auth/verify"));
        let all = futures_util::future::join_all(all).await;
        let too_many = |answer: &&Answer| answer.status == StatusCode::TOO_MANY_REQUESTS;
        refused += all.iter().filter(too_many).count();
    }
    for _ in 0..110 {
        Answer::of(app.client().bearing("nobody", Method::GET, "/api/status")).await;
    }
    watch.quiet(&names);
    watch.read(&app).await;
    watch.fires(&names);
}

#[tokio::test]
async fn sign_ins_that_keep_failing_are_told() {
    let room = Room::with(|setup| setup.var("ROOM_METRICS_BIND", "127.0.0.1:0")).await;
    room.control.play("codex", &Scenario::Dies);
    let mut watch = Watch::default();
    for _ in 0..3 {
        watch.read(&room.app).await;
        watch.quiet(&["RoomLoginsFail"]);
        let session = room.app.connect("codex").await;
        room.app.session_until(id(&session), |view| view["active"] == false).await;
    }
    watch.until(&room.app, "RoomLoginsFail").await;
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_told() {
    let setup = super::disk::setup();
    let test = "a_disk_that_takes_nothing_is_told";
    let Some(disk) = SmallDisk::mount(test, setup.data(), 300 << 20) else { return };
    let room = Room::from(setup).await;
    let names = ["RoomDiskLow", "RoomNotReady", "RoomAuditFails", "RoomErrors"];
    let mut watch = Watch::default();
    watch.read(&room.app).await;
    watch.quiet(&names);
    fill(disk.path());
    let mut refused = 0;
    while refused < 7 {
        let answer = room.app.post("/api/providers/codex/connect", &json!({})).await;
        if answer.status.is_success() {
            // A page of the database was free yet; soon none is.
            room.app.cancel(id(&answer.body["session"])).await;
        } else {
            assert_eq!(answer.status, 503, "{answer:?}");
            refused += 1;
        }
    }
    watch.until(&room.app, "RoomNotReady").await;
    watch.fires(&names);
    clear(disk.path());
    eventually_async("it is over", SOON, async || {
        watch.read(&room.app).await;
        (!watch.0.make_true(&rule("RoomNotReady"))).then_some(())
    })
    .await;
    watch.quiet(&["RoomDiskLow"]);
}

#[tokio::test]
async fn keys_that_are_missing_or_old_are_told() {
    let names = ["RoomKeysMissing", "RoomKeysOld"];
    let plane = ControlPlane::start(INSTANCE).unwrap();
    plane.answer(Keys::Status(500));
    let setup = Setup::new().unwrap().cloud().env(plane.settings());
    let mut app = measured(setup).await;
    let mut watch = Watch::default();
    watch.until(&app, "RoomKeysMissing").await;
    watch.quiet(&["RoomKeysOld"]);
    plane.answer(Keys::Served);
    app.signal(Signal::TERM);
    app.wait();
    app.start().await.unwrap();
    crate::cloud::embedded::keys_are_there(app.client()).await;
    // They are in use before they are on the disk.
    eventually(SOON, || saved_keys(app.data()));
    let token = plane.token(Role::Owner);
    let verify = app.client().bearing(&token, Method::GET, "/api/auth/verify");
    assert_eq!(Answer::of(verify).await.status, 200);
    watch.read(&app).await;
    watch.quiet(&names);
    // It goes on with the keys it has, which were confirmed two hours ago.
    app.signal(Signal::TERM);
    app.wait();
    plane.answer(Keys::Status(500));
    age_keys(app.data());
    app.start().await.unwrap();
    watch.until(&app, "RoomKeysOld").await;
    watch.quiet(&["RoomKeysMissing"]);
}

fn saved_keys(data: &Path) -> Option<PathBuf> {
    let is_set = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "jwks");
    let mut files = fs::read_dir(data).unwrap().flatten().map(|entry| entry.path()).filter(is_set);
    let (file, none) = (files.next(), files.next());
    assert_eq!(none, None);
    file
}

/// Makes the saved keys two hours older.
fn age_keys(data: &Path) {
    let file = saved_keys(data).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let older = text.lines().map(|line| match line.strip_prefix("fetched: ") {
        Some(seconds) => format!("fetched: {}", seconds.parse::<u64>().unwrap() - 7200),
        None => line.to_owned(),
    });
    fs::write(&file, older.collect::<Vec<_>>().join("\n")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_do_not_read_are_told() {
    let room = Room::with(|setup| setup.var("ROOM_METRICS_BIND", "127.0.0.1:0")).await;
    room.control.play("codex", &Scenario::LateFlood);
    let session = room.app.connect("codex").await;
    room.app.session_until(id(&session), |view| text(view).contains("ready")).await;
    let mut watch = Watch::default();
    watch.read(&room.app).await;
    let options = Options {
        mode: Mode::Deaf,
        clients: 8,
        address: ([127, 0, 0, 1], room.app.port()).into(),
        path: "/ws".into(),
        token: Some(room.app.token().into()),
        channel: Some(format!("provider-auth:{}", id(&session))),
        receive_buffer: Some(4096),
    };
    let crowd = connect(&options).await.unwrap();
    watch.quiet(&["RoomSlowReaders"]);
    room.control.flood();
    watch.until(&room.app, "RoomSlowReaders").await;
    crowd.end().await;
}

#[tokio::test]
async fn processes_that_were_left_behind_are_told() {
    let room = Room::with(|setup| setup.var("ROOM_METRICS_BIND", "127.0.0.1:0")).await;
    room.control.play("codex", &Scenario::Grandchildren);
    let session = room.codex_code().await;
    let mut watch = Watch::default();
    watch.read(&room.app).await;
    watch.quiet(&["RoomOrphans"]);
    // Others ask a program how it stands, and go by themselves.
    let signs_in = |(pid, line): &(u32, String)| {
        let below = children(*pid);
        let login = |line: &String| line.contains("login") && !line.contains("status");
        line.contains("__child") && below.iter().any(|(_, line)| login(line))
    };
    let (launcher, _) = eventually(SOON, || children(room.app.pid()).into_iter().find(signs_in));
    kill(launcher, Signal::KILL);
    room.app.session_until(id(&session), |view| view["active"] == false).await;
    watch.until(&room.app, "RoomOrphans").await;
    eventually(SOON, || room.app.descendants().is_empty().then_some(()));
}

#[tokio::test]
async fn the_shared_secret_is_told_while_it_is_used() {
    let app = measured(legacy::setup()).await;
    let mut watch = Watch::default();
    watch.read(&app).await;
    watch.quiet(&["RoomLegacySecretUsed"]);
    let token = legacy::token(&json!({}));
    let verify = app.client().bearing(&token, Method::GET, "/api/auth/verify");
    assert_eq!(Answer::of(verify).await.status, 200);
    watch.read(&app).await;
    watch.fires(&["RoomLegacySecretUsed"]);
}

#[tokio::test]
async fn a_want_of_descriptors_is_told() {
    let setup = Setup::new().unwrap().var("ROOM_METRICS_BIND", "127.0.0.1:0");
    let app = setup.start_below(&["/usr/bin/prlimit", "--nofile=80:80"]).await.unwrap();
    let mut watch = Watch::default();
    watch.read(&app).await;
    watch.quiet(&["RoomFilesLow"]);
    let mut held = Vec::new();
    eventually_async("most descriptors are taken", SOON, async || {
        if held.len() < 50 {
            held.push(TcpStream::connect(("127.0.0.1", app.port())).unwrap());
        }
        watch.read(&app).await;
        watch.0.make_true(&rule("RoomFilesLow")).then_some(())
    })
    .await;
    drop(held);
    eventually_async("they come back", SOON, async || {
        watch.read(&app).await;
        (!watch.0.make_true(&rule("RoomFilesLow"))).then_some(())
    })
    .await;
}

/// A control group of the test's own, in either version of them.
struct Group {
    folder: PathBuf,
    files: [&'static str; 3],
}

impl Group {
    fn new(test: &str) -> Option<Self> {
        for (mount, files) in [
            ("/sys/fs/cgroup", ["memory.max", "memory.current", "inactive_file "]),
            (
                "/sys/fs/cgroup/memory",
                ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "],
            ),
        ] {
            let folder = Path::new(mount).join(format!("room-test-{}", std::process::id()));
            if fs::create_dir(&folder).is_ok() {
                let group = Self { folder, files };
                if group.folder.join(files[0]).exists() {
                    return Some(group);
                }
            }
        }
        not_run(test, "no control group for memory can be made here");
        None
    }

    fn used(&self) -> u64 {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap();
        let all: u64 = read(self.files[1]).trim().parse().unwrap();
        let stat = read("memory.stat");
        let cached = stat.lines().find_map(|line| line.strip_prefix(self.files[2]));
        all - cached.map_or(0, |bytes| bytes.trim().parse::<u64>().unwrap())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

#[tokio::test]
async fn a_want_of_memory_is_told() {
    let Some(group) = Group::new("a_want_of_memory_is_told") else { return };
    let setup = Setup::new().unwrap().var("ROOM_METRICS_BIND", "127.0.0.1:0");
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.folder.display());
    let mut app = setup.start_below(&["/bin/sh", "-c", &enter, "sh"]).await.unwrap();
    let mut watch = Watch::default();
    let roomy = group.used() * 4;
    fs::write(group.folder.join(group.files[0]), roomy.to_string()).unwrap();
    watch.read(&app).await;
    watch.quiet(&["RoomMemoryLow"]);
    let mib = f64::from(u32::try_from(roomy >> 20).unwrap() + 1);
    assert!(Samples::of(&app).await.sum("room_memory_limit_bytes", &[]) <= mib * 1_048_576.0);
    eventually_async("hardly any memory is left", SOON, async || {
        let tight = group.used() / 100 * 106;
        let _ = fs::write(group.folder.join(group.files[0]), tight.to_string());
        watch.read(&app).await;
        watch.0.make_true(&rule("RoomMemoryLow")).then_some(())
    })
    .await;
    fs::write(group.folder.join(group.files[0]), roomy.to_string()).unwrap();
    app.signal(Signal::TERM);
    app.wait();
}

/// Debian's own tool says that the file is one that Prometheus takes, where it is installed.
#[test]
fn prometheus_takes_the_file() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/alerts.yml");
    match Command::new("promtool").args(["check", "rules", file]).output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(_) => not_run("prometheus_takes_the_file", "promtool is not installed"),
    }
}
