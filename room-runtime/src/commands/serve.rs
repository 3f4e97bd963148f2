//! `room serve`.

use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{browser, complain, say};
use crate::config::{Config, Environment};
use crate::logging;
use crate::server::Server;

/// A Room is idle most of the time; more threads would only hold memory.
const THREADS: usize = 4;

/// More connections than are ever accepted at once, and everything beside them.
const ENOUGH_FILES: u64 = 16 * 1024;

/// Files, the kernel's tables, a browser: short work, seldom.
const BLOCKING_THREADS: usize = 16;

pub(super) fn run(config: Config, environment: &Environment, no_open: bool) -> ExitCode {
    logging::start(config.log, config.log_format);
    if let Err(error) = provider_sessions::harden_self() {
        tracing::warn!(%error, "other programs of this user can read this one's memory");
    }
    // Whatever is made from here on is for us alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    raise_file_limit();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("room")
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(serve(config, environment, no_open));
            // A file system that hangs must not keep us from ending.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            complain(&format!("cannot start its threads: {error}"));
            ExitCode::from(71)
        }
    }
}

async fn serve(config: Config, environment: &Environment, no_open: bool) -> ExitCode {
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    let [Ok(interrupt), Ok(terminate)] = signals else {
        complain("cannot hear signals");
        return ExitCode::from(71);
    };
    let server = match Server::bind(config, environment).await {
        Ok(server) => server,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            complain(&text);
            return ExitCode::from(error.exit_code());
        }
    };
    let stop = CancellationToken::new();
    let (address, link) = (server.address(), server.launch_link());
    let needs_pairing = server.needs_pairing();
    let run = server.run(stop.clone());
    tokio::pin!(run);
    let announce = tokio::task::spawn_blocking({
        let environment = environment.clone();
        move || {
            say(&format!("Room is ready at {address}"));
            let Some(link) = link else {
                if needs_pairing {
                    say("Sign the first device in with `room pair` on this machine.");
                }
                return;
            };
            // The one place where a code is printed.
            if no_open || !browser::open(&link, &environment) {
                say(&format!("Sign in once with {link}"));
            }
        }
    });
    let signals = wait_for_signals(interrupt, terminate, stop);
    tokio::select! {
        () = &mut run => {}
        code = signals => return code,
    }
    announce.abort();
    ExitCode::SUCCESS
}

/// The first signal asks the server to stop; the second does not wait for it.
async fn wait_for_signals(
    mut interrupt: Signal,
    mut terminate: Signal,
    stop: CancellationToken,
) -> ExitCode {
    for asked in [false, true] {
        let code = tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        };
        if asked {
            complain("stopped at once");
            return ExitCode::from(code);
        }
        stop.cancel();
    }
    ExitCode::SUCCESS
}

/// Each page holds a file descriptor, and the usual soft limit is there for programs that use
/// `select`. What cannot be raised stays as it is: the accept loop copes with running out.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.map_or(ENOUGH_FILES, |most| most.min(ENOUGH_FILES));
    if limit.current.is_some_and(|now| now < enough) {
        let raised = Rlimit { current: Some(enough), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }
}
