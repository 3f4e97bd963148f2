//! Backup and restore without a server.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use room_auth::revocation::{Revocation, Target};
use tempfile::TempDir;

use super::restore::{RestoreError, finish, restore};
use super::*;
use crate::data_dir::{DataDir, Inspected};
use crate::store::{NotABackup, Store};

/// A Room's directory, as a stopped server leaves it.
struct Room {
    dir: DataDir,
    _temp: TempDir,
}

impl Room {
    async fn new(instance: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = Inspected::look(&temp.path().join("data")).unwrap().claim().unwrap();
        let room = Self { dir, _temp: temp };
        let store = room.open().await;
        store.set_instance(instance).await.unwrap();
        store.close().await;
        room
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn database(&self) -> PathBuf {
        self.path().join(store::FILE)
    }

    async fn open(&self) -> Store {
        Store::open(&self.database()).await.unwrap()
    }

    async fn revoke(&self, subject: &str) {
        let store = self.open().await;
        let revocation = Revocation {
            issuer: "https://id.example".into(),
            target: Target::Subject(subject.into()),
            not_before: Timestamp::now().into(),
        };
        store.end_devices(&[], Some(&revocation)).await.unwrap();
        store.close().await;
    }

    async fn revoked(&self) -> Vec<String> {
        let store = self.open().await;
        let rows = store.load_cloud(Timestamp::now()).await.unwrap();
        store.close().await;
        let mut names: Vec<String> = rows
            .revocations
            .into_iter()
            .map(|one| match one.target {
                Target::Subject(name) => name,
                other => panic!("{other:?}"),
            })
            .collect();
        names.sort();
        names
    }

    async fn back_up(&self) -> Vec<u8> {
        let made = unnamed(self.path(), Timestamp::now()).await.unwrap();
        let (bytes, mut read) = (made.bytes, Vec::new());
        made.into_file().read_to_end(&mut read).unwrap();
        assert_eq!(read.len() as u64, bytes);
        read
    }

    async fn restore(&self, backup: &[u8], from: Option<&str>) -> Result<(), RestoreError> {
        let bytes = backup.len() as u64;
        let now = Timestamp::now();
        restore(&self.dir, &mut &*backup, bytes, "inst-1", from, now).await.map(|_| ())
    }

    /// The names of all files, those that are always there apart.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = [self.path().to_owned(), self.path().join(DIRECTORY)]
            .iter()
            .filter_map(|directory| fs::read_dir(directory).ok())
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !["room.lock", "room.db", DIRECTORY].contains(&name.as_str()))
            .collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn who_was_thrown_out_then_or_since_stays_out() {
    let (there, here) = (Room::new("inst-1").await, Room::new("inst-1").await);
    there.revoke("then").await;
    here.revoke("since").await;
    let backup = there.back_up().await;
    let before = Timestamp::now();
    here.restore(&backup, None).await.unwrap();
    assert_eq!(here.revoked().await, ["since", "then"]);
    let store = here.open().await;
    let not_before = store.load_cloud(before).await.unwrap().tokens_not_before.unwrap();
    assert!(not_before > before && not_before <= Timestamp::now() + Duration::from_secs(1));
    store.close().await;
    // An older backup does not take that back.
    here.restore(&backup, None).await.unwrap();
    let store = here.open().await;
    assert!(store.load_cloud(before).await.unwrap().tokens_not_before.unwrap() >= not_before);
    store.close().await;
    let files = here.files();
    assert_eq!(files.len(), 2, "each of the earlier databases, and nothing else: {files:?}");
    assert!(files.iter().all(|name| name.starts_with("replaced-2")), "{files:?}");
}

#[tokio::test]
async fn what_is_no_sound_backup_of_this_room_changes_nothing() {
    let room = Room::new("inst-1").await;
    room.revoke("ada").await;
    let backup = room.back_up().await;
    let before = fs::read(room.database()).unwrap();
    let check = async |file: &[u8]| {
        let refused = room.restore(file, None).await.unwrap_err();
        assert_eq!(fs::read(room.database()).unwrap(), before, "{refused}");
        assert_eq!(room.files(), [""; 0], "{refused}");
        refused
    };
    let foreign = |error: &RestoreError| matches!(error, RestoreError::File(NotABackup::Foreign));
    let damaged =
        |error: &RestoreError| matches!(error, RestoreError::File(NotABackup::Damaged(_)));
    for text in [&b""[..], b"x", b"SQLite format 3", &[0; 9000]] {
        let refused = check(text).await;
        assert!(foreign(&refused), "{refused:?}");
    }
    // A database of this very Room that is no backup: it may lack what its log had.
    let refused = check(&before).await;
    assert!(foreign(&refused), "{refused:?}");
    for length in [16, 100, 4096, backup.len() / 2, backup.len() - 1, backup.len() - 4096] {
        let refused = check(&backup[..length]).await;
        assert!(damaged(&refused), "{length}: {refused:?}");
    }
    let mut flipped = backup.clone();
    flipped[4096..8192].fill(0x55);
    let refused = check(&flipped).await;
    assert!(damaged(&refused), "{refused:?}");

    let other = Room::new("inst-2").await;
    let theirs = other.back_up().await;
    let refused = check(&theirs).await;
    let RestoreError::OtherInstance { theirs: named, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(named, "inst-2");
    let refused = room.restore(&theirs, Some("inst-3")).await;
    assert!(matches!(refused, Err(RestoreError::OtherInstance { .. })), "{refused:?}");
    room.restore(&theirs, Some("inst-2")).await.unwrap();
}

#[tokio::test]
async fn a_backup_of_a_newer_room_is_refused() {
    let (room, newer) = (Room::new("inst-1").await, Room::new("inst-1").await);
    let store = newer.open().await;
    store.pretend_newer(9999).await;
    store.close().await;
    let backup = newer.back_up().await;
    let refused = room.restore(&backup, None).await.unwrap_err();
    assert!(matches!(refused, RestoreError::NewerSchema(9999)), "{refused:?}");
    assert_eq!(room.files(), [""; 0]);
}

/// The name changes hands once; whatever a kill left before or after that is put in order by the
/// next one, and the old write-ahead log is never taken for one of the new database.
#[tokio::test]
async fn a_restore_that_was_cut_short_is_finished_or_forgotten() {
    let room = Room::new("inst-1").await;
    room.revoke("old").await;
    let other = Room::new("inst-1").await;
    other.revoke("new").await;
    let database = fs::read(other.database()).unwrap();
    fs::write(room.path().join(".restoring-x"), &database[..5000]).unwrap();
    fs::write(room.path().join(".restoring-x-wal"), b"x").unwrap();
    assert!(!finish(room.path()).unwrap(), "it was not decided");
    assert_eq!(room.files(), [""; 0]);
    assert_eq!(room.revoked().await, ["old"]);

    // A server that was killed leaves its log behind.
    let store = room.open().await;
    store.check_writable().await.unwrap();
    let log = fs::read(room.path().join("room.db-wal")).unwrap();
    store.close().await;
    assert!(!log.is_empty());
    fs::write(room.path().join("room.db-wal"), &log).unwrap();
    fs::write(room.path().join("room.db.restored"), &database).unwrap();
    assert!(finish(room.path()).unwrap());
    assert_eq!(room.files(), [""; 0]);
    assert_eq!(room.revoked().await, ["new"]);
    assert!(!finish(room.path()).unwrap());
}

#[tokio::test]
async fn a_damaged_database_is_kept_as_it_is() {
    let (room, other) = (Room::new("inst-1").await, Room::new("inst-1").await);
    let backup = other.back_up().await;
    let damaged = vec![0x55; 9000];
    fs::write(room.database(), &damaged).unwrap();
    let now = Timestamp::now();
    let bytes = backup.len() as u64;
    let done = restore(&room.dir, &mut &*backup, bytes, "inst-1", None, now).await.unwrap();
    assert_eq!(done.revocations, None, "nobody can tell");
    assert_eq!(fs::read(done.earlier.unwrap()).unwrap(), damaged);
    room.open().await.close().await;
}
