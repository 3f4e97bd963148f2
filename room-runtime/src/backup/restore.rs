//! A backup takes the place of a stopped Room's database.
//!
//! The new database is made complete beside the old one, under another name. One rename decides:
//! before it the old one is in force, after it the new one, and whoever comes next finishes what a
//! kill left undone ([`finish`]). SQLite would take a write-ahead log of the old database for one
//! of the new, so that goes before the name does.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use room_auth::Token;

use super::{BackupError, DIRECTORY, REPLACED, enough_room, new_private, remove};
use crate::data_dir::DataDir;
use crate::store::{self, About, Departed, NotABackup, Store, StoreError};

/// The name under which a restored database waits to take its place.
const DECIDED: &str = "room.db.restored";

/// How the name of one begins that is not complete.
const MAKING: &str = ".restoring-";

/// The kinds of damage are SQLite's to tell; this is what every database begins with.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Why nothing was restored; the Room is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file.
    #[error("this cannot be restored")]
    File(#[from] NotABackup),
    /// A newer Room made it.
    #[error(
        "this cannot be restored: a newer Room made it (schema {0}); install that version first"
    )]
    NewerSchema(i64),
    /// It is somebody else's.
    #[error(
        "this is a backup of the Room {theirs:?} and this one is {ours:?}; to move that one's \
         state here, say so with --from {theirs:?}"
    )]
    OtherInstance {
        /// Whose it is.
        theirs: String,
        /// Who we are.
        ours: String,
    },
    /// The disk is too full.
    #[error(transparent)]
    Room(#[from] BackupError),
    /// The database of this Room.
    #[error("the database cannot be put in its place")]
    Store(#[source] StoreError),
    /// The disk.
    #[error("a file cannot be written")]
    Io(#[from] io::Error),
}

/// What a restore did.
#[derive(Debug)]
pub struct Restored {
    /// What was restored.
    pub about: About,
    /// How many devices it signed out.
    pub devices: u64,
    /// How many revocations of the earlier database stay in force; none if it could not be read.
    pub revocations: Option<usize>,
    /// Where the earlier database is now, if there was one.
    pub earlier: Option<PathBuf>,
}

/// Puts a backup in the place of a Room's database. `ours` is who this Room is; a backup of another
/// is taken only if `from` names it.
///
/// # Errors
/// Nothing was changed.
pub async fn restore(
    data_dir: &DataDir,
    backup: &mut (dyn Read + Send),
    bytes: u64,
    ours: &str,
    from: Option<&str>,
    now: Timestamp,
) -> Result<Restored, RestoreError> {
    let path = data_dir.path();
    finish(path)?;
    enough_room(path, bytes + 2 * super::database_bytes(path))?;
    let making = Making(path.join(format!("{MAKING}{}", Token::random().expose())));
    let mut file = new_private(&making.0)?;
    io::copy(backup, &mut file)?;
    drop(file);
    let about = check(&making.0).await?;
    if about.instance != ours && from != Some(about.instance.as_str()) {
        return Err(RestoreError::OtherInstance { theirs: about.instance, ours: ours.to_owned() });
    }
    let store = Store::open(&making.0).await.map_err(|error| match error {
        StoreError::NewerSchema(version) => RestoreError::NewerSchema(version),
        StoreError::Migrate(_) => NotABackup::Foreign.into(),
        other => RestoreError::Store(other),
    })?;
    let earlier = match Earlier::find(path, now).await {
        Ok(earlier) => earlier,
        Err(error) => {
            store.close().await;
            return Err(error);
        }
    };
    let done = async {
        let devices = store.become_room(&earlier.departed, &about, now).await?;
        store.set_instance(ours).await?;
        Ok(devices)
    };
    let done = done.await;
    store.close().await;
    let devices = done.map_err(RestoreError::Store)?;
    // Its log was folded in when it was closed; a database in two files is not moved.
    if beside(&making.0, "-wal").exists() {
        return Err(io::Error::other("the write-ahead log of the copy is still there").into());
    }
    File::open(&making.0)?.sync_all()?;
    fs::rename(&making.0, path.join(DECIDED))?;
    finish(path)?;
    let revocations = earlier.is_readable.then(|| earlier.departed.revocations());
    Ok(Restored { about, devices, revocations, earlier: earlier.kept })
}

/// Looks at a copy of the file before anything is opened for writing.
async fn check(copy: &Path) -> Result<About, NotABackup> {
    let mut head = Vec::new();
    let read = File::open(copy).and_then(|file| file.take(16).read_to_end(&mut head));
    if read.is_err() || head != SQLITE {
        return Err(NotABackup::Foreign);
    }
    store::about(copy).await
}

/// Ends a restore that was decided: takes the old database away and gives its name to the new one.
/// Only for whoever holds the directory's lock; nothing to finish is fine. Says whether there was.
///
/// # Errors
/// The disk; the next one to try goes on.
pub fn finish(data_dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(data_dir)?.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(MAKING.as_bytes()) {
            remove(&entry.path());
        }
    }
    let decided = data_dir.join(DECIDED);
    if !decided.try_exists()? {
        return Ok(false);
    }
    let database = data_dir.join(store::FILE);
    sync(data_dir)?;
    for end in ["-wal", "-shm"] {
        match fs::remove_file(beside(&database, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // The log must be gone on the disk too before the name changes hands.
    sync(data_dir)?;
    fs::rename(&decided, &database)?;
    sync(data_dir)?;
    Ok(true)
}

/// What is in the place that the backup is to take.
struct Earlier {
    departed: Departed,
    is_readable: bool,
    kept: Option<PathBuf>,
}

impl Earlier {
    /// Reads it, and keeps it under another name: a copy like any backup if it is sound, as it is
    /// if it is not.
    async fn find(data_dir: &Path, now: Timestamp) -> Result<Self, RestoreError> {
        let database = data_dir.join(store::FILE);
        if fs::symlink_metadata(&database).is_ok_and(|found| found.size() == 0)
            || !database.try_exists()?
        {
            let nothing = Departed::default();
            return Ok(Self { departed: nothing, is_readable: true, kept: None });
        }
        let stamp = super::stamp(now);
        let (departed, is_readable) = match store::departed(&database).await {
            Ok(departed) => (departed, true),
            Err(_) => (Departed::default(), false),
        };
        let directory = data_dir.join(DIRECTORY);
        let mut copy = directory.join(format!("{REPLACED}{stamp}.db"));
        if copy.try_exists()? {
            copy = directory.join(format!("{REPLACED}{stamp}-{}.db", Token::random().expose()));
        }
        let kept = match super::keep(data_dir, &copy, now).await {
            Ok(_) => copy,
            // It is damaged, or no Room of this version has opened it.
            Err(BackupError::Store(_)) => {
                let kept = store::damaged_name(data_dir, &stamp);
                link(&database, &kept)?;
                kept
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { departed, is_readable, kept: Some(kept) })
    }
}

/// Gives a database a second name.
fn link(database: &Path, name: &Path) -> io::Result<()> {
    for end in ["", "-wal"] {
        match fs::hard_link(beside(database, end), beside(name, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The copy that is being made; removed on drop unless it has taken its place.
struct Making(PathBuf);

impl Drop for Making {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn beside(database: &Path, end: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
