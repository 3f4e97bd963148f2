//! SQLite: what must be there after the server is killed. The only SQL of the program is below
//! this module.
//!
//! What an answer acknowledged is on the disk (`synchronous=FULL`). Nothing that lets someone in is
//! stored in clear.

mod activity;
mod backup;
mod keys;
mod logins;
mod people;
mod sessions;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    SqliteTransactionManager,
};
use sqlx::{Sqlite, Transaction};
use sqlx_core::transaction::TransactionManager as _;

pub use self::activity::Range;
pub use self::backup::{About, Departed, Looked, NotABackup, about, check, copy, departed, look};
pub use self::keys::KeyRow;
pub use self::logins::LoginRow;
pub(crate) use self::logins::status_name;
pub use self::people::CloudRows;
pub use self::sessions::SessionRow;

/// The database file in the data directory.
pub const FILE: &str = "room.db";

/// The files SQLite keeps beside it.
pub const FILES: [&str; 3] = [FILE, "room.db-wal", "room.db-shm"];

/// Older versions can lose committed pages when a write-ahead log is reset.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer Room wrote it.
    #[error(
        "the database was written by a newer Room (schema {0}); install that version again, or \
         start with an empty data directory"
    )]
    NewerSchema(i64),
    /// The SQLite inside this program has a known fault.
    #[error("SQLite {0} can lose data; this program must be built with 3.51.3 or newer")]
    OldSqlite(String),
    /// It is not what was written.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// It could not be brought up to date.
    #[error("the database could not be brought up to date")]
    Migrate(#[source] MigrateError),
    /// Reading or writing failed.
    #[error("the database does not answer")]
    Query(#[from] sqlx::Error),
}

impl StoreError {
    /// Whether the disk is at fault: it is full, read-only or broken (SQLite's result codes
    /// `READONLY`, `IOERR`, `FULL` and `CANTOPEN`).
    pub fn is_of_the_disk(&self) -> bool {
        let Self::Query(sqlx::Error::Database(error)) = self else { return false };
        let code = error.code().and_then(|code| code.parse::<u32>().ok());
        code.is_some_and(|code| matches!(code & 0xff, 8 | 10 | 13 | 14))
    }

    /// Whether the file is not what was written, so that trying again is of no use.
    pub fn is_damage(&self) -> bool {
        /// The low byte of SQLite's codes: what it found makes no sense, or is no database.
        const CORRUPT: i64 = 11;
        const NOT_A_DATABASE: i64 = 26;
        let error = match self {
            Self::Damaged(_) => return true,
            Self::Query(error)
            | Self::Migrate(
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _),
            ) => error,
            Self::NewerSchema(_) | Self::OldSqlite(_) | Self::Migrate(_) => return false,
        };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        let code = code.and_then(|code| code.parse::<i64>().ok());
        code.is_some_and(|code| [CORRUPT, NOT_A_DATABASE].contains(&(code & 0xff)))
    }
}

/// The open database; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the database, makes it if it is missing, and brings it up to date.
    ///
    /// # Errors
    /// A newer schema, a SQLite with a known fault, or the disk.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .pragma("secure_delete", "ON")
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON")
            .pragma("wal_autocheckpoint", "1000")
            .pragma("journal_size_limit", "16777216")
            .pragma("temp_store", "MEMORY")
            .pragma("mmap_size", "0")
            .pragma("cache_size", "-1024")
            .thread_name(|_| "room-sqlite".into());
        // Each connection is a thread with a cache of its own, and one is enough for what a Room
        // writes: a few rows a minute.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(5))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        let store = Self { pool };
        store.check_version().await?;
        store.migrate().await?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        // A migration that a power cut undoes is done again at the next start, so these few writes
        // need not wait for the disk; everything after them does.
        sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut *connection).await?;
        MIGRATIONS.run(&mut *connection).await.map_err(|error| match error {
            MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
                StoreError::NewerSchema(version)
            }
            other => StoreError::Migrate(other),
        })?;
        sqlx::query("PRAGMA synchronous = FULL").execute(&mut *connection).await?;
        Ok(())
    }

    async fn check_version(&self) -> Result<(), StoreError> {
        let version: String =
            sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&self.pool).await?;
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        if (next(), next(), next()) < OLDEST_SQLITE {
            return Err(StoreError::OldSqlite(version));
        }
        Ok(())
    }

    /// Whether a row can be written now: one is, for a full disk only shows when it is written to.
    ///
    /// # Errors
    /// It cannot.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        sqlx::query("UPDATE probe SET times = times + 1 WHERE id = 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Begins to write.
    ///
    /// On a full disk SQLite ends a transaction by itself. sqlx does not notice, cannot roll it
    /// back, believes it open for ever and begins no other on that connection; so it is given one
    /// to roll back. (Closing the connection would do as well, but then a full disk lets no other
    /// be opened, and nothing could be read.)
    ///
    /// # Errors
    /// The disk.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        match self.pool.begin_with("BEGIN IMMEDIATE").await {
            Err(sqlx::Error::InvalidSavePointStatement) => {
                let mut connection = self.pool.acquire().await?;
                sqlx::query("BEGIN").execute(&mut *connection).await?;
                SqliteTransactionManager::rollback(&mut connection).await?;
                drop(connection);
                Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
            }
            other => Ok(other?),
        }
    }

    /// A disk that takes nothing more, or does again.
    #[cfg(test)]
    pub(crate) async fn refuse_writes(&self, refuse: bool) {
        let pragma = if refuse { "PRAGMA query_only = ON" } else { "PRAGMA query_only = OFF" };
        sqlx::query(pragma).execute(&self.pool).await.unwrap();
    }

    /// As if a newer Room had written it.
    #[cfg(test)]
    pub(crate) async fn pretend_newer(&self, schema: i64) {
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (?, 'from the future', TRUE, X'00', 0)",
        )
        .bind(schema)
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// Writes everything into the one file and closes it.
    pub async fn close(&self) {
        let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await;
        if let Err(error) = folded {
            tracing::warn!(%error, "the write-ahead log stays; the next start folds it in");
        }
        self.pool.close().await;
    }
}

/// The newest schema that this program knows.
fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The name under which a damaged database is kept.
pub fn damaged_name(data_dir: &Path, stamp: &str) -> PathBuf {
    data_dir.join(format!("{FILE}.damaged-{stamp}"))
}

/// A stored time.
fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_database_is_durable_and_opens_again() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join(FILE);
        let store = Store::open(&file).await.unwrap();
        let pragma = |name: &'static str| sqlx::query_scalar::<_, i64>(name);
        let synchronous = pragma("PRAGMA synchronous").fetch_one(&store.pool).await.unwrap();
        assert_eq!(synchronous, 2, "FULL");
        let mode: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&store.pool).await.unwrap();
        assert_eq!(mode, "wal");
        store.check_writable().await.unwrap();
        store.close().await;
        Store::open(&file).await.unwrap().close().await;
    }

    #[tokio::test]
    async fn a_transaction_that_a_full_disk_has_ended_is_not_the_last() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(&temp.path().join(FILE)).await.unwrap();
        for _ in 0..3 {
            let mut transaction = store.begin().await.unwrap();
            // As SQLite does it when there is no more room.
            sqlx::query("ROLLBACK").execute(&mut *transaction).await.unwrap();
            assert!(transaction.commit().await.is_err());
            store.check_writable().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join(FILE);
        let store = Store::open(&file).await.unwrap();
        store.pretend_newer(9999).await;
        store.close().await;
        let refused = Store::open(&file).await.unwrap_err();
        assert!(matches!(refused, StoreError::NewerSchema(9999)), "{refused:?}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join(FILE);
        std::fs::write(&file, "x".repeat(5000)).unwrap();
        assert!(Store::open(&file).await.is_err());
        assert_eq!(std::fs::read(&file).unwrap(), "x".repeat(5000).as_bytes(), "left as it was");
    }
}
