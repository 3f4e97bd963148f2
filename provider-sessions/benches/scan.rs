//! What the screen and the detector cost: `cargo bench -p provider-sessions --bench scan`.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

#[path = "../../benches/cpu_time.rs"]
mod cpu_time;

use std::hint::black_box;
use std::path::Path;

use criterion::Throughput;
use provider_sessions::provider::{self, Provider};
use provider_sessions::scan::Scanner;
use provider_sessions::screen::Size;

/// The terminal that programs get.
const SIZE: Size = Size::TERMINAL;

/// As much as a program that went mad prints in a moment.
const FLOOD_BYTES: usize = 1_000_000;

/// What is read from a terminal at once.
const READ_BYTES: usize = 4096;

fn scan(provider: &Provider, bytes: &[u8]) -> usize {
    let mut scanner = Scanner::new(provider, SIZE);
    let mut events = 0;
    for read in bytes.chunks(READ_BYTES) {
        events += black_box(scanner.push(read)).len();
    }
    events + scanner.finish().len()
}

fn flood(mut piece: impl FnMut(usize) -> String) -> Vec<u8> {
    let mut text = String::new();
    for n in 0.. {
        if text.len() >= FLOOD_BYTES {
            break;
        }
        text.push_str(&piece(n));
    }
    text.into_bytes()
}

fn main() {
    let rows = provider::built_in();
    let row = |id: &str| &**rows.iter().find(|row| row.id == id).unwrap();
    let mut criterion = cpu_time::criterion();

    // From the first byte to the last.
    let mut recordings = criterion.benchmark_group("recording");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts");
    for (id, name) in [
        ("codex", "codex-device-success-80"),
        ("codex", "codex-tui-onboarding-device-120"),
        ("claude", "claude-success-80"),
        ("claude", "claude-tui-firstrun-login-80"),
    ] {
        let bytes = std::fs::read(folder.join(format!("{name}.raw"))).unwrap();
        assert!(scan(row(id), &bytes) > 0, "{name}");
        recordings.throughput(Throughput::Bytes(bytes.len() as u64));
        recordings.bench_function(name, |bencher| bencher.iter(|| scan(row(id), &bytes)));
    }
    recordings.finish();

    let mut floods = criterion.benchmark_group("flood");
    for (name, bytes) in [
        ("lines", flood(|n| format!("line {n:05} of a flood of lines that nobody can read\n"))),
        ("no newline", flood(|_| "x".repeat(1000))),
        ("coloured lines", flood(|n| format!("\x1b[3{}mline {n}\x1b[0m of colours\r\n", n % 8))),
        ("repainting", flood(|n| format!("\x1b[2J\x1b[{};1Hframe {n}", n % 60 + 1))),
        ("links", flood(|n| format!("https://auth.openai.com/codex/device?n={n}\n"))),
        ("wide characters", flood(|n| format!("行 {n} 全角文字 🦀\n"))),
        ("bytes that are no text", flood(|_| String::from("\u{fffd}\u{85}\u{9b}3\u{200b}"))),
    ] {
        floods.throughput(Throughput::Bytes(bytes.len() as u64));
        floods.bench_function(name, |bencher| bencher.iter(|| scan(row("codex"), &bytes)));
    }
    floods.finish();
    criterion.final_summary();
}
