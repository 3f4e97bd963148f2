//! A program's lines on their way to sockets: one at a time, and 20,000 at once.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::peer::{Load, PROGRAM, Peer, QUOROOM};
use super::report::{Row, megabytes, millis};
use super::{folder_name, programs};

/// Sockets that hear the burst.
const SOCKETS: usize = 50;

/// What the program is told for each row.
const FLOOD: &str = "flood 20000\n";
const RATE: &str = "rate 100 8\n";
const QUIET: &str = "quiet 20 250\n";

/// A server with a sign-in that waits for its orders.
struct Stage {
    server: Peer,
    token: String,
    socket_path: String,
    channel: String,
    _folder: tempfile::TempDir,
    bin: std::path::PathBuf,
}

impl Stage {
    fn room() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let bin = programs(folder.path())?;
        let server = Peer::local(Some(&bin))?;
        let token = fs::read_to_string(server.folder()?.join("room/api.token"))?.trim().to_owned();
        let channel = connect(&server, &token)?;
        Ok(Self { server, token, socket_path: "/ws".into(), channel, _folder: folder, bin })
    }

    fn quoroom() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let bin = programs(folder.path())?;
        let server = Peer::quoroom(Some(&bin))?;
        let answer = server.answer("GET", "/api/auth/handshake", None)?.object()?;
        let token = answer["token"].as_str().context("a token")?.to_owned();
        let channel = connect(&server, &token)?;
        let socket_path = format!("/ws?token={token}");
        Ok(Self { server, token, socket_path, channel, _folder: folder, bin })
    }

    fn order(&self, text: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.bin.join("order"), text)?)
    }

    fn listen(&self, sockets: usize) -> anyhow::Result<Listeners> {
        Listeners::start(&self.server, &self.socket_path, &self.token, &self.channel, sockets)
    }

    /// The way of lines in microseconds, and that of the slowest socket's last line.
    fn ways(&self, order: &str, sockets: usize) -> anyhow::Result<Ways> {
        let listeners = self.listen(sockets)?;
        self.order(order)?;
        listeners.finish()
    }
}

/// Starts a sign-in; its channel.
fn connect(server: &Peer, token: &str) -> anyhow::Result<String> {
    let path = "/api/providers/codex/connect";
    let answer = server.answer("POST", path, Some(token))?;
    ensure!(answer.status == 200, "connect: {} {}", answer.status, answer.body);
    let body = answer.object()?;
    let id = body["session"]["sessionId"].as_str().context("a session")?;
    Ok(format!("provider-auth:{id}"))
}

/// Clients that wait for the last line.
struct Listeners {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

/// In microseconds.
struct Ways {
    p50: f64,
    p99: f64,
    last: f64,
}

impl Listeners {
    fn start(
        server: &Peer,
        path: &str,
        token: &str,
        channel: &str,
        sockets: usize,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(PROGRAM)
            .args(["listen", &server.address(), path, token, channel, &sockets.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("its output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        ensure!(line.trim() == "ready", "the clients could not listen");
        Ok(Self { child, output })
    }

    fn finish(mut self) -> anyhow::Result<Ways> {
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        ensure!(self.child.wait()?.success(), "the clients broke off");
        let summary: Value = serde_json::from_str(&text)?;
        let number = |name: &str| summary[name].as_f64().with_context(|| format!("{name}: none"));
        Ok(Ways { p50: number("p50")?, p99: number("p99")?, last: number("last")? })
    }
}

/// A burst, and what others feel of it.
struct Burst {
    last: f64,
    others: f64,
    peak: f64,
}

impl Burst {
    fn of(stage: &Stage) -> anyhow::Result<Self> {
        let token = stage.bin.join("token");
        fs::write(&token, &stage.token)?;
        let listeners = stage.listen(SOCKETS)?;
        let others = Load::start(&stage.server, &token, 4, 3.0, 200)?;
        std::thread::sleep(std::time::Duration::from_millis(500));
        stage.order(FLOOD)?;
        let last = listeners.finish()?.last;
        let others = others.finish()?.p99;
        Ok(Self { last, others, peak: stage.server.memory("VmHWM")? })
    }

    fn told(&self) -> String {
        let Self { last, others, peak } = self;
        format!(
            "last line after {}, others' p99 {}, {}",
            millis(*last),
            millis(*others),
            megabytes(*peak)
        )
    }
}

pub(super) fn lines(rows: &mut Vec<Row>) -> anyhow::Result<()> {
    let ours = Burst::of(&Stage::room()?)?;
    let met = ours.last <= 500e3 && ours.others <= 20e3 && ours.peak <= 40e6;
    let goal = "last line 0.5 s, others' p99 20 ms, 40 MB";
    let mut burst = Row::new("20,000 lines at once, 50 sockets", goal, ours.told(), met);

    let at_rate = Stage::room()?.ways(RATE, 1)?;
    let met = at_rate.p50 <= 22e3 && at_rate.p99 <= 25e3;
    let what = "a line's way, program to socket, 100 lines/s";
    let told = |ways: &Ways| format!("p50 {}, p99 {}", millis(ways.p50), millis(ways.p99));
    let mut rate = Row::new(what, "p50 22 ms, p99 25 ms", told(&at_rate), met);

    let after_quiet = Stage::room()?.ways(QUIET, 1)?;
    let met = after_quiet.p50 <= 2e3;
    let mut quiet = Row::new("first line of a quiet session", "2 ms", told(&after_quiet), met);

    let loop_of_ours = |order: &str| -> anyhow::Result<Ways> {
        let folder = tempfile::tempdir()?;
        let bin = programs(folder.path())?;
        let program = bin.join("codex");
        let server = Peer::start(PROGRAM, &["bare", "terminal", folder_name(&program)?])?;
        let listeners = Listeners::start(&server, "/", "-", "-", 1)?;
        fs::write(bin.join("order"), order)?;
        listeners.finish()
    };
    rate = rate.beside("bare loop", told(&loop_of_ours(RATE)?));
    quiet = quiet.beside("bare loop", told(&loop_of_ours(QUIET)?));

    if Path::new(QUOROOM).exists() {
        // What breaks off there is its figure.
        let ways = |order| Stage::quoroom()?.ways(order, 1);
        let figure = |ways: anyhow::Result<Ways>| ways.map_or_else(broke_off, |ways| told(&ways));
        rate = rate.beside("quoroom", figure(ways(RATE)));
        quiet = quiet.beside("quoroom", figure(ways(QUIET)));
        let flooded = Stage::quoroom().and_then(|stage| Burst::of(&stage));
        burst = burst.beside("quoroom", flooded.map_or_else(broke_off, |burst| burst.told()));
    }
    rows.extend([burst, rate, quiet]);
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_or_else`")]
fn broke_off(error: anyhow::Error) -> String {
    format!("broke off ({error:#})")
}
