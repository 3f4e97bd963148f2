//! Who is signed in to this Room.

use jiff::Timestamp;

use super::{Store, StoreError};

/// How many ended sign-ins are kept for the record.
const KEPT: i64 = 1000;

/// One sign-in.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// Its id, which is not the bearer.
    pub id: String,
    /// The run of the server it is good for.
    pub boot: String,
    /// SHA-256 of the bearer.
    pub token_hash: [u8; 32],
    /// Who vouches for the subject.
    pub issuer: String,
    /// The subject.
    pub subject: String,
    /// The role's name.
    pub role: &'static str,
    /// The device's name.
    pub device: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

impl Store {
    /// Ends the sign-ins of earlier runs: a bearer must not outlive the server it was given by.
    ///
    /// # Errors
    /// The disk.
    pub async fn end_earlier_sessions(&self, boot: &str, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET ended_at = ? WHERE ended_at IS NULL AND boot <> ?")
            .bind(now.as_millisecond())
            .bind(boot)
            .execute(&self.pool)
            .await?;
        sqlx::query(
            "DELETE FROM sessions WHERE ended_at IS NOT NULL AND id NOT IN
             (SELECT id FROM sessions ORDER BY created_at DESC LIMIT ?)",
        )
        .bind(KEPT)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Records a sign-in; only then may its bearer be handed out.
    ///
    /// # Errors
    /// The disk.
    pub async fn insert_session(&self, row: &SessionRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO sessions (id, boot, token_hash, issuer, subject, role, device, created_at,
             last_used_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.id)
        .bind(&row.boot)
        .bind(row.token_hash.as_slice())
        .bind(&row.issuer)
        .bind(&row.subject)
        .bind(row.role)
        .bind(&row.device)
        .bind(row.created_at.as_millisecond())
        .bind(row.created_at.as_millisecond())
        .bind(row.expires_at.as_millisecond())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that a sign-in was used.
    ///
    /// # Errors
    /// The disk.
    pub async fn touch_session(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET last_used_at = ? WHERE id = ?")
            .bind(now.as_millisecond())
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends one sign-in, or all.
    ///
    /// # Errors
    /// The disk.
    pub async fn end_session(&self, id: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET ended_at = ?1 WHERE ended_at IS NULL AND ?2 IN (id, '*')")
            .bind(now.as_millisecond())
            .bind(id.unwrap_or("*"))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// How many sign-ins have not ended.
    ///
    /// # Errors
    /// The disk.
    pub async fn live_sessions(&self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
            .fetch_one(&self.pool)
            .await?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, boot: &str) -> SessionRow {
        SessionRow {
            id: id.into(),
            boot: boot.into(),
            token_hash: [u8::try_from(id.len()).unwrap(); 32],
            issuer: "room:local".into(),
            subject: "owner".into(),
            role: "owner",
            device: "browser".into(),
            created_at: Timestamp::now(),
            expires_at: Timestamp::now(),
        }
    }

    #[tokio::test]
    async fn sign_ins_end_with_the_run_of_the_server() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(&temp.path().join("room.db")).await.unwrap();
        store.insert_session(&row("a", "first")).await.unwrap();
        store.insert_session(&row("bb", "second")).await.unwrap();
        store.insert_session(&row("ccc", "second")).await.unwrap();
        store.end_earlier_sessions("second", Timestamp::now()).await.unwrap();
        assert_eq!(store.live_sessions().await.unwrap(), 2);
        store.touch_session("bb", Timestamp::now()).await.unwrap();
        store.end_session(Some("bb"), Timestamp::now()).await.unwrap();
        assert_eq!(store.live_sessions().await.unwrap(), 1);
        store.end_session(None, Timestamp::now()).await.unwrap();
        assert_eq!(store.live_sessions().await.unwrap(), 0);
    }
}
