//! What a Room costs before anyone asks anything: the start, the memory, the sizes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::peer::{Peer, QUOROOM, ROOM};
use super::report::{Row, megabytes, middle, millis};

/// Starts measured; the row has the middle one and the slowest.
const STARTS: usize = 20;

/// The predecessor's, each of which takes seconds.
const OTHER_STARTS: usize = 3;

/// A server is at rest this long after its first answer: its first look at the programs is over.
const REST: Duration = Duration::from_secs(5);

/// Start and memory at rest.
pub(super) fn start(rows: &mut Vec<Row>) -> anyhow::Result<()> {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(micros(Peer::local(None)?.first_answer));
    }
    let slowest = starts.iter().copied().fold(0.0, f64::max);
    let typical = middle(starts);
    let told = format!("{}, slowest of {STARTS} {}", millis(typical), millis(slowest));
    let mut first = Row::new("start to first answer", "50 ms", told, typical <= 50e3);
    let (resident, own) = at_rest(&Peer::local(None)?)?;
    let told = format!(
        "{}, {} of it its own and not the program file's",
        megabytes(resident),
        megabytes(own)
    );
    let mut idle = Row::new("resident memory, idle", "12 MB", told, resident <= 12e6);
    if Path::new(QUOROOM).exists() {
        let mut starts = Vec::new();
        for _ in 0..OTHER_STARTS {
            starts.push(micros(Peer::quoroom(None)?.first_answer));
        }
        first = first.beside("quoroom", millis(middle(starts)));
        idle = idle.beside("quoroom", megabytes(at_rest(&Peer::quoroom(None)?)?.0));
    }
    rows.extend([first, idle]);
    Ok(())
}

/// All that is resident, and what of it is no file.
fn at_rest(peer: &Peer) -> anyhow::Result<(f64, f64)> {
    std::thread::sleep(REST);
    Ok((peer.memory("VmRSS")?, peer.memory("RssAnon")?))
}

/// The program, and what a browser fetches before the first screen.
pub(super) fn sizes(rows: &mut Vec<Row>) -> anyhow::Result<()> {
    let binary = size(ROOM)?;
    rows.push(Row::new("binary", "25 MB", megabytes(binary), binary <= 25e6));
    let page = first_page_bytes()?;
    let told = format!("{:.1} kB", page / 1e3);
    rows.push(Row::new("first page load, gzip", "25 kB", told, page <= 25e3));
    Ok(())
}

/// The page and what it names, compressed.
fn first_page_bytes() -> anyhow::Result<f64> {
    let page = fs::read_to_string("ui-dist/index.html")?;
    let mut total = compressed_bytes("index.html")?;
    for part in page.split('"').filter(|part| part.starts_with("/assets/")) {
        total += compressed_bytes(part.trim_start_matches('/'))?;
    }
    Ok(total)
}

fn compressed_bytes(name: &str) -> anyhow::Result<f64> {
    let plain = format!("ui-dist/{name}");
    size(&format!("{plain}.gz")).or_else(|_| size(&plain))
}

#[expect(clippy::cast_precision_loss, reason = "a file is far below 2^52 bytes")]
fn size(path: &str) -> anyhow::Result<f64> {
    Ok(fs::metadata(path).with_context(|| format!("find {path}"))?.len() as f64)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
