//! `room replay`: what the detector makes of a recording.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use provider_sessions::provider::built_in;
use provider_sessions::{Provider, Size, replay};

use super::arguments::Replay;
use super::complain;

/// `EX_USAGE` and `EX_NOINPUT`.
const USAGE: u8 = 64;
const NO_INPUT: u8 = 66;

pub(super) fn run(asked: &Replay) -> ExitCode {
    let Some(provider) = built_in().iter().find(|row| row.id == asked.provider) else {
        let known: Vec<_> = built_in().iter().map(|row| row.id.as_str()).collect();
        complain(&format!("no such provider: {:?}; write {}", asked.provider, known.join(" or ")));
        return ExitCode::from(USAGE);
    };
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
    replay::replay(provider, size, chunk, &bytes, |event| {
        if written.is_ok() {
            written = writeln!(out, "{event}");
        }
    });
    // A reader that has seen enough (`| head`) is no failure.
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write: {error}"));
            ExitCode::FAILURE
        }
        Ok(()) | Err(_) => ExitCode::SUCCESS,
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
