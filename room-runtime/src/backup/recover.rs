//! A damaged database at start: it is set aside, the newest sound copy of the Room's own takes its
//! place, or else an empty one. Never a server that does not come up, and never a silent loss: the
//! log, `/readyz`, the activity and `room doctor` name the file that was set aside.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::restore::restore;
use super::{own, stamp};
use crate::activity::{Action, Activity, Detail, Outcome};
use crate::control::told;
use crate::data_dir::DataDir;
use crate::store::{self, Store, StoreError};

/// How long a start looks at its database; a larger one is looked at when it is next copied.
const PATIENCE: Duration = Duration::from_secs(3);

/// The programs' working folder: where it is, a server has run.
const WORK: &str = "work";

/// What was done about a damaged database.
#[derive(Debug)]
pub struct Recovered {
    /// Where it is now.
    pub aside: PathBuf,
    /// Of when the copy is that took its place; none if there was no sound one.
    pub from: Option<Timestamp>,
}

impl Recovered {
    /// Writes it down.
    pub fn tell(&self, log: &Activity) {
        let name = self.aside.file_name().and_then(|name| name.to_str());
        let how = if self.from.is_some() { "own_backup" } else { "begun_anew" };
        let detail = Detail::none().reason(how);
        log.post(None, Action::SetAside, Outcome::Ok, name, detail);
    }
}

/// Opens the database of a directory that is ours, whatever state it is in. A newer Room's is
/// refused and left as it is.
///
/// # Errors
/// The disk, a newer schema.
pub async fn open(
    data_dir: &DataDir,
    instance: &str,
    now: Timestamp,
) -> Result<(Store, Option<Recovered>), StoreError> {
    let path = data_dir.path();
    let file = path.join(store::FILE);
    let opened = match check(path, &file).await {
        Ok(()) => Store::open(&file).await,
        Err(error) => Err(error),
    };
    let why = match opened {
        Err(error) if error.is_damage() => told(&error),
        other => return Ok((other?, None)),
    };
    let aside = store::damaged_name(path, &stamp(now));
    set_aside(&file, &aside).map_err(sqlx::Error::Io)?;
    tracing::error!(why, kept = %aside.display(), "the database is damaged and was set aside");
    let mut from = None;
    for copy in own(path).into_iter().rev() {
        match take(data_dir, &copy, instance, now).await {
            Ok(made_at) => {
                tracing::warn!(copy = %copy.display(), "the database is the one of this copy");
                from = Some(made_at);
                break;
            }
            Err(error) => tracing::error!(copy = %copy.display(), error, "not restored"),
        }
    }
    data_dir.ensure_private(store::FILE).map_err(sqlx::Error::Io)?;
    let store = Store::open(&file).await?;
    if from.is_none() {
        tracing::warn!("there is no sound copy; the Room begins anew");
        // Nobody knows any more who was thrown out.
        store.refuse_earlier_tokens(now).await?;
    }
    Ok((store, Some(Recovered { aside, from })))
}

/// Whether it is what a Room left there.
async fn check(data_dir: &Path, file: &Path) -> Result<(), StoreError> {
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
    let lost = || StoreError::Damaged("what was in it is gone".to_owned());
    let has_log = bytes(&file.with_file_name("room.db-wal")) > 0;
    let is_used = || data_dir.join(WORK).exists() || !own(data_dir).is_empty();
    if bytes(file) == 0 {
        return if has_log || is_used() { Err(lost()) } else { Ok(()) };
    }
    match store::check(file, PATIENCE).await? {
        // A log that was cut short can take everything with it, and leave a sound empty database.
        Some(0) if is_used() => Err(lost()),
        Some(_) => Ok(()),
        None => {
            tracing::warn!("the database is too large to be looked at before the start");
            Ok(())
        }
    }
}

fn set_aside(file: &Path, aside: &Path) -> io::Result<()> {
    let with = |path: &Path, end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let rename = |end: &str| match fs::rename(with(file, end), with(aside, end)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    // The log first: it must not be found beside the next database. An empty one is of the look
    // that found the damage.
    if fs::metadata(with(file, "-wal")).is_ok_and(|log| log.len() > 0) {
        rename("-wal")?;
    }
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(with(file, end));
    }
    rename("")
}

async fn take(
    data_dir: &DataDir,
    copy: &Path,
    instance: &str,
    now: Timestamp,
) -> Result<Timestamp, String> {
    let mut file = File::open(copy).map_err(|error| error.to_string())?;
    let bytes = file.metadata().map_or(0, |found| found.len());
    let restored = restore(data_dir, &mut file, bytes, instance, None, now).await;
    restored.map(|restored| restored.about.made_at).map_err(|error| told(&error))
}

/// Whether a damaged database was ever set aside here and is still kept.
pub fn is_kept(data_dir: &Path) -> bool {
    let prefix = store::damaged_name(Path::new(""), "");
    let Ok(found) = fs::read_dir(data_dir) else { return false };
    let prefix = prefix.as_os_str().as_encoded_bytes();
    found.flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(prefix))
}
