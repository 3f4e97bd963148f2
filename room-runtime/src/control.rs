//! `room.sock`: how commands of the same user talk to the running server. One JSON object a line,
//! one answer each; who is at the other end is asked of the kernel, not of them.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::data_dir::{self, DataDir};
use crate::state::AppState;

/// The socket's name in the data directory.
pub const SOCKET: &str = "room.sock";

/// The longest line either side reads.
const LINE_BYTES: u64 = 4 * 1024;

/// How many commands are heard at once.
const COMMANDS: usize = 16;

/// How long a command may take, on either side.
const PATIENCE: Duration = Duration::from_secs(5);

/// What can be asked.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Ask {
    /// A fresh one-time link.
    Open,
}

/// What is answered.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The link.
    Link {
        /// The address with its code.
        url: String,
    },
    /// Why not.
    Refused {
        /// In words.
        error: String,
    },
}

/// Binds the socket, readable by us alone. One that a killed server left is replaced: the lock on
/// the directory says that nobody answers there.
///
/// # Errors
/// The system refuses.
pub fn bind(data_dir: &DataDir) -> io::Result<UnixListener> {
    data_dir.remove(SOCKET);
    let path = data_dir.socket_path(SOCKET);
    let listener = UnixListener::bind(&path)?;
    // The directory keeps others out already; the mode is for those who look at it.
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::chmod(&path, mode)?;
    Ok(listener)
}

/// Answers commands until the server stops.
pub async fn serve(listener: UnixListener, app: AppState) {
    let places = Arc::new(Semaphore::new(COMMANDS));
    loop {
        let accepted = tokio::select! {
            () = app.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let app_of_task = app.clone();
        app.tasks.spawn(async move {
            let talked = tokio::time::timeout(PATIENCE, talk(stream, &app_of_task)).await;
            if let Ok(Err(error)) = talked {
                tracing::debug!(%error, "a command went away");
            }
            drop(place);
        });
    }
}

async fn talk(stream: UnixStream, app: &AppState) -> io::Result<()> {
    let us = rustix::process::geteuid().as_raw();
    if stream.peer_cred()?.uid() != us {
        tracing::warn!("a command of another user was refused");
        return Ok(());
    }
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    tokio::io::BufReader::new(read.take(LINE_BYTES)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(Ask::Open) => {
            tracing::info!("a one-time link was made");
            Answer::Link { url: app.launch_link() }
        }
        Err(_) => Answer::Refused { error: "this Room does not know that command".into() },
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    write.write_all(&text).await
}

/// Asks the server that runs on a data directory.
///
/// # Errors
/// Nobody runs there, or they do not answer.
pub fn ask(directory: &Path, ask: &Ask) -> io::Result<Answer> {
    let (path, _keep) = data_dir::client_socket_path(directory, SOCKET)?;
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut text = serde_json::to_vec(ask)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut line = String::new();
    BufReader::new(io::Read::take(stream, LINE_BYTES)).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}
