//! `cargo xtask bench`: figures of a release build, measured from outside.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::run::{command, run};

mod auth;
mod peer;

pub(crate) use auth::auth;

/// Starts measured; the table shows the middle one and the slowest.
const STARTS: usize = 20;

/// A server is at rest this long after its first answer: its first look at the programs is over.
const REST: Duration = Duration::from_secs(5);

/// Builds and measures, then prints a Markdown table.
pub(crate) fn bench() -> anyhow::Result<()> {
    run(command(".", &["cargo", "build", "--release", "--package", "room-runtime"]))?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let server = Server::start()?;
        starts.push(server.first_answer);
    }
    starts.sort_unstable();
    let server = Server::start()?;
    std::thread::sleep(REST);
    let resident = server.resident_bytes()?;
    let binary = fs::metadata(BINARY)?.len();
    let page = first_page_bytes()?;

    println!("\n| what | goal | measured |\n| --- | --- | --- |");
    println!(
        "| start to first answer | 50 ms | {:.1} ms, slowest of {STARTS} {:.1} ms |",
        millis(starts[STARTS / 2]),
        millis(starts[STARTS - 1]),
    );
    println!("| resident memory, idle | 12 MB | {} |", megabytes(resident));
    println!("| binary | 25 MB | {} |", megabytes(binary));
    println!("| first page load, gzip | 25 kB | {:.1} kB |", kilo(page));
    Ok(())
}

const BINARY: &str = "target/release/room";

/// A server of our own on a free port and a fresh data directory; ended when dropped.
struct Server {
    child: Child,
    first_answer: Duration,
    _data_dir: tempfile::TempDir,
}

impl Server {
    fn start() -> anyhow::Result<Self> {
        let data_dir = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let start = Instant::now();
        let child = Command::new(BINARY)
            .args(["serve", "--no-open", "--port", &port.to_string()])
            .env("ROOM_DATA_DIR", data_dir.path().join("room"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start the release build")?;
        let mut server = Self { child, first_answer: Duration::ZERO, _data_dir: data_dir };
        while !answers(port) {
            if start.elapsed() > Duration::from_secs(10) {
                bail!("the release build gave no answer within 10 s");
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("the release build ended with {status}");
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        server.first_answer = start.elapsed();
        Ok(server)
    }

    fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kilobytes.context("read VmRSS")? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

/// What a browser fetches before the first screen: the page and what it names, compressed.
fn first_page_bytes() -> anyhow::Result<u64> {
    let page = fs::read_to_string("ui-dist/index.html")?;
    let mut total = compressed_bytes("index.html")?;
    for part in page.split('"').filter(|part| part.starts_with("/assets/")) {
        total += compressed_bytes(part.trim_start_matches('/'))?;
    }
    Ok(total)
}

fn compressed_bytes(name: &str) -> anyhow::Result<u64> {
    let plain = format!("ui-dist/{name}");
    let found = fs::metadata(format!("{plain}.gz")).or_else(|_| fs::metadata(&plain));
    Ok(found.with_context(|| format!("find {plain}"))?.len())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a file or a process is far below 2^52 bytes")]
fn kilo(bytes: u64) -> f64 {
    bytes as f64 / 1e3
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", kilo(bytes) / 1e3)
}
