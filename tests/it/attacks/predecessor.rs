//! The nineteen faults of Room's predecessor, O1 to O19, each a test of its own.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use reqwest::Method;
use room_auth::Role;
use room_auth::issuer::Grant;
use room_tests::app::{Answer, SOON, Setup};
use room_tests::fake::{Scenario, runs};
use room_tests::socket::Socket;
use room_tests::{eventually, not_run, raw};
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::internet::{counting, guess, is_limited, is_still_limited};
use super::{GUARDED, MODES, Mode, Rig, Target, settings};
use crate::room::{id, text};

/// A fresh one-time code of local mode.
fn fresh_code(target: &Target) -> String {
    let output = target.app.command(&["open", "--no-open"]).unwrap().output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().split_once("#code=").expect("a link").1.to_owned()
}

/// The handshake of our own page, as one text.
fn handshake(target: &Target, host: &str, origin: &str, code: &str) -> String {
    let body = json!({ "code": code }).to_string();
    format!(
        "POST /api/auth/handshake HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\
         Sec-Fetch-Site: same-origin\r\nX-Room-Handshake: 1\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .replace("PORT", &target.app.port().to_string())
}

#[tokio::test]
async fn o01_only_our_own_host_signs_anyone_in() {
    let hosts =
        ["evil.example", "evil.example:PORT", "127.evil.example:PORT", "localhost", "[::1]"];
    let local = Target::start(Mode::Local).await;
    let code = fresh_code(&local);
    for host in hosts {
        for origin in [local.origin(), format!("http://{host}")] {
            let request = handshake(&local, host, &origin, &code);
            let reply = &local.exchange(request.as_bytes())[0];
            assert_eq!(reply.status, 421, "{host}: {reply:?}");
            assert!(!reply.body.contains("token"), "{host}: {reply:?}");
        }
    }
    let good = handshake(&local, &local.host(), &local.origin(), &code);
    assert_eq!(local.exchange(good.as_bytes())[0].status, 200, "and the code was not used up");

    let cloud = Target::start(Mode::Cloud).await;
    for host in hosts {
        let request = cloud.app.client().anonymous(Method::POST, "/api/auth/session");
        let request = request.header("host", host.replace("PORT", "443"));
        let request = request.header("origin", cloud.origin()).bearer_auth(cloud.app.token());
        let answer = Answer::of(request.json(&json!({}))).await;
        assert!(matches!(answer.status.as_u16(), 400 | 421), "{host}: {answer:?}");
        assert_eq!(answer.header("set-cookie"), None, "{host}: {answer:?}");
    }
}

#[tokio::test]
async fn o02_no_other_port_of_this_machine_is_let_in() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let port = target.app.port();
        let origins =
            [port.wrapping_add(1), 3000, 80].map(|port| format!("http://localhost:{port}"));
        for origin in origins.iter().chain([&"http://localhost".to_owned()]) {
            let line = format!("Origin: {origin}");
            let host = format!("Host: {}", target.host());
            for (method, path) in GUARDED {
                let reply = target.ask(method.as_str(), path, &[&host, &line, &target.bearer()]);
                assert_eq!(reply.status, 403, "{mode} {origin} {path}: {reply:?}");
                assert_eq!(reply.header("access-control-allow-origin"), None, "{mode}: {reply:?}");
            }
            let code = if mode == Mode::Local { fresh_code(&target) } else { "A".repeat(43) };
            let request = handshake(&target, &target.host(), origin, &code);
            let reply = &target.exchange(request.as_bytes())[0];
            assert_eq!(reply.status, 403, "{mode} {origin}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn o03_no_other_process_or_user_gets_in_without_the_link() {
    let local = Target::start(Mode::Local).await;
    let own = (local.host(), local.origin());
    for code in ["", "owner", &"A".repeat(43)] {
        let request = handshake(&local, &own.0, &own.1, code);
        let reply = &local.exchange(request.as_bytes())[0];
        assert!(matches!(reply.status, 400 | 401 | 403), "{code}: {reply:?}");
    }
    for body in ["{}", "{\"code\":null}", "null", "[]"] {
        let request = handshake(&local, &own.0, &own.1, "x")
            .replace("{\"code\":\"x\"}", body)
            .replace("Content-Length: 12", &format!("Content-Length: {}", body.len()));
        let reply = &local.exchange(request.as_bytes())[0];
        assert!(matches!(reply.status, 400 | 401 | 403), "{body}: {reply:?}");
    }
    let reply = local.get("/api/auth/handshake", &["X-Room-Handshake: 1"]);
    assert_eq!(reply.status, 405, "{reply:?}");
    // Another user of this machine, even with a good link.
    let code = fresh_code(&local);
    match as_nobody(&local, &handshake(&local, &own.0, &own.1, &code)) {
        Some(answer) => assert_eq!(raw::status(&answer), 403, "{answer}"),
        None => not_run("another user of this machine", "only root may be one"),
    }

    let cloud = Target::start(Mode::Cloud).await;
    let request = handshake(&cloud, &cloud.host(), &cloud.origin(), "x");
    assert_eq!(cloud.exchange(request.as_bytes())[0].status, 404, "no such way in");
    assert!(!cloud.app.data().join("api.token").exists(), "no bearer lies about");
}

/// What a process of another user is answered; nothing if this one may not be another user.
fn as_nobody(target: &Target, request: &str) -> Option<String> {
    use std::os::unix::process::CommandExt as _;
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let script = "exec 3<>/dev/tcp/127.0.0.1/$0; printf %s \"$1\" >&3; cat <&3";
    let mut bash = std::process::Command::new("/bin/bash");
    bash.args(["-c", script, &target.app.port().to_string(), request]).env_clear();
    let output =
        bash.env("PATH", "/usr/bin:/bin").uid(65_534).gid(65_534).current_dir("/").output();
    Some(String::from_utf8_lossy(&output.unwrap().stdout).into_owned())
}

#[tokio::test]
async fn o04_a_socket_asks_for_host_and_origin() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let upgrade = |host: &str, origin: &str| {
            let mut lines = target.upgrade_lines();
            lines.push(format!("Host: {host}"));
            lines.push(format!("Origin: {origin}"));
            target.upgrade("/ws", &lines).status
        };
        let (host, origin) = (target.host(), target.origin());
        assert_eq!(upgrade(&host, &origin), 101, "{mode}");
        assert_eq!(upgrade(&host, "https://evil.example"), 403, "{mode}");
        assert_eq!(upgrade(&host, "null"), 403, "{mode}");
        assert_eq!(upgrade("evil.example", &origin), 421, "{mode}");
        assert_eq!(upgrade("evil.example", "http://evil.example"), 421, "{mode}");
    }
}

#[tokio::test]
async fn o05_nobody_hears_a_channel_they_may_not() {
    for mode in MODES {
        let rig = Rig::start(mode).await;
        let app = &rig.room.app;
        let session = rig.room.codex_code().await;
        let viewer = match mode {
            Mode::Local => {
                let output = app.command(&["token", "--role", "viewer"]).unwrap().output().unwrap();
                String::from_utf8(output.stdout).unwrap().trim().to_owned()
            }
            Mode::Cloud => rig.plane.token(Role::Viewer),
        };
        let mut socket = Socket::by(app.client().upgrade(Some(&viewer))).await;
        let login = format!("provider-auth:{}", id(&session));
        let names =
            [login.as_str(), "activity", "access", "provider-auth:*", "*", "", "nonsense", "rooms"];
        let answer = socket.subscribe(&names).await;
        assert_eq!(answer["channels"], json!([]), "{mode}: {answer}");
        assert_eq!(answer["denied"].as_array().unwrap().len(), names.len(), "{mode}: {answer}");
        // Where they may listen, they hear that something is asked for and no code.
        let mut all = socket.subscribe(&["providers"]).await.to_string();
        rig.room.control.approve();
        for _ in 0..2 {
            all += &socket.next().await.to_string();
        }
        let code = session["deviceCode"].as_str().unwrap();
        assert!(!all.contains(code), "{mode}: {all}");
    }
}

#[tokio::test]
async fn o06_what_is_no_address_and_no_host_is_answered() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let host = format!("Host: {}", target.host());
        // `ask` fails on a connection that is left open without an answer.
        for path in ["//", "///", "//x", "http://", "*"] {
            let reply = target.ask("GET", path, &[&host]);
            assert!((400..500).contains(&reply.status), "{mode} {path}: {reply:?}");
        }
        for host in ["[", "]", "[]", "::", "%", ":x", "a:b:c", "\u{e9}", "[::1]x"] {
            let reply = target.ask("GET", "/", &[&format!("Host: {host}")]);
            assert!(matches!(reply.status, 400 | 421), "{mode} {host}: {reply:?}");
        }
        target.is_well();
    }
}

#[tokio::test]
async fn o07_nobody_restarts_or_changes_it_without_a_sign_in() {
    for mode in MODES {
        let target = Target::start(mode).await;
        let (host, pid) = (format!("Host: {}", target.host()), target.app.pid());
        let boot = target.app.socket().await.hello()["boot"].clone();
        for path in [
            "/api/server/restart",
            "/api/server/update-restart",
            "/api/restart",
            "/api/update",
            "/api/shutdown",
            "/restart",
            "/shutdown",
        ] {
            for lines in [&[host.as_str()][..], &[host.as_str(), &target.bearer()]] {
                let reply = target.ask("POST", path, lines);
                assert!(matches!(reply.status, 404 | 405), "{mode} {path}: {reply:?}");
            }
        }
        for (method, path) in GUARDED {
            let reply = target.ask(method.as_str(), path, &[&host]);
            assert_eq!(reply.status, 401, "{mode} {method} {path}: {reply:?}");
        }
        assert_eq!(target.app.pid(), pid);
        assert_eq!(target.app.socket().await.hello()["boot"], boot, "{mode}: the same run");
    }
}

#[tokio::test]
async fn o08_a_stranger_is_counted_and_not_the_proxy_all_come_through() {
    let target = counting("fly").await;
    let from = |address: &str| vec![("fly-client-ip", address.to_owned())];
    assert!(is_limited(&target, |_| from("198.51.100.1")).await);
    // The socket's address is the same for all of them.
    assert!(is_still_limited(&target, &from("198.51.100.1")).await);
    assert_eq!(guess(&target, &from("198.51.100.2")).await, 401);
    target.is_well();
}

#[tokio::test]
async fn o09_programs_inherit_nothing_of_the_servers() {
    let secrets = [
        ("ROOM_JWT_SECRET", "0123456789abcdef0123456789abcdef-canary"),
        ("ROOM_ENCRYPTION_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("ROOM_CODEX_API_KEY", "sk-proj-canarycanarycanarycanary"),
        ("ANTHROPIC_AUTH_TOKEN", "sk-ant-canary"),
        ("DATABASE_URL", "postgres://canary"),
        ("FLY_API_TOKEN", "canary"),
        ("QUOROOM_SECRET_KEY", "canary-of-the-predecessor-0123456"),
    ];
    for mode in MODES {
        let more = |setup: Setup| {
            let secrets = secrets.iter().filter(|(name, _)| {
                // Only a hosted Room takes these two.
                mode == Mode::Cloud || !matches!(*name, "ROOM_JWT_SECRET" | "QUOROOM_SECRET_KEY")
            });
            let setup = setup.env(secrets.map(|(name, value)| ((*name).into(), (*value).into())));
            if mode == Mode::Cloud { setup.var("ROOM_ALLOW_LEGACY_HMAC", "1") } else { setup }
        };
        let rig = Rig::with(mode, more).await;
        let (codex, claude) = (rig.room.codex_code().await, rig.room.claude_prompt().await);
        rig.room.app.provider_status("claude").await;
        let all = runs(rig.room.app.home().path());
        assert!(all.len() >= 3, "{mode}: {all:?}");
        for run in all {
            for (name, value) in secrets {
                assert!(!run.env.contains_key(name), "{mode} {name}: {run:?}");
                let leaked = run.env.values().any(|found| found.contains(value));
                assert!(!leaked || value == "canary", "{mode} {name}: {run:?}");
            }
            let room = run.env.keys().filter(|name| name.starts_with("ROOM_"));
            assert!(room.clone().all(|name| name == "ROOM_SESSION"), "{mode}: {run:?}");
            assert_eq!(run.fds, [0, 1, 2], "{mode}: {run:?}");
        }
        for session in [codex, claude] {
            rig.room.app.cancel(id(&session)).await;
        }
    }
}

#[tokio::test]
async fn o10_a_token_without_instance_or_role_lets_nobody_in() {
    let cloud = Target::start(Mode::Cloud).await;
    let owner = || Grant::person("someone", Role::Owner);
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let claims = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut claims = json!({
            "iss": room_tests::issuer::ISSUER, "aud": room_auth::issuers::DEFAULT_AUDIENCE,
            "sub": "someone", "instanceId": crate::cloud::INSTANCE, "role": "owner",
            "iat": seconds.as_secs(), "exp": seconds.as_secs() + 60,
        });
        change(&mut claims);
        cloud.plane.sign("JWT", &claims.to_string())
    };
    let verify = async |token: &str| {
        let request = cloud.app.client().bearing(token, Method::GET, "/api/auth/verify");
        Answer::of(request).await.status.as_u16()
    };
    assert_eq!(verify(&claims(&|_| ())).await, 200, "the whole of it lets in");
    for (status, token) in [
        (401, claims(&|claims| drop(claims.as_object_mut().unwrap().remove("instanceId")))),
        (401, claims(&|claims| claims["instanceId"] = json!(null))),
        (401, claims(&|claims| claims["instanceId"] = json!(""))),
        (401, claims(&|claims| claims["instanceId"] = json!("*"))),
        (401, claims(&|claims| claims["instanceId"] = json!([crate::cloud::INSTANCE]))),
        (401, cloud.plane.mint_for("another", &owner())),
        (403, claims(&|claims| drop(claims.as_object_mut().unwrap().remove("role")))),
        (403, claims(&|claims| claims["role"] = json!(null))),
        (403, claims(&|claims| claims["role"] = json!(""))),
        (403, claims(&|claims| claims["role"] = json!("Owner"))),
        (403, claims(&|claims| claims["role"] = json!("user"))),
        (403, claims(&|claims| claims["role"] = json!(["owner"]))),
    ] {
        let found = verify(&token).await;
        // What has the wrong type is no claim at all, which is a refusal too.
        assert!(found == status || (status == 403 && found == 401), "{found} for {token}");
    }
    // On a person's own machine no such token means anything.
    let local = Target::start(Mode::Local).await;
    let request = local.app.client().bearing(cloud.app.token(), Method::GET, "/api/auth/verify");
    assert_eq!(Answer::of(request).await.status, 401);
}

#[tokio::test]
async fn o11_cancelling_reaches_grandchildren_and_answers() {
    for mode in MODES {
        let rig = Rig::start(mode).await;
        rig.room.control.play("codex", &Scenario::Grandchildren);
        let session = rig.room.codex_code().await;
        assert!(rig.room.app.descendants().len() >= 2, "{mode}");
        let start = Instant::now();
        let answer = rig.room.app.cancel(id(&session)).await;
        assert!(answer.status.is_success(), "{mode}: {answer:?}");
        // Five seconds are promised, and the machine is busy.
        assert!(start.elapsed() < Duration::from_secs(10), "{mode}: {:?}", start.elapsed());
        assert_eq!(rig.room.app.descendants(), [], "{mode}");
        assert_eq!(rig.room.app.session(id(&session)).await["status"], "canceled", "{mode}");
    }
}

/// In local mode `hostile` measures a whole line of 150 MB.
#[tokio::test]
async fn o12_output_without_a_newline_is_not_kept() {
    let rig = Rig::start(Mode::Cloud).await;
    rig.room.control.play("codex", &Scenario::NoNewline);
    let pid = rig.room.app.pid();
    let session = rig.room.app.connect("codex").await;
    let run = eventually(SOON, || rig.room.logins("codex").pop());
    let written = |least: u64| {
        let counts = std::fs::read_to_string(format!("/proc/{}/io", run.pid)).unwrap_or_default();
        let line = counts.lines().find_map(|line| line.strip_prefix("wchar: "));
        let bytes: u64 = line.and_then(|count| count.parse().ok()).unwrap_or(0);
        (bytes >= least).then_some(())
    };
    let resident = || room_tests::vitals::Vitals::of(pid).resident_kib;
    eventually(SOON * 4, || written(8 << 20));
    let before = resident();
    eventually(SOON * 4, || written(40 << 20));
    let grown = resident().saturating_sub(before);
    assert!(grown < 4 * 1024, "{grown} KiB more");
    let view = rig.room.app.session(id(&session)).await.to_string();
    assert!(view.len() < 1 << 20, "{}", view.len());
    rig.room.app.cancel(id(&session)).await;
}

#[tokio::test]
async fn o13_no_escape_and_no_strange_address_reaches_the_page() {
    for mode in MODES {
        let rig = Rig::start(mode).await;
        rig.room.control.play("codex", &Scenario::Escapes);
        let session = rig.room.codex_code().await;
        let mut socket = rig.room.app.socket().await;
        let channel = format!("provider-auth:{}", id(&session));
        socket.send(&json!({"type": "subscribe", "channels": [channel]})).await;
        let heard = socket.until(|message| message["type"] == "snapshot").await;
        for view in [&session, &heard["data"]] {
            assert_eq!(view["verificationUrl"], "https://auth.openai.com/codex/device", "{mode}");
        }
        for shown in [text(&rig.room.app.session(id(&session)).await), heard.to_string()] {
            let hidden = |c: char| {
                (c.is_control() && c != '\n')
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!shown.contains(hidden) && !shown.contains("\\u001b"), "{mode}: {shown:?}");
        }
        rig.room.app.cancel(id(&session)).await;
    }
}

#[tokio::test]
async fn o14_pages_carry_the_security_headers() {
    for mode in MODES {
        let target = Target::start(mode).await;
        for path in ["/", "/providers", "/sw.js", "/manifest.webmanifest", "/nowhere.js"] {
            let reply = target.get(path, &["Accept: text/html"]);
            assert!(matches!(reply.status, 200 | 404), "{mode} {path}: {reply:?}");
            let policy = reply.header("content-security-policy").unwrap_or_default();
            for part in [
                "default-src 'none'",
                "script-src 'self'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
                "require-trusted-types-for 'script'",
            ] {
                assert!(policy.contains(part), "{mode} {path}: {policy}");
            }
            assert!(!policy.contains("unsafe"), "{mode} {path}: {policy}");
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{mode} {path}");
            assert_eq!(reply.header("x-frame-options"), Some("DENY"), "{mode} {path}");
        }
    }
}

#[tokio::test]
async fn o15_messages_sockets_and_channels_have_an_end() {
    for mode in MODES {
        let on = |setup: Setup| setup.var("ROOM_AUTH_FAILURES_PER_MINUTE", "10");
        let target = Target::with(mode, on).await;
        let mut socket = target.app.socket().await;
        let many: Vec<String> =
            (0..200).map(|at| format!("provider-auth:00000000-0000-4000-8000-{at:012}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(socket.subscribe(&many).await["channels"], json!([]), "{mode}: made up");
        let mut socket = target.app.socket().await;
        socket.send_text(&format!("{{\"type\":\"ping\",\"id\":\"{}\"}}", "x".repeat(17_000))).await;
        assert!(matches!(socket.closed().await, Some(1009 | 4400)), "{mode}: 17 kB");
        // Those from before may not have been missed yet; more than sixteen there never are.
        let mut all = Vec::new();
        loop {
            let upgrade = target.app.client().upgrade(Some(target.app.token()));
            let (mut stream, _) = connect_async(upgrade).await.unwrap();
            match stream.next().await.unwrap().unwrap() {
                Message::Close(frame) => {
                    assert_eq!(frame.unwrap().code, CloseCode::Library(4429), "{mode}");
                    break;
                }
                _ => all.push(stream),
            }
            assert!(all.len() <= 16, "{mode}: a seventeenth socket");
        }
        assert!(all.len() >= 10, "{mode}: {}", all.len());
        // Whoever talks without an end is shown out, and others stay.
        let target = Target::start(mode).await;
        let (mut quiet, mut loud) = (target.app.socket().await, target.app.socket().await);
        for _ in 0..200 {
            loud.send_text(r#"{"type":"ping"}"#).await;
        }
        assert_eq!(loud.closed().await, Some(4429), "{mode}: 200 messages at once");
        quiet.send(&json!({"type": "ping", "id": 1})).await;
        quiet.until(|message| message["type"] == "pong").await;
    }
}

#[tokio::test]
async fn o16_asking_for_the_status_starts_no_process() {
    for mode in MODES {
        let rig = Rig::start(mode).await;
        // Everything has been asked once.
        for provider in ["codex", "claude"] {
            rig.room.app.provider_status(provider).await;
        }
        let count = || runs(rig.room.app.home().path()).len();
        let (before, start) = (count(), Instant::now());
        for _ in 0..60 {
            for path in ["/api/providers/status", "/api/status", "/api/providers"] {
                assert!(rig.room.app.get(path).await.status.is_success(), "{mode} {path}");
            }
        }
        // A look in the background asks each program for its version and its sign-in, whoever asks.
        let more = count() - before;
        let most = 4 * (1 + usize::try_from(start.elapsed().as_secs() / 10).unwrap());
        assert!(more <= most, "{mode}: {more} processes for 180 requests");
    }
}

#[tokio::test]
async fn o17_a_mode_that_is_none_does_not_start() {
    for (name, value) in [
        ("ROOM_MODE", "clod"),
        ("ROOM_MODE", "Cloud"),
        ("ROOM_MODE", "production"),
        ("ROOM_MODE", "local "),
        ("QUOROOM_DEPLOYMENT_MODE", "hosted"),
    ] {
        let setup = Setup::new().unwrap().var(name, value);
        let output = setup.command(&["serve", "--no-open"]).unwrap().output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(78), "{name}={value}: {text}");
        assert!(text.contains(name), "{name}={value}: {text}");
        assert!(!setup.data().exists(), "{name}={value}: nothing was made");
    }
    // Nor does a hosted one that would let nobody or everybody in.
    let setup = Setup::new().unwrap().cloud();
    let output = setup.command(&["serve", "--no-open"]).unwrap().output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}

/// What hangs on a silent socket for longer, `channels::tests::patience` shows with a clock of its
/// own.
#[tokio::test]
async fn o18_a_silent_connection_is_let_go() {
    let [local, cloud] = MODES.map(|mode| async move {
        let target = Target::start(mode).await;
        let port = target.app.port();
        let head = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", target.host());
        let waits = [String::new(), "GET / HT".to_owned(), head].map(|first| {
            tokio::task::spawn_blocking(move || {
                let start = Instant::now();
                raw::exchange(port, &first);
                start.elapsed()
            })
        });
        for wait in waits {
            let waited = wait.await.unwrap();
            assert!(waited < Duration::from_secs(20), "{mode}: {waited:?}");
        }
    });
    tokio::join!(local, cloud);
}

#[tokio::test]
async fn o19_whoever_holds_its_port_is_left_alone() {
    for mode in MODES {
        let first = Target::start(mode).await;
        let port = first.app.port().to_string();
        let plane = room_tests::issuer::ControlPlane::start(crate::cloud::INSTANCE).unwrap();
        let setup = settings(mode, &plane).var("ROOM_PORT", &port);
        let output = setup.command(&["serve", "--no-open"]).unwrap().output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(69), "{mode}: {text}");
        assert!(
            text.contains(&port) && text.contains(&first.app.pid().to_string()),
            "{mode}: {text}"
        );
        first.is_well();
    }
}
