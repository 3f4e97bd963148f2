//! `room.sock`: how commands of the same user talk to the running server. One JSON object a line,
//! one answer each; who is at the other end is asked of the kernel, not of them.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use room_auth::{Caller, Identity, Role, Standing};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::activity::{Action, Actor, Detail, Outcome};
use crate::backup;
use crate::cloud::Invitation;
use crate::data_dir::{self, DataDir};
use crate::doctor::Seen;
use crate::http::wire;
use crate::state::AppState;
use crate::store::About;

/// The socket's name in the data directory.
pub const SOCKET: &str = "room.sock";

/// The longest line the server reads.
const LINE_BYTES: u64 = 4 * 1024;

/// The longest line of an answer.
const ANSWER_BYTES: u64 = 256 * 1024;

/// How many commands are heard at once.
const COMMANDS: usize = 16;

/// How long a command may take, on either side.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the server may look at itself.
const EXAMINING: Duration = Duration::from_secs(45);

/// How long nothing of a backup may be read or written.
const STANDSTILL: Duration = Duration::from_secs(30);

/// How long the copy may take before its first byte.
const COPYING: Duration = Duration::from_mins(10);

/// What can be asked.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Ask {
    /// A fresh one-time link.
    Open,
    /// A link and a code that sign one device in to a hosted Room.
    Pair {
        /// As what.
        role: String,
    },
    /// A bearer for a program on this machine.
    Token {
        /// As what.
        role: String,
        /// For how long, an hour at most.
        minutes: u8,
    },
    /// What the server knows of itself.
    Examine,
    /// A copy of the database: its bytes follow the answer.
    Backup,
}

/// What is answered.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The link.
    Link {
        /// The address with its code.
        url: String,
    },
    /// A pairing code.
    Pairing {
        /// The address that redeems it.
        pairing_url: String,
        /// The same to be typed.
        code: String,
        /// When both lapse.
        expires_at: String,
    },
    /// A bearer.
    Token {
        /// The text.
        token: String,
        /// When it ends.
        expires_at: String,
    },
    /// What the server knows of itself.
    Seen(Box<Seen>),
    /// So many bytes follow.
    Backup(BackupView),
    /// Why not.
    Refused {
        /// In words.
        error: String,
    },
}

/// What a backup holds.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackupView {
    /// How long it is.
    pub bytes: u64,
    /// Whose state it is.
    pub instance: String,
    /// When it was made.
    pub made_at: String,
    /// The last event of the activity log in it.
    pub last_activity: i64,
    /// How many sealed keys are in it.
    pub sealed_keys: i64,
}

impl BackupView {
    /// Of a copy.
    pub fn new(bytes: u64, about: &About) -> Self {
        Self {
            bytes,
            instance: about.instance.clone(),
            made_at: wire::time(about.made_at),
            last_activity: about.last_activity,
            sealed_keys: about.sealed_keys,
        }
    }
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
            if let Err(error) = talk(stream, &app_of_task).await {
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
    let asked = async {
        tokio::io::BufReader::new(read.take(LINE_BYTES)).read_line(&mut line).await?;
        Ok::<_, io::Error>(serde_json::from_str(&line))
    };
    let ask = tokio::time::timeout(PATIENCE, asked).await??;
    if matches!(ask, Ok(Ask::Backup)) {
        return back_up(app, write).await;
    }
    // Programs of providers are asked for it, and given up after twenty seconds themselves.
    let patience = if matches!(ask, Ok(Ask::Examine)) { EXAMINING } else { PATIENCE };
    let answered = async {
        let mut text = serde_json::to_vec(&answer(app, ask).await)?;
        text.push(b'\n');
        write.write_all(&text).await
    };
    tokio::time::timeout(patience, answered).await?
}

async fn answer(app: &AppState, ask: serde_json::Result<Ask>) -> Answer {
    match ask {
        Ok(Ask::Open) => match &app.cloud {
            None => {
                tracing::info!("a one-time link was made");
                Answer::Link { url: app.launch_link() }
            }
            Some(_) => refused("a hosted Room has no local link; use `room pair`"),
        },
        Ok(Ask::Pair { role }) => pair(app, &role).await,
        Ok(Ask::Token { role, minutes }) => token(app, &role, minutes).await,
        Ok(Ask::Examine) => Answer::Seen(Box::new(Seen::of(app).await)),
        Ok(Ask::Backup) => refused("a backup is more than one line"),
        Err(_) => refused("this Room does not know that command"),
    }
}

/// Sends a copy of the database: one line, then its bytes.
async fn back_up(app: &AppState, mut to: OwnedWriteHalf) -> io::Result<()> {
    let made = backup::make_for(app, Actor::owner("this machine")).await;
    let answer = match &made {
        Ok(made) => Answer::Backup(BackupView::new(made.bytes, &made.about)),
        Err(error) => refused(&told(error)),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    to.write_all(&text).await?;
    let Ok(made) = made else { return Ok(()) };
    let mut pieces = pin!(made.pieces());
    while let Some(piece) = pieces.next().await {
        // A reader that stands still is given up, like any other.
        tokio::time::timeout(STANDSTILL, to.write_all(&piece?)).await??;
    }
    Ok(())
}

/// An error and why, in one line.
pub fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Whoever has a shell on the machine of a hosted Room owns it: this is its first sign-in.
async fn pair(app: &AppState, role: &str) -> Answer {
    let Some(cloud) = &app.cloud else {
        return refused("this Room answers its own computer alone, so there is nothing to pair");
    };
    let has_issuer = cloud.trust.verifier.is_some();
    if has_issuer && !cloud.settings.standalone {
        return refused(
            "people of this Room come from its issuer; set ROOM_STANDALONE=1 to let them in with \
             `room pair` too",
        );
    }
    let Some(role) = Role::parse(role) else { return refused(ROLES) };
    let Some((code, expires_at)) = cloud.invite(app, &Invitation::Own(role)) else {
        return refused("enough codes are out; they lapse after three minutes");
    };
    log(app, Action::Pair, role).await;
    Answer::Pairing {
        pairing_url: cloud.pairing_link(&code),
        code: code.typed.expose_secret().to_owned(),
        expires_at: wire::time(expires_at),
    }
}

/// A bearer for a program: as what its owner says, for as long, and no longer than this run.
async fn token(app: &AppState, role: &str, minutes: u8) -> Answer {
    let Some(role) = Role::parse(role) else { return refused(ROLES) };
    if !(1..=60).contains(&minutes) {
        return refused("a token lives 1 to 60 minutes");
    }
    let identity = match &app.cloud {
        None => Identity::local_owner(),
        Some(cloud) => Identity { issuer: cloud.own_issuer(), subject: "program".into() },
    };
    let caller = Caller {
        identity,
        standing: Standing::Person(role),
        session: uuid::Uuid::new_v4().to_string(),
        device: "program".into(),
        expires_at: None,
        profile: None,
        token: None,
    };
    let life = Duration::from_mins(u64::from(minutes));
    match app.sign_in.local.admit(app, caller, life).await {
        Ok((token, caller)) => {
            log(app, Action::Token, role).await;
            let expires_at = caller.expires_at.and_then(|at| Timestamp::try_from(at).ok());
            let expires_at = wire::time(expires_at.unwrap_or_else(|| app.now()));
            Answer::Token { token: token.expose().to_owned(), expires_at }
        }
        Err(error) => {
            tracing::error!(%error, "a token was not made");
            refused("the database does not answer")
        }
    }
}

/// Says in the log that someone with a shell on this machine handed out a way in.
async fn log(app: &AppState, action: Action, role: Role) {
    let detail = Detail::none().role(role.as_str());
    app.activity.note(Some(Actor::owner("this machine")), action, Outcome::Ok, None, detail).await;
}

const ROLES: &str = "the roles are owner, admin, member and viewer";

fn refused(error: &str) -> Answer {
    Answer::Refused { error: error.into() }
}

/// Asks the server that runs on a data directory.
///
/// # Errors
/// Nobody runs there, or they do not answer.
pub fn ask(directory: &Path, ask: &Ask) -> io::Result<Answer> {
    let patience = if matches!(ask, Ask::Examine) { EXAMINING } else { PATIENCE };
    let (answer, _) = talk_to(directory, ask, patience)?;
    Ok(answer)
}

/// Asks it for a backup: what it is, and a reader of its bytes.
///
/// # Errors
/// As [`ask`].
pub fn ask_for_backup(directory: &Path) -> io::Result<(Answer, impl io::Read)> {
    let (answer, stream) = talk_to(directory, &Ask::Backup, COPYING)?;
    stream.get_ref().set_read_timeout(Some(STANDSTILL))?;
    Ok((answer, stream))
}

fn talk_to(
    directory: &Path,
    ask: &Ask,
    patience: Duration,
) -> io::Result<(Answer, BufReader<StdStream>)> {
    let (path, _keep) = data_dir::client_socket_path(directory, SOCKET)?;
    let mut stream = StdStream::connect(path)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut text = serde_json::to_vec(ask)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut line = String::new();
    let mut stream = BufReader::new(stream);
    io::Read::take(&mut stream, ANSWER_BYTES).read_line(&mut line)?;
    Ok((serde_json::from_str(&line)?, stream))
}
