//! What stands in for `codex`: a program whose lines say when they were written.
//!
//! It waits for a file beside itself that says what to print: `flood N`, `rate LINES_A_SECOND
//! SECONDS` or `now and then LINES MILLISECONDS`.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;

/// Longer than any run; nothing is left behind by one that was broken off.
const LIFETIME: Duration = Duration::from_secs(120);

/// The file with the order.
const ORDER: &str = "order";

/// Plays the program if this was started under its name.
pub(crate) fn play() -> Option<anyhow::Result<()>> {
    let me = std::env::current_exe().ok()?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    (me.file_stem()? == "codex").then(|| run(me.parent().context("a folder")?, &args))
}

fn run(folder: &Path, args: &[String]) -> anyhow::Result<()> {
    let is = |word: &str| args.iter().any(|arg| arg == word);
    if is("--version") {
        println!("codex-cli 0.169.0");
        return Ok(());
    }
    if is("status") {
        eprintln!("Not logged in");
        std::process::exit(1);
    }
    println!("waiting");
    let (start, order) = (Instant::now(), folder.join(ORDER));
    let mut done = String::new();
    while start.elapsed() < LIFETIME {
        match std::fs::read_to_string(&order) {
            Ok(text) if text != done && text.ends_with('\n') => {
                obey(&text)?;
                done = text;
            }
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    Ok(())
}

fn obey(order: &str) -> anyhow::Result<()> {
    let words: Vec<&str> = order.split_whitespace().collect();
    match words[..] {
        ["flood", lines] => {
            let lines: usize = lines.parse()?;
            let mut text = String::new();
            for n in 1..lines {
                text.push_str(&format!("line {n:05} of a flood of lines that nobody can read\n"));
            }
            text.push_str(&format!("{}\n", stamp()));
            text.push_str("the last line\n");
            let mut out = stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()?;
        }
        ["rate", rate, seconds] => {
            let pause = Duration::from_secs_f64(1.0 / rate.parse::<f64>()?);
            let (start, seconds) = (Instant::now(), Duration::from_secs_f64(seconds.parse()?));
            for n in 1.. {
                let due = pause * n;
                if due > seconds {
                    break;
                }
                std::thread::sleep((start + due).saturating_duration_since(Instant::now()));
                line(&format!("{} a line", stamp()))?;
            }
            line("the last line")?;
        }
        ["quiet", lines, millis] => {
            for _ in 0..lines.parse::<u32>()? {
                std::thread::sleep(Duration::from_millis(millis.parse()?));
                line(&format!("{} after a while", stamp()))?;
            }
            line("the last line")?;
        }
        _ => {}
    }
    Ok(())
}

fn line(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    out.write_all(format!("{text}\n").as_bytes())?;
    Ok(out.flush()?)
}

/// The time, as [`micros_in`] finds it again.
fn stamp() -> String {
    format!("at={}", now_micros())
}

pub(crate) fn now_micros() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// The times that lines of a text carry.
pub(crate) fn micros_in(text: &str) -> impl Iterator<Item = u64> {
    text.split("at=").skip(1).filter_map(|rest| {
        let end = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok().filter(|_| end >= 16)
    })
}
