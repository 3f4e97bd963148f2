//! Load over keep-alive connections, from one thread: as much as the server takes, or at a rate.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What to send.
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    /// A token a line, taken in turn; an empty file means requests without any.
    pub(crate) tokens: PathBuf,
    pub(crate) connections: usize,
    pub(crate) seconds: f64,
    /// Requests a second in all; 0 for as many as come.
    pub(crate) rate: f64,
}

/// Prints `{answers, seconds, statuses, p50, p99}`, the last two in microseconds.
pub(crate) fn load(plan: &Plan) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(&plan.tokens).context("read the tokens")?;
    let mut requests: Vec<Vec<u8>> = text.lines().map(|token| request(plan, Some(token))).collect();
    if requests.is_empty() {
        requests.push(request(plan, None));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let requests = Arc::new(requests);
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(plan.seconds);
    #[expect(clippy::cast_precision_loss, reason = "a handful of connections")]
    let pause =
        (plan.rate > 0.0).then(|| Duration::from_secs_f64(plan.connections as f64 / plan.rate));
    let runs = runtime.block_on(async {
        let tasks: Vec<_> = (0..plan.connections)
            .map(|at| {
                let (requests, address) = (Arc::clone(&requests), plan.address);
                // Each connection has a part of the tokens of its own.
                let first = at * requests.len() / plan.connections;
                tokio::spawn(async move { connection(address, &requests, first, end, pause).await })
            })
            .collect();
        let mut runs = Vec::new();
        for task in tasks {
            runs.push(task.await??);
        }
        anyhow::Ok(runs)
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    let mut waits = Vec::new();
    for run in runs {
        waits.extend(run.waits);
        for (status, count) in run.statuses {
            *statuses.entry(status).or_default() += count;
        }
    }
    waits.sort_unstable();
    let percentile = |percent: usize| waits.get(waits.len() * percent / 100).copied();
    let summary = json!({
        "answers": waits.len(), "seconds": seconds, "statuses": statuses,
        "p50": percentile(50), "p99": percentile(99),
    });
    println!("{summary}");
    Ok(())
}

fn request(plan: &Plan, token: Option<&str>) -> Vec<u8> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let (path, port) = (&plan.path, plan.address.port());
    let authorization = authorization.unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{authorization}\r\n").into_bytes()
}

#[derive(Default)]
struct Run {
    waits: Vec<u32>,
    statuses: BTreeMap<u16, u64>,
}

async fn connection(
    address: SocketAddr,
    requests: &[Vec<u8>],
    first: usize,
    end: Instant,
    pause: Option<Duration>,
) -> anyhow::Result<Run> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut run, mut buffer) = (Run::default(), Vec::with_capacity(4096));
    let mut due = Instant::now();
    for request in requests.iter().cycle().skip(first) {
        if let Some(pause) = pause {
            tokio::time::sleep_until(due.into()).await;
            due += pause;
        }
        let sent = Instant::now();
        if sent >= end {
            break;
        }
        stream.write_all(request).await?;
        let status = answer(&mut stream, &mut buffer).await?;
        run.waits.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        *run.statuses.entry(status.code).or_default() += 1;
        if status.closes {
            stream = TcpStream::connect(address).await?;
        }
    }
    Ok(run)
}

struct Status {
    code: u16,
    closes: bool,
}

/// Reads one answer to its end.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<Status> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection in the middle of an answer");
        }
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
        let code = head.get(9..12).context("read a status")?.parse()?;
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length = field("content-length:").map_or(Ok(0), |length| length.trim().parse())?;
        let closes = field("connection:").is_some_and(|value| value.trim() == "close");
        while buffer.len() < end + 4 + length {
            if stream.read_buf(buffer).await? == 0 {
                bail!("the server closed the connection in the middle of a body");
            }
        }
        return Ok(Status { code, closes });
    }
}
