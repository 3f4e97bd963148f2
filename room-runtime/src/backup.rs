//! Backups: a copy of a running Room's database in one file, and the way back ([`restore`]).
//!
//! A copy is made in the data directory, checked there, and taken away from its name before anyone
//! reads it: whatever happens to the reader, nothing is left behind. Sign-ins of providers are not
//! in it (signing in again is the way to get them back); keys of providers are, sealed as they were.

pub mod recover;
pub mod restore;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use room_auth::Token;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::activity::{Action, Actor, Detail, Unwritable};
use crate::control::told;
use crate::machine;
use crate::state::App;
use crate::store::{self, About, StoreError};

/// Where a Room keeps copies of its own, in its data directory.
pub const DIRECTORY: &str = "backups";

/// How the names of files begin that are being made, and of no use to anyone if they stay.
const MAKING: &str = ".making-";

/// How the names of those begin that a Room makes by itself.
const OWN: &str = "room-";

/// And those of what a restore has replaced.
const REPLACED: &str = "replaced-";

/// How much of a file is in memory while it is sent.
const PIECE_BYTES: usize = 64 * 1024;

/// How long one reader may take for all of it.
const PATIENCE: Duration = Duration::from_mins(10);

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Another is being made or read.
    #[error("another backup is being made or read; try again when it is done")]
    Busy,
    /// A full disk would hurt the Room more than a missing backup.
    #[error(
        "not enough room on the disk: {free} bytes are free, and {needed} are needed, twice the \
         database"
    )]
    DiskShort {
        /// What should be free.
        needed: u64,
        /// What is.
        free: u64,
    },
    /// The database.
    #[error("the database cannot be copied")]
    Store(#[from] StoreError),
    /// The disk.
    #[error("the copy cannot be written")]
    Io(#[from] io::Error),
    /// Nothing is handed out that nobody would know of.
    #[error(transparent)]
    Log(#[from] Unwritable),
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
}

/// A finished copy without a name: it is gone when this is dropped.
#[derive(Debug)]
pub struct Made {
    file: File,
    /// How long it is.
    pub bytes: u64,
    /// What it says of itself.
    pub about: About,
    _turn: Option<OwnedSemaphorePermit>,
}

/// One backup at a time: each takes room on the disk until it is read.
#[derive(Debug)]
pub struct Backups(Arc<Semaphore>);

impl Default for Backups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// Copies the database of a running Room. What was acknowledged before this was called is in it.
///
/// # Errors
/// Another one is under way, or the disk.
pub async fn make(app: &App) -> Result<Made, BackupError> {
    let turn = app.backups.0.clone().try_acquire_owned().map_err(|_| BackupError::Busy)?;
    let (data_dir, now) = (app.config.data_dir.clone(), app.now());
    // A task of its own: SQLite goes on when nobody waits any more, and then this cleans up.
    let making = app.tasks.spawn(async move {
        let made = unnamed(&data_dir, now).await?;
        Ok(Made { _turn: Some(turn), ..made })
    });
    making.await.unwrap_or(Err(BackupError::Stopping))
}

/// The same, written down in the activity log before and after.
///
/// # Errors
/// As [`make`], or the log cannot be written.
pub async fn make_for(app: &App, who: impl Into<Actor>) -> Result<Made, BackupError> {
    let intent = app.activity.intent(who, Action::Backup, None, Detail::none()).await?;
    let made = make(app).await;
    match &made {
        Ok(_) => intent.ok().await,
        Err(BackupError::Busy) => intent.refused(Detail::none().reason("backup_running")).await,
        Err(error) => {
            tracing::error!(error = told(error), "no backup was made");
            intent.failed(Detail::none()).await;
        }
    }
    made
}

/// Copies the database in a data directory that is ours to use.
///
/// # Errors
/// The disk.
pub async fn unnamed(data_dir: &Path, now: Timestamp) -> Result<Made, BackupError> {
    let copy = copy(data_dir, now).await?;
    let file = File::open(&copy.path)?;
    let bytes = file.metadata()?.len();
    Ok(Made { file, bytes, about: copy.about.clone(), _turn: None })
}

/// A finished copy that is removed on drop.
struct Copy {
    path: PathBuf,
    about: About,
}

impl Drop for Copy {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

async fn copy(data_dir: &Path, now: Timestamp) -> Result<Copy, BackupError> {
    let needed = 2 * database_bytes(data_dir);
    enough_room(data_dir, needed)?;
    let directory = data_dir.join(DIRECTORY);
    DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    let path = directory.join(format!("{MAKING}{}", Token::random().expose()));
    new_private(&path)?;
    let mut copy = Copy {
        path,
        about: About {
            instance: String::new(),
            version: String::new(),
            made_at: now,
            last_activity: 0,
            sealed_keys: 0,
        },
    };
    copy.about = store::copy(&data_dir.join(store::FILE), &copy.path, now).await?;
    let file = File::open(&copy.path)?;
    // Minutes on a slow disk; others are served meanwhile.
    tokio::task::spawn_blocking(move || file.sync_all()).await.map_err(io::Error::other)??;
    Ok(copy)
}

/// Makes an empty file for us alone where there is none.
fn new_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes a copy that stays, under this name.
async fn keep(data_dir: &Path, path: &Path, now: Timestamp) -> Result<About, BackupError> {
    let copy = copy(data_dir, now).await?;
    fs::rename(&copy.path, path)?;
    File::open(data_dir.join(DIRECTORY))?.sync_all()?;
    Ok(copy.about.clone())
}

/// The copies that a Room has made of itself, the newest last.
pub fn own(data_dir: &Path) -> Vec<PathBuf> {
    named(data_dir, OWN)
}

fn named(data_dir: &Path, begin: &str) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(data_dir.join(DIRECTORY)) else { return Vec::new() };
    let mut named: Vec<PathBuf> = found
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(begin.as_bytes()))
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "db"))
        .collect();
    named.sort();
    named
}

/// How many of its own a Room keeps, and how many of those that a restore has replaced.
const KEPT: usize = 7;
const REPLACED_KEPT: usize = 3;

/// How old the newest of its own is when another is due.
const DUE: Duration = Duration::from_hours(23);

/// Whether a Room should make a copy of its own. By the times in their names, not by those that a
/// move of the files has given them; one from the future is no reason to wait for it.
pub fn is_due(data_dir: &Path, now: SystemTime) -> bool {
    let now = Timestamp::try_from(now).unwrap_or_default();
    let made = own(data_dir).pop().and_then(|path| made_at(&path));
    made.is_none_or(|made| now.duration_since(made).unsigned_abs() >= DUE)
}

fn made_at(path: &Path) -> Option<Timestamp> {
    let text = path.file_stem()?.to_str()?.strip_prefix(OWN)?;
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Makes one, and removes what is more than enough.
///
/// # Errors
/// As [`make`].
pub async fn make_own(app: &App) -> Result<(), BackupError> {
    let turn = app.backups.0.clone().try_acquire_owned().map_err(|_| BackupError::Busy)?;
    let (data_dir, now) = (app.config.data_dir.clone(), app.now());
    let making = app.tasks.spawn(async move {
        let path = data_dir.join(DIRECTORY).join(format!("{OWN}{}.db", stamp(now)));
        keep(&data_dir, &path, now).await?;
        for (begin, kept) in [(OWN, KEPT), (REPLACED, REPLACED_KEPT)] {
            let mut all = named(&data_dir, begin);
            all.truncate(all.len().saturating_sub(kept));
            for path in all {
                remove(&path);
            }
        }
        drop(turn);
        Ok(())
    });
    making.await.unwrap_or(Err(BackupError::Stopping))
}

/// Removes every copy there is, and what was ever set aside. Says how many are left.
pub fn remove_all(data_dir: &Path) -> usize {
    let aside = store::damaged_name(Path::new(""), "");
    let ours = || {
        let copies = fs::read_dir(data_dir.join(DIRECTORY)).into_iter().flatten().flatten();
        let beside = fs::read_dir(data_dir).into_iter().flatten().flatten().filter(|entry| {
            let name = entry.file_name();
            name.as_encoded_bytes().starts_with(aside.as_os_str().as_encoded_bytes())
        });
        copies.chain(beside).map(|entry| entry.path())
    };
    for path in ours().collect::<Vec<_>>() {
        remove(&path);
    }
    ours().count()
}

/// A time as the names of files have it.
pub fn stamp(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Refuses to begin what could fill the disk.
fn enough_room(directory: &Path, needed: u64) -> Result<(), BackupError> {
    match machine::storage(directory, &[]).free_bytes {
        Some(free) if free < needed => Err(BackupError::DiskShort { needed, free }),
        _ => Ok(()),
    }
}

fn database_bytes(data_dir: &Path) -> u64 {
    machine::storage(data_dir, &store::FILES).used_bytes
}

/// Removes what a killed server was making. Only for whoever holds the directory's lock.
pub fn sweep(data_dir: &Path) {
    let Ok(found) = fs::read_dir(data_dir.join(DIRECTORY)) else { return };
    for entry in found.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(MAKING.as_bytes()) {
            remove(&entry.path());
        }
    }
}

/// Removes a database and what SQLite keeps beside it.
fn remove(path: &Path) {
    for end in ["", "-journal", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        let _ = fs::remove_file(name);
    }
}

impl Made {
    /// The file, a piece whenever the reader has taken the one before. It ends early if the reader
    /// takes too long for all of it, and whoever counts the bytes can tell.
    pub fn pieces(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let until = tokio::time::Instant::now() + PATIENCE;
        stream::try_unfold(self, move |mut made| async move {
            if tokio::time::Instant::now() >= until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                let length = PIECE_BYTES as u64;
                let read = io::Read::by_ref(&mut made.file).take(length).read_to_end(&mut piece);
                read.map(|_| (piece, made))
            });
            let (piece, made) = read.await.map_err(io::Error::other)??;
            Ok((!piece.is_empty()).then(|| (Bytes::from(piece), made)))
        })
    }

    /// The file, for a reader that may block.
    pub fn into_file(self) -> File {
        self.file
    }
}
