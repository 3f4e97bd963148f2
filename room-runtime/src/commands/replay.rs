//! `room replay`: what the detector makes of a recording.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use provider_sessions::provider::built_in;
use provider_sessions::{Provider, Size, replay};

use super::arguments::Replay;
use super::complain;

/// `EX_USAGE` and `EX_NOINPUT`.
const USAGE: u8 = 64;
const NO_INPUT: u8 = 66;

pub(super) fn run(asked: &Replay) -> ExitCode {
    let provider = match row(&asked.provider) {
        Ok(provider) => provider,
        Err(problem) => {
            complain(&problem);
            return ExitCode::from(USAGE);
        }
    };
    let provider = &*provider;
    let bytes = match std::fs::read(&asked.file) {
        Ok(bytes) => bytes,
        Err(error) => {
            complain(&format!("cannot read {}: {error}", asked.file.display()));
            return ExitCode::from(NO_INPUT);
        }
    };
    if asked.explain {
        let _ = writeln!(io::stderr(), "{}", explain(provider));
    }
    let size = Size { cols: asked.cols, rows: asked.rows };
    let chunk = asked.chunk.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let print = |event: replay::ReplayEvent| {
        if written.is_ok() {
            written = writeln!(out, "{event}");
        }
    };
    if asked.explain {
        replay::replay_explained(provider, size, chunk, &bytes, print);
    } else {
        replay::replay(provider, size, chunk, &bytes, print);
    }
    // A reader that has seen enough (`| head`) is no failure.
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write: {error}"));
            ExitCode::FAILURE
        }
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}

/// The row of that name, or in that file.
fn row(asked: &str) -> Result<Arc<Provider>, String> {
    if let Some(row) = built_in().iter().find(|row| row.id == asked) {
        return Ok(Arc::clone(row));
    }
    if Path::new(asked).extension().is_none_or(|extension| extension != "toml") {
        let known: Vec<_> = built_in().iter().map(|row| row.id.as_str()).collect();
        let known = known.join(", ");
        return Err(format!("no such provider: {asked:?}; write {known}, or a file with a row"));
    }
    let text = std::fs::read_to_string(asked).map_err(|e| format!("cannot read {asked}: {e}"))?;
    let mut table: toml::Table = text.parse().map_err(|error| format!("{asked}: {error}"))?;
    // A whole `room.toml`, or the row alone.
    let row = match table.remove("provider") {
        Some(toml::Value::Array(rows)) if !rows.is_empty() => rows[0].clone(),
        _ => toml::Value::Table(table),
    };
    let row: Provider = row.try_into().map_err(|error| format!("{asked}: {error}"))?;
    match row.faults().as_slice() {
        [] => Ok(Arc::new(row)),
        [first, ..] => Err(format!("{asked}: {first}")),
    }
}

/// What is looked for on this provider's screen.
fn explain(provider: &Provider) -> String {
    let rules = &provider.scan;
    let paths: Vec<_> = rules.links.iter().map(|rule| rule.path.as_str()).collect();
    let prompts: Vec<_> = rules.paste_prompts.iter().map(|prompt| prompt.as_str()).collect();
    let code = rules.code.as_ref().map_or("none", |code| code.as_str());
    format!(
        "{}, measured with {} {}\n  links: https on {} with {} in the path\n  code: {code}\n  \
         prompts: {}\n  failures: {} wordings",
        provider.name,
        provider.program,
        provider.install.tested,
        provider.hosts.join(", "),
        paths.join(" or "),
        if prompts.is_empty() { "none".to_owned() } else { prompts.join(" or ") },
        provider.failures.len(),
    )
}
