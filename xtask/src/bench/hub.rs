//! Many sockets at once: as much as they can take, none that reads, none that has anything to hear.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::peer::{PROGRAM, Peer, cpu_seconds, kernel_memory, memory};
use super::report::{Row, megabytes, middle, millis, thousands};

/// A server with a hub that is told what to publish.
const SOURCE: &str = "target/release/room-hub-source";

/// Clients that cost next to nothing.
const LOAD: &str = "target/release/room-load";

const LISTENERS: usize = 1000;

/// As many as may wait for a client; more at once would be dropped, as they should.
const EVENTS: usize = 250;
const EVENT_BYTES: usize = 200;

/// The middle one of so many bursts.
const BURSTS: usize = 5;

/// How long a burst may take to arrive: the slowest peer needs three seconds.
const ARRIVAL: Duration = Duration::from_secs(6);

const DEAF: usize = 1000;
const READERS: usize = 20;

/// What a socket that nobody reads takes in at its own end, which is in this kernel too.
const PHONE: [&str; 2] = ["--receive-buffer", "16384"];

/// How long is published to them, and how long they are waited for at most.
const PUBLISHING: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(20);

/// By then the kernel has taken for them all that it takes.
const FULL: Duration = Duration::from_secs(1);

const IDLE: usize = 10_000;

/// How long idle sockets are looked at.
const IDLE_SECONDS: u64 = 10;

/// A program that says and hears lines of JSON.
struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(program: &str, args: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {program}"))?;
        let input = child.stdin.take().context("its input")?;
        let output = BufReader::new(child.stdout.take().context("its output")?);
        Ok(Self { child, input, output })
    }

    fn tell(&mut self, order: &str) -> anyhow::Result<()> {
        writeln!(self.input, "{order}")?;
        Ok(self.input.flush()?)
    }

    fn hear(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("a line of JSON: {line:?}"))
    }

    fn ask(&mut self, order: &str) -> anyhow::Result<Value> {
        self.tell(order)?;
        self.hear()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Room whose hub is told what to publish.
struct Source {
    program: Program,
    address: String,
    token: String,
    channel: String,
    pid: u32,
}

impl Source {
    fn start() -> anyhow::Result<Self> {
        let mut program = Program::start(SOURCE, &[])?;
        let said = program.hear()?;
        let text = |name: &str| Some(said[name].as_str()?.to_owned());
        let pid = program.child.id();
        Ok(Self {
            address: format!("127.0.0.1:{}", said["port"]),
            token: text("token").context("a token")?,
            channel: text("channel").context("a channel")?,
            program,
            pid,
        })
    }

    /// Clients of it, all of them joined.
    fn clients(&self, kind: &str, count: usize, more: &[&str]) -> anyhow::Result<Program> {
        let ours = ["--token", &self.token, "--channel", &self.channel];
        clients(&self.address, kind, count, 60, &[&ours[..], more].concat())
    }
}

fn clients(
    address: &str,
    kind: &str,
    count: usize,
    seconds: u64,
    more: &[&str],
) -> anyhow::Result<Program> {
    let (count, seconds) = (count.to_string(), seconds.to_string());
    let args = [kind, &count, "--address", address, "--path", "/ws", "--seconds", &seconds];
    let mut program = Program::start(LOAD, &[&args[..], more].concat())?;
    let said = program.hear()?;
    ensure!(said["ready"].as_u64().is_some(), "{kind}: {said}");
    Ok(program)
}

pub(super) fn hub(rows: &mut Vec<Row>) -> anyhow::Result<()> {
    rows.push(fan_out()?);
    rows.push(deaf()?);
    rows.push(idle()?);
    Ok(())
}

/// What came of a burst: deliveries a second, and deliveries a core-second.
struct Burst {
    a_second: f64,
    a_core_second: f64,
    /// Whether everyone got everything.
    whole: bool,
}

impl Burst {
    fn told(&self) -> String {
        let all = if self.whole { "" } else { ", not all arrived" };
        format!(
            "{} a second, {} a core-second{all}",
            thousands(self.a_second),
            thousands(self.a_core_second)
        )
    }
}

/// Bursts to so many fresh listeners, one after the other.
#[expect(clippy::cast_precision_loss, reason = "a few million")]
fn bursts(
    pid: u32,
    mut join: impl FnMut() -> anyhow::Result<Program>,
    mut publish: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Burst> {
    let (mut rates, mut spent, mut arrived, mut whole) = (Vec::new(), 0.0, 0.0, true);
    for _ in 0..BURSTS {
        let mut listeners = join()?;
        let before = cpu_seconds(pid)?;
        publish()?;
        // Over once the server has nothing to do any more.
        let (start, mut last) = (Instant::now(), f64::MAX);
        while start.elapsed() < ARRIVAL {
            std::thread::sleep(Duration::from_millis(400));
            let now = cpu_seconds(pid)?;
            if now - last < 0.015 {
                break;
            }
            last = now;
        }
        spent += cpu_seconds(pid)? - before;
        let summary = listeners.ask("end")?;
        let frames = summary["frames"].as_f64().context("frames")?;
        rates.push(frames / summary["seconds"].as_f64().context("seconds")?);
        arrived += frames;
        let all = (LISTENERS * EVENTS) as f64;
        whole &= frames >= all && summary["gaps"].as_u64().unwrap_or(0) == 0;
    }
    Ok(Burst { a_second: middle(rates), a_core_second: arrived / spent, whole })
}

fn fan_out() -> anyhow::Result<Row> {
    let order = format!("burst {EVENTS} {EVENT_BYTES}");
    let mut source = Source::start()?;
    let (address, token, channel) =
        (source.address.clone(), source.token.clone(), source.channel.clone());
    let more = ["--token", &token, "--channel", &channel];
    let join = || clients(&address, "listen", LISTENERS, 30, &more);
    let ours = bursts(source.pid, join, || source.program.ask(&order).map(|_| ()))?;
    let met = ours.a_second.max(ours.a_core_second) >= 2e6 && ours.whole;
    let mut row = Row::new("hub, 1,000 sockets, 200-byte events", "2M a second", ours.told(), met);
    let peers: [(&str, &str, &[&str]); 2] = [
        ("axum and a broadcast channel", PROGRAM, &["bare", "broadcast"]),
        ("node + `ws`", "node", &["xtask/peers/ws.mjs"]),
    ];
    for (name, program, args) in peers {
        let mut peer = Peer::start(program, args)?;
        let address = peer.address();
        let join = || clients(&address, "listen", LISTENERS, 30, &[]);
        let figure = bursts(peer.pid(), join, || peer.tell(&order))?;
        row = row.beside(name, figure.told());
    }
    Ok(row)
}

/// 1,000 sockets that never read beside 20 that do, 200 messages of 4 kB a second.
fn deaf() -> anyhow::Result<Row> {
    let mut source = Source::start()?;
    let mut readers = source.clients("listen", READERS, &[])?;
    let (resident, files) = (memory(source.pid, "VmRSS")?, open_files(source.pid)?);
    let deaf = source.clients("deaf", DEAF, &PHONE)?;
    let kernel = kernel_memory()?;
    let start = Instant::now();
    source.program.tell("rate 200 4096 10")?;
    let (mut closed, mut peak) = (None, 0.0_f64);
    let mut sides = None;
    while start.elapsed() < PUBLISHING || (closed.is_none() && start.elapsed() < PATIENCE) {
        std::thread::sleep(Duration::from_millis(50));
        peak = peak.max(kernel_memory()? - kernel);
        if sides.is_none() && start.elapsed() > FULL {
            sides = sides_apart(&source.address);
        }
        if closed.is_none() && open_files(source.pid)? <= files {
            let held = (memory(source.pid, "VmRSS")? - resident, kernel_memory()? - kernel);
            closed = Some((start.elapsed(), held));
        }
    }
    source.program.hear()?;
    let summary = readers.ask("end")?;
    drop(deaf);
    let p99 = summary["p99"].as_f64().context("p99")?;
    let goal =
        "closed within 5 s, then +32 MiB resident and 96 MiB of the kernel's; fast p99 10 ms";
    let Some((within, (grown, kernel))) = closed else {
        let ours = format!("not closed within 20 s, fast p99 {}", millis(p99));
        return Ok(Row::new("1,000 sockets that never read beside 20 that do", goal, ours, false));
    };
    let met = within <= Duration::from_secs(5)
        && grown <= 32.0 * 1024.0 * 1024.0
        && kernel <= 96.0 * 1024.0 * 1024.0
        && p99 <= 10e3;
    let apart = sides.map(|[server, clients]| {
        format!(
            ", of which {} for the server and {} for the clients",
            megabytes(server),
            megabytes(clients)
        )
    });
    let ours = format!(
        "the last one gone after {:.1} s, then +{} resident and {} of the kernel's (peak {}{}); fast p99 {}",
        within.as_secs_f64(),
        megabytes(grown),
        megabytes(kernel),
        megabytes(peak),
        apart.unwrap_or_default(),
        millis(p99)
    );
    Ok(Row::new("1,000 sockets that never read beside 20 that do", goal, ours, met))
}

/// 10,000 sockets that hear nothing but the heartbeat.
fn idle() -> anyhow::Result<Row> {
    let told = |resident: f64, kernel: f64, cpu: f64| {
        let all = megabytes(resident + kernel);
        format!(
            "{all} ({} user, {} kernel), CPU {:.2} %",
            megabytes(resident),
            megabytes(kernel),
            cpu
        )
    };
    let measure = |address: &str, pid: u32, more: &[&str]| -> anyhow::Result<(f64, f64, f64)> {
        let before = slab()?;
        let clients = clients(address, "idle", IDLE, 60, more)?;
        std::thread::sleep(Duration::from_secs(2));
        let spent = cpu_seconds(pid)?;
        std::thread::sleep(Duration::from_secs(IDLE_SECONDS));
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        let cpu = (cpu_seconds(pid)? - spent) / IDLE_SECONDS as f64 * 100.0;
        // Both ends are in this kernel; ours is half of it.
        let kernel = (slab()? - before) / 2.0;
        let resident = memory(pid, "VmRSS")?;
        drop(clients);
        Ok((resident, kernel, cpu))
    };
    let source = Source::start()?;
    let more = ["--token", &source.token, "--channel", &source.channel];
    let (resident, kernel, cpu) = measure(&source.address, source.pid, &more)?;
    let met = resident + kernel <= 110.0 * 1024.0 * 1024.0 && cpu < 1.0;
    let goal = "110 MiB in all, CPU under 1 %";
    let mut row = Row::new("10,000 idle sockets", goal, told(resident, kernel, cpu), met);
    drop(source);
    let peers: [(&str, &str, &[&str]); 2] = [
        ("axum's defaults", PROGRAM, &["bare", "broadcast"]),
        ("node + `ws`", "node", &["xtask/peers/ws.mjs"]),
    ];
    for (name, program, args) in peers {
        let peer = Peer::start(program, args)?;
        let (resident, kernel, cpu) = measure(&peer.address(), peer.pid(), &[])?;
        row = row.beside(name, told(resident, kernel, cpu));
    }
    Ok(row)
}

/// What the kernel holds for the sockets of a server, and for those that are connected to it, in bytes;
/// nothing where `ss` (Debian's `iproute2`) is not there.
fn sides_apart(address: &str) -> Option<[f64; 2]> {
    let told = Command::new("ss").arg("-Htnm").output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let mut sides = [0.0; 2];
    let mut side = None;
    for line in told.lines() {
        // A line of addresses, ours before theirs, then one of memory.
        let Some(memory) = line.trim().strip_prefix("skmem:(") else {
            let mut words = line.split_whitespace().skip(3);
            side = [words.next(), words.next()].iter().position(|one| *one == Some(address));
            continue;
        };
        let Some(side) = side else { continue };
        for part in memory.trim_end_matches(')').split(',') {
            // Read, and yet to be sent with what was not heard of yet.
            let bytes =
                ["r", "w"].iter().find_map(|name| part.strip_prefix(name)?.parse::<f64>().ok());
            sides[side] += bytes.unwrap_or(0.0);
        }
    }
    Some(sides)
}

fn open_files(pid: u32) -> anyhow::Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// What the kernel holds for itself, in bytes: sockets, buffers, files.
fn slab() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Slab:")).context("Slab")?;
    let kilobytes: f64 = line.split_whitespace().next().context("Slab")?.parse()?;
    Ok(kilobytes * 1024.0 + kernel_memory()?)
}
