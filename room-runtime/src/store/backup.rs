//! A copy of the database in one file, and how such a file becomes a Room's database again.
//!
//! Which files these are and when they change places is [`crate::backup`]'s; here is what is in
//! them.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{KeyRow, Store, StoreError, newest_schema, time};
use crate::activity::{Action, Actor, Detail, Entry, Event, Outcome};

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Whose state it is: an instance id, or `local`.
    pub instance: String,
    /// The Room that made it.
    pub version: String,
    /// When.
    pub made_at: Timestamp,
    /// The last event of the activity log in it; 0 if there is none.
    pub last_activity: i64,
    /// How many sealed keys of providers are in it.
    pub sealed_keys: i64,
}

/// What must survive a restore on top of what the backup knows: who was thrown out since.
#[derive(Debug, Default)]
pub struct Departed {
    revocations: Vec<(String, String, String, i64)>,
    traded: Vec<(Vec<u8>, i64)>,
    tokens_not_before: i64,
}

impl Departed {
    /// How many revocations there are.
    pub fn revocations(&self) -> usize {
        self.revocations.len()
    }
}

/// Why a file is not taken as a backup.
#[derive(Debug, thiserror::Error)]
pub enum NotABackup {
    /// It is something else.
    #[error("it is not a Room's backup")]
    Foreign,
    /// It was one.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// Copies a database, also while a server writes to it, into an empty file, and checks the copy.
/// What was committed before this was called is in it. The copy is not flushed to the disk yet.
///
/// # Errors
/// The disk, or a database that is damaged or that no Room of this version has opened yet.
pub async fn copy(database: &Path, to: &Path, now: Timestamp) -> Result<About, StoreError> {
    let text = to.to_str().ok_or_else(|| sqlx::Error::Configuration("a path is no text".into()))?;
    // Not for reading alone: that would leave an empty log beside the database of a stopped Room.
    let mut from = options(database).connect().await?;
    let copied = sqlx::query("VACUUM INTO ?").bind(text).execute(&mut from).await;
    from.close().await?;
    copied?;
    let mut copy = options(to).connect().await?;
    let made = describe(&mut copy, now).await;
    copy.close().await?;
    made
}

async fn describe(copy: &mut SqliteConnection, now: Timestamp) -> Result<About, StoreError> {
    sqlx::query("DROP TABLE IF EXISTS backup").execute(&mut *copy).await?;
    sqlx::query(
        "CREATE TABLE backup (instance TEXT NOT NULL, version TEXT NOT NULL,
         made_at INTEGER NOT NULL, last_activity INTEGER NOT NULL) STRICT",
    )
    .execute(&mut *copy)
    .await?;
    sqlx::query(
        "INSERT INTO backup SELECT coalesce(name, ''), ?, ?,
         (SELECT coalesce(max(seq), 0) FROM activity) FROM instance",
    )
    .bind(env!("CARGO_PKG_VERSION"))
    .bind(now.as_millisecond())
    .execute(&mut *copy)
    .await?;
    match fault(copy, "PRAGMA quick_check(1)").await? {
        None => read_about(copy).await,
        Some(fault) => Err(StoreError::Damaged(fault)),
    }
}

/// What is wrong with a database, in SQLite's words.
async fn fault(
    database: &mut SqliteConnection,
    check: &'static str,
) -> Result<Option<String>, sqlx::Error> {
    let said: String = sqlx::query_scalar(check).fetch_one(database).await?;
    Ok((said != "ok").then(|| said.replace('\n', " ")))
}

/// Whether the file is as long as it says: SQLite takes zeros for what is missing at its end.
async fn is_whole(database: &mut SqliteConnection, file: &Path) -> Result<bool, sqlx::Error> {
    let pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let bytes: i64 = sqlx::query_scalar(pages).fetch_one(database).await?;
    Ok(std::fs::metadata(file)?.len() == bytes.unsigned_abs())
}

async fn read_about(database: &mut SqliteConnection) -> Result<About, StoreError> {
    let (instance, version, made_at, last_activity, sealed_keys): (String, String, i64, i64, i64) =
        sqlx::query_as(
            "SELECT instance, version, made_at, last_activity,
             (SELECT count(*) FROM provider_keys) FROM backup",
        )
        .fetch_one(database)
        .await?;
    Ok(About { instance, version, made_at: time(made_at), last_activity, sealed_keys })
}

/// Reads what a file says of itself, after a look at every page of it.
///
/// # Errors
/// It is no backup, or not any more.
pub async fn about(file: &Path) -> Result<About, NotABackup> {
    let damaged = |error: sqlx::Error| NotABackup::Damaged(error.to_string());
    let mut database = options(file).read_only(true).connect().await.map_err(damaged)?;
    let found = match fault(&mut database, "PRAGMA integrity_check(1)").await {
        Err(error) => Err(damaged(error)),
        Ok(Some(fault)) => Err(NotABackup::Damaged(fault)),
        Ok(None) => match is_whole(&mut database, file).await {
            Ok(true) => read_about(&mut database).await.map_err(|_| NotABackup::Foreign),
            Ok(false) => Err(NotABackup::Damaged("its length is wrong".to_owned())),
            Err(error) => Err(damaged(error)),
        },
    };
    let _ = database.close().await;
    found
}

/// What a look at a database showed.
#[derive(Debug)]
pub struct Looked {
    /// What is wrong with it, in SQLite's words.
    pub fault: Option<String>,
    /// The schema it has; none if it is not a Room's.
    pub schema: Option<i64>,
    /// The newest that this program knows.
    pub known: i64,
    /// The sealed keys in it.
    pub keys: Vec<KeyRow>,
}

/// Looks at every page of a database and at what it is. Changes nothing, also where no server runs.
///
/// # Errors
/// It cannot be read at all.
pub async fn look(database: &Path) -> Result<Looked, StoreError> {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    // Without a log there is nothing to fold in, and SQLite need not make one.
    let has_log = std::fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let options = options(database).read_only(true).immutable(!has_log);
    let mut connection = options.connect().await?;
    let known = newest_schema();
    let mut looked = Looked { fault: None, schema: None, known, keys: Vec::new() };
    looked.fault = fault(&mut connection, "PRAGMA quick_check(1)").await?;
    if looked.fault.is_none() {
        let schema = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations");
        looked.schema = schema.fetch_one(&mut connection).await.unwrap_or(None);
        looked.keys = super::keys::read(&mut connection).await.unwrap_or_default();
    }
    connection.close().await?;
    Ok(looked)
}

/// Looks at every page of a database, for so long at most. How many tables it has; none if there
/// was no time for that.
///
/// # Errors
/// It is damaged, or cannot be read.
pub async fn check(database: &Path, patience: Duration) -> Result<Option<i64>, StoreError> {
    let looked = async {
        let mut connection = options(database).connect().await?;
        let fault = fault(&mut connection, "PRAGMA quick_check(1)").await;
        let tables = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema");
        let tables = tables.fetch_one(&mut connection).await;
        connection.close().await?;
        match fault? {
            Some(fault) => Err(StoreError::Damaged(fault)),
            None => Ok(tables?),
        }
    };
    match tokio::time::timeout(patience, looked).await {
        Ok(tables) => Ok(Some(tables?)),
        Err(_) => Ok(None),
    }
}

/// Reads who has been thrown out of the Room whose place a backup is to take.
///
/// # Errors
/// The database cannot be read.
pub async fn departed(database: &Path) -> Result<Departed, StoreError> {
    let mut connection = options(database).connect().await?;
    let found = read_departed(&mut connection).await;
    connection.close().await?;
    found
}

async fn read_departed(from: &mut SqliteConnection) -> Result<Departed, StoreError> {
    if let Some(fault) = fault(from, "PRAGMA quick_check(1)").await? {
        return Err(StoreError::Damaged(fault));
    }
    let revocations = sqlx::query_as("SELECT issuer, kind, name, not_before FROM revocations")
        .fetch_all(&mut *from)
        .await?;
    let traded = sqlx::query_as("SELECT token, until FROM traded").fetch_all(&mut *from).await?;
    // A database that was last open under an older Room has no such table, and no such restore.
    let not_before = sqlx::query_scalar("SELECT tokens_not_before FROM instance");
    let tokens_not_before = not_before.fetch_one(from).await.unwrap_or(0);
    Ok(Departed { revocations, traded, tokens_not_before })
}

impl Store {
    /// Says whose state this is.
    ///
    /// # Errors
    /// The disk.
    pub async fn set_instance(&self, name: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE instance SET name = ?1 WHERE name IS NOT ?1")
            .bind(name)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Tokens from before this moment are good for nothing from now on.
    ///
    /// # Errors
    /// The disk.
    pub async fn refuse_earlier_tokens(&self, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE instance SET tokens_not_before = max(tokens_not_before, ?)")
            .bind(not_before(now))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Removes what lets anyone in, and what is left of it on the disk.
    ///
    /// # Errors
    /// The disk.
    pub async fn forget_secrets(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM provider_keys").execute(&mut *transaction).await?;
        sqlx::query("UPDATE sessions SET ended_at = ? WHERE ended_at IS NULL")
            .bind(now.as_millisecond())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        // Deleted rows are overwritten in the file; the log has them until it is folded in.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        Ok(())
    }

    /// Makes a Room's database of an opened backup: everyone is signed out, tokens from before this
    /// moment are good for nothing, and who was thrown out then or since stays out. One step.
    /// Returns how many devices were signed out.
    ///
    /// # Errors
    /// The disk.
    pub async fn become_room(
        &self,
        departed: &Departed,
        about: &About,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let run = &mut *transaction;
        sqlx::query("DROP TABLE backup").execute(&mut *run).await?;
        let devices = sqlx::query("DELETE FROM devices").execute(&mut *run).await?;
        sqlx::query("DELETE FROM people").execute(&mut *run).await?;
        sqlx::query("UPDATE sessions SET ended_at = ? WHERE ended_at IS NULL")
            .bind(now.as_millisecond())
            .execute(&mut *run)
            .await?;
        for (issuer, kind, name, since) in &departed.revocations {
            sqlx::query(
                "INSERT INTO revocations (issuer, kind, name, not_before) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET not_before = max(not_before, excluded.not_before)",
            )
            .bind(issuer)
            .bind(kind)
            .bind(name)
            .bind(since)
            .execute(&mut *run)
            .await?;
        }
        for (token, until) in &departed.traded {
            sqlx::query("INSERT OR IGNORE INTO traded (token, until) VALUES (?, ?)")
                .bind(token)
                .bind(until)
                .execute(&mut *run)
                .await?;
        }
        sqlx::query("UPDATE instance SET tokens_not_before = max(tokens_not_before, ?, ?)")
            .bind(not_before(now))
            .bind(departed.tokens_not_before)
            .execute(&mut *run)
            .await?;
        transaction.commit().await?;
        let restored = Entry {
            at: now,
            action: Action::Restore.as_str().into(),
            outcome: Outcome::Ok,
            intent: None,
            actor: Some(Actor::owner("this machine")),
            target: Some(about.made_at.to_string()),
            detail: Detail::none().count(devices.rows_affected()),
        };
        // The copy was made while this was under way, and here it is.
        let made = self.open_activity().await?.into_iter();
        let made = made.filter(|event| event.entry.action == Action::Backup.as_str());
        let made = made.map(|Event { seq, entry }| Entry {
            outcome: Outcome::Ok,
            intent: Some(seq),
            ..entry
        });
        let rows: Vec<Entry> = made.chain([restored]).collect();
        self.add_activity(&rows).await?;
        Ok(devices.rows_affected())
    }
}

/// Tokens say to the second when they were issued; the current one is part of it.
fn not_before(now: Timestamp) -> i64 {
    (now.as_second() + 1) * 1000
}

/// A connection of its own, so that nobody waits for a copy. What a file from elsewhere defines is
/// not trusted.
fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(5))
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .pragma("mmap_size", "0")
        .pragma("cache_size", "-1024")
        .thread_name(|_| "room-backup".into())
        .disable_statement_logging()
}
