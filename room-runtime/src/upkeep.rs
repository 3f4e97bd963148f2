//! What a Room does by itself now and then: a copy of its database a day, and old activity goes.

use std::time::Duration;

use crate::activity::{Action, Detail, Outcome};
use crate::backup::{self, BackupError};
use crate::control::told;
use crate::state::App;

/// Not while it starts: a Room that is woken for a minute has better things to do.
const FIRST: Duration = Duration::from_mins(5);

/// How often it looks.
const EVERY: Duration = Duration::from_hours(1);

/// Between two steps of a removal, so that others get their turn at the database.
const PAUSE: Duration = Duration::from_millis(50);

/// The most steps of one look: more rows than the log ever has.
const STEPS: usize = 1000;

/// Until the server stops.
pub async fn run(app: &App) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = EVERY;
        forget_old_activity(app).await;
        back_up(app).await;
    }
}

/// Removes the rows that are too old or too many: the one thing that ever does, and the log says so.
pub async fn forget_old_activity(app: &App) {
    match app.store.has_old_activity(app.now()).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            tracing::warn!(%error, "old rows of the activity log were not looked for");
            return;
        }
    }
    let Ok(intent) = app.activity.own_intent(Action::Trim).await else { return };
    let mut removed = 0;
    for _ in 0..STEPS {
        match app.store.trim_activity(app.now()).await {
            Ok(0) => break,
            Ok(count) => removed += count,
            Err(error) => {
                tracing::warn!(%error, "old rows of the activity log stay for now");
                intent.failed(Detail::none().count(removed)).await;
                return;
            }
        }
        tokio::select! {
            () = app.stop.cancelled() => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    intent.ok_with(Detail::none().count(removed)).await;
}

/// Makes the copy of the day, if it is due.
pub async fn back_up(app: &App) {
    if !backup::is_due(&app.config.data_dir, app.clock.now()) {
        return;
    }
    match backup::make_own(app).await {
        Ok(()) => {
            app.activity.note(None, Action::Backup, Outcome::Ok, None, Detail::none()).await;
        }
        // Somebody makes one this moment.
        Err(BackupError::Busy | BackupError::Stopping) => {}
        Err(error) => {
            tracing::error!(error = told(&error), "the copy of the day was not made");
            let reason = match error {
                BackupError::DiskShort { .. } => "disk_short",
                _ => "backup_failed",
            };
            let detail = Detail::none().reason(reason);
            app.activity.note(None, Action::Backup, Outcome::Failed, None, detail).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use room_auth::ManualClock;

    use super::*;
    use crate::activity::Entry;
    use crate::server::for_tests_with;
    use crate::store::{self, Range};

    #[tokio::test]
    async fn old_activity_goes_and_the_log_says_so() {
        let temp = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let (app, _server) = for_tests_with(temp.path(), &[], clock).await;
        let days = |n: i64| app.now() - jiff::SignedDuration::from_hours(24 * n);
        let entry = |at| Entry {
            at,
            action: "a.x".into(),
            outcome: Outcome::Ok,
            intent: None,
            actor: None,
            target: None,
            detail: Detail::none(),
        };
        forget_old_activity(&app).await;
        assert_eq!(app.store.last_activity().await.unwrap(), 0, "nothing to do, nothing to say");
        let rows: Vec<Entry> = (0..1200).map(|_| entry(days(91))).chain([entry(days(1))]).collect();
        app.store.add_activity(&rows).await.unwrap();
        forget_old_activity(&app).await;
        let left = app.store.activity_rows(0, i64::MAX, 10).await.unwrap();
        let left: Vec<_> = left.iter().map(|event| (event.seq, &*event.entry.action)).collect();
        assert_eq!(left, [(1201, "a.x"), (1202, "instance.trim"), (1203, "instance.trim")]);
        let told = app.store.activity(Range::Newest, None, 1).await.unwrap().remove(0);
        assert_eq!(told.entry.detail, Detail::none().count(1200));
    }

    #[tokio::test]
    async fn a_copy_a_day_is_made_and_seven_are_kept() {
        let temp = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let (app, _server) = for_tests_with(temp.path(), &[], clock.clone()).await;
        let data_dir = &app.config.data_dir;
        for day in 0..9 {
            back_up(&app).await;
            back_up(&app).await;
            let own = backup::own(data_dir);
            assert_eq!(own.len(), (day + 1).min(7), "one a day, the newest stay: {own:?}");
            store::about(own.last().unwrap()).await.unwrap();
            for path in own {
                use std::os::unix::fs::PermissionsExt as _;
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            }
            clock.advance(Duration::from_hours(24));
        }
        let kept = fs::read_dir(data_dir.join(backup::DIRECTORY)).unwrap().count();
        assert_eq!(kept, 7, "and nothing else");
    }
}
