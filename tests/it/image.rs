//! The image, run as its docs say: `cargo xtask image` builds it and names it in `ROOM_TEST_IMAGE`.
//!
//! podman runs it, with the kernel's own limits and the network of this machine, so that the
//! stand-ins for the vendors are where the proxy of the environment says.

#![expect(clippy::print_stdout, reason = "what was measured is for who runs this")]

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use provider_sessions::provider::built_in;
use reqwest::Method;
use room_runtime::server::STOPS_WITHIN;
use room_tests::anthropic::Anthropic;
use room_tests::app::{Answer, SOON};
use room_tests::client::Client;
use room_tests::clis::fake_clis;
use room_tests::fake::Control;
use room_tests::load::{Mode, Options, connect};
use room_tests::openai::OpenAi;
use room_tests::page::Page;
use room_tests::proxy::Proxy;
use room_tests::{eventually, eventually_async, not_run};
use serde_json::{Value, json};

use crate::room::{asks_for_input, id};

/// The user of the image.
const USER: u32 = 10001;

const MEMORY_MIB: u64 = 256;
const PAGES: usize = 1000;

/// The image under test; without one nothing here runs, which is said, and a failure under `CI=true`.
fn image() -> Option<String> {
    let image = std::env::var("ROOM_TEST_IMAGE").ok().filter(|image| !image.is_empty());
    if image.is_none() {
        not_run("the image", "ROOM_TEST_IMAGE names none (cargo xtask image)");
    }
    image
}

fn podman(words: &[&str]) -> (bool, String) {
    let output = Command::new("podman").args(words).output().expect("podman is installed");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
}

#[track_caller]
fn done(words: &[&str]) -> String {
    let (good, text) = podman(words);
    assert!(good, "podman {words:?}: {text}");
    text
}

/// A container with a volume of its own; both are gone when it is dropped.
struct Container {
    name: String,
    port: u16,
}

impl Container {
    /// With the limits of docs/self-host.md and what the test adds.
    fn create(image: &str, port: u16, env: &[(String, String)], mounts: &[String]) -> Self {
        let name = format!("room-test-{port}");
        let (volume, memory) = (format!("{name}:/data"), format!("{MEMORY_MIB}m"));
        let mut words: Vec<String> = [
            // runc knows the mixed hierarchy of older systems, which crun refuses.
            "--runtime=runc",
            "create",
            "--name",
            &name,
            "--network=host",
            "--read-only",
            "--tmpfs=/tmp:size=64m",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            "--pids-limit=256",
            // What podman asks for otherwise is more than some sandboxes may give.
            "--ulimit=nofile=4096:16384",
            "--ulimit=nproc=1024:1024",
            "--memory",
            &memory,
            "--memory-swap",
            &memory,
            "--stop-timeout=30",
            "--volume",
            &volume,
        ]
        .map(str::to_owned)
        .to_vec();
        words.extend(mounts.iter().map(|mount| format!("--volume={mount}")));
        words.push(format!("--env=ROOM_PORT={port}"));
        words.extend(env.iter().map(|(name, value)| format!("--env={name}={value}")));
        words.push(image.to_owned());
        done(&words.iter().map(String::as_str).collect::<Vec<_>>());
        Self { name, port }
    }

    /// Starts it; how long until the first answer, by podman and from the program's own start.
    fn start(&self) -> (Duration, Duration) {
        let start = Instant::now();
        let mut child = Command::new("podman")
            .args(["--runtime=runc", "start", &self.name])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let answered = || {
            use std::io::{Read as _, Write as _};
            let mut line = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
            line.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                .ok()?;
            let mut head = [0; 12];
            line.read_exact(&mut head).ok()?;
            (head == *b"HTTP/1.1 200").then(Instant::now)
        };
        let answer = eventually(SOON, || {
            let ended = child.try_wait().unwrap().is_some_and(|status| !status.success());
            assert!(!ended, "podman start: {}", self.log());
            answered()
        });
        assert!(child.wait().unwrap().success(), "{}", self.log());
        let program = answer.duration_since(start).saturating_sub(age_before(self.pid(), start));
        (answer.duration_since(start), program)
    }

    fn log(&self) -> String {
        podman(&["logs", &self.name]).1
    }

    fn inspect(&self, what: &str) -> String {
        done(&["inspect", "--format", what, &self.name])
    }

    /// Process 1 in it, by this machine's count.
    fn pid(&self) -> u32 {
        self.inspect("{{.State.Pid}}").parse().unwrap()
    }

    #[track_caller]
    fn exec(&self, words: &[&str]) -> String {
        done(&[&["--runtime=runc", "exec", &self.name], words].concat())
    }

    /// The folder of this machine that is its `/data`.
    fn data(&self) -> PathBuf {
        done(&["volume", "inspect", "--format", "{{.Mountpoint}}", &self.name]).into()
    }

    /// Its folder in the memory controller, and whether that is of the older kind.
    fn memory(&self) -> (PathBuf, bool) {
        let groups = fs::read_to_string(format!("/proc/{}/cgroup", self.pid())).unwrap();
        let of = |name: &str| {
            groups.lines().find_map(|line| line.split_once(name).map(|(_, path)| path.to_owned()))
        };
        match (of(":memory:"), of("0::")) {
            (Some(path), _) => (PathBuf::from("/sys/fs/cgroup/memory").join(&path[1..]), true),
            (None, path) => (PathBuf::from("/sys/fs/cgroup").join(&path.unwrap()[1..]), false),
        }
    }

    fn processes(&self) -> Vec<u32> {
        let (folder, _) = self.memory();
        let all = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        all.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    /// `podman stop`; how long that took, and the exit code.
    fn stop(&self) -> (Duration, String) {
        let start = Instant::now();
        done(&["--runtime=runc", "stop", &self.name]);
        (start.elapsed(), self.inspect("{{.State.ExitCode}}"))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.log());
        }
        podman(&["--runtime=runc", "rm", "--force", "--time=0", &self.name]);
        podman(&["volume", "rm", "--force", &self.name]);
    }
}

/// How long after `start` a process began, to a hundredth of a second.
fn age_before(pid: u32, start: Instant) -> Duration {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let field = line.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().to_owned();
    let began = Duration::from_millis(field.parse::<u64>().unwrap() * 10);
    let up = fs::read_to_string("/proc/uptime").unwrap();
    let up = Duration::from_secs_f64(up.split(' ').next().unwrap().parse().unwrap());
    let at_start = up.saturating_sub(start.elapsed());
    began.saturating_sub(at_start)
}

fn status_of(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim_start_matches(':').trim().to_owned()
}

/// Free a moment ago.
fn free_port() -> u16 {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    taken.local_addr().unwrap().port()
}

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn the_image_is_what_its_docs_say() {
    let Some(image) = image() else { return };
    let clis = fake_clis().unwrap();
    // The fakes stand first, but for the programs of the image asked by their place.
    let env = env(&[
        ("ROOM_PUBLIC_URL", "https://room.test"),
        ("ROOM_CLIENT_IP", "proxies:1"),
        ("ROOM_STANDALONE", "1"),
        ("PATH", "/fakes:/usr/local/bin:/usr/bin:/bin"),
    ]);
    let mounts = [format!("{}:/fakes:ro", clis.path().display())];
    let container = Container::create(&image, free_port(), &env, &mounts);
    let (all, program) = container.start();
    println!("cold start to the first answer: {all:?} with podman, {program:?} from exec");

    // Who it is and what it may.
    let first = container.pid();
    for pid in container.processes() {
        for (name, expected) in [
            ("Uid", format!("{USER}\t{USER}\t{USER}\t{USER}")),
            ("CapEff", "0".repeat(16)),
            ("NoNewPrivs", "1".into()),
        ] {
            assert_eq!(status_of(pid, name), expected, "{name} of {pid}");
        }
    }
    assert!(container.processes().contains(&first));
    let (written, said) = podman(&["--runtime=runc", "exec", &container.name, "touch", "/opt/x"]);
    assert!(!written && said.contains("Read-only"), "{said}");
    let mode = container.exec(&["stat", "--format=%a %u %g", "/data"]);
    assert_eq!(mode, format!("700 {USER} {USER}"));

    // Its health, and what is in it.
    container.exec(&["room", "healthcheck"]);
    done(&["--runtime=runc", "healthcheck", "run", &container.name]);
    let said = container.exec(&["room", "--version"]);
    assert!(said.starts_with(concat!("room ", env!("CARGO_PKG_VERSION"), "+")), "{said}");
    for row in built_in().iter().filter(|row| ["codex", "claude"].contains(&row.id.as_str())) {
        let program = format!("/opt/room/cli/bin/{}", row.program);
        let said = container.exec(&["env", "HOME=/tmp", &program, "--version"]);
        let tested = row.install.tested.as_str();
        assert!(said.contains(tested), "{}: {said}", row.id);
    }

    // The first device, and a sign-in.
    let client = Client::of_hosted(container.port).unwrap();
    let said = container.exec(&["room", "pair"]);
    let (_, code) = said.split_once("https://room.test/#pair=").unwrap_or_else(|| panic!("{said}"));
    let mut page = Page::open(&client);
    let answer = page.redeem(code.split_whitespace().next().unwrap(), "laptop").await;
    assert_eq!(answer.body["role"], "owner", "{answer:?}");
    let started = page.post("/api/providers/codex/connect", &json!({})).await;
    let path = format!("/api/providers/sessions/{}", id(&started.body["session"]));
    let view = async |wanted: fn(&Value) -> bool| {
        eventually_async("the sign-in", SOON, async || {
            // As often as a person's limit lets.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let answer = page.get(&path).await;
            let view = answer.body["session"].clone();
            wanted(&view).then_some(view)
        })
        .await
    };
    view(|view| view["deviceCode"].is_string()).await;
    Control::new(&container.data().join("home")).approve();
    view(|view| view["status"] == "completed").await;

    // Away and back, with its volume.
    let (took, code) = container.stop();
    println!("stop: {took:?}, exit code {code}");
    assert_eq!(code, "0", "{}", container.log());
    assert!(took < STOPS_WITHIN, "{took:?}");
    container.start();
    let (client, cookie) = (Client::of_hosted(container.port).unwrap(), page.cookie().unwrap());
    let get = async |path| {
        Answer::of(client.anonymous(Method::GET, path).header("cookie", &cookie)).await
    };
    assert_eq!(get("/api/auth/verify").await.body["device"], "laptop");
    let log = get("/api/activity?limit=50").await.body.to_string();
    for part in ["instance.start", "instance.stop", "provider.connect", "provider.finished"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    let status = get("/api/providers/status?refresh=1").await;
    assert_eq!(status.body["providers"]["codex"]["connected"], true, "{status:?}");
    assert_eq!(container.stop().1, "0");
}

/// A container that programs of this machine speak to, with the stand-ins for the vendors.
struct World {
    container: Container,
    openai: OpenAi,
    anthropic: Anthropic,
    _proxy: Proxy,
    client: Client,
    token: String,
}

impl World {
    fn new(image: &str) -> Self {
        let (openai, anthropic) = (OpenAi::start().unwrap(), Anthropic::start().unwrap());
        let proxy = Proxy::start(&openai, &anthropic).unwrap();
        let port = free_port();
        let host = format!("127.0.0.1:{port}");
        let authority = proxy.authority().display().to_string();
        let mut env = env(&[
            ("ROOM_BIND", "127.0.0.1"),
            ("ROOM_PUBLIC_URL", &format!("http://{host}")),
            ("ROOM_CLIENT_IP", "direct"),
            ("ROOM_STANDALONE", "1"),
            // A thousand pages of one person.
            ("ROOM_AUTH_FAILURES_PER_MINUTE", "off"),
        ]);
        let inside = |value: String| if value == authority { "/ca.pem".into() } else { value };
        env.extend(proxy.env().into_iter().map(|(name, value)| (name, inside(value))));
        let mounts = [format!("{authority}:/ca.pem:ro")];
        let container = Container::create(image, port, &env, &mounts);
        container.start();
        let said = container.exec(&["room", "token"]);
        let token = said.split_whitespace().next().unwrap().to_owned();
        let client = Client::new(port, Some(&host)).unwrap();
        Self { container, openai, anthropic, _proxy: proxy, client, token }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self.client.bearing(&self.token, method.clone(), path);
        let request = if method == Method::GET { request } else { request.json(body) };
        let answer = Answer::of(request).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer.body
    }

    async fn connect(&self, provider: &str, until: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/providers/{provider}/connect");
        let started = self.ask(Method::POST, &path, &json!({})).await;
        self.until(id(&started["session"]), until).await
    }

    async fn until(&self, session: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/providers/sessions/{session}");
        eventually_async("a sign-in", 2 * SOON, async || {
            let view = self.ask(Method::GET, &path, &Value::Null).await["session"].clone();
            let over = view["active"] == false && !wanted(&view);
            assert!(!over, "{view:#}");
            wanted(&view).then_some(view)
        })
        .await
    }

    /// codex with its code, and claude with its question.
    async fn both(&self) -> (Value, Value) {
        let codex = self.connect("codex", |view| view["deviceCode"].is_string()).await;
        (codex, self.connect("claude", asks_for_input).await)
    }

    /// Brings both to their end.
    async fn sign_in(&self, codex: &Value, claude: &Value) {
        self.openai.approve(codex["deviceCode"].as_str().unwrap()).unwrap();
        let code = self.anthropic.sign_in(claude["verificationUrl"].as_str().unwrap()).unwrap();
        let path = format!("/api/providers/sessions/{}/input", id(claude));
        self.ask(Method::POST, &path, &json!({ "text": code })).await;
        for session in [codex, claude] {
            self.until(id(session), |view| view["status"] == "completed").await;
        }
    }
}

/// What the memory controller says, in MiB.
fn memory_report(folder: &Path, old: bool) -> String {
    let number = |name: &str| -> u64 {
        let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    };
    let mib = |bytes: u64| bytes / 1024 / 1024;
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let of = |name: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        mib(line.and_then(|text| text.parse().ok()).unwrap_or(0))
    };
    if old {
        format!(
            "{} MiB charged: {} anonymous, {} files, {} kernel; {} at the most, refused {} times",
            mib(number("memory.usage_in_bytes")),
            of("total_rss"),
            of("total_cache"),
            mib(number("memory.kmem.usage_in_bytes")),
            mib(number("memory.max_usage_in_bytes")),
            number("memory.failcnt"),
        )
    } else {
        format!(
            "{} MiB charged: {} anonymous, {} files, {} kernel; {} at the most",
            mib(number("memory.current")),
            of("anon"),
            of("file"),
            of("kernel"),
            mib(number("memory.peak")),
        )
    }
}

fn killed_for_memory(folder: &Path, old: bool) -> bool {
    let name = if old { "memory.oom_control" } else { "memory.events" };
    let text = fs::read_to_string(folder.join(name)).unwrap();
    text.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count != "0"))
}

#[tokio::test]
async fn a_thousand_pages_and_the_real_programs_fit_into_256_mib() {
    let Some(image) = image() else { return };
    let world = World::new(&image);
    let (folder, old) = world.container.memory();
    let limit = if old { "memory.limit_in_bytes" } else { "memory.max" };
    let limit = fs::read_to_string(folder.join(limit)).unwrap();
    assert_eq!(limit.trim(), (MEMORY_MIB * 1024 * 1024).to_string());
    println!("at rest: {}", memory_report(&folder, old));

    let options = Options {
        mode: Mode::Idle,
        clients: PAGES,
        address: (Ipv4Addr::LOCALHOST, world.container.port).into(),
        path: "/ws".into(),
        token: Some(world.token.clone()),
        channel: None,
        receive_buffer: None,
    };
    let crowd = connect(&options).await.unwrap();
    println!("{PAGES} pages: {}", memory_report(&folder, old));
    let (codex, claude) = world.both().await;
    println!("{PAGES} pages, two sign-ins: {}", memory_report(&folder, old));
    world.sign_in(&codex, &claude).await;
    println!("signed in: {}", memory_report(&folder, old));
    assert!(!killed_for_memory(&folder, old), "{}", world.container.log());
    let report = crowd.end().await;
    println!("pages: {report:?}");
    assert_eq!(world.openai.faults(), [""; 0]);
    assert_eq!(world.anthropic.faults(), [""; 0]);

    // Told to end in the middle of two more, it leaves nobody and is gone in time.
    world.both().await;
    assert!(world.container.processes().len() > 4);
    let dead = |pid: &u32| status_of(*pid, "State").starts_with('Z');
    let zombies = || world.container.processes().iter().filter(|pid| dead(pid)).count();
    eventually(SOON, || (zombies() == 0).then_some(()));
    let (took, code) = world.container.stop();
    println!("stop with two sign-ins: {took:?}, exit code {code}");
    assert_eq!(code, "0", "{}", world.container.log());
    assert!(took < STOPS_WITHIN, "{took:?}");
}
