//! What the screen and the detector cost, in CPU time of one thread.
//!
//! `cargo bench -p provider-sessions --bench scan`. CPU time and not the clock on the wall, for the
//! machine may have other work.
#![expect(clippy::print_stdout, reason = "a benchmark speaks to a terminal")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use provider_sessions::provider::{self, Provider};
use provider_sessions::scan::Scanner;
use provider_sessions::screen::Size;

/// The terminal that programs get.
const SIZE: Size = Size::TERMINAL;

/// As much as a program that went mad prints in a moment.
const FLOOD_BYTES: usize = 1_000_000;

/// What is read from a terminal at once.
const READ_BYTES: usize = 4096;

/// CPU time of this thread. It moves in steps of some milliseconds.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// The best of five rounds of 200 ms or more, as time a call and bytes a second.
fn measure(name: &str, bytes: usize, mut call: impl FnMut()) {
    let mut round = |calls: u32| {
        let start = cpu();
        for _ in 0..calls {
            call();
        }
        cpu().saturating_sub(start)
    };
    let mut calls = 1;
    while round(calls) < Duration::from_millis(200) {
        calls *= 2;
    }
    let best = (0..5).map(|_| round(calls)).min().unwrap_or_default();
    let seconds = best.as_secs_f64() / f64::from(calls);
    #[expect(clippy::cast_precision_loss, reason = "a megabyte")]
    let rate = bytes as f64 / seconds / 1e6;
    println!("{name:<52} {:>9.1} µs {rate:>8.1} MB/s", seconds * 1e6);
}

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
    println!("recordings, from the first byte to the last");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts");
    for (id, name) in [
        ("codex", "codex-device-success-80"),
        ("codex", "codex-tui-onboarding-device-120"),
        ("claude", "claude-success-80"),
        ("claude", "claude-tui-firstrun-login-80"),
    ] {
        let bytes = std::fs::read(folder.join(format!("{name}.raw"))).unwrap();
        assert!(scan(row(id), &bytes) > 0, "{name}");
        measure(&format!("  {name}"), bytes.len(), || {
            black_box(scan(row(id), &bytes));
        });
    }
    println!("floods of {FLOOD_BYTES} bytes");
    let floods = [
        ("lines", flood(|n| format!("line {n:05} of a flood of lines that nobody can read\n"))),
        ("no newline", flood(|_| "x".repeat(1000))),
        ("coloured lines", flood(|n| format!("\x1b[3{}mline {n}\x1b[0m of colours\r\n", n % 8))),
        ("repainting", flood(|n| format!("\x1b[2J\x1b[{};1Hframe {n}", n % 60 + 1))),
        ("links", flood(|n| format!("https://auth.openai.com/codex/device?n={n}\n"))),
        ("wide characters", flood(|n| format!("行 {n} 全角文字 🦀\n"))),
        ("bytes that are no text", flood(|_| String::from("\u{fffd}\u{85}\u{9b}3\u{200b}"))),
    ];
    for (name, bytes) in &floods {
        measure(&format!("  {name}"), bytes.len(), || {
            black_box(scan(row("codex"), bytes));
        });
    }
}
