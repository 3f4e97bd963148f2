//! A server under load: started, asked, and its processor time read from outside.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// The program with the servers, the key endpoint and the load.
pub(super) const PROGRAM: &str = "target/peers/release/room-peers";

/// What Linux counts processor time in, on every architecture that Room runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// The whole program, which is measured beside the others.
pub(super) const ROOM: &str = "target/release/room";

/// A running server; it ends when this is dropped.
pub(super) struct Peer {
    child: Child,
    port: u16,
    path: &'static str,
    /// Where it keeps its files, if it has any.
    _folder: Option<tempfile::TempDir>,
}

impl Peer {
    /// Starts a program that prints its port first.
    pub(super) fn start(program: &str, args: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(args)
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
        Self { child, port, path: "/", _folder: None }
    }

    /// Starts a hosted Room that trusts the issuer of the tokens.
    pub(super) fn room(program: &str, keys_url: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let child = Command::new(program)
            .args(["serve", "--no-open"])
            .env("ROOM_DATA_DIR", folder.path().join("room"))
            .envs([
                ("ROOM_MODE", "cloud"),
                ("ROOM_BIND", "127.0.0.1"),
                ("ROOM_PORT", &port),
                ("ROOM_PUBLIC_URL", &format!("http://localhost:{port}")),
                ("ROOM_INSTANCE_ID", "inst-1"),
                ("ROOM_JWT_ISSUER", "https://id.example"),
                ("ROOM_JWKS_URL", keys_url),
                ("ROOM_ALLOW_LOOPBACK_JWKS", "1"),
                ("ROOM_CLIENT_IP", "direct"),
                ("ROOM_AUTH_FAILURES_PER_MINUTE", "off"),
                ("ROOM_ALLOW_ROOT", "1"),
                ("ROOM_LOG", "warn"),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {program}"))?;
        let (port, path) = (port.parse()?, "/api/auth/verify");
        let mut peer = Self { child, port, path, _folder: Some(folder) };
        let start = Instant::now();
        while !peer.get("/healthz").is_ok_and(|body| !body.is_empty()) {
            ensure!(peer.child.try_wait()?.is_none(), "Room ended at once");
            ensure!(start.elapsed() < Duration::from_secs(10), "Room gave no answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(peer)
    }

    /// Starts `HAProxy` with the keys in `folder`, on another port if someone was faster.
    pub(super) fn haproxy(folder: &Path) -> anyhow::Result<Self> {
        (0..5).find_map(|_| Self::try_haproxy(folder).transpose()).context("HAProxy has no port")?
    }

    /// `None` if the port was taken meanwhile.
    fn try_haproxy(folder: &Path) -> anyhow::Result<Option<Self>> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let text = fs::read_to_string("xtask/peers/haproxy.cfg")?
            .replace("PORT", &port.to_string())
            .replace("FOLDER", folder.to_str().context("a folder with a plain name")?);
        let config = folder.join("haproxy.cfg");
        fs::write(&config, text)?;
        let child = Command::new("haproxy").arg("-db").arg("-f").arg(&config).spawn()?;
        let mut peer = Self::of(child, port);
        let start = Instant::now();
        while peer.child.try_wait()?.is_none() {
            // Whoever else may have the port answers something else.
            if peer.get("/monitor").is_ok_and(|body| body.contains("200 OK")) {
                return Ok(Some(peer));
            }
            ensure!(start.elapsed() < Duration::from_secs(10), "HAProxy gave no answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(None)
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The processor time of the process so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name of the program, in brackets, may hold anything.
        let fields = stat.rsplit_once(')').context("read its processor time")?.1;
        let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<f64>);
        let (Some(Ok(user)), Some(Ok(system))) = (ticks.next(), ticks.next()) else {
            bail!("no processor time in {stat}");
        };
        Ok((user + system) / TICKS_A_SECOND)
    }

    /// The body of one answer.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.address())?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.rsplit_once("\r\n\r\n").context("read an answer")?.1.to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
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
