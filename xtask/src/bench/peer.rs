//! The processes that are measured, what is asked of them, and the load on them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// The program with the servers, the key endpoint and the load.
pub(super) const PROGRAM: &str = "target/peers/release/room-peers";

/// The whole program, which is measured beside the others.
pub(super) const ROOM: &str = "target/release/room";

/// The predecessor, where it could be installed.
pub(super) const QUOROOM: &str = "target/quoroom/node_modules/quoroom/out/mcp/cli.js";

/// Ticks of `/proc` a second; the kernel has had 100 there for ever.
const TICKS_A_SECOND: f64 = 100.0;

/// How long a server may take to answer first.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; it ends when this is dropped.
pub(super) struct Peer {
    child: Child,
    pub(super) port: u16,
    pub(super) path: &'static str,
    /// From the start of the process to its first answer.
    pub(super) first_answer: Duration,
    /// Where it keeps its files, if it has any.
    folder: Option<tempfile::TempDir>,
}

impl Peer {
    /// Starts a program that prints its port first.
    pub(super) fn start(program: &str, args: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {program}"))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("read its port")?).read_line(&mut line)?;
        let port = line.trim().parse().with_context(|| format!("{program} {args:?}: no port"));
        let mut peer = Self::of(child, 0);
        peer.port = port?;
        Ok(peer)
    }

    fn of(child: Child, port: u16) -> Self {
        Self { child, port, path: "/", first_answer: Duration::ZERO, folder: None }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells a program of ours what to do.
    pub(super) fn tell(&mut self, order: &str) -> anyhow::Result<()> {
        let input = self.child.stdin.as_mut().context("it hears orders")?;
        writeln!(input, "{order}")?;
        Ok(input.flush()?)
    }

    /// Starts a server that is told its port, and waits until it answers 200.
    fn start_on(
        folder: Option<tempfile::TempDir>,
        probe: &str,
        command: impl FnOnce(u16) -> Command,
    ) -> anyhow::Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = command(port);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        let mut peer = Self::of(child, port);
        peer.folder = folder;
        while !peer.answer("GET", probe, None).is_ok_and(|answer| answer.status == 200) {
            if let Some(status) = peer.child.try_wait()? {
                bail!("{} ended with {status}", command.get_program().display());
            }
            ensure!(
                start.elapsed() < PATIENCE,
                "{} gave no answer",
                command.get_program().display()
            );
            std::thread::sleep(Duration::from_micros(200));
        }
        peer.first_answer = start.elapsed();
        Ok(peer)
    }

    /// Starts a hosted Room that trusts the issuer of the tokens.
    pub(super) fn hosted(keys_url: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("room");
        let mut peer = Self::start_on(Some(folder), "/healthz", |port| {
            let port = port.to_string();
            let mut command = room(&data);
            command.envs([
                ("ROOM_MODE", "cloud"),
                ("ROOM_BIND", "127.0.0.1"),
                ("ROOM_PORT", &port),
                ("ROOM_PUBLIC_URL", &format!("http://localhost:{port}")),
                ("ROOM_INSTANCE_ID", "inst-1"),
                ("ROOM_JWT_ISSUER", "https://id.example"),
                ("ROOM_JWKS_URL", keys_url),
                ("ROOM_ALLOW_LOOPBACK_JWKS", "1"),
                ("ROOM_CLIENT_IP", "direct"),
                ("ROOM_ALLOW_ROOT", "1"),
            ]);
            command
        })?;
        peer.path = "/api/auth/verify";
        Ok(peer)
    }

    /// Starts a Room on this computer, with the programs that are in `bin`.
    pub(super) fn local(bin: Option<&Path>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (data, home) = (folder.path().join("room"), folder.path().join("home"));
        fs::create_dir(&home)?;
        let bin = bin.map(with_path).transpose()?;
        let mut peer = Self::start_on(Some(folder), "/healthz", |port| {
            let mut command = room(&data);
            command.env("ROOM_PORT", port.to_string()).env("ROOM_PROVIDER_HOME", &home);
            command.envs(bin.map(|path| ("PATH", path)));
            command
        })?;
        peer.path = "/api/auth/verify";
        Ok(peer)
    }

    /// Starts the predecessor on this computer, with the programs that are in `bin`.
    pub(super) fn quoroom(bin: Option<&Path>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let home = folder.path().to_owned();
        let bin = bin.map(with_path).transpose()?;
        let mut peer = Self::start_on(Some(folder), "/api/auth/handshake", |port| {
            let mut command = Command::new("node");
            command.args(["--require", "./xtask/peers/loopback-only.cjs", QUOROOM, "serve"]);
            command.arg(port.to_string()).env("HOME", &home).env("SHELL", "/bin/false");
            command.env("QUOROOM_DATA_DIR", home.join("data"));
            command.envs([("QUOROOM_SKIP_MCP_REGISTER", "1"), ("QUOROOM_NO_AUTO_OPEN", "1")]);
            command.envs(bin.map(|path| ("PATH", path)));
            command
        })?;
        peer.path = "/api/auth/verify";
        Ok(peer)
    }

    /// Starts `HAProxy` with the keys in `folder`, on another port if someone was faster.
    pub(super) fn haproxy(folder: &Path) -> anyhow::Result<Self> {
        Self::start_on(None, "/monitor", |port| {
            let config = configured("haproxy.cfg", folder, port);
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-f").arg(config);
            command
        })
    }

    /// Starts nginx with the one file of `folder`.
    pub(super) fn nginx(folder: &Path) -> anyhow::Result<Self> {
        let peer = Self::start_on(None, "/", |port| {
            let config = configured("nginx.conf", folder, port);
            let mut command = Command::new("nginx");
            command.arg("-p").arg(folder).arg("-c").arg(config);
            command
        })?;
        Ok(peer)
    }

    /// Its data directory.
    pub(super) fn folder(&self) -> anyhow::Result<&Path> {
        self.folder.as_ref().map(tempfile::TempDir::path).context("it has files")
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The processor time of the process so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        cpu_seconds(self.child.id())
    }

    /// A figure of its `status`, in bytes.
    pub(super) fn memory(&self, name: &str) -> anyhow::Result<f64> {
        memory(self.child.id(), name)
    }

    /// The body of one answer.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<String> {
        Ok(self.answer("GET", path, None)?.body)
    }

    /// One request, as a program sends it.
    pub(super) fn answer(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let mut stream = TcpStream::connect(self.address())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let token = token.unwrap_or_default();
        let body = if method == "POST" {
            "Content-Type: application/json\r\nContent-Length: 2\r\n"
        } else {
            ""
        };
        let text = if body.is_empty() { "" } else { "{}" };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n{token}{body}\r\n{text}",
            self.port
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("read an answer")?;
        let status = head.get(9..12).context("read a status")?.parse()?;
        Ok(Answer { status, body: body.to_owned() })
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Answer {
    /// The object in its body, which the predecessor sends in chunks.
    pub(super) fn object(&self) -> anyhow::Result<Value> {
        let start = self.body.find('{').context("an object")?;
        let end = self.body.rfind('}').context("an object")?;
        Ok(serde_json::from_str(&self.body[start..=end])?)
    }
}

fn room(data: &Path) -> Command {
    let mut command = Command::new(ROOM);
    command.args(["serve", "--no-open"]).env("ROOM_DATA_DIR", data);
    command.envs([("ROOM_AUTH_FAILURES_PER_MINUTE", "off"), ("ROOM_LOG", "warn")]);
    command
}

/// The search path with a folder in front.
fn with_path(bin: &Path) -> anyhow::Result<String> {
    let bin = bin.to_str().context("a folder with a plain name")?;
    Ok(format!("{bin}:/usr/local/bin:/usr/bin:/bin"))
}

/// A configuration of `xtask/peers`, with the port and the folder filled in.
fn configured(name: &str, folder: &Path, port: u16) -> PathBuf {
    let text = fs::read_to_string(format!("xtask/peers/{name}")).unwrap_or_default();
    let text = text.replace("PORT", &port.to_string());
    let text = text.replace("FOLDER", &folder.display().to_string());
    let config = folder.join(name);
    // A server without its configuration says so itself.
    _ = fs::write(&config, text);
    config
}

pub(super) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in brackets, may hold anything.
    let fields = stat.rsplit_once(')').context("read its processor time")?.1;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_A_SECOND)
}

pub(super) fn memory(pid: u32, name: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kilobytes.with_context(|| format!("read {name}"))? * 1024.0)
}

/// What the kernel holds for all TCP sockets, in bytes.
pub(super) fn kernel_memory() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/net/sockstat")?;
    let line = text.lines().find(|line| line.starts_with("TCP:")).context("TCP")?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "mem").skip(1);
    Ok(words.next().context("mem")?.parse::<f64>()? * 4096.0)
}

impl Drop for Peer {
    fn drop(&mut self) {
        // nginx has to end its own; the others go with their process.
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        for _ in 0..50 {
            if asked.is_err() || self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Load that is running.
pub(super) struct Load(Child);

/// What came of it.
pub(super) struct Outcome {
    pub(super) answers: f64,
    pub(super) seconds: f64,
    /// How many of the answers were 200.
    pub(super) accepted: f64,
    /// In microseconds.
    pub(super) p99: f64,
}

impl Load {
    /// As many requests as the server takes, or `rate` a second.
    pub(super) fn start(
        peer: &Peer,
        tokens: &Path,
        connections: usize,
        seconds: f64,
        rate: u32,
    ) -> anyhow::Result<Self> {
        let child = Command::new(PROGRAM)
            .args(["load", &peer.address(), peer.path])
            .arg(tokens)
            .args([&connections.to_string(), &seconds.to_string(), &rate.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self(child))
    }

    pub(super) fn finish(self) -> anyhow::Result<Outcome> {
        let output = self.0.wait_with_output()?;
        if !output.status.success() {
            bail!("the load broke off");
        }
        let summary: Value = serde_json::from_slice(&output.stdout)?;
        let number = |value: &Value| value.as_f64().unwrap_or_default();
        Ok(Outcome {
            answers: number(&summary["answers"]),
            seconds: number(&summary["seconds"]),
            accepted: number(&summary["statuses"]["200"]),
            p99: number(&summary["p99"]),
        })
    }
}
