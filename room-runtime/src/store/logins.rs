//! What became of each provider's sign-ins, so that a restart does not forget one that was open.

use jiff::Timestamp;
use provider_sessions::session::INSTALL_METHOD;
use provider_sessions::{Failure, FailureCode, Kind, SessionView, Status};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, time};

/// How many are kept a provider.
const KEPT: i64 = 50;

/// One sign-in as it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct LoginRow {
    /// Its id.
    pub id: String,
    /// The provider's id.
    pub provider: String,
    /// The method's id.
    pub method: String,
    /// How it stands.
    pub status: Status,
    /// The command line.
    pub command: String,
    /// Who started it.
    pub started_by: String,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When anything changed last.
    pub updated_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// When it would have been given up.
    pub deadline: Timestamp,
    /// The program's exit code.
    pub exit_code: Option<i32>,
    /// Why it did not work: code, title, action.
    pub failure: Option<(String, String, String)>,
}

impl From<&SessionView> for LoginRow {
    fn from(view: &SessionView) -> Self {
        let failure = view.failure.as_ref();
        Self {
            id: view.id.to_string(),
            provider: view.provider.clone(),
            method: view.method.clone(),
            status: view.status,
            command: view.command.clone(),
            started_by: view.started_by.clone(),
            started_at: view.started_at,
            updated_at: view.updated_at,
            ended_at: view.ended_at,
            deadline: view.deadline,
            exit_code: view.exit_code,
            failure: failure
                .map(|why| (why.code.as_str().into(), why.title.clone(), why.action.clone())),
        }
    }
}

impl Store {
    /// Writes how a sign-in stands; what is older than what is there changes nothing. Says whether
    /// it is over now and was not before.
    ///
    /// # Errors
    /// The disk.
    pub async fn record_login(&self, row: &LoginRow) -> Result<bool, StoreError> {
        let failure = row.failure.as_ref();
        let written = sqlx::query(
            "INSERT INTO logins (id, provider, method, status, command, started_by, started_at,
             updated_at, ended_at, deadline, exit_code, failure_code, failure_title, failure_action)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET status = excluded.status,
             updated_at = excluded.updated_at, ended_at = excluded.ended_at,
             deadline = excluded.deadline, exit_code = excluded.exit_code,
             failure_code = excluded.failure_code, failure_title = excluded.failure_title,
             failure_action = excluded.failure_action
             WHERE excluded.updated_at >= logins.updated_at AND logins.ended_at IS NULL",
        )
        .bind(&row.id)
        .bind(&row.provider)
        .bind(&row.method)
        .bind(status_name(row.status))
        .bind(&row.command)
        .bind(&row.started_by)
        .bind(row.started_at.as_millisecond())
        .bind(row.updated_at.as_millisecond())
        .bind(row.ended_at.map(Timestamp::as_millisecond))
        .bind(row.deadline.as_millisecond())
        .bind(row.exit_code)
        .bind(failure.map(|why| &why.0))
        .bind(failure.map(|why| &why.1))
        .bind(failure.map(|why| &why.2))
        .execute(&self.pool)
        .await?;
        Ok(row.ended_at.is_some() && written.rows_affected() > 0)
    }

    /// Marks what an earlier run left open: its programs are gone, or are ended at this start.
    /// Returns them.
    ///
    /// # Errors
    /// The disk.
    pub async fn end_lost_logins(&self, now: Timestamp) -> Result<Vec<LoginRow>, StoreError> {
        let why = Failure::new(
            FailureCode::ServerRestarted,
            "Room was restarted while this sign-in was open.",
        );
        let of_install = "Room was restarted while this install went on.";
        let ended = sqlx::query(
            "UPDATE logins SET status = 'failed', updated_at = ?1, ended_at = ?1,
             failure_code = ?2, failure_title = iif(method = ?5, ?6, ?3), failure_action = ?4
             WHERE ended_at IS NULL
             RETURNING *",
        )
        .bind(now.as_millisecond())
        .bind(why.code.as_str())
        .bind(why.title)
        .bind(why.action)
        .bind(INSTALL_METHOD)
        .bind(of_install)
        .fetch_all(&self.pool)
        .await?;
        sqlx::query(
            "DELETE FROM logins WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER
             (PARTITION BY provider ORDER BY started_at DESC) AS place FROM logins)
             WHERE place > ?)",
        )
        .bind(KEPT)
        .execute(&self.pool)
        .await?;
        ended.iter().map(read).collect()
    }

    /// The last sign-in, or the last install, of a provider that ended after a moment.
    ///
    /// # Errors
    /// The disk.
    pub async fn last_login(
        &self,
        kind: Kind,
        provider: &str,
        ended_after: Timestamp,
    ) -> Result<Option<LoginRow>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM logins WHERE provider = ? AND ended_at > ? AND (method = ?) = ?
             ORDER BY started_at DESC LIMIT 1",
        )
        .bind(provider)
        .bind(ended_after.as_millisecond())
        .bind(INSTALL_METHOD)
        .bind(kind == Kind::Install)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| read(&row)).transpose()
    }

    /// The sign-in of that id, if it ended after a moment.
    ///
    /// # Errors
    /// The disk.
    pub async fn login(
        &self,
        id: &str,
        ended_after: Timestamp,
    ) -> Result<Option<LoginRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM logins WHERE id = ? AND ended_at > ?")
            .bind(id)
            .bind(ended_after.as_millisecond())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| read(&row)).transpose()
    }
}

fn read(row: &SqliteRow) -> Result<LoginRow, StoreError> {
    let failure: Option<String> = row.try_get("failure_code")?;
    let failure = match failure {
        Some(code) => Some((code, row.try_get("failure_title")?, row.try_get("failure_action")?)),
        None => None,
    };
    Ok(LoginRow {
        id: row.try_get("id")?,
        provider: row.try_get("provider")?,
        method: row.try_get("method")?,
        status: status_of(row.try_get("status")?),
        command: row.try_get("command")?,
        started_by: row.try_get("started_by")?,
        started_at: time(row.try_get("started_at")?),
        updated_at: time(row.try_get("updated_at")?),
        ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(time),
        deadline: time(row.try_get("deadline")?),
        exit_code: row.try_get("exit_code")?,
        failure,
    })
}

/// The word of a status, the same here and on the wire.
pub(crate) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Starting => "starting",
        Status::Running => "running",
        Status::Completed => "completed",
        Status::Failed => "failed",
        Status::Canceled => "canceled",
        Status::TimedOut => "timeout",
    }
}

/// A word nobody wrote reads as failed: it is over, and we do not know how.
fn status_of(name: &str) -> Status {
    let all = [Status::Starting, Status::Running, Status::Completed, Status::Canceled];
    let known = all.into_iter().chain([Status::TimedOut]).find(|known| status_name(*known) == name);
    known.unwrap_or(Status::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, status: Status, at: i64, ended: bool) -> LoginRow {
        let at = time(at);
        LoginRow {
            id: id.into(),
            provider: "codex".into(),
            method: "device".into(),
            status,
            command: "codex login".into(),
            started_by: "owner".into(),
            started_at: time(1_000),
            updated_at: at,
            ended_at: ended.then_some(at),
            deadline: time(900_000),
            exit_code: None,
            failure: None,
        }
    }

    #[tokio::test]
    async fn a_sign_in_left_open_is_failed_after_a_restart() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(&temp.path().join("room.db")).await.unwrap();
        store.record_login(&row("a", Status::Starting, 1_000, false)).await.unwrap();
        store.record_login(&row("a", Status::Running, 2_000, false)).await.unwrap();
        assert_eq!(
            store.last_login(Kind::SignIn, "codex", time(0)).await.unwrap(),
            None,
            "not over"
        );
        let lost = store.end_lost_logins(time(9_000)).await.unwrap();
        let found = store.last_login(Kind::SignIn, "codex", time(0)).await.unwrap().unwrap();
        assert_eq!((found.status, found.ended_at), (Status::Failed, Some(time(9_000))));
        let (code, title, _) = found.failure.as_ref().unwrap();
        assert_eq!(code, "server_restarted");
        assert!(title.contains("sign-in"), "{title}");
        assert_eq!(lost, std::slice::from_ref(&found));
        assert_eq!(store.login("a", time(0)).await.unwrap(), Some(found));
        assert_eq!(
            store.last_login(Kind::SignIn, "codex", time(9_000)).await.unwrap(),
            None,
            "too long ago"
        );
        assert_eq!(store.last_login(Kind::SignIn, "claude", time(0)).await.unwrap(), None);
        assert_eq!(store.end_lost_logins(time(9_500)).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_sign_in_and_an_install_are_remembered_apart() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(&temp.path().join("room.db")).await.unwrap();
        let install = LoginRow {
            method: INSTALL_METHOD.into(),
            started_at: time(2_000),
            ..row("b", Status::Completed, 3_000, true)
        };
        for row in [&row("a", Status::Completed, 2_000, true), &install] {
            store.record_login(row).await.unwrap();
        }
        for (kind, id) in [(Kind::SignIn, "a"), (Kind::Install, "b")] {
            let found = store.last_login(kind, "codex", time(0)).await.unwrap().unwrap();
            assert_eq!(found.id, id, "{kind:?}");
        }
    }

    #[tokio::test]
    async fn a_late_write_does_not_bring_a_finished_one_back() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(&temp.path().join("room.db")).await.unwrap();
        for (status, at, ended, news) in [
            (Status::Running, 1_000, false, false),
            (Status::Completed, 3_000, true, true),
            (Status::Completed, 3_000, true, false),
            (Status::Running, 4_000, false, false),
            (Status::Running, 2_000, false, false),
        ] {
            let told = store.record_login(&row("a", status, at, ended)).await.unwrap();
            assert_eq!(told, news, "{status:?} {at}");
        }
        let found = store.last_login(Kind::SignIn, "codex", time(0)).await.unwrap().unwrap();
        assert_eq!((found.status, found.updated_at), (Status::Completed, time(3_000)));
    }
}
