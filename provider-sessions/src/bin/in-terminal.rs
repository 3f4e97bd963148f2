//! Runs a program as a login would be run, and prints what it prints: a terminal of its own, the
//! allow-listed environment, the launcher around it. For trying a provider's program by hand.
//!
//! `in-terminal [--home DIR] [--data DIR] PROGRAM [ARGUMENT…]`. What is typed on standard input
//! goes to the program; Ctrl-C here ends the program's whole tree, as closing Room would.
//! The exit code is the program's, 128 plus the number for a signal, 126 when it could not be run.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use provider_sessions::{
    DirectoryMark, Exit, Launcher, Marker, SessionId, Size, Spec, child_environment, find_program,
    harden_self, open_terminal, run_launcher_if_asked,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

fn main() -> ExitCode {
    run_launcher_if_asked();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(run())) {
        Ok(exit) => {
            let code = exit.code.or(exit.signal.map(|signal| 128 + signal)).unwrap_or(255);
            ExitCode::from(u8::try_from(code).unwrap_or(255))
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(126)
        }
    }
}

async fn run() -> io::Result<Exit> {
    harden_self()?;
    let terminal = open_terminal(&Launcher::current_exe()?, spec()?, Size::TERMINAL)
        .await
        .map_err(io::Error::other)?;
    let mut typed = typed();
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut bytes = [0; 8192];
    loop {
        tokio::select! {
            read = terminal.read(&mut bytes) => match read? {
                0 => break,
                count => {
                    let mut out = io::stdout().lock();
                    out.write_all(&bytes[..count]).and_then(|()| out.flush())?;
                }
            },
            Some(bytes) = typed.recv() => terminal.write(&bytes).await?,
            Some(()) = interrupted.recv() => terminal.stop(),
        }
    }
    terminal.gone().await;
    Ok(terminal.exited().await)
}

/// What comes on standard input, until its end. A thread of its own waits there; it dies with the
/// process.
fn typed() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = io::stdin().read(&mut bytes) {
            if sender.blocking_send(bytes[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn spec() -> io::Result<Spec> {
    let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
    let mut home = PathBuf::from("/");
    let base: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    if let Some((_, value)) = base.iter().find(|(key, _)| key == "HOME") {
        home = PathBuf::from(value);
    }
    let mut data = home.clone();
    let mut args = std::env::args().skip(1);
    let program = loop {
        match args.next().as_deref() {
            Some("--home") => {
                home = args.next().ok_or_else(|| invalid("--home needs a folder"))?.into();
            }
            Some("--data") => {
                data = args.next().ok_or_else(|| invalid("--data needs a folder"))?.into();
            }
            Some(name) => break name.to_owned(),
            None => {
                return Err(invalid("in-terminal [--home DIR] [--data DIR] PROGRAM [ARGUMENT…]"));
            }
        }
    };
    let env = child_environment(&base, &home, &[]);
    let path = env.iter().find(|(key, _)| key == "PATH").map(|(_, value)| value.as_str());
    Ok(Spec {
        program: find_program(&program, path.unwrap_or_default().as_ref(), &[])
            .ok_or_else(|| invalid(&format!("{program} is not on PATH")))?,
        args: args.collect(),
        cwd: home,
        marker: Marker::new(&DirectoryMark::of(&data), SessionId::random()),
        env,
        input: None,
    })
}
