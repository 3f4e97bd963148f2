//! Signing out, proven by the program's own answer, and wiping.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Disconnected, Inner, lock};
use crate::error::SessionError;
use crate::home;
use crate::login::Ending;
use crate::process::run;
use crate::session::Kind;

/// A logout asks the vendor to revoke; without network it gives up by itself sooner than this.
const LOGOUT_LIMIT: Duration = Duration::from_secs(30);

impl Inner {
    pub(super) async fn disconnect(
        self: Arc<Self>,
        index: usize,
    ) -> Result<Disconnected, SessionError> {
        let slot = &self.slots[index];
        let row = &slot.provider;
        let _changing = slot.changing.lock().await;
        self.clean_start().await;
        if let Some(live) = self.table.latest(index, Kind::SignIn) {
            live.end(Ending::Cancelled);
            live.done().await;
        }
        let program = self.installed(row)?;
        let folder = self.folder(row);
        let files: Vec<PathBuf> =
            row.home.credentials.iter().map(|file| folder.join(file)).collect();
        let there: Vec<PathBuf> = files.into_iter().filter(|file| file.exists()).collect();
        let failed = if row.logout.args.is_empty() {
            let remove = |file: &String| home::remove_credential(&folder, file).err();
            row.home.credentials.iter().find_map(remove).map(|error| error.to_string())
        } else {
            let spec = self.spec(row, program, row.logout.args.clone(), None, None);
            match run(self.launcher(), spec, LOGOUT_LIMIT).await {
                Ok(output) if output.timed_out => Some("the sign-out took too long".to_owned()),
                Ok(output) if output.exit.code == Some(0) => None,
                Ok(output) => Some(format!("the sign-out ended with code {:?}", output.exit.code)),
                Err(error) => Some(error.to_string()),
            }
        };
        // A key is a way in as well.
        let removed_key = self.holds_key(index);
        if removed_key {
            self.forget_key(index).await?;
        }
        self.probe(index).await;
        let now = lock(&self.statuses)[index].clone();
        let ok = now.signed_in == Some(false);
        let at = now.checked_at.unwrap_or_else(Timestamp::now);
        if ok {
            self.update_status(index, |status| status.disconnected_at = Some(at));
        }
        let still = || format!("{} still says that it is signed in", row.name);
        let error = if ok { None } else { failed.or(now.error).or_else(|| Some(still())) };
        let removed = there.into_iter().filter(|file| !file.exists()).collect();
        Ok(Disconnected { ok, removed, removed_key, error, at })
    }

    pub(super) async fn wipe(self: Arc<Self>, index: usize) -> Result<Disconnected, SessionError> {
        let row = &self.slots[index].provider;
        let mut done = match Arc::clone(&self).disconnect(index).await {
            Ok(done) => done,
            Err(SessionError::NotInstalled { .. }) => {
                let removed_key = self.holds_key(index);
                self.forget_key(index).await?;
                let at = Timestamp::now();
                Disconnected { ok: true, removed: Vec::new(), removed_key, error: None, at }
            }
            Err(error) => return Err(error),
        };
        self.drop_keys(index);
        let folder = self.folder(row);
        for file in &row.home.credentials {
            match home::remove_credential(&folder, file) {
                Ok(true) => done.removed.push(folder.join(file)),
                Ok(false) => {}
                Err(error) => {
                    done.ok = false;
                    done.error = Some(format!("a credential file could not be removed: {error}"));
                }
            }
        }
        Ok(done)
    }
}
