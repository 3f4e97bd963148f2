//! What outlived its sign-in or its server: found by the marker, and ended.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::Inner;
use crate::home;
use crate::session::SessionId;
use crate::sweep::{Marker, MarkerScope, sweep};

impl Inner {
    /// Ends what carries one sign-in's marker and escaped its launcher.
    pub(crate) async fn sweep(&self, id: SessionId) {
        let scope = MarkerScope::Session(Marker::new(&self.mark, id));
        let swept = tokio::task::spawn_blocking(move || sweep(&scope)).await;
        if let Ok(swept) = swept
            && swept.killed > 0
        {
            self.count_orphans(swept.killed);
            tracing::warn!(session = %id, killed = swept.killed, "processes outlived their login");
        }
    }

    /// So many processes outlived their sign-in or their server, and were ended.
    pub(crate) fn count_orphans(&self, killed: usize) {
        self.orphans.fetch_add(killed as u64, Ordering::Relaxed);
    }

    /// Once: ends what an earlier, killed server of this data directory left behind.
    pub(super) async fn clean_start(&self) {
        self.swept.get_or_init(|| self.sweep_leftovers()).await;
    }

    async fn sweep_leftovers(&self) {
        let mark = self.mark.clone();
        let folders: Vec<PathBuf> = self.rows.iter().map(|row| self.folder(row)).collect();
        let work = self.work_dir();
        #[cfg(feature = "install")]
        let (place, programs): (_, Vec<_>) = {
            let name =
                |row: &std::sync::Arc<crate::Provider>| (row.id.clone(), row.program.clone());
            (self.place(), self.rows.iter().map(name).collect())
        };
        let swept = tokio::task::spawn_blocking(move || {
            let swept = sweep(&MarkerScope::Directory(mark.clone()));
            for folder in folders {
                if let Err(error) = home::discard_leftovers(&folder, &mark) {
                    tracing::warn!(%error, "scratch homes of a killed server not removed");
                }
            }
            #[cfg(feature = "install")]
            if let Err(error) = place.discard_leftovers(&programs) {
                tracing::warn!(%error, "unfinished installs of a killed server not removed");
            }
            if let Err(error) = home::private_dir(&work) {
                tracing::warn!(%error, "no folder for programs to start in");
            }
            swept
        });
        if let Ok(swept) = swept.await
            && swept.killed > 0
        {
            self.count_orphans(swept.killed);
            tracing::warn!(killed = swept.killed, "ended processes of a killed server");
        }
    }

    /// Where programs start: a folder with nothing in it that they could take for a project.
    pub(super) fn work_dir(&self) -> PathBuf {
        self.settings.data_dir.join("work")
    }
}
