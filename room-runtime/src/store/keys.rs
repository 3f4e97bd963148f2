//! Providers' keys, sealed.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteExecutor;

use super::{Store, StoreError, time};

/// One sealed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The provider's id.
    pub provider: String,
    /// The kind of key.
    pub kind: String,
    /// When it was given.
    pub stored_at: Timestamp,
    /// The key, sealed.
    pub sealed: Vec<u8>,
}

/// All of them.
pub(super) async fn read(from: impl SqliteExecutor<'_>) -> Result<Vec<KeyRow>, StoreError> {
    let rows = sqlx::query("SELECT provider, kind, stored_at, sealed FROM provider_keys")
        .fetch_all(from)
        .await?;
    let row = |row: &sqlx::sqlite::SqliteRow| KeyRow {
        provider: row.get(0),
        kind: row.get(1),
        stored_at: time(row.get(2)),
        sealed: row.get(3),
    };
    Ok(rows.iter().map(row).collect())
}

impl Store {
    /// All of them.
    ///
    /// # Errors
    /// The disk.
    pub async fn provider_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        read(&self.pool).await
    }

    /// Writes one in the place of an earlier one.
    ///
    /// # Errors
    /// The disk.
    pub async fn put_provider_key(&self, row: &KeyRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO provider_keys (provider, kind, stored_at, sealed) VALUES (?, ?, ?, ?)
             ON CONFLICT (provider) DO UPDATE SET kind = excluded.kind,
             stored_at = excluded.stored_at, sealed = excluded.sealed",
        )
        .bind(&row.provider)
        .bind(&row.kind)
        .bind(row.stored_at.as_millisecond())
        .bind(&row.sealed)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Deletes one; nothing there is fine.
    ///
    /// # Errors
    /// The disk.
    pub async fn delete_provider_key(&self, provider: &str) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM provider_keys WHERE provider = ?");
        delete.bind(provider).execute(&self.pool).await?;
        Ok(())
    }
}
