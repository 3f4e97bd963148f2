//! The activity log: rows are added, read in order, and removed by age alone. The database itself
//! refuses anything else.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, time};
use crate::activity::{Actor, Entry, Event, Outcome};

/// How long a row is kept, as the trigger in the migration has it.
const KEPT_DAYS: i64 = 90;

/// How many rows are kept, likewise.
const KEPT_ROWS: i64 = 200_000;

/// How many old rows one look removes: the one connection is not held for long.
const REMOVED_AT_ONCE: i64 = 500;

/// Which events are asked for; always in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The newest.
    Newest,
    /// The newest below this one.
    Before(i64),
    /// The oldest above this one.
    After(i64),
}

impl Store {
    /// Adds rows, all or none, on the disk when this returns. Their numbers are in the same order.
    ///
    /// # Errors
    /// The disk.
    pub async fn add_activity(&self, entries: &[Entry]) -> Result<Vec<i64>, StoreError> {
        let mut transaction = self.begin().await?;
        let mut numbers = Vec::with_capacity(entries.len());
        for entry in entries {
            let seq = sqlx::query_scalar(
                "INSERT INTO activity (at, kind, action, outcome, intent, actor, target, detail)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq",
            )
            .bind(entry.at.as_millisecond())
            .bind(kind(&entry.action))
            .bind(&*entry.action)
            .bind(entry.outcome.as_str())
            .bind(entry.intent)
            .bind(entry.actor.as_ref().map(json))
            .bind(&entry.target)
            .bind(json(&entry.detail))
            .fetch_one(&mut *transaction)
            .await?;
            numbers.push(seq);
        }
        transaction.commit().await?;
        Ok(numbers)
    }

    /// Events, at most `limit`. An intent is shown only while it has no outcome.
    ///
    /// # Errors
    /// The disk.
    pub async fn activity(
        &self,
        range: Range,
        kind: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let (after, before, order) = match range {
            Range::Newest => (0, i64::MAX, "DESC"),
            Range::Before(seq) => (0, seq, "DESC"),
            Range::After(seq) => (seq, i64::MAX, "ASC"),
        };
        let of_kind = if kind.is_some() { "kind = ?3" } else { "?3 IS NULL" };
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT * FROM activity WHERE seq > ?1 AND seq < ?2 AND {of_kind}
             AND (outcome <> 'intent' OR seq IN (SELECT seq FROM activity_open))
             ORDER BY seq {order} LIMIT ?4",
        )))
        .bind(after)
        .bind(before)
        .bind(kind)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let mut events = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if order == "DESC" {
            events.reverse();
        }
        Ok(events)
    }

    /// Every row above one and up to another, intents too: for the whole log in pieces.
    ///
    /// # Errors
    /// The disk.
    pub async fn activity_rows(
        &self,
        after: i64,
        last: i64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM activity WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?")
                .bind(after)
                .bind(last)
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(read).collect()
    }

    /// The last row's number; 0 if there is none.
    ///
    /// # Errors
    /// The disk.
    pub async fn last_activity(&self) -> Result<i64, StoreError> {
        let last = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM activity");
        Ok(last.fetch_one(&self.pool).await?)
    }

    /// The intents whose outcome nobody wrote: a server was killed in between.
    ///
    /// # Errors
    /// The disk.
    pub async fn open_activity(&self) -> Result<Vec<Event>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM activity WHERE seq IN (SELECT seq FROM activity_open) ORDER BY seq",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Whether anything is too old or too much.
    ///
    /// # Errors
    /// The disk.
    pub async fn has_old_activity(&self, now: Timestamp) -> Result<bool, StoreError> {
        let found = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM activity
             WHERE seq = (SELECT min(seq) FROM activity)
             AND (at < ?1 OR seq <= (SELECT max(seq) FROM activity) - ?2))",
        )
        .bind(oldest(now))
        .bind(KEPT_ROWS)
        .fetch_one(&self.pool)
        .await?;
        Ok(found)
    }

    /// Removes some of what is too old or too much. Returns how many rows went.
    ///
    /// # Errors
    /// The disk.
    pub async fn trim_activity(&self, now: Timestamp) -> Result<u64, StoreError> {
        let removed = sqlx::query(
            "DELETE FROM activity
             WHERE seq IN (SELECT seq FROM activity ORDER BY seq LIMIT ?1)
             AND (at < ?2 OR seq <= (SELECT max(seq) FROM activity) - ?3)",
        )
        .bind(REMOVED_AT_ONCE)
        .bind(oldest(now))
        .bind(KEPT_ROWS)
        .execute(&self.pool)
        .await?;
        Ok(removed.rows_affected())
    }
}

fn oldest(now: Timestamp) -> i64 {
    now.as_millisecond() - KEPT_DAYS * 24 * 60 * 60 * 1000
}

fn kind(action: &str) -> &str {
    action.split('.').next().unwrap_or(action)
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers are JSON")
}

/// Rows are ours, yet one that cannot be read is shown without what is wrong, not hidden.
fn read(row: &SqliteRow) -> Result<Event, StoreError> {
    let actor: Option<String> = row.try_get("actor")?;
    let actor = actor.map(|text| serde_json::from_str::<Actor>(&text).unwrap_or_default());
    let detail: String = row.try_get("detail")?;
    let outcome: String = row.try_get("outcome")?;
    Ok(Event {
        seq: row.try_get("seq")?,
        entry: Entry {
            at: time(row.try_get("at")?),
            action: row.try_get::<String, _>("action")?.into(),
            outcome: Outcome::parse(&outcome).unwrap_or(Outcome::Unknown),
            intent: row.try_get("intent")?,
            actor,
            target: row.try_get("target")?,
            detail: serde_json::from_str(&detail).unwrap_or_default(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store() -> (Store, tempfile::TempDir) {
        let temp = tempfile::tempdir().unwrap();
        (Store::open(&temp.path().join("room.db")).await.unwrap(), temp)
    }

    fn entry(action: &'static str, at: Timestamp) -> Entry {
        Entry {
            at,
            action: action.into(),
            outcome: Outcome::Ok,
            intent: None,
            actor: None,
            target: None,
            detail: crate::activity::Detail::none(),
        }
    }

    async fn run(store: &Store, sql: &'static str) -> Result<u64, sqlx::Error> {
        Ok(sqlx::query(sql).execute(&store.pool).await?.rows_affected())
    }

    #[tokio::test]
    async fn rows_are_added_and_nothing_else() {
        let (store, _temp) = store().await;
        let now = Timestamp::now();
        let rows = [entry("a.x", now), entry("a.y", now), entry("b.x", now)];
        assert_eq!(store.add_activity(&rows).await.unwrap(), [1, 2, 3]);
        for sql in [
            "UPDATE activity SET outcome = 'failed' WHERE seq = 1",
            "UPDATE activity SET seq = 9 WHERE seq = 1",
            "DELETE FROM activity",
            "DELETE FROM activity WHERE seq = 1",
            "INSERT OR REPLACE INTO activity (seq, at, kind, action, outcome, detail)
             VALUES (1, 0, 'a', 'a.z', 'ok', '{}')",
            "INSERT INTO activity (seq, at, kind, action, outcome, detail)
             VALUES (1, 0, 'a', 'a.z', 'ok', '{}') ON CONFLICT DO UPDATE SET action = 'a.z'",
        ] {
            let refused = run(&store, sql).await.unwrap_err().to_string();
            assert!(refused.contains("append-only"), "{sql}: {refused}");
        }
        let invented = "INSERT INTO activity (at, kind, action, outcome, detail)
             VALUES (0, 'a', 'a.z', 'splendid', '{}')";
        assert!(run(&store, invented).await.is_err());
        assert_eq!(store.activity(Range::Newest, None, 9).await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn pages_go_both_ways() {
        let (store, _temp) = store().await;
        let now = Timestamp::now();
        let rows: Vec<Entry> =
            (0..10).map(|n| entry(if n % 2 == 0 { "a.x" } else { "b.x" }, now)).collect();
        store.add_activity(&rows).await.unwrap();
        let check = async |range, kind, expected: &[i64]| {
            let found = store.activity(range, kind, 3).await.unwrap();
            let found: Vec<i64> = found.iter().map(|event| event.seq).collect();
            assert_eq!(found, expected, "{range:?} {kind:?}");
        };
        check(Range::Newest, None, &[8, 9, 10]).await;
        check(Range::Before(8), None, &[5, 6, 7]).await;
        check(Range::Before(2), None, &[1]).await;
        check(Range::Before(1), None, &[]).await;
        check(Range::After(0), None, &[1, 2, 3]).await;
        check(Range::After(8), None, &[9, 10]).await;
        check(Range::After(10), None, &[]).await;
        check(Range::Newest, Some("a"), &[5, 7, 9]).await;
        check(Range::Before(5), Some("a"), &[1, 3]).await;
        check(Range::After(2), Some("b"), &[4, 6, 8]).await;
        check(Range::Newest, Some("c"), &[]).await;
    }

    #[tokio::test]
    async fn old_rows_and_those_too_many_go_a_few_at_a_time() {
        let (store, _temp) = store().await;
        let now = Timestamp::now();
        let days = |n: i64| now - jiff::SignedDuration::from_hours(24 * n);
        let rows: Vec<Entry> = [92, 91, 89, 1].map(|n| entry("a.x", days(n))).into();
        store.add_activity(&rows).await.unwrap();
        assert_eq!(store.trim_activity(now).await.unwrap(), 2);
        assert_eq!(store.trim_activity(now).await.unwrap(), 0);
        let left = store.activity_rows(0, i64::MAX, 9).await.unwrap();
        assert_eq!(left.iter().map(|event| event.seq).collect::<Vec<_>>(), [3, 4]);
        let many = "INSERT INTO activity (at, kind, action, outcome, detail)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200700)
             SELECT unixepoch() * 1000, 'a', 'a.x', 'ok', '{}' FROM n";
        assert_eq!(run(&store, many).await.unwrap(), 200_700);
        for expected in [500, 202, 0] {
            assert_eq!(store.trim_activity(now).await.unwrap(), expected);
        }
        assert!(
            run(&store, "DELETE FROM activity WHERE seq = (SELECT min(seq) FROM activity)")
                .await
                .is_err()
        );
        assert_eq!(store.add_activity(&[entry("a.x", now)]).await.unwrap(), [200_705]);
    }
}
